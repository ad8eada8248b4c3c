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
use mongodb::Client;
use switchboard::model::SystemChance;
use switchboard::store::Store;
use switchboard::store::mongo::{MongoOptions, MongoStore};
use tokio::sync::Mutex;

use crate::store_contract::Fixture;
use crate::support::services::Mongo;

/// The server that tests share while they run, one after another or side by side; gone with the last of them.
static SHARED: Mutex<Weak<Mongo>> = Mutex::const_new(Weak::new());

async fn shared() -> Arc<Mongo> {
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

struct OnMongo {
    store: Arc<MongoStore>,
    mongo: Arc<Mongo>,
}

#[async_trait]
impl Fixture for OnMongo {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
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
