//! Dials until somebody answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{Lost, RedisSettings, Session};
use crate::model::Chance;
use crate::model::limits::{REDIS_RETRY_MAX, REDIS_RETRY_MIN};

/// Makes sessions, one after the other.
pub(crate) struct Dialer {
    settings: RedisSettings,
    chance: Arc<dyn Chance>,
    backlog: usize,
    /// Attempts that failed since the last session was opened, or since its end.
    failures: u32,
    /// Whether there was a session before, so that the next one is a return.
    used: bool,
}

impl Dialer {
    /// A dialer that has not dialled yet. `backlog` is how many messages a session's reader may be ahead.
    pub(crate) fn new(settings: RedisSettings, chance: Arc<dyn Chance>, backlog: usize) -> Self {
        Self { settings, chance, backlog, failures: 0, used: false }
    }

    /// A new session, however long it takes. Waits longer between attempts that fail, never longer than
    /// [`REDIS_RETRY_MAX`], and never exactly as long as other nodes do.
    pub(crate) async fn dial(&mut self) -> Session {
        loop {
            sleep(self.pause()).await;
            match Session::open(&self.settings, self.backlog).await {
                Ok(session) => {
                    if self.failures > 0 {
                        tracing::info!(redis = %self.settings, "Redis answers");
                    }
                    self.failures = 0;
                    self.used = true;
                    return session;
                }
                Err(lost) => self.failed(&lost),
            }
        }
    }

    fn failed(&mut self, lost: &Lost) {
        if self.failures == 0 {
            tracing::warn!(redis = %self.settings, %lost, "cannot connect to Redis; trying again until it answers");
        } else {
            tracing::debug!(redis = %self.settings, %lost, "cannot connect to Redis");
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Nothing before the very first attempt, a moment before the first after a loss, then longer and longer.
    fn pause(&self) -> Duration {
        if self.failures == 0 && !self.used {
            return Duration::ZERO;
        }
        let longest = REDIS_RETRY_MIN.saturating_mul(1 << self.failures.min(8)).min(REDIS_RETRY_MAX);
        let share = (self.chance.bits() >> 32) as u32;
        longest / 2 + longest.mul_f64(f64::from(share) / f64::from(u32::MAX)) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u64);
    impl Chance for Always {
        fn bits(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let settings = RedisSettings::parse("redis://127.0.0.1:1").unwrap();
        for (bits, least) in [(0, 2), (u64::MAX, 1)] {
            let mut dialer = Dialer::new(settings.clone(), Arc::new(Always(bits)), 1);
            assert_eq!(dialer.pause(), Duration::ZERO, "the first attempt is made at once");
            dialer.used = true;
            assert_eq!(dialer.pause(), REDIS_RETRY_MIN / least);
            dialer.failures = u32::MAX;
            assert_eq!(dialer.pause(), REDIS_RETRY_MAX / least);
        }
    }
}
