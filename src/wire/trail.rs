//! What nodes ask each other of a message, and answer: MessagePack behind a byte that says the version. It travels on the
//! channels of nodes beside [relayed requests](super::relay), which begin with another byte.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::limits::TRAIL_ANSWER_BYTES_MAX;
use crate::model::{ConversationId, Seq, Timestamp, UserId};

const VERSION: u8 = 2;

/// What one node knows of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request that this answers.
    pub request: u64,
    /// Whose answer it is.
    pub node: u64,
    /// What that node knows; nothing where it has forgotten the message, or never heard of it.
    pub known: Option<Known>,
}

/// What a node remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Which message it is.
    pub about: About,
    /// How it was stored and announced, if that was here.
    pub sending: Option<Sending>,
    /// How it came over the bus and went on, if it did.
    pub taking: Option<Taking>,
}

/// Where a message is, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// In which conversation.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
    /// Who wrote it.
    pub sender: UserId,
    /// When it was accepted.
    pub accepted: Timestamp,
}

/// What happened on the node of its sender, by that node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// The store had confirmed it.
    pub committed: Timestamp,
    /// It was handed to the bus for every member.
    pub published: Timestamp,
}

/// What happened on a node of its receivers, by that node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taking {
    /// It came, from the bus or from the store.
    pub received: Timestamp,
    /// Whether the bus had lost it, so that it was read from the store.
    pub repaired: bool,
    /// To how many sockets it was written.
    pub sockets: u32,
    /// When to the first and when to the last of them.
    pub written: Option<(Timestamp, Timestamp)>,
}

/// Bytes that are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an answer about a message")]
pub struct NotAnswer;

impl Answer {
    /// Whether these bytes are for [`decode`](Self::decode), and not for others on the same channel.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.first() == Some(&VERSION)
    }

    /// The answer as bytes; `None` if it cannot be written, which no answer of ours does.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let mut bytes = vec![VERSION];
        rmp_serde::encode::write(&mut bytes, self).ok()?;
        Some(bytes.into())
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// If it is none, of another version, or too long.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAnswer> {
        match bytes {
            [VERSION, answer @ ..] if answer.len() <= TRAIL_ANSWER_BYTES_MAX => {
                rmp_serde::from_slice(answer).map_err(|_| NotAnswer)
            }
            _ => Err(NotAnswer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> [Answer; 2] {
        let sender: UserId = "a".repeat(64).parse().unwrap();
        let accepted = Timestamp(u64::MAX);
        let about =
            About { conversation: ConversationId::from_bytes([0xff; 16]), seq: Seq(u64::MAX), sender, accepted };
        let sending = Some(Sending { committed: accepted, published: accepted });
        let written = Some((accepted, accepted));
        let taking = Some(Taking { received: accepted, repaired: true, sockets: u32::MAX, written });
        let known = Some(Known { about, sending, taking });
        [Answer { request: u64::MAX, node: u64::MAX, known }, Answer { request: 1, node: 2, known: None }]
    }

    #[test]
    fn answers_survive_their_bytes_and_other_bytes_are_none() {
        for answer in answers() {
            let bytes = answer.encode().unwrap();
            assert!(Answer::is_meant(&bytes));
            assert_eq!(Answer::decode(&bytes), Ok(answer.clone()));
            for end in 0..bytes.len() {
                assert_eq!(Answer::decode(&bytes[..end]), Err(NotAnswer), "{answer:?} cut at {end}");
            }
        }
        assert_eq!(Answer::decode(&[VERSION; 1_000]), Err(NotAnswer));
    }

    #[test]
    fn neither_is_taken_for_a_relayed_request() {
        use crate::wire::relay;
        let answer = answers()[0].encode().unwrap();
        assert!(relay::Frame::decode(&answer, 10_000).is_err());
        let relayed = relay::Frame::Reply { id: 1, reply: relay::Reply::Held }.encode().unwrap();
        assert!(!Answer::is_meant(&relayed));
    }
}
