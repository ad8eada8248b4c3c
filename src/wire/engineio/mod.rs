//! Engine.IO, version 4 of the protocol: the packets that carry Socket.IO, over WebSocket one a frame, over HTTP several
//! in a [`payload`]. Pure: text in, packets out, and back.

mod handshake;
pub mod payload;
mod query;

pub use handshake::{Handshake, Sid};
pub use query::{Query, Refused, Transport};

/// A packet that a client may send, as text. (Over WebSocket, a binary frame is a message by itself.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The client leaves.
    Close,
    /// Asks over a new transport whether it works: the data is `probe`.
    Ping(&'a str),
    /// The answer to the server's ping.
    Pong(&'a str),
    /// A message for the layer above.
    Message(&'a str),
    /// From here on, the new transport counts.
    Upgrade,
    /// Nothing.
    Noop,
}

/// What is no packet, or none that a client may send. The transport is closed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Engine.IO packet")]
pub struct BadPacket;

/// Our ping.
pub const PING: &str = "2";
/// The answer to a client's `2probe`.
pub const PONG_PROBE: &str = "3probe";
/// The end of a session.
pub const CLOSE: &str = "1";
/// What releases a waiting poll that has nothing to get.
pub const NOOP: &str = "6";
/// What a message begins with.
pub const MESSAGE: char = '4';

impl<'a> Packet<'a> {
    /// Reads one packet.
    ///
    /// # Errors
    /// If its type is unknown, or `open`, which only a server sends.
    pub fn decode(text: &'a str) -> Result<Self, BadPacket> {
        let mut rest = text.chars();
        let kind = rest.next();
        let data = rest.as_str();
        match kind {
            Some('1') => Ok(Self::Close),
            Some('2') => Ok(Self::Ping(data)),
            Some('3') => Ok(Self::Pong(data)),
            Some(MESSAGE) => Ok(Self::Message(data)),
            Some('5') => Ok(Self::Upgrade),
            Some('6') => Ok(Self::Noop),
            _ => Err(BadPacket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_told_by_its_digit() {
        for (text, packet) in [
            ("1", Packet::Close),
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping("probe")),
            ("3", Packet::Pong("")),
            ("4", Packet::Message("")),
            ("4hé", Packet::Message("hé")),
            ("44", Packet::Message("4")),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
        ] {
            assert_eq!(Packet::decode(text), Ok(packet), "{text}");
        }
        for text in ["", "0", "0{}", "7", "a", "é", "\u{1e}", " 4", "-4", "b", "bAQ==", "\0", "٤"] {
            assert_eq!(Packet::decode(text), Err(BadPacket), "{text}");
        }
    }
}
