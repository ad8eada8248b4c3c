//! Who asks, as a member of what they ask about.

use std::sync::Arc;

use super::{Chat, unavailable};
use crate::model::{Code, Conversation, ConversationId, Identity, Refusal, UserId};
use crate::store::Talk;

/// Somebody's place in a conversation.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// As whom they are in it: themselves, or the team.
    pub seat: UserId,
}

impl Membership {
    fn of(talk: &Talk, seats: &[UserId]) -> Option<Self> {
        Some(Self { conversation: talk.conversation.clone(), seat: talk.seat(seats)? })
    }
}

impl Chat {
    /// The conversation, and as whom they are a member. A stranger is answered after a read in any case: otherwise how
    /// long it takes would tell whether two people have a conversation that is remembered here.
    ///
    /// # Errors
    /// `forbidden` if they are not or there is none; `unavailable` if the store does not answer.
    pub async fn member(&self, who: &Identity, conversation: ConversationId) -> Result<Membership, Refusal> {
        let seats = who.seats();
        let known = self.memberships.known(conversation);
        if let Some(membership) = known.and_then(|talk| Membership::of(&talk, &seats)) {
            return Ok(membership);
        }
        let talk = self.memberships.read(conversation).await.map_err(|error| unavailable(&error))?;
        talk.and_then(|talk| Membership::of(&talk, &seats)).ok_or_else(not_yours)
    }
}

/// The one answer to those outside a conversation, whether it exists or not.
pub(super) fn not_yours() -> Refusal {
    Refusal::new(Code::Forbidden, "no such conversation of yours")
}
