//! Groups: who is in one, who was, and what each of them may see. All of it follows from the messages that changed it.

mod event;
mod term;

use serde::{Deserialize, Serialize};

use super::limits::GROUP_MEMBERS_MAX;
use super::{Conversation, ConversationId, Kind, Seq, UserId};

pub use event::{Event, Post};
pub use term::{Footing, Range, Step, Term};

/// What a group is beside a conversation: its name, and everybody's time in it.
///
/// It is a fold over the group's events, which may be let in again and in any order: the result is the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// The place of the event that named it so.
    pub named: Seq,
    /// Whether those who join later see what was said before.
    pub history: bool,
    /// Everybody who is or was in it, sorted, each once.
    pub terms: Vec<Term>,
}

impl Group {
    /// A new group and its conversation: `creator` owns it, and the others are in it from its first message on.
    #[must_use]
    pub fn new(
        id: ConversationId,
        creator: &UserId,
        others: &[UserId],
        name: &str,
        history: bool,
    ) -> (Conversation, Self) {
        let mut members = others.to_vec();
        members.push(creator.clone());
        members.sort();
        members.dedup();
        let term = |user: &UserId| Term::founding(user.clone(), user == creator);
        let terms = members.iter().map(term).collect();
        let group = Self { name: name.to_owned(), named: Seq::ZERO, history, terms };
        (Conversation { id, kind: Kind::Group, members }, group)
    }

    /// Who is in it now, sorted.
    #[must_use]
    pub fn members(&self) -> Vec<UserId> {
        self.terms.iter().filter(|term| term.standing().is_current()).map(|term| term.user.clone()).collect()
    }

    /// How somebody stands in it; none for those who never were.
    #[must_use]
    pub fn standing(&self, user: &UserId) -> Option<Footing> {
        self.term(user).map(Term::standing).filter(|standing| standing.joined > Seq::ZERO)
    }

    /// What somebody may see of it; none for those who never were in it.
    #[must_use]
    pub fn range(&self, user: &UserId) -> Option<Range> {
        self.standing(user).map(|standing| self.range_of(standing))
    }

    /// Whom a message at this place concerns: who is in it and may see it, and who left with it.
    #[must_use]
    pub fn audience(&self, seq: Seq) -> Vec<UserId> {
        let concerns = |standing: Footing| {
            self.range_of(standing).shows(seq) && (standing.is_current() || standing.left == Some(seq))
        };
        self.terms.iter().filter(|term| concerns(term.standing())).map(|term| term.user.clone()).collect()
    }

    /// Whether somebody may change it: its owners, and where there is none, anybody in it.
    #[must_use]
    pub fn is_managed_by(&self, user: &UserId) -> bool {
        match self.standing(user) {
            Some(standing) if standing.is_current() => {
                standing.role == Post::Owner || !self.terms.iter().any(|term| term.standing().is_owner())
            }
            _ => false,
        }
    }

    /// Whether as many are in it as may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.terms.iter().filter(|term| term.standing().is_current()).count() >= GROUP_MEMBERS_MAX
    }

    /// Lets an event at its place take effect. Answers whether that changed anything: an event that is known already
    /// changes nothing.
    pub fn apply(&mut self, seq: Seq, event: &Event) -> bool {
        match event {
            Event::Created { name } | Event::Named { name } if self.named < seq => {
                name.clone_into(&mut self.name);
                self.named = seq;
                true
            }
            Event::Created { .. } | Event::Named { .. } | Event::Erased => false,
            Event::Added { user } => self.step(user, seq, Step::Joined),
            Event::Removed { user } | Event::Left { user } => self.step(user, seq, Step::Left),
            Event::Role { user, role: Post::Owner } => self.step(user, seq, Step::Owner),
            Event::Role { user, role: Post::Member } => self.step(user, seq, Step::Member),
        }
    }

    /// Whether an event at its place has taken effect.
    #[must_use]
    pub fn reflects(&self, seq: Seq, event: &Event) -> bool {
        match event.user() {
            None => *event == Event::Erased || self.named >= seq,
            Some(user) => self.term(user).is_some_and(|term| term.knows(seq)),
        }
    }

    fn range_of(&self, standing: Footing) -> Range {
        let after = if self.history { Seq::ZERO } else { standing.joined.previous() };
        Range { after, until: standing.left }
    }

    fn term(&self, user: &UserId) -> Option<&Term> {
        let index = self.terms.binary_search_by(|term| term.user.cmp(user)).ok()?;
        self.terms.get(index)
    }

    fn step(&mut self, user: &UserId, seq: Seq, step: Step) -> bool {
        match self.terms.binary_search_by(|term| term.user.cmp(user)) {
            Ok(index) => self.terms[index].take(seq, step),
            Err(index) => {
                self.terms.insert(index, Term::begun_by(user.clone(), seq, step));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
