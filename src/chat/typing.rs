//! Somebody writes: told to the other members while it is true, and never kept.

use super::{Chat, Membership};
use crate::model::{ConversationId, Identity, Refusal};

impl Chat {
    /// Tells the other members that one of them writes, or has stopped. It holds for
    /// [`TYPING_HOLDS`](crate::model::limits::TYPING_HOLDS), so that one who dies writing does not write for ever. The
    /// caller sees to it that it is not said too often.
    ///
    /// # Errors
    /// `forbidden` to others than members, `unavailable` if the store does not answer.
    pub async fn typing(&self, who: &Identity, conversation: ConversationId, active: bool) -> Result<(), Refusal> {
        let Membership { conversation, .. } = self.member(who, conversation).await?;
        self.announcer.typing(&conversation, who.user.clone(), active).await;
        Ok(())
    }
}
