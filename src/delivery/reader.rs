//! Reads missing messages from the store. However many sockets of this node miss the same ones at the same time, they
//! are read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::item::SharedMessage;
use super::metrics::Metrics;
use super::outbox::Outbox;
use crate::model::limits::PAGE_MESSAGES_MAX;
use crate::model::{ConversationId, Seq, StoreTime};
use crate::store::{Span, Store, StoreError};

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
}

type Read = Arc<[Arc<SharedMessage>]>;
type Flight = OnceCell<Read>;

/// Which read: of a conversation, after a place, for somebody who knows that it goes up to a place.
type Route = (ConversationId, Seq, Seq);

pub(super) struct Reader {
    store: Arc<dyn Store>,
    /// Reads under way; a flight ends with the last session that waits for it.
    flights: Mutex<HashMap<Route, Weak<Flight>>>,
    metrics: Metrics,
}

impl Reader {
    pub(super) fn new(store: Arc<dyn Store>, metrics: Metrics) -> Self {
        Self { store, flights: Mutex::default(), metrics }
    }

    /// Reads one page of what a session wants and offers it.
    pub(super) async fn pull(&self, outbox: &Outbox, pull: Pull) {
        match self.read(outbox, pull).await {
            Ok(messages) => {
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
        let after = match pull.shown {
            Some(shown) => shown,
            None => {
                let base = self.store.tail(pull.conversation, Some(pull.start)).await?;
                let base = base.map_or(Seq::ZERO, |tail| tail.seq);
                outbox.starts_after(pull.conversation, base);
                base
            }
        };
        if after >= pull.wanted {
            return Ok(Arc::new([]));
        }
        self.page_after((pull.conversation, after, pull.wanted)).await
    }

    async fn page_after(&self, route: Route) -> Result<Read, StoreError> {
        let flight = self.board(route);
        let (conversation, after, _) = route;
        let read = flight.get_or_try_init(|| async {
            self.metrics.reads.increment(1);
            let page = self.store.page(conversation, Span::After(after), PAGE_MESSAGES_MAX).await?;
            Ok(page.into_iter().map(|message| Arc::new(SharedMessage::new(Arc::new(message), None))).collect())
        });
        read.await.cloned()
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
