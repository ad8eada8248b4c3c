//! A collector of traces that shares no code with us: OpenTelemetry's own Python bindings behind an HTTP server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::process::{Process, downloaded};

/// How long a test waits for spans that ought to come; generous, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// A running collector.
pub(crate) struct Collector {
    directory: TempDir,
    port: u16,
    _process: Process,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let python = downloaded("venv/bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collector/receive.py");
        let process = Process::spawn(&python, &[script], &directory.path().join("said"));
        let mut collector = Self { directory, port: 0, _process: process };
        let deadline = Instant::now() + PATIENCE;
        while collector.port == 0 {
            assert!(Instant::now() < deadline, "the collector does not start: {}", collector._process.log());
            let said = collector.said();
            collector.port = said.first().and_then(|line| line["port"].as_u64()).unwrap_or(0).try_into().unwrap();
            sleep(POLL).await;
        }
        collector
    }

    /// Where it takes traces.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Value> {
        self.said().into_iter().skip(1).collect()
    }

    /// The spans, as soon as they are what is waited for.
    pub(crate) async fn wait_for(&self, what: &str, are_there: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans();
            if are_there(&spans) {
                return spans;
            }
            assert!(Instant::now() < deadline, "{what} did not come, but {spans:#?}");
            sleep(POLL).await;
        }
    }

    fn said(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.path().join("said")).unwrap_or_default();
        // The last line may not be whole yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("the collector says {text}")))
            .collect()
    }
}
