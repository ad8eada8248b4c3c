//! What all clients of a run share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use switchboard::model::UserId;
use tokio::sync::{Semaphore, mpsc};

use crate::door::{Dialer, Door, Target};
use crate::judge::{Device, Witness};
use crate::latency::Latencies;
use crate::people::People;
use crate::spread::Spread;
use crate::whereabouts::Whereabouts;

/// A run's surroundings.
pub(crate) struct World {
    /// Tells the messages of this run from those of runs before it.
    pub(crate) run: u32,
    pub(crate) targets: Vec<Target>,
    pub(crate) door: Door,
    pub(crate) dialer: Dialer,
    pub(crate) people: People,
    pub(crate) witness: Witness,
    pub(crate) counters: Counters,
    pub(crate) latencies: Latencies,
    /// Those who may connect at the same time; others wait.
    pub(crate) doorway: Semaphore,
    /// Who wants to know that somebody was shown a message of somebody.
    pub(crate) listener: OnceLock<mpsc::Sender<(Device, UserId)>>,
    /// When each message was shown to how many, if that is measured.
    pub(crate) spread: OnceLock<Spread>,
    /// Who is there, and who is shown to be, if that is measured.
    pub(crate) whereabouts: OnceLock<Whereabouts>,
}

/// How far the run has come.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections now.
    pub(crate) connected: AtomicU64,
    /// Connections that were let in, in all.
    pub(crate) welcomed: AtomicU64,
    /// Attempts to connect that failed.
    pub(crate) failed: AtomicU64,
    /// Connections that were lost without their client's doing.
    pub(crate) lost: AtomicU64,
    /// Messages that are to be sent, as far as that is known.
    pub(crate) planned: AtomicU64,
    /// Connections that are to be there, where that is what a run is about.
    pub(crate) expected: AtomicU64,
    pub(crate) ordered: AtomicU64,
    pub(crate) acked: AtomicU64,
    pub(crate) shown: AtomicU64,
    /// Requests that were refused, for now or for good.
    pub(crate) refused: AtomicU64,
    /// Messages that were not told to whoever listens, because too many waited.
    pub(crate) unheeded: AtomicU64,
}

impl Counters {
    /// Sends without an answer.
    pub(crate) fn unacknowledged(&self) -> u64 {
        get(&self.ordered).saturating_sub(get(&self.acked))
    }
}

/// What a counter says now.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl World {
    /// A device was shown a message.
    pub(crate) fn tell_of(&self, device: &Device, from: UserId) {
        if let Some(listener) = self.listener.get()
            && listener.try_send((device.clone(), from)).is_err()
        {
            self.counters.unheeded.fetch_add(1, Ordering::Relaxed);
        }
    }
}
