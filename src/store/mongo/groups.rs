//! Groups: what is kept of one beside its members, and how an event changes it.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::error::Result as DriverResult;
use mongodb::{ClientSession, Collection};

use super::MongoStore;
use super::conversations::{names, opened};
use super::document::{binary, date, millis, number, read_seq};
use super::metrics::Operation;
use super::outcome::Malformed;
use super::read::{Read, read};
use super::run::Failure;
use crate::model::{
    Activity, Conversation, ConversationId, Event, Group, Kind, Message, Seq, Step, StoreTime, Term, UserId,
};
use crate::store::{Groups, Since, StoreError};

/// How often a change is tried again that another node was faster with.
const TRIES: usize = 16;

#[async_trait]
impl Groups for MongoStore {
    async fn found(&self, conversation: &Conversation, group: &Group) -> Result<(), StoreError> {
        let (filter, mut new) = opened(conversation);
        if let Ok(new) = new.get_document_mut("$setOnInsert") {
            new.insert("x", group_document(group, 0));
        }
        let conversations = self.conversations.clone();
        self.runner
            .run(Operation::Found, move |session| {
                async move { conversations.update_one(filter, new).upsert(true).session(session).await }.boxed()
            })
            .await
            .map(drop)
            .map_err(Failure::into_error)
    }

    async fn apply(&self, event: &Message) -> Result<(), StoreError> {
        let (message, conversations, departures) = (event.clone(), self.conversations.clone(), self.departures.clone());
        let applied = self.runner.run(Operation::Apply, move |session| {
            async move {
                for _ in 0..TRIES {
                    if try_apply(&conversations, &departures, session, &message).await? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            .boxed()
        });
        match applied.await.map_err(Failure::into_error)? {
            true => Ok(()),
            false => Err(StoreError::Unavailable("other nodes change the group at the same time".to_owned())),
        }
    }
}

/// Lets an event take effect on what the group is now; says no if it has changed meanwhile.
async fn try_apply(
    conversations: &Collection<RawDocumentBuf>,
    departures: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    message: &Message,
) -> DriverResult<bool> {
    let id = binary(message.conversation.as_bytes());
    let Some(event) = &message.event else { return Ok(true) };
    let projection = doc! { "x": 1 };
    let what = Read { filter: doc! { "_id": id.clone() }, limit: 1, projection, ..Read::default() };
    let found = read(conversations, session, what, read_version).await?.pop();
    let Some((mut group, version)) = found.flatten() else { return Ok(true) };
    if !group.apply(message.seq, event) {
        return Ok(true);
    }
    // First, so that it is there whenever they are no member any more.
    if let Event::Removed { user } | Event::Left { user } = event {
        let whose = doc! { "_id": { "c": id.clone(), "u": user.as_str() } };
        let left = doc! {
            "$set": { "u": user.as_str(), "c": id.clone() },
            "$max": { "n": number(message.seq) },
            "$currentDate": { "at": true },
        };
        departures.update_one(whose, left).upsert(true).session(&mut *session).await?;
    }
    let now = doc! { "$set": { "m": names(&group.members()), "x": group_document(&group, version + 1) } };
    let changed = conversations.update_one(doc! { "_id": id, "x.v": version }, now).session(session).await?;
    Ok(changed.matched_count > 0)
}

impl MongoStore {
    /// The groups that any of these users left since then, by time and id, each as if only they were in it.
    pub(super) async fn departed(
        &self,
        users: &[UserId],
        since: Since,
        limit: usize,
    ) -> Result<Vec<Activity>, StoreError> {
        let from = date(since.at.0);
        let mut filter = doc! { "u": { "$in": names(users) }, "at": { "$gte": from } };
        if let Some(after) = since.after {
            let later = doc! { "at": { "$gt": from } };
            filter.insert("$or", vec![later, doc! { "c": { "$gt": binary(after.as_bytes()) } }]);
        }
        let what = Read { filter, sort: doc! { "at": 1, "c": 1 }, limit, ..Read::default() };
        self.read(Operation::Departed, &self.departures, what, read_departure).await
    }
}

/// `n` name, `s` where it was named so, `h` whether newcomers see everything, `v` how often it changed, `p` everybody's
/// time in it: `u` who, `s` places and steps by turns.
pub(super) fn group_document(group: &Group, version: i64) -> Document {
    let steps = |(seq, step): &(Seq, Step)| [Bson::from(number(*seq)), Bson::from(step.number())];
    let term = |term: &Term| {
        let steps: Vec<Bson> = term.steps.iter().flat_map(steps).collect();
        Bson::from(doc! { "u": term.user.as_str(), "s": steps })
    };
    let people: Vec<Bson> = group.terms.iter().map(term).collect();
    doc! { "n": &group.name, "s": number(group.named), "h": group.history, "v": version, "p": people }
}

pub(super) fn read_group(document: &RawDocument) -> Result<Group, Malformed> {
    let terms = document.get_array("p")?.into_iter().map(|term| {
        let term = term?.as_document().ok_or(Malformed::Value("a time in a group that is no document"))?;
        read_term(term)
    });
    Ok(Group {
        name: document.get_str("n")?.to_owned(),
        named: read_seq(document, "s")?,
        history: document.get_bool("h")?,
        terms: terms.collect::<Result<_, _>>()?,
    })
}

fn read_term(document: &RawDocument) -> Result<Term, Malformed> {
    let number = |number: mongodb::bson::error::Result<RawBsonRef<'_>>| {
        number?.as_i64().ok_or(Malformed::Value("a step that is no number"))
    };
    let numbers = document.get_array("s")?.into_iter().map(number).collect::<Result<Vec<_>, Malformed>>()?;
    let step = |pair: &[i64]| {
        let step = pair.get(1).and_then(|number| Step::from_number(*number));
        let seq = u64::try_from(pair[0]).map(Seq);
        step.zip(seq.ok()).map(|(step, seq)| (seq, step)).ok_or(Malformed::Value("an unknown step"))
    };
    Ok(Term {
        user: document.get_str("u")?.parse()?,
        steps: numbers.chunks(2).map(step).collect::<Result<_, Malformed>>()?,
    })
}

fn read_version(document: &RawDocument) -> Result<Option<(Group, i64)>, Malformed> {
    match document.get("x")? {
        Some(RawBsonRef::Document(group)) => Ok(Some((read_group(group)?, group.get_i64("v")?))),
        _ => Ok(None),
    }
}

fn read_departure(document: &RawDocument) -> Result<Activity, Malformed> {
    let id = document.get_binary("c")?.bytes.try_into();
    let id: [u8; 16] = id.map_err(|_| Malformed::Value("a conversation id that is not 16 bytes long"))?;
    let members = vec![document.get_str("u")?.parse()?];
    Ok(Activity {
        conversation: Conversation { id: ConversationId::from_bytes(id), kind: Kind::Group, members },
        last_seq: read_seq(document, "n")?,
        activity: StoreTime(millis(document.get_datetime("at")?)),
    })
}
