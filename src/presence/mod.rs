//! Who is connected, on any node. A node tells of a user when the first connection of theirs begins and when the last one
//! ends; what vouches for all of them is one lease of the node, so that a node that dies takes its users with it, and
//! nobody beats for each of them.
//!
//! An implementation is made together with the receiving end of its events:
//! `let (presence, events) = SomePresence::start(…)`, with `events: mpsc::Receiver<PresenceEvent>` of
//! [`PRESENCE_EVENTS_MAX`](crate::model::limits::PRESENCE_EVENTS_MAX) places. One node has one presence.

mod desk;
mod ledger;
pub mod local;
mod metrics;
pub mod redis;

use async_trait::async_trait;

use crate::model::{Timestamp, UserId, Whereabouts};

/// What presence tells its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceEvent {
    /// By now every node that asks finds these users as they are; whoever watches them should ask. At most every
    /// [`PRESENCE_DIFF_PERIOD`](crate::model::limits::PRESENCE_DIFF_PERIOD).
    Changed(Changes),
    /// Somebody may have come or gone without being told of: everybody who is watched should be asked about.
    Doubt,
}

/// Who came and who left, as far as one node knows: they may be connected elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// These came.
    pub came: Vec<UserId>,
    /// These left for good, on a node that lives or on one that died, and when their last connection there was lost.
    pub left: Vec<(UserId, Timestamp)>,
}

impl Changes {
    /// Whether nobody came or left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.came.is_empty() && self.left.is_empty()
    }
}

/// How a user's last connection to a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It was closed: they may be back in a moment, and are found for the time of grace.
    Closed,
    /// It shows no sign of life: they are not found any more.
    Vanished,
}

/// What vouches for the users of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It holds, or none is needed.
    Held,
    /// There is none, or it was not renewed in time: other nodes take the users here for offline, or say that they do not
    /// know.
    Missing,
}

/// The port.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// The first connection of a user to this node begins. Returns at once; every node finds them within a second, or,
    /// while what nodes share cannot be reached, within 5 s of its return. Entering twice is entering once.
    fn enter(&self, user: &UserId);

    /// The last connection of a user to this node has ended, at a wall-clock time. Returns at once. A later `enter` wins.
    fn leave(&self, user: &UserId, how: Leaving, at: Timestamp);

    /// Where these users are: one answer for each, in the order given. Who is connected anywhere is never called gone,
    /// but for their node's being cut off for longer than its lease; where that cannot be ruled out, as after a loss of
    /// what nodes share, they are unknown. Takes a few seconds at most, and never fails.
    async fn find(&self, users: &[UserId]) -> Vec<Whereabouts>;

    /// This node leaves: its users are found for the time of grace, as if they had all closed their connections at this
    /// wall-clock time. Whoever enters later is not found. Takes at most
    /// [`REDIS_COMMAND_WAIT`](crate::model::limits::REDIS_COMMAND_WAIT).
    async fn withdraw(&self, at: Timestamp);

    /// Whether this node's lease holds.
    fn lease(&self) -> Lease;
}
