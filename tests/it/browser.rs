//! The page in a real browser: people at the nodes of a real cluster, of which one is killed while they write.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use switchboard::model::{Clock, Role, SystemClock};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::support::cluster::{Cluster, SECRET, signed, token, token_as};
use crate::support::ports::free_port;
use crate::support::process::Process;
use crate::support::services::{Mongo, Redis};

/// How long a node may take to listen.
const START_WAIT: Duration = Duration::from_secs(30);
/// How often another port is tried, should somebody have taken it in between.
const ATTEMPTS: usize = 5;
/// How long the people may take in all. They take half a minute on two cores that have nothing else to do.
const PLAY_WAIT: Duration = Duration::from_secs(280);

/// A node that is a process of its own, so that it can be killed.
struct Gateway {
    process: Process,
    port: u16,
}

impl Gateway {
    async fn start(directory: &Path, redis: &Redis, mongo: &Mongo) -> Self {
        for _ in 0..ATTEMPTS {
            let (port, ops) = (free_port(), free_port());
            let words = [
                format!("SWITCHBOARD_LISTEN=127.0.0.1:{port}"),
                format!("SWITCHBOARD_OPS_LISTEN=127.0.0.1:{ops}"),
                format!("SWITCHBOARD_REDIS_URL={}", redis.url()),
                format!("SWITCHBOARD_MONGODB_URI={}", mongo.uri().replace("/?", "/browser?")),
                format!("SWITCHBOARD_JWT_SECRET={SECRET}"),
                env!("CARGO_BIN_EXE_switchboard").to_owned(),
                "serve".to_owned(),
            ];
            let log = directory.join(format!("gateway-{port}.log"));
            let process = Process::spawn(Path::new("/usr/bin/env"), &words, &log);
            let mut gateway = Self { process, port };
            if timeout(START_WAIT, gateway.listens()).await.expect("a node listens in time") {
                return gateway;
            }
            eprintln!("no gateway on {port}: {}", gateway.process.log());
        }
        panic!("no gateway starts");
    }

    /// Waits until it listens. Answers false if it ended: somebody else took its port.
    async fn listens(&mut self) -> bool {
        while self.process.is_running() {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return true;
            }
            sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

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
    let here = Gateway::start(directory.path(), &redis, &mongo).await;
    let there = Gateway::start(directory.path(), &redis, &mongo).await;
    let tokens: BTreeMap<&str, String> = ["ann", "bob", "cy"].into_iter().map(|name| (name, token(name))).collect();
    let with = [
        ("NODES", format!("{},{}", here.port, there.port)),
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
    let here = Gateway::start(directory.path(), &redis, &mongo).await;
    let there = Gateway::start(directory.path(), &redis, &mongo).await;
    let mut tokens: BTreeMap<&str, String> = ["ann", "cy", "dee"].into_iter().map(|name| (name, token(name))).collect();
    let until = SystemClock.now().0 / 1_000 + 3_600;
    tokens.insert("bob", signed(&json!({ "sub": "bob", "email": "bob@example.com", "exp": until })));
    tokens.insert("sue", token_as("sue", Role::Admin));
    let with =
        [("NODES", format!("{},{}", here.port, there.port)), ("TOKENS", serde_json::to_string(&tokens).unwrap())];
    let played = play("people.mjs", &with).await;
    assert!(played.is_ok(), "{}\n{}", played.unwrap_err(), there.process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_groups_see_who_was_faster_and_who_is_here() {
    let cluster = Cluster::local(1).await;
    play("desk.mjs", &[("PORT", cluster.nodes[0].address().port().to_string())]).await.unwrap();
}
