//! What a bus counts.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::Cause;

/// Kept handles of everything a bus counts.
#[derive(Clone)]
pub(super) struct BusMetrics {
    /// Publications taken into the queue.
    pub(super) publications: Counter,
    /// Publications dropped because the queue was full.
    pub(super) full: Counter,
    /// Publications dropped because the bus was away.
    pub(super) away: Counter,
    /// Publications whose sending failed; whether they arrived is unknown.
    pub(super) failed: Counter,
    /// Messages handed to this node.
    pub(super) events: Counter,
    /// Messages dropped because this node did not take them fast enough.
    pub(super) lagged: Counter,
    /// Frames for this node dropped because nobody took them fast enough.
    pub(super) frames_dropped: Counter,
    /// Doubts told, each of [`Cause::ALL`].
    doubts: [Counter; 3],
    /// Times that this node began to hear anew: what it heard before does not connect to what it hears after.
    pub(super) epochs: Counter,
    /// Publications that wait to be sent.
    pub(super) waiting: Gauge,
    /// Publications that were sent together.
    pub(super) batch: Histogram,
    /// 1 while the bus is away.
    pub(super) is_away: Gauge,
    /// Channels that this node subscribes to: its users', and its own.
    pub(super) subscriptions: Gauge,
}

impl BusMetrics {
    pub(super) fn new() -> Self {
        describe();
        let failure = |reason| counter!("switchboard_bus_publish_failures_total", "reason" => reason);
        let metrics = Self {
            publications: counter!("switchboard_bus_publications_total"),
            full: failure("full"),
            away: failure("away"),
            failed: failure("failed"),
            events: counter!("switchboard_bus_events_total"),
            lagged: counter!("switchboard_bus_lagged_total"),
            frames_dropped: counter!("switchboard_bus_frames_dropped_total"),
            doubts: Cause::ALL.map(|cause| counter!("switchboard_bus_doubts_total", "cause" => cause.name())),
            epochs: counter!("switchboard_bus_epochs_total"),
            waiting: gauge!("switchboard_bus_publications_waiting"),
            batch: histogram!("switchboard_bus_batch_messages"),
            is_away: gauge!("switchboard_bus_away"),
            subscriptions: gauge!("switchboard_bus_subscriptions"),
        };
        for counter in [&metrics.publications, &metrics.full, &metrics.away, &metrics.failed] {
            counter.increment(0);
        }
        for counter in [&metrics.events, &metrics.lagged, &metrics.frames_dropped].into_iter().chain(&metrics.doubts) {
            counter.increment(0);
        }
        metrics.is_away.set(0.0);
        metrics
    }

    pub(super) fn doubt(&self, cause: Cause) {
        self.doubts[cause as usize].increment(1);
    }
}

fn describe() {
    describe_counter!("switchboard_bus_publications_total", "Publications on users' channels and to other nodes");
    describe_counter!("switchboard_bus_publish_failures_total", "Publications that were dropped or failed, by reason");
    describe_counter!("switchboard_bus_events_total", "Publications that came to this node");
    describe_counter!(
        "switchboard_bus_lagged_total",
        "Publications dropped because this node did not take them in time"
    );
    describe_counter!("switchboard_bus_frames_dropped_total", "Frames from other nodes that nobody took in time");
    describe_counter!("switchboard_bus_doubts_total", "Times that the bus may have lost something, by cause");
    describe_counter!(
        "switchboard_bus_epochs_total",
        "Connections on which this node heard others, one after the other"
    );
    describe_gauge!("switchboard_bus_publications_waiting", "Publications that wait to be sent");
    describe_histogram!("switchboard_bus_batch_messages", "Publications that were sent together");
    describe_gauge!("switchboard_bus_away", "1 while the bus cannot be reached, otherwise 0");
    describe_gauge!("switchboard_bus_subscriptions", "Channels that this node subscribes to");
}

/// Kept handles of what a node counts of what it says to itself.
pub(super) struct CanaryMetrics {
    /// How long it took to come back.
    pub(super) seconds: Histogram,
    /// What Redis took and what did not come back.
    pub(super) unheard: Counter,
    /// What Redis did not take.
    pub(super) unpublished: Counter,
    /// Times that the subscription was made anew because nothing came back.
    pub(super) rebuilds: Counter,
    /// 1 while the node is deaf.
    pub(super) deaf: Gauge,
}

impl CanaryMetrics {
    pub(super) fn new() -> Self {
        let (seconds, failures) = ("switchboard_canary_seconds", "switchboard_canary_failures_total");
        let (rebuilds, deaf) = ("switchboard_canary_rebuilds_total", "switchboard_canary_deaf");
        describe_histogram!(seconds, Unit::Seconds, "Time until what a node said to itself through Redis came back");
        describe_counter!(failures, "Times that it did not come back, or that Redis did not take it");
        describe_counter!(rebuilds, "Times that a deaf node made its subscription anew");
        describe_gauge!(deaf, "1 while Redis takes what this node says to itself and nothing comes back, otherwise 0");
        let failed = |reason| counter!(failures, "reason" => reason);
        Self {
            seconds: histogram!(seconds),
            unheard: failed("unheard"),
            unpublished: failed("unpublished"),
            rebuilds: counter!(rebuilds),
            deaf: gauge!(deaf),
        }
    }
}
