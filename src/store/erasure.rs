//! Forgetting somebody who was here. Messages keep their places, so that no conversation gets a hole; what they said
//! goes.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{ConversationId, Seq, Timestamp, UserId};

/// How far the erasure of somebody has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When it was asked for, by the clock of the node that was asked.
    pub began: Timestamp,
    /// Whether nothing of theirs could be stored any more when this walk began: it is then the last one.
    pub last: bool,
    /// Whether the talks with the team are walked through: after their own conversations, if they were an agent.
    pub in_team: bool,
    /// The conversation that is walked through; none before the first.
    pub conversation: Option<ConversationId>,
    /// Up to which place that was done.
    pub seq: Seq,
    /// How many messages were emptied.
    pub emptied: u64,
}

/// The steps of an erasure. Each may be repeated freely.
#[async_trait]
pub trait Erasure: Send + Sync + 'static {
    /// How far the erasure of somebody has come, if one is under way.
    async fn erasure(&self, user: &UserId) -> Result<Option<Progress>, StoreError>;

    /// Keeps how far it has come; none when it is done.
    async fn keep_erasure(&self, user: &UserId, progress: Option<&Progress>) -> Result<(), StoreError>;

    /// The conversations that somebody is in and in which something was said, by id ascending, from this one on, at
    /// most `limit`. Those of the team are all talks with it.
    async fn conversations_of(
        &self,
        user: &UserId,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError>;

    /// Empties what somebody wrote after one place of a conversation and up to another, and what lists show of it.
    /// Answers how many messages that were.
    async fn empty(
        &self,
        conversation: ConversationId,
        user: &UserId,
        after: Seq,
        up_to: Seq,
    ) -> Result<u64, StoreError>;

    /// How many messages [`empty`](Self::empty) would empty there.
    async fn written(
        &self,
        conversation: ConversationId,
        user: &UserId,
        after: Seq,
        up_to: Seq,
    ) -> Result<u64, StoreError>;

    /// Forgets what is known of somebody: profile, address, blocks of and by them, revoked tokens, that they were an
    /// agent, and why they were banned. That they are banned, and up to when their tokens do not count, stays; their
    /// profile is that of a [deleted](crate::model::Profile::deleted) user.
    async fn forget(&self, user: &UserId) -> Result<(), StoreError>;
}
