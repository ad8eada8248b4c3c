//! What a server says on the native door. The protocol: `docs/protocol.md`.

use std::time::Duration;

use serde::Serialize;

use crate::model::{
    AsOf, ClientKey, Code, ConversationId, Cursor, Kind, Message, MessageId, Preview, Refusal, Seq, Timestamp, UserId,
};

/// One frame to a client.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// The answer to `hello`: from here on everything new arrives.
    Welcome {
        /// Who the client is.
        user: &'a UserId,
        /// Up to when the client knows everything once it has what follows.
        as_of: AsOf,
        /// When the connection ends unless the token is refreshed.
        expires: Timestamp,
    },
    /// The answer to `resume`.
    Resumed {
        /// How many conversations are continued from the client's cursors.
        continued: usize,
    },
    /// The answer to `send`: stored for good, at this place.
    Sent {
        /// What the client called it.
        key: &'a ClientKey,
        /// Where it is.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// Its id.
        id: MessageId,
        /// When it was accepted.
        at: Timestamp,
        /// Whether this answer shows the message on this connection, in its turn. If not, it was shown before, as a
        /// `message` or by an earlier answer.
        shown: bool,
    },
    /// A message, in order, once.
    Message(&'a Message),
    /// A member's cursors; also the answer to `read` and `delivered`.
    Receipt {
        /// Which conversation.
        conversation: ConversationId,
        /// Whose cursors, and where they are.
        #[serde(flatten)]
        cursor: &'a Cursor,
    },
    /// The answer to `history`.
    History {
        /// Which conversation.
        conversation: ConversationId,
        /// In ascending order, without a hole.
        messages: &'a [Message],
        /// Whether there are more on that side.
        more: bool,
    },
    /// The answer to `conversations`.
    Conversations {
        /// Latest activity first.
        conversations: &'a [Row],
        /// What to ask for the next page with; absent after the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// The answer to `refresh`.
    Refreshed {
        /// When the connection ends now.
        expires: Timestamp,
    },
    /// A request that was not done.
    Error(Fault<'a>),
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

/// One row of a conversation list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which conversation.
    pub conversation: ConversationId,
    /// What sort.
    pub kind: Kind,
    /// Who is in it.
    pub members: Vec<Member>,
    /// Its highest place.
    pub last_seq: Seq,
    /// Its last message.
    pub last: Option<Preview>,
    /// Others' messages beyond the user's read cursor.
    pub unread: u64,
}

/// A member, as a list shows them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Their display name; their id where none is known.
    pub name: String,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault<'a> {
    /// What a program goes by.
    pub code: Code,
    /// What a person reads.
    pub message: &'a str,
    /// The key of the send that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a ClientKey>,
    /// The conversation that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// When the same request may succeed, if it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl<'a> Fault<'a> {
    /// A refusal, as a frame's content.
    #[must_use]
    pub fn of(refusal: &'a Refusal) -> Self {
        Self {
            code: refusal.code,
            message: &refusal.message,
            key: None,
            conversation: None,
            retry_after_ms: refusal.retry_after.map(whole_millis),
        }
    }
}

/// Rounded up: who comes back after a wait that was rounded down comes too early, again and again.
fn whole_millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
