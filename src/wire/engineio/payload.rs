//! Several packets in one HTTP body: texts with 0x1e between them, a binary message as `b` and its base64.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};

use super::{BadPacket, Packet};
use crate::model::limits::PAYLOAD_PACKETS_MAX;

const SEPARATOR: char = '\u{1e}';

/// Padding is written, and not asked for.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One packet of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// Any packet as text.
    Text(Packet<'a>),
    /// A binary message.
    Binary(Vec<u8>),
}

/// The packets of a payload, in order.
///
/// # Errors
/// If any of them is none, or there are more than [`PAYLOAD_PACKETS_MAX`].
pub fn decode(payload: &str) -> Result<Vec<Part<'_>>, BadPacket> {
    let mut parts = Vec::new();
    for text in payload.split(SEPARATOR) {
        if parts.len() == PAYLOAD_PACKETS_MAX {
            return Err(BadPacket);
        }
        parts.push(decode_part(text)?);
    }
    Ok(parts)
}

fn decode_part(text: &str) -> Result<Part<'_>, BadPacket> {
    match text.strip_prefix('b') {
        Some(base64) => LENIENT.decode(base64).map(Part::Binary).map_err(|_| BadPacket),
        None => Packet::decode(text).map(Part::Text),
    }
}

/// What a node sent to be polled: packets that are text, or binary messages. What is neither is passed over; no node sends
/// that.
pub fn split(payload: &str) -> impl Iterator<Item = Result<&str, Vec<u8>>> {
    payload.split(SEPARATOR).filter_map(|text| match text.strip_prefix('b') {
        Some(base64) => LENIENT.decode(base64).ok().map(Err),
        None => Some(Ok(text)),
    })
}

/// Adds a whole packet that is text, its type included.
pub fn push_text(payload: &mut String, packet: &str) {
    separate(payload);
    payload.push_str(packet);
}

/// Adds a binary message.
pub fn push_binary(payload: &mut String, message: &[u8]) {
    separate(payload);
    payload.push('b');
    general_purpose::STANDARD.encode_string(message, payload);
}

fn separate(payload: &mut String) {
    if !payload.is_empty() {
        payload.push(SEPARATOR);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_payload_is_its_packets() {
        let parts = decode("4hello\u{1e}bAQIDBA==\u{1e}3\u{1e}bAQ").unwrap();
        let (hello, pong) = (Part::Text(Packet::Message("hello")), Part::Text(Packet::Pong("")));
        assert_eq!(parts, [hello, Part::Binary(vec![1, 2, 3, 4]), pong, Part::Binary(vec![1])]);
    }

    #[test]
    fn one_bad_packet_spoils_the_payload() {
        for bad in
            ["", "abc", "4a\u{1e}", "\u{1e}4a", "4a\u{1e}\u{1e}4b", "4a\u{1e}7", "b*", "bA", "bAQID=BA=", "b\u{e9}"]
        {
            assert_eq!(decode(bad), Err(BadPacket), "{bad}");
        }
        let many = vec!["4"; PAYLOAD_PACKETS_MAX].join("\u{1e}");
        assert_eq!(decode(&many).unwrap().len(), PAYLOAD_PACKETS_MAX);
        assert_eq!(decode(&format!("{many}\u{1e}4")), Err(BadPacket));
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_in_packets_or_an_error(payload in any::<String>()) {
            let _ = decode(&payload);
        }

        #[test]
        fn what_is_written_is_read(messages in prop::collection::vec(any::<(bool, Vec<u8>, String)>(), 1..20)) {
            let mut payload = String::new();
            let messages: Vec<_> = messages.into_iter().map(|(binary, bytes, text)| (binary, bytes, text.replace(SEPARATOR, ""))).collect();
            for (binary, bytes, text) in &messages {
                if *binary { push_binary(&mut payload, bytes) } else { push_text(&mut payload, &format!("4{text}")) }
            }
            let expected: Vec<_> = messages.iter().map(|(binary, bytes, text)| {
                if *binary { Part::Binary(bytes.clone()) } else { Part::Text(Packet::Message(text)) }
            }).collect();
            prop_assert_eq!(decode(&payload), Ok(expected));
        }
    }
}
