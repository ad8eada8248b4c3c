//! Gateways that are processes of their own, so that they can be killed, and told to leave.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::cluster::SECRET;
use super::ports::free_port;
use super::process::Process;
use super::services::{Mongo, Redis};

/// How long a node may take until it is ready.
const START_WAIT: Duration = Duration::from_secs(30);
/// How often another port is tried, should somebody have taken it in between.
const ATTEMPTS: usize = 5;

/// One of them.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    /// Where clients come.
    pub(crate) address: SocketAddr,
    /// Where operators come.
    pub(crate) ops: SocketAddr,
}

impl Gateway {
    /// Starts one with these settings besides, each as `NAME=value`, and waits until it is ready.
    pub(crate) async fn start(directory: &Path, redis: &Redis, mongo: &Mongo, settings: &[&str]) -> Self {
        for _ in 0..ATTEMPTS {
            let [address, ops] = [free_port(), free_port()].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            let mut words = vec![
                format!("SWITCHBOARD_LISTEN={address}"),
                format!("SWITCHBOARD_OPS_LISTEN={ops}"),
                format!("SWITCHBOARD_REDIS_URL={}", redis.url()),
                format!("SWITCHBOARD_MONGODB_URI={}", mongo.uri().replace("/?", "/gateways?")),
                format!("SWITCHBOARD_JWT_SECRET={SECRET}"),
            ];
            words.extend(settings.iter().map(|setting| format!("SWITCHBOARD_{setting}")));
            words.extend([env!("CARGO_BIN_EXE_switchboard").to_owned(), "serve".to_owned()]);
            let log = directory.join(format!("gateway-{}.log", address.port()));
            let process = Process::spawn(Path::new("/usr/bin/env"), &words, &log);
            let mut gateway = Self { process, address, ops };
            if timeout(START_WAIT, gateway.is_ready()).await.expect("a node is ready in time") {
                return gateway;
            }
            eprintln!("no gateway on {address}: {}", gateway.process.log());
        }
        panic!("no gateway starts");
    }

    /// Waits until it says so: it listens long before. Answers false if it ended: somebody else took its port.
    async fn is_ready(&mut self) -> bool {
        let ready = format!("http://{}/readyz", self.ops);
        while self.process.is_running() {
            // Without a wait of its own, a listener that does not serve yet would hold it up.
            let asked = timeout(Duration::from_secs(1), reqwest::get(&ready)).await;
            if asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status().is_success())) {
                return true;
            }
            sleep(Duration::from_millis(50)).await;
        }
        false
    }
}
