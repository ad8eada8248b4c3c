//! Somebody writes: told to the other members while it is true, and never kept.

use std::sync::Arc;

use super::{Chat, Rights, Target, unavailable};
use crate::model::{Conversation, Identity, Refusal, UserId};

impl Chat {
    /// Tells the other members that one of them writes, or has stopped: also before the first message. It holds for
    /// [`TYPING_HOLDS`](crate::model::limits::TYPING_HOLDS), so that one who dies writing does not write for ever. The
    /// caller sees to it that it is not said too often.
    ///
    /// # Errors
    /// `forbidden` to others than members and to those who may not write there, `unavailable` if the store does not
    /// answer.
    pub async fn typing(&self, who: &Identity, rights: &Rights, target: &Target, active: bool) -> Result<(), Refusal> {
        let conversation = match target {
            Target::Person(other) => Arc::new(Conversation::direct(&who.user, other)),
            Target::Support(user) => Arc::new(Conversation::support(user, &UserId::team())),
            Target::Conversation(id) => self.member(who, *id).await?.conversation,
        };
        let refusal =
            self.rules.refusal(&who.user, rights, &conversation).await.map_err(|error| unavailable(&error))?;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        self.announcer.typing(&conversation, who.user.clone(), active).await;
        Ok(())
    }
}
