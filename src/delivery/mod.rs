//! From the bus to the sockets of this node.
//!
//! Each session has an [`Outbox`]: its bounded queue of frames, and its position in each conversation. Everything that
//! is to be shown on a socket goes through one decision ([`position`]), whether it comes live from the bus, from a
//! resume, from the repair of a hole or from the slow reading of a client that could not keep up: the next message is
//! shown, an earlier one dropped, a later one makes the session *want* its conversation up to there. A session reads
//! what it wants from the store, at its socket's pace, through the shared [`reader`].
//!
//! What the bus loses is found by [`cure`]: the question "where was activity?", asked of the store for some users at a
//! time – all at once after a doubt, again and again while the bus is away, and a few every moment as an audit.

mod cure;
mod dispatch;
mod item;
mod metrics;
mod outbox;
mod owed;
mod position;
mod queue;
mod reader;
mod registry;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::bus::{Bus, BusEvent};
use crate::model::{AsOf, Clock, Identity, StoreTime, UserId};
use crate::store::{Memberships, StandingCache, Store, StoreClock};

pub use item::{Item, Notice, SharedMessage};
pub use outbox::{Outbox, Start};
pub use reader::Pull;

/// What delivery is made of, handed in by the composition root.
pub struct Ports {
    /// Where everything can be read again.
    pub store: Arc<dyn Store>,
    /// What time the store has.
    pub store_clock: Arc<StoreClock>,
    /// Who is in which conversation.
    pub memberships: Arc<Memberships>,
    /// What is known of users' standings, to be forgotten when something is decided.
    pub standings: Arc<StandingCache>,
    /// Where channels are subscribed.
    pub bus: Arc<dyn Bus>,
    /// The wall clock: what latencies are measured with.
    pub clock: Arc<dyn Clock>,
}

/// A session's place in delivery: it leaves when this is dropped. After a while without another session of that user,
/// the user's channel is unsubscribed.
pub struct Seat {
    outbox: Arc<Outbox>,
    registry: Arc<registry::Registry>,
}

impl Seat {
    /// The session's outbox.
    #[must_use]
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.leave(&self.outbox);
    }
}

/// The way out of this node. One for each node.
pub struct Delivery {
    store_clock: Arc<StoreClock>,
    generation: crate::model::Generation,
    registry: Arc<registry::Registry>,
    reader: reader::Reader,
    _tasks: [AbortOnDropHandle<()>; 4],
}

impl Delivery {
    /// Starts dispatching the bus's events and auditing users. The tasks end with the `Delivery`.
    #[must_use]
    pub fn start(ports: Ports, events: mpsc::Receiver<BusEvent>) -> Self {
        let Ports { store, store_clock, memberships, standings, bus, clock } = ports;
        let metrics = metrics::Metrics::new();
        let registry = Arc::new(registry::Registry::new(bus, metrics.clone()));
        let cure = cure::Cure::new(store.clone(), store_clock.clone(), registry.clone(), metrics.clone());
        let desk = dispatch::Desk {
            registry: registry.clone(),
            memberships: memberships.clone(),
            standings,
            clock,
            metrics: metrics.clone(),
        };
        let (trust, watched) = watch::channel(dispatch::Trust::Usual);
        let tasks = [
            tokio::spawn(dispatch::run(events, desk, trust)),
            tokio::spawn(dispatch::keep_cured(watched, cure.clone())),
            tokio::spawn(cure.audit()),
            tokio::spawn(registry.clone().sweep()),
        ]
        .map(AbortOnDropHandle::new);
        let generation = store.generation();
        let reader = reader::Reader::new(store, memberships, metrics);
        Self { store_clock, generation, registry, reader, _tasks: tasks }
    }

    /// The point in history that a client which has just come, and knows nothing, starts at.
    #[must_use]
    pub fn here(&self) -> AsOf {
        AsOf { generation: self.generation, at: self.store_clock.now() }
    }

    /// Registers a session of `who`. When this returns, the user's channel is subscribed (an agent's: the team's too), and what is published from
    /// now on reaches the outbox; it is kept there as something wanted until the outbox is opened. It is owed what the
    /// store took after `from` in conversations whose start is not set.
    pub async fn join(&self, who: &Identity, as_of: AsOf, from: StoreTime) -> Seat {
        // Made before anything is awaited, so that a connection lost meanwhile leaves nothing behind.
        let seat = Seat { outbox: Arc::new(Outbox::new(who.seats(), as_of, from)), registry: self.registry.clone() };
        self.registry.join(&seat.outbox, self.store_clock.now()).await;
        seat
    }

    /// Up to when this session has been told everything.
    #[must_use]
    pub fn as_of(&self, outbox: &Outbox) -> AsOf {
        let sure = self.registry.audited(outbox.seats()).plus(cure::SURE_AFTER_AUDIT).min(self.store_clock.now());
        outbox.advance_as_of(sure)
    }

    /// The same for a client that learns it beside what is written just now: it does not move while anything waits
    /// behind that.
    #[must_use]
    pub fn as_of_written(&self, outbox: &Outbox) -> AsOf {
        if outbox.has_frames() { outbox.as_of() } else { self.as_of(outbox) }
    }

    /// Reads what a session wants next and puts it into its outbox.
    pub async fn pull(&self, outbox: &Outbox, pull: Pull) {
        self.reader.pull(outbox, pull).await;
    }

    /// Whether somebody has a session on this node.
    #[must_use]
    pub fn is_here(&self, user: &UserId) -> bool {
        self.registry.is_here(user)
    }

    /// How many sessions this node has.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.registry.sessions()
    }
}
