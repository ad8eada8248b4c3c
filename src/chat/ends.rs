//! How far conversations go: what a returning session needs to know.

use std::collections::HashMap;

use super::{Chat, unavailable};
use crate::model::{Activity, ConversationId, Identity, Range, Refusal, Seq, StoreTime, UserId};
use crate::store::{Since, Talk};

/// How far a conversation goes for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The highest place taken, as the head knows it.
    pub head: Seq,
    /// What of it they may see.
    pub range: Range,
    /// Whether it is a group.
    pub group: bool,
}

impl Chat {
    /// The ends of those of these conversations (at most [`CURSORS_MAX`](crate::model::limits::CURSORS_MAX)) that one
    /// of these seats is, or was, a member of.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn ends(
        &self,
        seats: &[UserId],
        ids: &[ConversationId],
    ) -> Result<HashMap<ConversationId, End>, Refusal> {
        let found = self.store.get(ids).await.map_err(|error| unavailable(&error))?;
        let theirs = found.into_iter().filter_map(|summary| {
            let talk = Talk::from(summary);
            let end = End { head: talk.head, range: talk.range(seats)?, group: talk.group.is_some() };
            Some((talk.conversation.id, end))
        });
        Ok(theirs.collect())
    }

    /// The last place taken in a conversation, read from the messages themselves.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn end(&self, conversation: ConversationId) -> Result<Seq, Refusal> {
        let tail = self.store.tail(conversation, None).await.map_err(|error| unavailable(&error))?;
        Ok(tail.map_or(Seq::ZERO, |tail| tail.seq))
    }

    /// How far a member has read a conversation, if that is all that was stored before this time, or more.
    ///
    /// # Errors
    /// `forbidden` to others than members, `unavailable` if the store does not answer.
    pub async fn has_read(
        &self,
        who: &Identity,
        id: ConversationId,
        before: StoreTime,
    ) -> Result<Option<Seq>, Refusal> {
        let seat = self.member(who, id).await?.seat;
        let old = self.store.tail(id, Some(before)).await.map_err(|error| unavailable(&error))?;
        let cursors = self.store.cursors(id).await.map_err(|error| unavailable(&error))?;
        let read = cursors.iter().find(|cursor| cursor.user == seat).map_or(Seq::ZERO, |cursor| cursor.read);
        Ok((read >= old.map_or(Seq::ZERO, |old| old.seq)).then_some(read))
    }

    /// These seats' conversations with activity since then, as [`Conversations::active`](crate::store::Conversations).
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn active(&self, seats: &[UserId], since: Since, limit: usize) -> Result<Vec<Activity>, Refusal> {
        self.store.active(seats, since, limit).await.map_err(|error| unavailable(&error))
    }
}
