//! Who is let in: nobody new while memory is short, and otherwise how many sessions may begin in a second. After a restart everybody comes back at once, and each beginning asks
//! the store what was missed: in a storm they wait for their turn, and when too many wait, they are sent away for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Histogram, Unit, describe_histogram, histogram};
use tokio::time::{Instant, sleep};

use crate::model::limits::ADMISSION_WAIT;
use crate::model::{Chance, Code, Refusal};
use crate::telemetry::Memory;

/// What a node that had rest admits at once, as the time in which it would admit as many at its rate.
const BURST: Duration = Duration::from_secs(1);

/// Turns, given out at a rate and in the order in which they were asked for.
///
/// All that is kept is when the next turn would be if nothing had been saved up, so a storm costs no memory here.
#[derive(Debug)]
pub struct Admission {
    interval: Duration,
    next: Mutex<Instant>,
    waited: Histogram,
    memory: Arc<Memory>,
}

impl Admission {
    /// Turns for so many a second (0 counts as 1), and for as many at once after a rest.
    #[must_use]
    pub fn new(per_second: u32, memory: Arc<Memory>) -> Self {
        let name = "switchboard_admission_wait_seconds";
        describe_histogram!(name, Unit::Seconds, "Time that sessions waited until they were let in");
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::new(Instant::now()),
            waited: histogram!(name),
            memory,
        }
    }

    /// Lets a connection in of somebody who has not said who they are.
    ///
    /// # Errors
    /// While memory is short.
    pub fn admit_stranger(&self, chance: &dyn Chance) -> Result<(), Refusal> {
        self.memory.admit(chance)
    }

    /// Waits for a turn, at most [`ADMISSION_WAIT`]. Whoever stops waiting leaves their turn unused.
    ///
    /// # Errors
    /// At once, while memory is short, or if the turn would come later than that. When to come back is left to chance within as long again, so that
    /// those who are refused together do not come back together.
    pub async fn admit(&self, chance: &dyn Chance) -> Result<(), Refusal> {
        self.memory.admit(chance)?;
        let Some(wait) = self.take_turn() else {
            let share = f64::from((chance.bits() >> 32) as u32) / f64::from(u32::MAX);
            let message = "too many connections begin at once";
            return Err(Refusal::new(Code::Busy, message).after(ADMISSION_WAIT + ADMISSION_WAIT.mul_f64(share)));
        };
        self.waited.record(wait.as_secs_f64());
        if !wait.is_zero() {
            sleep(wait).await;
        }
        Ok(())
    }

    /// How long until one's turn; none, and no turn taken, if that is too long.
    fn take_turn(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = now.max(*next);
        // The saved-up turns of a burst are all the time by which turns may be ahead of the rate.
        let wait = (begins - now + self.interval).saturating_sub(BURST.max(self.interval));
        (wait <= ADMISSION_WAIT).then(|| {
            *next = begins + self.interval;
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::advance;

    use super::*;

    struct Always(u64);
    impl Chance for Always {
        fn bits(&self) -> u64 {
            self.0
        }
    }

    /// So many at once: how long each waited, in the order of asking; none for the refused.
    async fn storm(admission: &Arc<Admission>, size: usize) -> Vec<Option<Duration>> {
        let mut waiting = JoinSet::new();
        for index in 0..size {
            let admission = admission.clone();
            waiting.spawn(async move {
                let began = Instant::now();
                let admitted = admission.admit(&Always(0)).await;
                (index, admitted.is_ok().then(|| began.elapsed()))
            });
        }
        let mut waits = waiting.join_all().await;
        waits.sort_unstable_by_key(|(index, _)| *index);
        waits.into_iter().map(|(_, wait)| wait).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_let_in_at_the_rate_and_what_would_wait_too_long_is_refused() {
        let admission = Arc::new(Admission::new(10, Memory::boundless()));
        let waits = storm(&admission, 100).await;
        assert!(waits[..10].iter().all(|wait| *wait == Some(Duration::ZERO)), "a burst: {waits:?}");
        let in_turn = 10 * ADMISSION_WAIT.as_secs() as usize;
        for (index, wait) in waits[10..10 + in_turn].iter().enumerate() {
            assert_eq!(*wait, Some(Duration::from_millis(100) * (index as u32 + 1)), "in the order of asking");
        }
        assert!(waits[10 + in_turn..].iter().all(Option::is_none), "{waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_refused_take_no_turns_and_a_rest_fills_the_burst_again() {
        let admission = Arc::new(Admission::new(10, Memory::boundless()));
        let waited = storm(&admission, 1_000).await.into_iter().flatten().max().unwrap();
        assert_eq!(waited, ADMISSION_WAIT);
        assert_eq!(storm(&admission, 1).await, [Some(Duration::from_millis(100))]);
        advance(BURST / 2).await;
        let waits = storm(&admission, 6).await;
        assert_eq!(waits.iter().filter(|wait| **wait == Some(Duration::ZERO)).count(), 5, "{waits:?}");
        advance(100 * BURST).await;
        let waits = storm(&admission, 11).await;
        assert_eq!(waits.iter().filter(|wait| **wait == Some(Duration::ZERO)).count(), 10, "no more is saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_when_to_come_back_and_spreads_it() {
        for (bits, retry_after) in [(0, ADMISSION_WAIT), (u64::MAX, 2 * ADMISSION_WAIT)] {
            let admission = Admission::new(1, Memory::boundless());
            for _ in 0..=ADMISSION_WAIT.as_secs() {
                admission.take_turn().unwrap();
            }
            let refusal = admission.admit(&Always(bits)).await.unwrap_err();
            assert_eq!((refusal.code, refusal.retry_after), (Code::Busy, Some(retry_after)));
        }
    }
}
