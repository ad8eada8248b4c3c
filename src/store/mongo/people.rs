//! What is known of members and of people.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, raw::RawDocument};
use mongodb::error::Result as DriverResult;
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Collection};

use super::MongoStore;
use super::document::{binary, number, place, read_seq};
use super::metrics::Operation;
use super::outcome::Malformed;
use super::read::{Read, read};
use super::run::Failure;
use super::schema::{AGREED, MESSAGES, META};
use crate::model::limits::{ATTEMPT_WAIT, UNREAD_COUNT_MAX};
use crate::model::{ConversationId, Cursor, CursorKind, Profile, Seq, UserId};
use crate::store::{People, StoreError};

#[async_trait]
impl People for MongoStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        to: Seq,
    ) -> Result<bool, StoreError> {
        if to == Seq::ZERO {
            return Ok(false);
        }
        let (filter, higher) = advanced(conversation, user, kind, to);
        let cursors = self.cursors.clone();
        let moved = self
            .runner
            .run(Operation::Advance, move |session| {
                async move { cursors.update_one(filter, higher).upsert(true).session(session).await }.boxed()
            })
            .await
            .map_err(Failure::into_error)?;
        Ok(moved.modified_count > 0 || moved.upserted_id.is_some())
    }

    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError> {
        let id = binary(conversation.as_bytes());
        let all = doc! { "$gte": { "c": id.clone(), "u": Bson::MinKey }, "$lte": { "c": id, "u": Bson::MaxKey } };
        // As many as a conversation may have members: there is no other bound to them.
        let what = Read { filter: doc! { "_id": all }, limit: usize::MAX, ..Read::default() };
        self.read(Operation::Cursors, &self.cursors, what, read_cursor).await
    }

    async fn cursors_of(
        &self,
        members: &[(ConversationId, UserId)],
    ) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        let keys: Vec<_> = members.iter().map(|(conversation, user)| cursor_key(*conversation, user)).collect();
        let what = Read { filter: doc! { "_id": { "$in": keys } }, limit: members.len(), ..Read::default() };
        self.read(Operation::CursorsOf, &self.cursors, what, read_cursor_in).await
    }

    async fn unread(&self, user: &UserId, conversations: &[(ConversationId, Seq)]) -> Result<Vec<u64>, StoreError> {
        let (cursors, messages) = (self.cursors.clone(), self.messages.clone());
        let (user, asked) = (user.clone(), conversations.to_vec());
        let mut counts = self
            .runner
            .run(Operation::Unread, move |session| {
                async move {
                    let read_up_to = read_cursors(&cursors, session, &user, &asked).await?;
                    count_unread(&messages, session, &user, &asked, &read_up_to).await
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)?;
        counts.resize(conversations.len(), 0);
        Ok(counts)
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, StoreError> {
        let ids: Vec<_> = users.iter().map(|user| Bson::from(user.as_str())).collect();
        let what = Read { filter: doc! { "_id": { "$in": ids } }, limit: users.len(), ..Read::default() };
        let found = self.read(Operation::Profiles, &self.profiles, what, read_profile).await?;
        let known: HashMap<UserId, Profile> = found.into_iter().collect();
        Ok(users.iter().map(|user| known.get(user).cloned()).collect())
    }

    async fn put_profile(&self, user: &UserId, profile: &Profile) -> Result<(), StoreError> {
        let (filter, known) = known_as(user, profile);
        let profiles = self.profiles.clone();
        self.runner
            .run(Operation::PutProfile, move |session| {
                async move { profiles.update_one(filter, known).upsert(true).session(session).await }.boxed()
            })
            .await
            .map(drop)
            .map_err(Failure::into_error)
    }

    async fn agree(&self, on: &'static str, proposal: Option<&str>) -> Result<Option<String>, StoreError> {
        let meta = self.database.collection::<Document>(META);
        let key = doc! { "_id": format!("{AGREED}{on}") };
        let new = proposal.map(|proposal| doc! { "$setOnInsert": { "value": proposal } });
        let agreed = self.runner.run(Operation::Agree, move |session| {
            async move {
                match new {
                    // Where two propose at once, one of them may collide, and finds the other's by asking again.
                    Some(new) => {
                        let agree = meta.find_one_and_update(key, new).upsert(true);
                        agree.return_document(ReturnDocument::After).session(session).await
                    }
                    None => meta.find_one(key).session(session).await,
                }
            }
            .boxed()
        });
        let agreed = agreed.await.map_err(Failure::into_error)?;
        Ok(agreed.and_then(|agreed| agreed.get_str("value").ok().map(str::to_owned)))
    }
}

/// What finds a member's cursors, and what moves one of them up.
pub(super) fn advanced(conversation: ConversationId, user: &UserId, kind: CursorKind, to: Seq) -> (Document, Document) {
    (doc! { "_id": cursor_key(conversation, user) }, doc! { "$max": { field(kind): number(to) } })
}

/// What finds a person, and what sets their profile.
pub(super) fn known_as(user: &UserId, profile: &Profile) -> (Document, Document) {
    (doc! { "_id": user.as_str() }, doc! { "$set": { "n": &profile.name, "e": &profile.email } })
}

/// The key of a member's cursors: all of a conversation lie together.
pub(super) fn cursor_key(conversation: ConversationId, user: &UserId) -> Document {
    doc! { "c": binary(conversation.as_bytes()), "u": user.as_str() }
}

const fn field(kind: CursorKind) -> &'static str {
    match kind {
        CursorKind::Read => "r",
        CursorKind::Delivered => "d",
    }
}

fn read_cursor(document: &RawDocument) -> Result<Cursor, Malformed> {
    let place = |kind| match document.get(field(kind)) {
        Ok(Some(_)) => read_seq(document, field(kind)),
        _ => Ok(Seq::ZERO),
    };
    Ok(Cursor {
        user: document.get_document("_id")?.get_str("u")?.parse()?,
        read: place(CursorKind::Read)?,
        delivered: place(CursorKind::Delivered)?,
    })
}

pub(super) fn read_cursor_in(document: &RawDocument) -> Result<(ConversationId, Cursor), Malformed> {
    let id: [u8; 16] = document
        .get_document("_id")?
        .get_binary("c")?
        .bytes
        .try_into()
        .map_err(|_| Malformed::Value("a conversation id that is not 16 bytes long"))?;
    Ok((ConversationId::from_bytes(id), read_cursor(document)?))
}

pub(super) fn read_profile(document: &RawDocument) -> Result<(UserId, Profile), Malformed> {
    let profile = Profile { name: document.get_str("n")?.to_owned(), email: document.get_str("e")?.to_owned() };
    Ok((document.get_str("_id")?.parse()?, profile))
}

/// How far a user has read in each of these conversations, where they have at all.
async fn read_cursors(
    cursors: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    user: &UserId,
    conversations: &[(ConversationId, Seq)],
) -> DriverResult<HashMap<ConversationId, Seq>> {
    let keys: Vec<_> = conversations.iter().map(|(id, _)| cursor_key(*id, user)).collect();
    let what = Read { filter: doc! { "_id": { "$in": keys } }, limit: conversations.len(), ..Read::default() };
    let found = read(cursors, session, what, read_cursor_in).await?;
    Ok(found.into_iter().map(|(id, cursor)| (id, cursor.read)).collect())
}

/// Counts in one round trip: a pipeline for each conversation, all joined to one. Each stops at the bound.
async fn count_unread(
    messages: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    user: &UserId,
    conversations: &[(ConversationId, Seq)],
    read_up_to: &HashMap<ConversationId, Seq>,
) -> DriverResult<Vec<u64>> {
    let mut pipelines = (0_i32..).zip(conversations).map(|(index, (id, after))| {
        let from = read_up_to.get(id).copied().unwrap_or_default().max(*after);
        let beyond = doc! { "$gt": binary(&place(*id, from)), "$lte": binary(&place(*id, Seq(u64::MAX))) };
        vec![
            doc! { "$match": { "_id": beyond, "s": { "$ne": user.as_str() }, "v": { "$exists": false } } },
            doc! { "$limit": UNREAD_COUNT_MAX as i64 },
            doc! { "$group": { "_id": index, "n": { "$sum": 1_i64 } } },
        ]
    });
    let Some(mut pipeline) = pipelines.next() else { return Ok(Vec::new()) };
    pipeline.extend(pipelines.map(|pipeline| doc! { "$unionWith": { "coll": MESSAGES, "pipeline": pipeline } }));

    let mut counts = vec![0; conversations.len()];
    let mut counted = messages.aggregate(pipeline).max_time(ATTEMPT_WAIT).session(&mut *session).await?;
    while counted.advance(&mut *session).await? {
        let row = counted.current();
        let field = |_| Malformed::Value("a count without a number");
        let index = usize::try_from(row.get_i32("_id").map_err(field)?).unwrap_or(usize::MAX);
        let count = row.get_i64("n").map_err(field)?;
        if let Some(place) = counts.get_mut(index) {
            *place = u64::try_from(count).unwrap_or_default();
        }
    }
    Ok(counts)
}
