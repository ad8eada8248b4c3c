//! How nodes carry requests to the node that holds a session: MessagePack behind a byte that says the version.
//!
//! All that Engine.IO sends over HTTP is text, so bodies and payloads are texts here.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::engineio::{Refused, Sid};
use crate::model::limits::RELAY_HEAD_BYTES_MAX;

const VERSION: u8 = 1;

/// What one node says to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Do this, once, however often it is said.
    Request {
        /// The request: random.
        id: u64,
        /// Which node wants the answer.
        from: u64,
        /// Whose request it is.
        sid: Sid,
        /// What is to be done.
        ask: Ask,
    },
    /// Whoever made this request has vanished.
    Cancel {
        /// The request.
        id: u64,
        /// Whose request it was.
        sid: Sid,
    },
    /// The node of this request drains: a poll that waits is to be answered with nothing.
    Release {
        /// The request.
        id: u64,
        /// Whose request it is.
        sid: Sid,
    },
    /// What came of a request.
    Reply {
        /// The request.
        id: u64,
        /// What came of it.
        reply: Reply,
    },
}

/// What a session is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// What there is to send, as soon as there is something.
    Poll(Via),
    /// To take in a body.
    Post(Via, String),
    /// Whether it may become a WebSocket.
    Probe,
    /// To become one: from here on, only the bridge's requests count.
    Upgrade,
}

/// On whose behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// A client that polls.
    Http,
    /// A node that holds the client's WebSocket.
    Bridge,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Nothing yet: the session lives, and works on it.
    Held,
    /// It is done; a poll got this.
    Done {
        /// What there was to send; empty for all but a poll.
        payload: String,
        /// Whether the client has shown a token that counts.
        is_authenticated: bool,
    },
    /// It is refused.
    Refused(Code),
    /// The body is longer than this client may send.
    TooLong,
}

/// A refusal by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(u8);

impl From<Refused> for Code {
    fn from(refused: Refused) -> Self {
        Self(refused as u8)
    }
}

impl From<Code> for Refused {
    fn from(Code(number): Code) -> Self {
        match number {
            0 => Self::UnknownTransport,
            1 => Self::UnknownSid,
            2 => Self::BadMethod,
            4 => Self::Forbidden,
            5 => Self::UnsupportedVersion,
            _ => Self::BadRequest,
        }
    }
}

/// Bytes that are no frame, or too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a relayed request or answer")]
pub struct NotFrame;

impl Frame {
    /// The frame as bytes; `None` if it cannot be written, which no frame of ours does.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let mut bytes = vec![VERSION];
        rmp_serde::encode::write(&mut bytes, self).ok()?;
        Some(bytes.into())
    }

    /// Reads a frame whose payload has at most `payload_max` bytes.
    ///
    /// # Errors
    /// If it is none, of another version, or too long.
    pub fn decode(bytes: &[u8], payload_max: usize) -> Result<Self, NotFrame> {
        match bytes {
            [VERSION, frame @ ..] if frame.len() <= payload_max.saturating_add(RELAY_HEAD_BYTES_MAX) => {
                rmp_serde::from_slice(frame).map_err(|_| NotFrame)
            }
            _ => Err(NotFrame),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sid() -> Sid {
        "0123456789abcdef0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn frames() -> Vec<Frame> {
        let request = |ask| Frame::Request { id: u64::MAX, from: u64::MAX, sid: sid(), ask };
        let reply = |reply| Frame::Reply { id: 1, reply };
        vec![
            request(Ask::Poll(Via::Http)),
            request(Ask::Post(Via::Bridge, "4hello\u{1e}bAQ==".to_owned())),
            request(Ask::Probe),
            request(Ask::Upgrade),
            Frame::Cancel { id: 7, sid: sid() },
            Frame::Release { id: 7, sid: sid() },
            reply(Reply::Held),
            reply(Reply::Done { payload: "2".to_owned(), is_authenticated: true }),
            reply(Reply::Refused(Refused::UnknownSid.into())),
            reply(Reply::TooLong),
        ]
    }

    #[test]
    fn frames_survive_their_bytes_and_other_bytes_are_none() {
        for frame in frames() {
            let bytes = frame.encode().unwrap();
            assert_eq!(Frame::decode(&bytes, 100), Ok(frame.clone()));
            assert!(bytes.len() <= 20 + RELAY_HEAD_BYTES_MAX);
            for end in 0..bytes.len() {
                assert_eq!(Frame::decode(&bytes[..end], 100), Err(NotFrame), "{frame:?} cut at {end}");
            }
            let mut other_version = bytes.to_vec();
            other_version[0] = 2;
            assert_eq!(Frame::decode(&other_version, 100), Err(NotFrame));
        }
        let long = Frame::Reply { id: 1, reply: Reply::Done { payload: "x".repeat(1_000), is_authenticated: false } };
        let long = long.encode().unwrap();
        assert_eq!((Frame::decode(&long, 500), Frame::decode(&long, 1_000).is_ok()), (Err(NotFrame), true));
    }

    #[test]
    fn refusals_survive_their_numbers() {
        use Refused::{BadMethod, BadRequest, Forbidden, UnknownSid, UnknownTransport, UnsupportedVersion};
        for refused in [UnknownTransport, UnknownSid, BadMethod, BadRequest, Forbidden, UnsupportedVersion] {
            assert_eq!(Refused::from(Code::from(refused)), refused);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_in_a_frame_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            bytes[0] = VERSION;
            let _ = Frame::decode(&bytes, 1_000);
        }
    }
}
