//! Real Redis: one server, or a cluster of three.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{LOG, START_ATTEMPTS, START_POLL, START_WAIT, directory, ready};
use crate::support::ports::free_port;
use crate::support::process::{Process, installed};
use crate::support::resp::{self, Values};

/// How long a server may take to answer [`Redis::cli`]; then the test fails.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Slots of a Redis Cluster.
const SLOTS: usize = 16_384;
/// Masters of a [`RedisCluster`].
const MASTERS: usize = 3;

/// A `redis-server` that keeps nothing on disk, so that a restart is an empty one.
pub(crate) struct Redis {
    port: u16,
    cluster_port: Option<u16>,
    directory: TempDir,
    process: Mutex<Process>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::launch(false).await
    }

    async fn launch(in_cluster: bool) -> Self {
        let mut log = String::new();
        for _ in 0..START_ATTEMPTS {
            let (port, cluster_port) = (free_port(), in_cluster.then(free_port));
            let directory = directory("redis");
            let mut process = spawn(port, cluster_port, &directory);
            if is_up(&mut process, port).await {
                return Self { port, cluster_port, directory, process: Mutex::new(process) };
            }
            log = process.log();
        }
        panic!("redis-server did not start on any of {START_ATTEMPTS} ports; its last log ends with\n{log}");
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What `SWITCHBOARD_REDIS_URL` takes.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Starts again on the same port, without data, after [`Redis::kill`].
    pub(crate) async fn start_again(&self) {
        for _ in 0..START_ATTEMPTS {
            let mut process = spawn(self.port, self.cluster_port, &self.directory);
            if is_up(&mut process, self.port).await {
                *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("redis-server did not come back on port {}: somebody else took it", self.port);
    }

    /// Freezes it: connections stay, nothing is answered.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Redis::stop`].
    pub(crate) fn cont(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).signal(signal);
    }

    /// Sends one command and gives the answer as `redis-cli` prints it into a pipe: its texts, one a line. Panics when
    /// the server refuses it.
    pub(crate) async fn cli(&self, words: &[&str]) -> String {
        let asked = tokio::time::timeout(ANSWER_WAIT, ask(self.port, words)).await;
        let answer = asked.unwrap_or_else(|_| panic!("redis-server gave no answer to {words:?} in {ANSWER_WAIT:?}"));
        answer.unwrap_or_else(|error| panic!("redis-server refused {words:?}: {error}"))
    }
}

/// Three masters that share the slots between them, without replicas.
pub(crate) struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts the masters, makes them a cluster, and waits until each of them says that it is one.
    pub(crate) async fn start() -> Self {
        let nodes = join_all((0..MASTERS).map(|_| Redis::launch(true))).await;
        for (index, node) in nodes.iter().enumerate() {
            let (first, end) = (SLOTS * index / MASTERS, SLOTS * (index + 1) / MASTERS);
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()]).await;
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]).await;
        }
        for node in &nodes[1..] {
            let (port, cluster_port) = (node.port.to_string(), node.cluster_port.unwrap_or_default().to_string());
            nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &port, &cluster_port]).await;
        }
        let cluster = Self { nodes };
        let agreed = tokio::time::timeout(START_WAIT, cluster.agreed()).await;
        agreed.expect("three Redis masters agree that they are a cluster");
        cluster
    }

    async fn agreed(&self) {
        for node in &self.nodes {
            loop {
                let info = node.cli(&["CLUSTER", "INFO"]).await;
                let masters = node.cli(&["CLUSTER", "NODES"]).await;
                let connected = masters.lines().filter(|line| line.contains(" connected ")).count();
                if info.contains("cluster_state:ok") && connected == MASTERS {
                    break;
                }
                tokio::time::sleep(START_POLL).await;
            }
        }
    }

    /// What `SWITCHBOARD_REDIS_URL` takes: all masters in one URL.
    pub(crate) fn url(&self) -> String {
        let others: Vec<String> = self.nodes[1..].iter().map(|node| format!("node=127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://127.0.0.1:{}?{}", self.nodes[0].port, others.join("&"))
    }

    /// The masters, each to be asked, killed or frozen by itself.
    pub(crate) fn nodes(&self) -> &[Redis] {
        &self.nodes
    }
}

fn spawn(port: u16, cluster_port: Option<u16>, directory: &TempDir) -> Process {
    let port = port.to_string();
    let directory = directory.path();
    let mut settings = vec![
        ("--port", port.as_str()),
        ("--bind", "127.0.0.1"),
        ("--dir", directory.to_str().expect("target/tmp has a plain name")),
        ("--save", ""),
        ("--appendonly", "no"),
        ("--maxmemory", "256mb"),
        ("--maxmemory-policy", "noeviction"),
        ("--client-output-buffer-limit", "pubsub 64mb 16mb 10"),
        ("--tcp-keepalive", "10"),
        ("--enable-debug-command", "yes"),
    ];
    let cluster_port = cluster_port.map(|port| port.to_string());
    if let Some(cluster_port) = &cluster_port {
        settings.extend([
            ("--cluster-enabled", "yes"),
            ("--cluster-port", cluster_port),
            ("--cluster-config-file", "nodes.conf"),
            ("--cluster-node-timeout", "1000"),
        ]);
    }
    let arguments: Vec<&str> = settings.into_iter().flat_map(|(name, value)| [name, value]).collect();
    Process::spawn(&installed("redis-server"), &arguments, &directory.join(LOG))
}

/// Waits until the process answers on its port. No when it ended, because the port belongs to another.
async fn is_up(process: &mut Process, port: u16) -> bool {
    let ours = format!("process_id:{}\r", process.pid());
    ready(process, async || ask(port, &["INFO", "server"]).await.is_ok_and(|info| info.contains(&ours))).await
}

/// One command on a connection of its own.
async fn ask(port: u16, words: &[&str]) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    stream.write_all(&resp::command(words)).await.map_err(|error| error.to_string())?;
    let mut values = Values::default();
    let mut chunk = [0; 4096];
    loop {
        if let Some(value) = values.next().map_err(|_| "the answer is not RESP")? {
            return resp::readable(&value);
        }
        let length = stream.read(&mut chunk).await.map_err(|error| error.to_string())?;
        if length == 0 {
            return Err("it hung up".into());
        }
        values.push(&chunk[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::services::{Redis, RedisCluster};

    #[tokio::test]
    async fn redis_answers_and_forgets_everything_when_it_is_killed() {
        let redis = Redis::start().await;
        assert!(redis.url().ends_with(&redis.port().to_string()));
        assert_eq!(redis.cli(&["SET", "name", "a value"]).await, "OK");
        assert_eq!(redis.cli(&["GET", "name"]).await, "a value");
        redis.kill();
        assert!(TcpStream::connect(("127.0.0.1", redis.port())).await.is_err(), "a killed server is gone");
        redis.start_again().await;
        assert_eq!(redis.cli(&["DBSIZE"]).await, "0");
    }

    #[tokio::test]
    async fn a_frozen_redis_keeps_silent_until_it_may_go_on() {
        let redis = Redis::start().await;
        redis.stop();
        let silence = tokio::time::timeout(Duration::from_millis(300), ask(redis.port(), &["PING"])).await;
        assert!(silence.is_err(), "a frozen server answered {silence:?}");
        redis.cont();
        assert_eq!(redis.cli(&["PING"]).await, "PONG");
    }

    #[tokio::test]
    #[should_panic(expected = "wrong number of arguments")]
    async fn a_refused_command_fails_the_test() {
        Redis::start().await.cli(&["GET"]).await;
    }

    #[tokio::test]
    async fn a_server_of_another_test_is_not_mistaken_for_ours() {
        let other = Redis::start().await;
        let mut ours = spawn(other.port(), None, &directory("redis"));
        assert!(!is_up(&mut ours, other.port()).await);
    }

    #[tokio::test]
    async fn a_dropped_redis_is_gone() {
        let redis = Redis::start().await;
        let (port, directory) = (redis.port(), redis.directory.path().to_owned());
        drop(redis);
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_cluster_spreads_its_keys_over_all_three() {
        let cluster = RedisCluster::start().await;
        assert_eq!(cluster.nodes().len(), 3);
        assert_eq!(cluster.url().matches("127.0.0.1:").count(), 3);
        let mut stored = 0;
        for node in cluster.nodes() {
            for key in 0..30 {
                let answer = ask(node.port(), &["SET", &format!("key{key}"), "x"]).await;
                match answer {
                    Ok(_) => stored += 1,
                    Err(error) => assert!(error.starts_with("MOVED "), "{error}"),
                }
            }
            let own: usize = node.cli(&["DBSIZE"]).await.parse().unwrap();
            assert!((1..30).contains(&own), "one node holds {own} of 30 keys");
        }
        assert_eq!(stored, 30, "each key has one owner");
    }

    #[tokio::test]
    async fn a_cluster_node_that_was_killed_comes_back_as_itself() {
        let cluster = RedisCluster::start().await;
        let node = &cluster.nodes()[1];
        let name = node.cli(&["CLUSTER", "MYID"]).await;
        node.kill();
        node.start_again().await;
        assert_eq!(node.cli(&["CLUSTER", "MYID"]).await, name);
        tokio::time::timeout(START_WAIT, cluster.agreed()).await.expect("the cluster heals");
    }
}
