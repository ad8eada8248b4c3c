//! What the writer does to the tables, one function a change. Each runs inside a savepoint of [`group`](super::group).

use rusqlite::{Connection, ffi};

use super::fault::{damaged, extended};
use super::row::{checksum, signed, written};
use crate::model::limits::{CROWD_MEMBERS, CROWD_STAMP};
use crate::model::{Conversation, ConversationId, CursorKind, Kind, Message, Preview, Profile, Seq, StoreTime, UserId};
use crate::store::Outcome;

/// How a kind of conversation is written.
const fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Direct => 1,
        Kind::Support => 2,
        Kind::Group => 3,
    }
}

/// The kind of conversation that is written so.
pub(super) fn kind(number: i64) -> Option<Kind> {
    [Kind::Direct, Kind::Support, Kind::Group].into_iter().find(|kind| kind_number(*kind) == number)
}

/// Puts a message at its place, unless the place or its key is taken.
pub(super) fn insert(connection: &Connection, message: &Message, stored: StoreTime) -> rusqlite::Result<Outcome> {
    if i64::try_from(message.seq.0).is_err() {
        return Err(damaged(format!("no conversation is as long as {}", message.seq)));
    }
    let sql = "INSERT INTO messages (conversation, seq, id, sender, key, at, stored, text, checksum, event) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let inserted = connection.prepare_cached(sql)?.execute((
        message.conversation.as_bytes(),
        signed(message.seq.0),
        message.id.as_bytes(),
        message.sender.as_str(),
        message.key.as_str(),
        signed(message.at.0),
        signed(stored.0),
        &message.text,
        checksum(message, stored),
        written(message.event.as_ref()),
    ));
    match inserted {
        Ok(_) => Ok(Outcome::Stored),
        Err(error) => match extended(&error) {
            Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Ok(Outcome::SeqTaken),
            Some(ffi::SQLITE_CONSTRAINT_UNIQUE) => Ok(Outcome::KeyTaken),
            _ => Err(error),
        },
    }
}

/// Makes a conversation exist.
pub(super) fn open(connection: &Connection, conversation: &Conversation) -> rusqlite::Result<bool> {
    let id = conversation.id.as_bytes();
    let mut insert =
        connection.prepare_cached("INSERT INTO conversations (id, kind) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    if insert.execute((id, kind_number(conversation.kind)))? == 0 {
        return Ok(false);
    }
    if conversation.kind == Kind::Support {
        connection.prepare_cached("INSERT INTO talks (conversation, activity) VALUES (?1, 0)")?.execute([id])?;
    }
    let mut join = connection.prepare_cached("INSERT INTO members (conversation, user) VALUES (?1, ?2)")?;
    conversation.members.iter().try_for_each(|user| join.execute((id, user.as_str())).map(drop))?;
    Ok(true)
}

/// Raises a conversation's head to a stored message, unless it is there or beyond, and moves the conversation up in its
/// members' lists, to where `active` belongs.
pub(super) fn raise(connection: &Connection, message: &Message, active: StoreTime) -> rusqlite::Result<()> {
    let id = message.conversation.as_bytes();
    let mut head = connection.prepare_cached("SELECT last_seq, activity, kind FROM conversations WHERE id = ?1")?;
    let mut rows = head.query([id])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let (last, activity, number): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    drop(rows);
    if signed(message.seq.0) <= last {
        return Ok(());
    }
    let users = members(connection, id)?;
    let is_crowd = users.len() > CROWD_MEMBERS;
    let rests = is_crowd && active < StoreTime(activity.cast_unsigned()).plus(CROWD_STAMP);
    let active = if rests { activity } else { signed(active.0).max(activity) };
    let preview = Preview::of(message);
    let sql = "UPDATE conversations SET last_seq = ?2, last_from = ?3, last_at = ?4, last_text = ?5, activity = ?6, \
               last_event = ?7 WHERE id = ?1";
    let (from, event) = (preview.from.as_str(), written(preview.event.as_ref()));
    let raised = (id, signed(preview.seq.0), from, signed(preview.at.0), &preview.text, active, event);
    connection.prepare_cached(sql)?.execute(raised)?;
    if rests {
        return Ok(());
    }
    if kind(number) == Some(Kind::Support) {
        let sql = "UPDATE talks SET activity = ?2 WHERE conversation = ?1";
        connection.prepare_cached(sql)?.execute((id, active))?;
    }
    let mut leave =
        connection.prepare_cached("DELETE FROM recent WHERE user = ?1 AND activity = ?2 AND conversation = ?3")?;
    let mut enter =
        connection.prepare_cached("INSERT INTO recent (user, activity, conversation) VALUES (?1, ?2, ?3)")?;
    for user in &users {
        leave.execute((user, activity, id))?;
        enter.execute((user, active, id))?;
    }
    Ok(())
}

/// The members of a conversation.
fn members(connection: &Connection, id: &[u8; 16]) -> rusqlite::Result<Vec<String>> {
    let mut members = connection.prepare_cached("SELECT user FROM members WHERE conversation = ?1 AND gone = 0")?;
    members.query_map([id], |row| row.get(0))?.collect()
}

/// Moves a member's cursor up; answers whether it moved.
pub(super) fn advance(
    connection: &Connection,
    conversation: ConversationId,
    user: &UserId,
    kind: CursorKind,
    to: Seq,
) -> rusqlite::Result<bool> {
    let sql = match kind {
        CursorKind::Read => "UPDATE members SET read = ?3 WHERE conversation = ?1 AND user = ?2 AND read < ?3",
        CursorKind::Delivered => {
            "UPDATE members SET delivered = ?3 WHERE conversation = ?1 AND user = ?2 AND delivered < ?3"
        }
    };
    let moved = connection.prepare_cached(sql)?.execute((conversation.as_bytes(), user.as_str(), signed(to.0)))?;
    Ok(moved > 0)
}

/// Sets what is known of a person.
pub(super) fn put_profile(connection: &Connection, user: &UserId, profile: &Profile) -> rusqlite::Result<()> {
    let sql = "INSERT INTO profiles (user, name, email) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO UPDATE SET name = excluded.name, email = excluded.email";
    connection.prepare_cached(sql)?.execute((user.as_str(), &profile.name, &profile.email)).map(drop)
}

/// Stores what all agree on, unless something is agreed on already.
pub(super) fn agree(connection: &Connection, on: &str, proposal: &str) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO agreed (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(connection.prepare_cached(sql)?.execute((on, proposal))? > 0)
}
