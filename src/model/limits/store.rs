//! Bounds of the store.

use std::time::Duration;

/// Bytes of writes waiting for the embedded store. At the bound a write waits for room, and is refused with
/// `unavailable` after [`ATTEMPT_WAIT`].
pub const EMBEDDED_WRITE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Writes that the embedded store makes durable by one commit; more wait for the next.
pub const EMBEDDED_GROUP_WRITES_MAX: usize = 512;
/// Reads waiting for the embedded store. At the bound a read waits for room, and is refused with `unavailable` after
/// [`ATTEMPT_WAIT`].
pub const EMBEDDED_READS_MAX: usize = 1_024;
/// Connections that the embedded store reads through, each with a thread of its own.
pub const EMBEDDED_READERS: usize = 2;
/// How long the store may take for one attempt; then its outcome is unknown.
pub const ATTEMPT_WAIT: Duration = Duration::from_secs(3);
/// Operations of the store under way at once, unless the operator sizes the driver's pool otherwise. Beyond, one waits at
/// most [`ROOM_WAIT`] and is then refused.
pub const STORE_OPERATIONS_MAX: usize = 64;
/// How long an operation waits for room; then it was never tried. What is left of [`ATTEMPT_WAIT`] is for the attempt.
pub const ROOM_WAIT: Duration = Duration::from_secs(2);
/// How long a primary is looked for, unless the operator says otherwise; then the operation was never tried. Shorter than
/// [`ATTEMPT_WAIT`], so that it ends in a clear refusal.
pub const STORE_SELECTION_WAIT: Duration = Duration::from_millis(2_500);
/// How long each step of connecting to the store may take; then the node does not start.
pub const STORE_START_WAIT: Duration = Duration::from_secs(10);
/// How long anybody waits before asking a store again that did not answer.
pub const STORE_PAUSE: Duration = Duration::from_millis(100);
