//! The unchanged page of a classic chat, as the official Socket.IO client plays it: an admin and two users, on every
//! transport, on nodes of one process and of a real cluster, behind a load balancer that deals each connection anew.

use std::net::SocketAddr;
use std::process::Stdio;

use switchboard::model::Role;
use tokio::process::Command;

use crate::support::cluster::{Cluster, token, token_as};
use crate::support::dealer::Dealer;
use crate::support::process::downloaded;

/// Plays the page against the cluster through a dealer.
async fn play(cluster: &Cluster, transports: &str) {
    let nodes = cluster.nodes.iter().map(|node| node.address()).collect();
    let dealer = Dealer::start(nodes).await;
    play_at(dealer.address(), transports).await;
}

/// Plays the page against whatever listens there.
pub(crate) async fn play_at(address: SocketAddr, transports: &str) {
    finish(Command::new("node").arg(client("classic.js")), address, transports).await;
}

/// The same with python-socketio.
async fn play_in_python(cluster: &Cluster, transports: &str) {
    let nodes = cluster.nodes.iter().map(|node| node.address()).collect();
    let dealer = Dealer::start(nodes).await;
    let mut python = Command::new(downloaded("venv/bin/python"));
    finish(python.arg(client("classic.py")), dealer.address(), transports).await;
}

fn client(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

async fn finish(command: &mut Command, address: SocketAddr, transports: &str) {
    let played = command
        .env("NODES", format!("http://{address}"))
        .env("TRANSPORTS", transports)
        .env("ADMIN_TOKEN", token_as("agent-1", Role::Admin))
        .env("USER_TOKEN", token("user-1"))
        .env("OTHER_TOKEN", token("user-2"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("it is there: scripts/setup installs it");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_python_over_every_transport_on_one_node() {
    for transports in ["websocket", "polling", "polling,websocket"] {
        play_in_python(&Cluster::local(1).await, transports).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_python_over_websocket_on_a_cluster() {
    play_in_python(&Cluster::redis(3).await, "websocket").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_python_that_polls_on_a_cluster_without_affinity() {
    play_in_python(&Cluster::redis(3).await, "polling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_python_that_upgrades_on_a_cluster_without_affinity() {
    play_in_python(&Cluster::redis(3).await, "polling,websocket").await;
}
