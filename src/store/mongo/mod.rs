//! The store on MongoDB: a replica set, written and read at majority.
//!
//! A message is one document whose key is (conversation, place) and which carries a unique digest of (sender, client
//! key): one insert is durability, order and idempotency, and no transaction is needed.

mod addresses;
mod appearances;
mod archive;
mod assignments;
pub mod classic;
mod connect;
mod conversations;
mod document;
mod erasure;
mod groups;
mod messages;
mod metrics;
mod original;
mod outcome;
mod people;
mod primaries;
mod read;
mod retention;
mod run;
mod schema;
mod standings;
mod vessel;

use async_trait::async_trait;
use std::time::Duration;

use futures_util::FutureExt;
use mongodb::bson::{DateTime, RawDocumentBuf, doc};
use mongodb::{Collection, Database};

pub use self::connect::ConnectError;
use self::connect::Connected;
use self::metrics::Operation;
pub use self::original::MongoOriginal;
use self::run::{Failure, Runner};
pub use self::vessel::MongoVessel;
use super::{Store, StoreError};
use crate::model::limits::{MONGODB_PACE, MONGODB_RUN_FROM};
use crate::model::{Chance, Generation, StoreTime};

/// What an operator may decide beside the connection string.
#[derive(Debug, Clone, Copy, Default)]
pub struct MongoOptions {
    /// Take a server that is not a member of a replica set: for trying things out, because a standalone server may lose
    /// what it acknowledged.
    pub allow_standalone: bool,
}

/// The store. Cheap to use from many tasks at once.
pub struct MongoStore {
    database: Database,
    messages: Collection<RawDocumentBuf>,
    conversations: Collection<RawDocumentBuf>,
    departures: Collection<RawDocumentBuf>,
    cursors: Collection<RawDocumentBuf>,
    profiles: Collection<RawDocumentBuf>,
    standings: Collection<RawDocumentBuf>,
    addresses: Collection<RawDocumentBuf>,
    erasures: Collection<RawDocumentBuf>,
    runner: Runner,
    generation: Generation,
}

impl MongoStore {
    /// Connects, checks that the server keeps what it acknowledges, and makes the collections if they are missing.
    ///
    /// `uri` is a MongoDB connection string; its path names the database, `switchboard` by default. `chance` is asked
    /// once, for the generation of a new store.
    ///
    /// # Errors
    ///
    /// A sentence that says what to change, after at most about half a minute; it never holds the password.
    pub async fn connect(uri: &str, options: MongoOptions, chance: &dyn Chance) -> Result<Self, ConnectError> {
        let Connected { database, runner, generation } = connect::connect(uri, options, chance).await?;
        Ok(Self {
            messages: database.collection(schema::MESSAGES),
            conversations: database.collection(schema::CONVERSATIONS),
            departures: database.collection(schema::DEPARTURES),
            cursors: database.collection(schema::CURSORS),
            profiles: database.collection(schema::PROFILES),
            standings: database.collection(schema::STANDINGS),
            addresses: database.collection(schema::ADDRESSES),
            erasures: database.collection(schema::ERASURES),
            database,
            runner,
            generation,
        })
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn now(&self) -> Result<StoreTime, StoreError> {
        let database = self.database.clone();
        let now = self
            .runner
            .run(Operation::Now, move |session| {
                async move {
                    let hello = database.run_command(doc! { "hello": 1 }).session(&mut *session).await?;
                    // A majority read in the same session waits until all that the server had done by then is certain.
                    // So whatever carries an earlier time is visible to every later read, even if the set was without
                    // a majority in between.
                    let meta = schema::meta(&database, session).await?;
                    let found = meta.map(schema::Meta::check);
                    Ok((found, hello.get_datetime("localTime").copied().unwrap_or(DateTime::MIN)))
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)?;
        match now {
            (Some(Ok(generation)), now) if generation == self.generation => Ok(StoreTime(document::millis(now))),
            (Some(Err(newer)), _) => Err(StoreError::Broken(newer.to_string())),
            _ => Err(StoreError::Broken("another history was put in its place: restart this node".to_owned())),
        }
    }

    fn generation(&self) -> Generation {
        self.generation
    }

    fn pace(&self) -> Duration {
        MONGODB_PACE
    }

    fn run_from(&self) -> usize {
        MONGODB_RUN_FROM
    }
}
