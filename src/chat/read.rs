//! How far a member has come: read and delivered cursors, which only move up.

use std::sync::Arc;

use super::announce::Announcer;
use super::{Chat, Membership, unavailable};
use crate::model::{Code, ConversationId, Cursor, CursorKind, Identity, Message, Refusal, Seq, UserId};
use crate::store::{Memberships, Store, StoreError};

impl Chat {
    /// Moves a member's cursor up to `to` (without it, over all there is), tells all members if it moved, and answers where it is. What was read was
    /// also delivered.
    ///
    /// # Errors
    /// `forbidden` to others than members, `invalid` beyond the last message, `unavailable` if the store does not
    /// answer.
    pub async fn mark(
        &self,
        who: &Identity,
        conversation: ConversationId,
        kind: CursorKind,
        to: Option<Seq>,
    ) -> Result<Cursor, Refusal> {
        let Membership { conversation: members, seat: user } = self.member(who, conversation).await?;
        let end = self.store.tail(conversation, None).await.map_err(|error| unavailable(&error))?;
        let end = end.map_or(Seq::ZERO, |end| end.seq);
        let to = to.unwrap_or(end);
        if to > end {
            return Err(Refusal::new(Code::Invalid, "a cursor cannot be beyond the last message"));
        }
        let mut moved = false;
        for kind in implied(kind) {
            moved |= self.store.advance(conversation, &user, *kind, to).await.map_err(|error| unavailable(&error))?;
        }
        let cursor = self.cursor(&user, conversation).await?;
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

/// Moves the team's cursor when one of its agents answers.
pub(super) struct Reading {
    store: Arc<dyn Store>,
    memberships: Arc<Memberships>,
    announcer: Arc<Announcer>,
}

impl Chat {
    pub(super) fn reading(&self) -> Reading {
        let (store, memberships) = (self.store.clone(), self.memberships.clone());
        Reading { store, memberships, announcer: self.announcer.clone() }
    }
}

impl Reading {
    /// Who answers for the team has read what came before: nothing of it is unread to any agent. If this fails, the
    /// next answer heals it.
    pub(super) async fn by_answering(&self, answer: &Message) {
        if let Err(error) = self.try_by_answering(answer).await {
            tracing::debug!(%error, conversation = %answer.conversation, "the team's cursor could not be moved");
        }
    }

    async fn try_by_answering(&self, answer: &Message) -> Result<(), StoreError> {
        let (id, team) = (answer.conversation, UserId::team());
        let Some(conversation) = self.memberships.get(id).await?.map(|talk| talk.conversation) else { return Ok(()) };
        if !conversation.has(&team) || conversation.has(&answer.sender) {
            return Ok(());
        }
        let mut moved = false;
        for kind in implied(CursorKind::Read) {
            moved |= self.store.advance(id, &team, *kind, answer.seq).await?;
        }
        if moved {
            let cursor = Cursor { user: team, read: answer.seq, delivered: answer.seq };
            self.announcer.receipt(&conversation, id, cursor).await;
        }
        Ok(())
    }
}
