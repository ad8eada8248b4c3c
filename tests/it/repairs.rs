//! What the bus loses is found: on real Redis, through a proxy that misbehaves.

use std::time::{Duration, Instant};

use switchboard::model::limits::AUDIT_PERIOD;
use switchboard::model::{Conversation, MessageId, NewMessage, Seq, Timestamp, UserId};
use switchboard::store::{Attempt, Outcome};

use crate::support::chaos::Chaos;
use crate::support::client::Client;
use crate::support::cluster::{Cluster, distributed};
use crate::support::services::{Mongo, Redis};

/// Two nodes; the second one, where bob is, reaches Redis through the proxy.
struct Scene {
    redis: Redis,
    proxy: Chaos,
    nodes: Vec<switchboard::node::Node>,
    _mongo: Mongo,
}

impl Scene {
    async fn set() -> Self {
        let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
        let proxy = Chaos::before_redis(redis.port()).await;
        let urls = [redis.url(), format!("redis://127.0.0.1:{}", proxy.port())];
        let nodes = distributed(&urls, &mongo).await;
        Self { redis, proxy, nodes, _mongo: mongo }
    }

    async fn ann(&self) -> Client {
        Client::hello(self.nodes[0].address(), "ann").await
    }

    async fn bob(&self) -> Client {
        Client::hello(self.nodes[1].address(), "bob").await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_followed_by_another_message_is_repaired_at_once() {
    let scene = Scene::set().await;
    let (mut ann, mut bob) = (scene.ann().await, scene.bob().await);
    ann.tell("bob", "1", "arrives").await;
    bob.see(1).await;
    let _fault = scene.proxy.swallow_messages("bob", 1);
    ann.tell("bob", "2", "is swallowed").await;
    ann.tell("bob", "3", "follows").await;
    let began = Instant::now();
    bob.see(3).await;
    bob.assert_whole(3);
    assert!(began.elapsed() < Duration::from_secs(3), "a hole is repaired within a second, and some room for CI");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_and_swapped_messages_are_shown_once_and_in_order() {
    let scene = Scene::set().await;
    let (mut ann, mut bob) = (scene.ann().await, scene.bob().await);
    ann.tell("bob", "first", "1").await;
    bob.see(1).await;
    let _doubled = scene.proxy.duplicate_messages("bob", 5);
    let _swapped = scene.proxy.swap_messages("bob", 3);
    for n in 2..=20 {
        ann.tell("bob", &format!("{n}"), "x").await;
    }
    bob.see(20).await;
    bob.assert_whole(20);
    assert_eq!(bob.within(Duration::from_millis(500)).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_last_message_is_found_without_another() {
    let scene = Scene::set().await;
    let (mut ann, mut bob) = (scene.ann().await, scene.bob().await);
    ann.tell("bob", "1", "arrives").await;
    bob.see(1).await;
    let _fault = scene.proxy.swallow_messages("bob", 1);
    ann.tell("bob", "2", "is swallowed, and then silence").await;
    let found = tokio::time::timeout(Duration::from_secs(60), see_patiently(&mut bob, 2)).await;
    assert!(found.is_ok(), "the audit finds it within a minute");
    bob.assert_whole(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_was_lost_is_made_good() {
    let scene = Scene::set().await;
    let mut ann = scene.ann().await;
    let _fault = scene.proxy.swallow_subscribe("bob", 1);
    let mut bob = scene.bob().await;
    ann.tell("bob", "1", "nobody listens").await;
    let found = tokio::time::timeout(Duration::from_secs(60), see_patiently(&mut bob, 1)).await;
    assert!(found.is_ok(), "the audit finds it within a minute");
    bob.assert_whole(1);
}

/// Pings meanwhile, as a client does, so that the connection is not taken for dead.
async fn see_patiently(client: &mut Client, places: usize) {
    while client.shown.values().map(Vec::len).sum::<usize>() < places {
        client.say(serde_json::json!({ "type": "ping" })).await;
        client.within(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_goes_on_while_redis_is_away_and_is_whole_when_it_returns() {
    let cluster = Cluster::redis(2).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    ann.tell("bob", "before", "all is well").await;
    bob.see(1).await;
    cluster.redis_server().kill();
    for n in 0..5 {
        let began = Instant::now();
        ann.tell("bob", &format!("{n}"), "is anybody there?").await;
        bob.see(n + 2).await;
        assert!(began.elapsed() < Duration::from_secs(10), "five seconds, and some room for CI");
    }
    let mut cid = Client::hello(cluster.nodes[1].address(), "cid").await;
    ann.tell("cid", "1", "welcome to the dark").await;
    cid.see(1).await;
    cluster.redis_server().start_again().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let began = Instant::now();
    ann.tell("bob", "after", "it is back").await;
    bob.see(7).await;
    bob.assert_whole(7);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_killed_in_the_middle_of_a_stream_lose_nothing() {
    const MESSAGES: usize = 400;
    let scene = Scene::set().await;
    let (mut ann, mut bob) = (scene.ann().await, scene.bob().await);
    for n in 0..MESSAGES {
        ann.send("bob", &format!("{n}"), "stream").await;
        if n == MESSAGES / 4 {
            scene.redis.cli(&["client", "kill", "type", "pubsub"]).await;
        }
        if n == MESSAGES / 2 {
            scene.proxy.cut().await;
        }
        if n % 20 == 0 {
            ann.see(n + 1).await;
        }
    }
    see_patiently(&mut bob, MESSAGES).await;
    bob.assert_whole(MESSAGES as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_partition_is_noticed_and_made_good() {
    let scene = Scene::set().await;
    let (mut ann, mut bob) = (scene.ann().await, scene.bob().await);
    ann.tell("bob", "1", "before").await;
    bob.see(1).await;
    scene.proxy.stall().await;
    ann.tell("bob", "2", "into the silence").await;
    let began = Instant::now();
    see_patiently(&mut bob, 2).await;
    assert!(began.elapsed() < Duration::from_secs(15), "the node asks the store while the bus is away");
    scene.proxy.heal().await;
    ann.tell("bob", "3", "after").await;
    see_patiently(&mut bob, 3).await;
    bob.assert_whole(3);
}

/// A node tells of a message before it raises the head of its conversation. Who comes in between hears neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_just_before_somebody_came_is_found_a_moment_later() {
    let cluster = Cluster::redis(1).await;
    let (store, address) = (cluster.store().await, cluster.nodes[0].address());
    let [ann, bob]: [UserId; 2] = ["ann", "bob"].map(|name| name.parse().unwrap());
    let talk = Conversation::direct(&ann, &bob);
    store.open(&talk).await.unwrap();
    let earlier = Client::hello(address, "bob").await;
    let message = NewMessage {
        conversation: talk.id,
        id: MessageId::from_bytes([1; 12]),
        sender: ann,
        key: "k".parse().unwrap(),
        at: Timestamp(1),
        text: "told to nobody".to_owned(),
        event: None,
    };
    let stored = store.append_each(vec![Attempt { message: message.clone(), seq: Seq(1) }]).await;
    assert_eq!(stored, [Outcome::Stored]);
    let mut bob = Client::resume(address, "bob", &earlier, |_| true).await;
    assert_eq!(bob.within(Duration::from_millis(200)).await, None, "nothing says so yet");
    store.raise(&[message.at_seq(Seq(1))]).await.unwrap();
    let began = Instant::now();
    bob.see(1).await;
    assert!(began.elapsed() < AUDIT_PERIOD / 4, "found by chance, after {:?}", began.elapsed());
}
