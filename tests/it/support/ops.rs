//! What operators ask a node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The status and the body of the answer to `GET path`, on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = timeout(PATIENCE, async {
        let mut line = TcpStream::connect(address).await.expect("somebody listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
        line.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.expect("an answer");
        answer
    });
    let answer = answer.await.expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// What `/readyz` says.
#[derive(Debug)]
pub(crate) struct Readiness {
    pub(crate) status: u16,
    parts: BTreeMap<String, String>,
}

impl Readiness {
    pub(crate) async fn of(ops: SocketAddr) -> Self {
        let (status, body) = get(ops, "/readyz").await;
        Self { status, parts: serde_json::from_str(&body).expect("JSON, with a text for each part") }
    }

    /// Waits until it is as `is_it` says.
    pub(crate) async fn becomes(ops: SocketAddr, is_it: impl Fn(&Self) -> bool) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::of(ops).await;
            if is_it(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "it stays so: {now:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What is said of one part, up to the colon.
    pub(crate) fn part(&self, name: &str) -> &str {
        let said = self.parts.get(name).unwrap_or_else(|| panic!("nothing is said of {name}: {self:?}"));
        said.split(':').next().unwrap_or_default()
    }

    /// The parts of which something else is said than "ok".
    pub(crate) fn troubles(&self) -> Vec<&str> {
        self.parts.iter().filter(|(_, said)| *said != "ok").map(|(name, _)| name.as_str()).collect()
    }
}

/// The value of a series, as `/metrics` has it.
pub(crate) async fn metric(ops: SocketAddr, series: &str) -> f64 {
    let (status, text) = get(ops, "/metrics").await;
    assert_eq!(status, 200);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("there is no {series}:\n{text}")).parse().unwrap()
}
