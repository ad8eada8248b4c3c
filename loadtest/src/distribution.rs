//! A histogram as it is written down: each value that occurred and how often, so that those of several processes add up
//! exactly, whatever reads them.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// How long something took, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// Microseconds, ascending, and how often.
    pub(crate) histogram: Vec<(u64, u64)>,
}

impl Distribution {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self::new(histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
    }

    fn new(histogram: Vec<(u64, u64)>) -> Self {
        let mut all = Self { count: histogram.iter().map(|(_, times)| times).sum(), histogram, ..Self::default() };
        (all.p50_ms, all.p90_ms, all.p99_ms) = (all.at(0.5), all.at(0.9), all.at(0.99));
        (all.p999_ms, all.max_ms) = (all.at(0.999), all.at(1.0));
        all
    }

    /// Milliseconds below or at which this share of all are.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let needed = quantile * self.count as f64;
        let mut seen = 0;
        for (micros, times) in &self.histogram {
            seen += times;
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            if seen as f64 >= needed {
                return *micros as f64 / 1_000.0;
            }
        }
        0.0
    }

    /// Adds another one.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut sums: BTreeMap<u64, u64> = self.histogram.iter().copied().collect();
        for (micros, times) in &other.histogram {
            *sums.entry(*micros).or_default() += times;
        }
        *self = Self::new(sums.into_iter().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Dice;

    #[test]
    fn parts_add_up_to_exactly_the_whole() {
        let new = || Histogram::<u64>::new_with_bounds(1, 600_000_000, 3).unwrap();
        let (mut whole, mut parts) = (new(), [new(), new(), new()]);
        let mut dice = Dice::new(5, 5);
        for index in 0..30_000 {
            let bits = 1 + dice.below(25);
            let micros = 1 + dice.below(1 << bits);
            whole.saturating_record(micros);
            parts[index % 3].saturating_record(micros);
        }
        let mut sum = Distribution::default();
        parts.iter().for_each(|part| sum.add(&Distribution::of(part)));
        assert_eq!(sum, Distribution::of(&whole));
        for quantile in [0.001, 0.5, 0.9, 0.99, 0.9999, 1.0] {
            #[expect(clippy::cast_precision_loss)]
            let expected = whole.value_at_quantile(quantile) as f64 / 1_000.0;
            assert!((sum.at(quantile) - expected).abs() < 1e-9, "{quantile}");
        }
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        assert_eq!(Distribution::default().at(0.5).to_bits(), 0.0_f64.to_bits());
    }
}
