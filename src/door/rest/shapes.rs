//! What answers look like. The document is made from these types, so that it cannot say anything else.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat;
use crate::model;
use crate::wire::server;

/// A message at its place.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Message {
    /// Its conversation.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    conversation: model::ConversationId,
    /// Its place there: 1, 2, 3 … without a gap.
    #[schema(value_type = u64, minimum = 1)]
    seq: model::Seq,
    /// Its id for ever.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    id: model::MessageId,
    /// Who wrote it.
    #[schema(value_type = String)]
    from: model::UserId,
    /// What its writer called it.
    #[schema(value_type = String)]
    key: model::ClientKey,
    /// When it was accepted, in milliseconds since 1970-01-01 UTC. For people to read; `seq` is the order.
    #[schema(value_type = u64)]
    at: model::Timestamp,
    /// What it says; empty where it tells of a change.
    text: String,
    /// What changed with it, in a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
}

impl From<model::Message> for Message {
    fn from(message: model::Message) -> Self {
        let model::Message { conversation, seq, id, sender, key, at, text, event } = message;
        Self { conversation, seq, id, from: sender, key, at, text, event: event.map(Event::from) }
    }
}

/// What changed with a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Event {
    /// What: `created`, `named`, `added`, `removed`, `left`, `role` or `erased`, and later perhaps others.
    kind: &'static str,
    /// Whom it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user: Option<model::UserId>,
    /// What the group is called from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What they are from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Post>,
}

impl From<model::Event> for Event {
    fn from(event: model::Event) -> Self {
        let about = |kind, user| Self { kind, user: Some(user), name: None, role: None };
        let named = |kind, name| Self { kind, user: None, name: Some(name), role: None };
        match event {
            model::Event::Created { name } => named("created", name),
            model::Event::Named { name } => named("named", name),
            model::Event::Added { user } => about("added", user),
            model::Event::Removed { user } => about("removed", user),
            model::Event::Left { user } => about("left", user),
            model::Event::Erased => Self { kind: "erased", user: None, name: None, role: None },
            model::Event::Role { user, role } => Self { role: Some(role.into()), ..about("role", user) },
        }
    }
}

/// What somebody is in a group.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Post {
    /// Decides who is in it, and what it is called.
    Owner,
    /// Takes part.
    Member,
}

impl From<model::Post> for Post {
    fn from(post: model::Post) -> Self {
        match post {
            model::Post::Owner => Self::Owner,
            model::Post::Member => Self::Member,
        }
    }
}

impl From<Post> for model::Post {
    fn from(post: Post) -> Self {
        match post {
            Post::Owner => Self::Owner,
            Post::Member => Self::Member,
        }
    }
}

/// A page of a conversation's messages.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Messages {
    /// In ascending order, without a gap.
    messages: Vec<Message>,
    /// Whether there are more on that side.
    more: bool,
}

impl From<chat::Page> for Messages {
    fn from(page: chat::Page) -> Self {
        Self { messages: page.messages.into_iter().map(Message::from).collect(), more: page.more }
    }
}

/// What sort of conversation it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Two people; its members never change.
    Direct,
    /// A person and the team, whose id is `team`. What the team says has the agent who wrote it as its sender.
    Support,
    /// Several people, who come and go.
    Group,
}

/// A member of a conversation.
#[derive(Debug, Serialize, ToSchema)]
struct Member {
    /// Who.
    #[schema(value_type = String)]
    user: model::UserId,
    /// Their display name; their id where none is known.
    name: String,
    /// `owner`, if they are one of the group's.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Post>,
    /// Read up to here.
    #[schema(value_type = u64)]
    read: model::Seq,
    /// Delivered up to here.
    #[schema(value_type = u64)]
    delivered: model::Seq,
    /// Whether they are online.
    online: bool,
    /// When they were last seen, in milliseconds since 1970; absent of those who are online, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    last_seen: Option<model::Timestamp>,
}

/// Whether somebody sees to a talk with the team.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TalkState {
    /// Nobody does yet.
    Open,
    /// One agent does.
    Claimed,
    /// It is done with, until its user writes again.
    Closed,
}

/// Who of the team sees to a talk.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Assignment {
    /// The agent; null where it is nobody's.
    #[schema(value_type = Option<String>)]
    agent: Option<model::UserId>,
    /// Whether somebody sees to it.
    state: TalkState,
    /// Who last changed that; shown to the team. `system` where an agent was away too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    by: Option<model::UserId>,
    /// When; shown to the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    at: Option<model::Timestamp>,
    /// How often that was changed: of two of one talk, the greater is true.
    change: u64,
}

impl From<server::Assigned> for Assignment {
    fn from(assigned: server::Assigned) -> Self {
        let server::Assigned { agent, state, by, at, change } = assigned;
        let state = match state {
            model::TalkState::Open => TalkState::Open,
            model::TalkState::Claimed => TalkState::Claimed,
            model::TalkState::Closed => TalkState::Closed,
        };
        Self { agent, state, by, at, change }
    }
}

impl From<model::Assignment> for Assignment {
    fn from(assignment: model::Assignment) -> Self {
        server::Assigned::of(assignment, true).into()
    }
}

/// The last message of a conversation.
#[derive(Debug, Serialize, ToSchema)]
struct Preview {
    /// Its place.
    #[schema(value_type = u64, minimum = 1)]
    seq: model::Seq,
    /// Who wrote it.
    #[schema(value_type = String)]
    from: model::UserId,
    /// When it was accepted, in milliseconds since 1970-01-01 UTC.
    #[schema(value_type = u64)]
    at: model::Timestamp,
    /// Its beginning: at most 256 bytes.
    text: String,
    /// What changed with it, in a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
}

/// A conversation, as one of its members sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Conversation {
    /// Which.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    conversation: model::ConversationId,
    /// What sort.
    kind: Kind,
    /// What a group is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether those who join a group later see what was said before.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<bool>,
    /// How many are in it.
    member_count: usize,
    /// Who is in it; in a list, at most 20 of a group.
    members: Vec<Member>,
    /// Its highest place; 0 when nothing was said yet.
    #[schema(value_type = u64)]
    last_seq: model::Seq,
    /// Its last message.
    last: Option<Preview>,
    /// Others' messages beyond your read cursor; counted up to 1,000.
    unread: u64,
    /// Who of the team sees to it, of a talk with the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment: Option<Assignment>,
}

impl From<server::Row> for Conversation {
    fn from(row: server::Row) -> Self {
        let server::Row {
            conversation,
            kind,
            name,
            history,
            member_count,
            members,
            last_seq,
            last,
            unread,
            assignment,
        } = row;
        let kind = match kind {
            model::Kind::Direct => Kind::Direct,
            model::Kind::Support => Kind::Support,
            model::Kind::Group => Kind::Group,
        };
        let member = |member: server::Member| {
            let server::Member { user, name, role, read, delivered, presence } = member;
            let model::Presence { online, last_seen } = presence;
            Member { user, name, role: role.map(Post::from), read, delivered, online, last_seen }
        };
        let preview = |last: model::Preview| {
            let model::Preview { seq, from, at, text, event } = last;
            Preview { seq, from, at, text, event: event.map(Event::from) }
        };
        let (members, last) = (members.into_iter().map(member).collect(), last.map(preview));
        let assignment = assignment.map(Assignment::from);
        Self { conversation, kind, name, history, member_count, members, last_seq, last, unread, assignment }
    }
}

/// A page of the conversation list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Conversations {
    /// Latest activity first.
    conversations: Vec<Conversation>,
    /// What to ask for the next page with, as `behind`; absent after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<chat::Listing> for Conversations {
    fn from(listing: chat::Listing) -> Self {
        Self { conversations: listing.rows.into_iter().map(Conversation::from).collect(), next: listing.next }
    }
}

/// How far one member has come. Both places only ever grow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cursor {
    /// Whose.
    #[schema(value_type = String)]
    user: model::UserId,
    /// Read up to here.
    #[schema(value_type = u64)]
    read: model::Seq,
    /// Delivered up to here.
    #[schema(value_type = u64)]
    delivered: model::Seq,
}

impl From<model::Cursor> for Cursor {
    fn from(cursor: model::Cursor) -> Self {
        let model::Cursor { user, read, delivered } = cursor;
        Self { user, read, delivered }
    }
}

/// The cursors of a conversation's members.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipts {
    /// One for each member.
    pub(super) receipts: Vec<Cursor>,
}

/// What is unread in one conversation.
#[derive(Debug, Serialize, ToSchema)]
struct UnreadConversation {
    /// Which.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    conversation: model::ConversationId,
    /// Others' messages beyond your read cursor; counted up to 1,000.
    #[schema(minimum = 1)]
    unread: u64,
}

/// What is unread in your 500 latest conversations, and in the talks with the team that you see to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Unread {
    /// In all of them.
    total: u64,
    /// In each that has any, latest activity first; talks that you see to come last.
    conversations: Vec<UnreadConversation>,
    /// Whether there are older conversations that were not counted.
    more: bool,
}

impl From<chat::Unread> for Unread {
    fn from(unread: chat::Unread) -> Self {
        let chat::Unread { total, conversations, more, .. } = unread;
        let shape = |(conversation, unread)| UnreadConversation { conversation, unread };
        Self { total, conversations: conversations.into_iter().map(shape).collect(), more }
    }
}

/// Whether somebody is online.
#[derive(Debug, Serialize, ToSchema)]
struct Presence {
    /// Who.
    #[schema(value_type = String)]
    user: model::UserId,
    /// Whether they are online.
    online: bool,
    /// When they were last seen, in milliseconds since 1970; absent of those who are online, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    last_seen: Option<model::Timestamp>,
}

/// Who is online.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Presences {
    /// Each of those who were asked about, in their order.
    users: Vec<Presence>,
}

impl From<Vec<model::Seen>> for Presences {
    fn from(seen: Vec<model::Seen>) -> Self {
        let shape = |model::Seen { user, presence: model::Presence { online, last_seen } }| Presence {
            user,
            online,
            last_seen,
        };
        Self { users: seen.into_iter().map(shape).collect() }
    }
}

/// How you appear to others.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Appearing {
    /// Whether as offline, whatever you do.
    pub(super) offline: bool,
}

/// What is known of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Profile {
    /// Who.
    #[schema(value_type = String)]
    user: model::UserId,
    /// Display name; empty when unknown.
    name: String,
    /// E-mail address; empty when unknown, and to whom it is not shown.
    email: String,
}

impl Profile {
    pub(super) fn of(user: model::UserId, profile: model::Profile) -> Self {
        Self { user, name: profile.name, email: profile.email }
    }
}

/// Somebody who was looked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    /// Who.
    #[schema(value_type = String)]
    pub(super) user: model::UserId,
    /// Display name; the id where none is known.
    pub(super) name: String,
}

/// Whether somebody is banned, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ban {
    /// Who.
    #[schema(value_type = String)]
    user: model::UserId,
    /// Whether they are.
    active: bool,
    /// Who said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    by: Option<model::UserId>,
    /// When, in milliseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    at: Option<model::Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Ban {
    pub(super) fn of(user: model::UserId, ban: Option<model::Ban>) -> Self {
        match ban {
            Some(model::Ban { by, at, reason }) => {
                Self { user, active: true, by: Some(by), at: Some(at), reason: Some(reason) }
            }
            None => Self { user, active: false, by: None, at: None, reason: None },
        }
    }
}

/// Tokens that do not count any more.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revocation {
    /// Whose.
    #[schema(value_type = String)]
    pub(super) user: model::UserId,
}

/// Whether you block somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Block {
    /// Who.
    #[schema(value_type = String)]
    pub(super) user: model::UserId,
    /// Whether you do.
    pub(super) active: bool,
}

/// Whom you block.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Blocks {
    /// All of them.
    #[schema(value_type = Vec<String>)]
    pub(super) users: Vec<model::UserId>,
}

/// How far the erasure of somebody has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Erased {
    /// Nothing of them is left; else repeat the request.
    done: bool,
    /// Messages that were emptied since the first request.
    erased: u64,
}

impl From<chat::Erased> for Erased {
    fn from(erased: chat::Erased) -> Self {
        Self { done: erased.done, erased: erased.emptied }
    }
}
