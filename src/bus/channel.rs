//! What is published on: a user's channel, a node's, the one of all nodes, or the one on which a node hears itself.

use crate::model::{NodeId, UserId};

/// Whose channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Channel {
    /// What happened to a user, for every node that holds a socket of theirs.
    User(UserId),
    /// What one node has to say to another.
    Node(NodeId),
    /// What one node has to say to all.
    Everyone,
    /// What one node says to itself, to know that it hears.
    Canary(NodeId),
}
