//! What a message can say instead of text: that its conversation changed, or that its text is gone.

use serde::{Deserialize, Serialize};

use crate::model::UserId;

/// What somebody is in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Post {
    /// Takes part.
    #[default]
    Member,
    /// Decides who takes part, and what the group is called.
    Owner,
}

/// What changed with a message. Its sender is who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Event {
    /// The group began.
    Created {
        /// What it is called.
        name: String,
    },
    /// The group has another name.
    Named {
        /// Which.
        name: String,
    },
    /// Somebody is in it from here on.
    Added {
        /// Who.
        user: UserId,
    },
    /// Somebody was in it until here.
    Removed {
        /// Who.
        user: UserId,
    },
    /// Somebody left by themselves.
    Left {
        /// Who: the sender.
        user: UserId,
    },
    /// Somebody in it is something else now.
    Role {
        /// Who.
        user: UserId,
        /// What.
        role: Post,
    },
    /// What was said here is gone, since who said it was erased.
    Erased,
}

impl Event {
    /// Whom it is about, if about somebody.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Created { .. } | Self::Named { .. } | Self::Erased => None,
            Self::Added { user } | Self::Removed { user } | Self::Left { user } | Self::Role { user, .. } => Some(user),
        }
    }
}
