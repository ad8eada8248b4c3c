//! Bounds of the bus between nodes, and of Redis under it.

use std::time::Duration;

/// Events between the bus and delivery; beyond, events are dropped and the node is in doubt.
pub const BUS_EVENTS_MAX: usize = 16 * 1024;
/// Publications waiting for the bus; beyond, a publication waits at most [`PUBLISH_WAIT`] and is then dropped.
pub const PUBLICATIONS_MAX: usize = 16 * 1024;
/// How long anybody waits for room in the bus's queue.
pub const PUBLISH_WAIT: Duration = Duration::from_millis(50);
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
/// How often a node publishes to itself, to know that it hears.
pub const CANARY_PERIOD: Duration = Duration::from_secs(1);
/// How long nothing at all may come back of that although Redis takes it; then the node is deaf, is not ready, and makes its
/// subscription anew. With other messages still coming in, it may take [`REDIS_PONG_WAIT`].
pub const CANARY_WAIT: Duration = Duration::from_secs(3);
/// What a node remembers of what it said to itself; older ones count as lost.
pub const CANARIES_MAX: usize = 16;
/// The longest time between two attempts of a deaf node to make its subscription anew; it doubles up to here.
pub const CANARY_REBUILD_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Frames of other nodes that wait to be taken by this one; beyond, they are dropped, and sent again by who sent them.
pub const NODE_FRAMES_MAX: usize = 4 * 1024;
/// How often a node tells the others that it is there.
pub const NODE_TOLD_PERIOD: Duration = Duration::from_secs(10);
/// How long a node that says nothing is still expected to answer.
pub const NODE_SILENCE_MAX: Duration = Duration::from_secs(35);
/// Nodes that one node remembers to have heard of; beyond, nobody misses their answers.
pub const NODES_KNOWN_MAX: usize = 256;
