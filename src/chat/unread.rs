//! What a person has not read yet, over all their recent conversations.

use super::{Chat, list, unavailable};
use crate::model::limits::{PAGE_CONVERSATIONS_MAX, UNREAD_CONVERSATIONS_MAX};
use crate::model::{ConversationId, Identity, Refusal, Role, Summary, UserId};
use crate::store::{Behind, Talks};

/// Others' messages beyond a person's read cursors. Counted anew each time, never added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// In all the conversations that were looked at.
    pub total: u64,
    /// Of that, in groups.
    pub in_groups: u64,
    /// In each of them that has any, latest activity first, an agent's talks last; each counted up to
    /// [`UNREAD_COUNT_MAX`](crate::model::limits::UNREAD_COUNT_MAX).
    pub conversations: Vec<(ConversationId, u64)>,
    /// Whether there are older conversations that were not looked at.
    pub more: bool,
}

impl Chat {
    /// What a person has not read in their latest [`UNREAD_CONVERSATIONS_MAX`] conversations; and an agent, as the team, in
    /// as many talks that they see to: the others are everybody's, and nobody's yet.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn unread(&self, who: &Identity) -> Result<Unread, Refusal> {
        let mut counted = self.unread_as(&who.user).await?;
        if who.role == Role::Admin {
            let theirs = Talks::Of(who.user.clone());
            let talks = self.count(&UserId::team(), Some(&theirs)).await?;
            // One's own talk with the team was counted as its user.
            let own = ConversationId::support(&who.user);
            counted.add(talks.conversations.into_iter().filter(|(talk, _)| *talk != own));
            counted.more |= talks.more;
        }
        Ok(counted)
    }

    /// The same in one seat: the team's is in all talks with it.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn unread_as(&self, seat: &UserId) -> Result<Unread, Refusal> {
        self.count(seat, None).await
    }

    /// Counts in all conversations of a seat, or only in these talks.
    async fn count(&self, seat: &UserId, talks: Option<&Talks>) -> Result<Unread, Refusal> {
        let mut counted = Unread::default();
        let mut behind = None;
        for _ in 0..UNREAD_CONVERSATIONS_MAX / PAGE_CONVERSATIONS_MAX {
            let page = self.page_of(seat, talks, behind, PAGE_CONVERSATIONS_MAX).await?;
            let places = list::unread_from(seat, &page);
            let unread = self.store.unread(seat, &places).await.map_err(|error| unavailable(&error))?;
            let groups = page.iter().zip(&unread).filter(|(summary, _)| summary.group.is_some());
            counted.in_groups += groups.map(|(_, unread)| unread).sum::<u64>();
            counted.add(places.into_iter().map(|(id, _)| id).zip(unread));
            behind = page.last().filter(|_| page.len() == PAGE_CONVERSATIONS_MAX).map(list::behind);
            if behind.is_none() {
                return Ok(counted);
            }
        }
        let beyond = self.page_of(seat, talks, behind, 1).await?;
        Ok(Unread { more: !beyond.is_empty(), ..counted })
    }

    async fn page_of(
        &self,
        seat: &UserId,
        talks: Option<&Talks>,
        behind: Option<Behind>,
        limit: usize,
    ) -> Result<Vec<Summary>, Refusal> {
        let page = match talks {
            Some(talks) => self.store.talks(talks, behind, limit).await,
            None => self.store.list(seat, behind, limit).await,
        };
        page.map_err(|error| unavailable(&error))
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
