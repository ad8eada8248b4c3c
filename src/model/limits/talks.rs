//! Bounds of messages, conversations and groups, and of what is asked about them.

use std::time::Duration;

/// A client key; longer is refused with `invalid`.
pub const CLIENT_KEY_BYTES_MAX: usize = 64;
/// The text of a message; longer is refused with `invalid`.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
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
/// How long a membership of a group may be remembered where no message says how new it must be.
pub const MEMBERSHIP_AGE_MAX: Duration = Duration::from_secs(2);
