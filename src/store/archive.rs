//! The way in for what was said elsewhere, before this store knew of it.

use async_trait::async_trait;

use futures_util::future::try_join_all;

use super::{Attempt, Outcome, Store, StoreError};
use crate::model::{Conversation, ConversationId, CursorKind, Message, Profile, Seq, StoreTime, Timestamp, UserId};

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

    /// [`open`](super::Conversations::open), for many (at most
    /// [`BATCH_MESSAGES_MAX`](crate::model::limits::BATCH_MESSAGES_MAX), as for the others here).
    async fn open_all(&self, conversations: &[Conversation]) -> Result<(), StoreError> {
        try_join_all(conversations.iter().map(|conversation| self.open(conversation))).await.map(drop)
    }

    /// [`advance`](super::People::advance), for many read cursors.
    async fn advance_all(&self, read: &[(ConversationId, UserId, Seq)]) -> Result<(), StoreError> {
        let advance = |(conversation, user, to): &(ConversationId, UserId, Seq)| {
            let (conversation, user, to) = (*conversation, user.clone(), *to);
            async move { self.advance(conversation, &user, CursorKind::Read, to).await }
        };
        try_join_all(read.iter().map(advance)).await.map(drop)
    }

    /// [`put_profile`](super::People::put_profile), for many.
    async fn put_profiles(&self, people: &[(UserId, Profile)]) -> Result<(), StoreError> {
        try_join_all(people.iter().map(|(user, profile)| self.put_profile(user, profile))).await.map(drop)
    }
}

/// When a message of this time counts as taken by the store.
pub(super) fn taken(at: Timestamp, until: StoreTime) -> StoreTime {
    StoreTime(at.0).min(until)
}
