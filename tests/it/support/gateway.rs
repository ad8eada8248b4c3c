//! Gateways that are processes of their own, so that they can be killed, and told to leave.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::cluster::SECRET;
use super::ports::free_port;
use super::process::Process;
use super::services::{Mongo, Redis};

/// How long a node may take to listen.
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
    /// Starts one with these settings besides, each as `NAME=value`, and waits until it listens.
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
            if timeout(START_WAIT, gateway.listens()).await.expect("a node listens in time") {
                return gateway;
            }
            eprintln!("no gateway on {address}: {}", gateway.process.log());
        }
        panic!("no gateway starts");
    }

    /// Waits until it listens. Answers false if it ended: somebody else took its port.
    async fn listens(&mut self) -> bool {
        while self.process.is_running() {
            if TcpStream::connect(self.address).await.is_ok() {
                return true;
            }
            sleep(Duration::from_millis(50)).await;
        }
        false
    }
}
