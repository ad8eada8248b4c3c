//! A file that is made of a back-up: beside where it is to be, and put there when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::directory::{self, FILE, OpenError, Place};
use super::fault::{damaged, meaning};
use super::row::{signed, written};
use super::schema::{self, Checkpoint};
use super::{addresses, changes, erasure, memberships, standings, talks};
use crate::model::{Chance, Clock, Generation, StoreTime, Summary};
use crate::store::{Outcome, Record, StoreError, Vessel};

/// Where the file is made, beside where it is to be.
const WORKSHOP: &str = "restoring";

/// Writes after which the log is folded into the file.
const WRITES_BETWEEN_CHECKPOINTS: u32 = 16;

/// A store that is being restored into a directory.
#[derive(Debug)]
pub struct EmbeddedVessel {
    home: Place,
    workshop: PathBuf,
    /// None after a failure: then nothing more is written.
    connection: Option<Connection>,
    writes: u32,
    generation: Generation,
    /// When the restore began.
    until: StoreTime,
}

impl EmbeddedVessel {
    /// Makes the directory ours, which must hold no store, or an empty one. What an earlier restore left half done there is
    /// thrown away.
    ///
    /// # Errors
    /// When it holds a store that is not empty, cannot be used, or a node uses it.
    pub fn begin(directory: &Path, clock: &dyn Clock, chance: &dyn Chance) -> Result<Self, OpenError> {
        let home = directory::prepare(directory)?;
        if !is_empty(&home, chance)? {
            return Err(OpenError::NotEmpty { directory: directory.to_owned() });
        }
        let workshop = directory.join(WORKSHOP);
        let refused = |source| OpenError::Directory { directory: workshop.clone(), source };
        if workshop.exists() {
            fs::remove_dir_all(&workshop).map_err(refused)?;
        }
        let (connection, found) = schema::open(&directory::prepare(&workshop)?, chance)?;
        let until = StoreTime(clock.now().0);
        let generation = found.generation;
        Ok(Self { home, workshop, connection: Some(connection), writes: 0, generation, until })
    }
}

/// Whether there is nothing in the store of a directory, or no store.
fn is_empty(home: &Place, chance: &dyn Chance) -> Result<bool, OpenError> {
    let unusable = |detail: String| OpenError::Unusable { file: home.file().to_owned(), detail };
    if fs::metadata(home.file()).map_err(|error| unusable(error.to_string()))?.len() == 0 {
        return Ok(true);
    }
    let (connection, _) = schema::open(home, chance)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM conversations) OR EXISTS (SELECT 1 FROM profiles) \
               OR EXISTS (SELECT 1 FROM standings) OR EXISTS (SELECT 1 FROM messages)";
    let is_full: bool = connection.query_one(sql, [], |row| row.get(0)).map_err(|error| unusable(error.to_string()))?;
    Ok(!is_full)
}

#[async_trait]
impl Vessel for EmbeddedVessel {
    async fn put(&mut self, records: Vec<Record>) -> Result<(), StoreError> {
        let Some(mut connection) = self.connection.take() else { return Err(given_up()) };
        self.writes += 1;
        let (until, folds) = (self.until, self.writes.is_multiple_of(WRITES_BETWEEN_CHECKPOINTS));
        let writing = tokio::task::spawn_blocking(move || {
            write(&mut connection, &records, until)?;
            if folds {
                schema::checkpoint(&connection, Checkpoint::Restart)?;
            }
            Ok::<_, rusqlite::Error>(connection)
        });
        let written = writing.await.map_err(|_| given_up())?;
        self.connection = Some(written.map_err(|error| meaning(&error))?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Generation, StoreError> {
        let Some(connection) = self.connection.take() else { return Err(given_up()) };
        let (until, generation) = (self.until, self.generation);
        let finishing = tokio::task::spawn_blocking(move || {
            seal(&connection, until).map_err(|error| meaning(&error))?;
            drop(connection);
            move_in(&self.workshop, &self.home).map_err(|error| StoreError::Unavailable(error.to_string()))
        });
        finishing.await.map_err(|_| given_up())??;
        Ok(generation)
    }
}

fn given_up() -> StoreError {
    StoreError::Broken("the restore was given up after a failed write".to_owned())
}

/// The clock, a last look at everything, and all of it in the one file.
fn seal(connection: &Connection, until: StoreTime) -> rusqlite::Result<()> {
    schema::record(connection, until)?;
    let found: String = connection.query_one("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(damaged(found));
    }
    schema::checkpoint(connection, Checkpoint::Truncate).map(drop)
}

/// Puts the file where it is to be; the directory's lock is held. From then on it is the store.
fn move_in(workshop: &Path, home: &Place) -> io::Result<()> {
    let file = home.file();
    for log in ["-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(log);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(workshop.join(FILE), file)?;
    file.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())?;
    fs::remove_dir_all(workshop)
}

fn write(connection: &mut Connection, records: &[Record], until: StoreTime) -> rusqlite::Result<()> {
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    records.iter().try_for_each(|record| write_one(&writing, record, until))?;
    writing.commit()
}

fn write_one(connection: &Connection, record: &Record, until: StoreTime) -> rusqlite::Result<()> {
    match record {
        Record::Agreed { name, value } => changes::agree(connection, name, value).map(drop),
        Record::Profile { user, profile } => changes::put_profile(connection, user, profile),
        Record::Address { user, address } => addresses::set(connection, user, address).map(drop),
        Record::Appearance { user, appearance } => {
            let sql = "INSERT INTO appearances (user, seen, offline) VALUES (?1, ?2, ?3)";
            let seen = appearance.last_seen.map(|seen| signed(seen.0));
            connection.prepare_cached(sql)?.execute((user.as_str(), seen, appearance.offline)).map(drop)
        }
        Record::Standing { user, standing } => standings::restore(connection, user, standing),
        Record::Erasure { user, progress } => erasure::keep(connection, user, Some(progress)).map(drop),
        Record::Conversation(summary) => write_conversation(connection, summary, until),
        Record::Cursor { conversation, cursor } => {
            // Who is no member any more has a row for their cursors only.
            let sql = "INSERT INTO members (conversation, user, read, delivered, gone) VALUES (?1, ?2, ?3, ?4, 1) \
                       ON CONFLICT DO UPDATE SET read = excluded.read, delivered = excluded.delivered";
            let (read, delivered) = (signed(cursor.read.0), signed(cursor.delivered.0));
            let row = (conversation.as_bytes(), cursor.user.as_str(), read, delivered);
            connection.prepare_cached(sql)?.execute(row).map(drop)
        }
        Record::Departure { user, conversation, at, seq } => {
            let sql = "INSERT INTO departures (user, conversation, at, seq) VALUES (?1, ?2, ?3, ?4)";
            let row = (user.as_str(), conversation.as_bytes(), signed((*at).min(until).0), signed(seq.0));
            connection.prepare_cached(sql)?.execute(row).map(drop)
        }
        Record::Message { message, stored } => match changes::insert(connection, message, (*stored).min(until))? {
            Outcome::Stored => Ok(()),
            _ => Err(damaged(format!("message {} of conversation {} twice", message.seq, message.conversation))),
        },
    }
}

fn write_conversation(connection: &Connection, summary: &Summary, until: StoreTime) -> rusqlite::Result<()> {
    let Summary { conversation, group, last_seq, last, activity, assignment } = summary;
    match group {
        Some(group) => memberships::found(connection, conversation, group)?,
        None => changes::open(connection, conversation)?,
    };
    let (id, activity) = (conversation.id.as_bytes(), signed((*activity).min(until).0));
    let sql = "UPDATE conversations SET last_seq = ?2, last_from = ?3, last_at = ?4, last_text = ?5, activity = ?6, \
               last_event = ?7 WHERE id = ?1";
    let last = last.as_ref();
    connection.prepare_cached(sql)?.execute((
        id,
        signed(last_seq.0),
        last.map(|last| last.from.as_str()),
        last.map(|last| signed(last.at.0)),
        last.map(|last| &last.text),
        activity,
        last.and_then(|last| written(last.event.as_ref())),
    ))?;
    if let Some(assignment) = assignment {
        talks::restore(connection, conversation.id, assignment, activity)?;
    }
    if activity > 0 {
        let sql = "INSERT INTO recent (user, activity, conversation) VALUES (?1, ?2, ?3)";
        let mut enter = connection.prepare_cached(sql)?;
        conversation.members.iter().try_for_each(|user| enter.execute((user.as_str(), activity, id)).map(drop))?;
    }
    Ok(())
}
