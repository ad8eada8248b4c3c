//! What this node remembers of the latest messages: when they were stored and announced here, when they came here, and to
//! how many sockets they were written. Whoever asks where a message is, is told from this, on every node.
//!
//! It is bounded in time and in number, and nothing else goes by it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use tokio::time::Instant;

use crate::model::limits::TRAIL_MESSAGES_MAX;
use crate::model::{Clock, Message, MessageId, Timestamp};
use crate::wire::trail::{About, Known, Sending, Taking};

/// What a node remembers of messages.
pub struct Trail {
    keep: Duration,
    clock: Arc<dyn Clock>,
    sent: Mutex<Ring<(About, Sending)>>,
    taken: Mutex<Ring<(About, Arc<Reception>)>>,
    meters: Meters,
}

/// A message that came to this node, on its way to sockets.
#[derive(Debug)]
pub struct Reception {
    received: Timestamp,
    repaired: AtomicBool,
    sockets: AtomicU32,
    /// Zero: to none yet.
    first: AtomicU64,
    last: AtomicU64,
}

impl Reception {
    /// It was written to a socket, which had perhaps missed it, so that it was read from the store.
    pub fn written(&self, at: Timestamp, repaired: bool) {
        self.repaired.fetch_or(repaired, Ordering::Relaxed);
        self.sockets.fetch_add(1, Ordering::Relaxed);
        // A second socket at the same moment changes nothing that matters.
        let _ = self.first.compare_exchange(0, at.0, Ordering::Relaxed, Ordering::Relaxed);
        self.last.fetch_max(at.0, Ordering::Relaxed);
    }

    fn told(&self) -> Taking {
        let (first, last) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        Taking {
            received: self.received,
            repaired: self.repaired.load(Ordering::Relaxed),
            sockets: self.sockets.load(Ordering::Relaxed),
            written: (first > 0).then_some((Timestamp(first), Timestamp(last.max(first)))),
        }
    }
}

impl Trail {
    /// Remembers each message so long. Not at all with no time.
    #[must_use]
    pub fn new(keep: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { keep, clock, sent: Mutex::default(), taken: Mutex::default(), meters: Meters::new() }
    }

    /// A message was stored, which this node knew at `committed`, and has just been announced.
    pub fn sent(&self, message: &Message, committed: Timestamp) {
        if self.keep.is_zero() {
            return;
        }
        let sending = Sending { committed, published: self.clock.now() };
        let (mut sent, now) = (lock(&self.sent), Instant::now());
        sent.forget_old(self.keep, now, &self.meters);
        // What was sent again had been stored before.
        if sent.get(message.id).is_none() {
            self.remember(&mut sent, message, sending, now, &self.meters.sent);
        }
    }

    /// A message came over the bus, for one of its members.
    #[must_use]
    pub fn taken(&self, message: &Message) -> Option<Arc<Reception>> {
        self.take(message)
    }

    /// A message was read from the store for those who may have missed it. Nothing for older ones, which are history.
    #[must_use]
    pub fn read(&self, message: &Message) -> Option<Arc<Reception>> {
        let age = self.clock.now().0.saturating_sub(message.at.0);
        if u128::from(age) >= self.keep.as_millis() { None } else { self.take(message) }
    }

    fn take(&self, message: &Message) -> Option<Arc<Reception>> {
        if self.keep.is_zero() {
            return None;
        }
        let mut taken = lock(&self.taken);
        if let Some((_, reception)) = taken.get(message.id) {
            return Some(reception.clone());
        }
        let reception = Arc::new(Reception {
            received: self.clock.now(),
            repaired: AtomicBool::new(false),
            sockets: AtomicU32::new(0),
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
        });
        let now = Instant::now();
        taken.forget_old(self.keep, now, &self.meters);
        self.remember(&mut taken, message, reception.clone(), now, &self.meters.taken);
        Some(reception)
    }

    fn remember<T>(&self, ring: &mut Ring<(About, T)>, message: &Message, what: T, now: Instant, count: &Gauge) {
        ring.put(message.id, (about(message), what), now, &self.meters);
        // Under load it stays as it is.
        if std::mem::replace(&mut ring.told, ring.known.len()) != ring.known.len() {
            count.set(ring.known.len() as f64);
        }
    }

    /// What this node knows of a message.
    #[must_use]
    pub fn know(&self, id: MessageId) -> Option<Known> {
        let sent = {
            let mut sent = lock(&self.sent);
            sent.forget_old(self.keep, Instant::now(), &self.meters);
            sent.get(id).cloned()
        };
        let taken = {
            let mut taken = lock(&self.taken);
            taken.forget_old(self.keep, Instant::now(), &self.meters);
            taken.get(id).cloned()
        };
        let about = sent.as_ref().map(|(about, _)| about).or(taken.as_ref().map(|(about, _)| about))?.clone();
        let taking = taken.map(|(_, reception)| reception.told());
        Some(Known { about, sending: sent.map(|(_, sending)| sending), taking })
    }
}

fn about(message: &Message) -> About {
    let Message { conversation, seq, sender, at, .. } = message;
    About { conversation: *conversation, seq: *seq, sender: sender.clone(), accepted: *at }
}

fn lock<T>(ring: &Mutex<Ring<T>>) -> MutexGuard<'_, Ring<T>> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The latest of something, by message.
struct Ring<T> {
    /// Since when each is known, in the order in which they came.
    known: VecDeque<(Instant, MessageId, T)>,
    /// Where each is, counting those that were forgotten: small, since under load this is searched all the time.
    places: HashMap<MessageId, u64>,
    forgotten: u64,
    /// How many the metric says that there are.
    told: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { known: VecDeque::new(), places: HashMap::new(), forgotten: 0, told: 0 }
    }
}

impl<T> Ring<T> {
    fn get(&self, id: MessageId) -> Option<&T> {
        let offset = self.places.get(&id)?.checked_sub(self.forgotten)?;
        self.known.get(usize::try_from(offset).ok()?).map(|(.., value)| value)
    }

    /// What was put there before must not be put there again.
    fn put(&mut self, id: MessageId, value: T, now: Instant, meters: &Meters) {
        if self.known.len() >= TRAIL_MESSAGES_MAX {
            self.forget_oldest();
            meters.full.increment(1);
        }
        self.places.insert(id, self.forgotten + self.known.len() as u64);
        self.known.push_back((now, id, value));
    }

    fn forget_old(&mut self, keep: Duration, now: Instant, meters: &Meters) {
        while self.known.front().is_some_and(|(since, ..)| now.duration_since(*since) >= keep) {
            self.forget_oldest();
            meters.old.increment(1);
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id, _)) = self.known.pop_front() {
            self.places.remove(&id);
            self.forgotten += 1;
        }
    }
}

/// Kept handles.
struct Meters {
    sent: Gauge,
    taken: Gauge,
    full: Counter,
    old: Counter,
}

impl Meters {
    fn new() -> Self {
        describe_gauge!("switchboard_trail_messages", "Messages of which this node remembers what became of them");
        describe_counter!(
            "switchboard_trail_forgotten_total",
            "Messages of which this node has forgotten what became of them: because of their age, or because there were too many"
        );
        let messages = |kind: &'static str| gauge!("switchboard_trail_messages", "kind" => kind);
        let forgotten = |reason: &'static str| counter!("switchboard_trail_forgotten_total", "reason" => reason);
        Self { sent: messages("sent"), taken: messages("received"), full: forgotten("full"), old: forgotten("age") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationId, Seq, SystemClock};

    const KEEP: Duration = Duration::from_secs(60);

    fn trail() -> Trail {
        Trail::new(KEEP, Arc::new(SystemClock))
    }

    fn message(n: u32) -> Message {
        let mut id = [0; 12];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Message {
            conversation: ConversationId::from_bytes([1; 16]),
            seq: Seq(n.into()),
            id: MessageId::from_bytes(id),
            sender: "ann".parse().unwrap(),
            key: "k".parse().unwrap(),
            at: SystemClock.now(),
            text: String::new(),
            event: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_happened_is_known_until_its_time_is_over() {
        let (trail, message) = (trail(), message(1));
        assert_eq!(trail.know(message.id), None);
        trail.sent(&message, Timestamp(5));
        let reception = trail.taken(&message).unwrap();
        assert_eq!(trail.know(message.id).unwrap().taking.unwrap().written, None);
        reception.written(Timestamp(20), false);
        trail.taken(&message).unwrap().written(Timestamp(30), false);
        let known = trail.know(message.id).unwrap();
        assert_eq!((known.about.seq, known.sending.unwrap().committed), (Seq(1), Timestamp(5)));
        let taking = known.taking.unwrap();
        assert_eq!((taking.sockets, taking.repaired), (2, false));
        assert_eq!(taking.written, Some((Timestamp(20), Timestamp(30))));

        tokio::time::advance(KEEP - Duration::from_millis(1)).await;
        assert!(trail.know(message.id).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(trail.know(message.id), None);
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_the_oldest_are_forgotten() {
        let trail = trail();
        let many = u32::try_from(TRAIL_MESSAGES_MAX).unwrap() + 1;
        for n in 0..many {
            trail.sent(&message(n), Timestamp(1));
        }
        assert_eq!(trail.know(message(0).id), None);
        assert!(trail.know(message(1).id).is_some() && trail.know(message(many - 1).id).is_some());
        assert_eq!(lock(&trail.sent).known.len(), TRAIL_MESSAGES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_from_the_store_is_said_to_be_unless_it_is_history() {
        let trail = trail();
        let mut old = message(1);
        old.at = Timestamp(old.at.0 - 60_000);
        assert!(trail.read(&old).is_none());
        let new = message(2);
        trail.read(&new).unwrap().written(Timestamp(1), true);
        assert!(trail.know(new.id).unwrap().taking.unwrap().repaired);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_nothing_is_remembered() {
        let trail = Trail::new(Duration::ZERO, Arc::new(SystemClock));
        trail.sent(&message(1), Timestamp(1));
        assert!(trail.taken(&message(1)).is_none() && trail.know(message(1).id).is_none());
    }
}
