//! Erasing somebody: first none of their tokens counts, then they leave each group and what they wrote is emptied, some at
//! a time, and in the end nothing is known of them any more.

use super::{Change, Chat, Rights, unavailable};
use crate::model::limits::{ERASE_CONVERSATIONS_MAX, ERASE_MESSAGES_MAX, ERASE_STEP_MESSAGES, SEND_WAIT};
use crate::model::{ClientKey, Code, ConversationId, Identity, Refusal, Role, Seq, Timestamp, UserId};
use crate::store::{Progress, StoreError};
use crate::wire::client::Action;

/// What one request has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Nothing of them is left. Else there is more to do: ask again.
    pub done: bool,
    /// Messages that were emptied since the first request.
    pub emptied: u64,
}

/// What an erasure would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erasable {
    /// Conversations that they are, or were, in.
    pub conversations: u64,
    /// Groups that they would leave.
    pub groups: u64,
    /// Messages that would be emptied.
    pub messages: u64,
}

impl Chat {
    /// Erases a person, as far as one request goes: to be repeated until it is done.
    ///
    /// # Errors
    /// `forbidden` to others than services, `invalid` for who is no person and for oneself, `unavailable` if the store
    /// does not answer: then it goes on where it was.
    pub async fn erase(&self, who: &Identity, user: &UserId) -> Result<Erased, Refusal> {
        if who.role != Role::Service {
            return Err(Refusal::new(Code::Forbidden, "only services erase people"));
        }
        if user.is_reserved() || *user == who.user {
            return Err(Refusal::new(Code::Invalid, "only other people can be erased"));
        }
        self.erase_some(user).await.map_err(|error| unavailable(&error))
    }

    /// What would be erased of somebody.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn erasable(&self, user: &UserId) -> Result<Erasable, StoreError> {
        let mut found = Erasable::default();
        let mut progress = Progress::default();
        while let Some(conversation) = self.next_conversation(user, &mut progress).await? {
            found.conversations += 1;
            let talk = self.memberships.read(conversation).await?;
            let is_in = talk.is_some_and(|talk| talk.group.is_some() && talk.conversation.has(user));
            found.groups += u64::from(is_in);
            let end = self.store.tail(conversation, None).await?.map_or(Seq::ZERO, |tail| tail.seq);
            progress.conversation = Some(conversation);
            progress.seq = Seq::ZERO;
            while progress.seq < end {
                let up_to = Seq(progress.seq.0.saturating_add(ERASE_STEP_MESSAGES)).min(end);
                found.messages += self.store.written(conversation, user, progress.seq, up_to).await?;
                progress.seq = up_to;
            }
        }
        Ok(found)
    }

    /// Erases a person, as far as one request goes, for an operator.
    ///
    /// # Errors
    /// If the store does not answer: then it goes on where it was.
    pub async fn erase_some(&self, user: &UserId) -> Result<Erased, StoreError> {
        let mut progress = match self.store.erasure(user).await? {
            Some(progress) => progress,
            None => self.begin_erasure(user).await?,
        };
        if progress.conversation.is_none() && !progress.in_team {
            // What was under way when their tokens stopped counting may be stored behind the walk: then, once more.
            progress.last = self.is_quiet_since(progress.began);
        }
        let is_through = self.walk(user, &mut progress).await?;
        let done = is_through && progress.last;
        let emptied = progress.emptied;
        if done {
            self.store.forget(user).await?;
            self.store.keep_erasure(user, None).await?;
            self.announce_standing(user).await;
        } else {
            if is_through {
                progress = Progress { began: progress.began, emptied, ..Progress::default() };
            }
            self.store.keep_erasure(user, Some(&progress)).await?;
        }
        Ok(Erased { done, emptied })
    }

    async fn begin_erasure(&self, user: &UserId) -> Result<Progress, StoreError> {
        let began = self.clock.now();
        let progress = Progress { began, ..Progress::default() };
        self.store.revoke_before(user, began).await?;
        self.announce_standing(user).await;
        self.store.keep_erasure(user, Some(&progress)).await?;
        Ok(progress)
    }

    /// Whether nothing that was sent before a time can be stored any more.
    fn is_quiet_since(&self, time: Timestamp) -> bool {
        let quiet = u64::try_from((SEND_WAIT + SEND_WAIT / 2).as_millis()).unwrap_or(u64::MAX);
        self.clock.now().0 >= time.0.saturating_add(quiet)
    }

    /// Empties what they wrote from where it was left off; answers whether that was all.
    async fn walk(&self, user: &UserId, progress: &mut Progress) -> Result<bool, StoreError> {
        let mut room = ERASE_MESSAGES_MAX;
        for _ in 0..ERASE_CONVERSATIONS_MAX {
            let Some(conversation) = self.next_conversation(user, progress).await? else { return Ok(true) };
            if progress.conversation != Some(conversation) {
                progress.conversation = Some(conversation);
                progress.seq = Seq::ZERO;
                self.take_out(user, conversation, progress.began).await?;
            }
            let end = self.store.tail(conversation, None).await?.map_or(Seq::ZERO, |tail| tail.seq);
            while progress.seq < end {
                if room == 0 {
                    return Ok(false);
                }
                let step = ERASE_STEP_MESSAGES.min(room);
                let up_to = Seq(progress.seq.0.saturating_add(step)).min(end);
                progress.emptied += self.store.empty(conversation, user, progress.seq, up_to).await?;
                room -= up_to.0 - progress.seq.0;
                progress.seq = up_to;
            }
        }
        Ok(false)
    }

    /// Has them leave, if it is a group that they are in: the others see it as when they leave by themselves.
    async fn take_out(&self, user: &UserId, conversation: ConversationId, began: Timestamp) -> Result<(), StoreError> {
        let talk = self.memberships.read(conversation).await?;
        let standing = talk.and_then(|talk| talk.group?.standing(user)).filter(|standing| standing.is_current());
        let Some(standing) = standing else { return Ok(()) };
        let leave = Change {
            sender: user.clone(),
            rights: Rights::of(Role::Service, Default::default()),
            key: ClientKey::erased(began, standing.joined),
            action: Action::Leave { conversation },
        };
        match self.change(leave, None).await {
            Ok(_) => Ok(()),
            // They are out of it: somebody was faster.
            Err(refusal) if refusal.code == Code::Forbidden => Ok(()),
            Err(refusal) => Err(StoreError::Unavailable(refusal.message)),
        }
    }

    /// The conversation to walk through now: the one that was left off in, if it has more, or the next.
    async fn next_conversation(
        &self,
        user: &UserId,
        progress: &mut Progress,
    ) -> Result<Option<ConversationId>, StoreError> {
        loop {
            let seat = if progress.in_team { UserId::team() } else { user.clone() };
            let next = self.store.conversations_of(&seat, progress.conversation, 2).await?;
            let is_ended = match progress.conversation {
                Some(here) => {
                    let end = self.store.tail(here, None).await?.map_or(Seq::ZERO, |tail| tail.seq);
                    progress.seq >= end
                }
                None => false,
            };
            let next = next.into_iter().find(|id| !is_ended || progress.conversation != Some(*id));
            if next.is_some() || progress.in_team || !self.standings.fresh(user).await?.agent {
                return Ok(next);
            }
            (progress.in_team, progress.conversation, progress.seq) = (true, None, Seq::ZERO);
        }
    }
}
