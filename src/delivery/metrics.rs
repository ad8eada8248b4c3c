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
    gaps: [Counter; Gap::ALL.len()],
    /// Events of the bus that wait to be sorted.
    pub(super) events_waiting: Gauge,
    /// What waits in all outboxes, and in the fullest.
    pub(super) outbox_frames: Gauge,
    pub(super) outbox_bytes: Gauge,
    pub(super) outbox_bytes_most: Gauge,
    /// When the latest audit of everybody ended.
    pub(super) audit_completed: Gauge,
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

/// Why a session is found to miss something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// A later message came before it.
    Hole,
    /// Its outbox had no room when it came.
    Full,
    /// The store was asked after a doubt.
    Doubt,
    /// The store was asked because the bus was away.
    Away,
    /// The store was asked in case something was lost without a trace.
    Audit,
}

impl Gap {
    const ALL: [Self; 5] = [Self::Hole, Self::Full, Self::Doubt, Self::Away, Self::Audit];

    const fn name(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Full => "full",
            Self::Doubt => "doubt",
            Self::Away => "away",
            Self::Audit => "audit",
        }
    }
}

impl Metrics {
    /// A session misses something.
    pub(super) fn gap(&self, cause: Gap) {
        self.gaps[cause as usize].increment(1);
    }

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
        describe_counter!("switchboard_gaps_total", "Times that a session was found to miss something, by cause");
        describe_gauge!(
            "switchboard_bus_events_waiting",
            "Events from the bus that wait to be sorted to their sessions"
        );
        describe_gauge!("switchboard_outbox_frames", "Frames that wait for sockets, in all outboxes");
        describe_gauge!("switchboard_outbox_bytes", Unit::Bytes, "What the frames that wait for sockets weigh, about");
        describe_gauge!("switchboard_outbox_bytes_most", Unit::Bytes, "What the fullest outbox weighs");
        describe_gauge!(
            "switchboard_audit_completed_timestamp_seconds",
            Unit::Seconds,
            "When every user here had last been asked about once more, in seconds since 1970"
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
            gaps: Gap::ALL.map(|cause| counter!("switchboard_gaps_total", "cause" => cause.name())),
            events_waiting: gauge!("switchboard_bus_events_waiting"),
            outbox_frames: gauge!("switchboard_outbox_frames"),
            outbox_bytes: gauge!("switchboard_outbox_bytes"),
            outbox_bytes_most: gauge!("switchboard_outbox_bytes_most"),
            audit_completed: gauge!("switchboard_audit_completed_timestamp_seconds"),
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
