//! How users appear to others: a document each, `_id` user, `s` last seen, `o` whether they appear offline.

use std::collections::HashMap;

use async_trait::async_trait;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Bson, Document, doc};

use super::MongoStore;
use super::document::{date, millis};
use super::metrics::Operation;
use super::outcome::Malformed;
use super::read::Read;
use super::schema::APPEARANCES;
use crate::model::{Appearance, Timestamp, UserId};
use crate::store::{Appearances, StoreError};

#[async_trait]
impl Appearances for MongoStore {
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        let statements = users.iter().map(|(user, at)| updated(user, noted(*at)));
        self.update_each(Operation::Seen, APPEARANCES, statements.collect()).await
    }

    async fn appear(&self, user: &UserId, offline: bool, at: Timestamp) -> Result<(), StoreError> {
        let mut change = doc! { "o": offline };
        if offline {
            change.extend(noted(at));
        }
        self.update_each(Operation::Appear, APPEARANCES, vec![updated(user, change)]).await
    }

    async fn appearances(&self, users: &[UserId]) -> Result<Vec<Appearance>, StoreError> {
        let ids: Vec<_> = users.iter().map(|user| Bson::from(user.as_str())).collect();
        let what = Read { filter: doc! { "_id": { "$in": ids } }, limit: users.len(), ..Read::default() };
        let from = self.database.collection(APPEARANCES);
        let found = self.read(Operation::Appearances, &from, what, read_appearance).await?;
        let known: HashMap<UserId, Appearance> = found.into_iter().collect();
        Ok(users.iter().map(|user| known.get(user).copied().unwrap_or_default()).collect())
    }
}

/// When a user was last seen: what is known if that is later, or if they appear offline before this change.
fn noted(at: Timestamp) -> Document {
    doc! { "s": { "$cond": ["$o", "$s", { "$max": ["$s", date(at.0)] }] } }
}

/// A statement that changes a user's document by a pipeline, in which no text of anybody's occurs.
fn updated(user: &UserId, change: Document) -> Document {
    doc! { "q": { "_id": user.as_str() }, "u": [{ "$set": change }], "upsert": true }
}

pub(super) fn read_appearance(document: &RawDocument) -> Result<(UserId, Appearance), Malformed> {
    let last_seen = match document.get("s")? {
        Some(RawBsonRef::DateTime(at)) => Some(Timestamp(millis(at))),
        _ => None,
    };
    let offline = matches!(document.get("o")?, Some(RawBsonRef::Boolean(true)));
    Ok((document.get_str("_id")?.parse()?, Appearance { last_seen, offline }))
}
