//! What the store makes in its database, and what it finds there.

use std::sync::Arc;

use futures_util::future::join_all;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};
use switchboard::model::SystemChance;
use switchboard::store::mongo::{ConnectError, MongoOptions, MongoStore};
use switchboard::store::{Store, StoreError};

use super::{connect, shared};
use crate::support::services::Mongo;

/// A database of the test's own on the shared server.
struct Own {
    uri: String,
    database: Database,
    _server: Arc<Mongo>,
}

async fn own(name: &str) -> Own {
    let server = shared().await;
    let database = Client::with_uri_str(server.uri()).await.unwrap().database(name);
    Own { uri: server.uri().replace("/?", &format!("/{name}?")), database, _server: server }
}

async fn refusal(uri: &str) -> ConnectError {
    let connected = MongoStore::connect(uri, MongoOptions::default(), &SystemChance).await;
    connected.err().expect("this store must be refused")
}

#[tokio::test]
async fn nodes_that_start_together_agree_on_one_generation() {
    let together = own("together").await;
    let stores = join_all((0..6).map(|_| connect(&together.uri))).await;
    let first = stores[0].generation();
    assert!(stores.iter().all(|store| store.generation() == first));
    assert_eq!(connect(&together.uri).await.generation(), first);
    let apart = connect(&own("apart").await.uri).await;
    assert_ne!(apart.generation(), first, "another database is another history");
}

#[tokio::test]
async fn what_is_missing_is_made_and_what_is_there_is_kept() {
    let own = own("made").await;
    let generation = connect(&own.uri).await.generation();
    let indexes = own.database.collection::<Document>("messages").list_index_names().await.unwrap();
    assert!(indexes.contains(&"key".to_owned()), "{indexes:?}");
    own.database.collection::<Document>("conversations").drop_index("member").await.unwrap();
    assert_eq!(connect(&own.uri).await.generation(), generation);
    let indexes = own.database.collection::<Document>("conversations").list_index_names().await.unwrap();
    assert!(indexes.contains(&"member".to_owned()), "{indexes:?}");
}

#[tokio::test]
async fn a_store_that_only_later_versions_may_use_is_refused_and_left_alone() {
    let own = own("later").await;
    let meta = doc! { "_id": "store", "generation": 7_i64, "version": 99, "made_by": 101 };
    own.database.collection("meta").insert_one(meta).await.unwrap();
    let refusal = refusal(&own.uri).await;
    assert_eq!(refusal, ConnectError::Newer { needed: 99, known: 2 });
    assert!(refusal.to_string().contains("needs schema version 99"), "{refusal}");
    assert_eq!(own.database.list_collection_names().await.unwrap(), ["meta"]);
}

#[tokio::test]
async fn a_store_to_which_a_later_version_has_only_added_is_used_and_stays_as_it_is() {
    let own = own("added").await;
    let generation = connect(&own.uri).await.generation();
    let meta = own.database.collection::<Document>("meta");
    meta.update_one(doc! { "_id": "store" }, doc! { "$set": { "made_by": 101, "more": "of it" } }).await.unwrap();
    let store = connect(&own.uri).await;
    assert_eq!(store.generation(), generation, "the same history");
    assert!(store.now().await.is_ok());
    let left = meta.find_one(doc! { "_id": "store" }).await.unwrap().unwrap();
    let version = |name| left.get_i32(name).unwrap();
    assert_eq!((version("version"), version("made_by"), left.get_str("more").unwrap()), (2, 101, "of it"));
}

#[tokio::test]
async fn a_node_that_runs_while_the_store_becomes_one_of_later_versions_says_so() {
    let own = own("raised").await;
    let store = connect(&own.uri).await;
    let meta = own.database.collection::<Document>("meta");
    meta.update_one(doc! {}, doc! { "$set": { "made_by": 101 } }).await.unwrap();
    assert!(store.now().await.is_ok(), "something was added");
    meta.update_one(doc! {}, doc! { "$set": { "version": 101 } }).await.unwrap();
    let Err(StoreError::Broken(why)) = store.now().await else { panic!("it goes on") };
    assert!(why.contains("needs schema version 101"), "{why}");
}

#[tokio::test]
async fn a_store_of_the_first_version_is_raised_to_this_one() {
    let own = own("earlier").await;
    let generation = connect(&own.uri).await.generation();
    let meta = own.database.collection::<Document>("meta");
    let first = doc! { "$set": { "version": 1 }, "$unset": { "made_by": "" } };
    meta.update_one(doc! { "_id": "store" }, first).await.unwrap();
    assert_eq!(connect(&own.uri).await.generation(), generation, "the same history");
    let raised = meta.find_one(doc! { "_id": "store" }).await.unwrap().unwrap();
    assert_eq!((raised.get_i32("version").unwrap(), raised.get_i32("made_by").unwrap()), (2, 2));
}

#[tokio::test]
async fn somebody_elses_messages_are_refused() {
    let own = own("foreign").await;
    own.database.collection("messages").insert_one(doc! { "text": "hello" }).await.unwrap();
    let refusal = refusal(&own.uri).await;
    assert_eq!(refusal, ConnectError::Foreign("foreign".to_owned()));
    assert!(refusal.to_string().contains("SWITCHBOARD_MONGODB_URI"), "{refusal}");
}

#[tokio::test]
async fn a_node_notices_that_its_store_was_replaced() {
    let own = own("replaced").await;
    let store = connect(&own.uri).await;
    store.now().await.unwrap();
    let meta = own.database.collection::<Document>("meta");
    meta.update_one(doc! {}, doc! { "$set": { "generation": 7_i64 } }).await.unwrap();
    assert!(matches!(store.now().await, Err(StoreError::Broken(_))));
    own.database.drop().await.unwrap();
    assert!(matches!(store.now().await, Err(StoreError::Broken(_))));
    let again = connect(&own.uri).await;
    assert!(again.now().await.is_ok());
    assert_ne!(again.generation(), store.generation());
}
