//! Bounds of a message's way to its readers, and of the repair of what they missed.

use std::time::Duration;

/// Bytes waiting for one socket. At the bound, messages are no longer queued: the session keeps its cursors only and
/// reads them from the store as the socket drains.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// Within this time it is looked once what waits in all outboxes, for the metrics.
pub const OUTBOX_LOOK_PERIOD: Duration = Duration::from_secs(5);
/// Messages of one session that came before their turn, kept until the one before them comes. What finds no room is
/// read from the store when it is its turn.
pub const EARLY_BYTES_MAX: usize = 64 * 1024;
/// Conversations that one session keeps a position in. Beyond, the client is told to reconnect, which starts afresh.
pub const POSITIONS_MAX: usize = 4_096;
/// Cursors in one `hello` or `resume`; more is refused with `invalid`.
pub const CURSORS_MAX: usize = 100;
/// How long a message that came too early waits for the one before it, before the store is asked.
pub const HOLE_WAIT: Duration = Duration::from_millis(100);
/// How far behind `as_of` the store is asked, to cover commits that were under way.
pub const AS_OF_MARGIN: Duration = Duration::from_secs(60);
/// Within this time every connected user is audited once.
pub const AUDIT_PERIOD: Duration = Duration::from_secs(40);
/// How often those who came since are asked about, for the first time: each is within twice as long.
pub const NEWCOMERS_PERIOD: Duration = Duration::from_secs(2);
/// Those who came since; of more, the audit finds what they miss.
pub const NEWCOMERS_MAX: usize = 64 * 1024;
/// While the bus is away, every connected user is asked about this often.
pub const DEGRADED_PERIOD: Duration = Duration::from_secs(2);
/// How long a channel stays subscribed after the last socket of its user left.
pub const UNSUBSCRIBE_DELAY: Duration = Duration::from_secs(5);
