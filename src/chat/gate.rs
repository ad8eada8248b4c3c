//! Keeps one session's sends in order across refusals: while a send that was refused for now has not come back, those
//! of the same conversation that came after it are refused too. Otherwise a later one would overtake it.
//!
//! A send that comes back takes its old turn, so that it matters neither how many were refused nor in which order
//! their refusals fell: one from the rate limit is immediate, one from a lane may take seconds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::limits::GATES_MAX;
use crate::model::{ClientKey, ConversationId};

/// One session's refused sends.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

/// When a send first came, among those of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

#[derive(Debug, Default)]
struct State {
    turns: u64,
    refused: HashMap<ConversationId, Vec<(Turn, ClientKey)>>,
}

impl Gate {
    /// The turn of a send that comes now.
    pub fn turn(&self) -> Turn {
        let mut state = self.lock();
        state.turns += 1;
        Turn(state.turns)
    }

    /// Lets a send go on, unless one before it was refused and has not come back. Answers with its turn: the one that it
    /// had when it was refused itself, if it was.
    pub fn admit(&self, conversation: ConversationId, key: &ClientKey, turn: Turn) -> Option<Turn> {
        let mut state = self.lock();
        let is_full = state.is_full();
        let Some(refused) = state.refused.get_mut(&conversation) else { return (!is_full).then_some(turn) };
        let own = refused.iter().position(|(_, refused)| refused == key);
        let turn = own.map_or(turn, |own| refused[own].0);
        let is_behind = refused.iter().any(|(before, _)| *before < turn);
        if is_behind || (own.is_none() && is_full) {
            return None;
        }
        if let Some(own) = own {
            refused.swap_remove(own);
        }
        if refused.is_empty() {
            state.refused.remove(&conversation);
        }
        Some(turn)
    }

    /// Closes the gate behind a refused send. One that was refused before keeps its turn.
    pub fn close(&self, conversation: ConversationId, key: &ClientKey, turn: Turn) {
        let mut state = self.lock();
        if state.is_full() {
            return;
        }
        let refused = state.refused.entry(conversation).or_default();
        if !refused.iter().any(|(_, refused)| refused == key) {
            refused.push((turn, key.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.refused.values().map(Vec::len).sum::<usize>() >= GATES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: ConversationId = ConversationId::from_bytes([1; 16]);

    fn key(number: usize) -> ClientKey {
        number.to_string().parse().unwrap()
    }

    #[test]
    fn only_the_refused_send_opens_the_gate() {
        let gate = Gate::default();
        let (first, second) = (gate.turn(), gate.turn());
        gate.close(TALK, &key(1), first);
        assert_eq!(gate.admit(TALK, &key(2), second), None);
        gate.close(TALK, &key(2), second);
        let other = ConversationId::from_bytes([2; 16]);
        assert!(gate.admit(other, &key(2), second).is_some(), "other conversations are not held up");
        assert_eq!(gate.admit(TALK, &key(1), gate.turn()), Some(first));
        assert_eq!(gate.admit(TALK, &key(2), gate.turn()), Some(second));
        assert!(gate.admit(TALK, &key(3), gate.turn()).is_some());
    }

    #[test]
    fn a_send_is_not_held_up_by_a_later_one() {
        let gate = Gate::default();
        let (in_its_lane, over_the_rate) = (gate.turn(), gate.turn());
        gate.close(TALK, &key(2), over_the_rate);
        assert_eq!(gate.admit(TALK, &key(1), in_its_lane), Some(in_its_lane));
    }

    #[test]
    fn the_gate_stays_closed_until_every_refused_send_is_back() {
        let gate = Gate::default();
        let (first, second) = (gate.turn(), gate.turn());
        // The second one is refused at once by the rate limit, the first one later by its lane.
        gate.close(TALK, &key(2), second);
        gate.close(TALK, &key(1), first);
        assert_eq!(gate.admit(TALK, &key(2), gate.turn()), None, "the first is still before it");
        assert!(gate.admit(TALK, &key(1), gate.turn()).is_some());
        assert_eq!(gate.admit(TALK, &key(3), gate.turn()), None, "the second is still before it");
        assert!(gate.admit(TALK, &key(2), gate.turn()).is_some());
    }

    #[test]
    fn a_send_that_is_refused_again_keeps_its_turn() {
        let gate = Gate::default();
        let (first, second) = (gate.turn(), gate.turn());
        gate.close(TALK, &key(1), first);
        gate.close(TALK, &key(2), second);
        let again = gate.admit(TALK, &key(1), gate.turn()).unwrap();
        gate.close(TALK, &key(1), again);
        assert_eq!(gate.admit(TALK, &key(2), gate.turn()), None);
    }

    #[test]
    fn what_it_remembers_is_bounded_and_then_nothing_new_passes() {
        let gate = Gate::default();
        for number in 0..=GATES_MAX {
            gate.close(TALK, &key(number), gate.turn());
        }
        let other = ConversationId::from_bytes([2; 16]);
        assert_eq!(gate.admit(other, &key(0), gate.turn()), None);
        assert!(gate.admit(TALK, &key(0), gate.turn()).is_some());
        assert!(gate.admit(other, &key(0), gate.turn()).is_some());
    }
}
