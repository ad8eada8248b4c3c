//! The messages.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::{Document, RawDocumentBuf, doc};
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
use crate::store::{Attempt, Messages, Outcome, Span, StoreError, Tail};

/// Places looked at in one step of the search for a time: a million messages are searched in four steps.
const PROBES: u64 = 32;

#[async_trait]
impl Messages for MongoStore {
    async fn append_each(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        match self.insert(Operation::AppendEach, &attempts).await {
            Ok(outcomes) => outcomes,
            Err(failure) => vec![failure.into_outcome(); count],
        }
    }

    async fn append_run(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        match self.insert(Operation::AppendRun, &attempts).await {
            Ok(outcomes) => outcomes,
            Err(failure) => match failure.into_outcome() {
                refused @ Outcome::Refused(_) => {
                    let mut outcomes = vec![Outcome::Untried; count];
                    outcomes[0] = refused;
                    outcomes
                }
                unknown => vec![unknown; count],
            },
        }
    }

    async fn tail(&self, conversation: ConversationId, before: Option<StoreTime>) -> Result<Option<Tail>, StoreError> {
        let messages = self.messages.clone();
        self.runner
            .run(Operation::Tail, move |session| {
                async move {
                    let last = last(&messages, session, conversation).await?;
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
    /// Inserts messages together, in order or each by itself; fails where it is not known what became of them.
    async fn insert(&self, operation: Operation, attempts: &[Attempt]) -> Result<Vec<Outcome>, Failure> {
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let count = attempts.len();
        let ordered = operation == Operation::AppendRun;
        let documents: Vec<RawDocumentBuf> = attempts.iter().map(message_document).collect();
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
        let taken = |what: &Outcome| outcomes.iter().filter(|outcome| *outcome == what).count();
        self.runner.metrics().batch(count);
        self.runner.metrics().conflicts(taken(&Outcome::SeqTaken), taken(&Outcome::KeyTaken));
        Ok(outcomes)
    }
}

fn key(conversation: ConversationId, seq: Seq) -> mongodb::bson::Bson {
    binary(&place(conversation, seq))
}

/// What is needed of a message to say where and when it was stored.
fn place_and_time() -> Document {
    doc! { "ts": 1 }
}

async fn last(
    messages: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    conversation: ConversationId,
) -> DriverResult<Option<Tail>> {
    let whole = doc! { "$gte": key(conversation, Seq::ZERO), "$lte": key(conversation, Seq(u64::MAX)) };
    let what = Read { filter: doc! { "_id": whole }, sort: doc! { "_id": -1 }, limit: 1, projection: place_and_time() };
    Ok(read(messages, session, what, read_tail).await?.pop())
}

/// The last message stored before a time, given one that was not. Times never decrease along a conversation, so this
/// narrows the places between one that was before and one that was not.
async fn last_before(
    messages: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    conversation: ConversationId,
    last: Tail,
    before: StoreTime,
) -> DriverResult<Option<Tail>> {
    let (mut earlier, mut later) = (None::<Tail>, last.seq.0);
    loop {
        let lowest = earlier.map_or(0, |tail| tail.seq.0);
        let between = probes(lowest, later);
        if between.is_empty() {
            return Ok(earlier);
        }
        let places: Vec<_> = between.iter().map(|&seq| key(conversation, Seq(seq))).collect();
        let what = Read {
            filter: doc! { "_id": { "$in": places } },
            sort: doc! { "_id": 1 },
            limit: between.len(),
            projection: place_and_time(),
        };
        let found = read(messages, session, what, read_tail).await?;
        if found.len() < between.len() {
            return Err(super::Malformed::Value("a conversation with a hole").into());
        }
        let first_later = found.partition_point(|tail| tail.stored < before);
        later = found.get(first_later).map_or(later, |tail| tail.seq.0);
        earlier = first_later.checked_sub(1).map(|index| found[index]).or(earlier);
    }
}

/// At most [`PROBES`] places strictly between two, evenly spread.
fn probes(lowest: u64, highest: u64) -> Vec<u64> {
    let gap = highest.saturating_sub(lowest);
    let step = gap.div_ceil(PROBES + 1).max(1);
    (1..=PROBES).map(|n| lowest + n * step).take_while(|&place| place < highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_narrow_every_gap_to_nothing() {
        assert_eq!(probes(0, 1), Vec::<u64>::new());
        assert_eq!(probes(4, 7), [5, 6]);
        for gap in [2, 31, 32, 33, 34, 1_000, 1_000_000, u64::MAX >> 8] {
            let places = probes(10, 10 + gap);
            assert!(!places.is_empty() && places.len() as u64 <= PROBES, "{gap}");
            assert!(places.is_sorted() && places[0] > 10 && places[places.len() - 1] < 10 + gap, "{gap}");
            let longest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(1);
            assert!(longest <= gap.div_ceil(PROBES + 1), "{gap}: {longest}");
        }
    }
}
