//! Bounds of presence.

use std::time::Duration;

/// How often a node renews the lease that vouches for its users.
pub const PRESENCE_BEAT: Duration = Duration::from_secs(2);
/// How long a lease holds without being renewed; then the node counts as dead, and its users as gone.
pub const PRESENCE_LEASE: Duration = Duration::from_secs(6);
/// How long what a dead node registered is kept for others to find out when its users were last seen; then they were last
/// seen at some earlier time.
pub const PRESENCE_REMAINS: Duration = Duration::from_secs(600);
/// How long absences are in doubt after Redis, or what was in it, was lost: nobody is called absent in that time.
pub const PRESENCE_DOUBT: Duration = Duration::from_secs(10);
/// How often the other nodes are told who came and who left here, if anybody did.
pub const PRESENCE_DIFF_PERIOD: Duration = Duration::from_millis(250);
/// Users in one command to Redis about presence, and in what all nodes are told at once; the others follow in the next.
pub const PRESENCE_BATCH_USERS_MAX: usize = 500;
/// Events of presence that its node has not taken; beyond, who came and left is gathered until there is room.
pub const PRESENCE_EVENTS_MAX: usize = 64;
/// How long one node has for sweeping up after dead ones, before another may.
pub const PRESENCE_SWEEP_WAIT: Duration = Duration::from_secs(10);
/// Within this time everybody who is watched on a node is asked about again, in case it was not told.
pub const PRESENCE_ASK_PERIOD: Duration = Duration::from_secs(30);
/// When somebody is asked about again of whom nobody could say where they are.
pub const PRESENCE_ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long the answer to `watch` waits for what is not known yet; then they are shown as offline until it is.
pub const PRESENCE_ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Users who left and of whom the store does not know yet when they were last seen; beyond, it is not noted.
pub const SEEN_WAITING_MAX: usize = 100_000;
/// When it is tried again to note that.
pub const SEEN_AGAIN: Duration = Duration::from_secs(5);
/// Users that one session may watch, and of whom one request may ask; more is refused with `invalid`.
pub const WATCHED_USERS_MAX: usize = 200;
/// Lists of whom to watch that one session may send, at once; then one a second. Beyond, refused with `rate_limited`.
pub const WATCHES_BURST: u32 = 30;
/// How long after a page of the Socket.IO door has met somebody new it is told whether they are online.
pub const COMPANY_PAUSE: Duration = Duration::from_secs(2);
/// A client that shows no sign of life for this long, though it owes one, is shown offline until it does.
pub const VANISHED_AFTER: Duration = Duration::from_secs(20);
