//! Keeps one session's sends in order across a refusal: after a send was refused for now, later ones to the same
//! conversation are refused too, until the first comes back. Otherwise the later one would overtake it.
//!
//! The client's part: it repeats the refused send and everything that it said after it, in order. So the order in which
//! it says things is the order in which their keys *first* arrive, whatever becomes of each, and however many copies of
//! one are under way: several may be, since a send can be refused at once while an earlier copy still waits for the store.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::limits::REFUSED_SENDS_MAX;
use crate::model::{ClientKey, ConversationId};

/// One session's sends that are not settled.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In the order in which they first arrived.
    open: HashMap<ConversationId, Vec<Said>>,
    /// How many of them were refused and have not come back.
    refused: usize,
    /// The digests of the last sends that were settled, oldest first, at most [`REFUSED_SENDS_MAX`]. The client may not
    /// have heard of it yet, and repeat one with those before it: such a copy is answered, but nobody waits for it to
    /// come back.
    settled: VecDeque<u64>,
    full: bool,
}

/// A send that is neither stored nor refused for good.
#[derive(Debug)]
struct Said {
    key: ClientKey,
    /// It was refused and has not come back.
    refused: bool,
}

impl Gate {
    /// A send arrives.
    pub fn arrives(&self, conversation: ConversationId, key: &ClientKey) {
        self.lock().open(conversation, key);
    }

    /// Whether a send may go on now: nothing that was said before it is to come back. If it is itself one that was to
    /// come back, it has.
    pub fn admits(&self, conversation: ConversationId, key: &ClientKey) -> bool {
        let mut state = self.lock();
        if state.full {
            return false;
        }
        let Some(open) = state.open.get_mut(&conversation) else { return true };
        for said in open {
            if said.key == *key {
                if std::mem::take(&mut said.refused) {
                    state.refused -= 1;
                }
                return true;
            }
            if said.refused {
                return false;
            }
        }
        // A late copy of what is settled: whatever it is answered, it changes nothing.
        true
    }

    /// Closes the gate behind a refused send.
    pub fn close(&self, conversation: ConversationId, key: &ClientKey) {
        let mut state = self.lock();
        let Some(said) = state.open(conversation, key) else { return };
        if !std::mem::replace(&mut said.refused, true) {
            state.refused += 1;
            state.full |= state.refused > REFUSED_SENDS_MAX;
        }
    }

    /// Nothing need wait for this key any more: its message was stored, or will never be.
    pub fn settle(&self, conversation: ConversationId, key: &ClientKey) {
        self.lock().settle(conversation, key);
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

impl State {
    /// The send of this key, now known; none if it is settled.
    fn open(&mut self, conversation: ConversationId, key: &ClientKey) -> Option<&mut Said> {
        let open = self.open.get(&conversation);
        let index = open.and_then(|open| open.iter().position(|said| said.key == *key));
        if index.is_none() && self.settled.contains(&digest(conversation, key)) {
            return None;
        }
        let open = self.open.entry(conversation).or_default();
        let index = index.unwrap_or(open.len());
        if index == open.len() {
            open.push(Said { key: key.clone(), refused: false });
        }
        open.get_mut(index)
    }

    fn settle(&mut self, conversation: ConversationId, key: &ClientKey) {
        let Some(open) = self.open.get_mut(&conversation) else { return };
        let Some(index) = open.iter().position(|said| said.key == *key) else { return };
        self.refused -= usize::from(open.remove(index).refused);
        if open.is_empty() {
            self.open.remove(&conversation);
        }
        if self.settled.len() == REFUSED_SENDS_MAX {
            self.settled.pop_front();
        }
        self.settled.push_back(digest(conversation, key));
    }
}

fn digest(conversation: ConversationId, key: &ClientKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    (conversation, key).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: ConversationId = ConversationId::from_bytes([1; 16]);

    /// A gate at which three sends have arrived.
    fn three() -> (Gate, [ClientKey; 3]) {
        let (gate, keys) = (Gate::default(), ["1", "2", "3"].map(|key| key.parse().unwrap()));
        keys.iter().for_each(|key| gate.arrives(TALK, key));
        (gate, keys)
    }

    #[test]
    fn only_the_refused_key_opens_the_gate() {
        let (gate, [first, second, _]) = three();
        assert!(gate.admits(TALK, &first));
        gate.close(TALK, &first);
        assert!(!gate.admits(TALK, &second));
        gate.close(TALK, &second);
        assert!(!gate.admits(TALK, &second));
        let other = ConversationId::from_bytes([2; 16]);
        gate.arrives(other, &second);
        assert!(gate.admits(other, &second), "other conversations are not held up");
        assert!(gate.admits(TALK, &first));
        assert!(gate.admits(TALK, &second));
    }

    #[test]
    fn what_was_said_before_a_refused_send_is_not_behind_it() {
        let (gate, [first, second, third]) = three();
        gate.close(TALK, &third);
        assert!(gate.admits(TALK, &first));
        gate.close(TALK, &second);
        assert!(!gate.admits(TALK, &third), "now an earlier one is awaited");
        assert!(gate.admits(TALK, &second));
        assert!(gate.admits(TALK, &third));
    }

    #[test]
    fn one_that_is_refused_again_comes_before_those_behind_it() {
        let (gate, [first, second, _]) = three();
        gate.close(TALK, &first);
        gate.close(TALK, &second);
        assert!(gate.admits(TALK, &first));
        gate.close(TALK, &first);
        assert!(!gate.admits(TALK, &second));
        assert!(gate.admits(TALK, &first));
    }

    #[test]
    fn a_copy_that_is_refused_at_once_leaves_its_key_where_it_was() {
        let (gate, [first, second, third]) = three();
        gate.close(TALK, &third);
        // Copies of the first and the second still wait in the lane, and more copies arrive and are refused.
        gate.close(TALK, &second);
        gate.close(TALK, &first);
        assert!(!gate.admits(TALK, &second) && !gate.admits(TALK, &third));
        for key in [&first, &second, &third] {
            assert!(gate.admits(TALK, key), "in the order in which they were said");
            gate.settle(TALK, key);
        }
    }

    #[test]
    fn a_refused_copy_of_a_stored_message_holds_up_nobody() {
        let (gate, [first, second, _]) = three();
        gate.close(TALK, &first);
        gate.settle(TALK, &first);
        assert!(gate.admits(TALK, &second));
        gate.close(TALK, &first);
        assert!(gate.admits(TALK, &second), "also when the copy comes late");
        assert!(gate.admits(TALK, &first));
    }

    #[test]
    fn a_message_that_was_stored_before_anything_was_refused_is_not_awaited_either() {
        let (gate, [first, second, third]) = three();
        assert!(gate.admits(TALK, &first) && gate.admits(TALK, &second));
        gate.settle(TALK, &first);
        gate.settle(TALK, &second);
        // Before it hears of that, the client repeats both, and their copies are refused.
        for key in [&first, &second] {
            gate.arrives(TALK, key);
            gate.close(TALK, key);
        }
        assert!(gate.admits(TALK, &third));
    }

    #[test]
    fn a_full_gate_admits_nothing() {
        let (gate, [_, second, _]) = three();
        for number in 0..=REFUSED_SENDS_MAX {
            assert!(!gate.is_full());
            gate.close(TALK, &number.to_string().parse().unwrap());
        }
        assert!(gate.is_full());
        assert!(!gate.admits(ConversationId::from_bytes([9; 16]), &second));
    }

    #[test]
    fn what_is_settled_is_not_remembered_without_bound() {
        let (gate, _) = three();
        for number in 0..2 * REFUSED_SENDS_MAX {
            let key = number.to_string().parse().unwrap();
            gate.arrives(TALK, &key);
            gate.close(TALK, &key);
            gate.settle(TALK, &key);
        }
        let state = gate.lock();
        assert_eq!((state.settled.len(), state.refused, state.full), (REFUSED_SENDS_MAX, 0, false));
    }
}
