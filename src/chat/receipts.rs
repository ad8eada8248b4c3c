//! How far the members of conversations have come.

use std::collections::HashMap;

use super::{Chat, Membership, unavailable};
use crate::model::limits::{CURSORS_PER_QUESTION_MAX, RECEIPT_MEMBERS_MAX};
use crate::model::{Assignment, Conversation, ConversationId, Cursor, Identity, Refusal, Seq, UserId};

/// What members need to know of a conversation beside its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The cursors of those members who ever moved one.
    pub cursors: Vec<Cursor>,
    /// Who of the team sees to it, of a conversation with the team.
    pub assignment: Option<Assignment>,
}

/// Cursors of members, zero for who never moved one.
#[derive(Debug, Default)]
pub(super) struct Cursors(HashMap<(ConversationId, UserId), Cursor>);

impl Cursors {
    pub(super) fn of(&self, conversation: ConversationId, user: UserId) -> Cursor {
        let place = (conversation, user);
        let moved = self.0.get(&place).cloned();
        moved.unwrap_or(Cursor { user: place.1, read: Seq::ZERO, delivered: Seq::ZERO })
    }
}

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

    /// How those of these conversations (at most [`CURSORS_MAX`](crate::model::limits::CURSORS_MAX)) stand that one of
    /// these seats is a member of and that have at most [`RECEIPT_MEMBERS_MAX`] members.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn marks(&self, seats: &[UserId], ids: &[ConversationId]) -> Result<Vec<Marks>, Refusal> {
        let mut found = self.store.get(ids).await.map_err(|error| unavailable(&error))?;
        found.retain(|summary| seats.iter().any(|seat| summary.conversation.has(seat)));
        found.retain(|summary| summary.conversation.members.len() <= RECEIPT_MEMBERS_MAX);
        let mut cursors = self.cursors(found.iter().map(|summary| &summary.conversation)).await?;
        let marks = |summary: crate::model::Summary| {
            let id = summary.conversation.id;
            let moved = summary.conversation.members.into_iter().filter_map(|member| cursors.0.remove(&(id, member)));
            Marks { conversation: id, cursors: moved.collect(), assignment: summary.assignment }
        };
        Ok(found.into_iter().map(marks).collect())
    }

    /// The cursors of the first members of these conversations, as many as are shown.
    pub(super) async fn cursors(&self, conversations: impl Iterator<Item = &Conversation>) -> Result<Cursors, Refusal> {
        let of_one = |conversation: &Conversation| {
            let shown = conversation.members.iter().take(RECEIPT_MEMBERS_MAX);
            shown.map(|member| (conversation.id, member.clone())).collect::<Vec<_>>()
        };
        let members: Vec<_> = conversations.flat_map(of_one).collect();
        let mut cursors = Cursors::default();
        for some in members.chunks(CURSORS_PER_QUESTION_MAX) {
            let moved = self.store.cursors_of(some).await.map_err(|error| unavailable(&error))?;
            cursors.0.extend(moved.into_iter().map(|(id, cursor)| ((id, cursor.user.clone()), cursor)));
        }
        Ok(cursors)
    }
}
