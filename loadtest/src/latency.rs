//! How long things took from the moment they were due, not from when they were begun: a queue in the load generator or
//! in front of a slow node counts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::distribution::Distribution;

/// A longer one counts as this long.
pub(crate) const LATENCY_MICROS_MAX: u64 = 600_000_000;
/// Significant digits of what is kept in a timeline, of which there are hundreds.
const TIMELINE_DIGITS: u8 = 2;
const DIGITS: u8 = 3;

/// What takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// A message: from when it was due until a device showed it.
    Shown,
    /// A message: from when it was due until it was acknowledged.
    Acked,
    /// A message: from when it was due until its client was told to send it. What this tool costs.
    Begun,
    /// Opening a connection.
    Connected,
    /// From the open connection until its client is let in.
    Welcomed,
    /// A connection: from when it was due until its client is let in.
    Arrived,
    /// A message for somebody who reads slowly: from when it was due until it was shown.
    Slowly,
    /// A page of history.
    Page,
    /// From a lost connection until everything missed was shown.
    Back,
    /// A message in a group: from the first member who was shown it to the last.
    Spread,
    /// A message in a group: from when it was due until the last member was shown it.
    Everybody,
    /// Somebody came: until all who watch were told.
    Came,
    /// Somebody went: until all who watch were told.
    Went,
}

/// All latencies of a run.
pub(crate) struct Latencies {
    began: Instant,
    all: Mutex<All>,
}

struct All {
    /// One for each span but `Shown`, which has its phases.
    spans: [Histogram<u64>; Span::ALL.len()],
    /// Never empty; each begins after the one before it.
    phases: Vec<Phase>,
    /// What was shown since it was last asked for.
    interval: Histogram<u64>,
}

/// A stretch of a run: the messages that were due in it.
struct Phase {
    name: &'static str,
    from_micros: u64,
    shown: Histogram<u64>,
}

impl Span {
    pub(crate) const ALL: [Self; 13] = [
        Self::Shown,
        Self::Acked,
        Self::Begun,
        Self::Connected,
        Self::Welcomed,
        Self::Arrived,
        Self::Slowly,
        Self::Page,
        Self::Back,
        Self::Spread,
        Self::Everybody,
        Self::Came,
        Self::Went,
    ];

    /// As people and programs read it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Shown => "due to shown",
            Self::Acked => "due to acknowledged",
            Self::Begun => "due to begun",
            Self::Connected => "connecting",
            Self::Welcomed => "being let in",
            Self::Arrived => "due to let in",
            Self::Slowly => "due to shown, to slow readers",
            Self::Page => "a page of history",
            Self::Back => "back and caught up",
            Self::Spread => "first to last of a group",
            Self::Everybody => "due to shown to all of a group",
            Self::Came => "coming to shown everywhere",
            Self::Went => "going to shown everywhere",
        }
    }
}

impl Latencies {
    /// # Errors
    /// If a histogram cannot be made: a defect.
    pub(crate) fn begin() -> Result<Self, hdrhistogram::CreationError> {
        let shown = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, DIGITS)?;
        let spans = std::array::from_fn(|_| Histogram::new_from(&shown));
        let interval = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, TIMELINE_DIGITS)?;
        let phases = vec![Phase { name: "before", from_micros: 0, shown }];
        Ok(Self { began: Instant::now(), all: Mutex::new(All { spans, phases, interval }) })
    }

    /// What was due before counts in the phase before, what is due from now on counts in it. The first one is called
    /// "before".
    pub(crate) fn enter(&self, name: &'static str) {
        let from_micros = self.micros(Instant::now());
        let mut all = self.all();
        let shown = Histogram::new_from(&all.phases[0].shown);
        all.phases.push(Phase { name, from_micros, shown });
    }

    /// What was due before now does not count: the system is warm. It must not have a phase yet but the first.
    pub(crate) fn count_from_now(&self) {
        let from_micros = self.micros(Instant::now());
        let mut all = self.all();
        for phase in &mut all.phases {
            phase.from_micros = from_micros;
            phase.shown.reset();
        }
        for span in [Span::Acked, Span::Begun] {
            all.spans[span as usize].reset();
        }
    }

    /// Microseconds since the run began.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    /// A message that was due then is shown, so many microseconds later.
    pub(crate) fn shown(&self, due_micros: u64, took: u64) {
        let mut all = self.all();
        all.interval.saturating_record(took);
        if let Some(phase) = all.phases.iter_mut().rfind(|phase| phase.from_micros <= due_micros) {
            phase.shown.saturating_record(took);
        }
    }

    pub(crate) fn record(&self, span: Span, micros: u64) {
        self.all().spans[span as usize].saturating_record(micros);
    }

    /// Something that began then is done now.
    pub(crate) fn took(&self, span: Span, began: Instant) {
        self.record(span, u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }

    /// All phases together.
    pub(crate) fn of(&self, span: Span) -> Distribution {
        let all = self.all();
        if span != Span::Shown {
            return Distribution::of(&all.spans[span as usize]);
        }
        let mut shown = Histogram::new_from(&all.phases[0].shown);
        all.phases.iter().for_each(|phase| shown += &phase.shown);
        Distribution::of(&shown)
    }

    /// What was shown, phase by phase, in their order.
    pub(crate) fn by_phase(&self) -> Vec<(&'static str, Distribution)> {
        self.all().phases.iter().map(|phase| (phase.name, Distribution::of(&phase.shown))).collect()
    }

    /// What was shown since this was last asked.
    pub(crate) fn take_interval(&self) -> Distribution {
        let mut all = self.all();
        let taken = Distribution::of(&all.interval);
        all.interval.reset();
        taken
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_due_before_the_warm_up_ended_does_not_count() {
        let latencies = Latencies::begin().unwrap();
        latencies.shown(0, 900_000);
        latencies.record(Span::Acked, 900_000);
        tokio::time::sleep(Duration::from_secs(5)).await;
        latencies.count_from_now();
        latencies.shown(4_999_999, 800_000);
        assert_eq!(latencies.of(Span::Shown).count, 0);
        latencies.shown(5_000_000, 1_000);
        latencies.record(Span::Acked, 2_000);
        let (shown, acked) = (latencies.of(Span::Shown), latencies.of(Span::Acked));
        assert_eq!((shown.count, acked.count), (1, 1));
        assert!(shown.max_ms < 2.0 && acked.max_ms < 3.0, "{shown:?} {acked:?}");
    }
}
