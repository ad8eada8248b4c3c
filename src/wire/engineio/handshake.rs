//! What opens a session: its id, and what the client must know.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::{Chance, NodeId};

/// The id of a session: the node that holds it, then 128 random bits that nobody guesses. 48 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid {
    /// Whose session it is.
    pub node: NodeId,
    secret: u128,
}

/// How long a session id is as text, in bytes.
const SID_BYTES: usize = 48;

impl Sid {
    /// A new id.
    #[must_use]
    pub fn new(node: NodeId, chance: &dyn Chance) -> Self {
        Self { node, secret: u128::from(chance.bits()) << 64 | u128::from(chance.bits()) }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", self.node, self.secret)
    }
}

/// A session id is a secret: whoever knows it reads the session. Logs see its node only.
impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({}…)", self.node)
    }
}

/// Text that is no session id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct NotSid;

impl FromStr for Sid {
    type Err = NotSid;

    fn from_str(text: &str) -> Result<Self, NotSid> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != SID_BYTES || !text.bytes().all(is_digit) {
            return Err(NotSid);
        }
        let (node, secret) = text.split_at(16);
        let node = u64::from_str_radix(node, 16).map_err(|_| NotSid)?;
        let secret = u128::from_str_radix(secret, 16).map_err(|_| NotSid)?;
        Ok(Self { node: NodeId(node), secret })
    }
}

/// The first packet of a session.
#[derive(Debug, Clone, Copy)]
pub struct Handshake {
    /// The session.
    pub sid: Sid,
    /// Whether the client may change to WebSocket.
    pub may_upgrade: bool,
    /// How often the server pings; sent in whole milliseconds.
    pub ping_interval: Duration,
    /// How long the client has to answer; sent in whole milliseconds.
    pub ping_timeout: Duration,
    /// Bytes of one message or payload from the client.
    pub max_payload: usize,
}

impl Handshake {
    /// The packet.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { sid, may_upgrade, ping_interval, ping_timeout, max_payload } = self;
        let upgrades = if *may_upgrade { r#""websocket""# } else { "" };
        let (interval, timeout) = (ping_interval.as_millis(), ping_timeout.as_millis());
        let mut packet = String::with_capacity(160);
        let _ = write!(
            packet,
            r#"0{{"sid":"{sid}","upgrades":[{upgrades}],"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":{max_payload}}}"#
        );
        packet
    }
}

impl Serialize for Sid {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;
    impl Chance for Counting {
        fn bits(&self) -> u64 {
            0xfeed
        }
    }

    #[test]
    fn an_id_survives_its_text_and_names_its_node() {
        let sid = Sid::new(NodeId(0xabc), &Counting);
        let text = sid.to_string();
        assert_eq!(text, "0000000000000abc000000000000feed000000000000feed");
        assert_eq!(text.parse(), Ok(sid));
        assert!(!format!("{sid:?}").contains("feed"), "a secret");
        let foreign = "0".repeat(49);
        for bad in ["", "abc", &text[1..], &foreign, &text.replace('f', "F"), &text.replace('f', "+"), &"é".repeat(24)]
        {
            assert_eq!(bad.parse::<Sid>(), Err(NotSid), "{bad}");
        }
    }

    #[test]
    fn a_handshake_is_what_clients_expect() {
        let sid = Sid::new(NodeId(1), &Counting);
        let mut handshake = Handshake {
            sid,
            may_upgrade: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_millis(200),
            max_payload: 1_000_000,
        };
        let parse =
            |packet: String| serde_json::from_str::<serde_json::Value>(packet.strip_prefix('0').unwrap()).unwrap();
        let expected = serde_json::json!({
            "sid": sid.to_string(), "upgrades": ["websocket"], "pingInterval": 25_000, "pingTimeout": 200,
            "maxPayload": 1_000_000,
        });
        assert_eq!(parse(handshake.encode()), expected);
        handshake.may_upgrade = false;
        assert_eq!(parse(handshake.encode())["upgrades"], serde_json::json!([]));
    }
}
