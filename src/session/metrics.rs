//! What sessions count.

use metrics::{Counter, Histogram, counter, describe_counter};

use crate::model::{Code, Timestamp};
use crate::wire::Close;

/// Kept handles.
#[derive(Clone)]
pub struct Metrics {
    refusals: [Counter; Code::ALL.len()],
    closes: [Counter; Close::ALL.len()],
    written: Histogram,
    /// Sessions that were authenticated.
    pub(super) welcomed: Counter,
    /// Of those, the ones that continued an earlier session.
    pub(super) resumed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers them, so that each exists from the start.
    #[must_use]
    pub fn new() -> Self {
        describe_counter!("switchboard_refusals_total", "Requests that were refused, by code");
        describe_counter!("switchboard_closes_total", "Connections that this node closed, by close code");
        describe_counter!(
            "switchboard_welcomes_total",
            "Sessions that were authenticated, by whether they continued one"
        );
        Self {
            refusals: Code::ALL.map(|code| counter!("switchboard_refusals_total", "code" => code.name())),
            closes: Close::ALL.map(|close| counter!("switchboard_closes_total", "code" => close.code().to_string())),
            written: metrics::histogram!("switchboard_stage_seconds", "stage" => "written"),
            welcomed: counter!("switchboard_welcomes_total", "resumed" => "no"),
            resumed: counter!("switchboard_welcomes_total", "resumed" => "yes"),
        }
    }

    /// A request was refused.
    pub fn refused(&self, code: Code) {
        if let Some(index) = Code::ALL.iter().position(|each| *each == code) {
            self.refusals[index].increment(1);
        }
    }

    /// A connection is being closed.
    pub fn closed(&self, close: Close) {
        if let Some(index) = Close::ALL.iter().position(|each| *each == close) {
            self.closes[index].increment(1);
        }
    }

    /// A frame that carries a message was handed to the socket. As true as the two nodes' clocks.
    pub(super) fn written(&self, accepted: Timestamp, now: Timestamp) {
        self.written.record(std::time::Duration::from_millis(now.0.saturating_sub(accepted.0)));
    }
}
