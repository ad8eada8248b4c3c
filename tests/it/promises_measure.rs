//! How soon that is done which is promised within a second, on three nodes over real Redis and MongoDB. Ignored by
//! default: `scripts/long/promises` runs it, when nothing else does, and keeps its figures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use switchboard::model::Role;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token, token_as};

const PROMISED: Duration = Duration::from_secs(1);
const ROUNDS: usize = 100;

async fn come(node: SocketAddr, token: &str) -> Client {
    let mut client = Client::silent(node).await;
    client.say(json!({ "type": "hello", "token": token })).await;
    client.expect("welcome").await;
    client
}

/// From asking for the ban until the last of three sockets, one on each node, is closed.
async fn ban(at: &[SocketAddr; 3], agent: &mut Client, user: &str) -> Duration {
    let mut devices = Vec::new();
    for node in at {
        devices.push(come(*node, &token(user)).await);
    }
    let began = Instant::now();
    agent.say(json!({ "type": "ban", "user": user, "active": true })).await;
    for device in &mut devices {
        assert_eq!(device.closed().await, Some(4403));
    }
    let took = began.elapsed();
    agent.expect("banned").await;
    took
}

/// From reading on one device until the reader's other device and the writer know, each on a node of its own.
async fn read(writer: &mut Client, [reading, other]: [&mut Client; 2], round: usize) -> Duration {
    writer.tell("bob", &format!("k{round}"), "have you read this?").await;
    let message = reading.expect("message").await;
    other.expect("message").await;
    let began = Instant::now();
    let seq = &message["seq"];
    reading.say(json!({ "type": "read", "conversation": message["conversation"], "seq": seq })).await;
    for client in [other, writer] {
        while client.expect("receipt").await["read"] != *seq {}
    }
    began.elapsed()
}

fn row(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let millis = |at: usize| took[at].as_secs_f64() * 1_000.0;
    let last = took.len() - 1;
    println!("| {what} | {:.1} ms | {:.1} ms | {:.1} ms |", millis(last / 2), millis(last * 99 / 100), millis(last));
    assert!(took[last] < PROMISED, "{what}: promised within a second, took {:?}", took[last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a long run: scripts/long/promises"]
async fn what_is_promised_within_a_second() {
    let cluster = Cluster::redis(3).await;
    let at: [SocketAddr; 3] = std::array::from_fn(|node| cluster.nodes[node].address());
    let mut agent = come(at[0], &token_as("sue", Role::Admin)).await;
    let mut bans = Vec::new();
    for round in 0..ROUNDS {
        bans.push(ban(&at, &mut agent, &format!("eve{round}")).await);
    }
    let mut ann = come(at[0], &token("ann")).await;
    let (mut phone, mut desk) = (come(at[1], &token("bob")).await, come(at[2], &token("bob")).await);
    let mut reads = Vec::new();
    for round in 0..ROUNDS {
        reads.push(read(&mut ann, [&mut phone, &mut desk], round).await);
    }
    println!("| {ROUNDS} times each | 50 % | 99 % | the slowest |");
    println!("|---|---|---|---|");
    row("a ban, until sockets on three nodes are closed", bans);
    row("reading, until one's other device and the writer know", reads);
}
