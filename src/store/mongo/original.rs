//! The database as the original of a back-up: read through one snapshot, so that everything is of one moment, whatever nodes
//! write meanwhile.

use async_trait::async_trait;
use mongodb::bson::raw::RawDocument;
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::{ClientSession, Database};
use tokio::sync::mpsc;

use super::MongoOptions;
use super::appearances::read_appearance;
use super::connect::{self, ConnectError};
use super::document::{millis, read_message, read_seq, read_summary, read_tail};
use super::erasure::read_progress;
use super::outcome::{Malformed, describe};
use super::people::{read_cursor_in, read_profile};
use super::schema::{
    ADDRESSES, AGREED, APPEARANCES, CONVERSATIONS, CURSORS, DEPARTURES, ERASURES, MESSAGES, META, PROFILES, STANDINGS,
};
use super::standings::read_standing;
use crate::model::{ConversationId, Generation, Standing, StoreTime};
use crate::store::secret::KEPT_BACK;
use crate::store::{Original, Record, StoreError};

/// "The moment that is read is no longer kept."
const SNAPSHOT_TOO_OLD: i32 = 239;

/// What reads a record of a document; none where it says nothing.
type Decode = fn(&RawDocument) -> Result<Option<Record>, Malformed>;

/// The collections, in the order of [`Record`], and what reads their documents.
const SOURCES: [(&str, Decode); 10] = [
    (META, agreed),
    (PROFILES, profile),
    (ADDRESSES, address),
    (APPEARANCES, appearance),
    (STANDINGS, standing),
    (ERASURES, erasure),
    (CONVERSATIONS, conversation),
    (CURSORS, cursor),
    (DEPARTURES, departure),
    (MESSAGES, message),
];

/// A database that is read at one moment.
pub struct MongoOriginal {
    database: Database,
    generation: Generation,
}

impl MongoOriginal {
    /// Connects to a store that is there, and changes nothing in it. It must be a replica set: no other server reads
    /// everything as of one moment.
    ///
    /// # Errors
    /// A sentence that says what to change; it never holds the password.
    pub async fn connect(uri: &str, options: MongoOptions) -> Result<Self, ConnectError> {
        let (database, generation) = connect::connect_to_read(uri, options).await?;
        Ok(Self { database, generation })
    }

    async fn dump_all(&self, to: &mpsc::Sender<Record>) -> Result<(), Error> {
        let mut session = self.database.client().start_session().snapshot(true).await?;
        for (collection, decode) in SOURCES {
            if !self.dump_one(collection, decode, &mut session, to).await? {
                return Err(Error::custom("nobody takes what was read"));
            }
        }
        Ok(())
    }

    /// Hands over one collection; says no if nobody takes it.
    async fn dump_one(
        &self,
        collection: &str,
        decode: Decode,
        session: &mut ClientSession,
        to: &mpsc::Sender<Record>,
    ) -> Result<bool, Error> {
        let collection = self.database.collection::<RawDocumentBuf>(collection);
        let mut found = collection.find(doc! {}).sort(doc! { "_id": 1 }).session(&mut *session).await?;
        while found.advance(&mut *session).await? {
            let Some(record) = decode(found.current())? else { continue };
            if to.send(record).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Original for MongoOriginal {
    fn generation(&self) -> Generation {
        self.generation
    }

    async fn dump(self: Box<Self>, to: mpsc::Sender<Record>) -> Result<(), StoreError> {
        self.dump_all(&to).await.map_err(|error| match error.kind.as_ref() {
            ErrorKind::Command(command) if command.code == SNAPSHOT_TOO_OLD => StoreError::Unavailable(
                "the back-up took longer than MongoDB keeps the moment that it reads: raise its parameter \
                 minSnapshotHistoryWindowInSeconds"
                    .to_owned(),
            ),
            _ => match error.get_custom::<Malformed>() {
                Some(malformed) => StoreError::Broken(malformed.to_string()),
                None => StoreError::Unavailable(describe(&error)),
            },
        })
    }
}

fn agreed(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let name = document.get_str("_id")?.strip_prefix(AGREED).filter(|name| *name != KEPT_BACK);
    let Some(name) = name else { return Ok(None) };
    Ok(Some(Record::Agreed { name: name.to_owned(), value: document.get_str("value")?.to_owned() }))
}

fn profile(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let (user, profile) = read_profile(document)?;
    Ok(Some(Record::Profile { user, profile }))
}

fn address(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let address = document.get_str("a")?.to_owned();
    Ok(Some(Record::Address { user: document.get_str("_id")?.parse()?, address }))
}

fn appearance(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let (user, appearance) = read_appearance(document)?;
    Ok(Some(Record::Appearance { user, appearance }))
}

fn standing(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let (user, standing) = read_standing(document)?;
    let is_something = standing != Standing::default();
    Ok(is_something.then(|| Record::Standing { user, standing: Box::new(standing) }))
}

fn erasure(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    Ok(Some(Record::Erasure { user: document.get_str("_id")?.parse()?, progress: read_progress(document)? }))
}

fn conversation(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    Ok(Some(Record::Conversation(Box::new(read_summary(document)?))))
}

fn cursor(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let (conversation, cursor) = read_cursor_in(document)?;
    Ok(Some(Record::Cursor { conversation, cursor }))
}

fn departure(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let id = document.get_binary("c")?.bytes.try_into();
    let id = id.map_err(|_| Malformed::Value("a conversation id that is not 16 bytes long"))?;
    Ok(Some(Record::Departure {
        user: document.get_str("u")?.parse()?,
        conversation: ConversationId::from_bytes(id),
        at: StoreTime(millis(document.get_datetime("at")?)),
        seq: read_seq(document, "n")?,
    }))
}

fn message(document: &RawDocument) -> Result<Option<Record>, Malformed> {
    let stored = read_tail(document)?.stored;
    Ok(Some(Record::Message { message: read_message(document)?, stored }))
}
