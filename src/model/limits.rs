//! Every bound of the system in one place, its unit in its name. What happens at each is written beside it.

use std::time::Duration;

/// A user id; longer is refused with `invalid`.
pub const USER_ID_BYTES_MAX: usize = 64;
/// A client key; longer is refused with `invalid`.
pub const CLIENT_KEY_BYTES_MAX: usize = 64;
/// The text of a message; longer is refused with `invalid`.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The beginning of the last message that a conversation list shows; longer is cut.
pub const PREVIEW_BYTES_MAX: usize = 256;
/// A token; longer is refused with `unauthorized` before it is looked at.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// One WebSocket frame or message from a client; longer closes with 1009.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// One WebSocket message before `hello` was accepted; longer closes with 1009.
pub const HELLO_BYTES_MAX: usize = 8 * 1024;
/// The body of an HTTP request; longer is answered 413.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How deep a MessagePack value may nest; deeper is a `bad_frame`.
pub const NESTING_DEPTH_MAX: usize = 16;
/// Frames that were not understood before a connection is closed with 1008.
pub const BAD_FRAMES_MAX: u32 = 20;

/// Bytes waiting for one socket. At the bound, messages are no longer queued: the session keeps its cursors only and
/// reads them from the store as the socket drains.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// Messages of one session that came before their turn, kept until the one before them comes. What finds no room is
/// read from the store when it is its turn.
pub const EARLY_BYTES_MAX: usize = 64 * 1024;
/// Requests of one session under way at once. At the bound, its socket is not read.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Conversations that one session keeps a position in. Beyond, the client is told to reconnect, which starts afresh.
pub const POSITIONS_MAX: usize = 4_096;
/// Cursors in one `hello` or `resume`; more is refused with `invalid`.
pub const CURSORS_MAX: usize = 100;
/// Sends that may wait in one conversation's lane; beyond, refused with `busy`.
pub const LANE_SENDS_MAX: usize = 512;
/// Messages in one ordered run of a lane.
pub const RUN_MESSAGES_MAX: usize = 100;
/// Messages in one unordered bulk insert, each of another conversation.
pub const BATCH_MESSAGES_MAX: usize = 200;
/// Bulk inserts under way at once on one node; more messages wait for the next one.
pub const BATCHES_IN_FLIGHT_MAX: usize = 2;
/// Single messages waiting for a bulk insert; beyond, their lanes wait.
pub const ATTEMPTS_WAITING_MAX: usize = 4_096;
/// Messages waiting for their conversation's head to be raised; beyond, their lanes wait.
pub const HEADS_WAITING_MAX: usize = 16 * 1024;
/// Refused sends of one session that have not come back; beyond, it is closed with 1013, since only a new session can
/// keep what the client repeats in order.
pub const REFUSED_SENDS_MAX: usize = 512;
/// Conversations whose members one node remembers; beyond, it forgets all and reads again.
pub const MEMBERSHIPS_MAX: usize = 200_000;
/// Messages in one page of history; a larger `limit` is cut to it.
pub const PAGE_MESSAGES_MAX: usize = 100;
/// Bytes of text in one page of history or catch-up: the page ends after the message that reaches it.
pub const PAGE_BYTES_MAX: usize = 128 * 1024;
/// Conversations in one page of a list; a larger `limit` is cut to it.
pub const PAGE_CONVERSATIONS_MAX: usize = 50;
/// Unread messages counted in one conversation; beyond, the count stays here.
pub const UNREAD_COUNT_MAX: u64 = 1_000;
/// Users in one question about activity.
pub const USERS_PER_QUESTION_MAX: usize = 500;
/// Events between the bus and delivery; beyond, events are dropped and the node is in doubt.
pub const BUS_EVENTS_MAX: usize = 16 * 1024;
/// Publications waiting for the bus; beyond, a publication waits at most [`PUBLISH_WAIT`] and is then dropped.
pub const PUBLICATIONS_MAX: usize = 16 * 1024;

/// How long a connection may take to say `hello` on the native door; then closed with 4408.
pub const HELLO_WAIT: Duration = Duration::from_secs(5);
/// How long the store may take for one attempt; then its outcome is unknown.
pub const ATTEMPT_WAIT: Duration = Duration::from_secs(3);
/// How long a send may take in all; then refused with `unavailable`.
pub const SEND_WAIT: Duration = Duration::from_secs(10);
/// How long a lane outlives its last message: its knowledge of the highest place is then forgotten.
pub const LANE_IDLE: Duration = Duration::from_secs(60);
/// How long a second bulk insert waits for company while the first is under way.
pub const LINGER: Duration = Duration::from_millis(1);
/// How long anybody waits before asking a store again that did not answer.
pub const STORE_PAUSE: Duration = Duration::from_millis(100);
/// How long anybody waits for room in the bus's queue.
pub const PUBLISH_WAIT: Duration = Duration::from_millis(50);
/// How long a message that came too early waits for the one before it, before the store is asked.
pub const HOLE_WAIT: Duration = Duration::from_millis(100);
/// How far behind `as_of` the store is asked, to cover commits that were under way.
pub const AS_OF_MARGIN: Duration = Duration::from_secs(60);
/// Within this time every connected user is audited once.
pub const AUDIT_PERIOD: Duration = Duration::from_secs(40);
/// While the bus is away, every connected user is asked about this often.
pub const DEGRADED_PERIOD: Duration = Duration::from_secs(2);
/// How long a channel stays subscribed after the last socket of its user left.
pub const UNSUBSCRIBE_DELAY: Duration = Duration::from_secs(5);
/// How long a membership may be remembered.
pub const MEMBERSHIP_AGE_MAX: Duration = Duration::from_secs(5);

/// A client that sent nothing for this long is pinged.
pub const PING_AFTER: Duration = Duration::from_secs(12);
/// A client that shows no sign of life for this long, and has nothing unsent, is closed.
pub const SILENCE_MAX: Duration = Duration::from_secs(25);
/// A client that takes no bytes for this long, though some wait, is closed with 1013.
pub const STALL_MAX: Duration = Duration::from_secs(300);
