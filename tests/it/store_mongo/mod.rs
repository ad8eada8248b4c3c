//! The store on real MongoDB: the contract, and what only a cluster can do to it.

mod answers;
mod faults;
mod refusals;
mod schema;
mod server;
mod talk;

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::Client;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, Timestamp, doc};
use switchboard::model::{ConversationId, SystemChance};
use switchboard::store::Archive;
use switchboard::store::mongo::{MongoOptions, MongoStore};
use tokio::sync::Mutex;

use crate::store_contract::Fixture;
use crate::support::services::Mongo;

/// The server that tests share while they run, one after another or side by side; gone with the last of them.
static SHARED: Mutex<Weak<Mongo>> = Mutex::const_new(Weak::new());

pub(crate) async fn shared() -> Arc<Mongo> {
    let mut shared = SHARED.lock().await;
    if let Some(mongo) = shared.upgrade() {
        return mongo;
    }
    let mongo = Arc::new(Mongo::start().await);
    *shared = Arc::downgrade(&mongo);
    mongo
}

async fn connect(uri: &str) -> MongoStore {
    MongoStore::connect(uri, MongoOptions::default(), &SystemChance).await.unwrap()
}

/// The database of a store, as an administrator sees it.
async fn database(mongo: &Mongo) -> mongodb::Database {
    Client::with_uri_str(mongo.uri()).await.unwrap().database("switchboard")
}

fn bytes(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

/// The key of the message at a place.
fn place(conversation: ConversationId, seq: u64) -> Bson {
    bytes(&[conversation.as_bytes().as_slice(), &seq.to_be_bytes()].concat())
}

/// The server's own times of a conversation's messages, in the order of their places.
async fn times(database: &mongodb::Database, conversation: ConversationId) -> Vec<Timestamp> {
    let messages = database.collection::<Document>("messages");
    let range = doc! { "$gte": place(conversation, 0), "$lte": place(conversation, u64::MAX) };
    let found = messages.find(doc! { "_id": range }).sort(doc! { "_id": 1 }).await.unwrap();
    let all: Vec<Document> = found.try_collect().await.unwrap();
    all.iter().map(|message| message.get_timestamp("ts").unwrap()).collect()
}

/// Whether each is later than the one before.
fn is_rising(times: &[Timestamp]) -> bool {
    times.is_sorted_by(|one, next| (one.time, one.increment) < (next.time, next.increment))
}

struct OnMongo {
    store: Arc<MongoStore>,
    mongo: Arc<Mongo>,
}

#[async_trait]
impl Fixture for OnMongo {
    fn store(&self) -> Arc<dyn Archive> {
        Arc::clone(&self.store) as Arc<dyn Archive>
    }

    fn grain(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn reopen(self) -> Self {
        let store = Arc::new(connect(&self.mongo.uri()).await);
        Self { store, mongo: self.mongo }
    }
}

async fn fixture() -> OnMongo {
    let mongo = shared().await;
    OnMongo { store: Arc::new(connect(&mongo.uri()).await), mongo }
}

mod contract {
    crate::store_contract::store_contract!(super::fixture);
}
