//! The metrics recorder, in Prometheus's text format.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::task::AbortOnDropHandle;

use super::process::{Process, feel_lag};

/// Latencies from half a millisecond to ten seconds.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Sizes of batches, counted in what the metric's name ends with.
const SIZES: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
/// How often what was recorded is folded into the histograms; without it, memory would grow.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
#[error("the metrics recorder could not be started: {0}")]
pub struct RecorderError(String);

/// The process's metrics.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl Recorder {
    /// Installs the recorder of this process: once, before anything registers a metric.
    ///
    /// # Errors
    /// If there is one already.
    pub fn install() -> Result<Self, RecorderError> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_messages".to_owned()), &SIZES))
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_writes".to_owned()), &SIZES));
        let handle = builder.and_then(PrometheusBuilder::install_recorder);
        let handle = handle.map_err(|error| RecorderError(error.to_string()))?;
        metrics::describe_gauge!("switchboard_build_info", "Always 1: which version this is");
        metrics::gauge!("switchboard_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self(handle))
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps memory bounded and the process's own figures fresh, for ever.
    pub async fn keep(self) {
        let process = Arc::new(Process::new());
        let _lag = AbortOnDropHandle::new(tokio::spawn(feel_lag()));
        loop {
            let reads = Arc::clone(&process);
            // To list a hundred thousand open sockets takes the kernel a while.
            let _ = tokio::task::spawn_blocking(move || reads.read()).await;
            tokio::time::sleep(UPKEEP).await;
            self.0.run_upkeep();
        }
    }
}
