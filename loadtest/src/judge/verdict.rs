//! What the judge says in the end.

use serde::{Deserialize, Serialize};

/// Examples kept of each damage: enough to look for it in logs and stores.
const EXAMPLES_MAX: usize = 5;

/// What can go wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Damage {
    /// Acknowledged, and not shown on a device that it was for.
    Lost,
    /// Shown more than once, or acknowledged at a second place.
    Doubled,
    /// Shown behind one that was sent later, or that has a later place.
    OutOfOrder,
    /// Shown with a text that nobody sent, or to somebody whom it was not for.
    Foreign,
    /// Shown at another place than was acknowledged, or than on another device, or where another message is.
    Misplaced,
    /// Shown later than the run allows.
    Late,
    /// Never acknowledged, though the run gave it time.
    Unacknowledged,
}

/// One damaged message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Example {
    pub(crate) damage: Damage,
    /// The message and the device, in a sentence.
    pub(crate) what: String,
}

/// The sums. All from `lost` on must be zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    /// Times that a message was first shown on a device that it was for.
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) out_of_order: u64,
    pub(crate) foreign: u64,
    pub(crate) misplaced: u64,
    #[serde(default)]
    pub(crate) late: u64,
    pub(crate) unacknowledged: u64,
    #[serde(default)]
    pub(crate) examples: Vec<Example>,
}

impl Damage {
    pub(crate) const ALL: [Self; 7] =
        [Self::Lost, Self::Doubled, Self::OutOfOrder, Self::Foreign, Self::Misplaced, Self::Late, Self::Unacknowledged];

    /// As people read it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::OutOfOrder => "out of order",
            Self::Foreign => "not as sent",
            Self::Misplaced => "at another place",
            Self::Late => "late",
            Self::Unacknowledged => "never acknowledged",
        }
    }
}

impl Verdict {
    /// Whether everything that was promised was kept in time, and everything that was sent was promised.
    pub(crate) fn is_clean(&self) -> bool {
        Damage::ALL.iter().all(|damage| self.count(*damage) == 0)
    }

    pub(crate) fn count(&self, damage: Damage) -> u64 {
        match damage {
            Damage::Lost => self.lost,
            Damage::Doubled => self.doubled,
            Damage::OutOfOrder => self.out_of_order,
            Damage::Foreign => self.foreign,
            Damage::Misplaced => self.misplaced,
            Damage::Late => self.late,
            Damage::Unacknowledged => self.unacknowledged,
        }
    }

    /// All damage together.
    pub(crate) fn damages(&self) -> u64 {
        Damage::ALL.iter().map(|damage| self.count(*damage)).sum()
    }

    /// Counts one, and keeps it as an example if there are few of its kind.
    pub(super) fn find(&mut self, damage: Damage, what: impl FnOnce() -> String) {
        *self.counter(damage) += 1;
        self.keep(damage, what);
    }

    fn keep(&mut self, damage: Damage, what: impl FnOnce() -> String) {
        if self.examples.iter().filter(|example| example.damage == damage).count() < EXAMPLES_MAX {
            self.examples.push(Example { damage, what: what() });
        }
    }

    /// Adds what another process of the same run found.
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.received += other.received;
        for damage in Damage::ALL {
            *self.counter(damage) += other.count(damage);
        }
        for Example { damage, what } in other.examples {
            self.keep(damage, || what);
        }
    }

    fn counter(&mut self, damage: Damage) -> &mut u64 {
        match damage {
            Damage::Lost => &mut self.lost,
            Damage::Doubled => &mut self.doubled,
            Damage::OutOfOrder => &mut self.out_of_order,
            Damage::Foreign => &mut self.foreign,
            Damage::Misplaced => &mut self.misplaced,
            Damage::Late => &mut self.late,
            Damage::Unacknowledged => &mut self.unacknowledged,
        }
    }
}
