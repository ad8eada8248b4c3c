//! Which sessions each user has on this node. The first one in subscribes the user's channel, and some time after the
//! last one left it is unsubscribed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::RwLock;
use tokio::time::{Instant, sleep};

use super::metrics::Metrics;
use super::outbox::Outbox;
use crate::bus::Bus;
use crate::model::limits::{NEWCOMERS_MAX, OUTBOX_LOOK_PERIOD, UNSUBSCRIBE_DELAY};
use crate::model::{StoreTime, UserId};

/// Users are spread over this many shards, so that a lock is short and an audit can take them one shard at a time.
pub(super) const SHARDS: usize = 64;

pub(super) struct Registry {
    shards: [Shard; SHARDS],
    /// Who came since this was last looked at.
    newcomers: Mutex<Vec<UserId>>,
    bus: Arc<dyn Bus>,
    metrics: Metrics,
}

#[derive(Default)]
struct Shard {
    users: Mutex<HashMap<UserId, Entry>>,
    /// Held (shared) over a subscription and (alone) over an unsubscription, so that the two of one user reach the bus
    /// in the order in which they were decided.
    order: RwLock<()>,
}

struct Entry {
    sessions: Vec<Arc<Outbox>>,
    /// Up to when the store was asked about this user.
    audited: StoreTime,
    /// Since when there is no session.
    empty_since: Option<Instant>,
}

impl Registry {
    pub(super) fn new(bus: Arc<dyn Bus>, metrics: Metrics) -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()), newcomers: Mutex::default(), bus, metrics }
    }

    /// Adds a session. When this returns, the user's channel is subscribed.
    pub(super) async fn join(&self, outbox: &Arc<Outbox>, now: StoreTime) {
        self.metrics.sessions.increment(1);
        for seat in outbox.seats() {
            self.take(seat, outbox, now).await;
        }
    }

    async fn take(&self, seat: &UserId, outbox: &Arc<Outbox>, now: StoreTime) {
        let shard = self.shard(seat);
        let _order = shard.order.read().await;
        {
            let mut users = shard.lock();
            let entry = users.entry(seat.clone()).or_insert_with(|| Entry {
                sessions: Vec::with_capacity(1),
                audited: now,
                empty_since: None,
            });
            entry.sessions.push(outbox.clone());
            entry.empty_since = None;
        }
        self.bus.subscribe(seat).await;
        let mut newcomers = self.newcomers();
        if newcomers.len() < NEWCOMERS_MAX {
            newcomers.push(seat.clone());
        }
    }

    /// Removes a session.
    pub(super) fn leave(&self, outbox: &Arc<Outbox>) {
        self.metrics.sessions.decrement(1);
        for seat in outbox.seats() {
            self.give_up(seat, outbox);
        }
    }

    fn give_up(&self, seat: &UserId, outbox: &Arc<Outbox>) {
        let mut users = self.shard(seat).lock();
        let Some(entry) = users.get_mut(seat) else { return };
        entry.sessions.retain(|session| !Arc::ptr_eq(session, outbox));
        if entry.sessions.is_empty() {
            entry.empty_since = Some(Instant::now());
        }
    }

    /// Calls `act` for each session of a user.
    pub(super) fn each_session(&self, user: &UserId, mut act: impl FnMut(&Outbox)) {
        let sessions = {
            let users = self.shard(user).lock();
            let Some(entry) = users.get(user) else { return };
            match entry.sessions.as_slice() {
                [] => return,
                [only] => Sessions::One(only.clone()),
                several => Sessions::Several(several.to_vec()),
            }
        };
        match sessions {
            Sessions::One(session) => act(&session),
            Sessions::Several(sessions) => sessions.iter().for_each(|session| act(session)),
        }
    }

    /// The users of one shard that have a session, and since when the store was not asked about them.
    pub(super) fn users(&self, shard: usize) -> Vec<(UserId, StoreTime)> {
        let users = self.shards[shard].lock();
        let connected = users.iter().filter(|(_, entry)| !entry.sessions.is_empty());
        connected.map(|(user, entry)| (user.clone(), entry.audited)).collect()
    }

    /// Who came since this was last called and is here, and since when the store was not asked about them.
    pub(super) fn take_newcomers(&self) -> Vec<(UserId, StoreTime)> {
        let newcomers = std::mem::take(&mut *self.newcomers());
        let audited = |user: UserId| {
            let audited = self.shard(&user).lock().get(&user).filter(|entry| !entry.sessions.is_empty())?.audited;
            Some((user, audited))
        };
        newcomers.into_iter().filter_map(audited).collect()
    }

    fn newcomers(&self) -> MutexGuard<'_, Vec<UserId>> {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store was asked about these users, up to this time.
    pub(super) fn set_audited<'a>(&self, users: impl IntoIterator<Item = &'a UserId>, at: StoreTime) {
        for user in users {
            if let Some(entry) = self.shard(user).lock().get_mut(user) {
                entry.audited = entry.audited.max(at);
            }
        }
    }

    /// Up to when the store was asked about all of these.
    pub(super) fn audited(&self, seats: &[UserId]) -> StoreTime {
        let audited = |seat: &UserId| self.shard(seat).lock().get(seat).map_or(StoreTime(0), |entry| entry.audited);
        seats.iter().map(audited).min().unwrap_or(StoreTime(0))
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        let own = |(user, entry): (&UserId, &Entry)| entry.sessions.iter().filter(|s| s.user() == user).count();
        self.shards.iter().map(|shard| shard.lock().iter().map(own).sum::<usize>()).sum()
    }

    /// Unsubscribes the channels of users who have been gone for a while, for ever.
    pub(super) async fn sweep(self: Arc<Self>) {
        for shard in self.shards.iter().cycle() {
            sleep(UNSUBSCRIBE_DELAY / u32::try_from(SHARDS).unwrap_or(1)).await;
            for user in shard.gone() {
                let _order = shard.order.write().await;
                if shard.remove_if_still_gone(&user) {
                    self.bus.unsubscribe(&user).await;
                }
            }
        }
    }

    /// Looks what waits in all outboxes, a shard at a time, for ever.
    pub(super) async fn weigh(self: Arc<Self>) {
        loop {
            let (mut frames, mut bytes, mut most) = (0_usize, 0_usize, 0_usize);
            for shard in &self.shards {
                sleep(OUTBOX_LOOK_PERIOD / u32::try_from(SHARDS).unwrap_or(1)).await;
                // An agent has a place as the team, too.
                for outbox in shard.outboxes(|seat, outbox| outbox.user() == seat) {
                    let weight = outbox.weight();
                    frames += weight.frames;
                    bytes += weight.bytes;
                    most = most.max(weight.bytes);
                }
            }
            self.metrics.outbox_frames.set(frames as f64);
            self.metrics.outbox_bytes.set(bytes as f64);
            self.metrics.outbox_bytes_most.set(most as f64);
        }
    }

    fn shard(&self, user: &UserId) -> &Shard {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        &self.shards[index]
    }
}

enum Sessions {
    One(Arc<Outbox>),
    Several(Vec<Arc<Outbox>>),
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Entry>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outboxes(&self, which: impl Fn(&UserId, &Outbox) -> bool) -> Vec<Arc<Outbox>> {
        let users = self.lock();
        let of_users = users.iter().flat_map(|(user, entry)| entry.sessions.iter().map(move |outbox| (user, outbox)));
        of_users.filter(|(user, outbox)| which(user, outbox)).map(|(_, outbox)| outbox.clone()).collect()
    }

    fn gone(&self) -> Vec<UserId> {
        let users = self.lock();
        users.iter().filter(|(_, entry)| entry.is_gone()).map(|(user, _)| user.clone()).collect()
    }

    fn remove_if_still_gone(&self, user: &UserId) -> bool {
        let mut users = self.lock();
        let gone = users.get(user).is_some_and(Entry::is_gone);
        if gone {
            users.remove(user);
        }
        gone
    }
}

impl Entry {
    fn is_gone(&self) -> bool {
        self.empty_since.is_some_and(|since| since.elapsed() >= UNSUBSCRIBE_DELAY)
    }
}
