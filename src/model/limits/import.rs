//! Bounds of the import of the old app's messages.

use std::time::Duration;

use super::BATCH_MESSAGES_MAX;

/// The text of a message of the old app; a longer one is skipped and counted. More than
/// [`TEXT_BYTES_MAX`](super::TEXT_BYTES_MAX), because what was said there was within its limits: Socket.IO lets a megabyte
/// through.
pub const IMPORT_TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Users of the role admin in the old app; more end the import, because each is part of the question for its messages.
pub const IMPORT_AGENTS_MAX: usize = 1_000;
/// Old documents read ahead; beyond, the old app's database is not read.
pub const IMPORT_READ_AHEAD: usize = 64;
/// Text of one conversation in one piece, which is written as a run, and of one batch of conversations: the piece or batch
/// ends with the message that reaches it.
pub const IMPORT_PIECE_BYTES_MAX: usize = 256 * 1024;
/// Short conversations, or users, imported together, and twice as many cursors; the next one is of the next batch.
pub const IMPORT_BATCH_MAX: usize = BATCH_MESSAGES_MAX / 2;
/// Messages of such a batch of conversations, which ends with the conversation that reaches it.
pub const IMPORT_BATCH_MESSAGES_MAX: usize = 1_000;
/// Batches and long conversations imported at once; the next one waits.
pub const IMPORT_AT_ONCE_MAX: usize = 8;
/// Conversations of one batch imported at once; the next one waits.
pub const IMPORT_TALKS_AT_ONCE_MAX: usize = 4;
/// Documents of each sort of fault, and refused conversations, that an import logs one by one; more are only counted.
pub const IMPORT_EXAMPLES_MAX: u64 = 20;
/// How long the old app's database may take for the next document (it sorts all messages before the first one); then the
/// import ends, to be run again.
pub const IMPORT_SOURCE_WAIT: Duration = Duration::from_secs(30 * 60);
/// How long the store may be away during an import; then the import ends, to be run again.
pub const IMPORT_PATIENCE: Duration = Duration::from_secs(60);
/// How often an import says how far it has come.
pub const IMPORT_REPORT_PERIOD: Duration = Duration::from_secs(5);
