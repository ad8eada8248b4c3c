//! Real servers for the tests: each a child process on a free loopback port, with a directory of its own, gone when
//! its value is dropped. They run on real time: not for tests that pause the clock.
//!
//! What a start takes on two cores: Redis 20 ms, a Redis Cluster 2 s (a new master waits as long before it takes
//! writes), one MongoDB 0.6 s, a replica set of three 3 s (one election).

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;

mod mongo;
mod redis;

pub(crate) use mongo::Mongo;
pub(crate) use redis::{Redis, RedisCluster};

/// How long a server may take to start, or a replica set to agree; then the test fails with the server's log.
const START_WAIT: Duration = Duration::from_secs(60);
/// How often a server that starts is asked whether it is there.
const START_POLL: Duration = Duration::from_millis(5);
/// How many ports are tried when others take the ones we chose.
const START_ATTEMPTS: usize = 5;
/// The name of the file in a server's directory that holds what it prints.
const LOG: &str = "log";

/// A directory for one server, under `target/tmp`, so that what a killed test leaves behind is found there.
fn directory(name: &str) -> TempDir {
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .expect("target/tmp can be written")
}

/// Waits until `is_ready` says yes. No when the process ends first: somebody else has the port.
async fn ready(process: &mut Process, is_ready: impl AsyncFn() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + START_WAIT;
    while process.is_running() {
        if is_ready().await {
            return true;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "a server does not answer; its log ends with\n{}",
            process.log()
        );
        tokio::time::sleep(START_POLL).await;
    }
    false
}
