//! Bounds of traces, and of where a message is.

use std::time::Duration;

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
