//! Seeded randomness: the same seed gives the same run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard::model::Chance;

/// A generator (SplitMix64). Every actor has its own, so that what one of them asks does not change another's luck.
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A generator of its own for somebody.
    pub fn fork(&self, label: u64) -> Arc<Self> {
        Arc::new(Self::new(self.bits() ^ label.wrapping_mul(0xA076_1D64_78BD_642F)))
    }

    /// A number less than `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.bits() % bound.max(1)
    }

    /// A number of `low..=high`.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number of `0.0..1.0`.
    pub fn share(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub fn is(&self, probability: f64) -> bool {
        self.share() < probability
    }

    /// A time of `low..=high` milliseconds.
    pub fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// A time with this mean in milliseconds, often short and sometimes long.
    pub fn about(&self, mean: u64) -> Duration {
        let times = -(1.0 - self.share()).ln();
        Duration::from_millis((mean as f64 * times.min(6.0)) as u64)
    }

    /// One of several.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

impl Chance for Dice {
    fn bits(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
