//! The unchanged page of a classic chat, as the official Socket.IO client plays it: an admin and two users, on every
//! transport, on nodes of one process and of a real cluster, behind a load balancer that deals each connection anew.

use std::process::Stdio;

use switchboard::model::Role;
use tokio::process::Command;

use crate::support::cluster::{Cluster, token, token_as};
use crate::support::dealer::Dealer;

/// Plays the page against the cluster through a dealer.
async fn play(cluster: &Cluster, transports: &str) {
    let nodes = cluster.nodes.iter().map(|node| node.address()).collect();
    let dealer = Dealer::start(nodes).await;
    let played = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/classic.js"))
        .env("NODES", format!("http://{}", dealer.address()))
        .env("TRANSPORTS", transports)
        .env("ADMIN_TOKEN", token_as("agent-1", Role::Admin))
        .env("USER_TOKEN", token("user-1"))
        .env("OTHER_TOKEN", token("user-2"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("node is there: scripts/setup installs it");
    let said = String::from_utf8_lossy(&played.stdout);
    let complained = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success() && said.ends_with("PASS\n"), "{transports}:\n{said}\n{complained}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_over_websocket_on_three_nodes() {
    play(&Cluster::local(3).await, "websocket").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_polls_on_three_nodes_without_affinity() {
    play(&Cluster::local(3).await, "polling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_upgrades_on_another_node_than_it_began_on() {
    play(&Cluster::local(3).await, "polling,websocket").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_over_websocket_on_a_cluster() {
    play(&Cluster::redis(3).await, "websocket,polling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_polls_on_a_cluster_without_affinity() {
    play(&Cluster::redis(3).await, "polling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_upgrades_on_a_cluster_without_affinity() {
    play(&Cluster::redis(3).await, "polling,websocket").await;
}
