//! How far conversations go, as the bus tells: kept for those that somebody writes in on this node. It is a reason to look
//! into the store, never more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{ConversationId, Seq};

type Places = Mutex<HashMap<ConversationId, Arc<AtomicU64>>>;

/// The highest place that was heard of, for each conversation that is followed.
#[derive(Debug, Clone, Default)]
pub struct Hints(Arc<Places>);

/// What is heard of one conversation, as long as this is kept.
#[derive(Debug)]
pub struct Hint {
    conversation: ConversationId,
    place: Arc<AtomicU64>,
    all: Hints,
}

impl Hints {
    /// Follows a conversation, from nothing. There is one who does at a time; who comes later hears in place of the other.
    #[must_use]
    pub fn follow(&self, conversation: ConversationId) -> Hint {
        let place = Arc::<AtomicU64>::default();
        self.lock().insert(conversation, place.clone());
        Hint { conversation, place, all: self.clone() }
    }

    /// A message at this place was heard of.
    pub fn heard(&self, conversation: ConversationId, seq: Seq) {
        if let Some(place) = self.lock().get(&conversation) {
            place.fetch_max(seq.0, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Arc<AtomicU64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hint {
    /// The highest place that was heard of since this exists.
    #[must_use]
    pub fn highest(&self) -> Seq {
        Seq(self.place.load(Ordering::Relaxed))
    }
}

impl Drop for Hint {
    fn drop(&mut self) {
        let mut followed = self.all.lock();
        if followed.get(&self.conversation).is_some_and(|place| Arc::ptr_eq(place, &self.place)) {
            followed.remove(&self.conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_followed_is_heard_of_and_nothing_else_is_kept() {
        let (one, other) = (ConversationId::from_bytes([1; 16]), ConversationId::from_bytes([2; 16]));
        let hints = Hints::default();
        hints.heard(one, Seq(9));
        let hint = hints.follow(one);
        assert_eq!(hint.highest(), Seq::ZERO, "nobody followed it then");
        for seq in [4, 7, 5] {
            hints.heard(one, Seq(seq));
            hints.heard(other, Seq(70));
        }
        assert_eq!(hint.highest(), Seq(7));
        assert_eq!(hints.lock().len(), 1);
        let later = hints.follow(one);
        drop(hint);
        hints.heard(one, Seq(8));
        assert_eq!(later.highest(), Seq(8), "the earlier follower's end is not the later one's");
        drop(later);
        assert!(hints.lock().is_empty());
    }
}
