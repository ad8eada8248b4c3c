//! Who is shown as writing on one page: it ends when they say so, when what they wrote comes, or by itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::model::limits::{TYPING_HOLDS, TYPISTS_MAX};
use crate::model::{ConversationId, UserId};

/// Who writes where, and until when that holds.
#[derive(Default)]
pub(super) struct Typists {
    until: Vec<(ConversationId, UserId, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Typists {
    /// Notes what was said; answers whether the page is to be told.
    pub(super) fn note(&mut self, conversation: ConversationId, user: &UserId, active: bool) -> bool {
        let knew = self.until.len();
        self.until.retain(|(at, who, _)| *at != conversation || who != user);
        if !active {
            return self.until.len() < knew;
        }
        if self.until.len() >= TYPISTS_MAX {
            return false;
        }
        self.until.push((conversation, user.clone(), Instant::now() + TYPING_HOLDS));
        true
    }

    /// A message ends its writing: the page sees that by itself.
    pub(super) fn forget(&mut self, conversation: ConversationId, user: &UserId) {
        self.until.retain(|(at, who, _)| *at != conversation || who != user);
    }

    /// Somebody who has not been heard for too long.
    pub(super) fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<(ConversationId, UserId)> {
        let Some((conversation, user, until)) = self.until.iter().min_by_key(|(_, _, until)| *until).cloned() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        self.forget(conversation, &user);
        Poll::Ready((conversation, user))
    }
}
