//! Watching others come and go, and appearing oneself.

use tokio::time::Instant;

use super::live::{Change, Live};
use super::pace::Rate;
use super::requests::refused;
use crate::model::limits::WATCHES_BURST;
use crate::model::{Code, Refusal, UserId};
use crate::wire::ServerFrame;

/// Lists of whom to watch that one session may send.
pub(super) const WATCHES: Rate = Rate { per_second: 1.0, burst: WATCHES_BURST as f64 };

impl Live {
    /// Sets whom this session watches. Those whom it may not see are answered as somebody who never came, and are not
    /// watched.
    pub(super) fn on_watch(&mut self, users: Vec<UserId>) {
        if let Err(wait) = self.watches.take(Instant::now()) {
            return self.refuse(Refusal::new(Code::RateLimited, "too many lists of whom to watch").after(wait));
        }
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            match services.chat.may_see(&who, &users).await {
                Ok(may_see) => {
                    let watched = users.iter().zip(may_see).filter(|(_, may_see)| *may_see);
                    let watched = watched.map(|(user, _)| user.clone()).collect();
                    services.delivery.watch(&outbox, watched, users).await;
                }
                Err(refusal) => outbox.push(refused(&services, refusal, None)),
            }
            Change::None
        }));
    }

    /// Sets whether this session's user appears offline to others.
    pub(super) fn on_appear(&mut self, offline: bool) {
        if let Err(wait) = self.watches.take(Instant::now()) {
            return self.refuse(Refusal::new(Code::RateLimited, "too many changes of how you appear").after(wait));
        }
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.appear(&who.user, offline).await {
                Ok(()) => ServerFrame::Appeared { offline },
                Err(refusal) => refused(&services, refusal, None),
            };
            outbox.push(answer);
            Change::None
        }));
    }
}
