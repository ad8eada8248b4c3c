//! What a store holds, piece by piece: what a back-up is made of, and a store of a back-up.

use serde::{Deserialize, Serialize};

use super::Progress;
use crate::model::{Appearance, ConversationId, Cursor, Message, Profile, Seq, Standing, StoreTime, Summary, UserId};

/// One thing that a store holds. A store hands them over kind by kind, in the order of these variants: so whatever a record
/// rests on was there before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Record {
    /// What all nodes agreed on.
    Agreed {
        /// Under which name.
        name: String,
        /// What.
        value: String,
    },
    /// What is known of a person.
    Profile {
        /// Whose.
        user: UserId,
        /// What.
        #[serde(flatten)]
        profile: Profile,
    },
    /// Under which address somebody is found.
    Address {
        /// Who.
        user: UserId,
        /// Which.
        address: String,
    },
    /// How somebody appears to others.
    Appearance {
        /// Who.
        user: UserId,
        /// How.
        #[serde(flatten)]
        appearance: Appearance,
    },
    /// What was decided about somebody.
    Standing {
        /// Whom.
        user: UserId,
        /// What.
        #[serde(flatten)]
        standing: Box<Standing>,
    },
    /// An erasure under way.
    Erasure {
        /// Whose.
        user: UserId,
        /// How far it has come.
        #[serde(flatten)]
        progress: Progress,
    },
    /// A conversation: its members, its head, and what it is besides.
    Conversation(Box<Summary>),
    /// How far a member has come in a conversation; also one who has left it.
    Cursor {
        /// Which.
        conversation: ConversationId,
        /// Who, and how far.
        #[serde(flatten)]
        cursor: Cursor,
    },
    /// That somebody left a group.
    Departure {
        /// Who.
        user: UserId,
        /// Which.
        conversation: ConversationId,
        /// When, by the store's clock.
        at: StoreTime,
        /// Where in it.
        seq: Seq,
    },
    /// A message. Those of a conversation come together, by place, without a hole.
    Message {
        /// All of it.
        #[serde(flatten)]
        message: Message,
        /// When the store took it.
        stored: StoreTime,
    },
}

impl Record {
    /// The name of its kind, for counts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Agreed { .. } => "agreed",
            Self::Profile { .. } => "profile",
            Self::Address { .. } => "address",
            Self::Appearance { .. } => "appearance",
            Self::Standing { .. } => "standing",
            Self::Erasure { .. } => "erasure",
            Self::Conversation(_) => "conversation",
            Self::Cursor { .. } => "cursor",
            Self::Departure { .. } => "departure",
            Self::Message { .. } => "message",
        }
    }
}
