//! Socket.IO, version 5 of the protocol, as the messages of Engine.IO carry it. Pure: text in, packets out, and back
//! through a [`Writer`]. Arguments stay the JSON that they are, until somebody asks for one.

mod array;
mod writer;

use std::borrow::Cow;

pub use array::Arguments;
pub use writer::{Writer, connect, connect_error, disconnect};

use crate::model::limits::{ATTACHMENTS_MAX, NAMESPACE_BYTES_MAX};

/// The namespace that every client knows.
pub const MAIN: &str = "/";

/// Names that the libraries keep for themselves: a client that sends one is broken or means harm.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The largest number of which a JavaScript client is sure.
const ID_MAX: u64 = (1 << 53) - 1;

/// A packet that a client may send.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet<'a> {
    /// Where to. Begins with a slash; a query behind it is dropped.
    pub namespace: &'a str,
    /// What it is.
    pub body: Body<'a>,
    /// Binary messages that follow, at most [`ATTACHMENTS_MAX`].
    pub attachments: usize,
}

/// What a packet says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// Wants in, with a JSON object or nothing.
    Connect(Option<&'a str>),
    /// Leaves the namespace.
    Disconnect,
    /// An event.
    Event(Event<'a>),
    /// The answer to an event of ours.
    Ack {
        /// Which one.
        id: u64,
        /// With what.
        arguments: Arguments<'a>,
    },
}

/// An event from a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Its name; never one that the libraries keep for themselves.
    pub name: Cow<'a, str>,
    /// What was said, without the name.
    pub arguments: Arguments<'a>,
    /// If the client wants an answer, its number: at most 2^53 − 1.
    pub id: Option<u64>,
}

/// What is no packet, or none that a client may send now. The transport is closed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Socket.IO packet")]
pub struct BadPacket;

impl<'a> Packet<'a> {
    /// Reads one packet.
    ///
    /// # Errors
    /// If it is none, or exceeds a bound: attachments, depth, arguments, the id, the length of the namespace.
    pub fn decode(text: &'a str) -> Result<Self, BadPacket> {
        let (kind, rest) = split_char(text).ok_or(BadPacket)?;
        let (attachments, rest) = if matches!(kind, '5' | '6') { split_attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = split_namespace(rest)?;
        let (id, data) = split_id(rest)?;
        let body = match (kind, id) {
            ('0', None) => Body::Connect(decode_auth(data)?),
            ('1', None) if data.is_empty() => Body::Disconnect,
            ('2' | '5', _) => Body::Event(decode_event(id, data)?),
            ('3' | '6', Some(id)) => Body::Ack { id, arguments: Arguments::decode(data)? },
            _ => return Err(BadPacket),
        };
        Ok(Self { namespace, body, attachments })
    }

    /// The arguments of an event or an answer.
    #[must_use]
    pub fn arguments(&self) -> Option<&Arguments<'a>> {
        match &self.body {
            Body::Event(Event { arguments, .. }) | Body::Ack { arguments, .. } => Some(arguments),
            Body::Connect(_) | Body::Disconnect => None,
        }
    }
}

fn split_char(text: &str) -> Option<(char, &str)> {
    let mut rest = text.chars();
    Some((rest.next()?, rest.as_str()))
}

fn split_attachments(text: &str) -> Result<(usize, &str), BadPacket> {
    let (digits, rest) = text.split_once('-').ok_or(BadPacket)?;
    let count = number(digits).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count <= ATTACHMENTS_MAX).ok_or(BadPacket)?;
    Ok((count, rest))
}

fn split_namespace(text: &str) -> Result<(&str, &str), BadPacket> {
    if !text.starts_with('/') {
        return Ok((MAIN, text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    let namespace = namespace.split_once('?').map_or(namespace, |(path, _query)| path);
    if namespace.len() > NAMESPACE_BYTES_MAX {
        return Err(BadPacket);
    }
    Ok((namespace, rest))
}

fn split_id(text: &str) -> Result<(Option<u64>, &str), BadPacket> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let id = number(digits).filter(|id| *id <= ID_MAX).ok_or(BadPacket)?;
    Ok((Some(id), rest))
}

fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn decode_auth(data: &str) -> Result<Option<&str>, BadPacket> {
    if data.is_empty() {
        return Ok(None);
    }
    let is_object = data.starts_with('{') && array::is_json(data);
    is_object.then_some(Some(data)).ok_or(BadPacket)
}

fn decode_event(id: Option<u64>, data: &str) -> Result<Event<'_>, BadPacket> {
    let mut arguments = Arguments::decode(data)?;
    let name = arguments.take_name().ok_or(BadPacket)?;
    if RESERVED.contains(&&*name) {
        return Err(BadPacket);
    }
    Ok(Event { name, arguments, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> (String, Vec<&str>, Option<u64>) {
        let packet = Packet::decode(text).unwrap();
        let Body::Event(event) = packet.body else { panic!("{text} is no event") };
        (event.name.into_owned(), event.arguments.iter().collect(), event.id)
    }

    #[test]
    fn packets_are_read_as_the_protocol_writes_them() {
        let at = |namespace, body| Ok(Packet { namespace, body, attachments: 0 });
        assert_eq!(Packet::decode("0"), at("/", Body::Connect(None)));
        assert_eq!(Packet::decode(r#"0{"token":"1"}"#), at("/", Body::Connect(Some(r#"{"token":"1"}"#))));
        assert_eq!(Packet::decode("0/custom"), at("/custom", Body::Connect(None)));
        assert_eq!(Packet::decode("0/custom?a=b,{}"), at("/custom", Body::Connect(Some("{}"))));
        assert_eq!(Packet::decode("0/?a=b,"), at("/", Body::Connect(None)));
        assert_eq!(Packet::decode("1"), at("/", Body::Disconnect));
        assert_eq!(Packet::decode("1/custom,"), at("/custom", Body::Disconnect));
        assert_eq!(event(r#"2["m"]"#), ("m".to_owned(), vec![], None));
        assert_eq!(
            event(r#"2/a,456["m",1,"2",{"3":[true]}]"#),
            ("m".to_owned(), vec!["1", r#""2""#, r#"{"3":[true]}"#], Some(456))
        );
        assert_eq!(event(r#"2[ "m\u0061" , null ]"#), ("ma".to_owned(), vec!["null"], None));
        assert_eq!(event(r#"29007199254740991["m"]"#).2, Some(9_007_199_254_740_991));
        let ack = Packet::decode("3/a,12[]").unwrap();
        assert!(matches!(ack.body, Body::Ack { id: 12, ref arguments } if arguments.is_empty()));
        let binary = Packet::decode(r#"52-/a,7["m",{"_placeholder":true,"num":0}]"#).unwrap();
        assert_eq!((binary.attachments, binary.namespace), (2, "/a"));
        assert_eq!(Packet::decode(r#"61-3[{"_placeholder":true,"num":0}]"#).unwrap().attachments, 1);
    }
}
