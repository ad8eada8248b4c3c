//! Keeps one session's sends in order across a refusal: after a send was refused for now, later ones to the same
//! conversation are refused too, until the first comes back. Otherwise the later one would overtake it.
//!
//! The client's part: it repeats the refused send and everything that it said after it, in order.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::limits::REFUSED_SENDS_MAX;
use crate::model::{ClientKey, ConversationId};

/// One session's refused sends.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    turns: u64,
    refused: HashMap<ConversationId, Vec<Refused>>,
    full: bool,
}

/// A send that was refused and has not come back.
#[derive(Debug)]
struct Refused {
    key: ClientKey,
    /// When it arrived, of the times that count: the first, and the last.
    first: Turn,
    last: Turn,
}

/// When a send arrived, among those of its session. A send may be refused long after later ones arrived, or at once
/// while earlier ones still wait; who is behind whom is decided by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

impl Gate {
    /// A send arrives.
    pub fn turn(&self) -> Turn {
        let mut state = self.lock();
        state.turns += 1;
        Turn(state.turns)
    }

    /// Whether a send may go on now: it is not behind a refused one, or it is the first of the refused ones, coming
    /// back. Then those that were refused before it came back follow it, as the client has promised; those that were
    /// refused since are awaited in their turn.
    pub fn admits(&self, conversation: ConversationId, key: &ClientKey, turn: Turn) -> bool {
        let mut state = self.lock();
        let Some(refused) = state.refused.get_mut(&conversation) else { return !state.full };
        match refused.iter().min_by_key(|refused| refused.first) {
            Some(awaited) if awaited.first < turn && awaited.key != *key => false,
            Some(awaited) if awaited.first < turn => {
                refused.retain(|refused| refused.last > turn);
                refused.iter_mut().for_each(|refused| refused.first = refused.last);
                if refused.is_empty() {
                    state.refused.remove(&conversation);
                }
                true
            }
            _ => true,
        }
    }

    /// Closes the gate behind a refused send.
    pub fn close(&self, conversation: ConversationId, key: &ClientKey, turn: Turn) {
        let mut state = self.lock();
        if let Some(known) = state.refused.get_mut(&conversation).and_then(|all| all.iter_mut().find(|r| r.key == *key))
        {
            known.first = known.first.min(turn);
            known.last = known.last.max(turn);
        } else if state.refused.values().map(Vec::len).sum::<usize>() < REFUSED_SENDS_MAX {
            let refused = Refused { key: key.clone(), first: turn, last: turn };
            state.refused.entry(conversation).or_default().push(refused);
        } else {
            state.full = true;
        }
    }

    /// Nothing need wait for this key any more: its message was stored, or will never be.
    pub fn settle(&self, conversation: ConversationId, key: &ClientKey) {
        let mut state = self.lock();
        if let Some(refused) = state.refused.get_mut(&conversation) {
            refused.retain(|refused| refused.key != *key);
            if refused.is_empty() {
                state.refused.remove(&conversation);
            }
        }
    }

    /// Whether more sends were refused than can be remembered. Order can only be kept by a new session, in which the
    /// client repeats what was not answered.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lock().full
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: ConversationId = ConversationId::from_bytes([1; 16]);

    fn keys() -> [ClientKey; 3] {
        ["1", "2", "3"].map(|key| key.parse().unwrap())
    }

    #[test]
    fn only_the_refused_key_opens_the_gate() {
        let (gate, [first, second, _]) = (Gate::default(), keys());
        let (one, two) = (gate.turn(), gate.turn());
        assert!(gate.admits(TALK, &first, one));
        gate.close(TALK, &first, one);
        assert!(!gate.admits(TALK, &second, two));
        gate.close(TALK, &second, two);
        assert!(!gate.admits(TALK, &second, gate.turn()));
        let other = ConversationId::from_bytes([2; 16]);
        assert!(gate.admits(other, &second, gate.turn()), "other conversations are not held up");
        assert!(gate.admits(TALK, &first, gate.turn()));
        assert!(gate.admits(TALK, &second, gate.turn()));
    }

    #[test]
    fn what_arrived_before_a_refused_send_is_not_behind_it() {
        let (gate, [first, second, third]) = (Gate::default(), keys());
        let (one, two, three) = (gate.turn(), gate.turn(), gate.turn());
        gate.close(TALK, &third, three);
        assert!(gate.admits(TALK, &first, one));
        gate.close(TALK, &second, two);
        assert!(!gate.admits(TALK, &third, gate.turn()), "now an earlier one is awaited");
        assert!(gate.admits(TALK, &second, gate.turn()));
        assert!(gate.admits(TALK, &third, gate.turn()));
    }

    #[test]
    fn what_is_refused_while_the_awaited_one_is_on_its_way_is_awaited_next() {
        let (gate, [first, second, third]) = (Gate::default(), keys());
        gate.close(TALK, &first, gate.turn());
        gate.close(TALK, &second, gate.turn());
        let (first_again, second_again) = (gate.turn(), gate.turn());
        gate.close(TALK, &second, second_again);
        assert!(gate.admits(TALK, &first, first_again));
        assert!(!gate.admits(TALK, &third, gate.turn()));
        assert!(gate.admits(TALK, &second, gate.turn()));
    }

    #[test]
    fn one_that_is_refused_again_comes_before_those_behind_it() {
        let (gate, [first, second, _]) = (Gate::default(), keys());
        gate.close(TALK, &first, gate.turn());
        gate.close(TALK, &second, gate.turn());
        let (first_again, second_again) = (gate.turn(), gate.turn());
        gate.close(TALK, &second, second_again);
        assert!(gate.admits(TALK, &first, first_again));
        gate.close(TALK, &first, first_again);
        assert!(!gate.admits(TALK, &second, gate.turn()));
        assert!(gate.admits(TALK, &first, gate.turn()));
    }

    #[test]
    fn a_refused_repetition_of_a_stored_message_holds_up_nobody() {
        let (gate, [first, second, _]) = (Gate::default(), keys());
        gate.close(TALK, &first, gate.turn());
        gate.settle(TALK, &first);
        assert!(gate.admits(TALK, &second, gate.turn()));
    }

    #[test]
    fn a_full_gate_admits_nothing_that_it_cannot_judge() {
        let (gate, [_, second, _]) = (Gate::default(), keys());
        for number in 0..=REFUSED_SENDS_MAX {
            assert!(!gate.is_full());
            gate.close(TALK, &number.to_string().parse().unwrap(), gate.turn());
        }
        assert!(gate.is_full());
        assert!(!gate.admits(ConversationId::from_bytes([9; 16]), &second, gate.turn()));
    }
}
