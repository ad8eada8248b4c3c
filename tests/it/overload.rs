//! Real nodes at the bounds of their process: new connections are refused or wait, who is there stays, readiness says so,
//! and all is well again by itself.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::client::Client;
use crate::support::cluster::{SECRET, token};
use crate::support::ops::{Readiness, get, metric};
use crate::support::ports::free_port;
use crate::support::process::{Process, installed};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A plain request.
const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: chat\r\n\r\n";
/// A WebSocket, asked for.
const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A node of its own process, until it is dropped.
struct Running {
    address: SocketAddr,
    ops: SocketAddr,
    process: Process,
    _home: TempDir,
}

impl Running {
    /// The binary under `wrapper`, with these settings.
    async fn start(wrapper: &[&str], settings: &[(&str, String)]) -> Self {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (address, ops) = (local(free_port()), local(free_port()));
        let mut words: Vec<String> = [
            ("LISTEN", address.to_string()),
            ("OPS_LISTEN", ops.to_string()),
            ("DATA_DIR", home.path().join("data").display().to_string()),
            ("JWT_SECRET", SECRET.to_owned()),
            ("UNAUTHENTICATED_PER_ADDRESS", "100000".to_owned()),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| format!("SWITCHBOARD_{name}={value}"))
        .collect();
        words.extend(wrapper.iter().map(|&word| word.to_owned()));
        words.push(env!("CARGO_BIN_EXE_switchboard").to_owned());
        let mut process = Process::spawn(Path::new("/usr/bin/env"), &words, &home.path().join("log"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(ops).await.is_err() {
            assert!(process.is_running() && Instant::now() < deadline, "it does not start:\n{}", process.log());
            sleep(Duration::from_millis(20)).await;
        }
        Readiness::becomes(ops, |now| now.status == 200).await;
        Self { address, ops, process, _home: home }
    }

    /// Seconds of processor time that it has used.
    fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |number: usize| fields[number - 3].parse::<f64>().unwrap();
        (ticks(14) + ticks(15)) / 100.0
    }
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Asks for something; what is answered, its headers in small letters. None if nothing is answered for a while.
async fn ask(address: SocketAddr, request: &str) -> Option<String> {
    let mut line = TcpStream::connect(address).await.ok()?;
    line.write_all(request.as_bytes()).await.ok()?;
    let mut answer = vec![0; 4_096];
    let length = timeout(Duration::from_millis(1_500), line.read(&mut answer)).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).to_lowercase())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_limit_of_files_accepting_pauses_and_goes_on_within_a_second_of_relief() {
    let prlimit = installed("prlimit").display().to_string();
    let node = Running::start(&[&prlimit, "--nofile=400:400"], &[]).await;
    let mut ann = Client::hello(node.address, "ann").await;
    let mut bob = Client::hello(node.address, "bob").await;

    let mut crowd = Vec::new();
    for _ in 0..600 {
        let mut somebody = TcpStream::connect(node.address).await.unwrap();
        // Whoever has asked for something may rest for long.
        somebody.write_all(HEALTH.as_bytes()).await.unwrap();
        crowd.push(somebody);
    }
    let short = Readiness::becomes(node.ops, |now| now.status == 503).await;
    assert_eq!((short.part("files"), short.troubles()), ("failed", vec!["files"]), "{short:?}");
    assert!(ask(node.address, HEALTH).await.is_none(), "it accepts");

    // It waits, and does not spin; who is there goes on; operators are answered, on connections of their own.
    let (used, began) = (node.processor_seconds(), Instant::now());
    for round in 0..10 {
        ann.tell("bob", &format!("k{round}"), "still here").await;
        bob.expect("message").await;
        assert_eq!(Readiness::of(node.ops).await.status, 503);
        sleep(Duration::from_millis(200)).await;
    }
    let share = (node.processor_seconds() - used) / began.elapsed().as_secs_f64();
    assert!(share < 0.5, "it uses {share:.2} of a processor for waiting");
    assert!(metric(node.ops, "process_open_fds").await < 400.0);
    assert!(metric(node.ops, "switchboard_accept_errors_total").await >= 2.0);

    drop(crowd);
    let relieved = Instant::now();
    Readiness::becomes(node.ops, |now| now.status == 200).await;
    // A pause of at most a second, and what a busy machine takes to close four hundred connections.
    assert!(relieved.elapsed() < Duration::from_secs(4), "ready again only after {:?}", relieved.elapsed());
    Client::hello(node.address, "carl").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_of_memory_a_node_lets_nobody_new_in_and_keeps_who_is_there() {
    // What an idle node holds is measured first, so that the bound lies a little above it.
    let idle = Running::start(&[], &[]).await;
    Client::hello(idle.address, "ann").await;
    let held = held(&idle);
    drop(idle);
    let bound = held + 6 * 1024 * 1024;
    let node = Running::start(&[], &[("MEMORY_BYTES", (bound / 80 * 100).to_string())]).await;
    let mut ann = Client::hello(node.address, "ann").await;
    let mut bob = Client::hello(node.address, "bob").await;
    let mut crowd = Vec::new();
    loop {
        let guests = join_all((0..50).map(|_| Client::let_in(node.address))).await;
        let is_full = guests.iter().any(Option::is_none);
        crowd.extend(guests.into_iter().flatten());
        if is_full {
            break;
        }
        assert!(
            crowd.len() < 10_000,
            "{} connections, {} bytes: the bound is not kept",
            crowd.len(),
            self::held(&node)
        );
    }
    // Somebody who was let in and has not said yet who they are.
    let mut waiting = crowd.pop().expect("the bound lies above what an idle node holds");
    let refused = ask(node.address, UPGRADE).await.expect("an answer");
    assert!(refused.starts_with("http/1.1 503"), "{refused}");
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(head.contains("retry-after: ") && body["retry_after_ms"].as_u64().unwrap() >= 5_000, "{refused}");
    assert_eq!(body["code"], "busy");
    let polling = ask(node.address, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat\r\n\r\n").await;
    assert!(polling.is_some_and(|answer| answer.starts_with("http/1.1 503") && answer.contains("retry-after: ")));
    let short = Readiness::of(node.ops).await;
    assert_eq!((short.status, short.part("memory"), short.troubles()), (503, "failed", vec!["memory"]), "{short:?}");
    assert!(metric(node.ops, "switchboard_connections_turned_away_total{reason=\"memory\"}").await >= 2.0);
    assert!(metric(node.ops, "switchboard_memory_short").await > 0.0);

    // A session that would begin now is told when to come back; those that have begun go on.
    waiting.say(json!({ "type": "hello", "token": token("carl") })).await;
    let error = waiting.expect("error").await;
    assert!(error["code"] == "busy" && error["retry_after_ms"].as_u64().unwrap() >= 5_000, "{error}");
    assert_eq!(waiting.closed().await, Some(1013));
    ann.tell("bob", "k1", "still here").await;
    bob.expect("message").await;
    let (status, _) = get(node.address, "/health").await;
    assert_eq!(status, 200, "a request is no new connection");
}

/// Bytes of memory that it holds.
fn held(node: &Running) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", node.process.pid())).unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
