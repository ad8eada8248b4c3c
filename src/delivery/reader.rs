//! Reads missing messages from the store. However many sockets of this node miss the same ones at the same time, they
//! are read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::item::SharedMessage;
use super::metrics::Metrics;
use super::outbox::Outbox;
use crate::model::limits::PAGE_MESSAGES_MAX;
use crate::model::{ConversationId, Message, Seq, StoreTime};
use crate::store::{Memberships, Span, Store, StoreError};
use crate::telemetry::Trail;

/// What a session wants to read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pull {
    /// Which conversation.
    pub conversation: ConversationId,
    /// After this place. None: first find out where the session starts.
    pub shown: Option<Seq>,
    /// Up to this place, at least.
    pub wanted: Seq,
    /// The time at which conversations without a known place start for this session.
    pub start: StoreTime,
    /// Whether it is a group, of which not everybody may see everything.
    pub group: bool,
}

type Read = Arc<[Arc<SharedMessage>]>;
type Flight = OnceCell<Read>;

/// Which read: of a conversation, after a place, for somebody who knows that it goes up to a place.
type Route = (ConversationId, Seq, Seq);

pub(super) struct Reader {
    store: Arc<dyn Store>,
    memberships: Arc<Memberships>,
    /// Reads under way; a flight ends with the last session that waits for it.
    flights: Mutex<HashMap<Route, Weak<Flight>>>,
    trail: Arc<Trail>,
    metrics: Metrics,
}

impl Reader {
    pub(super) fn new(
        store: Arc<dyn Store>,
        memberships: Arc<Memberships>,
        trail: Arc<Trail>,
        metrics: Metrics,
    ) -> Self {
        Self { store, memberships, flights: Mutex::default(), trail, metrics }
    }

    /// Reads one page of what a session wants and offers it.
    pub(super) async fn pull(&self, outbox: &Outbox, pull: Pull) {
        let read =
            if pull.group { self.read_group(outbox, pull).await } else { self.read(outbox, pull).await.map(Some) };
        match read {
            Ok(None) => outbox.forget(pull.conversation),
            Ok(Some(messages)) => {
                let shown = outbox.pulled(pull.conversation, &messages);
                self.metrics.repaired.increment(shown as u64);
            }
            Err(error) => {
                self.metrics.read_failures.increment(1);
                tracing::debug!(%error, conversation = %pull.conversation, "missing messages could not be read yet");
                outbox.pull_failed(pull.conversation);
            }
        }
    }

    async fn read(&self, outbox: &Outbox, pull: Pull) -> Result<Read, StoreError> {
        let after = self.base(pull).await?;
        if pull.shown.is_none() {
            outbox.starts_after(pull.conversation, after);
        }
        if after >= pull.wanted {
            return Ok(Arc::new([]));
        }
        let page = self.page_after((pull.conversation, after, pull.wanted), false).await?;
        self.pass_what_is_gone(outbox, pull.conversation, after, &page).await?;
        Ok(page)
    }

    /// The same of a group: only what the session's user may see. None where they are strangers to it.
    async fn read_group(&self, outbox: &Outbox, pull: Pull) -> Result<Option<Read>, StoreError> {
        let base = self.base(pull).await?;
        let guess = self.memberships.guess(outbox.seats(), pull.conversation);
        let after = base.max(guess.after);
        let page: Read = if after < guess.cut(pull.wanted) {
            self.page_after((pull.conversation, after, pull.wanted), true).await?
        } else {
            Arc::new([])
        };
        let messages: Vec<&Message> = page.iter().map(|shared| &*shared.message).collect();
        let range = self.memberships.range(outbox.seats(), pull.conversation, &messages).await?;
        let Some(range) = range else { return Ok(None) };
        outbox.confine(pull.conversation, base, range, pull.wanted);
        self.pass_what_is_gone(outbox, pull.conversation, after, &page).await?;
        Ok(Some(page.iter().filter(|shared| range.shows(shared.message.seq)).cloned().collect()))
    }

    /// After which place a session reads: where it is, or where it starts.
    async fn base(&self, pull: Pull) -> Result<Seq, StoreError> {
        if let Some(shown) = pull.shown {
            return Ok(shown);
        }
        let base = self.store.tail(pull.conversation, Some(pull.start)).await?;
        Ok(base.map_or(Seq::ZERO, |tail| tail.seq))
    }

    async fn page_after(&self, route: Route, group: bool) -> Result<Read, StoreError> {
        let flight = self.board(route);
        let (conversation, after, _) = route;
        let read = flight.get_or_try_init(|| async {
            self.metrics.reads.increment(1);
            let page = self.store.page(conversation, Span::After(after), PAGE_MESSAGES_MAX).await?;
            let shared = |message: Message| {
                let reception = self.trail.read(&message);
                Arc::new(SharedMessage::new(Arc::new(message), None, group).noted(reception).read())
            };
            Ok(page.into_iter().map(shared).collect())
        });
        read.await.cloned()
    }

    /// What came next after a place may not be kept any more: then the session goes on where the history begins now. A hole
    /// behind something that is there is another matter: that is not passed over.
    async fn pass_what_is_gone(
        &self,
        outbox: &Outbox,
        conversation: ConversationId,
        after: Seq,
        page: &[Arc<SharedMessage>],
    ) -> Result<(), StoreError> {
        let next = page.first().map(|shared| shared.message.seq).filter(|next| *next > after.next());
        let Some(next) = next else { return Ok(()) };
        let first = self.store.page(conversation, Span::After(Seq::ZERO), 1).await?;
        if first.first().is_none_or(|first| first.seq >= next) {
            outbox.pass(conversation, next.previous());
        }
        Ok(())
    }

    /// The flight on this route, a new one if none is under way.
    fn board(&self, route: Route) -> Arc<Flight> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&route).and_then(Weak::upgrade) {
            self.metrics.reads_shared.increment(1);
            return flight;
        }
        if flights.len() >= 1_024 {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        let flight = Arc::new(Flight::new());
        flights.insert(route, Arc::downgrade(&flight));
        flight
    }
}

fn lock(flights: &Mutex<HashMap<Route, Weak<Flight>>>) -> MutexGuard<'_, HashMap<Route, Weak<Flight>>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}
