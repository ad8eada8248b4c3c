//! Forgetting somebody who was here.

use rusqlite::{Connection, OptionalExtension, Row};

use super::changes;
use super::row::{self, checksum, conversation_id, natural, select_messages, signed};
use crate::model::{ConversationId, Event, Message, Profile, Seq, Timestamp, UserId};
use crate::store::Progress;

pub(super) const TABLES: &str = "
    CREATE TABLE erasures (
        user TEXT NOT NULL PRIMARY KEY,
        began INTEGER NOT NULL,
        last INTEGER NOT NULL,
        in_team INTEGER NOT NULL,
        conversation BLOB,
        seq INTEGER NOT NULL,
        emptied INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// How far it has come.
pub(super) fn progress(connection: &Connection, user: &UserId) -> rusqlite::Result<Option<Progress>> {
    let sql = "SELECT began, in_team, conversation, seq, emptied, last FROM erasures WHERE user = ?1";
    let progress = |row: &Row<'_>| {
        Ok(Progress {
            began: Timestamp(natural(row.get(0)?)?),
            in_team: row.get(1)?,
            conversation: row.get::<_, Option<[u8; 16]>>(2)?.map(ConversationId::from_bytes),
            seq: Seq(natural(row.get(3)?)?),
            emptied: natural(row.get(4)?)?,
            last: row.get(5)?,
        })
    };
    connection.prepare_cached(sql)?.query_one([user.as_str()], progress).optional()
}

/// Keeps how far it has come.
pub(super) fn keep(connection: &Connection, user: &UserId, progress: Option<&Progress>) -> rusqlite::Result<bool> {
    let Some(progress) = progress else {
        let gone = connection.prepare_cached("DELETE FROM erasures WHERE user = ?1")?.execute([user.as_str()])?;
        return Ok(gone > 0);
    };
    let sql = "INSERT OR REPLACE INTO erasures (user, began, in_team, conversation, seq, emptied, last) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Progress { began, last, in_team, conversation, seq, emptied } = progress;
    let conversation = conversation.as_ref().map(|id| id.as_bytes());
    let row = (user.as_str(), signed(began.0), in_team, conversation, signed(seq.0), signed(*emptied), last);
    Ok(connection.prepare_cached(sql)?.execute(row)? > 0)
}

/// The conversations of somebody, by id.
pub(super) fn conversations_of(
    connection: &Connection,
    user: &UserId,
    from: Option<ConversationId>,
    limit: usize,
) -> rusqlite::Result<Vec<ConversationId>> {
    let sql = "SELECT conversation FROM recent WHERE user = ?1 AND conversation >= ?2 \
               UNION SELECT conversation FROM departures WHERE user = ?1 AND conversation >= ?2 \
               ORDER BY conversation LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let from: &[u8] = from.as_ref().map_or(&[], |id| id.as_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map((user.as_str(), from, limit), |row| conversation_id(row, 0))?.collect()
}

/// Empties what somebody wrote between two places.
pub(super) fn empty(
    connection: &Connection,
    conversation: ConversationId,
    user: &UserId,
    after: Seq,
    up_to: Seq,
) -> rusqlite::Result<u64> {
    let sql = select_messages!("WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND sender = ?4 AND text <> ''");
    let id = conversation.as_bytes();
    let written: Vec<_> = connection
        .prepare_cached(sql)?
        .query_map((id, signed(after.0), signed(up_to.0), user.as_str()), |row| row::message(conversation, row))?
        .collect::<rusqlite::Result<_>>()?;
    let erased = row::written(Some(&Event::Erased));
    let mut update = connection.prepare_cached(
        "UPDATE messages SET text = '', event = ?4, checksum = ?3 WHERE conversation = ?1 AND seq = ?2",
    )?;
    for (message, stored) in &written {
        let emptied = Message { text: String::new(), event: Some(Event::Erased), ..message.clone() };
        update.execute((id, signed(message.seq.0), checksum(&emptied, *stored), &erased))?;
    }
    let preview = "UPDATE conversations SET last_text = '', last_event = ?3 \
                   WHERE id = ?1 AND last_from = ?2 AND last_text <> ''";
    connection.prepare_cached(preview)?.execute((id, user.as_str(), &erased))?;
    Ok(written.len() as u64)
}

/// How many messages of somebody say something between two places.
pub(super) fn written(
    connection: &Connection,
    conversation: ConversationId,
    user: &UserId,
    after: Seq,
    up_to: Seq,
) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM messages \
               WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND sender = ?4 AND text <> ''";
    let asked = (conversation.as_bytes(), signed(after.0), signed(up_to.0), user.as_str());
    natural(connection.prepare_cached(sql)?.query_one(asked, |row| row.get(0))?)
}

/// Forgets what is known of somebody.
pub(super) fn forget(connection: &Connection, user: &UserId) -> rusqlite::Result<bool> {
    for sql in [
        "DELETE FROM addresses WHERE user = ?1",
        "DELETE FROM appearances WHERE user = ?1",
        "DELETE FROM blocks WHERE user = ?1",
        "DELETE FROM blocks WHERE other = ?1",
        "DELETE FROM revoked WHERE user = ?1",
        "UPDATE standings SET agent = 0, reason = CASE WHEN banned_at IS NULL THEN NULL ELSE '' END WHERE user = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([user.as_str()])?;
    }
    changes::put_profile(connection, user, &Profile::deleted())?;
    Ok(true)
}
