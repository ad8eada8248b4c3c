//! The messages.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::{Binary, RawDocumentBuf, doc};
use mongodb::error::Result as DriverResult;
use mongodb::{ClientSession, Collection};

use super::MongoStore;
use super::document::{binary, key_digest, message_document, place, read_message, read_tail};
use super::metrics::Operation;
use super::outcome::{of_each, of_run};
use super::read::{Read, read, read_while};
use super::run::Failure;
use crate::model::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_MAX};
use crate::model::{ClientKey, ConversationId, Message, Seq, StoreTime, UserId};
use crate::store::archive::taken;
use crate::store::{Attempt, Messages, Outcome, Span, StoreError, Tail};

/// Places that the search for a time looks at one after another, once it has come that near.
const NEAR: u64 = 64;

#[async_trait]
impl Messages for MongoStore {
    async fn append_each(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        match self.insert(Operation::AppendEach, &attempts, None).await {
            Ok(outcomes) => outcomes,
            Err(failure) => vec![failure.into_outcome(); count],
        }
    }

    async fn append_run(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        let inserted = self.insert(Operation::AppendRun, &attempts, None).await;
        inserted.unwrap_or_else(|failure| of_failed_run(count, failure))
    }

    async fn tail(&self, conversation: ConversationId, before: Option<StoreTime>) -> Result<Option<Tail>, StoreError> {
        let messages = self.messages.clone();
        self.runner
            .run(Operation::Tail, move |session| {
                async move {
                    let last = last(&messages, session, conversation, Seq(u64::MAX)).await?;
                    match (last, before) {
                        (Some(last), Some(before)) if last.stored >= before => {
                            last_before(&messages, session, conversation, last, before).await
                        }
                        _ => Ok(last),
                    }
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }

    async fn find(
        &self,
        conversation: ConversationId,
        sender: &UserId,
        key: &ClientKey,
    ) -> Result<Option<Message>, StoreError> {
        let filter = doc! { "c": binary(conversation.as_bytes()), "u": binary(&key_digest(sender, key)) };
        let what = Read { filter, limit: 1, ..Read::default() };
        let found = self.read(Operation::Find, &self.messages, what, read_message).await?.pop();
        match found {
            Some(message) if message.sender != *sender || message.key != *key => {
                Err(StoreError::Broken("two messages of a conversation have the same key digest".to_owned()))
            }
            found => Ok(found),
        }
    }

    async fn page(&self, conversation: ConversationId, span: Span, limit: usize) -> Result<Vec<Message>, StoreError> {
        let limit = limit.min(PAGE_MESSAGES_MAX);
        let (range, direction) = match span {
            Span::After(seq) => (doc! { "$gt": key(conversation, seq), "$lte": key(conversation, Seq(u64::MAX)) }, 1),
            Span::Before(seq) => (doc! { "$gte": key(conversation, Seq::ZERO), "$lt": key(conversation, seq) }, -1),
        };
        let what = Read { filter: doc! { "_id": range }, sort: doc! { "_id": direction }, limit, ..Read::default() };
        let messages = self.messages.clone();
        let mut page = self
            .runner
            .run(Operation::Page, move |session| {
                async move {
                    let mut bytes = 0;
                    let is_short = |message: &Message| {
                        bytes += message.text.len();
                        bytes < PAGE_BYTES_MAX
                    };
                    read_while(&messages, session, what, read_message, is_short).await
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)?;
        if direction < 0 {
            page.reverse();
        }
        if page.is_sorted_by(|one, other| one.seq.next() == other.seq) {
            Ok(page)
        } else {
            Err(StoreError::Broken(format!("conversation {conversation} has a hole")))
        }
    }
}

impl MongoStore {
    /// Inserts messages together, in order or each by itself; fails where it is not known what became of them. Those
    /// that are adopted count as taken when they were said, but at the time given at the latest.
    pub(super) async fn insert(
        &self,
        operation: Operation,
        attempts: &[Attempt],
        adopted: Option<StoreTime>,
    ) -> Result<Vec<Outcome>, Failure> {
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let count = attempts.len();
        let ordered = operation != Operation::AppendEach;
        let document =
            |attempt: &Attempt| message_document(attempt, adopted.map(|until| taken(attempt.message.at, until)));
        let documents: Vec<RawDocumentBuf> = attempts.iter().map(document).collect();
        let messages = self.messages.clone();
        let outcomes = self
            .runner
            .run(operation, move |session| {
                async move {
                    let result = messages.insert_many(documents).ordered(ordered).session(session).await.map(drop);
                    if ordered { of_run(count, result) } else { of_each(count, result) }
                }
                .boxed()
            })
            .await?;
        let conflicts = |what: &Outcome| outcomes.iter().filter(|outcome| *outcome == what).count();
        self.runner.metrics().batch(count);
        self.runner.metrics().conflicts(conflicts(&Outcome::SeqTaken), conflicts(&Outcome::KeyTaken));
        Ok(outcomes)
    }
}

/// What became of each message of a run whose insert failed as a whole.
pub(super) fn of_failed_run(count: usize, failure: Failure) -> Vec<Outcome> {
    match failure.into_outcome() {
        refused @ Outcome::Refused(_) => {
            let mut outcomes = vec![Outcome::Untried; count];
            outcomes[0] = refused;
            outcomes
        }
        unknown => vec![unknown; count],
    }
}

/// The key of the message at a place, as BSON.
pub(super) fn key(conversation: ConversationId, seq: Seq) -> Binary {
    binary(&place(conversation, seq))
}

/// The last messages of a conversation in a range of places, newest first, with no more of each than its place and time.
fn places(conversation: ConversationId, from: Seq, to: Seq, limit: usize) -> Read {
    let range = doc! { "$gte": key(conversation, from), "$lte": key(conversation, to) };
    Read { filter: doc! { "_id": range }, sort: doc! { "_id": -1 }, limit, projection: doc! { "ts": 1 } }
}

async fn last(
    messages: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    conversation: ConversationId,
    to: Seq,
) -> DriverResult<Option<Tail>> {
    Ok(read(messages, session, places(conversation, Seq::ZERO, to, 1), read_tail).await?.pop())
}

/// The last message stored before a time, given one that was not. Times never decrease along a conversation, so the
/// place is closed in on: from the end in growing steps, because most questions are about a short while ago, and then by
/// halves.
async fn last_before(
    messages: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    conversation: ConversationId,
    last_known: Tail,
    before: StoreTime,
) -> DriverResult<Option<Tail>> {
    let (mut earlier, mut later, mut step) = (0, last_known.seq.0, NEAR);
    while later.saturating_sub(earlier) > NEAR {
        let probe = later.saturating_sub(step).max(earlier + (later - earlier) / 2);
        step = step.saturating_mul(8);
        match last(messages, session, conversation, Seq(probe)).await? {
            Some(tail) if tail.stored >= before => later = tail.seq.0,
            _ => earlier = probe,
        }
    }
    let near = places(conversation, Seq(earlier), Seq(later), NEAR as usize + 1);
    Ok(read(messages, session, near, read_tail).await?.into_iter().find(|tail| tail.stored < before))
}
