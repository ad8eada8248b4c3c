//! The team's inbox: who sees to which talk.

use async_trait::async_trait;

use super::{Behind, StoreError};
use crate::model::{Assignment, ConversationId, Summary, TalkState, UserId};

/// Which talks with the team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Talks {
    /// All of them.
    All,
    /// Those in this state.
    In(TalkState),
    /// Those that this agent sees to.
    Of(UserId),
}

/// Who sees to which talk with the team. A talk's assignment is part of its
/// [`Summary`](crate::model::Summary); one that was never changed is open.
#[async_trait]
pub trait Assignments: Send + Sync + 'static {
    /// Compares and sets: the talk's assignment becomes `new` if it was changed one time less than that. Answers whether
    /// it did; not where there is no such talk. After an error, whoever reads finds either the old one or `new`, or what
    /// others made of it since.
    async fn assign(&self, talk: ConversationId, new: &Assignment) -> Result<bool, StoreError>;

    /// A page of talks in which something was said, by (activity, id) descending, at most `limit` and at most
    /// [`PAGE_CONVERSATIONS_MAX`](crate::model::limits::PAGE_CONVERSATIONS_MAX).
    async fn talks(&self, which: &Talks, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError>;

    /// Every agent who sees to a talk, in any order, each once; at most
    /// [`AGENTS_MAX`](crate::model::limits::AGENTS_MAX).
    async fn holders(&self) -> Result<Vec<UserId>, StoreError>;
}
