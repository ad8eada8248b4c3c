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

/// Open connections of one node, WebSockets included. Beyond, a connection is answered 503 and closed.
pub const CONNECTIONS_MAX: usize = 65_536;
/// Connections from one address (of IPv6: from one /64) that have not shown a token that counts. Beyond, a connection
/// is answered 503 and closed, a request through a trusted proxy is answered 503.
pub const GUESTS_PER_ADDRESS_MAX: u32 = 1_024;
/// Connections being told 503 at the same time; beyond, they are closed without a word.
pub const TURNED_AWAY_MAX: usize = 256;
/// Addresses of `X-Forwarded-For` that are looked at; the address that has been reached by then counts.
pub const FORWARDED_HOPS_MAX: usize = 16;
/// The head of an HTTP request, its first line included; longer is answered 431 and the connection closed.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Header fields of an HTTP request; more are answered 431 and the connection closed.
pub const HEADER_FIELDS_MAX: usize = 64;
/// What the kernel is asked to hold of unsent bytes for one socket (Linux doubles it for its own use). At the bound,
/// writing waits.
pub const SEND_BUFFER_BYTES: u32 = 128 * 1024;
/// What the kernel is asked to hold of unread bytes for one socket. At the bound, the peer's sending waits.
pub const RECEIVE_BUFFER_BYTES: u32 = 64 * 1024;
/// Bytes of a WebSocket read at a time: what each of them keeps for reading.
pub const SOCKET_READ_BYTES: usize = 1024;
/// Frames are gathered up to here before they are written, and a longer message is sent in fragments of this size, so
/// that no socket keeps a large buffer for having sent one large message.
pub const SOCKET_WRITE_BYTES: usize = 2 * 1024;
/// Frames a second that a WebSocket may send, in the long run; beyond, it is not read for a while.
pub const FRAMES_PER_SECOND: u32 = 200;
/// Frames that it may send at once after a rest.
pub const FRAMES_BURST: u32 = 400;
/// Bytes a second that a WebSocket may send, in the long run; beyond, it is not read for a while.
pub const BYTES_PER_SECOND: u32 = 256 * 1024;
/// Bytes that it may send at once after a rest.
pub const BYTES_BURST: u32 = 512 * 1024;
/// Bytes that are read and thrown away from a connection that is being closed; then it is closed regardless.
pub const FAREWELL_BYTES_MAX: u64 = 1024 * 1024;

/// How long the head of an HTTP request may take from its first byte (on a new connection: from the start); then the
/// connection is closed.
pub const HEADER_WAIT: Duration = Duration::from_secs(10);
/// How long the body of an HTTP request may take; then answered 408.
pub const BODY_WAIT: Duration = Duration::from_secs(10);
/// How long an HTTP connection may rest between two requests, or take none of the bytes of an answer; then it is
/// closed. Longer than the 60 s of the usual load balancers, so that it is they who close.
pub const IDLE_WAIT: Duration = Duration::from_secs(75);
/// How long a WebSocket message that was begun may take to become whole; then closed with 1008.
pub const MESSAGE_WAIT: Duration = Duration::from_secs(10);
/// How long the end of a WebSocket may take: what is unsent, the close frame, the peer's answer.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// How long plain HTTP requests may take to finish once the listener stops; then they are cut.
pub const HTTP_DRAIN_WAIT: Duration = Duration::from_secs(10);
/// The shortest pause in accepting after the machine had no more file descriptors; it doubles up to
/// [`ACCEPT_PAUSE_MAX`] while that lasts.
pub const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause in accepting.
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
