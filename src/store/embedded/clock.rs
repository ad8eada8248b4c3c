//! The store's clock: the machine's, made to never step back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Clock, StoreTime};

/// A clock that shows the latest time it has ever shown, until the machine's clock has passed that.
///
/// Clients hand its times back days later, so this has to hold across restarts too: the writer records what was last
/// shown, with every commit and at every beat, and the clock starts from the record. What is shown between the last
/// beat and a crash is not recorded; the margin of questions about activity
/// ([`AS_OF_MARGIN`](crate::model::limits::AS_OF_MARGIN)) is longer than a beat and covers it.
pub(super) struct SteadyClock {
    machine: Arc<dyn Clock>,
    latest: AtomicU64,
}

impl SteadyClock {
    /// A clock that shows at least the time that was recorded.
    pub(super) fn new(machine: Arc<dyn Clock>, recorded: StoreTime) -> Self {
        let behind = recorded.0.saturating_sub(machine.now().0);
        if behind > 1_000 {
            tracing::warn!(
                behind_ms = behind,
                "the machine's clock is behind the last time the store recorded; the store's clock waits for it"
            );
        }
        Self { machine, latest: AtomicU64::new(recorded.0) }
    }

    /// Now.
    pub(super) fn now(&self) -> StoreTime {
        let now = self.machine.now().0;
        StoreTime(self.latest.fetch_max(now, Ordering::AcqRel).max(now))
    }

    /// The latest time it has shown.
    pub(super) fn shown(&self) -> StoreTime {
        StoreTime(self.latest.load(Ordering::Acquire))
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock").field("shown", &self.shown()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn it_waits_for_a_machine_that_stepped_back() {
        let hand = Arc::new(Hand(AtomicU64::new(50)));
        let clock = SteadyClock::new(Arc::<Hand>::clone(&hand), StoreTime(100));
        assert_eq!(clock.now(), StoreTime(100));
        for (machine, shown) in [(101, 101), (90, 101), (101, 101), (150, 150)] {
            hand.0.store(machine, Ordering::Relaxed);
            assert_eq!((clock.now(), clock.shown()), (StoreTime(shown), StoreTime(shown)));
        }
    }
}
