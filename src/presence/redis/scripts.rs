//! What is asked of Redis. Each script touches one key, so that it runs on a cluster as well, and goes by the time of the
//! server that has that key, so that no node's clock matters.

use fred::error::Error;
use fred::interfaces::{KeysInterface, LuaInterface};
use fred::types::{Expiration, SetOptions, Value};

use crate::model::limits::{PRESENCE_BATCH_USERS_MAX, PRESENCE_LEASE, PRESENCE_REMAINS, PRESENCE_SWEEP_WAIT};
use crate::model::{NodeId, Timestamp, UserId};
use crate::presence::ledger::Standing;
use crate::redis::Session;

use std::time::Duration;
use tokio::time::Instant;

/// A sorted set: registrations, each with the time until which its lease holds.
const LEASES: &str = "switchboard:presence:leases";
/// What the key of a registration begins with: a hash of users. It is never empty while its lease holds, for there is
/// one field without a name; a hash that lacks it was lost.
const USERS: &str = "switchboard:presence:users:";
/// Held by the node that sweeps up after dead ones.
const SWEEPER: &str = "switchboard:presence:sweeper";

/// How many leases are read: more nodes than this never were, dead ones included.
const LEASES_MAX: usize = 1_000;

const BEAT: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
    local held = lease and tonumber(lease) > now
    if ARGV[2] == 'begin' or (ARGV[2] == 'renew' and held) then
        redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[4])
        if ARGV[5] ~= '' then redis.call('ZREM', KEYS[1], ARGV[5]) end
    end
    local answer = { held and '1' or '0', string.format('%.0f', now) }
    local leases = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[6], 'WITHSCORES')
    for at = 1, #leases do answer[#answer + 1] = leases[at] end
    return answer";

const WRITE: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], '', '1')
    for at = 2, #ARGV, 3 do
        local user, left, since = ARGV[at], ARGV[at + 1], ARGV[at + 2]
        if left == 'here' then redis.call('HSET', KEYS[1], user, 'here')
        elseif left == 'gone' then redis.call('HDEL', KEYS[1], user)
        else redis.call('HSET', KEYS[1], user, string.format('%.0f', now + left) .. ' ' .. since) end
    end
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return redis.status_reply('OK')";

const KEEP: &str = "
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return redis.call('HLEN', KEYS[1])";

const FIND: &str = "
    if redis.call('HEXISTS', KEYS[1], '') == 0 then return '' end
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
    for at = 1, #found do
        local value = found[at]
        local here = value and (value == 'here' or tonumber(string.match(value, '^%d+')) > now)
        found[at] = here and '1' or '0'
    end
    return table.concat(found)";

const REMAINS: &str = "
    local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
    local answer = { page[1] }
    for at = 1, #page[2] do answer[#answer + 1] = page[2][at] end
    return answer";

const STRIKE: &str = "
    local time = redis.call('TIME')
    local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
    if lease and tonumber(lease) <= time[1] * 1000 then return redis.call('ZREM', KEYS[1], ARGV[1]) end
    return 0";

fn users_of(registration: NodeId) -> String {
    format!("{USERS}{registration}")
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

/// What is done about a node's own lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// It begins, in place of an earlier one.
    Begin { former: Option<NodeId> },
    /// It is renewed, if it holds.
    Renew(Duration),
    /// Nothing.
    Look,
}

/// All leases, as they stand.
#[derive(Debug)]
pub(super) struct Leases {
    /// Whether one's own held before.
    pub(super) held: bool,
    /// Registrations whose lease holds.
    pub(super) live: Vec<NodeId>,
    /// Those whose lease ended, and when.
    pub(super) dead: Vec<(NodeId, Timestamp)>,
}

pub(super) async fn beat(session: &Session, own: NodeId, beat: Beat) -> Result<Leases, Error> {
    let (what, lease, former) = match beat {
        Beat::Begin { former } => ("begin", PRESENCE_LEASE, former),
        Beat::Renew(lease) => ("renew", lease, None),
        Beat::Look => ("look", PRESENCE_LEASE, None),
    };
    let former = former.map(|former| former.to_string()).unwrap_or_default();
    let last = (LEASES_MAX - 1).to_string();
    let arguments = vec![own.to_string(), what.to_owned(), millis(lease), millis(PRESENCE_REMAINS), former, last];
    let answer: Vec<String> = session.client().eval(BEAT, LEASES, arguments).await?;
    let [held, now, leases @ ..] = &answer[..] else { return Err(strange("leases")) };
    let now: u64 = now.parse().map_err(|_| strange("a time"))?;
    let mut all = Leases { held: held == "1", live: Vec::new(), dead: Vec::new() };
    for lease in leases.chunks_exact(2) {
        let registration = u64::from_str_radix(&lease[0], 16).map(NodeId).map_err(|_| strange("a lease"))?;
        let until: f64 = lease[1].parse().map_err(|_| strange("a time"))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of this era")]
        let until = until.max(0.0) as u64;
        match until > now {
            true => all.live.push(registration),
            false => all.dead.push((registration, Timestamp(until))),
        }
    }
    Ok(all)
}

/// Writes how users stand, at most [`PRESENCE_BATCH_USERS_MAX`] of them.
pub(super) async fn write(session: &Session, own: NodeId, batch: &[(UserId, Standing)]) -> Result<(), Error> {
    let now = Instant::now();
    let mut arguments = Vec::with_capacity(3 * batch.len() + 1);
    arguments.push(millis(PRESENCE_REMAINS));
    for (user, standing) in batch {
        let (left, since) = match standing {
            Standing::Here => ("here".to_owned(), String::new()),
            Standing::Gone { .. } => ("gone".to_owned(), String::new()),
            Standing::Leaving { since, until } => (millis(until.duration_since(now)), since.0.to_string()),
        };
        arguments.extend([user.as_str().to_owned(), left, since]);
    }
    session.client().eval(WRITE, users_of(own), arguments).await
}

/// Keeps one's own registration from expiring; answers how many users are in it, if there is one at all.
pub(super) async fn keep(session: &Session, own: NodeId) -> Result<Option<usize>, Error> {
    let fields: usize = session.client().eval(KEEP, users_of(own), millis(PRESENCE_REMAINS)).await?;
    Ok(fields.checked_sub(1))
}

/// Which of these users are in a registration; none if it was lost.
pub(super) async fn find(session: &Session, of: NodeId, users: &[UserId]) -> Result<Option<Vec<bool>>, Error> {
    let asked: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let answer: String = session.client().eval(FIND, users_of(of), asked).await?;
    match answer.len() {
        0 => Ok(None),
        found if found == users.len() => Ok(Some(answer.bytes().map(|byte| byte == b'1').collect())),
        _ => Err(strange("users")),
    }
}

/// A page of what a dead node registered: its users, when their last connection ended if it did before the node died,
/// and where the next page begins.
pub(super) type Page = (Vec<(UserId, Option<Timestamp>)>, Option<String>);

pub(super) async fn remains(session: &Session, of: NodeId, from: &str) -> Result<Page, Error> {
    let arguments = vec![from.to_owned(), PRESENCE_BATCH_USERS_MAX.to_string()];
    let answer: Vec<String> = session.client().eval(REMAINS, users_of(of), arguments).await?;
    let [next, fields @ ..] = &answer[..] else { return Err(strange("remains")) };
    let left = |value: &str| value.split_once(' ')?.1.parse().ok().map(Timestamp);
    let user = |field: &[String]| Some((field[0].parse().ok()?, left(&field[1])));
    Ok((fields.chunks_exact(2).filter_map(user).collect(), Some(next.clone()).filter(|next| next != "0")))
}

/// Takes away a registration.
pub(super) async fn remove(session: &Session, registration: NodeId) -> Result<(), Error> {
    session.client().unlink::<Value, _>(users_of(registration)).await.map(drop)
}

/// Takes away a lease that ended.
pub(super) async fn strike(session: &Session, registration: NodeId) -> Result<(), Error> {
    session.client().eval::<Value, _, _, _>(STRIKE, LEASES, registration.to_string()).await.map(drop)
}

/// Whether it falls to this node to sweep up.
pub(super) async fn may_sweep(session: &Session, own: NodeId) -> Result<bool, Error> {
    let (expiry, options) = (Some(Expiration::PX(PRESENCE_SWEEP_WAIT.as_millis() as i64)), Some(SetOptions::NX));
    let set: Option<String> = session.client().set(SWEEPER, own.to_string(), expiry, options, false).await?;
    Ok(set.is_some())
}

/// Another may sweep up from now on.
pub(super) async fn swept(session: &Session) -> Result<(), Error> {
    session.client().del::<Value, _>(SWEEPER).await.map(drop)
}

fn strange(what: &str) -> Error {
    Error::new(fred::error::ErrorKind::Parse, format!("Redis answered something else than {what}"))
}
