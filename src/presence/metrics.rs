//! What presence counts.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// Kept handles of everything a presence counts.
#[derive(Clone)]
pub(super) struct PresenceMetrics {
    /// Users who came to this node, and who left it or a node that died.
    pub(super) came: Counter,
    pub(super) left: Counter,
    /// Users registered by this node.
    pub(super) users: Gauge,
    /// When the lease was last renewed, in seconds since 1970.
    pub(super) renewed: Gauge,
    /// Times that the lease was found missing, or what it stands for.
    pub(super) lease_lost: Counter,
    /// Renewals that failed.
    pub(super) beats_failed: Counter,
    /// Users asked about at other nodes.
    pub(super) asked: Counter,
    /// Those of them of whom nobody could say where they are.
    pub(super) unknown: Counter,
    /// Times that absences came into doubt.
    pub(super) doubts: Counter,
    /// Times that everybody was registered anew.
    pub(super) registrations: Counter,
    /// Dead nodes that were swept up after.
    pub(super) swept: Counter,
}

impl PresenceMetrics {
    pub(super) fn new() -> Self {
        describe_counter!("switchboard_presence_transitions_total", "Users who came to this node or left it for good");
        describe_gauge!("switchboard_presence_users", "Users that this node vouches for");
        let renewed = "switchboard_presence_lease_renewed_timestamp_seconds";
        describe_gauge!(renewed, Unit::Seconds, "When this node last renewed its lease, in seconds since 1970");
        describe_counter!("switchboard_presence_lease_lost_total", "Times that this node's registration was lost");
        describe_counter!("switchboard_presence_beats_failed_total", "Renewals of the lease that failed");
        describe_counter!("switchboard_presence_asked_users_total", "Users asked about at other nodes");
        describe_counter!("switchboard_presence_unknown_users_total", "Of those, the ones nobody could answer for");
        describe_counter!("switchboard_presence_doubts_total", "Times that what nodes share about presence was lost");
        describe_counter!("switchboard_presence_registrations_total", "Times that all users were registered anew");
        describe_counter!("switchboard_presence_swept_nodes_total", "Dead nodes that this node swept up after");
        let transitions = |to: &'static str| counter!("switchboard_presence_transitions_total", "to" => to);
        let metrics = Self {
            came: transitions("online"),
            left: transitions("offline"),
            users: gauge!("switchboard_presence_users"),
            renewed: gauge!(renewed),
            lease_lost: counter!("switchboard_presence_lease_lost_total"),
            beats_failed: counter!("switchboard_presence_beats_failed_total"),
            asked: counter!("switchboard_presence_asked_users_total"),
            unknown: counter!("switchboard_presence_unknown_users_total"),
            doubts: counter!("switchboard_presence_doubts_total"),
            registrations: counter!("switchboard_presence_registrations_total"),
            swept: counter!("switchboard_presence_swept_nodes_total"),
        };
        let Self { came, left, lease_lost, beats_failed, asked, unknown, doubts, registrations, swept, .. } = &metrics;
        for counter in [came, left, lease_lost, beats_failed, asked, unknown, doubts, registrations, swept] {
            counter.increment(0);
        }
        metrics
    }
}
