//! Who is there, by their own account, and who is shown to be, by what watchers are told: how long the one takes to
//! become the other, and whether somebody who is there is shown as gone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use switchboard::model::UserId;

use crate::latency::{Latencies, Span};

/// Examples kept of those who were shown as gone though they were not.
const EXAMPLES_MAX: usize = 5;
/// Somebody who is away may be shown so by this much earlier than nodes are to wait: clocks are read at both ends.
const MARGIN_MICROS: u64 = 100_000;

/// Everybody who is watched.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    /// For so long somebody who lost their last connection is still there.
    grace_micros: u64,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    people: HashMap<UserId, Somebody>,
    /// Whether it is measured how long it takes.
    measured: bool,
    false_offline: u64,
    examples: Vec<String>,
}

#[derive(Debug, Default, Clone)]
struct Somebody {
    is_there: bool,
    /// Since when, in microseconds after the run began.
    since: u64,
    /// As what each watcher is shown them.
    shown: Vec<Option<bool>>,
    /// Whether not everybody was told yet since that changed.
    is_open: bool,
    /// Whether anybody was shown them as gone since they were last there.
    was_missed: bool,
}

impl Whereabouts {
    pub(crate) fn new(grace_micros: u64) -> Self {
        Self { grace_micros, all: Mutex::default() }
    }

    /// Somebody is watched by so many.
    pub(crate) fn enrol(&self, user: UserId, watchers: usize) {
        let somebody = Somebody { shown: vec![None; watchers], is_open: true, was_missed: true, ..Somebody::default() };
        self.all().people.insert(user, somebody);
    }

    /// From now on it counts how long it takes.
    pub(crate) fn measure(&self) {
        self.all().measured = true;
    }

    /// Somebody's connection came, or went.
    pub(crate) fn is_there(&self, user: &UserId, there: bool, at: u64, latencies: &Latencies) {
        let all = &mut *self.all();
        let Some(somebody) = all.people.get_mut(user) else { return };
        (somebody.is_there, somebody.since, somebody.is_open) = (there, at, true);
        somebody.settle(at, latencies, all.measured);
    }

    /// A watcher, counted from 1, is shown somebody.
    pub(crate) fn shown(&self, watcher: u32, user: &UserId, online: bool, at: u64, latencies: &Latencies) {
        let all = &mut *self.all();
        let Some(somebody) = all.people.get_mut(user) else { return };
        let place = usize::try_from(watcher).ok().and_then(|number| number.checked_sub(1));
        let Some(shown) = place.and_then(|place| somebody.shown.get_mut(place)) else { return };
        let was = shown.replace(online);
        if !online && was == Some(true) {
            somebody.was_missed = true;
            let away = at.saturating_sub(somebody.since);
            if all.measured && (somebody.is_there || away + MARGIN_MICROS < self.grace_micros) {
                all.false_offline += 1;
                if all.examples.len() < EXAMPLES_MAX {
                    let state = if somebody.is_there { "there" } else { "away" };
                    let ms = away / 1_000;
                    all.examples.push(format!("{user} was {state} for {ms} ms when watcher {watcher} was told"));
                }
            }
        }
        somebody.settle(at, latencies, all.measured);
    }

    /// Whether somebody is there, if all who watch are shown that.
    pub(crate) fn settled(&self, user: &UserId) -> Option<bool> {
        self.all().people.get(user).filter(|somebody| !somebody.is_open).map(|somebody| somebody.is_there)
    }

    /// Of how many not all who watch are shown the truth.
    pub(crate) fn unsettled(&self) -> u64 {
        self.all().people.values().filter(|somebody| somebody.is_open).count() as u64
    }

    /// How often somebody was shown as gone who was not, with examples.
    pub(crate) fn false_offline(&self) -> (u64, Vec<String>) {
        let all = self.all();
        (all.false_offline, all.examples.clone())
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Somebody {
    /// Whether everybody is shown the truth now. Whoever was back before anybody missed them tells nothing of how long
    /// coming takes.
    fn settle(&mut self, at: u64, latencies: &Latencies, is_measured: bool) {
        if !self.is_open || self.shown.iter().any(|shown| *shown != Some(self.is_there)) {
            return;
        }
        self.is_open = false;
        let was_missed = if self.is_there { std::mem::take(&mut self.was_missed) } else { true };
        if is_measured && was_missed {
            let span = if self.is_there { Span::Came } else { Span::Went };
            latencies.record(span, at.saturating_sub(self.since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// Somebody with two watchers, and no more than that.
    fn one() -> (UserId, Whereabouts, Latencies) {
        let (user, whereabouts): (UserId, _) = ("ann".parse().unwrap(), Whereabouts::new(5 * SECOND));
        whereabouts.enrol(user.clone(), 2);
        whereabouts.measure();
        (user, whereabouts, Latencies::begin().unwrap())
    }

    #[test]
    fn it_takes_as_long_as_the_last_watcher() {
        let (ann, whereabouts, latencies) = one();
        whereabouts.is_there(&ann, true, SECOND, &latencies);
        whereabouts.shown(1, &ann, true, 2 * SECOND, &latencies);
        assert_eq!((whereabouts.settled(&ann), whereabouts.unsettled()), (None, 1));
        whereabouts.shown(2, &ann, true, 4 * SECOND, &latencies);
        assert_eq!((whereabouts.settled(&ann), whereabouts.unsettled()), (Some(true), 0));
        whereabouts.is_there(&ann, false, 10 * SECOND, &latencies);
        whereabouts.shown(2, &ann, false, 16 * SECOND, &latencies);
        whereabouts.shown(1, &ann, false, 15 * SECOND, &latencies);
        assert_eq!(whereabouts.settled(&ann), Some(false));
        // To within a thousandth, as histograms go.
        for (span, millis) in [(Span::Came, 3_000.0), (Span::Went, 5_000.0)] {
            let took = latencies.of(span);
            assert!(took.count == 1 && (took.max_ms - millis).abs() <= millis / 1_000.0, "{}", took.max_ms);
        }
        assert_eq!(whereabouts.false_offline().0, 0);
    }

    #[test]
    fn who_is_back_at_once_was_never_gone() {
        let (ann, whereabouts, latencies) = one();
        whereabouts.is_there(&ann, true, 0, &latencies);
        for watcher in [1, 2] {
            whereabouts.shown(watcher, &ann, true, 1, &latencies);
        }
        whereabouts.is_there(&ann, false, 20 * SECOND, &latencies);
        assert_eq!(whereabouts.settled(&ann), None, "if it goes on, it must be told");
        whereabouts.is_there(&ann, true, 21 * SECOND, &latencies);
        assert_eq!(whereabouts.settled(&ann), Some(true));
        assert_eq!(latencies.of(Span::Came).count, 1, "nothing had to be told the second time");
    }

    #[test]
    fn who_is_there_is_not_gone_and_who_left_is_not_gone_yet() {
        let (ann, whereabouts, latencies) = one();
        whereabouts.is_there(&ann, true, 0, &latencies);
        for watcher in [1, 2] {
            whereabouts.shown(watcher, &ann, true, 1, &latencies);
        }
        whereabouts.shown(1, &ann, false, 2 * SECOND, &latencies);
        assert_eq!(whereabouts.false_offline().0, 1);
        whereabouts.shown(1, &ann, true, 3 * SECOND, &latencies);
        whereabouts.is_there(&ann, false, 10 * SECOND, &latencies);
        whereabouts.shown(1, &ann, false, 12 * SECOND, &latencies);
        whereabouts.shown(2, &ann, false, 15 * SECOND, &latencies);
        let (times, examples) = whereabouts.false_offline();
        assert_eq!(times, 2, "one of these was in time: {examples:?}");
        assert_eq!(examples[1], "ann was away for 2000 ms when watcher 1 was told");
        whereabouts.shown(3, &ann, false, SECOND, &latencies);
        whereabouts.shown(0, &ann, false, SECOND, &latencies);
        assert_eq!(whereabouts.false_offline().0, 2, "nobody else watches");
    }
}
