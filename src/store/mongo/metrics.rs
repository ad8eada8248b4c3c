//! What is counted and timed of the store.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::run::Failure;

/// Every operation, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Start,
    AppendEach,
    AppendRun,
    Tail,
    Find,
    Page,
    Open,
    Get,
    Raise,
    RaiseNew,
    Active,
    List,
    Advance,
    Cursors,
    Unread,
    Profiles,
    PutProfile,
    Agree,
    Now,
    Adopt,
    Settle,
    OpenAll,
    AdvanceAll,
    PutProfiles,
    Found,
    Apply,
    RaiseCrowds,
    Departed,
    Standings,
    Ban,
    RevokeBefore,
    RevokeToken,
    Block,
    NoteAgent,
    SetAddress,
    ByAddress,
    Erasure,
    KeepErasure,
    ConversationsOf,
    Empty,
    Forget,
    CursorsOf,
    Assign,
    Talks,
    Holders,
    Acquainted,
    Seen,
    Appear,
    Appearances,
    Written,
    ConversationsAfter,
    Purge,
    Blank,
    Restore,
}

impl Operation {
    const ALL: [Self; 54] = [
        Self::Start,
        Self::AppendEach,
        Self::AppendRun,
        Self::Tail,
        Self::Find,
        Self::Page,
        Self::Open,
        Self::Get,
        Self::Raise,
        Self::RaiseNew,
        Self::Active,
        Self::List,
        Self::Advance,
        Self::Cursors,
        Self::Unread,
        Self::Profiles,
        Self::PutProfile,
        Self::Agree,
        Self::Now,
        Self::Adopt,
        Self::Settle,
        Self::OpenAll,
        Self::AdvanceAll,
        Self::PutProfiles,
        Self::Found,
        Self::Apply,
        Self::RaiseCrowds,
        Self::Departed,
        Self::Standings,
        Self::Ban,
        Self::RevokeBefore,
        Self::RevokeToken,
        Self::Block,
        Self::NoteAgent,
        Self::SetAddress,
        Self::ByAddress,
        Self::Erasure,
        Self::KeepErasure,
        Self::ConversationsOf,
        Self::Empty,
        Self::Forget,
        Self::CursorsOf,
        Self::Assign,
        Self::Talks,
        Self::Holders,
        Self::Acquainted,
        Self::Seen,
        Self::Appear,
        Self::Appearances,
        Self::Written,
        Self::ConversationsAfter,
        Self::Purge,
        Self::Blank,
        Self::Restore,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::AppendEach => "append_each",
            Self::AppendRun => "append_run",
            Self::Tail => "tail",
            Self::Find => "find",
            Self::Page => "page",
            Self::Open => "open",
            Self::Get => "get",
            Self::Raise => "raise",
            Self::RaiseNew => "raise_new",
            Self::Active => "active",
            Self::List => "list",
            Self::Advance => "advance",
            Self::Cursors => "cursors",
            Self::Unread => "unread",
            Self::Profiles => "profiles",
            Self::PutProfile => "put_profile",
            Self::Agree => "agree",
            Self::Now => "now",
            Self::Adopt => "adopt",
            Self::Settle => "settle",
            Self::OpenAll => "open_all",
            Self::AdvanceAll => "advance_all",
            Self::PutProfiles => "put_profiles",
            Self::Found => "found",
            Self::Apply => "apply",
            Self::RaiseCrowds => "raise_crowds",
            Self::Departed => "departed",
            Self::Standings => "standings",
            Self::Ban => "ban",
            Self::RevokeBefore => "revoke_before",
            Self::RevokeToken => "revoke_token",
            Self::Block => "block",
            Self::NoteAgent => "note_agent",
            Self::SetAddress => "set_address",
            Self::ByAddress => "by_address",
            Self::Erasure => "erasure",
            Self::KeepErasure => "keep_erasure",
            Self::ConversationsOf => "conversations_of",
            Self::Empty => "empty",
            Self::Forget => "forget",
            Self::CursorsOf => "cursors_of",
            Self::Assign => "assign",
            Self::Talks => "talks",
            Self::Holders => "holders",
            Self::Acquainted => "acquainted",
            Self::Seen => "seen",
            Self::Appear => "appear",
            Self::Appearances => "appearances",
            Self::Written => "written",
            Self::ConversationsAfter => "conversations_after",
            Self::Purge => "purge",
            Self::Blank => "blank",
            Self::Restore => "restore",
        }
    }

    /// Whether it writes, at majority.
    pub(super) const fn writes(self) -> bool {
        matches!(
            self,
            Self::Start
                | Self::AppendEach
                | Self::AppendRun
                | Self::Open
                | Self::Raise
                | Self::Advance
                | Self::PutProfile
                | Self::Agree
                | Self::Adopt
                | Self::Settle
                | Self::OpenAll
                | Self::AdvanceAll
                | Self::PutProfiles
                | Self::Found
                | Self::Apply
                | Self::RaiseCrowds
                | Self::Ban
                | Self::RevokeBefore
                | Self::RevokeToken
                | Self::Block
                | Self::NoteAgent
                | Self::SetAddress
                | Self::KeepErasure
                | Self::Empty
                | Self::Forget
                | Self::Assign
                | Self::Seen
                | Self::Appear
        )
    }
}

/// Handles made once.
pub(super) struct Metrics {
    seconds: [Histogram; Operation::ALL.len()],
    no_room: Counter,
    no_answer: Counter,
    driver: Counter,
    abandoned: Gauge,
    batch: Histogram,
    seq_taken: Counter,
    key_taken: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        describe();
        Self {
            seconds: Operation::ALL.map(
                |operation| histogram!("switchboard_store_mongodb_operation_seconds", "operation" => operation.name()),
            ),
            no_room: counter!("switchboard_store_mongodb_errors_total", "kind" => "no_room"),
            no_answer: counter!("switchboard_store_mongodb_errors_total", "kind" => "no_answer"),
            driver: counter!("switchboard_store_mongodb_errors_total", "kind" => "driver"),
            abandoned: gauge!("switchboard_store_mongodb_abandoned_operations"),
            batch: histogram!("switchboard_store_mongodb_batch_messages"),
            seq_taken: counter!("switchboard_store_mongodb_conflicts_total", "on" => "seq"),
            key_taken: counter!("switchboard_store_mongodb_conflicts_total", "on" => "key"),
        }
    }

    /// An operation ended, well or not.
    pub(super) fn ended(&self, operation: Operation, took: Duration, failure: Option<&Failure>) {
        self.seconds[operation as usize].record(took);
        match failure {
            None => {}
            Some(Failure::NoRoom) => self.no_room.increment(1),
            Some(Failure::NoAnswer) => self.no_answer.increment(1),
            Some(Failure::Driver(_)) => self.driver.increment(1),
        }
    }

    /// So many more operations that nobody waits for.
    pub(super) fn abandoned(&self, more: f64) {
        self.abandoned.increment(more);
    }

    /// So many messages went out together.
    pub(super) fn batch(&self, messages: usize) {
        self.batch.record(messages as f64);
    }

    /// Places and keys that were taken.
    pub(super) fn conflicts(&self, on_seq: usize, on_key: usize) {
        self.seq_taken.increment(on_seq as u64);
        self.key_taken.increment(on_key as u64);
    }
}

fn describe() {
    let name = "switchboard_store_mongodb_operation_seconds";
    describe_histogram!(name, Unit::Seconds, "Time that MongoDB took, by operation, well or not");
    describe_counter!("switchboard_store_mongodb_errors_total", "Operations that failed, by kind");
    describe_gauge!(
        "switchboard_store_mongodb_abandoned_operations",
        "Operations under way that nobody waits for any more"
    );
    describe_histogram!("switchboard_store_mongodb_batch_messages", "Messages that were inserted together");
    describe_counter!("switchboard_store_mongodb_conflicts_total", "Inserts that found their place or key taken");
}
