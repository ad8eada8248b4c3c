//! A page of a classic chat in a real browser: an admin and a user in two windows, on different nodes of a real cluster
//! behind HAProxy without affinity.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::process::Command;

use crate::support::cluster::{Cluster, SECRET};
use crate::support::ports::free_port;
use crate::support::site::Site;

async fn play(transports: &str) {
    let cluster = Cluster::redis(3).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    let backend: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let site = Site::haproxy(&nodes, backend).await;
    let played = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/classic-page.js"))
        .env("PAGE_PORT", backend.port().to_string())
        .env("PAGE", format!("http://{}", site.address()))
        .env("SECRET", SECRET)
        .env("USER", "user-1")
        .env("TRANSPORTS", transports)
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
async fn two_windows_over_websocket() {
    play("websocket,polling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_windows_that_poll() {
    play("polling").await;
}
