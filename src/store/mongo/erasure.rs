//! Forgetting somebody who was here. How far that has come: `_id` user, `b` when it began, `l` whether it is the last
//! walk, `t` whether among the team's talks, `c` conversation, `n` place in it, `e` how many messages were emptied.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Bson, Document, doc};

use super::MongoStore;
use super::document::{binary, date, millis, number, place, read_seq};
use super::metrics::Operation;
use super::outcome::Malformed;
use super::people::known_as;
use super::read::Read;
use super::run::Failure;
use super::schema::APPEARANCES;
use crate::model::{ConversationId, Profile, Seq, Timestamp, UserId};
use crate::store::{Erasure, Progress, StoreError};

#[async_trait]
impl Erasure for MongoStore {
    async fn erasure(&self, user: &UserId) -> Result<Option<Progress>, StoreError> {
        let what = Read { filter: doc! { "_id": user.as_str() }, limit: 1, ..Read::default() };
        Ok(self.read(Operation::Erasure, &self.erasures, what, read_progress).await?.pop())
    }

    async fn keep_erasure(&self, user: &UserId, progress: Option<&Progress>) -> Result<(), StoreError> {
        let (erasures, filter) = (self.erasures.clone(), doc! { "_id": user.as_str() });
        let kept = progress.map(|progress| doc! { "$set": progress_document(progress) });
        self.runner
            .run(Operation::KeepErasure, move |session| {
                async move {
                    match kept {
                        Some(kept) => erasures.update_one(filter, kept).upsert(true).session(session).await.map(drop),
                        None => erasures.delete_one(filter).session(session).await.map(drop),
                    }
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }

    async fn conversations_of(
        &self,
        user: &UserId,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let mut filter = doc! { "at": { "$gt": date(0) } };
        let mut left = doc! { "u": user.as_str() };
        if *user == UserId::team() {
            // In the order of their ids, which are walked through anyway: there may be very many.
            filter.insert("k", "support");
        } else {
            filter.insert("m", user.as_str());
        }
        if let Some(from) = from {
            filter.insert("_id", doc! { "$gte": binary(from.as_bytes()) });
            left.insert("c", doc! { "$gte": binary(from.as_bytes()) });
        }
        let what = Read { filter, sort: doc! { "_id": 1 }, limit, projection: doc! { "_id": 1 } };
        let left = Read { filter: left, sort: doc! { "c": 1 }, limit, ..Read::default() };
        let mut all = self.read(Operation::ConversationsOf, &self.conversations, what, read_id).await?;
        all.extend(self.read(Operation::ConversationsOf, &self.departures, left, read_left).await?);
        all.sort_unstable();
        all.dedup();
        all.truncate(limit);
        Ok(all)
    }

    async fn empty(
        &self,
        conversation: ConversationId,
        user: &UserId,
        after: Seq,
        up_to: Seq,
    ) -> Result<u64, StoreError> {
        let range = doc! { "$gt": binary(&place(conversation, after)), "$lte": binary(&place(conversation, up_to)) };
        let written = doc! { "_id": range, "s": user.as_str(), "t": { "$ne": "" } };
        let shown = doc! { "_id": binary(conversation.as_bytes()), "l.f": user.as_str(), "l.t": { "$ne": "" } };
        let (messages, conversations) = (self.messages.clone(), self.conversations.clone());
        self.runner
            .run(Operation::Empty, move |session| {
                async move {
                    let erased = doc! { "kind": "erased" };
                    let emptied = doc! { "$set": { "t": "", "v": erased.clone() } };
                    let emptied = messages.update_many(written, emptied).session(&mut *session).await?;
                    let unshown = doc! { "$set": { "l.t": "", "l.v": erased } };
                    conversations.update_one(shown, unshown).session(session).await?;
                    Ok(emptied.modified_count)
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }

    async fn written(
        &self,
        conversation: ConversationId,
        user: &UserId,
        after: Seq,
        up_to: Seq,
    ) -> Result<u64, StoreError> {
        let range = doc! { "$gt": binary(&place(conversation, after)), "$lte": binary(&place(conversation, up_to)) };
        let written = doc! { "_id": range, "s": user.as_str(), "t": { "$ne": "" } };
        let messages = self.messages.clone();
        self.runner
            .run(Operation::Written, move |session| {
                async move { messages.count_documents(written).session(session).await }.boxed()
            })
            .await
            .map_err(Failure::into_error)
    }

    async fn forget(&self, user: &UserId) -> Result<(), StoreError> {
        let (profiles, addresses, standings) = (self.profiles.clone(), self.addresses.clone(), self.standings.clone());
        let appearances = self.database.collection::<Document>(APPEARANCES);
        let (known, deleted) = known_as(user, &Profile::deleted());
        let user = user.as_str().to_owned();
        self.runner
            .run(Operation::Forget, move |session| {
                async move {
                    let own = doc! { "_id": &user };
                    profiles.update_one(known, deleted).upsert(true).session(&mut *session).await?;
                    addresses.delete_one(own.clone()).session(&mut *session).await?;
                    appearances.delete_one(own.clone()).session(&mut *session).await?;
                    for field in ["k", "y"] {
                        let named = doc! { field: &user };
                        let unnamed = doc! { "$pull": { field: &user } };
                        standings.update_many(named, unnamed).session(&mut *session).await?;
                    }
                    standings.update_one(own, nothing_but_refusals()).session(session).await?;
                    Ok(())
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }
}

/// What leaves of a standing that somebody is banned, and up to when their tokens do not count.
fn nothing_but_refusals() -> Vec<Document> {
    let without_reason = doc! { "$mergeObjects": ["$b", { "r": "" }] };
    let is_banned = doc! { "$eq": [{ "$type": "$b" }, "object"] };
    vec![
        doc! { "$set": { "b": { "$cond": [is_banned, without_reason, "$$REMOVE"] } } },
        doc! { "$unset": ["r", "k", "y", "m", "g"] },
    ]
}

pub(super) fn progress_document(progress: &Progress) -> Document {
    let Progress { began, last, in_team, conversation, seq, emptied } = progress;
    let conversation = conversation.as_ref().map_or(Bson::Null, |id| binary(id.as_bytes()).into());
    let emptied = i64::try_from(*emptied).unwrap_or(i64::MAX);
    doc! { "b": date(began.0), "l": last, "t": in_team, "c": conversation, "n": number(*seq), "e": emptied }
}

pub(super) fn read_id(document: &RawDocument) -> Result<ConversationId, Malformed> {
    id(document.get_binary("_id")?.bytes)
}

fn read_left(document: &RawDocument) -> Result<ConversationId, Malformed> {
    id(document.get_binary("c")?.bytes)
}

fn id(bytes: &[u8]) -> Result<ConversationId, Malformed> {
    let id = bytes.try_into().map_err(|_| Malformed::Value("a conversation id that is not 16 bytes long"))?;
    Ok(ConversationId::from_bytes(id))
}

pub(super) fn read_progress(document: &RawDocument) -> Result<Progress, Malformed> {
    let conversation = match document.get("c")? {
        Some(RawBsonRef::Binary(bytes)) => Some(id(bytes.bytes)?),
        _ => None,
    };
    Ok(Progress {
        began: Timestamp(millis(document.get_datetime("b")?)),
        last: document.get_bool("l")?,
        in_team: document.get_bool("t")?,
        conversation,
        seq: read_seq(document, "n")?,
        emptied: u64::try_from(document.get_i64("e")?).unwrap_or_default(),
    })
}
