//! How long a message takes from being accepted to each later stage.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Kept handles of `switchboard_stage_seconds`, for the stages on the sender's node.
#[derive(Clone)]
pub(super) struct Stages {
    /// Stored for good.
    pub(super) committed: Histogram,
    /// Handed to the bus for every member.
    pub(super) published: Histogram,
    /// The sender's answer is ready.
    pub(super) acknowledged: Histogram,
    /// Places that another node took first.
    pub(super) conflicts: Counter,
    /// Attempts whose outcome was unknown.
    pub(super) unknown: Counter,
    /// Sends that have not been answered.
    waiting: Gauge,
}

/// One send that waits, until it is dropped.
pub(super) struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Stages {
    /// Registers them, so that each exists from the start.
    pub(super) fn new() -> Self {
        describe_histogram!(
            "switchboard_stage_seconds",
            Unit::Seconds,
            "Time from a message's acceptance to each stage of its way"
        );
        describe_counter!(
            "switchboard_sequence_conflicts_total",
            "Places in a conversation that another node took first"
        );
        describe_counter!("switchboard_unknown_outcomes_total", "Attempts to store whose outcome had to be read back");
        describe_gauge!("switchboard_sends_waiting", "Sends that wait for their place, or for the store");
        let stage = |stage: &'static str| histogram!("switchboard_stage_seconds", "stage" => stage);
        Self {
            committed: stage("committed"),
            published: stage("published"),
            acknowledged: stage("acknowledged"),
            conflicts: counter!("switchboard_sequence_conflicts_total"),
            unknown: counter!("switchboard_unknown_outcomes_total"),
            waiting: gauge!("switchboard_sends_waiting"),
        }
    }

    /// A send begins to wait.
    pub(super) fn waits(&self) -> Waiting {
        self.waiting.increment(1.0);
        Waiting(self.waiting.clone())
    }
}
