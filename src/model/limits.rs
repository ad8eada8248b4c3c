//! Every bound of the system in one place, its unit in its name. What happens at each is written beside it.

mod upkeep;

use std::time::Duration;

pub use upkeep::*;

/// A user id; longer is refused with `invalid`.
pub const USER_ID_BYTES_MAX: usize = 64;
/// A client key; longer is refused with `invalid`.
pub const CLIENT_KEY_BYTES_MAX: usize = 64;
/// The text of a message; longer is refused with `invalid`.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// How long a name is shown that may have changed.
pub const NAMES_AGE_MAX: Duration = Duration::from_secs(30);
/// Why somebody was banned; a longer reason is refused with `invalid`.
pub const BAN_REASON_BYTES_MAX: usize = 256;
/// Tokens of one user that are revoked one by one; a further one is refused with `invalid`: revoke all before a time.
pub const REVOKED_TOKENS_MAX: usize = 100;
/// People whom one user may block; a further one is refused with `invalid`.
pub const BLOCKS_MAX: usize = 1_000;
/// People who blocked somebody that a session holds; of those beyond, the store is asked when it matters.
pub const BLOCKED_BY_MAX: usize = 1_000;
/// How long the standing of somebody without a session here may be remembered.
pub const STANDING_AGE_MAX: Duration = Duration::from_secs(5);
/// Messages that one request to erase somebody looks at; then it answers that there is more.
pub const ERASE_MESSAGES_MAX: u64 = 20_000;
/// Messages that it looks at in one operation of the store.
pub const ERASE_STEP_MESSAGES: u64 = 2_000;
/// Conversations that it looks at; then it answers that there is more.
pub const ERASE_CONVERSATIONS_MAX: usize = 100;
/// People of whom a node remembers that it has met them; beyond, it forgets all and looks again.
pub const ADDRESSES_MET_MAX: usize = 50_000;
/// Users whose standing a node remembers; beyond, it forgets all and asks anew.
pub const STANDINGS_MAX: usize = 20_000;
/// Names that a node remembers; beyond, it forgets all and asks anew.
pub const NAMES_MAX: usize = 20_000;
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
/// People shown as writing on one socket; beyond, nobody else is.
pub const TYPISTS_MAX: usize = 32;
/// How long somebody is shown as writing, unless they say it again.
pub const TYPING_HOLDS: Duration = Duration::from_secs(6);
/// How often others are told again that somebody still writes; what is said in between is dropped.
pub const TYPING_REPEAT: Duration = Duration::from_secs(2);
/// The beginning of the last message that a conversation list shows; longer is cut.
pub const PREVIEW_BYTES_MAX: usize = 256;
/// The name of a group; longer is refused with `invalid`.
pub const GROUP_NAME_BYTES_MAX: usize = 128;
/// Members of one group; more are refused with `invalid`. Two nodes that each add the last one may both succeed.
pub const GROUP_MEMBERS_MAX: usize = 1_000;
/// Members of a group in a row of a list; the others are only counted.
pub const LISTED_MEMBERS_MAX: usize = 20;
/// Members of a conversation beyond which it is a crowd: its activity is stamped at most once in [`CROWD_STAMP`], and
/// receipts and writing are told to nobody else.
pub const CROWD_MEMBERS: usize = 50;
/// How often the activity of a crowd is stamped.
pub const CROWD_STAMP: Duration = Duration::from_secs(1);
/// Steps of one person in a group that are kept one by one; beyond, the older half is summed up.
pub const TERM_STEPS_MAX: usize = 32;
/// A token; longer is refused with `unauthorized` before it is looked at.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// The display name in a token; a longer one is cut between characters.
pub const NAME_BYTES_MAX: usize = 128;
/// The e-mail address in a token; a token with a longer one is refused with `unauthorized`.
pub const EMAIL_BYTES_MAX: usize = 254;
/// The id of a token (`jti`); a token with a longer one is refused with `unauthorized`.
pub const TOKEN_ID_BYTES_MAX: usize = 128;
/// How far the clocks of a token's issuer and of a node may differ; beyond, the token has expired or is not yet good.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(5);
/// A secret that signs tokens; a shorter one is refused at start.
pub const JWT_SECRET_BYTES_MIN: usize = 32;
/// Secrets that count at once, while rotating; more are refused at start.
pub const JWT_SECRETS_MAX: usize = 2;
/// The keys that an issuer publishes; a larger answer counts as a failed fetch.
pub const JWKS_BYTES_MAX: usize = 64 * 1024;
/// How long fetching them may take; then it failed. Also how long a token with an unknown key waits for it.
pub const JWKS_WAIT: Duration = Duration::from_secs(5);
/// Between two fetches that unknown keys ask for; within it, a token with an unknown key is refused at once.
pub const JWKS_REST: Duration = Duration::from_secs(30);
/// Between two fetches that nobody asks for.
pub const JWKS_REFRESH: Duration = Duration::from_secs(600);
/// Between two fetches while no key at all is known, so nobody can get in.
pub const JWKS_RETRY: Duration = Duration::from_secs(5);
/// Published keys that a token which names none is tried with; a key beyond does not count for it.
pub const JWKS_UNNAMED_KEYS_MAX: usize = 4;
/// A configuration file or a file that holds a secret; a larger one is refused at start.
pub const CONFIG_FILE_BYTES_MAX: u64 = 64 * 1024;

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
/// Within this time it is looked once what waits in all outboxes, for the metrics.
pub const OUTBOX_LOOK_PERIOD: Duration = Duration::from_secs(5);
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
/// Messages that wait in a lane until MongoDB is given them as a run, an insert of their own. An insert costs it the most by
/// itself: were two a run already, a busy node would make its load grow by being late.
pub const MONGODB_RUN_FROM: usize = 4;
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
/// The same in the refusal of a send that somebody was faster than, of which one session may be owed many: the others are
/// read as history.
pub const CONFLICT_BYTES_MAX: usize = 16 * 1024;
/// Conversations in one page of a list; a larger `limit` is cut to it.
pub const PAGE_CONVERSATIONS_MAX: usize = 50;
/// Cursors in one question for them; more are asked for with the next one.
pub const CURSORS_PER_QUESTION_MAX: usize = 1_000;
/// Conversations of one session whose receipts it is owed after some were dropped; those beyond are not made good until the
/// next receipt, or until the client asks.
pub const RECEIPTS_OWED_MAX: usize = 256;
/// Members of a conversation whose receipts are sent without being asked for, on a return or after some were dropped, and
/// whose cursors a list shows; those of larger ones are asked for.
pub const RECEIPT_MEMBERS_MAX: usize = 20;
/// How often a node looks whether agents who see to talks are away.
pub const AWAY_PERIOD: Duration = Duration::from_secs(15);
/// Talks of one agent that are freed at a time; the others are at the next look.
pub const FREED_TALKS_MAX: usize = PAGE_CONVERSATIONS_MAX;
/// Agents who see to a talk that the store tells of; the talks of others are not freed.
pub const AGENTS_MAX: usize = 1_000;
/// Conversations, the latest ones, over which a total of unread messages is counted; more are not looked at.
pub const UNREAD_CONVERSATIONS_MAX: usize = 500;
/// Unread messages counted in one conversation; beyond, the count stays here.
pub const UNREAD_COUNT_MAX: u64 = 1_000;
/// Users whose rate of requests one node remembers at the least, and half of what it remembers at the most; who was
/// not seen while so many others were starts again with a full bucket.
pub const PACED_USERS: usize = 10_000;
/// Users in one question about activity.
pub const USERS_PER_QUESTION_MAX: usize = 500;
/// Events between the bus and delivery; beyond, events are dropped and the node is in doubt.
pub const BUS_EVENTS_MAX: usize = 16 * 1024;
/// Publications waiting for the bus; beyond, a publication waits at most [`PUBLISH_WAIT`] and is then dropped.
pub const PUBLICATIONS_MAX: usize = 16 * 1024;
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

/// The text of a message of the old app; a longer one is skipped and counted. More than [`TEXT_BYTES_MAX`], because what
/// was said there was within its limits: Socket.IO lets a megabyte through.
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

/// How long a connection may take to say `hello` on the native door; then closed with 4408.
pub const HELLO_WAIT: Duration = Duration::from_secs(5);
/// How long a session waits for its turn to begin, after its token was checked; one whose turn would come later is closed
/// with 1013 at once. With [`HELLO_WAIT`] it stays within the 10 s that clients wait for a welcome.
pub const ADMISSION_WAIT: Duration = Duration::from_secs(3);
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
/// How long a send may take in all; then refused with `unavailable`.
pub const SEND_WAIT: Duration = Duration::from_secs(10);
/// How long a lane looks for the head that a writer says to have seen and that it does not see itself, as for a moment
/// after the store has changed its primary; then refused with `invalid`.
pub const UNSEEN_HEAD_WAIT: Duration = Duration::from_millis(500);
/// How long a lane that met a taken place waits to be told of the message there, before it reads where the conversation ends.
/// Whoever stored it tells as soon as it is confirmed.
pub const TOLD_WAIT: Duration = Duration::from_millis(20);
/// How long a lane outlives its last message: its knowledge of the highest place is then forgotten.
pub const LANE_IDLE: Duration = Duration::from_secs(60);
/// How far apart the shared operations of one kind begin on one node that keep a message waiting: inserts, raises of heads.
/// What comes when none began lately goes at once; otherwise what comes meanwhile goes together. Each costs the store about
/// a millisecond, however few messages are in it: a tenth of a core, at this pace.
pub const MONGODB_PACE: Duration = Duration::from_millis(10);
/// Raises of heads begin so many times as far apart: their messages are announced already, so that nobody but a sender waits for
/// them, and each costs the store as much as an insert.
pub const RAISE_PACES: u32 = 2;
/// The pace of the embedded store, to which each costs a tenth of that, and which gathers what waits by itself.
pub const EMBEDDED_PACE: Duration = Duration::from_millis(1);
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
/// How often those who came since are asked about, for the first time: each is within twice as long.
pub const NEWCOMERS_PERIOD: Duration = Duration::from_secs(2);
/// Those who came since; of more, the audit finds what they miss.
pub const NEWCOMERS_MAX: usize = 64 * 1024;
/// While the bus is away, every connected user is asked about this often.
pub const DEGRADED_PERIOD: Duration = Duration::from_secs(2);
/// How long a channel stays subscribed after the last socket of its user left.
pub const UNSUBSCRIBE_DELAY: Duration = Duration::from_secs(5);
/// How long a membership of a group may be remembered where no message says how new it must be.
pub const MEMBERSHIP_AGE_MAX: Duration = Duration::from_secs(2);

/// A client that sent nothing for this long is pinged.
pub const PING_AFTER: Duration = Duration::from_secs(12);
/// A client that shows no sign of life for this long, and has nothing unsent, is closed.
pub const SILENCE_MAX: Duration = Duration::from_secs(25);
/// A client that takes no bytes for this long, though some wait, is closed with 1013.
pub const STALL_MAX: Duration = Duration::from_secs(300);

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

/// How often each connection to Redis is pinged.
pub const REDIS_PING_PERIOD: Duration = Duration::from_millis(500);
/// How long Redis may be silent after a ping; then the connection is given up and made anew.
pub const REDIS_SILENCE_MAX: Duration = Duration::from_secs(1);
/// How long Redis may leave a ping unanswered while it sends other things; then the connection is given up.
pub const REDIS_PONG_WAIT: Duration = Duration::from_secs(10);
/// How long one command may take; then it has failed, and is not repeated.
pub const REDIS_COMMAND_WAIT: Duration = Duration::from_secs(1);
/// How long making one connection may take; then it is tried again.
pub const REDIS_OPEN_WAIT: Duration = Duration::from_secs(5);
/// The shortest time between two attempts to connect. Doubles up to [`REDIS_RETRY_MAX`].
pub const REDIS_RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest time between two attempts to connect.
pub const REDIS_RETRY_MAX: Duration = Duration::from_secs(2);
/// How often a server is asked whether it is still the master, and a cluster how its slots lie.
pub const REDIS_IDENTITY_PERIOD: Duration = Duration::from_secs(2);
/// Commands waiting for one connection; beyond, a command fails at once.
pub const REDIS_COMMANDS_MAX: usize = 10_000;
/// Messages between the reader of a Redis connection and the bus; beyond, the oldest are dropped and the node is in
/// doubt.
pub const REDIS_BACKLOG_MAX: usize = 16 * 1024;
/// How long a start waits for Redis; then the node starts without it.
pub const REDIS_START_WAIT: Duration = Duration::from_secs(2);
/// Channels in one SUBSCRIBE; the others follow in the next one.
pub const SUBSCRIBE_CHANNELS_MAX: usize = 500;
/// Within this time every subscription is made again, in case the server forgot it.
pub const RENEWAL_PERIOD: Duration = Duration::from_secs(60);
/// Publications sent to Redis at once.
pub const PUBLISH_BATCH_MAX: usize = 64;
/// Batches of publications that Redis has not answered yet; beyond, publications stay in the queue.
pub const PUBLISH_BATCHES_MAX: usize = 8;

/// The share of the memory that it may use at which a node lets nobody new in; who is there stays.
pub const MEMORY_SHARE_PERCENT: u64 = 80;
/// How often a node looks how much memory it uses.
pub const MEMORY_PERIOD: Duration = Duration::from_secs(1);
/// When who was not let in for want of memory is told to come back, at the soonest; at the latest after twice as long.
pub const MEMORY_RETRY: Duration = Duration::from_secs(5);
/// File descriptors that are not given to clients, but kept for the store, for Redis and for operators (of few, a quarter).
/// At the bound, accepting pauses until there are more, and the node is not ready.
pub const FILES_KEPT: u64 = 64;

/// How often a node publishes to itself, to know that it hears.
pub const CANARY_PERIOD: Duration = Duration::from_secs(1);
/// How long nothing at all may come back of that although Redis takes it; then the node is deaf, is not ready, and makes its
/// subscription anew. With other messages still coming in, it may take [`REDIS_PONG_WAIT`].
pub const CANARY_WAIT: Duration = Duration::from_secs(3);
/// What a node remembers of what it said to itself; older ones count as lost.
pub const CANARIES_MAX: usize = 16;
/// The longest time between two attempts of a deaf node to make its subscription anew; it doubles up to here.
pub const CANARY_REBUILD_PAUSE_MAX: Duration = Duration::from_secs(30);

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
/// Frames of other nodes that wait to be taken by this one; beyond, they are dropped, and sent again by who sent them.
pub const NODE_FRAMES_MAX: usize = 4 * 1024;

/// Traces of clients that one node follows in a second; beyond, chance decides as if they had asked for none.
pub const TRACES_ASKED_PER_SECOND_MAX: u32 = 10;
/// Members of a conversation whose copies of a traced message are traced; those of others are not.
pub const TRACED_MEMBERS_MAX: usize = 20;
/// Sockets of one member on one node whose writing of a traced message is a span; those of others are none.
pub const TRACED_DEVICES_MAX: u32 = 10;
/// Spans that wait to be sent to the collector of traces; beyond, they are dropped and counted.
pub const SPANS_WAITING_MAX: usize = 2 * 1024;
/// Spans sent to it at once; more follow in the next request.
pub const SPANS_AT_ONCE_MAX: usize = 512;
/// How long the first of them waits for company.
pub const SPANS_LINGER: Duration = Duration::from_secs(1);
/// How long the collector may take to answer; then what was sent to it counts as lost.
pub const OTLP_WAIT: Duration = Duration::from_secs(5);
/// How long a node that ends may take to send its last spans, of the time that its drain has left.
pub const TRACES_CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Messages of which one node remembers how they were sent, and as many of which it remembers how they came; beyond, it
/// forgets the oldest.
pub const TRAIL_MESSAGES_MAX: usize = 50_000;
/// How long the answer to where a message is waits for other nodes; then it says which of them did not answer.
pub const TRAIL_WAIT: Duration = Duration::from_secs(1);
/// Questions about messages that one node asks the others at once; beyond, refused with `busy`.
pub const TRAILS_AT_ONCE_MAX: usize = 64;
/// Questions of other nodes about messages that wait for an answer; beyond, they get none.
pub const TRAIL_QUESTIONS_MAX: usize = 256;
/// What a node knows of a message, as it is sent to another; longer is dropped.
pub const TRAIL_ANSWER_BYTES_MAX: usize = 512;
/// How often a node tells the others that it is there.
pub const NODE_TOLD_PERIOD: Duration = Duration::from_secs(10);
/// How long a node that says nothing is still expected to answer.
pub const NODE_SILENCE_MAX: Duration = Duration::from_secs(35);
/// Nodes that one node remembers to have heard of; beyond, nobody misses their answers.
pub const NODES_KNOWN_MAX: usize = 256;
