//! From a row to a message and back, with a checksum in between: SQLite does not notice a bit that the disk flipped.

use rusqlite::Row;
use sha2::{Digest, Sha256};

use super::fault::damaged;
use crate::model::{ConversationId, Event, Message, MessageId, Seq, StoreTime, Timestamp};

/// A question for messages: the columns that [`message`] reads, in its order, and the rest of the question.
macro_rules! select_messages {
    ($rest:literal) => {
        concat!("SELECT seq, id, sender, key, at, stored, text, checksum, event FROM messages ", $rest)
    };
}

pub(super) use select_messages;

/// A number for SQLite, which knows only signed ones. Beyond those there is nothing, so the largest stands for all.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from SQLite, which was put there by [`signed`].
pub(super) fn natural(number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|_| damaged(format!("a negative number {number}")))
}

/// A conversation's id from a column.
pub(super) fn conversation_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ConversationId> {
    row.get(column).map(ConversationId::from_bytes)
}

/// Text from a column, checked again to be what it was when it was put there.
pub(super) fn parsed<T: std::str::FromStr<Err = E>, E: std::fmt::Display>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error: E| damaged(error.to_string()))
}

/// The message of a row, and when it was stored; fails if a bit of either is not what it was.
pub(super) fn message(conversation: ConversationId, row: &Row<'_>) -> rusqlite::Result<(Message, StoreTime)> {
    let seq = Seq(natural(row.get(0)?)?);
    let place = |error: rusqlite::Error| damaged(format!("message {seq} of conversation {conversation}: {error}"));
    let read = || {
        let message = Message {
            conversation,
            seq,
            id: MessageId::from_bytes(row.get(1)?),
            sender: parsed(row, 2)?,
            key: parsed(row, 3)?,
            at: Timestamp(natural(row.get(4)?)?),
            text: row.get(6)?,
            event: event(row, 8)?,
        };
        let stored = StoreTime(natural(row.get(5)?)?);
        if checksum(&message, stored) == row.get::<_, i64>(7)? {
            Ok((message, stored))
        } else {
            Err(damaged("its checksum does not match: the disk has changed it".to_owned()))
        }
    };
    read().map_err(place)
}

/// An event from a column, if there is one.
pub(super) fn event(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Event>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| serde_json::from_str(text).map_err(|error| damaged(error.to_string()))).transpose()
}

/// An event for a column.
pub(super) fn written(event: Option<&Event>) -> Option<String> {
    event.and_then(|event| serde_json::to_string(event).ok())
}

/// Sixty-four bits over everything that a row says.
pub(super) fn checksum(message: &Message, stored: StoreTime) -> i64 {
    let (sender, key) = (message.sender.as_str(), message.key.as_str());
    let mut digest = Sha256::new()
        .chain_update(message.conversation.as_bytes())
        .chain_update(message.seq.0.to_be_bytes())
        .chain_update(message.id.as_bytes())
        .chain_update(message.at.0.to_be_bytes())
        .chain_update(stored.0.to_be_bytes())
        .chain_update([sender.len() as u8, key.len() as u8])
        .chain_update(sender)
        .chain_update(key)
        .chain_update(&message.text);
    if let Some(event) = written(message.event.as_ref()) {
        digest.update(b"\0event\0");
        digest.update(event);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finalize()[..8]);
    i64::from_be_bytes(first)
}
