//! What the embedded store tells about itself.

use std::fmt;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::store::StoreError;

/// Of the writer.
pub(super) struct WriteMeters {
    /// Seconds from the begin of a transaction to the end of its commit.
    pub(super) commit: Histogram,
    /// Writes in one transaction.
    pub(super) group: Histogram,
    /// Seconds that folding the log into the file took.
    pub(super) checkpoint: Histogram,
    /// Writes that wait or are under way.
    pub(super) waiting: Gauge,
    /// Errors by what they mean.
    pub(super) errors: ErrorMeters,
}

impl WriteMeters {
    pub(super) fn new() -> Self {
        let (commit, checkpoint) =
            ("switchboard_store_embedded_commit_seconds", "switchboard_store_embedded_checkpoint_seconds");
        describe_histogram!(commit, Unit::Seconds, "Time from the begin of a transaction to the end of its commit");
        describe_histogram!("switchboard_store_embedded_group_writes", "Writes in one transaction");
        describe_histogram!(checkpoint, Unit::Seconds, "Time to fold the log into the file");
        describe_gauge!("switchboard_store_embedded_writes_waiting", "Writes that wait or are under way");
        Self {
            commit: histogram!(commit),
            group: histogram!("switchboard_store_embedded_group_writes"),
            checkpoint: histogram!(checkpoint),
            waiting: gauge!("switchboard_store_embedded_writes_waiting"),
            errors: ErrorMeters::new("write"),
        }
    }
}

/// Of the readers.
pub(super) struct ReadMeters {
    /// Seconds that a read took, without its wait in the queue.
    pub(super) read: Histogram,
    /// Reads that wait.
    pub(super) waiting: Gauge,
    /// Errors by what they mean.
    pub(super) errors: ErrorMeters,
}

impl ReadMeters {
    pub(super) fn new() -> Self {
        let read = "switchboard_store_embedded_read_seconds";
        describe_histogram!(read, Unit::Seconds, "Time that a read took, without its wait");
        describe_gauge!("switchboard_store_embedded_reads_waiting", "Reads that wait");
        Self {
            read: histogram!(read),
            waiting: gauge!("switchboard_store_embedded_reads_waiting"),
            errors: ErrorMeters::new("read"),
        }
    }
}

/// Errors by what they mean.
pub(super) struct ErrorMeters {
    unavailable: Counter,
    full: Counter,
    broken: Counter,
}

impl ErrorMeters {
    fn new(operation: &'static str) -> Self {
        describe_counter!("switchboard_store_embedded_errors_total", "Reads and writes that failed, by kind");
        let counter =
            |kind| counter!("switchboard_store_embedded_errors_total", "operation" => operation, "kind" => kind);
        Self { unavailable: counter("unavailable"), full: counter("full"), broken: counter("broken") }
    }

    /// Counts one.
    pub(super) fn count(&self, error: &StoreError) {
        match error {
            StoreError::Unavailable(_) => self.unavailable.increment(1),
            StoreError::Full(_) => self.full.increment(1),
            StoreError::Broken(_) => self.broken.increment(1),
        }
    }
}

/// Handles say nothing of interest.
macro_rules! opaque {
    ($($meters:ident),+) => {$(
        impl fmt::Debug for $meters {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($meters)).finish_non_exhaustive()
            }
        }
    )+};
}

opaque!(WriteMeters, ReadMeters);
