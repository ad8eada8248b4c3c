//! The documents, field by field: how ids become keys, and how what is stored is read back.
//!
//! The hot path builds and reads raw documents, so that a message is copied once and nothing is looked up by name twice.
//! Field names are short because MongoDB stores them in every document.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, RawBinaryRef, Timestamp, deserialize_from_slice, serialize_to_raw_document_buf};
use sha2::{Digest, Sha256};

use super::groups::read_group;
use super::outcome::Malformed;
use crate::model::{
    Activity, Assignment, ClientKey, Conversation, ConversationId, Event, Kind, Message, MessageId, Preview, Seq,
    StoreTime, Summary, TalkState, Timestamp as WallTime, UserId,
};
use crate::store::{Attempt, Tail};

/// Bytes of a message's key: its conversation, then its place, so that key order is the order of reading.
const PLACE_BYTES: usize = 24;

/// The key of the message at a place.
pub(super) fn place(conversation: ConversationId, seq: Seq) -> [u8; PLACE_BYTES] {
    let mut key = [0; PLACE_BYTES];
    key[..16].copy_from_slice(conversation.as_bytes());
    key[16..].copy_from_slice(&seq.0.to_be_bytes());
    key
}

/// What makes a retry recognisable within its conversation: 128 bits of a digest stand for sender and client key, which
/// may be 64 bytes each. Two that are equal by chance would take 2^64 messages in one conversation.
pub(super) fn key_digest(sender: &UserId, key: &ClientKey) -> [u8; 16] {
    let digest = Sha256::new().chain_update(sender.as_str()).chain_update(b"\0").chain_update(key.as_str()).finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// Bytes as BSON, for filters.
pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

fn raw_binary(bytes: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef { subtype: BinarySubtype::Generic, bytes }
}

/// The document of an attempt:
/// `_id` conversation and place; `c` conversation, again by itself because a sharded collection needs it as its key;
/// `u` digest of sender and client key, unique with `c`; `i` message id; `s` sender; `k` client key; `a` accepted at;
/// `t` text; `ts` when the store took it: if not given, empty, which the server replaces by its own time when it inserts
/// the document; `v` what changed with it, if it says that.
pub(super) fn message_document(attempt: &Attempt, taken: Option<StoreTime>) -> RawDocumentBuf {
    let message = &attempt.message;
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), raw_binary(&place(message.conversation, attempt.seq)));
    document.append(cstr!("c"), raw_binary(message.conversation.as_bytes()));
    document.append(cstr!("u"), raw_binary(&key_digest(&message.sender, &message.key)));
    document.append(cstr!("i"), ObjectId::from_bytes(*message.id.as_bytes()));
    document.append(cstr!("s"), message.sender.as_str());
    document.append(cstr!("k"), message.key.as_str());
    document.append(cstr!("a"), date(message.at.0));
    document.append(cstr!("t"), message.text.as_str());
    document.append(cstr!("ts"), taken.map_or(Timestamp { time: 0, increment: 0 }, timestamp));
    if let Some(event) = message.event.as_ref().and_then(|event| serialize_to_raw_document_buf(event).ok()) {
        document.append(cstr!("v"), event);
    }
    document
}

/// A time as the server writes its own, never the empty one.
fn timestamp(time: StoreTime) -> Timestamp {
    Timestamp { time: u32::try_from(time.0 / 1_000).unwrap_or(u32::MAX), increment: 1 }
}

/// A stored message.
pub(super) fn read_message(document: &RawDocument) -> Result<Message, Malformed> {
    let (conversation, seq) = read_place(document)?;
    Ok(Message {
        conversation,
        seq,
        id: MessageId::from_bytes(document.get_object_id("i")?.bytes()),
        sender: document.get_str("s")?.parse()?,
        key: document.get_str("k")?.parse()?,
        at: WallTime(millis(document.get_datetime("a")?)),
        text: document.get_str("t")?.to_owned(),
        event: read_event(document)?,
    })
}

/// What changed with a message, if it says that.
fn read_event(document: &RawDocument) -> Result<Option<Event>, Malformed> {
    match document.get("v")? {
        Some(RawBsonRef::Document(event)) => Ok(Some(deserialize_from_slice(event.as_bytes())?)),
        _ => Ok(None),
    }
}

/// A stored message's place and the time the server gave it, to the second.
pub(super) fn read_tail(document: &RawDocument) -> Result<Tail, Malformed> {
    let (_, seq) = read_place(document)?;
    let stored = StoreTime(u64::from(document.get_timestamp("ts")?.time) * 1_000);
    Ok(Tail { seq, stored })
}

/// Where a stored message is.
fn read_place(document: &RawDocument) -> Result<(ConversationId, Seq), Malformed> {
    let key = document.get_binary("_id")?.bytes;
    let split = key.split_first_chunk::<16>().and_then(|(id, seq)| Some((*id, seq.try_into().ok()?)));
    let (id, seq) = split.ok_or(Malformed::Value("a message key that is not 24 bytes long"))?;
    Ok((ConversationId::from_bytes(id), Seq(u64::from_be_bytes(seq))))
}

/// A conversation's row: `_id`, `k` kind, `m` members, `n` last place, `l` preview (`o` its order, `f` from, `a` at, `t` text, `v` what
/// changed), `at` activity; of a talk with the team, its assignment; of a group, `x` what it is besides.
pub(super) fn read_summary(document: &RawDocument) -> Result<Summary, Malformed> {
    let Activity { conversation, last_seq, activity } = read_activity(document)?;
    let last = match document.get("l")? {
        Some(RawBsonRef::Document(preview)) => Some(read_preview(preview, last_seq)?),
        _ => None,
    };
    let group = match document.get("x")? {
        Some(RawBsonRef::Document(group)) => Some(read_group(group)?),
        _ => None,
    };
    let assignment = if conversation.kind == Kind::Support { Some(read_assignment(document)?) } else { None };
    Ok(Summary { conversation, group, last_seq, last, activity, assignment })
}

/// A talk's assignment: `s` state, `g` agent, `b` who changed it, `c` when, `v` how often. Without them it never was.
pub(super) fn read_assignment(document: &RawDocument) -> Result<Assignment, Malformed> {
    if document.get("v")?.is_none() {
        return Ok(Assignment::default());
    }
    let agent = match document.get("g")? {
        Some(_) => Some(document.get_str("g")?.parse()?),
        None => None,
    };
    let change =
        u64::try_from(document.get_i64("v")?).map_err(|_| Malformed::Value("a number of changes below zero"))?;
    Ok(Assignment {
        agent,
        state: state(document.get_str("s")?)?,
        by: Some(document.get_str("b")?.parse()?),
        at: Some(WallTime(millis(document.get_datetime("c")?))),
        change,
    })
}

/// A state by its stored name.
fn state(name: &str) -> Result<TalkState, Malformed> {
    let found = TalkState::ALL.into_iter().find(|state| state_name(*state) == name);
    found.ok_or(Malformed::Value("a state of a talk that this version does not know"))
}

/// The name a state is stored under.
pub(super) const fn state_name(state: TalkState) -> &'static str {
    match state {
        TalkState::Open => "open",
        TalkState::Claimed => "claimed",
        TalkState::Closed => "closed",
    }
}

/// The same without the preview.
pub(super) fn read_activity(document: &RawDocument) -> Result<Activity, Malformed> {
    let id = read_conversation_id(document)?;
    let members = document.get_array("m")?.into_iter().map(read_user).collect::<Result<_, _>>()?;
    Ok(Activity {
        conversation: Conversation { id, kind: kind(document.get_str("k")?)?, members },
        last_seq: read_seq(document, "n")?,
        activity: StoreTime(millis(document.get_datetime("at")?)),
    })
}

fn read_conversation_id(document: &RawDocument) -> Result<ConversationId, Malformed> {
    let id = document.get_binary("_id")?.bytes.try_into();
    id.map(ConversationId::from_bytes).map_err(|_| Malformed::Value("a conversation id that is not 16 bytes long"))
}

fn read_preview(document: &RawDocument, seq: Seq) -> Result<Preview, Malformed> {
    Ok(Preview {
        seq,
        from: document.get_str("f")?.parse()?,
        at: WallTime(millis(document.get_datetime("a")?)),
        text: document.get_str("t")?.to_owned(),
        event: read_event(document)?,
    })
}

pub(super) fn read_user(member: mongodb::bson::error::Result<RawBsonRef<'_>>) -> Result<UserId, Malformed> {
    Ok(member?.as_str().ok_or(Malformed::Value("a member that is not a string"))?.parse()?)
}

/// A place that is stored as a number.
pub(super) fn read_seq(document: &RawDocument, field: &str) -> Result<Seq, Malformed> {
    let number = document.get_i64(field)?;
    u64::try_from(number).map(Seq).map_err(|_| Malformed::Value("a place below zero"))
}

/// A place as a number to store; BSON's end at 2^63.
pub(super) fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// Milliseconds as BSON; the far future stays there.
pub(super) fn date(millis: u64) -> DateTime {
    DateTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// BSON as milliseconds; what is before 1970 becomes 1970.
pub(super) fn millis(date: DateTime) -> u64 {
    u64::try_from(date.timestamp_millis()).unwrap_or_default()
}

/// A kind by its stored name.
fn kind(name: &str) -> Result<Kind, Malformed> {
    match name {
        "direct" => Ok(Kind::Direct),
        "support" => Ok(Kind::Support),
        "group" => Ok(Kind::Group),
        _ => Err(Malformed::Value("a kind of conversation that this version does not know")),
    }
}

/// The name a kind is stored under.
pub(super) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Direct => "direct",
        Kind::Support => "support",
        Kind::Group => "group",
    }
}
