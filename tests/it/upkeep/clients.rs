//! A back-up under writes, and clients that come back to a store that is older than they are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use switchboard::model::{ConversationId, Seq};
use switchboard::store::{Span, Store};

use super::{Place, back_up, restore};
use crate::support::client::Client;
use crate::support::cluster::alone;

/// What was written before the back-up, at the least.
const BEFORE: u64 = 200;

/// Ann writes to Bob while a back-up is made, and goes on after it; then its copy is put in place.
async fn a_copy_takes_over(source: Place, target: Place) {
    let home = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = source.open().await;
    let node = alone(store.clone()).await;
    let address = node.address();
    let (written, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = tokio::spawn(write(address, written.clone(), stop.clone()));
    let mut bob = Client::hello(address, "bob").await;
    while written.load(Ordering::SeqCst) < BEFORE {
        bob.next().await.unwrap();
    }
    let backup = home.path().join("backup");
    let at_least = written.load(Ordering::SeqCst);
    let contents = back_up(&source, &backup).await;
    let at_most = written.load(Ordering::SeqCst) + 1;
    let held = contents.counts["message"];
    assert!((at_least..=at_most).contains(&held), "{held} of {at_least}..={at_most}: all before it, nothing after it");
    while written.load(Ordering::SeqCst) < at_most + 50 {
        bob.next().await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let (mut ann, all) = writer.await.unwrap();
    while bob.shown.values().map(Vec::len).sum::<usize>() < usize::try_from(all).unwrap() {
        bob.next().await.unwrap();
    }
    bob.assert_whole(all);
    ann.say(json!({ "type": "ping" })).await;
    ann.expect("pong").await;
    assert!(node.drain().await);
    store.close().await;

    restore(&backup, &target).await;
    let store: Arc<dyn Store> = target.open().await;
    let node = alone(store.clone()).await;
    let address = node.address();
    // Whoever has seen more than there is now is told so, and sees exactly what there is.
    let mut back = Client::resume(address, "bob", &bob, |_| true).await;
    let told = back.next().await.unwrap();
    assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("reset")), "{told}");
    assert_eq!(told.get("conversation"), None, "all cursors are of another history");
    let talk = ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap());
    assert_eq!(history(&mut back, talk).await, (1..=held).collect::<Vec<_>>());

    // What is sent again, since nobody knows what became of it, is stored once: what the copy has keeps its place.
    let mut again = Client::resume(address, "ann", &ann, |_| true).await;
    assert_eq!(again.next().await.unwrap()["code"], "reset");
    for number in held - 30..=all {
        assert_eq!(
            again.tell("bob", &format!("k{number}"), "a word").await,
            number,
            "the same places in the same order"
        );
    }
    assert_eq!(history(&mut back, talk).await, (1..=all).collect::<Vec<_>>());
    let page = store.page(talk, Span::After(Seq(held)), 50).await.unwrap();
    assert_eq!(page[0].key.as_str(), format!("k{}", held + 1), "numbers go on where the copy ends");
    // From here on, cursors are of the new history, and hold.
    let mut once_more = Client::resume(address, "bob", &back, |_| true).await;
    once_more.say(json!({ "type": "ping" })).await;
    loop {
        let frame = once_more.next().await.unwrap();
        assert_ne!(frame["type"], "error", "{frame}");
        if frame["type"] == "pong" {
            break;
        }
    }
    assert!(node.drain().await);
    store.close().await;
}

async fn write(address: SocketAddr, written: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> (Client, u64) {
    let mut ann = Client::hello(address, "ann").await;
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        assert_eq!(ann.tell("bob", &format!("k{number}"), "a word").await, number);
        written.store(number, Ordering::SeqCst);
    }
    (ann, number)
}

async fn history(client: &mut Client, talk: ConversationId) -> Vec<u64> {
    let (mut all, mut before) = (Vec::new(), Value::Null);
    loop {
        client.say(json!({ "type": "history", "conversation": talk, "before": before, "limit": 50 })).await;
        let page = client.expect("history").await;
        let places: Vec<u64> =
            page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect();
        before = places.first().copied().into();
        all.splice(0..0, places);
        if page["more"] == false {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_that_a_restored_file_is_another_history() {
    let home = tempfile::tempdir().unwrap();
    let (source, target) = (Place::File(home.path().join("source")), Place::File(home.path().join("target")));
    a_copy_takes_over(source, target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_that_a_restored_database_is_another_history() {
    a_copy_takes_over(Place::database("takes-over").await, Place::database("taken-over").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_grows_into_a_cluster() {
    let home = tempfile::tempdir().unwrap();
    a_copy_takes_over(Place::File(home.path().join("source")), Place::database("grown").await).await;
}

/// A store that was put back by other means becomes another history by a command, and its nodes notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_put_back_in_place_is_another_history_too() {
    let home = tempfile::tempdir().unwrap();
    for place in [Place::File(home.path().join("data")), Place::database("in-place").await] {
        let store: Arc<dyn Store> = place.open().await;
        let before = store.generation();
        let node = alone(store.clone()).await;
        let mut ann = Client::hello(node.address(), "ann").await;
        ann.tell("bob", "k1", "a word").await;
        if matches!(place, Place::File(_)) {
            let (code, said) = place.run(&["restore", "--in-place"]);
            assert!(code == Some(1) && said.contains("in use"), "{said}");
            assert!(node.drain().await);
            store.close().await;
        }
        let (code, said) = place.run(&["restore", "--in-place"]);
        assert!(code == Some(0) && said.contains("generation"), "{said}");
        if matches!(place, Place::Mongo(..)) {
            let broken = store.now().await.unwrap_err().to_string();
            assert!(broken.contains("another history"), "the nodes that use it stop being ready: {broken}");
        }
        let store: Arc<dyn Store> = place.open().await;
        assert_ne!(store.generation(), before);
        let node = alone(store.clone()).await;
        let mut back = Client::resume(node.address(), "ann", &ann, |_| true).await;
        assert_eq!(back.next().await.unwrap()["code"], "reset");
        assert_eq!(back.tell("bob", "k1", "a word").await, 1);
        assert!(node.drain().await);
    }
}
