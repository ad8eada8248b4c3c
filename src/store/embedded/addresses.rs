//! Under which address somebody can be found.

use rusqlite::Connection;

use super::row::parsed;
use crate::model::UserId;

pub(super) const TABLES: &str = "
    CREATE TABLE addresses (
        user TEXT NOT NULL PRIMARY KEY,
        address TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX address ON addresses (address, user);
";

/// Sets somebody's address, or takes an empty one away.
pub(super) fn set(connection: &Connection, user: &UserId, address: &str) -> rusqlite::Result<bool> {
    if address.is_empty() {
        let gone = connection.prepare_cached("DELETE FROM addresses WHERE user = ?1")?.execute([user.as_str()])?;
        return Ok(gone > 0);
    }
    let sql = "INSERT INTO addresses (user, address) VALUES (?1, ?2) \
               ON CONFLICT DO UPDATE SET address = excluded.address";
    Ok(connection.prepare_cached(sql)?.execute((user.as_str(), address))? > 0)
}

/// Those who have this address, two at the most.
pub(super) fn of(connection: &Connection, address: &str) -> rusqlite::Result<Vec<UserId>> {
    let mut statement =
        connection.prepare_cached("SELECT user FROM addresses WHERE address = ?1 ORDER BY user LIMIT 2")?;
    statement.query_map([address], |row| parsed(row, 0))?.collect()
}
