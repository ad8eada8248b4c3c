//! What a client says on the native door. The protocol: `docs/protocol.md`.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::model::{AsOf, ClientKey, ConversationId, Handling, InboxFilter, Post, Seq, Traceparent, UserId};

/// One frame from a client. Fields that this version does not know are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Who speaks, and where they left off.
    Hello(Hello),
    /// More cursors after `hello`, which takes a bounded number.
    Resume {
        /// The client's place in each conversation.
        cursors: BTreeMap<ConversationId, Seq>,
    },
    /// A message.
    Send(Send),
    /// Everything up to here was read; without a place, everything there is.
    Read(Mark),
    /// Everything up to here reached this device.
    Delivered(Mark),
    /// Somebody writes, or has stopped.
    Typing(Typing),
    /// A page of messages.
    History(History),
    /// A page of the conversation list.
    Conversations(Conversations),
    /// One conversation, with all its members.
    Conversation {
        /// Which.
        conversation: ConversationId,
    },
    /// A group is made, or changes.
    Group(Group),
    /// A change of who of the team sees to a talk.
    Claim(Claim),
    /// A page of the team's inbox.
    Inbox(Inbox),
    /// How far every member has come.
    Receipts {
        /// In which conversation.
        conversation: ConversationId,
    },
    /// What was not read yet.
    Unread {},
    /// Whom this session watches from now on, in place of all before.
    Watch {
        /// Who.
        users: Vec<UserId>,
    },
    /// Whether the user appears offline to others, whatever they do.
    Appear {
        /// Whether they do.
        offline: bool,
    },
    /// A newer token for the same subject.
    Refresh {
        /// The token.
        token: String,
    },
    /// Does not want to hear from somebody, or does again.
    Block(Block),
    /// Asks whom one blocks.
    Blocks {},
    /// Keeps somebody out, or lets them come again.
    Ban(Ban),
    /// Looks for somebody by their exact id or address.
    Find(Find),
    /// Asks for a `pong`.
    Ping {},
}

/// The first frame.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Hello {
    /// The token.
    pub token: String,
    /// Where the client left off, if it was here before.
    pub resume: Option<Resume>,
}

/// Where a client left off.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Resume {
    /// The newest `as_of` it was sent.
    pub as_of: AsOf,
    /// Its place in conversations it knows; those it does not name are owed from the margin before `as_of`.
    #[serde(default)]
    pub cursors: BTreeMap<ConversationId, Seq>,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Send {
    /// To this person …
    pub to: Option<UserId>,
    /// … or into this conversation. Exactly one of the two.
    pub conversation: Option<ConversationId>,
    /// An agent writes to a person for the team: into that person's conversation with it.
    #[serde(default)]
    pub for_team: bool,
    /// What the client calls the message; a retry uses the same.
    pub key: ClientKey,
    /// What it says.
    pub text: String,
    /// The highest place that the writer saw: the message is stored right after it, or not at all.
    pub head: Option<Seq>,
    /// The trace that the message belongs to. What is none is passed over: nobody is refused for it.
    #[serde(default, deserialize_with = "leniently")]
    pub traceparent: Option<Traceparent>,
}

fn leniently<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Traceparent>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Given::deserialize(from)? {
        Given::Text(text) => text.parse().ok(),
        Given::Other(IgnoredAny) => None,
    })
}

/// A place in a conversation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Mark {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Up to where; everything there is where it is left out.
    pub seq: Option<Seq>,
}

/// Whether somebody writes just now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Typing {
    /// To this person …
    pub to: Option<UserId>,
    /// … or into this conversation. Exactly one of the two.
    pub conversation: Option<ConversationId>,
    /// As in [`Send`].
    #[serde(default)]
    pub for_team: bool,
    /// Whether they do.
    pub active: bool,
}

/// A page of messages: before a place (the newest without one), or after one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct History {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The messages before this place.
    pub before: Option<Seq>,
    /// The messages after this place.
    pub after: Option<Seq>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// A change of a group: each is a message of it, whose place the answer says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Group {
    /// What the client calls the message; a retry uses the same.
    pub key: ClientKey,
    /// What is to be done.
    #[serde(flatten)]
    pub action: Action,
}

/// What is to be done with a group.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Make one.
    Create {
        /// What it is called.
        name: String,
        /// Who is in it besides its maker.
        #[serde(default)]
        members: Vec<UserId>,
        /// Whether those who join later see what was said before.
        #[serde(default)]
        history: bool,
    },
    /// Call it something else.
    Name {
        /// Which.
        conversation: ConversationId,
        /// What.
        name: String,
    },
    /// Let somebody in.
    Add {
        /// Where.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
    },
    /// Put somebody out.
    Remove {
        /// From where.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
    },
    /// Go.
    Leave {
        /// From where.
        conversation: ConversationId,
    },
    /// Let somebody be something else in it.
    Role {
        /// Where.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
        /// What.
        role: Post,
    },
}

/// A page of the conversation list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Conversations {
    /// What the page before ended with.
    pub behind: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Whether somebody is blocked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Block {
    /// Who.
    pub user: UserId,
    /// Whether they are.
    pub active: bool,
}

/// Whether somebody is banned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Ban {
    /// Who.
    pub user: UserId,
    /// Whether they are.
    pub active: bool,
    /// Why, for other agents to read.
    pub reason: Option<String>,
}

/// Who is looked for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Find {
    /// Somebody of this id …
    pub user: Option<UserId>,
    /// … or of this e-mail address. Exactly one of the two.
    pub email: Option<String>,
}

/// What an agent wants to become of a talk.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claim {
    /// Which talk.
    pub conversation: ConversationId,
    /// What is to be done.
    pub action: Handling,
    /// Whom to pass it to.
    pub to: Option<UserId>,
    /// Who is thought to see to it now.
    pub from: Option<UserId>,
}

/// A page of the team's inbox.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Inbox {
    /// Which talks.
    #[serde(default)]
    pub filter: InboxFilter,
    /// What the page before ended with.
    pub behind: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}
