//! Where sessions report to, and from where the node is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::ledger::Ledger;
use super::metrics::PresenceMetrics;
use super::{Leaving, PresenceEvent};
use crate::model::limits::PRESENCE_DIFF_PERIOD;
use crate::model::{Timestamp, UserId};

/// The desk of one node.
pub(super) struct Desk {
    ledger: Mutex<Ledger>,
    /// Rung when there is something to write.
    bell: Notify,
    /// Whether the node is to be told that somebody may have come or gone.
    doubt: AtomicBool,
    /// Whether nobody is let in any more.
    closed: AtomicBool,
    pub(super) metrics: PresenceMetrics,
}

impl Desk {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            ledger: Mutex::new(Ledger::new(grace)),
            bell: Notify::new(),
            doubt: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            metrics: PresenceMetrics::new(),
        }
    }

    pub(super) fn enter(&self, user: &UserId) {
        if !self.closed.load(Ordering::Relaxed) {
            self.change(|ledger| ledger.enter(user));
        }
    }

    pub(super) fn leave(&self, user: &UserId, how: Leaving, at: Timestamp) {
        self.change(|ledger| ledger.leave(user, how, at, Instant::now()));
    }

    /// Lets nobody in from now on, and lets everybody leave.
    pub(super) fn close(&self, at: Timestamp) {
        self.closed.store(true, Ordering::Relaxed);
        self.change(|ledger| ledger.leave_all(at, Instant::now()));
    }

    /// Whether nobody is let in any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut Ledger) -> bool) {
        if change(&mut self.ledger()) {
            self.ring();
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there is something to write.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until there may be something to write.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Has the node told that somebody may have come or gone.
    pub(super) fn doubt(&self) {
        self.doubt.store(true, Ordering::Relaxed);
    }

    /// Lets the grace of those who left end in time, and tells the node what there is to tell.
    pub(super) async fn keep(self: Arc<Self>, events: mpsc::Sender<PresenceEvent>) {
        const TICKS_A_PERIOD: u32 = 2;
        let mut ticks = interval(PRESENCE_DIFF_PERIOD / TICKS_A_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in (0..TICKS_A_PERIOD).cycle() {
            ticks.tick().await;
            self.change(|ledger| ledger.expire(Instant::now()));
            if tick == 0 {
                self.tell(&events);
            }
        }
    }

    /// What finds no room is told later.
    fn tell(&self, events: &mpsc::Sender<PresenceEvent>) {
        let Ok(room) = events.try_reserve() else { return };
        if self.doubt.swap(false, Ordering::Relaxed) {
            return room.send(PresenceEvent::Doubt);
        }
        let mut ledger = self.ledger();
        self.metrics.users.set(ledger.written() as f64);
        let changes = ledger.take_changes();
        drop(ledger);
        if !changes.is_empty() {
            self.metrics.came.increment(changes.came.len() as u64);
            self.metrics.left.increment(changes.left.len() as u64);
            room.send(PresenceEvent::Changed(changes));
        }
    }
}
