//! What travels on the bus. MessagePack with a leading version byte: a node speaks to neighbours one version apart,
//! and drops (and counts) what it does not know, since the store has everything that matters.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::{Assignment, ConversationId, Cursor, Message, StoreTime, UserId};

/// The version this node writes. It reads this one only; the first that changes must also read its predecessor.
pub const VERSION: u8 = 1;

/// Something that happened, as one node tells the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Envelope {
    /// A message was stored.
    #[serde(rename = "m")]
    Message {
        /// The message.
        #[serde(rename = "m")]
        message: Arc<Message>,
        /// No later than this did the store take its predecessor; absent for the first, or where it is not known.
        /// It spares the receiving node a read when a session has not seen the conversation yet.
        #[serde(rename = "p")]
        predecessor: Option<StoreTime>,
        /// Whether its conversation is a group, in which not everybody may see everything. Last, and absent where it is
        /// not, so that the bytes are what they were.
        #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
        group: bool,
    },
    /// A member's cursors moved.
    #[serde(rename = "r")]
    Receipt {
        /// Which conversation.
        #[serde(rename = "c")]
        conversation: ConversationId,
        /// Whose, and where they are now.
        #[serde(rename = "u")]
        cursor: Cursor,
    },
    /// A member writes, or has stopped.
    #[serde(rename = "t")]
    Typing {
        /// Which conversation.
        #[serde(rename = "c")]
        conversation: ConversationId,
        /// Who.
        #[serde(rename = "u")]
        user: UserId,
        /// Whether they do.
        #[serde(rename = "a")]
        active: bool,
    },
    /// Something was decided about the user whose channel this is: to be read anew, so that it does not matter in which
    /// order two of these come.
    #[serde(rename = "s")]
    Standing {},
    /// Who of the team sees to a talk.
    #[serde(rename = "d")]
    Assignment {
        /// Which talk.
        #[serde(rename = "c")]
        conversation: ConversationId,
        /// Who does, now.
        #[serde(rename = "a")]
        assignment: Assignment,
    },
    /// These users came, left or changed how they appear: whoever watches them asks about them. For every node.
    #[serde(rename = "p")]
    Presence {
        /// Who.
        #[serde(rename = "u")]
        users: Vec<UserId>,
    },
}

/// Bytes from the bus that this node cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Of another version.
    #[error("an envelope of version {0}")]
    Version(u8),
    /// Not an envelope.
    #[error("not an envelope")]
    Malformed,
}

impl Envelope {
    /// The envelope as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = vec![VERSION];
        let written = rmp_serde::encode::write(&mut bytes, self);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        bytes.into()
    }

    /// Bytes as an envelope.
    ///
    /// # Errors
    /// If they are of another version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => rmp_serde::from_slice(rest).map_err(|_| EnvelopeError::Malformed),
            Some((&version, _)) => Err(EnvelopeError::Version(version)),
            None => Err(EnvelopeError::Malformed),
        }
    }
}
