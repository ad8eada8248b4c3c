//! Bounds of the Socket.IO door, and of Engine.IO under it.

use std::time::Duration;

use super::{FRAME_BYTES_MAX, PING_AFTER};

/// Messages in one answer of the Socket.IO door's history route.
pub const THREAD_MESSAGES_MAX: usize = 200;
/// Rows in one answer of its list of conversations; the rest is older.
pub const INBOX_ROWS_MAX: usize = 200;
/// The sealed state that a Socket.IO client brings back; a longer one is not looked at.
pub const OFFSET_BYTES_MAX: usize = 8 * 1024;
/// The random part of the name that a recoverable Socket.IO connection is known by.
pub const PRIVATE_ID_BYTES: usize = 24;
/// How long a client of the Socket.IO door may take to show its token; then it is closed.
pub const SOCKETIO_HELLO_WAIT: Duration = Duration::from_secs(20);
/// How long an agent's page on the Socket.IO door is not told of a message that the team's list does not show yet; then it
/// is told all the same.
pub const LISTED_WAIT: Duration = Duration::from_secs(1);
/// How often the list is looked at meanwhile.
pub const LISTED_PAUSE: Duration = Duration::from_millis(10);
/// How long an input on the Socket.IO door waits for what must be looked up for it; then it is refused with `unavailable`.
pub const LOOKUP_WAIT: Duration = Duration::from_secs(5);
/// Answers of the Socket.IO door itself that wait for one socket; beyond, it is not read.
pub const REPLIES_MAX: usize = 64;
/// How long before a page showed its token a message may have been stored that it is shown all the same, if its user has
/// read all that is older, and not this: the page may have asked for its history just before.
pub const PAGE_MARGIN: Duration = Duration::from_secs(2);
/// How long such a page waits for its first message, so that what its history held counts as read by then.
pub const PAGE_WAIT: Duration = Duration::from_millis(250);
/// Conversations of which that is found out; in others a page starts with what comes.
pub const PAGE_TALKS_MAX: usize = 8;
/// Packets in one payload of Engine.IO polling; more close the session.
pub const PAYLOAD_PACKETS_MAX: usize = 1_024;
/// Binary messages that belong to one Socket.IO packet; a packet that announces more closes the transport.
pub const ATTACHMENTS_MAX: usize = 10;
/// Arguments of one Socket.IO event, its name included; more close the transport.
pub const ARGUMENTS_MAX: usize = 128;
/// How deep the JSON of a Socket.IO packet may nest; deeper closes the transport.
pub const JSON_DEPTH_MAX: usize = 32;
/// The name of a Socket.IO namespace; a longer one closes the transport.
pub const NAMESPACE_BYTES_MAX: usize = 128;
/// One message or one body of polling from an Engine.IO client that has shown a token. A longer message closes with
/// 1009, a longer body is answered 413.
pub const ENGINE_PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Bytes waiting to be polled by one Engine.IO session. At the bound the session takes no more until a poll comes; what
/// it holds is at most this and one message.
pub const POLLED_BYTES_MAX: usize = 64 * 1024;
/// Sessions of one node that are polled. Beyond, a new one is refused with Engine.IO's code 4.
pub const POLLING_SESSIONS_MAX: usize = 16 * 1024;
/// How often an Engine.IO client is pinged.
pub const ENGINE_PING_INTERVAL: Duration = PING_AFTER;
/// How long an Engine.IO client may take to answer a ping; then its session is closed.
pub const ENGINE_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the change of a session from polling to WebSocket may take; then the WebSocket is closed and polling goes on.
pub const UPGRADE_WAIT: Duration = Duration::from_secs(2);
/// While a session changes to WebSocket, a waiting poll is released this often.
pub const UPGRADE_RELEASE: Duration = Duration::from_millis(100);
/// How long a body of polling may wait until what came before it was taken; then the session is closed.
pub const POST_WAIT: Duration = Duration::from_secs(15);
/// How long an Engine.IO session may be without any Socket.IO namespace at first; then its transport is closed.
pub const CONNECT_WAIT: Duration = Duration::from_secs(20);
/// How often a request of a session that another node holds is repeated until that node answers.
pub const RELAY_RESEND: Duration = Duration::from_millis(500);
/// How long that node may show no sign of life; then the session is unknown, and its client opens another.
pub const RELAY_SILENCE_MAX: Duration = Duration::from_millis(1_500);
/// Requests of one node that wait for other nodes. Beyond, refused with Engine.IO's code 4.
pub const RELAYED_REQUESTS_MAX: usize = 16 * 1024;
/// What a relayed request or its answer may have besides its payload; a longer one is dropped.
pub const RELAY_HEAD_BYTES_MAX: usize = 256;
/// Requests of one session and kind that are remembered as done; an older one that comes again is taken for new.
pub const RELAYED_DONE_MAX: usize = 4;
/// Bytes of the frames of one bridged WebSocket that are gathered for one relayed body; more wait in the socket.
pub const BRIDGE_BYTES_MAX: usize = 16 * 1024;
