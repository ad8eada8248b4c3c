//! The way of spans to the collector: a bounded queue, and one task that sends what is in it. Nobody ever waits for it.

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _, SpanProcessor};
use reqwest::{Client, Url, redirect};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::model::limits::{OTLP_WAIT, SPANS_AT_ONCE_MAX, SPANS_LINGER, SPANS_WAITING_MAX};

/// What the standard puts behind a collector's address.
const PATH: &str = "v1/traces";

/// Why traces cannot be sent: one sentence, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TracesError(String);

/// Kept handles.
#[derive(Debug, Clone)]
struct Meters {
    exported: Counter,
    failed: Counter,
    dropped: Counter,
}

/// Where spans go that have ended.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    meters: Meters,
}

/// The task that sends them.
pub(super) struct Exporter {
    exporter: Arc<SpanExporter>,
    closing: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// Starts the task. It ends with the `Exporter`.
pub(super) fn start(endpoint: &Url, resource: &Resource) -> Result<(Queue, Exporter), TracesError> {
    let mut exporter = exporter(endpoint)?;
    exporter.set_resource(resource);
    let (exporter, meters, closing) = (Arc::new(exporter), Meters::new(), CancellationToken::new());
    let (spans, waiting) = mpsc::channel(SPANS_WAITING_MAX);
    let task = tokio::spawn(send_all(exporter.clone(), waiting, closing.clone(), meters.clone()));
    let task = Mutex::new(Some(AbortOnDropHandle::new(task)));
    Ok((Queue { spans, meters }, Exporter { exporter, closing, task }))
}

fn exporter(endpoint: &Url) -> Result<SpanExporter, TracesError> {
    let client = Client::builder().timeout(OTLP_WAIT).redirect(redirect::Policy::none()).no_proxy().build();
    let client = client.map_err(|error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        TracesError(format!("no TLS to send traces with: {cause}"))
    })?;
    let address = format!("{}/{PATH}", endpoint.as_str().trim_end_matches('/'));
    // What could not be sent is not sent again: traces are worth no queue of their own.
    let builder = SpanExporter::builder().with_http().with_http_client(client);
    let built =
        builder.with_retry_policy(RetryPolicy::disabled()).with_endpoint(address).with_timeout(OTLP_WAIT).build();
    built.map_err(|error| TracesError(format!("traces cannot be sent: {error}")))
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.meters.dropped.increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Exporter {
    /// Sends nothing, to see whether anybody takes it.
    pub(super) async fn probe(&self) -> Result<(), TracesError> {
        self.exporter.export(Vec::new()).await.map_err(|error| TracesError(error.to_string()))
    }

    /// Sends what waits, within this time.
    pub(super) async fn close(&self, wait: Duration) {
        self.closing.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && timeout(wait, task).await.is_err()
        {
            tracing::warn!("the last traces could not be sent in time");
        }
    }
}

async fn send_all(
    exporter: Arc<SpanExporter>,
    mut waiting: mpsc::Receiver<SpanData>,
    closing: CancellationToken,
    meters: Meters,
) {
    let (mut batch, mut failing) = (Vec::new(), false);
    while gather(&mut waiting, &mut batch, &closing).await {
        let count = batch.len() as u64;
        let spans = std::mem::take(&mut batch);
        let failed_before = failing;
        match exporter.export(spans).await {
            Ok(()) => {
                meters.exported.increment(count);
                failing = false;
            }
            Err(error) => {
                meters.failed.increment(count);
                failing = true;
                if !failed_before {
                    tracing::warn!(%error, "traces cannot be sent; those of now are lost");
                }
            }
        }
        if failed_before && !failing {
            tracing::info!("traces are sent again");
        }
    }
}

/// The next spans to be sent together: whatever comes within a moment of the first, or waits when closing. None any more
/// where nothing will come.
async fn gather(
    waiting: &mut mpsc::Receiver<SpanData>,
    batch: &mut Vec<SpanData>,
    closing: &CancellationToken,
) -> bool {
    let first = tokio::select! {
        first = waiting.recv() => first,
        () = closing.cancelled() => waiting.try_recv().ok(),
    };
    let Some(first) = first else { return false };
    batch.push(first);
    let more = async {
        while batch.len() < SPANS_AT_ONCE_MAX {
            let Some(next) = waiting.recv().await else { return };
            batch.push(next);
        }
    };
    tokio::select! {
        _ = timeout(SPANS_LINGER, more) => {}
        () = closing.cancelled() => {}
    }
    while batch.len() < SPANS_AT_ONCE_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        batch.push(next);
    }
    true
}

impl Meters {
    fn new() -> Self {
        describe_counter!(
            "switchboard_spans_total",
            "Parts of traces, by what became of them; dropped, where too many waited"
        );
        let spans = |outcome: &'static str| counter!("switchboard_spans_total", "outcome" => outcome);
        Self { exported: spans("exported"), failed: spans("failed"), dropped: spans("dropped") }
    }
}
