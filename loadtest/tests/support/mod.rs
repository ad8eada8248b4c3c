//! A node in this process, the program under test, and what may stand between them.

pub(crate) mod proxy;
pub(crate) mod tls;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use switchboard::bus::local::LocalHub;
use switchboard::config::{self, Surroundings};
use switchboard::node::{self, Node, Parts};
use switchboard::presence::local::LocalWorld;
use switchboard::telemetry::{Memory, Traces};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

const SECRET: &str = "a-secret-of-the-tests-long-enough-to-count";
/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(150);

/// Nodes with one embedded store, until they are dropped; and a place for files.
pub(crate) struct Bench {
    /// Of the first one.
    pub(crate) address: String,
    directory: TempDir,
    nodes: Vec<Node>,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) said: String,
    /// What it wrote as JSON; null if it wrote nothing.
    pub(crate) report: Value,
}

struct Nowhere;

impl Surroundings for Nowhere {
    fn variables(&self) -> Vec<(OsString, OsString)> {
        Vec::new()
    }

    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
}

impl Bench {
    /// One node.
    pub(crate) async fn start() -> Self {
        Self::with(1, |_| {}).await
    }

    /// So many nodes that tell each other in this process, as they would by Redis.
    pub(crate) async fn cluster(nodes: usize) -> Self {
        Self::with(nodes, |_| {}).await
    }

    /// A node whose store acknowledges every message and does not write every tenth of a conversation.
    pub(crate) async fn forgetful() -> Self {
        Self::with(1, |file| {
            let store = rusqlite::Connection::open(file).unwrap();
            let forget = "CREATE TRIGGER forget AFTER INSERT ON messages WHEN new.seq % 10 = 7 \
                          BEGIN DELETE FROM messages WHERE conversation = new.conversation AND seq = new.seq; END";
            store.execute_batch(forget).unwrap();
        })
        .await
    }

    /// So many nodes, after something was done to the file of their store.
    async fn with(nodes: usize, tamper: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data").to_str().unwrap().to_owned();
        std::fs::write(directory.path().join("secret"), SECRET).unwrap();
        let flags = [
            ("--listen", "127.0.0.1:0"),
            ("--ops-listen", "127.0.0.1:0"),
            ("--data-dir", data.as_str()),
            ("--jwt-secret", SECRET),
            ("--sends-per-second", "100000"),
            ("--sends-burst", "100000"),
            ("--unauthenticated-per-address", "10000"),
            ("--presence-grace-seconds", "1"),
        ];
        let arguments = ["switchboard", "serve"].into_iter().map(str::to_owned);
        let arguments = arguments.chain(flags.iter().map(|(name, value)| format!("{name}={value}")));
        let config = config::load(arguments.map(Into::into), &Nowhere).map_err(|stop| stop.text).unwrap().config;
        let first = node::open(&config, None).await.unwrap();
        tamper(&directory.path().join("data/switchboard.db"));
        let (hub, world) = (LocalHub::default(), LocalWorld::default());
        let mut running = Vec::new();
        for _ in 0..nodes {
            let listen = || TcpListener::bind("127.0.0.1:0");
            let (listener, ops) = (listen().await.unwrap(), listen().await.unwrap());
            let ((bus, events), clock) = (hub.join(), first.clock.clone());
            let (presence, comings_and_goings) = world.join(config.presence_grace, clock.clone());
            let parts = Parts {
                store: first.store.clone(),
                bus: Arc::new(bus),
                events,
                presence: Arc::new(presence),
                comings_and_goings,
                verifier: first.verifier.clone(),
                minter: None,
                clock,
                chance: first.chance.clone(),
                recorder: None,
                traces: Traces::off(),
                label: None,
                memory: Memory::boundless(),
            };
            running.push(Node::start(parts, node::settings(&config), listener, ops).await.unwrap());
        }
        Self { address: running[0].address().to_string(), directory, nodes: running }
    }

    /// What `--targets` takes, for all nodes.
    pub(crate) fn targets(&self) -> String {
        self.nodes.iter().map(|node| format!("ws://{}", node.address())).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Plays a scenario against a target; its report is called `name`.
    pub(crate) async fn play(&self, name: &str, scenario: &str, target: &str, arguments: &str) -> Outcome {
        let (json, secret) = (self.file(&format!("{name}.json")), self.file("secret"));
        let mut all = vec![scenario.to_owned(), "--targets".to_owned(), target.to_owned()];
        for (flag, path) in [("--json", &json), ("--secret-file", &secret)] {
            all.extend([flag.to_owned(), path.to_str().unwrap().to_owned()]);
        }
        all.extend(
            arguments.split_whitespace().map(|word| word.replace("DIR", self.directory.path().to_str().unwrap())),
        );
        let (code, said) = run(&all).await;
        let report = std::fs::read(json).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
        Outcome { code, said, report }
    }
}

/// Runs the program; answers its exit code and what it said.
pub(crate) async fn run(arguments: &[String]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-loadtest"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

impl Outcome {
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.report["verdict"][name].as_u64().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Fails with all that is known if the run did.
    pub(crate) fn assert_passed(&self) {
        assert_eq!(self.code, 0, "{}", self.said);
        assert_eq!(self.report["passed"], true);
    }
}
