//! What a person has not read yet, over all their recent conversations.

use super::{Chat, list, unavailable};
use crate::model::limits::{PAGE_CONVERSATIONS_MAX, UNREAD_CONVERSATIONS_MAX};
use crate::model::{ConversationId, Refusal, UserId};

/// Others' messages beyond a person's read cursors. Counted anew each time, never added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// In all the conversations that were looked at.
    pub total: u64,
    /// Of that, in groups.
    pub in_groups: u64,
    /// In each of them that has any, latest activity first; each counted up to
    /// [`UNREAD_COUNT_MAX`](crate::model::limits::UNREAD_COUNT_MAX).
    pub conversations: Vec<(ConversationId, u64)>,
    /// Whether there are older conversations that were not looked at.
    pub more: bool,
}

impl Chat {
    /// What a person has not read in their latest [`UNREAD_CONVERSATIONS_MAX`] conversations.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn unread(&self, user: &UserId) -> Result<Unread, Refusal> {
        let mut counted = Unread::default();
        let mut behind = None;
        for _ in 0..UNREAD_CONVERSATIONS_MAX / PAGE_CONVERSATIONS_MAX {
            let page = self.store.list(user, behind, PAGE_CONVERSATIONS_MAX).await.map_err(|e| unavailable(&e))?;
            let places = list::unread_from(user, &page);
            let unread = self.store.unread(user, &places).await.map_err(|error| unavailable(&error))?;
            let groups = page.iter().zip(&unread).filter(|(summary, _)| summary.group.is_some());
            counted.in_groups += groups.map(|(_, unread)| unread).sum::<u64>();
            counted.add(places.into_iter().map(|(id, _)| id).zip(unread));
            behind = page.last().filter(|_| page.len() == PAGE_CONVERSATIONS_MAX).map(list::behind);
            if behind.is_none() {
                return Ok(counted);
            }
        }
        let beyond = self.store.list(user, behind, 1).await.map_err(|error| unavailable(&error))?;
        Ok(Unread { more: !beyond.is_empty(), ..counted })
    }
}

impl Unread {
    fn add(&mut self, counts: impl Iterator<Item = (ConversationId, u64)>) {
        for (conversation, unread) in counts.filter(|(_, unread)| *unread > 0) {
            self.total = self.total.saturating_add(unread);
            self.conversations.push((conversation, unread));
        }
    }
}
