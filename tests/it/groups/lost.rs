//! What the bus loses of a group's changes is found.

use std::time::Duration;

use serde_json::json;

use super::{add, change, create, history, reach, remove, write};
use crate::support::chaos::Chaos;
use crate::support::client::Client;
use crate::support::cluster::distributed;
use crate::support::services::{Mongo, Redis};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_change_is_found_by_whom_it_concerns() {
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let proxy = Chaos::before_redis(redis.port()).await;
    let urls = [redis.url(), format!("redis://127.0.0.1:{}", proxy.port())];
    let nodes = distributed(&urls, &mongo).await;
    let mut ann = Client::hello(nodes[0].address(), "ann").await;
    let mut bob = Client::hello(nodes[1].address(), "bob").await;
    let group = create(&mut ann, &["bob"], false).await;
    reach(&mut bob, &group, 1).await;

    let _swallowed = proxy.swallow_messages("bob", 1);
    change(&mut ann, "2", remove(&group, "bob")).await;
    write(&mut ann, &group, "3").await;
    patiently(&mut bob, &mut ann, &group, 2).await;
    assert_eq!(bob.shown[&group], [1, 2], "who was put out is told so, and nothing of what came then");

    let _swallowed = proxy.swallow_messages("bob", 1);
    change(&mut ann, "4", add(&group, "bob")).await;
    patiently(&mut bob, &mut ann, &group, 4).await;
    assert_eq!(bob.shown[&group], [1, 2, 4]);
    let _swallowed = proxy.swallow_messages("bob", 1);
    write(&mut ann, &group, "5").await;
    write(&mut ann, &group, "6").await;
    reach(&mut bob, &group, 6).await;
    assert_eq!(bob.shown[&group], [1, 2, 4, 5, 6]);
    assert_eq!(history(&mut bob, &group).await, [4, 5, 6]);
}

/// Waits as long as an audit may take, both pinging as clients do.
async fn patiently(client: &mut Client, other: &mut Client, group: &str, seq: u64) {
    let found = async {
        while !client.shown.get(group).is_some_and(|shown| shown.contains(&seq)) {
            client.say(json!({ "type": "ping" })).await;
            client.within(Duration::from_secs(1)).await;
            other.say(json!({ "type": "ping" })).await;
            other.expect("pong").await;
        }
    };
    tokio::time::timeout(Duration::from_secs(70), found).await.expect("the audit finds it within a minute");
}
