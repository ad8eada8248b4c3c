//! A database that is made of a back-up. As long as it is being made, no node takes it for a store.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::{Bson, Document, doc};
use tokio::time::{Instant, sleep};

use super::conversations::{names, preview_document};
use super::document::{binary, date, kind_name, message_document, number, state_name};
use super::groups::group_document;
use super::metrics::Operation;
use super::people::cursor_key;
use super::run::Failure;
use super::schema::{
    self, ADDRESSES, AGREED, APPEARANCES, CONVERSATIONS, CURSORS, DEPARTURES, ERASURES, MESSAGES, META, PROFILES,
    STANDINGS,
};
use super::standings::standing_document;
use super::{ConnectError, MongoOptions, MongoStore};
use crate::model::limits::{RESTORE_PATIENCE, STORE_PAUSE};
use crate::model::{Chance, Generation, Message, NewMessage, StoreTime, Summary};
use crate::store::{Attempt, Record, Store, StoreError, Vessel};

/// A store that is being restored into a database.
pub struct MongoVessel {
    store: MongoStore,
    generation: Generation,
    /// When the restore began.
    until: StoreTime,
}

impl MongoVessel {
    /// Makes the database ours, which must hold no store, or an empty one.
    ///
    /// # Errors
    /// As [`MongoStore::connect`]; and where the database holds anything, or an earlier restore was not finished.
    pub async fn begin(uri: &str, options: MongoOptions, chance: &dyn Chance) -> Result<Self, ConnectError> {
        let store = MongoStore::connect(uri, options, chance).await?;
        let unreachable = |error: StoreError| ConnectError::Unreachable(error.to_string());
        let name = store.database.name().to_owned();
        if !store.is_empty().await.map_err(unreachable)? {
            return Err(ConnectError::NotEmpty(name));
        }
        let until = store.now().await.map_err(unreachable)?;
        let generation = Generation(chance.bits());
        store.begin_restore(generation).await.map_err(unreachable)?;
        Ok(Self { store, generation, until })
    }

    async fn patiently(&self, collection: &'static str, statements: Vec<Document>) -> Result<(), StoreError> {
        let deadline = Instant::now() + RESTORE_PATIENCE;
        loop {
            match self.store.update_each(Operation::Restore, collection, statements.clone()).await {
                Err(StoreError::Unavailable(_)) if Instant::now() < deadline => sleep(STORE_PAUSE).await,
                done => return done,
            }
        }
    }
}

impl MongoStore {
    /// Gives the store another generation: it is another history from now on, as after a restore by other means. Nodes that
    /// use it stop being ready until they are restarted.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn renew(&self, chance: &dyn Chance) -> Result<Generation, StoreError> {
        let generation = Generation(chance.bits());
        self.set_meta(doc! { "$set": { "generation": generation.0.cast_signed() } }).await?;
        Ok(generation)
    }

    async fn begin_restore(&self, generation: Generation) -> Result<(), StoreError> {
        let marked = doc! { "generation": generation.0.cast_signed(), "restoring": true };
        self.set_meta(doc! { "$set": marked }).await
    }

    async fn set_meta(&self, update: Document) -> Result<(), StoreError> {
        self.update_each(Operation::Restore, META, vec![doc! { "q": schema::store_key(), "u": update }]).await
    }

    /// Whether none of the collections holds anything but what makes a store.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        let database = self.database.clone();
        let found = self.runner.run(Operation::Restore, move |session| {
            async move {
                let others =
                    [MESSAGES, CONVERSATIONS, CURSORS, PROFILES, ADDRESSES, STANDINGS, DEPARTURES, APPEARANCES];
                for name in others {
                    let collection = database.collection::<Document>(name);
                    if collection.find_one(doc! {}).session(&mut *session).await?.is_some() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            .boxed()
        });
        found.await.map_err(Failure::into_error)
    }
}

#[async_trait]
impl Vessel for MongoVessel {
    async fn put(&mut self, records: Vec<Record>) -> Result<(), StoreError> {
        let mut statements: BTreeMap<&'static str, Vec<Document>> = BTreeMap::new();
        for record in records {
            let (collection, document) = document(record, self.until)?;
            let key = document.get("_id").cloned().unwrap_or(Bson::Null);
            // Wholly, so that it may be repeated.
            let statement = doc! { "q": { "_id": key }, "u": document, "upsert": true };
            statements.entry(collection).or_default().push(statement);
        }
        for (collection, statements) in statements {
            self.patiently(collection, statements).await?;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Generation, StoreError> {
        self.store.set_meta(doc! { "$unset": { "restoring": "" } }).await?;
        Ok(self.generation)
    }
}

/// The document of a record, and where it belongs.
fn document(record: Record, until: StoreTime) -> Result<(&'static str, Document), StoreError> {
    Ok(match record {
        Record::Agreed { name, value } => (META, doc! { "_id": format!("{AGREED}{name}"), "value": value }),
        Record::Profile { user, profile } => {
            (PROFILES, doc! { "_id": user.as_str(), "n": profile.name, "e": profile.email })
        }
        Record::Address { user, address } => (ADDRESSES, doc! { "_id": user.as_str(), "a": address }),
        Record::Appearance { user, appearance } => {
            let mut document = doc! { "_id": user.as_str(), "o": appearance.offline };
            if let Some(seen) = appearance.last_seen {
                document.insert("s", date(seen.0));
            }
            (APPEARANCES, document)
        }
        Record::Standing { user, standing } => (STANDINGS, standing_document(&user, &standing)),
        Record::Erasure { user, progress } => {
            let mut document = doc! { "_id": user.as_str() };
            document.extend(super::erasure::progress_document(&progress));
            (ERASURES, document)
        }
        Record::Conversation(summary) => (CONVERSATIONS, conversation_document(&summary, until)?),
        Record::Cursor { conversation, cursor } => {
            let (read, delivered) = (number(cursor.read), number(cursor.delivered));
            (CURSORS, doc! { "_id": cursor_key(conversation, &cursor.user), "r": read, "d": delivered })
        }
        Record::Departure { user, conversation, at, seq } => {
            let id = binary(conversation.as_bytes());
            let key = doc! { "c": id.clone(), "u": user.as_str() };
            let at = date(at.min(until).0);
            (DEPARTURES, doc! { "_id": key, "u": user.as_str(), "c": id, "n": number(seq), "at": at })
        }
        Record::Message { message, stored } => {
            let document = message_document(&attempt(message), Some(stored.min(until)));
            let document = Document::try_from(document).map_err(|error| StoreError::Broken(error.to_string()))?;
            (MESSAGES, document)
        }
    })
}

fn attempt(message: Message) -> Attempt {
    let Message { conversation, seq, id, sender, key, at, text, event } = message;
    Attempt { message: NewMessage { conversation, id, sender, key, at, text, event }, seq }
}

fn conversation_document(summary: &Summary, until: StoreTime) -> Result<Document, StoreError> {
    let Summary { conversation, group, last_seq, last, activity, assignment } = summary;
    let mut document = doc! {
        "_id": binary(conversation.id.as_bytes()),
        "k": kind_name(conversation.kind),
        "m": names(&conversation.members),
        "n": number(*last_seq),
        "at": date((*activity).min(until).0),
    };
    if let Some(last) = last {
        let preview = Document::try_from(preview_document(last));
        document
            .insert("l", preview.map_err(|error| StoreError::Broken(format!("a preview cannot be read: {error}")))?);
    }
    if let Some(group) = group {
        document.insert("x", group_document(group, 0));
    }
    if let Some(assignment) = assignment.as_ref().filter(|assignment| assignment.change > 0) {
        document.insert("s", state_name(assignment.state));
        document.insert("v", i64::try_from(assignment.change).unwrap_or(i64::MAX));
        if let Some(agent) = &assignment.agent {
            document.insert("g", agent.as_str());
        }
        if let Some(by) = &assignment.by {
            document.insert("b", by.as_str());
        }
        if let Some(at) = assignment.at {
            document.insert("c", date(at.0));
        }
    }
    Ok(document)
}
