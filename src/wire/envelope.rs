//! What travels on the bus. MessagePack with a leading version byte: a node speaks to neighbours one version apart,
//! and drops (and counts) what it does not know, since the store has everything that matters.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::seal::{SEAL_BYTES, Seal};
use crate::model::{
    Assignment, ConversationId, Cursor, Message, MessageId, StoreTime, TRACE_BYTES, TraceContext, UserId,
};

/// The version this node writes. It reads this one only; the first that changes must also read its predecessor.
pub const VERSION: u8 = 1;
/// What a message takes beside its text, with what stands behind it, if names and keys are not unusually long.
const MESSAGE_BYTES_ABOUT: usize = 256;
/// What anything else takes, mostly.
const SMALL_BYTES_ABOUT: usize = 128;
/// What the bytes of a traced envelope end with: a byte that begins nothing in MessagePack.
const TRACED: u8 = 0xc1;
/// Of what is behind a traced envelope, without a seal and with one.
const TRACED_LENGTHS: [usize; 2] = [TRACE_BYTES + 1, SEAL_BYTES + TRACE_BYTES + 1];

/// Something that happened, as one node tells the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Envelope {
    /// A message was stored.
    #[serde(rename = "m")]
    Message {
        /// The message.
        #[serde(rename = "m")]
        message: Arc<Message>,
        /// No later than this did the store take its predecessor; absent for the first, or where it is not known.
        /// It spares the receiving node a read when a session has not seen the conversation yet.
        #[serde(rename = "p")]
        predecessor: Option<StoreTime>,
        /// Whether its conversation is a group, in which not everybody may see everything. Last, and absent where it is
        /// not, so that the bytes are what they were.
        #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
        group: bool,
    },
    /// A member's cursors moved.
    #[serde(rename = "r")]
    Receipt {
        /// Which conversation.
        #[serde(rename = "c")]
        conversation: ConversationId,
        /// Whose, and where they are now.
        #[serde(rename = "u")]
        cursor: Cursor,
    },
    /// A member writes, or has stopped.
    #[serde(rename = "t")]
    Typing {
        /// Which conversation.
        #[serde(rename = "c")]
        conversation: ConversationId,
        /// Who.
        #[serde(rename = "u")]
        user: UserId,
        /// Whether they do.
        #[serde(rename = "a")]
        active: bool,
    },
    /// Something was decided about the user whose channel this is: to be read anew, so that it does not matter in which
    /// order two of these come.
    #[serde(rename = "s")]
    Standing {},
    /// Who of the team sees to a talk.
    #[serde(rename = "d")]
    Assignment {
        /// Which talk.
        #[serde(rename = "c")]
        conversation: ConversationId,
        /// Who does, now.
        #[serde(rename = "a")]
        assignment: Assignment,
    },
    /// These users came, left or changed how they appear: whoever watches them asks about them. For every node.
    #[serde(rename = "p")]
    Presence {
        /// Who.
        #[serde(rename = "u")]
        users: Vec<UserId>,
    },
    /// A node is there, or leaves. For every node.
    #[serde(rename = "n")]
    Node {
        /// Which.
        #[serde(rename = "n")]
        node: u64,
        /// What its operator calls it.
        #[serde(rename = "l")]
        label: String,
        /// Whether it leaves.
        #[serde(rename = "x")]
        leaves: bool,
    },
    /// A node asks what each node knows of a message. For every node; answered to the one that asks.
    #[serde(rename = "w")]
    Trail {
        /// Which message.
        #[serde(rename = "m")]
        message: MessageId,
        /// Which node asks.
        #[serde(rename = "n")]
        asker: u64,
        /// What the answer is to name.
        #[serde(rename = "r")]
        request: u64,
    },
}

/// What stands behind an envelope, where a node that knows nothing of it does not look: what it reads is what it always read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Postscript {
    /// A node's word that the place of the message is taken.
    pub seal: Option<Seal>,
    /// Where in a trace it is said.
    pub trace: Option<TraceContext>,
}

impl Postscript {
    fn write(&self, bytes: &mut Vec<u8>) {
        if let Some(seal) = self.seal {
            bytes.extend_from_slice(&seal.to_bytes());
        }
        if let Some(trace) = self.trace {
            bytes.extend_from_slice(&trace.to_bytes());
            bytes.push(TRACED);
        }
    }

    /// What these bytes are, if they are of a length that is known. Others are passed over.
    fn read(bytes: &[u8]) -> Self {
        let (bytes, trace) = match bytes.split_last() {
            Some((&TRACED, rest)) if TRACED_LENGTHS.contains(&bytes.len()) => {
                let (bytes, trace) = rest.split_at(rest.len() - TRACE_BYTES);
                (bytes, TraceContext::from_bytes(trace))
            }
            _ => (bytes, None),
        };
        Self { seal: Seal::from_bytes(bytes), trace }
    }
}

/// Bytes from the bus that this node cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Of another version.
    #[error("an envelope of version {0}")]
    Version(u8),
    /// Not an envelope.
    #[error("not an envelope")]
    Malformed,
}

impl Envelope {
    /// The envelope as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.encode_with(&Postscript::default())
    }

    /// The same, with what stands behind it.
    #[must_use]
    pub fn encode_with(&self, postscript: &Postscript) -> Bytes {
        let mut bytes = Vec::with_capacity(self.bytes_about());
        bytes.push(VERSION);
        let written = rmp_serde::encode::write(&mut bytes, self);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        postscript.write(&mut bytes);
        bytes.into()
    }

    /// About as many as it takes, so that a message is written without growing on the way.
    fn bytes_about(&self) -> usize {
        match self {
            Self::Message { message, .. } => MESSAGE_BYTES_ABOUT + message.text.len(),
            _ => SMALL_BYTES_ABOUT,
        }
    }

    /// Bytes as an envelope.
    ///
    /// # Errors
    /// If they are of another version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::decode_with(bytes).map(|(envelope, _)| envelope)
    }

    /// Bytes as an envelope, and what stands behind it.
    ///
    /// # Errors
    /// If they are of another version, or damaged.
    pub fn decode_with(bytes: &[u8]) -> Result<(Self, Postscript), EnvelopeError> {
        match bytes.split_first() {
            Some((&VERSION, mut rest)) => {
                let mut reader = rmp_serde::Deserializer::new(&mut rest);
                let envelope = Self::deserialize(&mut reader).map_err(|_| EnvelopeError::Malformed)?;
                Ok((envelope, Postscript::read(rest)))
            }
            Some((&version, _)) => Err(EnvelopeError::Version(version)),
            None => Err(EnvelopeError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Seq;

    /// A message as nodes wrote and read it before there were traces.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Before {
        #[serde(rename = "m")]
        Message {
            #[serde(rename = "m")]
            message: Arc<Message>,
            #[serde(rename = "p")]
            predecessor: Option<StoreTime>,
            #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
            group: bool,
        },
    }

    fn message() -> Arc<Message> {
        Arc::new(Message {
            conversation: "000102030405060708090a0b0c0d0e0f".parse().unwrap(),
            seq: Seq(7),
            id: "66f2a1b3c4d5e6f708192a3b".parse().unwrap(),
            sender: "ann".parse().unwrap(),
            key: "k".parse().unwrap(),
            at: crate::model::Timestamp(1),
            text: "hello".to_owned(),
            event: None,
        })
    }

    fn trace() -> TraceContext {
        TraceContext::new([7; 16], [9; 8]).unwrap()
    }

    fn read_before(bytes: &[u8]) -> Before {
        rmp_serde::from_slice(&bytes[1..]).unwrap()
    }

    #[test]
    fn the_bytes_of_what_is_not_traced_are_what_they_were() {
        for (group, predecessor) in [(false, None), (true, Some(StoreTime(5)))] {
            let now = Envelope::Message { message: message(), predecessor, group }.encode();
            let mut before = vec![VERSION];
            rmp_serde::encode::write(&mut before, &Before::Message { message: message(), predecessor, group }).unwrap();
            assert_eq!(now, before);
            assert_eq!(Envelope::decode_with(&before).unwrap().1, Postscript::default());
        }
    }

    fn postscripts() -> [Postscript; 4] {
        let seal = Seal::from_bytes(&[TRACED; SEAL_BYTES]);
        [(None, None), (None, Some(trace())), (seal, None), (seal, Some(trace()))]
            .map(|(seal, trace)| Postscript { seal, trace })
    }

    #[test]
    fn a_node_that_knows_nothing_of_postscripts_reads_the_message_all_the_same() {
        for group in [false, true] {
            for postscript in postscripts() {
                let bytes = Envelope::Message { message: message(), predecessor: None, group }.encode_with(&postscript);
                assert_eq!(read_before(&bytes), Before::Message { message: message(), predecessor: None, group });
            }
        }
    }

    #[test]
    fn a_postscript_is_found_behind_every_envelope_and_nowhere_else() {
        // The second ends with the byte that a traced one ends with.
        for predecessor in [None, Some(StoreTime(0xc1c1))] {
            let envelope = Envelope::Message { message: message(), predecessor, group: false };
            for postscript in postscripts() {
                let bytes = envelope.encode_with(&postscript);
                assert_eq!(Envelope::decode_with(&bytes), Ok((envelope.clone(), postscript)));
                let mut longer = bytes.to_vec();
                longer.extend_from_slice(&[TRACED; 3]);
                let read = Envelope::decode_with(&longer);
                assert_eq!(
                    read,
                    Ok((envelope.clone(), Postscript::default())),
                    "what is not understood is passed over"
                );
            }
        }
    }
}
