//! A node in this process, the program under test, and what may stand between them.

pub(crate) mod proxy;
pub(crate) mod tls;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use switchboard::config::{self, Surroundings};
use switchboard::node::{self, Node};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

const SECRET: &str = "a-secret-of-the-tests-long-enough-to-count";
/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(150);

/// A node with the embedded store, until it is dropped; and a place for files.
pub(crate) struct Bench {
    pub(crate) address: String,
    directory: TempDir,
    _node: Node,
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
    pub(crate) async fn start() -> Self {
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
        ];
        let arguments = ["switchboard", "serve"].into_iter().map(str::to_owned);
        let arguments = arguments.chain(flags.iter().map(|(name, value)| format!("{name}={value}")));
        let config = config::load(arguments.map(Into::into), &Nowhere).map_err(|stop| stop.text).unwrap().config;
        let (listener, ops) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let parts = node::open(&config, None).await.unwrap();
        let node = Node::start(parts, node::settings(&config), listener, ops).await.unwrap();
        Self { address: node.address().to_string(), directory, _node: node }
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
