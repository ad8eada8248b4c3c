//! Looks out for who comes and goes: tells the other nodes of those who did here, and asks about those who are watched
//! here. What nodes tell each other says only of whom to ask, so that it does not matter in which order it comes, or
//! whether it comes twice; and everybody is asked about again now and then, in case it does not come at all.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::metrics::Metrics;
use super::visible::Visible;
use super::watchers::Watchers;
use crate::bus::Bus;
use crate::model::limits::{
    PRESENCE_ASK_AGAIN, PRESENCE_ASK_PERIOD, PRESENCE_BATCH_USERS_MAX, SEEN_AGAIN, SEEN_WAITING_MAX,
};
use crate::model::{Presence as View, Timestamp, UserId, Whereabouts};
use crate::presence::{Changes, Presence, PresenceEvent};
use crate::store::Store;
use crate::wire::envelope::Envelope;

#[derive(Clone)]
pub(super) struct Lookout {
    pub(super) presence: Arc<dyn Presence>,
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) visible: Arc<Visible>,
    pub(super) metrics: Metrics,
}

impl Lookout {
    /// Tells what presence has to tell, until it ends.
    pub(super) async fn herald(self, mut events: mpsc::Receiver<PresenceEvent>) {
        let mut unseen = Unseen::default();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(PresenceEvent::Doubt) => self.watchers.doubt_all(),
                    Some(PresenceEvent::Changed(changes)) => self.tell(changes, &mut unseen).await,
                    None => return,
                },
                () = sleep_until(unseen.due.unwrap_or_else(Instant::now)), if unseen.due.is_some() => {
                    self.note_seen(&mut unseen).await;
                }
            }
        }
    }

    /// Who left was seen last when they did: that is noted first, so that whoever asks about them finds it.
    async fn tell(&self, Changes { came, left }: Changes, unseen: &mut Unseen) {
        self.tell_everyone(came).await;
        for left in left.chunks(PRESENCE_BATCH_USERS_MAX) {
            let was_well = unseen.due.is_none();
            unseen.add(left);
            if was_well {
                self.note_seen(unseen).await;
            }
            self.tell_everyone(left.iter().map(|(user, _)| user.clone()).collect()).await;
        }
    }

    async fn tell_everyone(&self, users: Vec<UserId>) {
        for users in users.chunks(PRESENCE_BATCH_USERS_MAX) {
            self.bus.broadcast(Envelope::Presence { users: users.to_vec() }.encode()).await;
        }
    }

    async fn note_seen(&self, unseen: &mut Unseen) {
        unseen.due = None;
        while !unseen.users.is_empty() {
            let some: Vec<(UserId, Timestamp)> =
                unseen.users.iter().take(PRESENCE_BATCH_USERS_MAX).map(|(user, at)| (user.clone(), *at)).collect();
            if let Err(error) = self.store.seen(&some).await {
                tracing::debug!(%error, "when users were last seen could not be noted; it is tried again");
                unseen.due = Some(Instant::now() + SEEN_AGAIN);
                return;
            }
            for (user, _) in &some {
                unseen.users.remove(user);
            }
        }
    }

    /// Asks about those who are watched, for ever: one question at a time, so that no older answer comes behind a newer
    /// one.
    pub(super) async fn ask(self) {
        let mut ticks = interval(PRESENCE_ASK_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again: Vec<UserId> = Vec::new();
        let mut again_at = Instant::now();
        loop {
            let users = self.watchers.to_ask(PRESENCE_BATCH_USERS_MAX);
            if !users.is_empty() {
                if again.is_empty() {
                    again_at = Instant::now() + PRESENCE_ASK_AGAIN;
                }
                again.extend(self.ask_about(users).await);
            } else {
                tokio::select! {
                    () = self.watchers.rung() => {}
                    _ = ticks.tick() => self.watchers.doubt_all(),
                    () = sleep_until(again_at), if !again.is_empty() => self.watchers.doubt(std::mem::take(&mut again)),
                }
            }
        }
    }

    /// Answers those about whom to ask again.
    async fn ask_about(&self, users: Vec<UserId>) -> Vec<UserId> {
        self.metrics.presence_asks.increment(1);
        let whereabouts = self.presence.find(&users).await;
        let appearances = match self.store.appearances(&users).await {
            Ok(appearances) => appearances,
            Err(error) => {
                tracing::debug!(%error, "how users appear could not be read; it is tried again");
                self.watchers.found(users.iter().map(|user| (user.clone(), None)).collect());
                return users;
            }
        };
        let mut again = Vec::new();
        let mut found = Vec::with_capacity(users.len());
        for (user, (whereabouts, appearance)) in users.into_iter().zip(whereabouts.into_iter().zip(appearances)) {
            self.visible.appears(&user, !appearance.offline);
            if whereabouts == Whereabouts::Unknown {
                again.push(user.clone());
            }
            found.push((user, View::of(whereabouts, appearance)));
        }
        self.watchers.found(found);
        again
    }
}

/// Who left and when, as long as the store does not know.
#[derive(Default)]
struct Unseen {
    users: HashMap<UserId, Timestamp>,
    /// When it is tried again, after it failed.
    due: Option<Instant>,
}

impl Unseen {
    fn add(&mut self, left: &[(UserId, Timestamp)]) {
        for (user, at) in left {
            if self.users.len() < SEEN_WAITING_MAX || self.users.contains_key(user) {
                let known = self.users.entry(user.clone()).or_insert(*at);
                *known = (*known).max(*at);
            }
        }
    }
}
