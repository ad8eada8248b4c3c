//! What was decided about users: the tables, what the writer does to them, and what readers are told.

use rusqlite::{Connection, OptionalExtension, Row};

use super::row::{natural, parsed, signed};
use crate::model::limits::{BLOCKED_BY_MAX, BLOCKS_MAX, REVOKED_TOKENS_MAX};
use crate::model::{Ban, Revoked, Standing, Timestamp, UserId};

/// A token's expiry is the greatest number there is, where it is not known.
pub(super) const TABLES: &str = "
    CREATE TABLE standings (
        user TEXT NOT NULL PRIMARY KEY,
        banned_by TEXT,
        banned_at INTEGER,
        reason TEXT,
        tokens_before INTEGER,
        agent INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revoked (
        user TEXT NOT NULL,
        token TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (user, token)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE blocks (
        user TEXT NOT NULL,
        other TEXT NOT NULL,
        PRIMARY KEY (user, other)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blocked ON blocks (other, user);
";

/// Something about a user.
#[derive(Debug)]
pub(super) enum Decision {
    /// Whether they may come.
    Ban(Option<Ban>),
    /// Their tokens of before this do not count.
    RevokeBefore(Timestamp),
    /// One token does not count. Others that have expired by the time given are forgotten.
    RevokeToken(Revoked, Timestamp),
    /// Whether they block this other.
    Block(UserId, bool),
    /// They came as an agent.
    NoteAgent,
}

/// Keeps a decision; answers whether it holds.
pub(super) fn decide(connection: &Connection, user: &UserId, decision: &Decision) -> rusqlite::Result<bool> {
    let user = user.as_str();
    match decision {
        Decision::Ban(ban) => {
            let sql = "INSERT INTO standings (user, banned_by, banned_at, reason) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT DO UPDATE SET banned_by = ?2, banned_at = ?3, reason = ?4";
            let by = ban.as_ref().map(|ban| ban.by.as_str());
            let (at, reason) = (ban.as_ref().map(|ban| signed(ban.at.0)), ban.as_ref().map(|ban| &ban.reason));
            connection.prepare_cached(sql)?.execute((user, by, at, reason))?;
            Ok(true)
        }
        Decision::RevokeBefore(before) => {
            let sql = "INSERT INTO standings (user, tokens_before) VALUES (?1, ?2) \
                       ON CONFLICT DO UPDATE SET tokens_before = max(ifnull(tokens_before, 0), ?2)";
            connection.prepare_cached(sql)?.execute((user, signed(before.0)))?;
            Ok(true)
        }
        Decision::RevokeToken(token, now) => revoke_token(connection, user, token, *now),
        Decision::Block(other, true) => block(connection, user, other.as_str()),
        Decision::Block(other, false) => {
            let sql = "DELETE FROM blocks WHERE user = ?1 AND other = ?2";
            connection.prepare_cached(sql)?.execute((user, other.as_str()))?;
            Ok(true)
        }
        Decision::NoteAgent => {
            let sql = "INSERT INTO standings (user, agent) VALUES (?1, 1) ON CONFLICT DO UPDATE SET agent = 1";
            connection.prepare_cached(sql)?.execute([user])?;
            Ok(true)
        }
    }
}

fn revoke_token(connection: &Connection, user: &str, revoked: &Revoked, now: Timestamp) -> rusqlite::Result<bool> {
    let expired = "DELETE FROM revoked WHERE user = ?1 AND until <= ?2";
    connection.prepare_cached(expired)?.execute((user, signed(now.0)))?;
    let sql = "INSERT INTO revoked (user, token, until) SELECT ?1, ?2, ?3 \
               WHERE (SELECT count(*) FROM revoked WHERE user = ?1 AND token <> ?2) < ?4 \
               ON CONFLICT DO UPDATE SET until = excluded.until";
    let until = revoked.until.map_or(i64::MAX, |until| signed(until.0));
    let row = (user, &*revoked.token, until, REVOKED_TOKENS_MAX as i64);
    Ok(connection.prepare_cached(sql)?.execute(row)? > 0)
}

fn block(connection: &Connection, user: &str, other: &str) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO blocks (user, other) SELECT ?1, ?2 \
               WHERE (SELECT count(*) FROM blocks WHERE user = ?1 AND other <> ?2) < ?3 \
               ON CONFLICT DO UPDATE SET other = excluded.other";
    Ok(connection.prepare_cached(sql)?.execute((user, other, BLOCKS_MAX as i64))? > 0)
}

/// Keeps all that was decided about somebody of whom nothing was kept. By whom they are blocked, those keep.
pub(super) fn restore(connection: &Connection, user: &UserId, standing: &Standing) -> rusqlite::Result<()> {
    let Standing { ban, tokens_before, revoked, blocks, agent, .. } = standing;
    let user = user.as_str();
    if ban.is_some() || tokens_before.is_some() || *agent {
        let sql = "INSERT INTO standings (user, banned_by, banned_at, reason, tokens_before, agent) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let by = ban.as_ref().map(|ban| ban.by.as_str());
        let (at, reason) = (ban.as_ref().map(|ban| signed(ban.at.0)), ban.as_ref().map(|ban| &ban.reason));
        let before = tokens_before.map(|before| signed(before.0));
        connection.prepare_cached(sql)?.execute((user, by, at, reason, before, agent))?;
    }
    let mut revoke = connection.prepare_cached("INSERT INTO revoked (user, token, until) VALUES (?1, ?2, ?3)")?;
    for one in revoked {
        revoke.execute((user, &*one.token, one.until.map_or(i64::MAX, |until| signed(until.0))))?;
    }
    let mut block = connection.prepare_cached("INSERT INTO blocks (user, other) VALUES (?1, ?2)")?;
    blocks.iter().try_for_each(|other| block.execute((user, other.as_str())).map(drop))
}

/// The standing of those of these users who have one.
pub(super) fn of(connection: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<(UserId, Standing)>> {
    let mut found = Vec::new();
    for user in users {
        let standing = one(connection, user)?;
        if standing != Standing::default() {
            found.push((user.clone(), standing));
        }
    }
    Ok(found)
}

fn one(connection: &Connection, user: &UserId) -> rusqlite::Result<Standing> {
    let sql = "SELECT banned_by, banned_at, reason, tokens_before, agent FROM standings WHERE user = ?1";
    let decided = |row: &Row<'_>| {
        let ban = match row.get::<_, Option<i64>>(1)? {
            Some(at) => Some(Ban { by: parsed(row, 0)?, at: Timestamp(natural(at)?), reason: row.get(2)? }),
            None => None,
        };
        let tokens_before = row.get::<_, Option<i64>>(3)?.map(natural).transpose()?.map(Timestamp);
        Ok(Standing { ban, tokens_before, agent: row.get(4)?, ..Standing::default() })
    };
    let mut standing =
        connection.prepare_cached(sql)?.query_one([user.as_str()], decided).optional()?.unwrap_or_default();
    standing.revoked = revoked(connection, user)?;
    standing.blocks = others(connection, "SELECT other FROM blocks WHERE user = ?1 ORDER BY other LIMIT ?2", user)?;
    let mut by = others(connection, "SELECT user FROM blocks WHERE other = ?1 ORDER BY user LIMIT ?2", user)?;
    standing.blocked_by_more = by.len() > BLOCKED_BY_MAX;
    by.truncate(BLOCKED_BY_MAX);
    standing.blocked_by = by;
    Ok(standing)
}

fn revoked(connection: &Connection, user: &UserId) -> rusqlite::Result<Vec<Revoked>> {
    let mut statement = connection.prepare_cached("SELECT token, until FROM revoked WHERE user = ?1 ORDER BY token")?;
    let revoked = |row: &Row<'_>| {
        let until = row.get::<_, i64>(1)?;
        let until = if until == i64::MAX { None } else { Some(Timestamp(natural(until)?)) };
        Ok(Revoked { token: row.get_ref(0)?.as_str()?.into(), until })
    };
    statement.query_map([user.as_str()], revoked)?.collect()
}

fn others(connection: &Connection, sql: &str, user: &UserId) -> rusqlite::Result<Vec<UserId>> {
    let mut statement = connection.prepare_cached(sql)?;
    let limit = BLOCKED_BY_MAX.max(BLOCKS_MAX) as i64 + 1;
    statement.query_map((user.as_str(), limit), |row| parsed(row, 0))?.collect()
}
