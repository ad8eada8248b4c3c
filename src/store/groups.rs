//! Groups: conversations whose members change.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Conversation, Group, Message};

/// What makes groups, and what their events do. The messages are the authority: what is kept of a group beside them can
/// always be made again from its beginning and its events.
#[async_trait]
pub trait Groups: Send + Sync + 'static {
    /// Makes a group exist, with a head at zero. One that exists is left as it is.
    async fn found(&self, conversation: &Conversation, group: &Group) -> Result<(), StoreError>;

    /// Lets a stored message's event take effect: on the group as [`Group::apply`] says, and on whose lists the group is
    /// in. May be repeated freely, and come in any order. Nothing happens where there is no such group, or no event.
    ///
    /// Who leaves is found by [`active`](super::Conversations::active) once more, at the time of this call and with the
    /// place of the event.
    async fn apply(&self, event: &Message) -> Result<(), StoreError>;
}
