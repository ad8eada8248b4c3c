//! What can go wrong with one call, and the two ways of writing messages with all that can go wrong with them.

use std::time::Duration;

use switchboard::store::{Attempt, Outcome};
use tokio::time::sleep;

use super::{SimStore, away};
use crate::defects::Defect;

/// No call takes longer than the port allows: each way at most half of that.
const WAY_MAX: u64 = 1_450;

pub(super) struct Faults {
    pub(super) before: Duration,
    pub(super) after: Duration,
    pub(super) fails_to_read: bool,
}

/// What becomes of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// Certainly not done.
    Refused,
    /// Not done: another message had the place, and went with a server that others had voted out.
    Displaced,
    /// Nobody knows; done.
    Unheard,
    /// Nobody knows; not done.
    Lost,
    /// Nobody knows; done some time later, if it then still can be.
    Later,
}

impl SimStore {
    pub(super) fn faults(&self) -> Faults {
        let latency = self.sky.climate.store.latency;
        let way = || match () {
            () if self.sky.is_calm() => self.dice.millis(0, 2),
            () if self.sky.store_is_slow() => self.dice.millis(100, WAY_MAX),
            () => self.dice.millis(0, latency),
        };
        let down = self.sky.store_is_down(self.place);
        // It is away at once, or after the longest wait.
        let before = if down && self.dice.is(0.3) { Duration::from_millis(2 * WAY_MAX) } else { way() };
        let fails = !self.sky.is_calm() && self.dice.is(self.sky.climate.store.read_failures);
        Faults { before, after: if down { Duration::ZERO } else { way() }, fails_to_read: down || fails }
    }

    pub(super) fn fails_to_raise(&self) -> bool {
        let fails = self.dice.is(self.sky.climate.store.raise_failures);
        self.sky.heads_are_down() || !self.sky.is_calm() && fails
    }

    fn fate(&self) -> Fate {
        let climate = &self.sky.climate.store;
        let unknown = || *self.dice.pick(&[Fate::Unheard, Fate::Lost, Fate::Later]);
        if self.sky.is_calm() {
            Fate::Done
        } else if self.sky.store_is_down(self.place) {
            if self.dice.is(0.5) { Fate::Refused } else { unknown() }
        } else if self.dice.is(climate.unknowns) {
            unknown()
        } else if self.dice.is(climate.refusals) {
            *self.dice.pick(&[Fate::Refused, Fate::Displaced])
        } else {
            Fate::Done
        }
    }

    /// Each message by itself: all share one fate, or each has its own.
    pub(super) async fn append_batch(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let (faults, common) = (self.faults(), self.fate());
        let partial = !self.sky.is_calm() && self.dice.is(self.sky.climate.store.partials);
        sleep(faults.before).await;
        self.be_alive().await;
        let outcomes = attempts
            .into_iter()
            .map(|attempt| match if partial { self.fate() } else { common } {
                Fate::Done => self.shared.try_one(&attempt, &self.dice, &self.trace),
                Fate::Refused => Outcome::Refused(away()),
                Fate::Displaced => Outcome::SeqTaken,
                Fate::Lost => Outcome::Unknown(away()),
                Fate::Unheard => {
                    self.shared.try_one(&attempt, &self.dice, &self.trace);
                    Outcome::Unknown(away())
                }
                Fate::Later => {
                    self.finish_later(vec![attempt]);
                    Outcome::Unknown(away())
                }
            })
            .collect();
        sleep(faults.after).await;
        self.be_alive().await;
        outcomes
    }

    /// One after the other, up to the first that is not stored; or up to where something goes wrong.
    pub(super) async fn append_in_order(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let (faults, fate) = (self.faults(), self.fate());
        sleep(faults.before).await;
        self.be_alive().await;
        let well = if fate == Fate::Done {
            attempts.len()
        } else if self.dice.is(self.sky.climate.store.partials) {
            self.dice.below(attempts.len() as u64) as usize
        } else {
            0
        };
        let mut outcomes = self.try_in_order(&attempts[..well]);
        let stopped = outcomes.iter().any(|outcome| *outcome != Outcome::Stored);
        if !stopped && well < attempts.len() {
            let rest = &attempts[well..];
            match fate {
                Fate::Done | Fate::Refused => outcomes.push(Outcome::Refused(away())),
                Fate::Displaced => outcomes.push(Outcome::SeqTaken),
                Fate::Lost => outcomes.extend(rest.iter().map(|_| Outcome::Unknown(away()))),
                Fate::Unheard => {
                    let done = self.dice.between(1, rest.len() as u64) as usize;
                    self.try_in_order(&rest[..done]);
                    outcomes.extend(rest.iter().map(|_| Outcome::Unknown(away())));
                }
                Fate::Later => {
                    self.finish_later(rest.to_vec());
                    outcomes.extend(rest.iter().map(|_| Outcome::Unknown(away())));
                }
            }
        }
        outcomes.resize(attempts.len(), Outcome::Untried);
        sleep(faults.after).await;
        self.be_alive().await;
        outcomes
    }

    fn try_in_order(&self, attempts: &[Attempt]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let outcome = self.shared.try_one(attempt, &self.dice, &self.trace);
            let stored = outcome == Outcome::Stored;
            outcomes.push(outcome);
            if !stored && !self.is(Defect::RunsAreUnordered) {
                break;
            }
        }
        outcomes
    }

    /// A write that nobody waits for any more still happens, message by message, while its keys are free.
    fn finish_later(&self, attempts: Vec<Attempt>) {
        let (shared, dice, trace) = (self.shared.clone(), self.dice.clone(), self.trace.clone());
        self.later(async move {
            for attempt in attempts {
                if shared.try_one(&attempt, &dice, &trace) != Outcome::Stored {
                    return;
                }
                if dice.is(0.2) {
                    sleep(dice.millis(1, 500)).await;
                }
            }
        });
    }
}
