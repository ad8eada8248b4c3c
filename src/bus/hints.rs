//! How far conversations go, as other nodes tell: kept for those that somebody writes in on this node. Only what a node of
//! this store has sealed is believed, since anybody who reaches the bus can speak there.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::{ConversationId, Seq};
use crate::wire::{Seal, Sealer};

type Places = Mutex<HashMap<ConversationId, Arc<Place>>>;

/// The highest place that was heard of in a conversation.
#[derive(Debug, Default)]
struct Place {
    highest: AtomicU64,
    /// The highest one that who follows it has taken: what is heard of it needs no seal.
    own: AtomicU64,
    heard: Notify,
}

/// The highest place that was heard of, for each conversation that is followed.
#[derive(Debug, Clone)]
pub struct Hints {
    places: Arc<Places>,
    sealer: Sealer,
}

/// What is heard of one conversation, as long as this is kept.
#[derive(Debug)]
pub struct Hint {
    conversation: ConversationId,
    place: Arc<Place>,
    all: Hints,
}

impl Hints {
    /// Nothing is heard of yet. What this sealer seals is believed.
    #[must_use]
    pub fn new(sealer: Sealer) -> Self {
        Self { places: Arc::default(), sealer }
    }

    /// What makes others believe that this place is taken, which the store has confirmed.
    #[must_use]
    pub fn seal(&self, conversation: ConversationId, seq: Seq) -> Seal {
        self.sealer.seal(conversation, seq)
    }

    /// Follows a conversation, from nothing. There is one who does at a time; who comes later hears in place of the other.
    #[must_use]
    pub fn follow(&self, conversation: ConversationId) -> Hint {
        let place = Arc::<Place>::default();
        self.lock().insert(conversation, place.clone());
        Hint { conversation, place, all: self.clone() }
    }

    /// A message at this place was heard of, under this seal.
    pub fn heard(&self, conversation: ConversationId, seq: Seq, seal: Option<Seal>) {
        let Some(place) = self.lock().get(&conversation).cloned() else { return };
        if seq.0 <= place.highest.load(Ordering::Relaxed) {
            return;
        }
        // Nobody waits for a place of their own.
        if seq.0 <= place.own.load(Ordering::Relaxed) {
            place.highest.fetch_max(seq.0, Ordering::Relaxed);
        } else if seal.is_some_and(|seal| self.sealer.is_true(seal, conversation, seq)) {
            place.highest.fetch_max(seq.0, Ordering::Relaxed);
            place.heard.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hint {
    /// The highest place that was heard of since this exists.
    #[must_use]
    pub fn highest(&self) -> Seq {
        Seq(self.place.highest.load(Ordering::Relaxed))
    }

    /// The store has confirmed a message of who follows this at this place.
    pub fn took(&self, seq: Seq) {
        self.place.own.fetch_max(seq.0, Ordering::Relaxed);
    }

    /// Waits until this place or a higher one was heard of.
    pub async fn reaches(&self, seq: Seq) {
        loop {
            let mut heard = pin!(self.place.heard.notified());
            // From now on, nothing that is heard is missed.
            heard.as_mut().enable();
            if self.highest() >= seq {
                return;
            }
            heard.await;
        }
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
    use futures_util::FutureExt;

    use super::*;
    use crate::model::Generation;

    impl Hints {
        fn hear(&self, conversation: ConversationId, seq: u64) {
            self.heard(conversation, Seq(seq), Some(self.seal(conversation, Seq(seq))));
        }
    }

    fn hints() -> Hints {
        Hints::new(Sealer::new("secret", Generation(1)))
    }

    #[test]
    fn only_what_is_sealed_by_one_of_us_is_believed() {
        let conversation = ConversationId::from_bytes([1; 16]);
        let hints = hints();
        let hint = hints.follow(conversation);
        hints.heard(conversation, Seq(9), None);
        hints.heard(conversation, Seq(9), Some(hints.seal(conversation, Seq(8))));
        hints.heard(conversation, Seq(9), Some(Sealer::new("another", Generation(1)).seal(conversation, Seq(9))));
        assert_eq!(hint.highest(), Seq::ZERO);
        hints.hear(conversation, 3);
        assert_eq!(hint.highest(), Seq(3));
    }

    #[test]
    fn what_one_took_oneself_needs_no_seal_and_is_heard_of_all_the_same() {
        let conversation = ConversationId::from_bytes([1; 16]);
        let hints = hints();
        let hint = hints.follow(conversation);
        hint.took(Seq(5));
        assert_eq!(hint.highest(), Seq::ZERO, "the bus has not said anything yet");
        hints.heard(conversation, Seq(5), None);
        assert_eq!(hint.highest(), Seq(5));
        hints.heard(conversation, Seq(6), None);
        assert_eq!(hint.highest(), Seq(5));
    }

    #[tokio::test]
    async fn who_waits_for_a_place_is_told_of_it() {
        let conversation = ConversationId::from_bytes([1; 16]);
        let hints = hints();
        let hint = hints.follow(conversation);
        let wait = hint.reaches(Seq(3));
        let hear = async {
            for seq in 1..=4 {
                tokio::task::yield_now().await;
                hints.hear(conversation, seq);
            }
        };
        tokio::join!(wait, hear);
        assert_eq!(hint.highest(), Seq(4));
        hint.reaches(Seq(4)).await;
        assert!(hint.reaches(Seq(5)).now_or_never().is_none(), "nobody told of it");
    }

    #[test]
    fn what_is_followed_is_heard_of_and_nothing_else_is_kept() {
        let (one, other) = (ConversationId::from_bytes([1; 16]), ConversationId::from_bytes([2; 16]));
        let hints = hints();
        hints.hear(one, 9);
        let hint = hints.follow(one);
        assert_eq!(hint.highest(), Seq::ZERO, "nobody followed it then");
        for seq in [4, 7, 5] {
            hints.hear(one, seq);
            hints.hear(other, 70);
        }
        assert_eq!(hint.highest(), Seq(7));
        assert_eq!(hints.lock().len(), 1);
        let later = hints.follow(one);
        drop(hint);
        hints.hear(one, 8);
        assert_eq!(later.highest(), Seq(8), "the earlier follower's end is not the later one's");
        drop(later);
        assert!(hints.lock().is_empty());
    }
}
