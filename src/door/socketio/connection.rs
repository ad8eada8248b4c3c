//! What a Socket.IO client may say, in the order in which it says it. No I/O: messages in, inputs out.

use bytes::Bytes;
use serde_json::Value;

use crate::wire::socketio::{Arguments, BadPacket, Body, Event, Packet};

/// One client's namespaces, and the packet of which the attachments are still to come.
///
/// Whatever it calls a [`BadPacket`] ends the transport: nothing sensible can follow.
#[derive(Debug)]
pub struct Connection {
    namespaces: &'static [&'static str],
    /// One bit for each of `namespaces`, the first 32 of them.
    joined: u32,
    attachment_bytes_max: usize,
    pending: Option<Box<Assembly>>,
    /// The last packet that came in parts, kept while it is looked at.
    whole: Option<Box<Assembly>>,
}

/// A packet and the attachments that came so far.
#[derive(Debug)]
struct Assembly {
    text: Bytes,
    missing: usize,
    parts: Vec<Bytes>,
}

/// What a client said.
#[derive(Debug, PartialEq)]
pub enum Input<'a> {
    /// It wants into a namespace. It counts as joined from now on: say [`connect`](crate::wire::socketio::connect) when
    /// it is in, or [`leave`](Connection::leave) and say [`connect_error`](crate::wire::socketio::connect_error).
    Connect {
        /// Which one.
        namespace: &'static str,
        /// A JSON object, if it sent one.
        auth: Option<&'a str>,
    },
    /// It wants into a namespace that there is not. It is to be told so, with [`INVALID_NAMESPACE`].
    Unknown(&'a str),
    /// It left a namespace.
    Disconnect(&'static str),
    /// An event.
    Event {
        /// In which namespace.
        namespace: &'static str,
        /// What it says.
        event: Event<'a>,
        /// Its binary parts. A `{"_placeholder":true,"num":n}` in the arguments stands for the n-th of them.
        attachments: &'a [Bytes],
    },
    /// The answer to an event of ours.
    Ack {
        /// In which namespace.
        namespace: &'static str,
        /// To which one.
        id: u64,
        /// What it says.
        arguments: Arguments<'a>,
        /// Its binary parts.
        attachments: &'a [Bytes],
    },
    /// Part of a packet of which more is to come.
    More,
}

/// What a client is told that wants into a namespace that there is not.
pub const INVALID_NAMESPACE: &str = r#"{"message":"Invalid namespace"}"#;

impl Connection {
    /// A client that has joined nothing yet, of a server with these namespaces (at most 32). The attachments of one packet
    /// may have so many bytes together.
    #[must_use]
    pub fn new(namespaces: &'static [&'static str], attachment_bytes_max: usize) -> Self {
        Self { namespaces, joined: 0, attachment_bytes_max, pending: None, whole: None }
    }

    /// Whether it is in this namespace.
    #[must_use]
    pub fn is_in(&self, namespace: &str) -> bool {
        self.bit(namespace).is_some_and(|bit| self.joined & bit != 0)
    }

    /// Whether it is in any namespace.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.joined != 0
    }

    /// It is put out of a namespace, or not let in.
    pub fn leave(&mut self, namespace: &str) {
        self.joined &= !self.bit(namespace).unwrap_or(0);
    }

    /// Takes a message that is text.
    ///
    /// # Errors
    /// If it is no packet, or not one that may come now.
    pub fn text<'a>(&mut self, text: &'a Bytes) -> Result<Input<'a>, BadPacket> {
        if self.pending.is_some() {
            return Err(BadPacket); // a text among the attachments
        }
        let packet = decode(text)?;
        if packet.attachments > 0 {
            self.joined_namespace(packet.namespace)?;
            self.whole = None;
            self.pending =
                Some(Box::new(Assembly { text: text.clone(), missing: packet.attachments, parts: Vec::new() }));
            return Ok(Input::More);
        }
        match packet.body {
            Body::Connect(auth) => self.connect(packet.namespace, auth),
            Body::Disconnect => {
                let namespace = self.joined_namespace(packet.namespace)?;
                self.leave(namespace);
                Ok(Input::Disconnect(namespace))
            }
            body => Ok(input(self.joined_namespace(packet.namespace)?, body, &[])),
        }
    }

    /// Takes a binary message. With the last one, the packet is whole.
    ///
    /// # Errors
    /// If no packet waits for it, or the packet becomes too long, or it refers to attachments that it does not have.
    pub fn binary(&mut self, bytes: Bytes) -> Result<Input<'_>, BadPacket> {
        let mut assembly = self.pending.take().ok_or(BadPacket)?;
        assembly.parts.push(bytes);
        let total: usize = assembly.parts.iter().map(Bytes::len).sum();
        if total > self.attachment_bytes_max {
            return Err(BadPacket);
        }
        assembly.missing -= 1;
        if assembly.missing > 0 {
            self.pending = Some(assembly);
            return Ok(Input::More);
        }
        let whole = self.whole.insert(assembly);
        let packet = decode(&whole.text)?;
        let namespace = find(self.namespaces, packet.namespace).ok_or(BadPacket)?;
        if !packet.arguments().is_some_and(|arguments| refer_within(arguments, whole.parts.len())) {
            return Err(BadPacket);
        }
        Ok(input(namespace, packet.body, &whole.parts))
    }

    fn connect<'a>(&mut self, namespace: &'a str, auth: Option<&'a str>) -> Result<Input<'a>, BadPacket> {
        let Some(known) = find(self.namespaces, namespace) else { return Ok(Input::Unknown(namespace)) };
        let bit = self.bit(known).unwrap_or(0);
        if self.joined & bit != 0 {
            return Err(BadPacket); // a second time
        }
        self.joined |= bit;
        Ok(Input::Connect { namespace: known, auth })
    }
    /// The namespace, if the client is in it.
    fn joined_namespace(&self, namespace: &str) -> Result<&'static str, BadPacket> {
        find(self.namespaces, namespace).filter(|known| self.is_in(known)).ok_or(BadPacket)
    }

    fn bit(&self, namespace: &str) -> Option<u32> {
        let at = self.namespaces.iter().position(|known| *known == namespace)?;
        1_u32.checked_shl(u32::try_from(at).ok()?)
    }
}

fn find(namespaces: &'static [&'static str], namespace: &str) -> Option<&'static str> {
    namespaces.iter().copied().find(|known| *known == namespace)
}

fn decode(text: &Bytes) -> Result<Packet<'_>, BadPacket> {
    Packet::decode(std::str::from_utf8(text).map_err(|_| BadPacket)?)
}

fn input<'a>(namespace: &'static str, body: Body<'a>, attachments: &'a [Bytes]) -> Input<'a> {
    match body {
        Body::Event(event) => Input::Event { namespace, event, attachments },
        Body::Ack { id, arguments } => Input::Ack { namespace, id, arguments, attachments },
        Body::Connect(auth) => Input::Connect { namespace, auth },
        Body::Disconnect => Input::Disconnect(namespace),
    }
}

/// Whether all placeholders refer to attachments that there are.
fn refer_within(arguments: &Arguments<'_>, attachments: usize) -> bool {
    arguments
        .iter()
        .all(|argument| serde_json::from_str::<Value>(argument).is_ok_and(|value| refers_within(&value, attachments)))
}

/// The same of one value. As deep as a packet may nest, and no deeper.
fn refers_within(value: &Value, attachments: usize) -> bool {
    match value {
        Value::Array(values) => values.iter().all(|value| refers_within(value, attachments)),
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = fields.get("num").and_then(Value::as_u64);
            number.is_some_and(|number| number < attachments as u64)
        }
        Value::Object(fields) => fields.values().all(|value| refers_within(value, attachments)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACES: &[&str] = &["/", "/custom"];

    fn joined() -> Connection {
        let mut connection = Connection::new(NAMESPACES, 100);
        assert!(matches!(connection.text(&"0".into()), Ok(Input::Connect { namespace: "/", auth: None })));
        connection
    }

    #[test]
    fn namespaces_are_joined_once_and_left() {
        let mut connection = joined();
        assert_eq!(connection.text(&"0".into()), Err(BadPacket), "twice");
        assert_eq!(connection.text(&"0/random,".into()), Ok(Input::Unknown("/random")));
        assert_eq!(connection.text(&r#"2/custom,["m"]"#.into()), Err(BadPacket), "not joined");
        let custom = Bytes::from("0/custom,{}");
        assert_eq!(connection.text(&custom), Ok(Input::Connect { namespace: "/custom", auth: Some("{}") }));
        assert_eq!(connection.text(&"1".into()), Ok(Input::Disconnect("/")));
        assert_eq!(connection.text(&"1".into()), Err(BadPacket), "left already");
        assert!(connection.is_connected() && connection.is_in("/custom"));
        connection.leave("/custom");
        assert!(!connection.is_connected());
    }

    #[test]
    fn a_packet_in_parts_is_put_together() {
        let mut connection = joined();
        let head = Bytes::from(r#"52-7["m",{"a":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]"#);
        assert_eq!(connection.text(&head), Ok(Input::More));
        assert_eq!(connection.binary("one".into()), Ok(Input::More));
        let Ok(Input::Event { event, attachments, .. }) = connection.binary("two".into()) else { panic!("not whole") };
        assert_eq!((&*event.name, event.id, attachments), ("m", Some(7), &["one".into(), "two".into()][..]));
        assert_eq!(connection.binary("three".into()), Err(BadPacket), "nobody waits for it");
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let head = Bytes::from(r#"51-["m",{"_placeholder":true,"num":0}]"#);
        let mut connection = joined();
        connection.text(&head).unwrap();
        assert_eq!(connection.text(&r#"2["m"]"#.into()), Err(BadPacket), "a text in between");
        let mut connection = joined();
        connection.text(&head).unwrap();
        assert_eq!(connection.binary(vec![0; 101].into()), Err(BadPacket), "too long");
        for head in [
            r#"51-["m",{"_placeholder":true,"num":1}]"#,
            r#"51-["m",{"_placeholder":true,"num":-1}]"#,
            r#"51-["m",{"_placeholder":true,"num":"splice"}]"#,
            r#"51-["m",[{"x":{"_placeholder":true}}]]"#,
        ] {
            let mut connection = joined();
            connection.text(&head.into()).unwrap();
            assert_eq!(connection.binary(Bytes::new()), Err(BadPacket), "{head}");
        }
    }
}
