//! A message, as it is stored, carried and shown.

use serde::{Deserialize, Serialize};

use super::{ClientKey, ConversationId, Event, MessageId, Seq, Timestamp, UserId};

/// A message before the store has given it a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Where it goes.
    pub conversation: ConversationId,
    /// Its id for ever, made by the node that accepted it.
    pub id: MessageId,
    /// Who wrote it.
    pub sender: UserId,
    /// What its writer calls it: with sender and conversation, the idempotency key.
    pub key: ClientKey,
    /// When a node accepted it, by that node's clock.
    pub at: Timestamp,
    /// What it says: at most [`TEXT_BYTES_MAX`](super::limits::TEXT_BYTES_MAX) bytes of UTF-8, or where it was imported
    /// [`IMPORT_TEXT_BYTES_MAX`](super::limits::IMPORT_TEXT_BYTES_MAX).
    pub text: String,
    /// What changed with it, in place of text.
    pub event: Option<Event>,
}

/// A message that has its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Where it is.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    #[serde(rename = "from")]
    pub sender: UserId,
    /// What its writer called it.
    pub key: ClientKey,
    /// When a node accepted it, by that node's clock.
    pub at: Timestamp,
    /// What it says; nothing where it tells of a change.
    pub text: String,
    /// What changed with it. Last, and absent where there is none, so that the bytes of other messages are what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

impl NewMessage {
    /// The message at its place.
    #[must_use]
    pub fn at_seq(self, seq: Seq) -> Message {
        let Self { conversation, id, sender, key, at, text, event } = self;
        Message { conversation, seq, id, sender, key, at, text, event }
    }
}
