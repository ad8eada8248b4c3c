//! What was decided about users: a document for each of whom anything was. Lists are bounded by the updates themselves,
//! each of which is a pipeline over one document, so that none can overtake another.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::ReturnDocument;

use super::MongoStore;
use super::conversations::names;
use super::document::{date, millis};
use super::metrics::Operation;
use super::outcome::Malformed;
use super::read::Read;
use super::run::Failure;
use crate::model::limits::{BLOCKED_BY_MAX, BLOCKS_MAX, REVOKED_TOKENS_MAX};
use crate::model::{Ban, Revoked, Standing, Timestamp, UserId};
use crate::store::{Standings, StoreError};

/// "Duplicate key".
const DUPLICATE_KEY: i32 = 11_000;
/// The expiry of a token of which it is not known.
const NEVER: u64 = u64::MAX;

#[async_trait]
impl Standings for MongoStore {
    async fn standings(&self, users: &[UserId]) -> Result<Vec<(UserId, Standing)>, StoreError> {
        let ids: Vec<_> = users.iter().map(|user| Bson::from(user.as_str())).collect();
        let what = Read { filter: doc! { "_id": { "$in": ids } }, limit: users.len(), ..Read::default() };
        let found = self.read(Operation::Standings, &self.standings, what, read_standing).await?;
        Ok(found.into_iter().filter(|(_, standing)| *standing != Standing::default()).collect())
    }

    async fn ban(&self, user: &UserId, ban: Option<&Ban>) -> Result<(), StoreError> {
        let update = match ban {
            Some(Ban { by, at, reason }) => {
                doc! { "$set": { "b": { "w": by.as_str(), "a": date(at.0), "r": reason.as_str() } } }
            }
            None => doc! { "$unset": { "b": "" } },
        };
        self.decide(Operation::Ban, user, update).await
    }

    async fn revoke_before(&self, user: &UserId, before: Timestamp) -> Result<(), StoreError> {
        self.decide(Operation::RevokeBefore, user, doc! { "$max": { "t": date(before.0) } }).await
    }

    async fn revoke_token(&self, user: &UserId, token: &Revoked, now: Timestamp) -> Result<bool, StoreError> {
        // A token's id is whatever its issuer likes: it must not be read as part of the update.
        let id = doc! { "$literal": &*token.token };
        let until = date(token.until.map_or(NEVER, |until| until.0));
        let is_other = doc! { "$and": [
            { "$ne": ["$$one.i", id.clone()] },
            { "$gt": ["$$one.u", date(now.0)] },
        ] };
        let others = doc! { "$filter": { "input": or_empty("$r"), "as": "one", "cond": is_other } };
        let with = doc! { "$concatArrays": ["$$others", [{ "i": id, "u": until }]] };
        let kept =
            doc! { "$let": { "vars": { "others": others }, "in": with_room("$$others", REVOKED_TOKENS_MAX, with) } };
        let after = self.decide_by(Operation::RevokeToken, user, doc! { "$set": { "r": kept } }).await?;
        Ok(after.revoked.iter().any(|revoked| revoked.token == token.token))
    }

    async fn block(&self, user: &UserId, other: &UserId, active: bool) -> Result<bool, StoreError> {
        // The blocker's own list goes first in and last out, so that it never shows less than what is in force.
        if active {
            let others = without("$k", other);
            let with = doc! { "$concatArrays": ["$$others", [other.as_str()]] };
            let kept = doc! { "$let": { "vars": { "others": others }, "in": with_room("$$others", BLOCKS_MAX, with) } };
            let after = self.decide_by(Operation::Block, user, doc! { "$set": { "k": kept } }).await?;
            if !after.blocks(other) {
                return Ok(false);
            }
            let others = without("$y", user);
            let with = doc! { "$concatArrays": ["$$others", [user.as_str()]] };
            let is_full = doc! { "$gte": [{ "$size": without("$y", user) }, BLOCKED_BY_MAX as i64] };
            let kept =
                doc! { "$let": { "vars": { "others": others }, "in": with_room("$$others", BLOCKED_BY_MAX, with) } };
            let more = doc! { "$or": [{ "$ifNull": ["$m", false] }, is_full] };
            self.decide_by(Operation::Block, other, doc! { "$set": { "y": kept, "m": more } }).await?;
        } else {
            self.decide_by(Operation::Block, other, doc! { "$set": { "y": without("$y", user) } }).await?;
            self.decide_by(Operation::Block, user, doc! { "$set": { "k": without("$k", other) } }).await?;
        }
        Ok(true)
    }

    async fn note_agent(&self, user: &UserId) -> Result<(), StoreError> {
        self.decide(Operation::NoteAgent, user, doc! { "$set": { "g": true } }).await
    }
}

impl MongoStore {
    async fn decide(&self, operation: Operation, user: &UserId, update: Document) -> Result<(), StoreError> {
        let (standings, filter) = (self.standings.clone(), doc! { "_id": user.as_str() });
        self.runner
            .run(operation, move |session| {
                async move {
                    let decide = || standings.update_one(filter.clone(), update.clone()).upsert(true);
                    match decide().session(&mut *session).await {
                        Err(error) if collided(&error) => decide().session(session).await,
                        decided => decided,
                    }
                }
                .boxed()
            })
            .await
            .map(drop)
            .map_err(Failure::into_error)
    }

    /// The same by a pipeline of one stage; answers what it came to.
    async fn decide_by(&self, operation: Operation, user: &UserId, stage: Document) -> Result<Standing, StoreError> {
        let (standings, filter) = (self.standings.clone(), doc! { "_id": user.as_str() });
        let after = self.runner.run(operation, move |session| {
            async move {
                let decide = || {
                    let decide = standings.find_one_and_update(filter.clone(), vec![stage.clone()]).upsert(true);
                    decide.return_document(ReturnDocument::After)
                };
                let after = match decide().session(&mut *session).await {
                    Err(error) if collided(&error) => decide().session(session).await?,
                    decided => decided?,
                };
                let standing = after.as_deref().map(read_standing).transpose()?;
                Ok(standing.map(|(_, standing)| standing).unwrap_or_default())
            }
            .boxed()
        });
        after.await.map_err(Failure::into_error)
    }
}

/// Whether two made the same document at once: then it is there, and is found by deciding again.
fn collided(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        _ => false,
    }
}

/// A list that may not be there yet.
fn or_empty(field: &str) -> Document {
    doc! { "$ifNull": [field, Bson::Array(Vec::new())] }
}

/// A list of users without this one. No user's id begins with a `$`.
fn without(field: &str, user: &UserId) -> Document {
    let is_other = doc! { "$ne": ["$$one", user.as_str()] };
    doc! { "$filter": { "input": or_empty(field), "as": "one", "cond": is_other } }
}

/// `with`, if the list has less than so many; else the list.
fn with_room(list: &str, room: usize, with: Document) -> Document {
    doc! { "$cond": [{ "$lt": [{ "$size": list }, room as i64] }, with, list] }
}

/// A standing's document: `_id` user, `b` ban (`w` by whom, `a` when, `r` why), `t` tokens of before do not count, `r`
/// tokens that do not count (`i` id, `u` until), `k` whom they block, `y` by whom they are blocked, `m` and by more,
/// `g` came as an agent.
pub(super) fn read_standing(document: &RawDocument) -> Result<(UserId, Standing), Malformed> {
    let time = |at| Timestamp(millis(at));
    let ban = match document.get("b")? {
        Some(RawBsonRef::Document(ban)) => Some(Ban {
            by: ban.get_str("w")?.parse()?,
            at: time(ban.get_datetime("a")?),
            reason: ban.get_str("r")?.to_owned(),
        }),
        _ => None,
    };
    let tokens_before = match document.get("t")? {
        Some(RawBsonRef::DateTime(before)) => Some(time(before)),
        _ => None,
    };
    let is = |field| matches!(document.get(field), Ok(Some(RawBsonRef::Boolean(true))));
    let standing = Standing {
        ban,
        tokens_before,
        revoked: read_revoked(document)?,
        blocks: read_users(document, "k")?,
        blocked_by: read_users(document, "y")?,
        blocked_by_more: is("m"),
        agent: is("g"),
    };
    Ok((document.get_str("_id")?.parse()?, standing))
}

/// The document of a standing, as [`read_standing`] reads it.
pub(super) fn standing_document(user: &UserId, standing: &Standing) -> Document {
    let Standing { ban, tokens_before, revoked, blocks, blocked_by, blocked_by_more, agent } = standing;
    let mut document = doc! { "_id": user.as_str() };
    if let Some(Ban { by, at, reason }) = ban {
        document.insert("b", doc! { "w": by.as_str(), "a": date(at.0), "r": reason.as_str() });
    }
    if let Some(before) = tokens_before {
        document.insert("t", date(before.0));
    }
    let revoked = revoked.iter().map(|revoked| {
        let until = date(revoked.until.map_or(NEVER, |until| until.0));
        Bson::from(doc! { "i": &*revoked.token, "u": until })
    });
    let revoked: Vec<Bson> = revoked.collect();
    for (field, list) in [("r", revoked), ("k", names(blocks)), ("y", names(blocked_by))] {
        if !list.is_empty() {
            document.insert(field, list);
        }
    }
    for (field, is) in [("m", *blocked_by_more), ("g", *agent)] {
        if is {
            document.insert(field, true);
        }
    }
    document
}

fn read_revoked(document: &RawDocument) -> Result<Vec<Revoked>, Malformed> {
    let Some(RawBsonRef::Array(list)) = document.get("r")? else { return Ok(Vec::new()) };
    let revoked = |one: mongodb::bson::error::Result<RawBsonRef<'_>>| {
        let one = one?.as_document().ok_or(Malformed::Value("a revoked token that is no document"))?;
        let until = one.get_datetime("u")?;
        let until = (until != date(NEVER)).then(|| Timestamp(millis(until)));
        Ok(Revoked { token: one.get_str("i")?.into(), until })
    };
    let mut all = list.into_iter().map(revoked).collect::<Result<Vec<_>, Malformed>>()?;
    all.sort_by(|one, other| one.token.cmp(&other.token));
    Ok(all)
}

fn read_users(document: &RawDocument, field: &str) -> Result<Vec<UserId>, Malformed> {
    let Some(RawBsonRef::Array(list)) = document.get(field)? else { return Ok(Vec::new()) };
    let user = |one: mongodb::bson::error::Result<RawBsonRef<'_>>| {
        Ok(one?.as_str().ok_or(Malformed::Value("a user that is not a string"))?.parse()?)
    };
    let mut all = list.into_iter().map(user).collect::<Result<Vec<_>, Malformed>>()?;
    all.sort();
    Ok(all)
}
