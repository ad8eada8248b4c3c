//! The page in a real browser: people at the nodes of a real cluster, of which one is killed while they write.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use switchboard::model::{Clock, Role, SystemClock};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::cluster::{Cluster, signed, token, token_as};
use crate::support::gateway::Gateway;
use crate::support::services::{Mongo, Redis};

/// How long the people may take in all. They take half a minute on two cores that have nothing else to do.
const PLAY_WAIT: Duration = Duration::from_secs(280);

/// Plays one of the scenes in a real browser.
async fn play(scene: &str, with: &[(&str, String)]) -> Result<(), String> {
    let played = Command::new("node")
        .arg(format!("{}/tests/page/browser/{scene}", env!("CARGO_MANIFEST_DIR")))
        .envs(with.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let played = timeout(PLAY_WAIT, played).await.expect("in time").expect("Node.js: run scripts/setup");
    let said = String::from_utf8_lossy(&played.stdout);
    if played.status.success() && said.ends_with("PASS\n") {
        return Ok(());
    }
    Err(format!("{said}\n{}", String::from_utf8_lossy(&played.stderr)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_lose_nothing_when_a_node_is_killed_while_they_write() {
    let directory = TempDir::new().unwrap();
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let here = Gateway::start(directory.path(), &redis, &mongo, &[]).await;
    let there = Gateway::start(directory.path(), &redis, &mongo, &[]).await;
    let tokens: BTreeMap<&str, String> = ["ann", "bob", "cy"].into_iter().map(|name| (name, token(name))).collect();
    let with = [
        ("NODES", format!("{},{}", here.address.port(), there.address.port())),
        ("KILL", here.process.pid().to_string()),
        ("TOKENS", serde_json::to_string(&tokens).unwrap()),
    ];
    let played = play("two-people.mjs", &with).await;
    assert!(played.is_ok(), "{}\n{}", played.unwrap_err(), there.process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_find_each_other_make_a_group_block_and_are_banned() {
    let directory = TempDir::new().unwrap();
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let here = Gateway::start(directory.path(), &redis, &mongo, &[]).await;
    let there = Gateway::start(directory.path(), &redis, &mongo, &[]).await;
    let mut tokens: BTreeMap<&str, String> = ["ann", "cy", "dee"].into_iter().map(|name| (name, token(name))).collect();
    let until = SystemClock.now().0 / 1_000 + 3_600;
    tokens.insert("bob", signed(&json!({ "sub": "bob", "email": "bob@example.com", "exp": until })));
    tokens.insert("sue", token_as("sue", Role::Admin));
    let with = [
        ("NODES", format!("{},{}", here.address.port(), there.address.port())),
        ("TOKENS", serde_json::to_string(&tokens).unwrap()),
    ];
    let played = play("people.mjs", &with).await;
    assert!(played.is_ok(), "{}\n{}", played.unwrap_err(), there.process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_groups_see_who_was_faster_and_who_is_here() {
    let cluster = Cluster::local(1).await;
    play("desk.mjs", &[("PORT", cluster.nodes[0].address().port().to_string())]).await.unwrap();
}
