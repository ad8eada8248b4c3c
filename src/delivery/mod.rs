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
//!
//! Who comes and goes is another matter: [`visible`] counts the sessions that presence is told of, [`watchers`] knows who
//! watches whom, and [`lookout`] asks where they are.

mod cure;
mod dispatch;
mod item;
mod lookout;
mod metrics;
mod outbox;
mod owed;
mod position;
mod queue;
mod reader;
mod registry;
mod trail;
mod visible;
mod watchers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::bus::{Bus, BusEvent, Hints, Nodes};
use crate::model::limits::{PRESENCE_ANSWER_WAIT, TRAIL_QUESTIONS_MAX};
use crate::model::{AsOf, Clock, Identity, StoreTime, UserId};
use crate::presence::{Leaving, Presence, PresenceEvent};
use crate::store::{Memberships, StandingCache, Store, StoreClock};
use crate::telemetry::{Traces, Trail};

pub use item::{Item, Notice, SharedMessage, Way};
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
    /// Where is kept what the bus tells of conversations.
    pub hints: Hints,
    /// Where users are.
    pub presence: Arc<dyn Presence>,
    /// The wall clock: what latencies are measured with.
    pub clock: Arc<dyn Clock>,
    /// Where the traces of messages go that come with one.
    pub traces: Traces,
    /// What is remembered of messages.
    pub trail: Arc<Trail>,
    /// Which nodes there are.
    pub nodes: Arc<Nodes>,
}

/// A session's place in delivery: it leaves when this is dropped. After a while without another session of that user,
/// the user's channel is unsubscribed.
pub struct Seat {
    outbox: Arc<Outbox>,
    registry: Arc<registry::Registry>,
    visible: Arc<visible::Visible>,
    watchers: Arc<watchers::Watchers>,
    is_shown: AtomicBool,
}

impl Seat {
    /// The session's outbox.
    #[must_use]
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Whether others see its user through this session.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.is_shown.load(Ordering::Relaxed)
    }

    /// Sets whether others see its user through this session: not while it shows no sign of life.
    pub fn show(&self, shown: bool) {
        if self.is_shown.swap(shown, Ordering::Relaxed) == shown {
            return;
        }
        if shown {
            self.visible.show(&self.outbox);
        } else {
            self.visible.hide(&self.outbox, Leaving::Vanished);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.leave(&self.outbox);
        self.watchers.leave(&self.outbox);
        if self.is_shown() {
            self.visible.hide(&self.outbox, Leaving::Closed);
        }
    }
}

/// The way out of this node. One for each node.
pub struct Delivery {
    store_clock: Arc<StoreClock>,
    generation: crate::model::Generation,
    registry: Arc<registry::Registry>,
    reader: reader::Reader,
    visible: Arc<visible::Visible>,
    watchers: Arc<watchers::Watchers>,
    _tasks: [AbortOnDropHandle<()>; 9],
}

impl Delivery {
    /// Starts dispatching the bus's events and those of presence, and auditing users. The tasks end with the `Delivery`.
    #[must_use]
    pub fn start(
        ports: Ports,
        events: mpsc::Receiver<BusEvent>,
        comings_and_goings: mpsc::Receiver<PresenceEvent>,
    ) -> Self {
        let Ports { store, store_clock, memberships, standings, bus, hints, presence, clock, traces, trail, nodes } =
            ports;
        let metrics = metrics::Metrics::new();
        let watchers = Arc::new(watchers::Watchers::new(metrics.watched.clone()));
        let visible = Arc::new(visible::Visible::new(presence.clone(), watchers.clone(), clock.clone()));
        let lookout = lookout::Lookout {
            presence,
            store: store.clone(),
            bus: bus.clone(),
            watchers: watchers.clone(),
            visible: visible.clone(),
            metrics: metrics.clone(),
        };
        let registry = Arc::new(registry::Registry::new(bus.clone(), metrics.clone()));
        let cure =
            cure::Cure::new(store.clone(), store_clock.clone(), registry.clone(), clock.clone(), metrics.clone());
        let (questions, asked) = mpsc::channel(TRAIL_QUESTIONS_MAX);
        let desk = dispatch::Desk {
            registry: registry.clone(),
            memberships: memberships.clone(),
            standings,
            watchers: watchers.clone(),
            clock,
            metrics: metrics.clone(),
            traces,
            trail: trail.clone(),
            nodes: nodes.clone(),
            hints,
            questions,
        };
        let (trust, watched) = watch::channel(dispatch::Trust::Usual);
        let tasks = [
            tokio::spawn(dispatch::run(events, desk, trust)),
            tokio::spawn(dispatch::keep_cured(watched, cure.clone())),
            tokio::spawn(cure.clone().look_after_newcomers()),
            tokio::spawn(cure.audit()),
            tokio::spawn(registry.clone().sweep()),
            tokio::spawn(registry.clone().weigh()),
            tokio::spawn(lookout.clone().herald(comings_and_goings)),
            tokio::spawn(lookout.ask()),
            tokio::spawn(trail::answer(asked, trail.clone(), nodes, bus.clone())),
        ]
        .map(AbortOnDropHandle::new);
        let generation = store.generation();
        let reader = reader::Reader::new(store, memberships, trail, metrics);
        Self { store_clock, generation, registry, reader, visible, watchers, _tasks: tasks }
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
        let seat = Seat {
            outbox: Arc::new(Outbox::new(who.seats(), as_of, from)),
            registry: self.registry.clone(),
            visible: self.visible.clone(),
            watchers: self.watchers.clone(),
            is_shown: AtomicBool::new(false),
        };
        self.registry.join(&seat.outbox, self.store_clock.now()).await;
        seat.show(true);
        seat
    }

    /// Sets whom a session watches, in place of all whom it watched before, and answers it: with what there is to see of
    /// everybody in `asked`, of whom those it may not watch are as if offline. Changes follow behind the answer. Who is
    /// not known of within [`PRESENCE_ANSWER_WAIT`] is shown as offline until they are.
    pub async fn watch(&self, outbox: &Arc<Outbox>, watched: Vec<UserId>, asked: Vec<UserId>) {
        self.watchers.watch(outbox, watched);
        // Whoever is not known of in time is told of later.
        drop(timeout(PRESENCE_ANSWER_WAIT, self.watchers.asked(outbox)).await);
        self.watchers.answer(outbox, asked);
    }

    /// Tells a session of everybody whom it watches, if it had no room for a change and has now.
    pub fn pay_presence(&self, outbox: &Arc<Outbox>) {
        if outbox.takes_owed_presence() {
            self.watchers.tell_again(outbox);
        }
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

    /// How many sessions this node has.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.registry.sessions()
    }
}
