//! Typing, across nodes: it ends by itself however the typist ends, and is never kept.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::model::ConversationId;
use tokio::time::timeout;

use crate::support::client::Client;
use crate::support::cluster::Cluster;

/// Well before what was said wears off.
const SOON: Duration = Duration::from_secs(4);

async fn writes(client: &mut Client, to: &str, active: bool) {
    client.say(json!({ "type": "typing", "to": to, "active": active })).await;
}

async fn hears(client: &mut Client, from: &str, active: bool) -> Value {
    let typing = timeout(SOON, client.expect("typing")).await.expect("nothing was heard");
    assert_eq!((&typing["user"], &typing["active"]), (&json!(from), &json!(active)), "{typing}");
    typing
}

async fn whoever_stops_moves_on_sends_or_leaves_writes_no_more(cluster: Cluster) {
    let at = |node: usize| cluster.nodes[node].address();
    let mut ann = Client::hello(at(0), "ann").await;
    let (mut bob, mut cid) = (Client::hello(at(1), "bob").await, Client::hello(at(2), "cid").await);
    for _ in 0..10 {
        writes(&mut ann, "bob", true).await;
    }
    let heard = hears(&mut bob, "ann", true).await;
    assert_eq!(heard["expires_ms"], 6_000, "whoever dies writing stops then");
    writes(&mut ann, "bob", false).await;
    hears(&mut bob, "ann", false).await;
    // To write to somebody else is to have stopped here.
    writes(&mut ann, "bob", true).await;
    hears(&mut bob, "ann", true).await;
    writes(&mut ann, "cid", true).await;
    hears(&mut cid, "ann", true).await;
    hears(&mut bob, "ann", false).await;
    // A message ends it: nothing more is said of it, and the next word is news at once.
    ann.tell("cid", "1", "done").await;
    writes(&mut ann, "cid", false).await;
    writes(&mut ann, "cid", true).await;
    assert_eq!(cid.next().await.unwrap()["type"], "message");
    hears(&mut cid, "ann", true).await;
    // So does the end of the connection.
    drop(ann);
    hears(&mut cid, "ann", false).await;
    assert_eq!(bob.within(Duration::from_millis(300)).await, None, "who heard of the end hears nothing more");
}

async fn nothing_is_kept_of_it(cluster: Cluster) {
    let at = |node: usize| cluster.nodes[node].address();
    let (mut ann, mut bob) = (Client::hello(at(0), "ann").await, Client::hello(at(1), "bob").await);
    writes(&mut ann, "bob", true).await;
    hears(&mut bob, "ann", true).await;
    bob.say(json!({ "type": "conversations" })).await;
    assert_eq!(bob.expect("conversations").await["conversations"], json!([]));
    let talk = ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap());
    bob.say(json!({ "type": "history", "conversation": talk })).await;
    assert_eq!(bob.next().await.unwrap()["code"], "forbidden", "it does not even exist");
    let mut late = Client::hello(at(2), "bob").await;
    assert_eq!(late.within(Duration::from_millis(300)).await, None, "who comes later has not missed it");
}

mod local {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_stops_moves_on_sends_or_leaves_writes_no_more() {
        super::whoever_stops_moves_on_sends_or_leaves_writes_no_more(super::Cluster::local(3).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_kept_of_it() {
        super::nothing_is_kept_of_it(super::Cluster::local(3).await).await;
    }
}

mod redis {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_stops_moves_on_sends_or_leaves_writes_no_more() {
        super::whoever_stops_moves_on_sends_or_leaves_writes_no_more(super::Cluster::redis(3).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_kept_of_it() {
        super::nothing_is_kept_of_it(super::Cluster::redis(3).await).await;
    }
}
