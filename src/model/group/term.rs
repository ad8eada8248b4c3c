//! One person's time in a group.

use serde::{Deserialize, Serialize};

use super::event::Post;
use crate::model::limits::TERM_STEPS_MAX;
use crate::model::{Seq, UserId};

/// What an event did to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// They were added.
    Joined,
    /// They left, or were removed.
    Left,
    /// They became an owner.
    Owner,
    /// They became a member without rights.
    Member,
    /// Nothing: what was before this place was summed up.
    SummedUp,
}

impl Step {
    const ALL: [Self; 5] = [Self::Joined, Self::Left, Self::Owner, Self::Member, Self::SummedUp];

    /// As a number, to be stored.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The step that is stored as this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.number() == number)
    }
}

/// One person's time in a group: what happened to them, by place. Kept whole (up to [`TERM_STEPS_MAX`]), so that a step
/// that becomes known late falls where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Who.
    pub user: UserId,
    /// What happened to them, by place and step, each once. The first message is the place of all that it founded.
    pub steps: Vec<(Seq, Step)>,
}

/// How somebody stands in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footing {
    /// Where they came in last; zero if they never did.
    pub joined: Seq,
    /// Where they went, if they are gone.
    pub left: Option<Seq>,
    /// What they are, or were.
    pub role: Post,
    /// Where they became that.
    since: Seq,
}

impl Footing {
    /// Whether they are in it.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.joined > Seq::ZERO && self.left.is_none()
    }

    pub(super) fn is_owner(&self) -> bool {
        self.is_current() && self.role == Post::Owner
    }
}

/// Which messages of a conversation somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Those after this place …
    pub after: Seq,
    /// … up to this one, if they are gone.
    pub until: Option<Seq>,
}

impl Range {
    /// All of them.
    pub const ALL: Self = Self { after: Seq::ZERO, until: None };

    /// Whether it holds this place.
    #[must_use]
    pub fn shows(&self, seq: Seq) -> bool {
        seq > self.after && self.until.is_none_or(|until| seq <= until)
    }

    /// This place, or the last one of the range where it is beyond that.
    #[must_use]
    pub fn cut(&self, seq: Seq) -> Seq {
        self.until.map_or(seq, |until| seq.min(until))
    }
}

impl Term {
    /// The time of somebody who was there from the first message on.
    pub(super) fn founding(user: UserId, owns: bool) -> Self {
        let mut steps = vec![(Seq(1), Step::Joined)];
        steps.extend(owns.then_some((Seq(1), Step::Owner)));
        Self { user, steps }
    }

    pub(super) fn begun_by(user: UserId, seq: Seq, step: Step) -> Self {
        Self { user, steps: vec![(seq, step)] }
    }

    /// How they stand, after all that happened: one who is in it cannot join again, nor leave who is not.
    #[must_use]
    pub fn standing(&self) -> Footing {
        Self::after(&self.steps)
    }

    fn after(steps: &[(Seq, Step)]) -> Footing {
        let mut now = Footing { joined: Seq::ZERO, left: None, role: Post::Member, since: Seq::ZERO };
        for &(seq, step) in steps {
            match (step, now.is_current()) {
                (Step::Joined, false) => {
                    now = Footing { joined: seq, left: None, role: Post::Member, since: seq };
                }
                (Step::Left, true) => now.left = Some(seq),
                (Step::Owner, true) => (now.role, now.since) = (Post::Owner, seq),
                (Step::Member, true) => (now.role, now.since) = (Post::Member, seq),
                _ => {}
            }
        }
        now
    }

    /// Whether the step at this place is known, or so old that it was summed up.
    pub(super) fn knows(&self, seq: Seq) -> bool {
        self.steps.iter().any(|(at, step)| *at == seq || (*step == Step::SummedUp && seq < *at))
    }

    /// Takes a step; says whether it was news.
    pub(super) fn take(&mut self, seq: Seq, step: Step) -> bool {
        if self.knows(seq) {
            return false;
        }
        let index = self.steps.partition_point(|(at, _)| *at < seq);
        self.steps.insert(index, (seq, step));
        if self.steps.len() > TERM_STEPS_MAX {
            self.sum_up();
        }
        true
    }

    /// Puts what the older half comes to in its place.
    fn sum_up(&mut self) {
        let newer = self.steps.split_off(TERM_STEPS_MAX / 2);
        let Some(&(last, _)) = self.steps.last() else { return };
        let was = Self::after(&self.steps);
        self.steps = vec![(was.joined, Step::Joined)];
        self.steps.extend((was.role == Post::Owner).then_some((was.since, Step::Owner)));
        self.steps.extend(was.left.map(|left| (left, Step::Left)));
        self.steps.retain(|(at, _)| *at > Seq::ZERO);
        self.steps.push((last, Step::SummedUp));
        self.steps.extend(newer);
    }
}
