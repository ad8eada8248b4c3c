//! What `/readyz` says while parts of the world are away: whom new clients are better off without, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard::bus::local::LocalHub;
use switchboard::door::files::Files;
use switchboard::door::listener::{ListenerSettings, serve};
use switchboard::door::ops::{Ops, routes};
use switchboard::model::SystemClock;
use switchboard::node::Node;
use switchboard::presence::local::LocalWorld;
use switchboard::telemetry::Memory;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::chaos::Chaos;
use crate::support::client::Client;
use crate::support::cluster::{Cluster, distributed};
use crate::support::ops::{Readiness, get};
use crate::support::services::{Mongo, Redis};

/// All that is told of.
const PARTS: [&str; 7] = ["bus", "canary", "drain", "files", "lease", "memory", "store"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_by_itself_is_ready_in_every_part() {
    let cluster = Cluster::local(1).await;
    let (status, body) = get(cluster.nodes[0].ops_address(), "/readyz").await;
    let parts: BTreeMap<String, String> = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(parts.keys().map(String::as_str).collect::<BTreeSet<_>>(), PARTS.into());
    assert!(parts.values().all(|said| said == "ok"), "{body}");
}

/// A node behind a proxy to Redis that misbehaves, and the servers.
async fn behind_a_proxy() -> (Node, Chaos, Redis, Mongo) {
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let proxy = Chaos::before_redis(redis.port()).await;
    let node = distributed(&[format!("redis://127.0.0.1:{}", proxy.port())], &mongo).await.remove(0);
    (node, proxy, redis, mongo)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_node_is_not_ready_until_it_hears_again_and_its_clients_still_get_everything() {
    let (node, proxy, redis, mongo) = behind_a_proxy().await;
    let ops = node.ops_address();
    Readiness::becomes(ops, |now| now.troubles().is_empty() && now.status == 200).await;
    let mut ann = Client::hello(node.address(), "ann").await;

    let _swallowed = proxy.swallow_messages("", 1_000_000);
    let deaf = Readiness::becomes(ops, |now| now.status == 503).await;
    assert_eq!((deaf.part("canary"), deaf.part("bus"), deaf.part("store")), ("failed", "ok", "ok"), "{deaf:?}");

    // Somebody on a node that hears: what they say is found in the store by the one that does not.
    let other = distributed(&[redis.url()], &mongo).await.remove(0);
    let mut bob = Client::hello(other.address(), "bob").await;
    bob.tell("ann", "k1", "can you hear me?").await;
    ann.expect("message").await;
    assert_eq!(Readiness::of(ops).await.part("canary"), "failed", "it was not healed meanwhile");

    proxy.heal().await;
    Readiness::becomes(ops, |now| now.troubles().is_empty() && now.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_node_is_ready_and_says_what_is_worse() {
    let (node, proxy, _redis, _mongo) = behind_a_proxy().await;
    let ops = node.ops_address();
    Readiness::becomes(ops, |now| now.troubles().is_empty()).await;
    proxy.refuse().await;
    let away = Readiness::becomes(ops, |now| now.troubles() == ["bus", "canary", "lease"]).await;
    for part in ["bus", "canary", "lease"] {
        assert_eq!((away.status, away.part(part)), (200, "degraded"), "{away:?}");
    }
    proxy.heal().await;
    Readiness::becomes(ops, |now| now.troubles().is_empty() && now.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_a_node_is_not_ready() {
    let (node, _proxy, _redis, mongo) = behind_a_proxy().await;
    let ops = node.ops_address();
    Readiness::becomes(ops, |now| now.troubles().is_empty()).await;
    mongo.stop(0);
    let lost = Readiness::becomes(ops, |now| now.status == 503).await;
    assert_eq!((lost.part("store"), lost.troubles()), ("failed", vec!["store"]), "{lost:?}");
    mongo.cont(0);
    Readiness::becomes(ops, |now| now.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_leave_is_not_ready() {
    let cluster = Cluster::local(1).await;
    let (bus, _events) = LocalHub::default().join();
    let (presence, _comings) = LocalWorld::default().join(Duration::ZERO, Arc::new(SystemClock));
    let leaving = CancellationToken::new();
    let ops = Ops {
        recorder: None,
        store: cluster.store().await,
        bus: Arc::new(bus),
        presence: Arc::new(presence),
        memory: Memory::boundless(),
        files: Files::keeping(0),
        leaving: leaving.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let _at_the_end = stop.clone().drop_guard();
    tokio::spawn(serve(listener, routes(ops), ListenerSettings::default(), stop));
    assert_eq!(Readiness::of(address).await.status, 200);
    leaving.cancel();
    let left = Readiness::of(address).await;
    assert_eq!((left.status, left.part("drain"), left.troubles()), (503, "failed", vec!["drain"]), "{left:?}");
}
