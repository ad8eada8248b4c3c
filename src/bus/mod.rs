//! How nodes tell each other that something happened to a user: one channel for each user, at most once, in no
//! promised order. What it loses is found in the store, and of what it says only that is believed which a node has sealed
//! ([`Hints`]). Each node has a channel of its own, too, on
//! which others speak to it alone; whoever does so repeats what must arrive. And there is one that every node hears.
//!
//! An implementation is made together with the receiving end of its events:
//! `let (bus, events) = SomeBus::start(…)`, with `events: mpsc::Receiver<BusEvent>` of
//! [`BUS_EVENTS_MAX`](crate::model::limits::BUS_EVENTS_MAX) places. One node has one bus.

mod channel;
mod hints;
pub mod local;
mod metrics;
mod nodes;
mod outlet;
pub mod redis;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::model::{NodeId, UserId};

pub use hints::{Hint, Hints};
pub use nodes::Nodes;

/// What the bus tells its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// Somebody, perhaps this node, published this on the channel of this user.
    Message {
        /// Whose channel.
        user: UserId,
        /// What was published.
        payload: Bytes,
    },
    /// Somebody, perhaps this node, published this for every node.
    Broadcast {
        /// What was published.
        payload: Bytes,
    },
    /// Messages may have been lost on any channel: everything must be read up from the store. Sent after a
    /// reconnection (when all channels are subscribed again), after a lag of our own, and after the server changed.
    Doubt(Cause),
    /// The bus cannot be reached: until the next `Doubt`, nothing comes from other nodes.
    Away,
}

/// Why messages may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The connection was lost and is back, with every subscription made again.
    Reconnected,
    /// This node did not take its events fast enough, and some were dropped.
    Lagged,
    /// Another server answers now, or slots moved between servers.
    Moved,
}

impl Cause {
    /// Every cause, for counters that start at zero.
    pub const ALL: [Self; 3] = [Self::Reconnected, Self::Lagged, Self::Moved];

    /// The cause as a metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reconnected => "reconnected",
            Self::Lagged => "lagged",
            Self::Moved => "moved",
        }
    }
}

/// How a node hears the bus, by what it last heard of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// What it publishes comes back.
    Well,
    /// What it publishes is taken and does not come back, so it hears nobody else either. Its subscription is being made
    /// anew; until it hears again, the bus counts as away.
    Deaf,
    /// The bus cannot be reached.
    Away,
}

/// The port.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Queues a publication on a user's channel. At most once; waits at most
    /// [`PUBLISH_WAIT`](crate::model::limits::PUBLISH_WAIT) for room and then drops it and counts that. While the bus
    /// is away, a publication on a channel that this node subscribes to is handed to this node itself.
    async fn publish(&self, user: &UserId, payload: Bytes);

    /// Subscribes to a user's channel. When this returns, the subscription is in force: whatever is published from now
    /// on arrives (unless it is lost). While the bus is away it returns at once or within a second, and the
    /// subscription is in force before the next `Doubt`. Subscribing twice is subscribing once.
    async fn subscribe(&self, user: &UserId);

    /// Ends a subscription, some time soon. Harmless where there is none. A later `subscribe` wins.
    async fn unsubscribe(&self, user: &UserId);

    /// Queues a frame for one node. At most once; waits and drops as [`publish`](Self::publish) does. A node that nobody
    /// listens for hears nothing.
    async fn send(&self, to: NodeId, frame: Bytes);

    /// Queues a publication for every node, this one included. At most once; waits and drops as
    /// [`publish`](Self::publish) does, and while the bus is away it is handed to this node itself. A node hears what is
    /// published after its bus was started.
    async fn broadcast(&self, payload: Bytes);

    /// Subscribes to the channel of `node`, which is this node, and gives what is sent there from now on. At most
    /// [`NODE_FRAMES_MAX`](crate::model::limits::NODE_FRAMES_MAX) frames wait to be taken; beyond, they are dropped and
    /// counted. Whoever listened before hears no more.
    async fn listen(&self, node: NodeId) -> mpsc::Receiver<Bytes>;

    /// Whether this node hears what is published.
    fn hearing(&self) -> Hearing;
}
