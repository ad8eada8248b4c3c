//! Bounds of a session: how it begins, what it may ask, when it is given up.

use std::time::Duration;

/// Frames that were not understood before a connection is closed with 1008.
pub const BAD_FRAMES_MAX: u32 = 20;
/// Requests of one session under way at once. At the bound, its socket is not read.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// How long a connection may take to say `hello` on the native door; then closed with 4408.
pub const HELLO_WAIT: Duration = Duration::from_secs(5);
/// How long a session waits for its turn to begin, after its token was checked; one whose turn would come later is closed
/// with 1013 at once. With [`HELLO_WAIT`] it stays within the 10 s that clients wait for a welcome.
pub const ADMISSION_WAIT: Duration = Duration::from_secs(3);
/// A client that sent nothing for this long is pinged.
pub const PING_AFTER: Duration = Duration::from_secs(12);
/// A client that shows no sign of life for this long, and has nothing unsent, is closed.
pub const SILENCE_MAX: Duration = Duration::from_secs(25);
/// A client that takes no bytes for this long, though some wait, is closed with 1013.
pub const STALL_MAX: Duration = Duration::from_secs(300);
