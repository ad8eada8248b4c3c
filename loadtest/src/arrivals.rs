//! When messages are due: drawn from a seed, whatever becomes of those before. Nobody who waits for a slow server makes
//! the next message later, so no wait is left out of the figures.

use std::str::FromStr;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::chance::Dice;

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// As people come, independent of one another (a Poisson process): now a few at once, now a pause.
    Chance,
    /// One every so often.
    Even,
}

/// The moments at which something is due, counted from the beginning; endless.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    dice: Dice,
    pattern: Pattern,
    per_second: f64,
    seconds: f64,
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "chance" => Ok(Self::Chance),
            "even" => Ok(Self::Even),
            _ => Err("--arrivals is chance or even"),
        }
    }
}

impl Arrivals {
    pub(crate) fn new(per_second: f64, pattern: Pattern, dice: Dice) -> Self {
        Self { dice, pattern, per_second: per_second.max(1e-6), seconds: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let due = Duration::from_secs_f64(self.seconds);
        self.seconds += match self.pattern {
            Pattern::Even => 1.0 / self.per_second,
            Pattern::Chance => -self.dice.share().ln() / self.per_second,
        };
        Some(due)
    }
}

/// Arrivals from now on.
pub(crate) struct Pace {
    began: Instant,
    arrivals: Arrivals,
}

impl Pace {
    pub(crate) fn begin(arrivals: Arrivals) -> Self {
        Self { began: Instant::now(), arrivals }
    }

    /// One every so often.
    pub(crate) fn even(per_second: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate is far below 2^52")]
        let per_second = per_second.max(1) as f64;
        Self::steady(per_second)
    }

    /// The same, with a rate that need not be whole.
    pub(crate) fn steady(per_second: f64) -> Self {
        Self::begin(Arrivals::new(per_second, Pattern::Even, Dice::new(0, 0)))
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// When the next one is due.
    pub(crate) fn next_due(&mut self) -> Instant {
        self.began + self.arrivals.next().unwrap_or_default()
    }

    /// Waits until the next one is due; answers when that was.
    pub(crate) async fn wait(&mut self) -> Instant {
        let due = self.next_due();
        if due > Instant::now() {
            sleep_until(due).await;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(pattern: Pattern, seed: u64) -> Vec<Duration> {
        Arrivals::new(1_000.0, pattern, Dice::new(seed, 1)).take(10_000).collect()
    }

    #[test]
    fn a_seed_draws_the_same_moments_again() {
        assert_eq!(draw(Pattern::Chance, 3), draw(Pattern::Chance, 3));
        assert_ne!(draw(Pattern::Chance, 3), draw(Pattern::Chance, 4));
    }

    #[test]
    fn the_rate_is_as_asked_however_it_is_spread() {
        let even = draw(Pattern::Even, 1);
        assert_eq!((even[0], even[1]), (Duration::ZERO, Duration::from_millis(1)));
        for pattern in [Pattern::Even, Pattern::Chance] {
            let seconds = draw(pattern, 5).last().unwrap().as_secs_f64();
            assert!((9.7..10.3).contains(&seconds), "10,000 at 1,000 a second take {seconds} s");
        }
    }

    #[test]
    fn chance_comes_in_bursts() {
        let mut in_each_10_ms = [0_u32; 1_100];
        for due in draw(Pattern::Chance, 9) {
            in_each_10_ms[usize::try_from(due.as_millis() / 10).unwrap()] += 1;
        }
        // Ten on average; the chance that no stretch of a thousand has 18 is far below one in a million.
        assert!(in_each_10_ms.iter().any(|count| *count >= 18));
        assert!(in_each_10_ms[..900].iter().any(|count| *count <= 3));
    }
}
