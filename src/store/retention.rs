//! What is kept, and what is not any more: the beginnings of conversations. Numbers are never given again, so that the last
//! message of each keeps its place, though not its words.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{ConversationId, Seq};

/// The steps of a purge. Each may be repeated freely, while others read and write.
#[async_trait]
pub trait Retention: Send + Sync + 'static {
    /// Conversations in which something was said, by id ascending, those after this one, at most `limit`.
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError>;

    /// Deletes the messages of a conversation up to a place, at most those of
    /// [`PURGE_STEP_MESSAGES`](crate::model::limits::PURGE_STEP_MESSAGES) places from its first on; but never the last
    /// one, nor one that the head has not reached. Answers how many that were: none when they are gone.
    async fn purge(&self, conversation: ConversationId, up_to: Seq) -> Result<u64, StoreError>;

    /// Empties one message, and what lists show of it, unless it says nothing anyway. Answers whether it did.
    async fn blank(&self, conversation: ConversationId, seq: Seq) -> Result<bool, StoreError>;
}
