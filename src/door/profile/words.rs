//! The objects that this family of clients reads.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, Iso8601, TimePrecision};

use super::view::Parties;
use crate::model::{ClientKey, ConversationId, Message, MessageId, Profile, Seq, Timestamp, UserId};

/// A person, populated.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Person {
    #[serde(rename = "_id")]
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) email: String,
}

/// A message, populated: the family's own fields, and those that its relatives look for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageObject<'a> {
    #[serde(rename = "_id")]
    id: MessageId,
    sender: Person,
    receiver: Person,
    message: &'a str,
    created_at: String,
    updated_at: String,
    read: bool,
    #[serde(rename = "__v")]
    version: u32,
    is_read: bool,
    message_id: MessageId,
    sender_id: UserId,
    receiver_id: UserId,
    conversation_id: ConversationId,
    seq: Seq,
    client_message_id: &'a ClientKey,
    /// Who wrote it, where it is the team's.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Agent>,
}

#[derive(Debug, Serialize)]
struct Agent {
    #[serde(rename = "_id")]
    id: UserId,
    name: String,
}

/// A message of the client's own, stored.
#[derive(Debug, Serialize)]
pub(super) struct SentObject<'a> {
    #[serde(flatten)]
    pub(super) message: MessageObject<'a>,
    pub(super) id: MessageId,
    pub(super) success: bool,
    pub(super) status: &'static str,
}

impl<'a> MessageObject<'a> {
    /// The object of a message between these people. `of` tells what is known of a person.
    pub(super) fn new(message: &'a Message, parties: Parties, read: bool, of: impl Fn(&UserId) -> Profile) -> Self {
        let Parties { sender, receiver, agent } = parties;
        let agent = agent.map(|agent| Agent { name: of(&agent).name, id: agent });
        let at = iso(message.at);
        Self {
            id: message.id,
            message: &message.text,
            created_at: at.clone(),
            updated_at: at,
            read,
            version: 0,
            is_read: read,
            message_id: message.id,
            conversation_id: message.conversation,
            seq: message.seq,
            client_message_id: &message.key,
            sender: Person::new(&sender, of(&sender)),
            receiver: Person::new(&receiver, of(&receiver)),
            sender_id: sender,
            receiver_id: receiver,
            agent,
        }
    }

    /// The same, as the answer to its sender.
    pub(super) fn sent(self) -> SentObject<'a> {
        SentObject { id: self.id, success: true, status: "sent", message: self }
    }
}

impl Person {
    pub(super) fn new(id: &UserId, profile: Profile) -> Self {
        Self { id: id.clone(), name: profile.name, email: profile.email }
    }
}

const MILLISECONDS: EncodedConfig =
    Config::DEFAULT.set_time_precision(TimePrecision::Second { decimal_digits: std::num::NonZeroU8::new(3) }).encode();

/// A time as JavaScript writes it: `2026-01-31T08:15:30.123Z`.
pub(super) fn iso(at: Timestamp) -> String {
    let nanoseconds = i128::from(at.0) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Iso8601::<MILLISECONDS>).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_javascript() {
        assert_eq!(iso(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(Timestamp(1_790_000_000_123)), "2026-09-21T14:13:20.123Z");
        assert_eq!(iso(Timestamp(u64::MAX)), "1970-01-01T00:00:00.000Z", "no such year");
    }
}
