//! How fast somebody may ask.

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, and so many a second after that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Refilled each second.
    pub per_second: f64,
    /// At most so many saved up.
    pub burst: f64,
}

/// A bucket of tokens, refilled at a rate.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, refilled: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// If there is none: how long until there is, which is never nothing.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + since * self.rate.per_second).min(self.rate.burst);
        self.refilled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - self.tokens) / self.rate.per_second.max(0.001);
        let wait = Duration::from_secs_f64(missing.min(3_600.0));
        if wait.is_zero() {
            // It is missing by less than a nanosecond, by the rounding of sums: who was told so would come back at once.
            self.tokens = 0.0;
            return Ok(());
        }
        Err(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_is_told_to_wait_waits_for_something() {
        let rate = Rate { per_second: 20.0, burst: 3.0 };
        let (mut now, mut told) = (Instant::now(), 0);
        let mut bucket = Bucket::full(rate, now);
        // Steps that no sum of floating-point numbers comes out even with.
        for step in 0..100_000_u64 {
            now += Duration::from_nanos(step * 7_919 % 10_007);
            if let Err(wait) = bucket.take(now) {
                assert!(!wait.is_zero(), "after {step} steps");
                now += wait;
                told += 1;
            }
        }
        assert!(told > 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_refills() {
        let mut bucket = Bucket::full(Rate { per_second: 2.0, burst: 3.0 }, Instant::now());
        for _ in 0..3 {
            assert_eq!(bucket.take(Instant::now()), Ok(()));
        }
        assert_eq!(bucket.take(Instant::now()), Err(Duration::from_millis(500)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(bucket.take(Instant::now()), Ok(()));
        assert!(bucket.take(Instant::now()).is_err());
    }
}
