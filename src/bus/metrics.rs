//! What a bus counts.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

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
    describe_gauge!("switchboard_bus_away", "1 while the bus cannot be reached, otherwise 0");
    describe_gauge!("switchboard_bus_subscriptions", "Channels that this node subscribes to");
}
