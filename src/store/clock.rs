//! What time the store has, without asking it each time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Store, StoreError};
use crate::model::StoreTime;

/// How often the estimate is set right again.
const REFRESH: Duration = Duration::from_secs(5);

/// How far the estimate runs on without an answer. What was stamped while the store could not confirm anything may become
/// visible much later; a clock that stands still until then keeps it within the margin.
const TRUSTED: Duration = Duration::from_secs(30);

/// An estimate of the store's clock: its last answer, plus the time since, but no more than half a minute. Off by a round
/// trip and some drift, which [`AS_OF_MARGIN`](crate::model::limits::AS_OF_MARGIN) covers a thousand times. It never goes
/// backwards.
#[derive(Debug)]
pub struct StoreClock(Mutex<Reading>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    store: StoreTime,
}

impl StoreClock {
    /// A clock set by the store's answer.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn set_by(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self::at(store.now().await?))
    }

    fn at(answer: StoreTime) -> Self {
        Self(Mutex::new(Reading { at: Instant::now(), store: answer }))
    }

    /// The store's time, about now.
    #[must_use]
    pub fn now(&self) -> StoreTime {
        self.lock().now()
    }

    /// Sets the clock again every few seconds, for ever. While the store does not answer, the estimate goes on
    /// for half a minute and then stands still.
    pub async fn keep(self: Arc<Self>, store: Arc<dyn Store>) {
        loop {
            tokio::time::sleep(REFRESH).await;
            if let Ok(answer) = store.now().await {
                self.set(answer);
            }
        }
    }

    fn set(&self, answer: StoreTime) {
        let mut reading = self.lock();
        *reading = Reading { at: Instant::now(), store: answer.max(reading.now()) };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn now(self) -> StoreTime {
        self.store.plus(self.at.elapsed().min(TRUSTED))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_it_goes_on_for_half_a_minute_and_then_stands_still() {
        let began = StoreTime(1_000_000);
        let clock = StoreClock::at(began);
        advance(TRUSTED - Duration::from_millis(1)).await;
        assert_eq!(clock.now(), began.plus(TRUSTED - Duration::from_millis(1)));
        for later in [1, 1, 60_000, 3_600_000] {
            advance(Duration::from_millis(later)).await;
            assert_eq!(clock.now(), began.plus(TRUSTED));
        }
        clock.set(began.plus(2 * TRUSTED));
        advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), began.plus(2 * TRUSTED + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_does_not_set_it_back() {
        let began = StoreTime(1_000_000);
        let clock = StoreClock::at(began);
        advance(REFRESH).await;
        clock.set(began);
        assert_eq!(clock.now(), began.plus(REFRESH));
        advance(TRUSTED).await;
        assert_eq!(clock.now(), began.plus(REFRESH + TRUSTED), "an answer is an answer: it is trusted anew");
    }
}
