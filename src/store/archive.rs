//! The way in for what was said elsewhere, before this store knew of it.

use async_trait::async_trait;

use super::{Attempt, Outcome, Store, StoreError};
use crate::model::{Message, StoreTime, Timestamp};

/// A store that takes over old histories. What it takes over counts as old: whoever asks for what is new is not told
/// of it, and lists keep the order they had.
#[async_trait]
pub trait Archive: Store {
    /// Tries to store messages of *one* conversation as [`append_run`](super::Messages::append_run) does, each as if the
    /// store had taken it at its own time, but at `until` at the latest. The caller sees to it that these times never
    /// decrease along the conversation, and that `until` is not ahead of the store's clock. Heads stay as they are.
    async fn adopt_run(&self, attempts: Vec<Attempt>, until: StoreTime) -> Vec<Outcome>;

    /// Raises heads as [`raise`](super::Conversations::raise) does, but stamps their activity with the time that each
    /// message counts as taken at. An activity never goes back.
    async fn settle(&self, messages: &[Message], until: StoreTime) -> Result<(), StoreError>;
}

/// When a message of this time counts as taken by the store.
pub(super) fn taken(at: Timestamp, until: StoreTime) -> StoreTime {
    StoreTime(at.0).min(until)
}
