//! How far a member has come: read and delivered cursors, which only move up.

use super::{Chat, unavailable};
use crate::model::{Code, ConversationId, Cursor, CursorKind, Refusal, Seq, UserId};

impl Chat {
    /// Moves a member's cursor up to `to`, tells all members if it moved, and answers where it is. What was read was
    /// also delivered.
    ///
    /// # Errors
    /// `forbidden` to others than members, `invalid` beyond the last message, `unavailable` if the store does not
    /// answer.
    pub async fn mark(
        &self,
        user: &UserId,
        conversation: ConversationId,
        kind: CursorKind,
        to: Seq,
    ) -> Result<Cursor, Refusal> {
        let members = self.member(user, conversation).await?;
        let end = self.store.tail(conversation, None).await.map_err(|error| unavailable(&error))?;
        if to > end.map_or(Seq::ZERO, |end| end.seq) {
            return Err(Refusal::new(Code::Invalid, "a cursor cannot be beyond the last message"));
        }
        let mut moved = false;
        for kind in implied(kind) {
            moved |= self.store.advance(conversation, user, *kind, to).await.map_err(|error| unavailable(&error))?;
        }
        let cursor = self.cursor(user, conversation).await?;
        if moved {
            self.announcer.receipt(&members, conversation, cursor.clone()).await;
        }
        Ok(cursor)
    }

    async fn cursor(&self, user: &UserId, conversation: ConversationId) -> Result<Cursor, Refusal> {
        let cursors = self.store.cursors(conversation).await.map_err(|error| unavailable(&error))?;
        let own = cursors.into_iter().find(|cursor| cursor.user == *user);
        Ok(own.unwrap_or_else(|| Cursor { user: user.clone(), read: Seq::ZERO, delivered: Seq::ZERO }))
    }
}

const fn implied(kind: CursorKind) -> &'static [CursorKind] {
    match kind {
        CursorKind::Read => &[CursorKind::Delivered, CursorKind::Read],
        CursorKind::Delivered => &[CursorKind::Delivered],
    }
}
