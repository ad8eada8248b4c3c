//! Who is online, to whom it may be known.

use std::collections::HashMap;

use super::list::behind;
use super::{Chat, unavailable};
use crate::model::limits::{PAGE_CONVERSATIONS_MAX, USERS_PER_QUESTION_MAX, WATCHED_USERS_MAX};
use crate::model::{Code, Identity, Presence, Refusal, Role, Seen, UserId};

impl Chat {
    /// Which of these (at most [`WATCHED_USERS_MAX`]) a person may see coming and going: themselves, the team, and those
    /// with whom they share a conversation. Agents and services see everybody.
    ///
    /// # Errors
    /// `invalid` if there are too many, `unavailable` if the store does not answer.
    pub async fn may_see(&self, who: &Identity, users: &[UserId]) -> Result<Vec<bool>, Refusal> {
        if users.len() > WATCHED_USERS_MAX {
            return Err(Refusal::new(Code::Invalid, format!("at most {WATCHED_USERS_MAX} users at once")));
        }
        if who.role != Role::User {
            return Ok(vec![true; users.len()]);
        }
        let team = UserId::team();
        let acquainted = self.store.acquainted(&who.user, users).await.map_err(|error| unavailable(&error))?;
        let may_see = |(user, acquainted): (&UserId, bool)| acquainted || *user == who.user || *user == team;
        Ok(users.iter().zip(acquainted).map(may_see).collect())
    }

    /// What a person sees of these: of those whom they may not see, what they would see of somebody who never came.
    ///
    /// # Errors
    /// As [`may_see`](Self::may_see).
    pub async fn presence(&self, who: &Identity, users: Vec<UserId>) -> Result<Vec<Seen>, Refusal> {
        let may_see = self.may_see(who, &users).await?;
        let visible: Vec<UserId> =
            users.iter().zip(&may_see).filter(|(_, may_see)| **may_see).map(|(user, _)| user.clone()).collect();
        let presences = self.presences_for(&who.user, &visible).await?;
        let seen = |user: UserId| {
            let presence = presences.get(&user).copied().unwrap_or_default();
            Seen { user, presence }
        };
        Ok(users.into_iter().map(seen).collect())
    }

    /// The other members of a person's latest conversations, the latest first, at most so many.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn company(&self, who: &Identity, most: usize) -> Result<Vec<UserId>, Refusal> {
        let mut company = Vec::new();
        for seat in who.seats() {
            let mut place = None;
            while company.len() < most {
                let page = self.store.list(&seat, place, PAGE_CONVERSATIONS_MAX).await;
                let page = page.map_err(|error| unavailable(&error))?;
                let others = page.iter().flat_map(|talk| &talk.conversation.members).filter(|member| **member != seat);
                company.extend(others.cloned());
                match page.last() {
                    Some(last) if page.len() == PAGE_CONVERSATIONS_MAX => place = Some(behind(last)),
                    _ => break,
                }
            }
        }
        company.truncate(most);
        Ok(company)
    }

    /// Sets whether a person appears offline to others, for ever, and has it seen.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn appear(&self, who: &UserId, offline: bool) -> Result<(), Refusal> {
        self.store.appear(who, offline, self.clock.now()).await.map_err(|error| unavailable(&error))?;
        self.announcer.presence(who.clone()).await;
        Ok(())
    }

    /// What there is to see of these for somebody: nothing of those who are hidden from them by a block.
    pub(super) async fn presences_for(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Presence>, Refusal> {
        let standing = self.recent_standing(viewer).await?;
        let mut presences = self.presences(users).await?;
        presences.retain(|user, _| !standing.hides(user));
        Ok(presences)
    }

    /// What there is to see of these. Who cannot be found out about is as if offline.
    async fn presences(&self, users: &[UserId]) -> Result<HashMap<UserId, Presence>, Refusal> {
        let mut presences = HashMap::with_capacity(users.len());
        for users in users.chunks(USERS_PER_QUESTION_MAX) {
            let (whereabouts, appearances) = tokio::join!(self.presence.find(users), self.store.appearances(users));
            let appearances = appearances.map_err(|error| unavailable(&error))?;
            let seen = users.iter().zip(whereabouts.into_iter().zip(appearances));
            presences.extend(seen.map(|(user, (whereabouts, appearance))| {
                (user.clone(), Presence::of(whereabouts, appearance).unwrap_or_default())
            }));
        }
        Ok(presences)
    }
}
