//! Groups in the tables: what makes and changes them, and how they are read back.

use rusqlite::{Connection, OptionalExtension, Row};

use super::changes;
use super::fault::damaged;
use super::row::{conversation_id, natural, parsed, signed};
use crate::model::{Conversation, ConversationId, Event, Group, Message, Seq, Step, StoreTime, Term, UserId};

/// Where something happened: when, and in which conversation; and if somebody left it, where in it and who.
pub(super) type Departure = (i64, ConversationId, Option<(Seq, UserId)>);

/// Makes a group exist; answers whether it did not.
pub(super) fn found(connection: &Connection, conversation: &Conversation, group: &Group) -> rusqlite::Result<bool> {
    if !changes::open(connection, conversation)? {
        return Ok(false);
    }
    let id = conversation.id.as_bytes();
    let sql = "INSERT INTO groups (conversation, name, named, history) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute((id, &group.name, signed(group.named.0), group.history))?;
    group.terms.iter().try_for_each(|term| write_term(connection, conversation.id, term))?;
    Ok(true)
}

/// Lets an event take effect; answers whether it was news.
pub(super) fn apply(connection: &Connection, message: &Message, now: StoreTime) -> rusqlite::Result<bool> {
    let id = message.conversation;
    let Some(event) = &message.event else { return Ok(false) };
    let Some(mut group) = find(connection, id)? else { return Ok(false) };
    if !group.apply(message.seq, event) {
        return Ok(false);
    }
    match event.user() {
        None => {
            let sql = "UPDATE groups SET name = ?2, named = ?3 WHERE conversation = ?1";
            connection.prepare_cached(sql)?.execute((id.as_bytes(), &group.name, signed(group.named.0)))?;
        }
        Some(user) => {
            let term = group.terms.iter().find(|term| term.user == *user);
            term.map_or(Ok(()), |term| write_term(connection, id, term))?;
            let is_in = term.is_some_and(|term| term.standing().is_current());
            seat(connection, id, user, is_in)?;
            if matches!(event, Event::Removed { .. } | Event::Left { .. }) {
                note_departure(connection, message, user, now)?;
            }
        }
    }
    Ok(true)
}

/// Puts somebody among the members, or out, and the group into their list, or out of it.
fn seat(connection: &Connection, id: ConversationId, user: &UserId, is_in: bool) -> rusqlite::Result<()> {
    let sql = "INSERT INTO members (conversation, user, gone) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO UPDATE SET gone = excluded.gone";
    connection.prepare_cached(sql)?.execute((id.as_bytes(), user.as_str(), !is_in))?;
    let list = if is_in {
        "INSERT INTO recent (user, activity, conversation) \
         SELECT ?2, activity, id FROM conversations WHERE id = ?1 AND activity > 0 ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM recent WHERE user = ?2 AND conversation = ?1 \
         AND activity = (SELECT activity FROM conversations WHERE id = ?1)"
    };
    connection.prepare_cached(list)?.execute((id.as_bytes(), user.as_str())).map(drop)
}

/// Remembers where and when somebody left, for those who ask on their behalf later.
fn note_departure(connection: &Connection, left: &Message, user: &UserId, now: StoreTime) -> rusqlite::Result<()> {
    let sql = "INSERT INTO departures (user, conversation, at, seq) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT DO UPDATE SET at = max(at, excluded.at), seq = max(seq, excluded.seq)";
    let departure = (user.as_str(), left.conversation.as_bytes(), signed(now.0), signed(left.seq.0));
    connection.prepare_cached(sql)?.execute(departure).map(drop)
}

/// The groups that somebody left since then, by time and id.
pub(super) fn departed(
    connection: &Connection,
    user: &UserId,
    since: (i64, &[u8]),
    limit: i64,
) -> rusqlite::Result<Vec<Departure>> {
    let sql = "SELECT at, conversation, seq FROM departures WHERE user = ?1 AND (at, conversation) > (?2, ?3) \
               ORDER BY at, conversation LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let departure = |row: &Row<'_>| {
        let seq = Seq(natural(row.get(2)?)?);
        Ok((row.get(0)?, conversation_id(row, 1)?, Some((seq, user.clone()))))
    };
    statement.query_map((user.as_str(), since.0, since.1, limit), departure)?.collect()
}

/// What a conversation of that kind is besides, which is there if nothing is damaged.
pub(super) fn group(connection: &Connection, id: ConversationId) -> rusqlite::Result<Group> {
    find(connection, id)?.ok_or_else(|| damaged(format!("the group {id} has no name")))
}

fn find(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<Group>> {
    let mut statement = connection.prepare_cached("SELECT name, named, history FROM groups WHERE conversation = ?1")?;
    let group = |row: &Row<'_>| {
        let named = Seq(natural(row.get(1)?)?);
        Ok(Group { name: row.get(0)?, named, history: row.get(2)?, terms: Vec::new() })
    };
    let Some(mut group) = statement.query_one([id.as_bytes()], group).optional()? else { return Ok(None) };
    let sql = "SELECT user, seq, step FROM terms WHERE conversation = ?1 ORDER BY user, seq, step";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let user: UserId = parsed(row, 0)?;
        let number = row.get(2)?;
        let step = Step::from_number(number).ok_or_else(|| damaged(format!("an unknown step {number}")))?;
        let step = (Seq(natural(row.get(1)?)?), step);
        match group.terms.last_mut().filter(|term| term.user == user) {
            Some(term) => term.steps.push(step),
            None => group.terms.push(Term { user, steps: vec![step] }),
        }
    }
    Ok(Some(group))
}

fn write_term(connection: &Connection, id: ConversationId, term: &Term) -> rusqlite::Result<()> {
    let (id, user) = (id.as_bytes(), term.user.as_str());
    connection.prepare_cached("DELETE FROM terms WHERE conversation = ?1 AND user = ?2")?.execute((id, user))?;
    let sql = "INSERT INTO terms (conversation, user, seq, step) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = connection.prepare_cached(sql)?;
    term.steps.iter().try_for_each(|(seq, step)| insert.execute((id, user, signed(seq.0), step.number())).map(drop))
}
