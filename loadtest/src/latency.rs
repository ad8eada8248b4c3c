//! How long messages took from the moment they were due, not from when they were sent: a queue in the load generator
//! or in front of a slow node counts.

use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

/// A longer one counts as this long.
const LATENCY_MICROS_MAX: u64 = 600_000_000;

/// All latencies of a run.
pub(crate) struct Latencies {
    began: Instant,
    shown: Mutex<Histogram<u64>>,
}

/// The usual percentiles, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latencies {
    /// # Errors
    /// If a histogram cannot be made: a defect.
    pub(crate) fn begin() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self { began: Instant::now(), shown: Mutex::new(Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3)?) })
    }

    /// Microseconds since the run began.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    /// A message that was due then is shown now.
    pub(crate) fn shown(&self, due_micros: u64) {
        let took = self.micros(Instant::now()).saturating_sub(due_micros);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took);
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let ms = |quantile: f64| shown.value_at_quantile(quantile) as f64 / 1_000.0;
        Percentiles {
            count: shown.len(),
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: ms(1.0),
        }
    }
}
