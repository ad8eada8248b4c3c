//! The file: its tables, its version, and how a connection to it is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::directory::{OpenError, Place};
use super::fault::{damaged, is_full};
use super::row::{natural, signed};
use super::{addresses, erasure, standings};
use crate::model::{Chance, Generation, StoreTime};

/// The schema that this version makes, which the file's `user_version` says: one of an older one is upgraded. What it adds
/// is additive: tables and columns that an older program neither reads nor misses, and that this one does without where an
/// older one has written meanwhile.
const VERSION: i64 = 2;

/// The oldest schema whose programs may use what this one makes, which `meta` says: raised, to [`VERSION`], only by a change
/// that is not additive. Older programs then refuse the file.
const OLDEST: i64 = 2;

/// Marks the file as ours, for `file` and for us: "SWBD".
const APPLICATION: i64 = 0x5357_4244;

/// How long a connection waits for another one's lock. Nobody here holds one for longer than an instant.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Statements that a connection keeps prepared; there are fewer.
const STATEMENTS_KEPT: usize = 64;

/// What the writer keeps of the file in memory. Little: the system keeps the file's pages anyway, and lets go of them
/// when memory is short; these it could not.
const WRITER_CACHE_MEBIBYTES: i64 = 4;

/// The same of each reader.
const READER_CACHE_MEBIBYTES: i64 = 1;

/// The log's file is cut to this when it starts over.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// The tables of version 1. Messages lie in the order of their conversation, so that a page is one short walk; both keys of the port are keys
/// of the table. `recent` holds one row for each member of each conversation in which something was said.
const TABLES: &str = "
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        schema INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        clock INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        conversation BLOB NOT NULL,
        seq INTEGER NOT NULL CHECK (seq > 0),
        id BLOB NOT NULL,
        sender TEXT NOT NULL,
        key TEXT NOT NULL,
        at INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        text TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (conversation, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX message_keys ON messages (conversation, sender, key);
    CREATE TABLE conversations (
        id BLOB NOT NULL PRIMARY KEY,
        kind INTEGER NOT NULL,
        last_seq INTEGER NOT NULL DEFAULT 0,
        last_from TEXT,
        last_at INTEGER,
        last_text TEXT,
        activity INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE members (
        conversation BLOB NOT NULL,
        user TEXT NOT NULL,
        read INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (conversation, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE recent (
        user TEXT NOT NULL,
        activity INTEGER NOT NULL,
        conversation BLOB NOT NULL,
        PRIMARY KEY (user, activity, conversation)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE profiles (
        user TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        email TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE agreed (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// What each later version adds, the second one first: new tables and columns only, filled from what is there. A new file is made by all of them,
/// so that it cannot differ from an old one that was upgraded.
const ADDED: [&[&str]; 1] = [&[GROUPS, DESK, APPEARANCES, standings::TABLES, addresses::TABLES, erasure::TABLES]];

/// Groups: what is known of one beside its members, and when each member came and went. Who has left stays in `members`
/// for their cursors, and is found by when they left in `departures`.
const GROUPS: &str = "
    ALTER TABLE messages ADD COLUMN event TEXT;
    ALTER TABLE conversations ADD COLUMN last_event TEXT;
    ALTER TABLE members ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE groups (
        conversation BLOB NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        named INTEGER NOT NULL,
        history INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE terms (
        conversation BLOB NOT NULL,
        user TEXT NOT NULL,
        seq INTEGER NOT NULL,
        step INTEGER NOT NULL,
        PRIMARY KEY (conversation, user, seq, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE departures (
        user TEXT NOT NULL,
        conversation BLOB NOT NULL,
        at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (user, conversation)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX departures_by_time ON departures (user, at, conversation);
";

/// The team's inbox: one row for each talk with it, with a copy of its activity, by which it is listed.
const DESK: &str = "
    CREATE TABLE talks (
        conversation BLOB NOT NULL PRIMARY KEY,
        state INTEGER NOT NULL DEFAULT 1,
        agent TEXT,
        changed_by TEXT,
        changed_at INTEGER,
        change INTEGER NOT NULL DEFAULT 0,
        activity INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX talks_by_state ON talks (state, activity, conversation);
    CREATE INDEX talks_by_agent ON talks (agent, activity, conversation) WHERE agent IS NOT NULL;
    INSERT INTO talks (conversation, activity) SELECT id, activity FROM conversations WHERE kind = 2;
";

/// How users appear to others: when they were last seen, if they ever were, and whether they wish to be shown as offline.
const APPEARANCES: &str = "
    CREATE TABLE appearances (
        user TEXT NOT NULL PRIMARY KEY,
        seen INTEGER,
        offline INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
";

/// What a file says of itself.
#[derive(Debug)]
pub(super) struct Meta {
    /// Which history it holds.
    pub(super) generation: Generation,
    /// The latest time that its clock is known to have shown.
    pub(super) clock: StoreTime,
}

/// Opens the file for writing, making its tables if there are none.
pub(super) fn open(place: &Place, chance: &dyn Chance) -> Result<(Connection, Meta), OpenError> {
    let foreign = || OpenError::Foreign { file: place.file().to_owned() };
    let unusable = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(),
        _ => OpenError::Unusable { file: place.file().to_owned(), detail: error.to_string() },
    };
    let mut connection =
        connect(place.file(), OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_MEBIBYTES).map_err(unusable)?;
    let application = integer(&connection, "PRAGMA application_id").map_err(unusable)?;
    let fresh = application == 0 && integer(&connection, "SELECT count(*) FROM sqlite_schema").map_err(unusable)? == 0;
    if !fresh && application != APPLICATION {
        return Err(foreign());
    }
    keep_log(&connection).map_err(unusable)?;
    if fresh {
        create(&mut connection, chance).map_err(unusable)?;
    }
    let oldest = integer(&connection, "SELECT schema FROM meta").map_err(unusable)?;
    if oldest > VERSION {
        return Err(OpenError::Newer { file: place.file().to_owned(), found: oldest, known: VERSION });
    }
    // Before there was a difference, only `meta` said it.
    let made = integer(&connection, "PRAGMA user_version").map_err(unusable)?.max(oldest);
    if made < VERSION {
        upgrade(&mut connection, made).map_err(unusable)?;
        tracing::info!(from = made, to = VERSION, "the store's file was upgraded");
    } else if made > VERSION {
        tracing::info!(
            made,
            known = VERSION,
            "a newer version has added to the store's file; this one leaves that alone"
        );
    }
    // What a crash left in the log goes into the file and to the disk before anybody reads it: after a failed fsync,
    // the log that was just read may exist in memory only. Without room for that, reads still go on.
    match checkpoint(&connection, Checkpoint::Truncate) {
        Err(error) if is_full(&error) => tracing::error!(%error, "the disk is full: messages can be read, not sent"),
        other => {
            other.map_err(unusable)?;
        }
    }
    let meta = connection.query_one("SELECT generation, clock FROM meta", [], |row| {
        let generation = Generation(row.get::<_, i64>(0)?.cast_unsigned());
        Ok(Meta { generation, clock: StoreTime(natural(row.get(1)?)?) })
    });
    meta.map(|meta| (connection, meta)).map_err(unusable)
}

/// Opens the file beside the process that writes it, to read it and nothing else. It is not upgraded: that is for a node.
pub(super) fn open_to_read(file: &Path) -> Result<(Connection, Generation), OpenError> {
    let unusable = |detail: String| OpenError::Unusable { file: file.to_owned(), detail };
    let failed = |error: rusqlite::Error| unusable(error.to_string());
    // Reading goes through the shared index of the log, which a connection that may not write could not make.
    let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_MEBIBYTES).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    if integer(&connection, "PRAGMA application_id").map_err(failed)? != APPLICATION {
        return Err(OpenError::Foreign { file: file.to_owned() });
    }
    let meta = connection.query_one("SELECT schema, generation FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (needed, generation): (i64, i64) = meta.map_err(failed)?;
    let made = integer(&connection, "PRAGMA user_version").map_err(failed)?.max(needed);
    if needed > VERSION {
        return Err(OpenError::Newer { file: file.to_owned(), found: needed, known: VERSION });
    }
    if made < VERSION {
        return Err(unusable(format!(
            "an older version made it (schema {made}): start a node once, which upgrades it"
        )));
    }
    Ok((connection, Generation(generation.cast_unsigned())))
}

/// Gives the file another generation.
pub(super) fn renew(place: &Place, chance: &dyn Chance) -> Result<Generation, OpenError> {
    let (connection, _) = open(place, chance)?;
    let generation = Generation(chance.bits());
    let renewed = connection.execute("UPDATE meta SET generation = ?1", [generation.0.cast_signed()]);
    let unusable =
        |error: rusqlite::Error| OpenError::Unusable { file: place.file().to_owned(), detail: error.to_string() };
    renewed.and_then(|_| checkpoint(&connection, Checkpoint::Truncate)).map_err(unusable)?;
    Ok(generation)
}

fn create(connection: &mut Connection, chance: &dyn Chance) -> rusqlite::Result<()> {
    let creation = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    creation.execute_batch(TABLES)?;
    add(&creation, 1)?;
    creation.execute(
        "INSERT INTO meta (one, schema, generation, clock) VALUES (1, ?1, ?2, 0)",
        (OLDEST, chance.bits().cast_signed()),
    )?;
    creation.pragma_update(None, "user_version", VERSION)?;
    creation.pragma_update(None, "application_id", APPLICATION)?;
    creation.commit()
}

/// Brings a file of an older version up to this one, wholly or not at all.
fn upgrade(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    let upgrade = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    add(&upgrade, found)?;
    upgrade.execute("UPDATE meta SET schema = max(schema, ?1)", [OLDEST])?;
    upgrade.pragma_update(None, "user_version", VERSION)?;
    upgrade.commit()
}

/// Adds what came after version `found`.
fn add(connection: &Connection, found: i64) -> rusqlite::Result<()> {
    let known = usize::try_from(found - 1).unwrap_or_default();
    ADDED.iter().skip(known).flat_map(|step| step.iter()).try_for_each(|tables| connection.execute_batch(tables))
}

/// A connection for writing. There must be only one.
pub(super) fn writer(place: &Place) -> rusqlite::Result<Connection> {
    let connection = connect(place.file(), OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_MEBIBYTES)?;
    keep_log(&connection)?;
    Ok(connection)
}

/// A connection for reading what was committed.
pub(super) fn reader(place: &Place) -> rusqlite::Result<Connection> {
    connect(place.file(), OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_MEBIBYTES)
}

fn connect(file: &Path, access: OpenFlags, cache_mebibytes: i64) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "cache_size", -1_024 * cache_mebibytes)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Plans are made once, not again for every value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Closing the last connection would fold the log in once more, even after a failed fsync.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Has every commit written to the log and synced before it counts.
fn keep_log(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_one("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(damaged(format!("the file system allows no write-ahead log, only {mode:?}")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // A transaction then touches the disk in its commit and nowhere else.
    connection.pragma_update(None, "cache_spill", false)?;
    // Checkpoints are the writer's own business: SQLite's automatic one would not tell of a failed fsync.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)
}

/// How far the log has grown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    /// Pages in it.
    pub(super) pages: i64,
    /// Pages that are not in the file yet.
    pub(super) pending: i64,
}

/// How thoroughly the log is folded into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Not at all: only look how far it has grown.
    Look,
    /// As far as it goes without waiting for anybody.
    Passive,
    /// Wholly, waiting for readers, so that the next write starts the log over.
    Restart,
    /// Wholly, and empty the log.
    Truncate,
}

/// Folds the log into the file, and answers how far it had grown.
pub(super) fn checkpoint(connection: &Connection, how: Checkpoint) -> rusqlite::Result<Log> {
    let sql = match how {
        Checkpoint::Look => "PRAGMA wal_checkpoint(NOOP)",
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Restart => "PRAGMA wal_checkpoint(RESTART)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.prepare_cached(sql)?.query_one([], |row| {
        let (pages, done): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Log { pages, pending: pages - done })
    })
}

/// Records the clock.
pub(super) fn record(connection: &Connection, clock: StoreTime) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE meta SET clock = ?1")?.execute([signed(clock.0)]).map(drop)
}

fn integer(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_one(sql, [], |row| row.get(0))
}

#[cfg(test)]
mod tests;
