//! The conversations and their heads.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::raw::{CStr, RawArrayBuf, RawBson, RawDocumentBuf, cstr};
use mongodb::bson::{Bson, Document, Timestamp, doc, rawbson, rawdoc, serialize_to_raw_document_buf};
use mongodb::error::Result as DriverResult;
use mongodb::{ClientSession, Collection};

use super::MongoStore;
use super::document::{binary, date, kind_name, number, read_activity, read_summary};
use super::metrics::Operation;
use super::outcome::Malformed;
use super::read::{Read, read};
use super::run::Failure;
use super::schema::CONVERSATIONS;
use crate::model::limits::{ATTEMPT_WAIT, CROWD_STAMP, PAGE_CONVERSATIONS_MAX};
use crate::model::{Activity, Conversation, ConversationId, Event, Message, Preview, Seq, Summary, UserId};
use crate::store::{Behind, Conversations, Since, StoreError};

/// The activity of a conversation in which nothing was said: before everything, so that no list shows it.
const SILENT: u64 = 0;

#[async_trait]
impl Conversations for MongoStore {
    async fn open(&self, conversation: &Conversation) -> Result<(), StoreError> {
        let (filter, new) = opened(conversation);
        let conversations = self.conversations.clone();
        self.runner
            .run(Operation::Open, move |session| {
                async move { conversations.update_one(filter, new).upsert(true).session(session).await }.boxed()
            })
            .await
            .map(drop)
            .map_err(Failure::into_error)
    }

    async fn get(&self, ids: &[ConversationId]) -> Result<Vec<Summary>, StoreError> {
        let which: Vec<_> = ids.iter().map(|id| binary(id.as_bytes())).collect();
        let what = Read { filter: doc! { "_id": { "$in": which } }, limit: ids.len(), ..Read::default() };
        self.read(Operation::Get, &self.conversations, what, read_summary).await
    }

    async fn raise(&self, messages: &[Message]) -> Result<(), StoreError> {
        self.update_each(Operation::Raise, CONVERSATIONS, messages.iter().map(raised).collect()).await
    }

    async fn raise_new(&self, messages: &[Message]) -> Result<(), StoreError> {
        self.update_each(Operation::RaiseNew, CONVERSATIONS, messages.iter().map(raised_and_stamped).collect()).await
    }

    async fn raise_crowds(&self, messages: &[Message]) -> Result<(), StoreError> {
        self.update_each(Operation::RaiseCrowds, CONVERSATIONS, messages.iter().map(raised_in_crowd).collect()).await
    }

    async fn active(&self, users: &[UserId], since: Since, limit: usize) -> Result<Vec<Activity>, StoreError> {
        let from = date(since.at.0.max(SILENT + 1));
        let mut filter = doc! { "m": { "$in": names(users) }, "at": { "$gte": from } };
        if let Some(after) = since.after {
            filter.insert(
                "$or",
                vec![doc! { "at": { "$gt": from } }, doc! { "_id": { "$gt": binary(after.as_bytes()) } }],
            );
        }
        let what = Read {
            filter,
            sort: doc! { "at": 1, "_id": 1 },
            limit,
            projection: doc! { "k": 1, "m": 1, "n": 1, "at": 1 },
        };
        let mut active = self.read(Operation::Active, &self.conversations, what, read_activity).await?;
        active.extend(self.departed(users, since, limit).await?);
        active.sort_by_key(|activity| (activity.activity, activity.conversation.id));
        active.truncate(limit);
        Ok(active)
    }

    async fn list(&self, user: &UserId, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError> {
        self.read(
            Operation::List,
            &self.conversations,
            listed(doc! { "m": user.as_str() }, behind, limit),
            read_summary,
        )
        .await
    }

    async fn acquainted(&self, user: &UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let (user, asked) = (user.clone(), others.to_vec());
        let conversations = self.conversations.clone();
        let met = self.runner.run(Operation::Acquainted, move |session| {
            async move { acquaintances(&conversations, session, &user, &asked).await }.boxed()
        });
        let met = met.await.map_err(Failure::into_error)?;
        Ok(others.iter().map(|other| met.contains(other)).collect())
    }
}

impl MongoStore {
    /// Runs statements that update one document each, and may be repeated freely.
    pub(super) async fn update_each<S: TryInto<RawDocumentBuf, Error: Display>>(
        &self,
        operation: Operation,
        collection: &str,
        statements: Vec<S>,
    ) -> Result<(), StoreError> {
        if statements.is_empty() {
            return Ok(());
        }
        let mut updates = RawArrayBuf::new();
        for statement in statements {
            updates.push(
                statement
                    .try_into()
                    .map_err(|error| StoreError::Broken(format!("a statement cannot be written: {error}")))?,
            );
        }
        let command = rawdoc! {
            "update": collection,
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true },
        };
        let database = self.database.clone();
        let answer = self
            .runner
            .run(operation, move |session| {
                async move { database.run_raw_command(command).session(session).await }.boxed()
            })
            .await
            .map_err(Failure::into_error)?;
        // A command that is run as such is called a success even when the server says that some of it was not.
        if answer.contains_key("writeErrors") || answer.contains_key("writeConcernError") {
            return Err(StoreError::Unavailable("MongoDB did not confirm all updates".to_owned()));
        }
        Ok(())
    }
}

/// A page of those of these conversations in which something was said, latest activity first.
pub(super) fn listed(mut filter: Document, behind: Option<Behind>, limit: usize) -> Read {
    let mut at = doc! { "$gt": date(SILENT) };
    if let Some(Behind { activity, conversation }) = behind {
        let until = date(activity.0);
        at.insert("$lte", until);
        let before = doc! { "_id": { "$lt": binary(conversation.as_bytes()) } };
        filter.insert("$or", vec![doc! { "at": { "$lt": until } }, before]);
    }
    filter.insert("at", at);
    let limit = limit.min(PAGE_CONVERSATIONS_MAX);
    Read { filter, sort: doc! { "at": -1, "_id": -1 }, limit, ..Read::default() }
}

/// What finds a conversation, and what it begins as.
pub(super) fn opened(conversation: &Conversation) -> (Document, Document) {
    let filter = doc! { "_id": binary(conversation.id.as_bytes()) };
    let new = doc! { "$setOnInsert": {
        "k": kind_name(conversation.kind),
        "m": names(&conversation.members),
        "n": 0_i64,
        "at": date(SILENT),
    } };
    (filter, new)
}

/// One statement that raises one head, if it is lower, and stamps its activity. It is a document of operators, not a pipeline,
/// so that a text that begins with `$` is a text.
fn raised(message: &Message) -> RawDocumentBuf {
    raised_with(message, (cstr!("$currentDate"), rawdoc! { "at": true }))
}

/// One statement that raises one head and stamps its activity. It asks for the id and nothing else, which spares the server a
/// plan for each, a third of the price: `$max` leaves a higher place alone, and a later preview, since their
/// [order](preview_order) comes first in them.
fn raised_and_stamped(message: &Message) -> RawDocumentBuf {
    let higher = rawdoc! { "n": number(message.seq), "l": last(message) };
    let update = rawdoc! { "$max": higher, "$currentDate": { "at": true } };
    rawdoc! { "q": { "_id": binary(message.conversation.as_bytes()) }, "u": update }
}

/// The same for a crowd: its activity is left alone where it was stamped just now. What the message says is a literal.
fn raised_in_crowd(message: &Message) -> RawDocumentBuf {
    let last = rawdoc! { "$literal": last(message) };
    let rests = rawdoc! { "$lt": [{ "$subtract": ["$$NOW", "$at"] }, CROWD_STAMP.as_millis() as i64] };
    let stamped = rawdoc! { "$cond": [rests, "$at", "$$NOW"] };
    raised_by(message, rawbson!([{ "$set": { "n": number(message.seq), "l": last, "at": stamped } }]))
}

/// Those of `others` who are members of a conversation of the user's in which something was said: by themselves where it
/// is the one of the two, whose id is known, and by its members otherwise.
async fn acquaintances(
    conversations: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    user: &UserId,
    others: &[UserId],
) -> DriverResult<HashSet<UserId>> {
    let said = doc! { "$gt": date(SILENT) };
    let direct: HashMap<_, _> = others.iter().map(|other| (ConversationId::direct(user, other), other)).collect();
    let ids: Vec<_> = direct.keys().map(|id| binary(id.as_bytes())).collect();
    let filter = doc! { "_id": { "$in": ids }, "at": said.clone() };
    let what = Read { filter, limit: others.len(), ..Read::default() };
    let found = read(conversations, session, what, read_activity).await?;
    let mut met: HashSet<UserId> =
        found.iter().filter_map(|talk| direct.get(&talk.conversation.id)).map(|other| (*other).clone()).collect();
    let left: Vec<UserId> = others.iter().filter(|other| !met.contains(other)).cloned().collect();
    if left.is_empty() {
        return Ok(met);
    }
    let pipeline = vec![
        doc! { "$match": { "m": user.as_str(), "at": said, "$and": [{ "m": { "$in": names(&left) } }] } },
        doc! { "$project": { "m": { "$setIntersection": ["$m", { "$literal": names(&left) }] } } },
        doc! { "$unwind": "$m" },
        doc! { "$group": { "_id": "$m" } },
    ];
    let mut shared = conversations.aggregate(pipeline).max_time(ATTEMPT_WAIT).session(&mut *session).await?;
    while shared.advance(&mut *session).await? {
        let name = shared.current().get_str("_id").map_err(Malformed::from)?;
        met.insert(name.parse().map_err(Malformed::from)?);
    }
    Ok(met)
}

/// One statement that raises one head, if it is lower, with what is done about its activity.
pub(super) fn raised_with(message: &Message, (operator, activity): (&CStr, RawDocumentBuf)) -> RawDocumentBuf {
    let mut update = rawdoc! { "$set": { "n": number(message.seq), "l": last(message) } };
    update.append(operator, activity);
    raised_by(message, update)
}

fn raised_by(message: &Message, update: impl Into<RawBson>) -> RawDocumentBuf {
    let lower = rawdoc! { "_id": binary(message.conversation.as_bytes()), "n": { "$lt": number(message.seq) } };
    rawdoc! { "q": lower, "u": update.into() }
}

/// The preview of a message.
fn last(message: &Message) -> RawDocumentBuf {
    preview_document(&Preview::of(message))
}

/// What a preview begins with, so that of two the later one is the greater: by their places, and of one place the one that was
/// emptied. As a time it is also greater than the name that previews of earlier versions begin with.
pub(super) fn preview_order(seq: Seq, is_erased: bool) -> Timestamp {
    let order = seq.0.saturating_mul(2).saturating_add(u64::from(is_erased));
    Timestamp { time: (order >> 32) as u32, increment: order as u32 }
}

pub(super) fn preview_document(preview: &Preview) -> RawDocumentBuf {
    let order = preview_order(preview.seq, preview.event == Some(Event::Erased));
    let mut last = rawdoc! { "o": order, "f": preview.from.as_str(), "a": date(preview.at.0), "t": &*preview.text };
    if let Some(event) = preview.event.as_ref().and_then(|event| serialize_to_raw_document_buf(event).ok()) {
        last.append(cstr!("v"), event);
    }
    last
}

pub(super) fn names(users: &[UserId]) -> Vec<Bson> {
    users.iter().map(|user| Bson::from(user.as_str())).collect()
}
