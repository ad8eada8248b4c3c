//! Compare and send: a message that is stored right after the place that its writer saw, or not at all.
//!
//! It goes alone, and only while the end of the conversation is that very place. So whatever becomes of an attempt,
//! there is one place where it can be: the one behind. Once that is taken by another message it is refused for good,
//! and no attempt of it that is still under way can succeed.

use std::sync::Arc;

use super::{Lane, Pending};
use crate::model::limits::UNSEEN_HEAD_WAIT;
use crate::model::{Code, Message, Refusal, Seq};
use crate::store::{Span, StoreError, Tail};

use tokio::time::Instant;

impl Pending {
    fn is(&self, message: &Message) -> bool {
        message.sender == self.new.sender && message.key == self.new.key
    }
}

impl Lane {
    /// The place that the next message must be stored right after, if it must.
    pub(super) fn exact_front(&self) -> Option<Seq> {
        self.queue.front().filter(|_| self.admitted > 0)?.exact
    }

    /// How many at the front are tried together: one alone, in an insert that other conversations share, unless so many wait
    /// that an insert of their own is worth its price. In a group it always is, since every end that is read anew costs more.
    pub(super) fn run_length(&self) -> usize {
        let admitted = self.queue.iter().take(self.admitted);
        let before_exact = admitted.take_while(|pending| pending.exact.is_none()).count();
        let run_from = if self.is_exact { 2 } else { self.parts.store.run_from() };
        if before_exact < run_from { self.admitted.min(1) } else { before_exact }
    }

    /// The conversation does not end where the writer at the front saw it end.
    pub(super) async fn compare(&mut self, head: Seq, end: Tail) -> Result<(), StoreError> {
        if end.seq < head { self.look_for(head).await } else { self.refuse_late(head).await }
    }

    /// Others wrote after the place, or the message itself is there, by an earlier attempt.
    async fn refuse_late(&mut self, head: Seq) -> Result<(), StoreError> {
        let behind = self.parts.store.page(self.conversation, Span::After(head), 1).await?.pop();
        let Some(behind) = behind else {
            self.end = None;
            return Err(StoreError::Unavailable("what comes after a place cannot be read yet".to_owned()));
        };
        if self.queue.front().is_some_and(|front| front.is(&behind)) {
            self.finish_front(Arc::new(behind), None).await;
            return Ok(());
        }
        self.refuse_unless_stored(Refusal::new(Code::Conflict, "others wrote after the place that you saw")).await
    }

    /// The writer saw a place that this node has not seen: perhaps it only has to look again.
    async fn look_for(&mut self, head: Seq) -> Result<(), StoreError> {
        let Some(front) = self.queue.front_mut() else { return Ok(()) };
        let is_new = front.unseen_since.is_none();
        let since = *front.unseen_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= UNSEEN_HEAD_WAIT {
            let refusal = Refusal::new(Code::Invalid, "`head` is beyond the last message");
            return self.refuse_unless_stored(refusal).await;
        }
        self.end = None;
        let later = || Err(StoreError::Unavailable(format!("place {head} cannot be read yet")));
        if is_new { Ok(()) } else { later() }
    }

    /// A key that was stored already, wherever that was, is answered with its first result as ever.
    async fn refuse_unless_stored(&mut self, refusal: Refusal) -> Result<(), StoreError> {
        let Some(front) = self.queue.front() else { return Ok(()) };
        match self.parts.store.find(self.conversation, &front.new.sender, &front.new.key).await? {
            Some(message) => self.finish_front(Arc::new(message), None).await,
            None => self.refuse_front(refusal),
        }
        Ok(())
    }
}
