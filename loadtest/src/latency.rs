//! How long messages took from the moment they were due, not from when they were sent: a queue in the load generator
//! or in front of a slow node counts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

/// A longer one counts as this long.
const LATENCY_MICROS_MAX: u64 = 600_000_000;

/// All latencies of a run, by its phases.
pub(crate) struct Latencies {
    began: Instant,
    /// Never empty; each begins after the one before it.
    phases: Mutex<Vec<Phase>>,
}

/// A stretch of a run: the messages that were due in it.
struct Phase {
    name: &'static str,
    from_micros: u64,
    shown: Histogram<u64>,
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
        let shown = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3)?;
        let phases = Mutex::new(vec![Phase { name: "before", from_micros: 0, shown }]);
        Ok(Self { began: Instant::now(), phases })
    }

    /// Begins a phase: what is due from now on counts in it. The first one is called "before".
    pub(crate) fn enter(&self, name: &'static str) {
        let from_micros = self.micros(Instant::now());
        let mut phases = self.phases();
        let shown = Histogram::new_from(&phases[0].shown);
        phases.push(Phase { name, from_micros, shown });
    }

    /// Microseconds since the run began.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    /// A message that was due then is shown now.
    pub(crate) fn shown(&self, due_micros: u64) {
        let took = self.micros(Instant::now()).saturating_sub(due_micros);
        let mut phases = self.phases();
        if let Some(phase) = phases.iter_mut().rfind(|phase| phase.from_micros <= due_micros) {
            phase.shown.saturating_record(took);
        }
    }

    /// Over all phases.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let phases = self.phases();
        let mut all = Histogram::new_from(&phases[0].shown);
        phases.iter().for_each(|phase| all += &phase.shown);
        Percentiles::of(&all)
    }

    /// Phase by phase, in their order.
    pub(crate) fn by_phase(&self) -> Vec<(&'static str, Percentiles)> {
        self.phases().iter().map(|phase| (phase.name, Percentiles::of(&phase.shown))).collect()
    }

    fn phases(&self) -> MutexGuard<'_, Vec<Phase>> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Percentiles {
    fn of(shown: &Histogram<u64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let ms = |quantile: f64| shown.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            count: shown.len(),
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: ms(1.0),
        }
    }
}
