//! The file as the original of a back-up: read by another process than the one that serves it, at one moment.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::{Connection, Params, Row};
use tokio::sync::mpsc;

use super::directory::{FILE, OpenError};
use super::fault::{damaged, meaning};
use super::row::{conversation_id, message, natural, parsed};
use super::{erasure, questions, schema, standings};
use crate::model::{Appearance, ConversationId, Cursor, Generation, Profile, Seq, StoreTime, Timestamp, UserId};
use crate::store::secret::KEPT_BACK;
use crate::store::{Original, Record, StoreError};

/// Users whose standings are looked up at once.
const USERS_AT_ONCE: i64 = 1_000;

/// The file, open beside whoever writes it.
#[derive(Debug)]
pub struct EmbeddedOriginal {
    connection: Connection,
    generation: Generation,
}

impl EmbeddedOriginal {
    /// Opens the store in this directory to read it, also while a node serves it.
    ///
    /// # Errors
    /// When there is none, or it is of another version, or damaged.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let file: PathBuf = directory.join(FILE);
        if !file.is_file() {
            return Err(OpenError::Unusable { file, detail: "there is no store".to_owned() });
        }
        let (connection, generation) = schema::open_to_read(&file)?;
        Ok(Self { connection, generation })
    }
}

#[async_trait]
impl Original for EmbeddedOriginal {
    fn generation(&self) -> Generation {
        self.generation
    }

    async fn dump(self: Box<Self>, to: mpsc::Sender<Record>) -> Result<(), StoreError> {
        let dumped = tokio::task::spawn_blocking(move || dump(&self.connection, &to));
        match dumped.await {
            Ok(done) => done.map_err(|error| meaning(&error)),
            Err(_) => Err(StoreError::Broken("the reading thread ended in a panic".to_owned())),
        }
    }
}

/// Reads everything in one transaction, which sees what was committed when it began.
fn dump(connection: &Connection, to: &mpsc::Sender<Record>) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")?;
    people(connection, to)?;
    let id = |row: &Row<'_>| {
        let id = conversation_id(row, 0)?;
        let summary = questions::summaries(connection, &[id])?.pop();
        let summary = summary.ok_or_else(|| damaged(format!("conversation {id} is listed, but not there")))?;
        Ok(Record::Conversation(Box::new(summary)))
    };
    each(connection, to, "SELECT id FROM conversations ORDER BY id", [], id)?;
    let cursors = "SELECT conversation, user, read, delivered FROM members WHERE read > 0 OR delivered > 0 \
                   ORDER BY conversation, user";
    each(connection, to, cursors, [], |row| {
        let place = |column: usize| Ok::<_, rusqlite::Error>(Seq(natural(row.get(column)?)?));
        let cursor = Cursor { user: parsed(row, 1)?, read: place(2)?, delivered: place(3)? };
        Ok(Record::Cursor { conversation: conversation_id(row, 0)?, cursor })
    })?;
    let departures = "SELECT user, conversation, at, seq FROM departures ORDER BY user, conversation";
    each(connection, to, departures, [], |row| {
        let at = StoreTime(natural(row.get(2)?)?);
        let conversation: ConversationId = conversation_id(row, 1)?;
        Ok(Record::Departure { user: parsed(row, 0)?, conversation, at, seq: Seq(natural(row.get(3)?)?) })
    })?;
    let messages = "SELECT seq, id, sender, key, at, stored, text, checksum, event, conversation FROM messages \
                    ORDER BY conversation, seq";
    each(connection, to, messages, [], |row| {
        let (message, stored) = message(conversation_id(row, 9)?, row)?;
        Ok(Record::Message { message, stored })
    })
}

/// What is known of people, and decided about them.
fn people(connection: &Connection, to: &mpsc::Sender<Record>) -> rusqlite::Result<()> {
    each(connection, to, "SELECT name, value FROM agreed WHERE name <> ?1 ORDER BY name", [KEPT_BACK], |row| {
        Ok(Record::Agreed { name: row.get(0)?, value: row.get(1)? })
    })?;
    each(connection, to, "SELECT user, name, email FROM profiles ORDER BY user", [], |row| {
        Ok(Record::Profile { user: parsed(row, 0)?, profile: Profile { name: row.get(1)?, email: row.get(2)? } })
    })?;
    each(connection, to, "SELECT user, address FROM addresses ORDER BY user", [], |row| {
        Ok(Record::Address { user: parsed(row, 0)?, address: row.get(1)? })
    })?;
    each(connection, to, "SELECT user, seen, offline FROM appearances ORDER BY user", [], |row| {
        let last_seen = row.get::<_, Option<i64>>(1)?.map(natural).transpose()?.map(Timestamp);
        Ok(Record::Appearance { user: parsed(row, 0)?, appearance: Appearance { last_seen, offline: row.get(2)? } })
    })?;
    let mut last = String::new();
    loop {
        let users = decided(connection, &last)?;
        let Some(user) = users.last() else { break };
        user.as_str().clone_into(&mut last);
        for (user, standing) in standings::of(connection, &users)? {
            hand(to, Record::Standing { user, standing: Box::new(standing) })?;
        }
    }
    each(connection, to, "SELECT user FROM erasures ORDER BY user", [], |row| {
        let user: UserId = parsed(row, 0)?;
        let progress = erasure::progress(connection, &user)?.unwrap_or_default();
        Ok(Record::Erasure { user, progress })
    })
}

/// Some of those about whom something was decided, the next after this one.
fn decided(connection: &Connection, after: &str) -> rusqlite::Result<Vec<UserId>> {
    let sql = "SELECT user FROM (SELECT user FROM standings WHERE user > ?1 ORDER BY user LIMIT ?2) \
               UNION SELECT user FROM (SELECT DISTINCT user FROM revoked WHERE user > ?1 ORDER BY user LIMIT ?2) \
               UNION SELECT user FROM (SELECT DISTINCT user FROM blocks WHERE user > ?1 ORDER BY user LIMIT ?2) \
               UNION SELECT other FROM (SELECT DISTINCT other FROM blocks WHERE other > ?1 ORDER BY other LIMIT ?2) \
               ORDER BY user LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map((after, USERS_AT_ONCE), |row| parsed(row, 0))?.collect()
}

fn each(
    connection: &Connection,
    to: &mpsc::Sender<Record>,
    sql: &str,
    asked: impl Params,
    record: impl Fn(&Row<'_>) -> rusqlite::Result<Record>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(asked)?;
    while let Some(row) = rows.next()? {
        hand(to, record(row)?)?;
    }
    Ok(())
}

fn hand(to: &mpsc::Sender<Record>, record: Record) -> rusqlite::Result<()> {
    to.blocking_send(record).map_err(|_| damaged("nobody takes what was read".to_owned()))
}
