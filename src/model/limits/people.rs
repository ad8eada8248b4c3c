//! Bounds of what is known of people, and of what they may do.

use std::time::Duration;

/// A user id; longer is refused with `invalid`.
pub const USER_ID_BYTES_MAX: usize = 64;
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
/// Users whose rate of requests one node remembers at the least, and half of what it remembers at the most; who was
/// not seen while so many others were starts again with a full bucket.
pub const PACED_USERS: usize = 10_000;
/// Users in one question about activity.
pub const USERS_PER_QUESTION_MAX: usize = 500;
