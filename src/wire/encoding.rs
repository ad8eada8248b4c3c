//! The two encodings of the native door: JSON in text frames, MessagePack (maps with named fields) in binary ones.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::limits::NESTING_DEPTH_MAX;

/// How frames of one connection are written as bytes: chosen by its subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `switchboard.v1.json`: text frames.
    Json,
    /// `switchboard.v1.msgpack`: binary frames.
    Msgpack,
}

/// The words that a frame is put into: of frames that go to many sockets, the bytes are made once in each form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The native protocol in JSON.
    Json,
    /// The native protocol in MessagePack.
    Msgpack,
    /// The Socket.IO events of the profile that this process serves.
    Profile,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Json, Self::Msgpack, Self::Profile];
}

impl From<Encoding> for Form {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Json,
            Encoding::Msgpack => Self::Msgpack,
        }
    }
}

/// Bytes that are not a frame. The text says what is wrong, to whoever sent them: it may quote them, so it is no text
/// for a log. At most [`DETAIL_BYTES_MAX`] bytes and a little.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

/// Of what a parser has to say, so much is passed on.
const DETAIL_BYTES_MAX: usize = 160;

/// What most frames fit into, so that they are written without growing on the way.
const FRAME_BYTES_ABOUT: usize = 384;

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 2] = [Self::Json, Self::Msgpack];

    /// The WebSocket subprotocol that stands for it.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "switchboard.v1.json",
            Self::Msgpack => "switchboard.v1.msgpack",
        }
    }

    /// A value as bytes.
    pub fn encode(self, value: &impl Serialize) -> Bytes {
        let mut bytes = Vec::with_capacity(FRAME_BYTES_ABOUT);
        let is_written = match self {
            Self::Json => serde_json::to_writer(&mut bytes, value).is_ok(),
            Self::Msgpack => rmp_serde::encode::write_named(&mut bytes, value).is_ok(),
        };
        debug_assert!(is_written, "every server frame has text keys and so can be encoded");
        bytes.into()
    }

    /// Bytes as a value.
    ///
    /// # Errors
    /// If they are not one, nest deeper than [`NESTING_DEPTH_MAX`] (MessagePack; JSON: 128), or go on after it.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, DecodeError> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| DecodeError(describe_json(&error))),
            Self::Msgpack => decode_msgpack(bytes),
        }
    }
}

fn describe_json(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => not_of_this_protocol("JSON", &error.to_string()),
        _ => format!("not JSON (line {}, column {})", error.line(), error.column()),
    }
}

fn not_of_this_protocol(format: &str, detail: &str) -> String {
    let cut = detail.floor_char_boundary(DETAIL_BYTES_MAX);
    format!("{format}, but not a frame of this protocol: {}", &detail[..cut])
}

fn decode_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut rest = bytes;
    let mut decoder = rmp_serde::Deserializer::new(&mut rest);
    decoder.set_max_depth(NESTING_DEPTH_MAX);
    let value = T::deserialize(&mut decoder).map_err(|error| DecodeError(describe_msgpack(&error)))?;
    if rest.is_empty() { Ok(value) } else { Err(DecodeError("bytes follow the MessagePack value".to_owned())) }
}

fn describe_msgpack(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error;
    match error {
        Error::DepthLimitExceeded => "the MessagePack value nests too deep".to_owned(),
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "the MessagePack value ends too early".to_owned(),
        Error::Syntax(detail) | Error::Uncategorized(detail) => not_of_this_protocol("MessagePack", detail),
        Error::TypeMismatch(_) | Error::LengthMismatch(_) => {
            not_of_this_protocol("MessagePack", "a field has another type")
        }
        _ => "not MessagePack".to_owned(),
    }
}
