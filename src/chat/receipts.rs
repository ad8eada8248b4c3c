//! How far every member of a conversation has come.

use super::{Chat, Membership, unavailable};
use crate::model::{ConversationId, Cursor, Identity, Refusal, Seq, UserId};

impl Chat {
    /// The cursors of all members, in the order of their ids; zero for who never moved one.
    ///
    /// # Errors
    /// `forbidden` to others than members, `unavailable` if the store does not answer.
    pub async fn receipts(&self, who: &Identity, conversation: ConversationId) -> Result<Vec<Cursor>, Refusal> {
        let Membership { conversation, .. } = self.member(who, conversation).await?;
        let moved = self.store.cursors(conversation.id).await.map_err(|error| unavailable(&error))?;
        let cursor = |member: &UserId| {
            let of_member = moved.iter().find(|cursor| cursor.user == *member).cloned();
            of_member.unwrap_or_else(|| Cursor { user: member.clone(), read: Seq::ZERO, delivered: Seq::ZERO })
        };
        Ok(conversation.members.iter().map(cursor).collect())
    }
}
