//! What is kept: messages, conversations, people, what was decided about them, and who sees to what. Narrow ports, each stating what it
//! guarantees; the implementations stand beside them, and one suite of tests (`conformance`) holds all of them to it.
//!
//! Every call resolves within [`ATTEMPT_WAIT`](crate::model::limits::ATTEMPT_WAIT); a write that did not answer by then
//! has an unknown outcome. Every read sees only what can no longer be lost (MongoDB: majority), and everything that
//! was acknowledged before it began.

mod addresses;
mod appearances;
mod archive;
mod assignments;
mod clock;
pub mod embedded;
mod erasure;
mod groups;
mod memberships;
pub mod mongo;
mod record;
mod retention;
mod secret;
mod standings;
mod vault;

use std::time::Duration;

use async_trait::async_trait;

pub use addresses::Addresses;
pub use appearances::Appearances;
pub use archive::Archive;
pub use assignments::{Assignments, Talks};
pub use clock::StoreClock;
pub use erasure::{Erasure, Progress};
pub use groups::Groups;
pub use memberships::{Memberships, Talk};
pub use record::Record;
pub use retention::Retention;
pub use secret::{SecretOf, shared_secret};
pub use standings::{StandingCache, Standings};
pub use vault::{Original, Vessel};

use crate::model::{
    Activity, ClientKey, Conversation, ConversationId, Cursor, CursorKind, Generation, Message, NewMessage, Profile,
    Seq, StoreTime, Summary, UserId,
};

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time. Asking again may help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It has no room. Reads go on.
    #[error("the store is full: {0}")]
    Full(String),
    /// What it holds is damaged, or it refused to go on after a failed write. An operator must look.
    #[error("the store is broken: {0}")]
    Broken(String),
}

/// One message and the place it is tried at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The message.
    pub message: NewMessage,
    /// The place.
    pub seq: Seq,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Durable at its place.
    Stored,
    /// Not stored: another message has that place. It may lose it again, as long as it cannot be read: with MongoDB, where a
    /// primary is voted out before a majority has what it took.
    SeqTaken,
    /// Not stored: its sender already has a message of that key in that conversation.
    KeyTaken,
    /// Not stored: an earlier message of its run was not.
    Untried,
    /// Not stored, and certainly not.
    Refused(StoreError),
    /// Perhaps stored, perhaps later: read before trying anything else in that conversation.
    Unknown(StoreError),
}

/// The last message of a stretch of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its place.
    pub seq: Seq,
    /// When the store took it, by the store's clock, rounded down by less than a second. Never earlier than its
    /// predecessor's.
    pub stored: StoreTime,
}

/// Which messages of a conversation, and from which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The first ones after this place.
    After(Seq),
    /// The last ones before this place.
    Before(Seq),
}

/// The messages. The unique keys (conversation, seq) and (conversation, sender, client key) are the only sequencer
/// there is: nothing above this port may assume a place is free because it was free a moment ago.
#[async_trait]
pub trait Messages: Send + Sync + 'static {
    /// Tries to store messages of *different* conversations (at most
    /// [`BATCH_MESSAGES_MAX`](crate::model::limits::BATCH_MESSAGES_MAX)), each by itself: one that is not stored does
    /// not keep the others from being. One outcome for each, in the order given.
    async fn append_each(&self, attempts: Vec<Attempt>) -> Vec<Outcome>;

    /// Tries to store messages of *one* conversation at consecutive places (at most
    /// [`RUN_MESSAGES_MAX`](crate::model::limits::RUN_MESSAGES_MAX)), in order: after the first that is not stored,
    /// nothing is tried. One outcome for each, in the order given.
    async fn append_run(&self, attempts: Vec<Attempt>) -> Vec<Outcome>;

    /// The last message of the conversation, or the last one that the store took before a time; none if there is none.
    async fn tail(&self, conversation: ConversationId, before: Option<StoreTime>) -> Result<Option<Tail>, StoreError>;

    /// The message that `sender` once called `key`, if it was stored.
    async fn find(
        &self,
        conversation: ConversationId,
        sender: &UserId,
        key: &ClientKey,
    ) -> Result<Option<Message>, StoreError>;

    /// A page of messages in ascending order, without a hole among them (before the first one there may be nothing any
    /// more: see [`Retention`]): at most `limit`, and at most [`PAGE_MESSAGES_MAX`](crate::model::limits::PAGE_MESSAGES_MAX); it ends (for `Before`: begins) early at the
    /// message that brings its text to [`PAGE_BYTES_MAX`](crate::model::limits::PAGE_BYTES_MAX), so that it holds at
    /// least one message if there is one.
    async fn page(&self, conversation: ConversationId, span: Span, limit: usize) -> Result<Vec<Message>, StoreError>;
}

/// Where a question about activity goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// From this time on, by the store's clock, inclusive …
    pub at: StoreTime,
    /// … and, at that very time, only conversations with a greater id.
    pub after: Option<ConversationId>,
}

/// Where the next page of a conversation list starts: behind the last row of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// That row's activity.
    pub activity: StoreTime,
    /// That row's conversation.
    pub conversation: ConversationId,
}

/// The conversations and their heads. A head is derived from the messages and may lag behind them, but never leads.
#[async_trait]
pub trait Conversations: Send + Sync + 'static {
    /// Makes a conversation exist, with a head at zero. One that exists is left as it is.
    async fn open(&self, conversation: &Conversation) -> Result<(), StoreError>;

    /// The conversations of these ids (at most [`CURSORS_MAX`](crate::model::limits::CURSORS_MAX)) that exist, in any
    /// order.
    async fn get(&self, ids: &[ConversationId]) -> Result<Vec<Summary>, StoreError>;

    /// Raises the heads of conversations to these stored messages (at most
    /// [`BATCH_MESSAGES_MAX`](crate::model::limits::BATCH_MESSAGES_MAX), one a conversation) and stamps their activity
    /// with the store's clock. A head that is already there or beyond is left alone, so this may be repeated freely.
    async fn raise(&self, messages: &[Message]) -> Result<(), StoreError>;

    /// The same for messages that were stored just now, by which activity may be stamped anew also where the head is there
    /// or beyond already. That is cheaper than not to.
    async fn raise_new(&self, messages: &[Message]) -> Result<(), StoreError> {
        self.raise(messages).await
    }

    /// The same for conversations of more than [`CROWD_MEMBERS`](crate::model::limits::CROWD_MEMBERS): their activity
    /// need be stamped only once in [`CROWD_STAMP`](crate::model::limits::CROWD_STAMP), since every stamp moves the
    /// conversation in the list of each member.
    async fn raise_crowds(&self, messages: &[Message]) -> Result<(), StoreError> {
        self.raise(messages).await
    }

    /// The conversations of any of these users (at most
    /// [`USERS_PER_QUESTION_MAX`](crate::model::limits::USERS_PER_QUESTION_MAX)) with activity since then, by (activity,
    /// id) ascending, at most `limit`. Fewer than `limit` means there are no more. A group that one of them has left since
    /// then is among them, with nobody but them and with the place at which they left.
    async fn active(&self, users: &[UserId], since: Since, limit: usize) -> Result<Vec<Activity>, StoreError>;

    /// A page of one user's conversations (not of groups that they have left) in which something was said, by (activity, id) descending, at most `limit`.
    async fn list(&self, user: &UserId, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError>;

    /// Which of these others (at most [`WATCHED_USERS_MAX`](crate::model::limits::WATCHED_USERS_MAX)) are, with the user,
    /// members of some conversation in which something was said; in the order given.
    async fn acquainted(&self, user: &UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError>;
}

/// Under which name it is [agreed](People::agree) whom users of older pages see in place of the team.
pub const TEAM_ALIAS: &str = "team alias";

/// What is known of members and of people.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Moves a member's cursor up to `to`. Answers whether it moved; it never moves down.
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        to: Seq,
    ) -> Result<bool, StoreError>;

    /// The cursors of a conversation's members; a member that never moved one is absent.
    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError>;

    /// The cursors of these members (at most
    /// [`CURSORS_PER_QUESTION_MAX`](crate::model::limits::CURSORS_PER_QUESTION_MAX)), in any order; one that was never moved
    /// is absent.
    async fn cursors_of(
        &self,
        members: &[(ConversationId, UserId)],
    ) -> Result<Vec<(ConversationId, Cursor)>, StoreError>;

    /// How many messages of others lie beyond the user's read cursor and beyond the place given, for each of these
    /// conversations (at most [`PAGE_CONVERSATIONS_MAX`](crate::model::limits::PAGE_CONVERSATIONS_MAX)), in the order
    /// given; counted up to [`UNREAD_COUNT_MAX`](crate::model::limits::UNREAD_COUNT_MAX). Events do not count.
    async fn unread(&self, user: &UserId, conversations: &[(ConversationId, Seq)]) -> Result<Vec<u64>, StoreError>;

    /// The profiles of these users (at most [`PAGE_CONVERSATIONS_MAX`](crate::model::limits::PAGE_CONVERSATIONS_MAX)
    /// times two), in the order given; an unknown one is `None`.
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, StoreError>;

    /// Sets what is known of a person.
    async fn put_profile(&self, user: &UserId, profile: &Profile) -> Result<(), StoreError>;

    /// What all nodes agree on under a name (a word of ours), for ever: the first proposal that was stored. Without a
    /// proposal it is only asked for.
    async fn agree(&self, on: &'static str, proposal: Option<&str>) -> Result<Option<String>, StoreError>;
}

/// The store as a whole.
#[async_trait]
pub trait Store:
    Messages + Conversations + People + Groups + Appearances + Standings + Addresses + Erasure + Retention + Assignments
{
    /// The store's own clock, now. Fails when the store cannot be reached: this is also its health check.
    async fn now(&self) -> Result<StoreTime, StoreError>;

    /// Which history this is: made with the store, changed by a restore.
    fn generation(&self) -> Generation;

    /// How far apart shared operations of one kind should begin on one node, so that they are worth their price.
    fn pace(&self) -> Duration;

    /// Of how many messages that wait in one conversation an insert of their own is worth its price. Fewer go one by one, in
    /// inserts that conversations share.
    fn run_from(&self) -> usize;

    /// Lets go of what the store holds, when nobody uses it any more. Nothing is lost without it.
    async fn close(&self) {}
}
