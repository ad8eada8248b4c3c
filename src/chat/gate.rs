//! Keeps one session's sends in order across a refusal: after a send was refused for now, later ones to the same
//! conversation are refused too, until the first comes back. Otherwise the later one would overtake it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::limits::GATES_MAX;
use crate::model::{ClientKey, ConversationId};

/// One session's refused sends.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    turns: u64,
    /// The earliest refused send of each conversation, which has not come back.
    awaited: HashMap<ConversationId, (Turn, ClientKey)>,
    full: bool,
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

    /// Whether a send may go on now: it is not behind a refused one, or it is the refused one coming back, which opens
    /// the gate.
    pub fn admits(&self, conversation: ConversationId, key: &ClientKey, turn: Turn) -> bool {
        let mut state = self.lock();
        match state.awaited.get(&conversation) {
            Some((refused, _)) if turn < *refused => true,
            Some((_, awaited)) if awaited == key => state.awaited.remove(&conversation).is_some(),
            Some(_) => false,
            None => !state.full,
        }
    }

    /// Closes the gate behind a refused send, unless an earlier one is awaited already.
    pub fn close(&self, conversation: ConversationId, key: &ClientKey, turn: Turn) {
        let mut state = self.lock();
        if state.awaited.len() >= GATES_MAX && !state.awaited.contains_key(&conversation) {
            state.full = true;
            return;
        }
        let awaited = state.awaited.entry(conversation).or_insert_with(|| (turn, key.clone()));
        if turn < awaited.0 {
            *awaited = (turn, key.clone());
        }
    }

    /// A message was stored: whether or not its key was refused another time, nothing waits for it any more.
    pub fn open(&self, conversation: ConversationId, key: &ClientKey) {
        let mut state = self.lock();
        if state.awaited.get(&conversation).is_some_and(|(_, awaited)| awaited == key) {
            state.awaited.remove(&conversation);
        }
    }

    /// Whether sends were refused in more conversations than can be remembered. Order can only be kept by a new
    /// session, in which the client repeats what was not answered.
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
    }

    #[test]
    fn a_refused_repetition_of_a_stored_message_holds_up_nobody() {
        let (gate, [first, second, _]) = (Gate::default(), keys());
        gate.close(TALK, &first, gate.turn());
        gate.open(TALK, &first);
        assert!(gate.admits(TALK, &second, gate.turn()));
    }

    #[test]
    fn a_full_gate_admits_nothing_that_it_cannot_judge() {
        let (gate, [first, second, _]) = (Gate::default(), keys());
        for talk in 0..=GATES_MAX {
            assert!(!gate.is_full());
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(talk as u64).to_be_bytes());
            gate.close(ConversationId::from_bytes(id), &first, gate.turn());
        }
        assert!(gate.is_full());
        assert!(!gate.admits(ConversationId::from_bytes([9; 16]), &second, gate.turn()));
    }
}
