//! Keeps one session's sends in order across a refusal: after a send was refused for now, later ones to the same
//! conversation are refused too, until the first comes back. Otherwise the later one would overtake it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::limits::GATES_MAX;
use crate::model::{ClientKey, ConversationId};

/// One session's refused sends.
#[derive(Debug, Default)]
pub struct Gate(Mutex<HashMap<ConversationId, ClientKey>>);

impl Gate {
    /// Whether a send may go on now: nothing of that conversation was refused, or it is the refused one coming back,
    /// which opens the gate.
    pub fn admits(&self, conversation: ConversationId, key: &ClientKey) -> bool {
        let mut refused = self.lock();
        match refused.get(&conversation) {
            Some(awaited) if awaited == key => refused.remove(&conversation).is_some(),
            Some(_) => false,
            None => refused.len() < GATES_MAX,
        }
    }

    /// Closes the gate behind a refused send. If it is closed already, the earlier refusal stands.
    pub fn close(&self, conversation: ConversationId, key: &ClientKey) {
        self.lock().entry(conversation).or_insert_with(|| key.clone());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, ClientKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_refused_key_opens_the_gate() {
        let gate = Gate::default();
        let talk = ConversationId::from_bytes([1; 16]);
        let (first, second): (ClientKey, ClientKey) = ("1".parse().unwrap(), "2".parse().unwrap());
        assert!(gate.admits(talk, &first));
        gate.close(talk, &first);
        gate.close(talk, &second);
        assert!(!gate.admits(talk, &second));
        assert!(gate.admits(ConversationId::from_bytes([2; 16]), &second), "other conversations are not held up");
        assert!(gate.admits(talk, &first));
        assert!(gate.admits(talk, &second));
    }
}
