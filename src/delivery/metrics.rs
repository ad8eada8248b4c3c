//! What delivery counts.

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::bus::Cause;

/// Kept handles.
#[derive(Clone)]
pub(super) struct Metrics {
    /// From acceptance on any node to arrival here: as true as the two nodes' clocks.
    pub(super) received: Histogram,
    pub(super) sessions: Gauge,
    pub(super) unreadable: Counter,
    pub(super) shown: Counter,
    pub(super) dropped: Counter,
    pub(super) wanted: Counter,
    /// Of the wanted, those whose outbox had no room: its client reads too slowly.
    pub(super) full: Counter,
    pub(super) reads: Counter,
    pub(super) reads_shared: Counter,
    pub(super) read_failures: Counter,
    pub(super) repaired: Counter,
    pub(super) audited: Counter,
    pub(super) found: Counter,
    pub(super) cure_failures: Counter,
    pub(super) cure_seconds: Histogram,
    pub(super) doubts: [Counter; Cause::ALL.len()],
    pub(super) watched: Gauge,
    pub(super) presence_asks: Counter,
}

impl Metrics {
    /// Registers them, so that each exists from the start.
    pub(super) fn new() -> Self {
        describe_gauge!("switchboard_sessions", "Authenticated sessions on this node");
        describe_counter!(
            "switchboard_envelopes_unreadable_total",
            "Envelopes from the bus of an unknown version or damaged"
        );
        describe_counter!("switchboard_offers_total", "Messages offered to sessions, by what was decided");
        describe_counter!(
            "switchboard_outbox_full_total",
            "Messages that found an outbox full, and are read from the store when its client has taken the rest"
        );
        describe_counter!(
            "switchboard_repair_reads_total",
            "Reads of missing messages from the store, by whether one was under way already"
        );
        describe_counter!(
            "switchboard_repair_read_failures_total",
            "Reads of missing messages that the store did not answer"
        );
        describe_counter!(
            "switchboard_repaired_messages_total",
            "Messages shown that came from the store instead of the bus"
        );
        describe_counter!("switchboard_audited_users_total", "Users asked about at the store, by audits and cures");
        describe_counter!("switchboard_audit_finds_total", "Sessions that were found to miss something");
        describe_counter!("switchboard_audit_failures_total", "Questions about activity that the store did not answer");
        describe_counter!("switchboard_doubts_total", "Times that messages may have been lost on the bus, by cause");
        describe_gauge!("switchboard_watched_users", "Users whose coming and going somebody on this node watches");
        describe_counter!("switchboard_presence_asks_total", "Questions about where watched users are");
        describe_histogram!(
            "switchboard_cure_seconds",
            Unit::Seconds,
            "Time to ask the store about every connected user after a doubt"
        );
        let offers = |verdict: &'static str| counter!("switchboard_offers_total", "verdict" => verdict);
        let reads = |kind: &'static str| counter!("switchboard_repair_reads_total", "kind" => kind);
        Self {
            received: metrics::histogram!("switchboard_stage_seconds", "stage" => "received"),
            sessions: gauge!("switchboard_sessions"),
            unreadable: counter!("switchboard_envelopes_unreadable_total"),
            shown: offers("shown"),
            dropped: offers("dropped"),
            wanted: offers("wanted"),
            full: counter!("switchboard_outbox_full_total"),
            reads: reads("own"),
            reads_shared: reads("shared"),
            read_failures: counter!("switchboard_repair_read_failures_total"),
            repaired: counter!("switchboard_repaired_messages_total"),
            audited: counter!("switchboard_audited_users_total"),
            found: counter!("switchboard_audit_finds_total"),
            cure_failures: counter!("switchboard_audit_failures_total"),
            cure_seconds: metrics::histogram!("switchboard_cure_seconds"),
            doubts: Cause::ALL.map(|cause| counter!("switchboard_doubts_total", "cause" => cause.name())),
            watched: gauge!("switchboard_watched_users"),
            presence_asks: counter!("switchboard_presence_asks_total"),
        }
    }
}
