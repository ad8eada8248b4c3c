//! What a server says on the native door. The protocol: `docs/protocol.md`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::model::{
    self, AsOf, Assignment, ClientKey, Code, ConversationId, Cursor, Kind, Message, Policy, Post, Presence, Preview,
    Refusal, Role, Seen, Seq, TalkState, Timestamp, UserId,
};

/// One frame to a client.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The answer to `hello`: from here on everything new arrives.
    Welcome {
        /// Who the client is.
        user: UserId,
        /// What the client may be.
        role: Role,
        /// Up to when the client knows everything once it has what follows.
        as_of: AsOf,
        /// When the connection ends unless the token is refreshed.
        expires: Timestamp,
        /// What users may do with each other here.
        policy: Policy,
    },
    /// The answer to `resume`.
    Resumed {
        /// How many conversations are continued from the client's cursors.
        continued: usize,
    },
    /// The answer to `send`: stored for good, at this place.
    Sent(Sent),
    /// A message, in order, once.
    Message(Arc<Message>),
    /// A member's cursors; also the answer to `read` and `delivered`.
    Receipt {
        /// Which conversation.
        conversation: ConversationId,
        /// Whose cursors, and where they are.
        #[serde(flatten)]
        cursor: Cursor,
    },
    /// Another member writes, or has stopped.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// Whether they do.
        active: bool,
        /// How long this holds at most, unless it is said again.
        expires_ms: u64,
    },
    /// Who of those the session watches is online: the answer to `watch`, and what has changed since.
    Presence {
        /// Each of them, and what there is to see.
        users: Vec<Seen>,
    },
    /// The answer to `appear`.
    Appeared {
        /// Whether the user appears offline to others now.
        offline: bool,
    },
    /// The answer to `history`.
    History {
        /// Which conversation.
        conversation: ConversationId,
        /// In ascending order, without a hole.
        messages: Vec<Message>,
        /// Whether there are more on that side.
        more: bool,
    },
    /// The answer to `conversations`.
    Conversations {
        /// Latest activity first.
        conversations: Vec<Row>,
        /// What to ask for the next page with; absent after the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// The answer to `conversation`.
    Conversation(Box<Row>),
    /// The answer to `claim`, and what agents and the talk's user are told of it.
    Assignment {
        /// Which talk.
        conversation: ConversationId,
        /// Who sees to it.
        #[serde(flatten)]
        assignment: Assigned,
    },
    /// The answer to `inbox`.
    Inbox {
        /// Latest activity first.
        conversations: Vec<Row>,
        /// What to ask for the next page with; absent after the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// The answer to `receipts`.
    Receipts {
        /// Which conversation.
        conversation: ConversationId,
        /// One for each member.
        cursors: Vec<Cursor>,
    },
    /// The answer to `unread`.
    Unread {
        /// In all conversations that were looked at.
        total: u64,
        /// Whether there are older ones that were not.
        more: bool,
        /// In each that has any.
        conversations: BTreeMap<ConversationId, u64>,
    },
    /// The answer to `refresh`.
    Refreshed {
        /// When the connection ends now.
        expires: Timestamp,
    },
    /// The answer to `block`.
    Blocked {
        /// Who.
        user: UserId,
        /// Whether they are blocked now.
        active: bool,
    },
    /// The answer to `blocks`.
    Blocks {
        /// Whom the client's user blocks.
        users: Vec<UserId>,
    },
    /// The answer to `ban`.
    Banned {
        /// Who.
        user: UserId,
        /// Whether they are banned now.
        active: bool,
    },
    /// The answer to `find`.
    Person {
        /// Who.
        user: UserId,
        /// Their display name; their id where none is known.
        name: String,
    },
    /// A request that was not done.
    Error(Fault),
    /// Please connect again, elsewhere, after a wait.
    Reconnect {
        /// The wait.
        after_ms: u64,
    },
    /// The answer to `ping`.
    Pong {
        /// Up to when the client knows everything.
        as_of: AsOf,
    },
}

/// A message of the client's own, as its answer shows it: its place and its names, without the text that the client
/// knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The message at its place.
    pub message: Arc<Message>,
    /// Whether this answer shows the message on this connection, in its turn. If not, it was shown before, as a
    /// `message` or by an earlier answer.
    pub shown: bool,
}

impl Serialize for Sent {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Message { conversation, seq, id, at, key, .. } = &*self.message;
        let mut fields = to.serialize_struct("Sent", 6)?;
        fields.serialize_field("key", key)?;
        fields.serialize_field("conversation", conversation)?;
        fields.serialize_field("seq", seq)?;
        fields.serialize_field("id", id)?;
        fields.serialize_field("at", at)?;
        fields.serialize_field("shown", &self.shown)?;
        fields.end()
    }
}

/// One row of a conversation list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which conversation.
    pub conversation: ConversationId,
    /// What sort.
    pub kind: Kind,
    /// What a group is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether those who join a group later see what was said before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
    /// How many are in it.
    pub member_count: usize,
    /// Who is in it; of a group, a list shows only some.
    pub members: Vec<Member>,
    /// Its highest place.
    pub last_seq: Seq,
    /// Its last message.
    pub last: Option<Preview>,
    /// Others' messages beyond the user's read cursor.
    pub unread: u64,
    /// Who of the team sees to it, of a conversation with the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assigned>,
}

/// Who of the team sees to a talk, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assigned {
    /// The agent, if it is somebody's.
    pub agent: Option<UserId>,
    /// Whether somebody sees to it.
    pub state: TalkState,
    /// Who last changed that: shown to the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// When: shown to the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How often that was changed: of two of one talk, the greater is true.
    pub change: u64,
}

impl Assigned {
    /// As the team sees it, or its user.
    #[must_use]
    pub fn of(assignment: Assignment, to_team: bool) -> Self {
        let Assignment { agent, state, by, at, change } = assignment;
        Self { agent, state, by: by.filter(|_| to_team), at: at.filter(|_| to_team), change }
    }
}

/// A member, as a list shows them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Their display name; their id where none is known.
    pub name: String,
    /// What they are in a group, if they are more than a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Post>,
    /// Read up to here.
    pub read: Seq,
    /// Delivered up to here.
    pub delivered: Seq,
    /// Whether they are online, and when they were last seen.
    #[serde(flatten)]
    pub presence: Presence,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// What a program goes by.
    pub code: Code,
    /// What a person reads.
    pub message: String,
    /// The key of the send that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<ClientKey>,
    /// The conversation that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// When the same request may succeed, if it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What is true instead, where somebody was faster.
    #[serde(flatten)]
    pub truth: Option<Truth>,
}

/// What is true instead of what a refused request took to be true.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Truth {
    /// A conversation went on.
    Messages {
        /// What came after the place that the writer knew: in ascending order, without a hole.
        messages: Vec<Message>,
        /// Whether there is more after that.
        more: bool,
    },
    /// A talk is another's, or in another state.
    Assignment {
        /// Who sees to it.
        assignment: Assigned,
    },
}

impl From<model::Truth> for Truth {
    fn from(truth: model::Truth) -> Self {
        match truth {
            model::Truth::Messages { messages, more } => Self::Messages { messages, more },
            model::Truth::Assignment(assignment) => Self::Assignment { assignment: Assigned::of(assignment, true) },
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code,
            message: refusal.message,
            key: None,
            conversation: None,
            retry_after_ms: refusal.retry_after.map(whole_millis),
            truth: refusal.truth.map(|truth| (*truth).into()),
        }
    }
}

/// Rounded up: who comes back after a wait that was rounded down comes too early, again and again.
fn whole_millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
