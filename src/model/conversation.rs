//! Conversations and what members know of them.

use serde::{Deserialize, Serialize};

use super::{Assignment, ConversationId, Event, Group, Message, Seq, StoreTime, Timestamp, UserId};

/// What sort of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two people; its members never change.
    Direct,
    /// A person and the team; its members never change. A message from the team has the agent who wrote it as its
    /// sender, who is no member.
    Support,
    /// Several people, who come and go: see [`Group`].
    Group,
}

/// A conversation and who is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Which.
    pub id: ConversationId,
    /// What sort.
    pub kind: Kind,
    /// Its members, sorted, each once.
    pub members: Vec<UserId>,
}

impl Conversation {
    /// The direct conversation of two people (or of one with themselves).
    #[must_use]
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let mut members = vec![one.clone(), other.clone()];
        members.sort();
        members.dedup();
        Self { id: ConversationId::direct(one, other), kind: Kind::Direct, members }
    }

    /// The conversation of a person with the team.
    #[must_use]
    pub fn support(user: &UserId, team: &UserId) -> Self {
        let mut members = vec![user.clone(), team.clone()];
        members.sort();
        Self { id: ConversationId::support(user), kind: Kind::Support, members }
    }

    /// Whether `user` is a member.
    #[must_use]
    pub fn has(&self, user: &UserId) -> bool {
        self.members.binary_search(user).is_ok()
    }
}

/// The last message of a conversation, for a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Its place.
    pub seq: Seq,
    /// Who wrote it.
    pub from: UserId,
    /// When.
    pub at: Timestamp,
    /// Its beginning: at most [`PREVIEW_BYTES_MAX`](super::limits::PREVIEW_BYTES_MAX) bytes, cut between characters.
    pub text: String,
    /// What changed with it, if it says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

impl Preview {
    /// The preview of a message.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let cut = message.text.floor_char_boundary(super::limits::PREVIEW_BYTES_MAX);
        let text = message.text[..cut].to_owned();
        Self { seq: message.seq, from: message.sender.clone(), at: message.at, text, event: message.event.clone() }
    }
}

/// One row of a person's conversation list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Which conversation, and its members.
    pub conversation: Conversation,
    /// What a group is besides. Every event up to `last_seq` has taken effect in it.
    pub group: Option<Group>,
    /// The highest place taken, as the head knows it; zero when nothing was said yet.
    pub last_seq: Seq,
    /// The last message.
    pub last: Option<Preview>,
    /// When something last happened in it, by the store's clock: what the list is sorted by.
    pub activity: StoreTime,
    /// Who of the team sees to it, of a conversation with the team.
    pub assignment: Option<Assignment>,
}

/// A conversation in which something happened: what the cure for doubt asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Which conversation, and its members. Or, of a group, one who left it: then the rest says where and when.
    pub conversation: Conversation,
    /// The highest place taken, as the head knows it.
    pub last_seq: Seq,
    /// When something last happened in it, by the store's clock.
    pub activity: StoreTime,
}

/// What a cursor marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CursorKind {
    /// Everything up to here was read.
    Read,
    /// Everything up to here reached a device.
    Delivered,
}

/// How far one member has come in one conversation. Both places only ever grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Whose.
    pub user: UserId,
    /// Read up to here.
    pub read: Seq,
    /// Delivered up to here.
    pub delivered: Seq,
}

/// An e-mail address as people are found by it: without spaces around it, and its case does not matter.
#[must_use]
pub fn address(email: &str) -> String {
    email.trim().to_ascii_lowercase()
}

/// What is known of a person besides their id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Display name, at most 128 bytes; empty when unknown.
    pub name: String,
    /// E-mail address, at most 254 bytes; empty when unknown.
    pub email: String,
}

impl Profile {
    /// What is shown of somebody who was erased.
    #[must_use]
    pub fn deleted() -> Self {
        Self { name: "Deleted user".to_owned(), email: String::new() }
    }

    /// Whether it says that somebody was erased, and nothing of who they were.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        *self == Self::deleted()
    }
}
