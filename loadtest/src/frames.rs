//! What clients say and hear, the same whatever door they use; and how the native door writes it. The protocol:
//! `docs/protocol.md`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard::model::{AsOf, ClientKey, Code, ConversationId, Seq, UserId};

/// What a client says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Ask<'a> {
    Hello {
        token: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<Resume>,
    },
    Resume {
        cursors: HashMap<ConversationId, Seq>,
    },
    Send {
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a UserId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        key: &'a ClientKey,
        text: &'a str,
    },
    Group {
        key: &'a ClientKey,
        action: &'static str,
        name: &'static str,
        members: &'a [UserId],
    },
    Watch {
        users: &'a [UserId],
    },
    History {
        conversation: ConversationId,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        limit: u64,
    },
    Ping {},
}

/// Where a client left off.
#[derive(Debug, Serialize)]
pub(crate) struct Resume {
    pub(crate) as_of: AsOf,
    pub(crate) cursors: HashMap<ConversationId, Seq>,
}

/// What a server says, as far as a load generator cares.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Answer {
    Welcome {
        #[serde(default)]
        as_of: Option<AsOf>,
    },
    Sent {
        key: ClientKey,
        conversation: ConversationId,
        seq: Seq,
    },
    Message(Heard),
    History(Page),
    Error(Fault),
    Reconnect {
        after_ms: u64,
    },
    Pong {
        as_of: AsOf,
    },
    Presence {
        users: Vec<Seen>,
    },
    #[serde(other)]
    Other,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Heard {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) from: UserId,
    pub(crate) text: String,
    /// What changed with it, if it is no message of a person.
    #[serde(default)]
    pub(crate) event: Option<Value>,
}

/// How somebody is shown to who watches them.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) user: UserId,
    pub(crate) online: bool,
}

/// A page of history.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Heard>,
    pub(crate) more: bool,
}

/// Why a request was not done.
#[derive(Debug, Deserialize)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) key: Option<ClientKey>,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) retry_after_ms: Option<u64>,
}
