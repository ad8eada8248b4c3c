//! Bounds of a message's way into the store.

use std::time::Duration;

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
