//! Bounds of connections, HTTP and WebSockets, and of the machine under them.

use std::time::Duration;

/// One WebSocket frame or message from a client; longer closes with 1009.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// One WebSocket message before `hello` was accepted; longer closes with 1009.
pub const HELLO_BYTES_MAX: usize = 8 * 1024;
/// The body of an HTTP request; longer is answered 413.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How deep a MessagePack value may nest; deeper is a `bad_frame`.
pub const NESTING_DEPTH_MAX: usize = 16;
/// The share of the memory that it may use at which a node lets nobody new in; who is there stays.
pub const MEMORY_SHARE_PERCENT: u64 = 80;
/// How often a node looks how much memory it uses.
pub const MEMORY_PERIOD: Duration = Duration::from_secs(1);
/// When who was not let in for want of memory is told to come back, at the soonest; at the latest after twice as long.
pub const MEMORY_RETRY: Duration = Duration::from_secs(5);
/// File descriptors that are not given to clients, but kept for the store, for Redis and for operators (of few, a quarter).
/// At the bound, accepting pauses until there are more, and the node is not ready.
pub const FILES_KEPT: u64 = 64;
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
/// Connections that the system keeps until they are accepted, as when everybody comes back at once (fewer where
/// `net.core.somaxconn` is lower). Beyond, it drops what asks for one, and who asked tries again.
pub const ACCEPT_BACKLOG: u32 = 4_096;
/// The shortest pause in accepting after the machine had no more file descriptors; it doubles up to
/// [`ACCEPT_PAUSE_MAX`] while that lasts.
pub const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause in accepting.
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
