//! Bounds of what operators do to a store as a whole.

use std::time::Duration;

/// Records between the store that is read and the file that is written, or the other way round; then the one waits for
/// the other.
pub const BACKUP_RECORDS_WAITING_MAX: usize = 1_000;
/// One line of a back-up: a longer one is taken for damage. A record is far below it.
pub const BACKUP_LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Records that are restored by one write; more go with the next.
pub const RESTORE_BATCH_RECORDS: usize = 500;
/// Bytes of lines that are restored by one write, which ends with the record that reaches it.
pub const RESTORE_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How long the store may be away during a restore; then the restore ends, to be begun anew.
pub const RESTORE_PATIENCE: Duration = Duration::from_secs(60);
/// The youngest age that messages can be purged by: far beyond all that is under way.
pub const PURGE_AGE_MIN: Duration = Duration::from_secs(24 * 60 * 60);
/// Messages that a purge deletes in one operation of the store; more go with the next.
pub const PURGE_STEP_MESSAGES: u64 = 2_000;
/// Conversations that a purge reads the ids of at once; the next ones follow.
pub const PURGE_CONVERSATIONS: usize = 100;
/// How often a back-up, a restore or a purge says how far it has come.
pub const UPKEEP_REPORT_PERIOD: Duration = Duration::from_secs(5);
