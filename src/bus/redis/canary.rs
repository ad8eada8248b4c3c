//! Does this node hear what is published? At a fixed pace it says something to itself, on a channel of its own. When Redis
//! takes that and nothing comes back, the subscription is worth nothing, whatever Redis says of it: the node is deaf, and
//! makes it anew. When Redis does not take it, Redis is away, and that is another matter.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::roll::Roll;
use super::wire::{self, Publication};
use crate::bus::channel::Channel;
use crate::bus::metrics::CanaryMetrics;
use crate::model::NodeId;
use crate::model::limits::{CANARIES_MAX, CANARY_PERIOD, CANARY_REBUILD_PAUSE_MAX, CANARY_WAIT, REDIS_PONG_WAIT};
use crate::redis::Line;

pub(super) struct Canary {
    channel: Channel,
    line: Line,
    roll: Arc<Roll>,
    /// Messages that the subscriber connection brought, whatever they were.
    brought: AtomicU64,
    flights: Mutex<Flights>,
    deaf: watch::Sender<bool>,
    /// Times that the subscription was called for anew.
    rebuilds: watch::Sender<u64>,
    metrics: CanaryMetrics,
}

impl Canary {
    pub(super) fn new(itself: NodeId, line: Line, roll: Arc<Roll>) -> Self {
        Self {
            channel: Channel::Canary(itself),
            line,
            roll,
            brought: AtomicU64::new(0),
            flights: Mutex::default(),
            deaf: watch::Sender::new(false),
            rebuilds: watch::Sender::new(0),
            metrics: CanaryMetrics::new(),
        }
    }

    /// Says something to itself again and again, for ever.
    pub(super) async fn fly(self: Arc<Self>) {
        let mut ticks = interval(CANARY_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.send_one().await;
            self.judge();
        }
    }

    async fn send_one(&self) {
        let Some(session) = self.line.session() else { return self.is_away() };
        let number = self.flights().begin(Instant::now());
        let payload = Bytes::copy_from_slice(&number.to_be_bytes());
        let publication = Publication { channel: self.channel.clone(), payload };
        match wire::publish(&session, &[publication]).await {
            Ok(()) => self.flights().taken(number),
            Err(_) => {
                self.metrics.unpublished.increment(1);
                self.is_away();
            }
        }
    }

    /// Redis does not take what is published: that nothing comes back says nothing.
    fn is_away(&self) {
        self.flights().forget();
        self.set_deaf(false);
    }

    fn judge(&self) {
        let now = Instant::now();
        if !self.flights().is_silent(now, self.brought.load(Ordering::Relaxed)) {
            return;
        }
        if self.set_deaf(true) {
            tracing::warn!(
                "Redis takes what this node publishes, and nothing comes back: the node is deaf, and not ready"
            );
        }
        // Without a subscription in force, it is being made already.
        if self.roll.with(|known| known.hears(&self.channel)) && self.flights().may_rebuild(now) {
            self.metrics.unheard.increment(self.flights().forget());
            self.metrics.rebuilds.increment(1);
            self.rebuilds.send_modify(|rebuilds| *rebuilds += 1);
        }
    }

    /// Something came in on the subscriber connection.
    pub(super) fn overhears(&self) {
        self.brought.fetch_add(1, Ordering::Relaxed);
    }

    /// What the node said to itself has come back.
    pub(super) fn returns(&self, payload: &[u8]) {
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else { return };
        let Some(Returned { took, lost }) = self.flights().returned(number, Instant::now()) else { return };
        self.metrics.seconds.record(took);
        self.metrics.unheard.increment(lost);
        if self.set_deaf(false) {
            tracing::info!("this node hears again what it publishes");
        }
    }

    pub(super) fn is_deaf(&self) -> bool {
        *self.deaf.borrow()
    }

    /// Waits until the node is not deaf.
    pub(super) async fn hears(&self) {
        // The sender is here.
        let _ = self.deaf.subscribe().wait_for(|deaf| !deaf).await;
    }

    /// Waits until the subscription, as it is from now on, turns out to be worth nothing.
    pub(super) async fn finds_it_deaf(&self) {
        let _ = self.rebuilds.subscribe().changed().await;
    }

    /// Whether that is new.
    fn set_deaf(&self, deaf: bool) -> bool {
        self.metrics.deaf.set(f64::from(u8::from(deaf)));
        self.deaf.send_if_modified(|was| std::mem::replace(was, deaf) != deaf)
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was said and has not come back. No I/O.
#[derive(Default)]
struct Flights {
    out: VecDeque<Flight>,
    next: u64,
    /// When the first was said that Redis took, and since which nothing has come back.
    silent_since: Option<Instant>,
    /// Messages of others that had come by the last look, and when it was seen that there were more.
    brought: u64,
    brought_at: Option<Instant>,
    /// Rebuilds since the node last heard itself, and when the next may be.
    rebuilds: u32,
    rebuild_at: Option<Instant>,
}

struct Flight {
    number: u64,
    began: Instant,
    taken: bool,
}

/// One came back.
struct Returned {
    took: Duration,
    /// How many before it have not, and will not.
    lost: u64,
}

impl Flights {
    fn begin(&mut self, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.out.len() == CANARIES_MAX {
            self.out.pop_front();
        }
        self.out.push_back(Flight { number, began: now, taken: false });
        number
    }

    /// Redis has taken it. It may have come back before.
    fn taken(&mut self, number: u64) {
        if let Some(flight) = self.out.iter_mut().find(|flight| flight.number == number) {
            flight.taken = true;
            self.silent_since.get_or_insert(flight.began);
        }
    }

    fn returned(&mut self, number: u64, now: Instant) -> Option<Returned> {
        let at = self.out.iter().position(|flight| flight.number == number)?;
        let took = now - self.out[at].began;
        let lost = self.out.drain(..=at).take(at).filter(|flight| flight.taken).count() as u64;
        self.silent_since = self.out.iter().find(|flight| flight.taken).map(|flight| flight.began);
        (self.rebuilds, self.rebuild_at) = (0, None);
        Some(Returned { took, lost })
    }

    /// Nothing is waited for any more; gives how many are lost of those that Redis took.
    fn forget(&mut self) -> u64 {
        self.silent_since = None;
        self.out.drain(..).filter(|flight| flight.taken).count() as u64
    }

    /// Whether silence has lasted too long. What others say, as far as it comes, shows that a connection is only slow.
    fn is_silent(&mut self, now: Instant, brought: u64) -> bool {
        if std::mem::replace(&mut self.brought, brought) != brought {
            self.brought_at = Some(now);
        }
        let Some(since) = self.silent_since else { return false };
        // One alone may have been overtaken by this look, in a process that got no processor time for a while.
        if self.out.iter().filter(|flight| flight.taken).count() < 2 {
            return false;
        }
        let quiet_since = self.brought_at.map_or(since, |at| at.max(since));
        now >= quiet_since + CANARY_WAIT || now >= since + REDIS_PONG_WAIT
    }

    /// Whether the subscription may be made anew now, which is noted.
    fn may_rebuild(&mut self, now: Instant) -> bool {
        if self.rebuild_at.is_some_and(|at| now < at) {
            return false;
        }
        let pause = CANARY_WAIT.saturating_mul(1 << self.rebuilds.min(8)).min(CANARY_REBUILD_PAUSE_MAX);
        self.rebuilds = self.rebuilds.saturating_add(1);
        self.rebuild_at = Some(now + pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(10);

    /// Says something that Redis takes.
    fn say(flights: &mut Flights, now: Instant) -> u64 {
        let number = flights.begin(now);
        flights.taken(number);
        number
    }

    #[test]
    fn what_comes_back_keeps_the_node_well_and_what_is_lost_on_the_way_is_counted() {
        let (mut flights, began) = (Flights::default(), Instant::now());
        for second in 0..20 {
            let now = began + second * CANARY_PERIOD;
            let number = say(&mut flights, now);
            if second % 3 == 2 {
                let returned = flights.returned(number, now + MOMENT).unwrap();
                assert_eq!((returned.took, returned.lost), (MOMENT, 2));
            }
            assert!(!flights.is_silent(now + MOMENT, 0));
        }
    }

    #[test]
    fn silence_is_deafness_after_its_time_and_not_before() {
        let (mut flights, began) = (Flights::default(), Instant::now());
        say(&mut flights, began);
        say(&mut flights, began + CANARY_PERIOD);
        assert!(!flights.is_silent(began + CANARY_WAIT - MOMENT, 0));
        assert!(flights.is_silent(began + CANARY_WAIT, 0));
        assert_eq!(flights.forget(), 2);
        assert!(!flights.is_silent(began + 10 * CANARY_WAIT, 0), "a new connection has its own time");
    }

    #[test]
    fn what_redis_did_not_take_is_not_waited_for() {
        let (mut flights, began) = (Flights::default(), Instant::now());
        for _ in 0..3 {
            flights.begin(began);
        }
        assert!(!flights.is_silent(began + 10 * CANARY_WAIT, 0));
        say(&mut flights, began + MOMENT);
        assert!(!flights.is_silent(began + 10 * CANARY_WAIT, 0), "one alone says nothing");
        say(&mut flights, began + MOMENT);
        assert!(flights.is_silent(began + 10 * CANARY_WAIT, 0));
        assert_eq!(flights.forget(), 2);
        assert!(!flights.is_silent(began + 20 * CANARY_WAIT, 0), "since then, Redis was away");
    }

    #[test]
    fn one_that_comes_back_before_redis_has_said_that_it_took_it_is_no_silence() {
        let (mut flights, began) = (Flights::default(), Instant::now());
        let number = flights.begin(began);
        assert!(flights.returned(number, began + MOMENT).is_some());
        flights.taken(number);
        assert!(!flights.is_silent(began + 10 * CANARY_WAIT, 0));
        assert!(flights.returned(number, began + MOMENT).is_none(), "twice is once");
    }

    #[test]
    fn a_slow_connection_on_which_others_are_heard_is_given_longer() {
        let (mut flights, began) = (Flights::default(), Instant::now());
        say(&mut flights, began);
        let mut now = began;
        let mut brought = 0;
        while now + CANARY_PERIOD < began + REDIS_PONG_WAIT {
            now += CANARY_PERIOD;
            brought += 1;
            say(&mut flights, now);
            assert!(!flights.is_silent(now, brought), "after {:?}", now - began);
        }
        assert!(flights.is_silent(began + REDIS_PONG_WAIT, brought + 1));
    }

    #[test]
    fn rebuilds_come_more_slowly_until_one_has_helped() {
        let (mut flights, began) = (Flights::default(), Instant::now());
        assert!(flights.may_rebuild(began));
        assert!(!flights.may_rebuild(began + CANARY_WAIT - MOMENT));
        assert!(flights.may_rebuild(began + CANARY_WAIT));
        assert!(!flights.may_rebuild(began + 2 * CANARY_WAIT));
        assert!(flights.may_rebuild(began + 3 * CANARY_WAIT));
        let number = say(&mut flights, began);
        flights.returned(number, began + MOMENT);
        assert!(flights.may_rebuild(began + 3 * CANARY_WAIT));
    }

    #[test]
    fn what_never_comes_back_takes_no_memory() {
        let mut flights = Flights::default();
        for _ in 0..10 * CANARIES_MAX {
            say(&mut flights, Instant::now());
        }
        assert_eq!(flights.out.len(), CANARIES_MAX);
    }
}
