//! What the readers are asked, one function a question. Each runs in a transaction of its own, so that everything in
//! one answer is from one moment.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension, Row};

use super::changes::kind;
use super::fault::damaged;
use super::memberships::{Departure, departed, group};
use super::row::{self, conversation_id, natural, parsed, select_messages, signed};
use super::talks;
use crate::model::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_MAX, UNREAD_COUNT_MAX};
use crate::model::{
    Activity, ClientKey, Conversation, ConversationId, Cursor, CursorKind, Kind, Message, Preview, Profile, Seq,
    StoreTime, Summary, Timestamp, UserId,
};
use crate::store::{Behind, Since, Span, Tail};

/// Less than every conversation's id.
pub(super) const NO_ID: &[u8] = &[];

/// The last message of a conversation.
pub(super) fn tail(connection: &Connection, conversation: ConversationId) -> rusqlite::Result<Option<Tail>> {
    tail_up_to(connection, conversation, i64::MAX)
}

/// The last message at this place or before it.
fn tail_up_to(connection: &Connection, conversation: ConversationId, seq: i64) -> rusqlite::Result<Option<Tail>> {
    let sql = select_messages!("WHERE conversation = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1");
    let tail = |row: &Row<'_>| {
        let (message, stored) = row::message(conversation, row)?;
        Ok(Tail { seq: message.seq, stored })
    };
    connection.prepare_cached(sql)?.query_one((conversation.as_bytes(), seq), tail).optional()
}

/// The last message that was stored before a time. Stored times only grow along a conversation, so the place is found
/// by halving, without an index of its own.
pub(super) fn tail_before(
    connection: &Connection,
    conversation: ConversationId,
    time: StoreTime,
) -> rusqlite::Result<Option<Tail>> {
    let mut found = None;
    let Some(last) = tail(connection, conversation)? else { return Ok(None) };
    let (mut low, mut high) = (1, signed(last.seq.0));
    while low <= high {
        let middle = low + (high - low) / 2;
        match tail_up_to(connection, conversation, middle)? {
            Some(tail) if tail.stored >= time => high = signed(tail.seq.0) - 1,
            earlier => {
                found = earlier.or(found);
                low = middle + 1;
            }
        }
    }
    Ok(found)
}

/// The message of this sender and key.
pub(super) fn find(
    connection: &Connection,
    conversation: ConversationId,
    sender: &UserId,
    key: &ClientKey,
) -> rusqlite::Result<Option<Message>> {
    let sql = select_messages!("WHERE conversation = ?1 AND sender = ?2 AND key = ?3");
    let message = |row: &Row<'_>| row::message(conversation, row).map(|(message, _)| message);
    let asked = (conversation.as_bytes(), sender.as_str(), key.as_str());
    connection.prepare_cached(sql)?.query_one(asked, message).optional()
}

/// A page of messages.
pub(super) fn page(
    connection: &Connection,
    conversation: ConversationId,
    span: Span,
    limit: usize,
) -> rusqlite::Result<Vec<Message>> {
    let (sql, from) = match span {
        Span::After(from) => (select_messages!("WHERE conversation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"), from),
        Span::Before(from) => {
            (select_messages!("WHERE conversation = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"), from)
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((conversation.as_bytes(), signed(from.0), count(limit.min(PAGE_MESSAGES_MAX))))?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES_MAX
        && let Some(row) = rows.next()?
    {
        let (message, _) = row::message(conversation, row)?;
        bytes += message.text.len();
        page.push(message);
    }
    if matches!(span, Span::Before(_)) {
        page.reverse();
    }
    match page.windows(2).find(|pair| pair[0].seq.next() != pair[1].seq) {
        None => Ok(page),
        Some(pair) => Err(damaged(format!("conversation {conversation} has a hole behind message {}", pair[0].seq))),
    }
}

/// Whether a conversation exists.
pub(super) fn exists(connection: &Connection, conversation: ConversationId) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM conversations WHERE id = ?1")?;
    statement.exists([conversation.as_bytes()])
}

/// Whether the heads of these conversations are at these places or beyond. One that does not exist has no head that
/// could be behind.
pub(super) fn heads_reach(connection: &Connection, places: &[(ConversationId, Seq)]) -> rusqlite::Result<bool> {
    let mut behind = connection.prepare_cached("SELECT 1 FROM conversations WHERE id = ?1 AND last_seq < ?2")?;
    for (conversation, seq) in places {
        if behind.exists((conversation.as_bytes(), signed(seq.0)))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Those of these conversations that exist.
pub(super) fn summaries(connection: &Connection, ids: &[ConversationId]) -> rusqlite::Result<Vec<Summary>> {
    ids.iter().filter_map(|id| summary(connection, *id).transpose()).collect()
}

fn summary(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<Summary>> {
    let sql = "SELECT kind, last_seq, last_from, last_at, last_text, activity, last_event \
               FROM conversations WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let number = row.get(0)?;
    let kind = kind(number).ok_or_else(|| damaged(format!("conversation {id} is of an unknown kind {number}")))?;
    let last_seq = Seq(natural(row.get(1)?)?);
    let last = if last_seq == Seq::ZERO {
        None
    } else {
        let at = Timestamp(natural(row.get(3)?)?);
        Some(Preview { seq: last_seq, from: parsed(row, 2)?, at, text: row.get(4)?, event: row::event(row, 6)? })
    };
    let activity = StoreTime(natural(row.get(5)?)?);
    let conversation = Conversation { id, kind, members: members(connection, id)? };
    let group = if kind == Kind::Group { Some(group(connection, id)?) } else { None };
    let assignment = if kind == Kind::Support { Some(talks::assignment(connection, id)?) } else { None };
    Ok(Some(Summary { conversation, group, last_seq, last, activity, assignment }))
}

/// The members of a conversation, sorted.
fn members(connection: &Connection, id: ConversationId) -> rusqlite::Result<Vec<UserId>> {
    let sql = "SELECT user FROM members WHERE conversation = ?1 AND gone = 0 ORDER BY user";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map([id.as_bytes()], |row| parsed(row, 0))?.collect()
}

/// Where something was said since then. Of each user's conversations only as many are looked at as could still be
/// among the first `limit` of all.
pub(super) fn active(
    connection: &Connection,
    users: &[UserId],
    since: Since,
    limit: usize,
) -> rusqlite::Result<Vec<Activity>> {
    let sql = "SELECT activity, conversation FROM recent WHERE user = ?1 AND (activity, conversation) > (?2, ?3) \
               ORDER BY activity, conversation LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let behind = since.after.as_ref().map_or(NO_ID, |id| id.as_bytes());
    let mut first = BTreeSet::new();
    for user in users {
        let mut rows = statement.query((user.as_str(), signed(since.at.0), behind, count(limit)))?;
        while let Some(row) = rows.next()?
            && keep(&mut first, (row.get(0)?, conversation_id(row, 1)?, None), limit)
        {}
        let left = departed(connection, user, (signed(since.at.0), behind), count(limit))?;
        let _ = left.into_iter().all(|left| keep(&mut first, left, limit));
    }
    let activity = |(at, id, left): Departure| {
        if let Some((last_seq, user)) = left {
            let conversation = Conversation { id, kind: Kind::Group, members: vec![user] };
            return Ok(Activity { conversation, last_seq, activity: StoreTime(natural(at)?) });
        }
        let Summary { conversation, last_seq, activity, .. } = listed(connection, id)?;
        Ok(Activity { conversation, last_seq, activity })
    };
    first.into_iter().map(activity).collect()
}

/// Keeps it if it is among the first `limit`; answers whether what comes after it may be.
fn keep(first: &mut BTreeSet<Departure>, found: Departure, limit: usize) -> bool {
    if first.len() == limit && first.last().is_some_and(|last| *last <= found) {
        return false;
    }
    first.insert(found);
    if first.len() > limit {
        first.pop_last();
    }
    true
}

/// A page of a user's conversations in which something was said.
pub(super) fn list(
    connection: &Connection,
    user: &UserId,
    behind: Option<Behind>,
    limit: usize,
) -> rusqlite::Result<Vec<Summary>> {
    let sql = "SELECT conversation FROM recent WHERE user = ?1 AND (activity, conversation) < (?2, ?3) \
               ORDER BY activity DESC, conversation DESC LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let (activity, id) =
        behind.as_ref().map_or((i64::MAX, NO_ID), |behind| (signed(behind.activity.0), behind.conversation.as_bytes()));
    let ids = statement.query_map((user.as_str(), activity, id, count(limit)), |row| conversation_id(row, 0))?;
    ids.map(|id| listed(connection, id?)).collect()
}

/// Which of these others share a conversation with a user in which something was said. Most of them share the one that
/// two people have, which is found at once.
pub(super) fn acquainted(connection: &Connection, user: &UserId, others: &[UserId]) -> rusqlite::Result<Vec<bool>> {
    let mut said = connection.prepare_cached("SELECT 1 FROM conversations WHERE id = ?1 AND last_seq > 0")?;
    let mut acquainted = HashSet::new();
    let mut left = HashSet::new();
    for other in others {
        let is_direct = said.exists([ConversationId::direct(user, other).as_bytes()])?;
        if is_direct { &mut acquainted } else { &mut left }.insert(other.as_str());
    }
    let mut conversations = connection.prepare_cached("SELECT conversation FROM recent WHERE user = ?1")?;
    let mut members = connection.prepare_cached("SELECT 1 FROM members WHERE conversation = ?1 AND user = ?2")?;
    let mut rows = conversations.query([user.as_str()])?;
    while !left.is_empty()
        && let Some(row) = rows.next()?
    {
        let id = conversation_id(row, 0)?;
        let mut here = Vec::new();
        for other in &left {
            if members.exists((id.as_bytes(), *other))? {
                here.push(*other);
            }
        }
        for other in here {
            left.remove(other);
            acquainted.insert(other);
        }
    }
    Ok(others.iter().map(|other| acquainted.contains(other.as_str())).collect())
}

/// The conversation of a row of a list, which is there if nothing is damaged.
pub(super) fn listed(connection: &Connection, id: ConversationId) -> rusqlite::Result<Summary> {
    summary(connection, id)?.ok_or_else(|| damaged(format!("conversation {id} is listed but does not exist")))
}

/// Where a member's cursor stands.
pub(super) fn cursor(
    connection: &Connection,
    conversation: ConversationId,
    user: &UserId,
    kind: CursorKind,
) -> rusqlite::Result<Seq> {
    let sql = match kind {
        CursorKind::Read => "SELECT read FROM members WHERE conversation = ?1 AND user = ?2",
        CursorKind::Delivered => "SELECT delivered FROM members WHERE conversation = ?1 AND user = ?2",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let place = |row: &Row<'_>| natural(row.get(0)?).map(Seq);
    statement.query_one((conversation.as_bytes(), user.as_str()), place).optional().map(Option::unwrap_or_default)
}

/// The cursors of those members who ever moved one.
pub(super) fn cursors(connection: &Connection, conversation: ConversationId) -> rusqlite::Result<Vec<Cursor>> {
    let sql = "SELECT user, read, delivered FROM members WHERE conversation = ?1 AND (read > 0 OR delivered > 0)";
    let mut statement = connection.prepare_cached(sql)?;
    let cursor = |row: &Row<'_>| {
        let (read, delivered) = (Seq(natural(row.get(1)?)?), Seq(natural(row.get(2)?)?));
        Ok(Cursor { user: parsed(row, 0)?, read, delivered })
    };
    statement.query_map([conversation.as_bytes()], cursor)?.collect()
}

/// The cursors of those of these members who ever moved one.
pub(super) fn cursors_of(
    connection: &Connection,
    members: &[(ConversationId, UserId)],
) -> rusqlite::Result<Vec<(ConversationId, Cursor)>> {
    let sql = "SELECT read, delivered FROM members \
               WHERE conversation = ?1 AND user = ?2 AND (read > 0 OR delivered > 0)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut cursors = Vec::with_capacity(members.len());
    for (conversation, user) in members {
        let cursor = |row: &Row<'_>| {
            let (read, delivered) = (Seq(natural(row.get(0)?)?), Seq(natural(row.get(1)?)?));
            Ok((*conversation, Cursor { user: user.clone(), read, delivered }))
        };
        cursors.extend(statement.query_one((conversation.as_bytes(), user.as_str()), cursor).optional()?);
    }
    Ok(cursors)
}

/// How many messages of others are beyond a user's read cursors.
pub(super) fn unread(
    connection: &Connection,
    user: &UserId,
    conversations: &[(ConversationId, Seq)],
) -> rusqlite::Result<Vec<u64>> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM messages \
               WHERE conversation = ?1 AND seq > ?2 AND sender <> ?3 AND event IS NULL LIMIT ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut beyond = |(id, after): &(ConversationId, Seq)| {
        let read = cursor(connection, *id, user, CursorKind::Read)?.max(*after);
        let asked = (id.as_bytes(), signed(read.0), user.as_str(), signed(UNREAD_COUNT_MAX));
        natural(statement.query_one(asked, |row| row.get(0))?)
    };
    conversations.iter().map(&mut beyond).collect()
}

/// What is known of these people.
pub(super) fn profiles(connection: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<Option<Profile>>> {
    let mut statement = connection.prepare_cached("SELECT name, email FROM profiles WHERE user = ?1")?;
    let profile = |row: &Row<'_>| Ok(Profile { name: row.get(0)?, email: row.get(1)? });
    users.iter().map(|user| statement.query_one([user.as_str()], profile).optional()).collect()
}

/// What all agree on under a name.
pub(super) fn agreed(connection: &Connection, on: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM agreed WHERE name = ?1")?;
    statement.query_one([on], |row| row.get(0)).optional()
}

/// A number of rows, for SQLite.
pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
