//! How users appear to others.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};

use super::EmbeddedStore;
use super::group::Write;
use super::row::{natural, signed};
use crate::model::{Appearance, Timestamp, UserId};
use crate::store::{Appearances, StoreError};

#[async_trait]
impl Appearances for EmbeddedStore {
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        self.write(Write::Seen(users.to_vec())).await.map(drop)
    }

    async fn appear(&self, user: &UserId, offline: bool, at: Timestamp) -> Result<(), StoreError> {
        self.write(Write::Appear { user: user.clone(), offline, at }).await.map(drop)
    }

    async fn appearances(&self, users: &[UserId]) -> Result<Vec<Appearance>, StoreError> {
        let users = users.to_vec();
        self.readers.ask(move |connection| read(connection, &users)).await
    }
}

/// Notes when these users were last seen, unless they appear offline.
pub(super) fn note_seen(connection: &Connection, users: &[(UserId, Timestamp)]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO appearances (user, seen) VALUES (?1, ?2) \
               ON CONFLICT DO UPDATE SET seen = max(ifnull(seen, 0), excluded.seen) WHERE offline = 0";
    let mut note = connection.prepare_cached(sql)?;
    users.iter().try_for_each(|(user, at)| note.execute((user.as_str(), signed(at.0))).map(drop))
}

/// Sets whether a user appears offline.
pub(super) fn set(connection: &Connection, user: &UserId, offline: bool, at: Timestamp) -> rusqlite::Result<()> {
    if offline {
        note_seen(connection, &[(user.clone(), at)])?;
    }
    let sql = "INSERT INTO appearances (user, offline) VALUES (?1, ?2) \
               ON CONFLICT DO UPDATE SET offline = excluded.offline";
    connection.prepare_cached(sql)?.execute((user.as_str(), offline)).map(drop)
}

fn read(connection: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<Appearance>> {
    let mut statement = connection.prepare_cached("SELECT seen, offline FROM appearances WHERE user = ?1")?;
    let appearance = |row: &Row<'_>| {
        let last_seen = row.get::<_, Option<i64>>(0)?.map(natural).transpose()?.map(Timestamp);
        Ok(Appearance { last_seen, offline: row.get(1)? })
    };
    let mut read = |user: &UserId| statement.query_one([user.as_str()], appearance).optional();
    users.iter().map(|user| read(user).map(Option::unwrap_or_default)).collect()
}
