//! Packets to clients. Each is written as the Engine.IO message that carries it, into one buffer, so that the same bytes
//! go to every socket.

use bytes::Bytes;
use serde::Serialize;

use super::MAIN;

/// An event or an answer that is being written.
#[derive(Debug)]
pub struct Writer {
    packet: Vec<u8>,
    is_first: bool,
}

impl Writer {
    /// An event. `id` asks the client for an answer; `attachments` binary messages will follow.
    #[must_use]
    pub fn event(namespace: &str, name: &str, id: Option<u64>, attachments: usize) -> Self {
        let mut writer = Self::begin([b'2', b'5'], namespace, id, attachments);
        writer.raw(&serde_json::Value::from(name).to_string());
        writer
    }

    /// The answer to a client's event.
    #[must_use]
    pub fn ack(namespace: &str, id: u64, attachments: usize) -> Self {
        Self::begin([b'3', b'6'], namespace, Some(id), attachments)
    }

    fn begin([plain, binary]: [u8; 2], namespace: &str, id: Option<u64>, attachments: usize) -> Self {
        let mut packet = Vec::with_capacity(256);
        packet.extend([b'4', if attachments == 0 { plain } else { binary }]);
        if attachments > 0 {
            packet.extend(format!("{attachments}-").as_bytes());
        }
        push_namespace(&mut packet, namespace);
        packet.extend(id.map(|id| id.to_string()).unwrap_or_default().as_bytes());
        packet.push(b'[');
        Self { packet, is_first: true }
    }

    /// Adds an argument.
    ///
    /// # Errors
    /// If it cannot be written as JSON (a map whose keys are no strings); then nothing was added.
    pub fn argument<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), serde_json::Error> {
        let (before, was_first) = (self.packet.len(), self.is_first);
        self.separate();
        serde_json::to_writer(&mut self.packet, argument).inspect_err(|_| {
            self.packet.truncate(before);
            self.is_first = was_first;
        })
    }

    /// Adds an argument that is JSON already.
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.packet.extend(json.as_bytes());
    }

    /// The packet: UTF-8, an Engine.IO message.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        self.packet.push(b']');
        self.packet.into()
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.packet.push(b',');
        }
    }
}

/// The client is in: `data` is a JSON object with at least its `sid`.
#[must_use]
pub fn connect(namespace: &str, data: &str) -> Bytes {
    whole(b'0', namespace, data)
}

/// The client may not connect to this namespace: `data` is a JSON object with a `message`.
#[must_use]
pub fn connect_error(namespace: &str, data: &str) -> Bytes {
    whole(b'4', namespace, data)
}

/// The client is put out, and does not come back by itself.
#[must_use]
pub fn disconnect(namespace: &str) -> Bytes {
    whole(b'1', namespace, "")
}

fn whole(kind: u8, namespace: &str, data: &str) -> Bytes {
    let mut packet = vec![b'4', kind];
    push_namespace(&mut packet, namespace);
    packet.extend(data.as_bytes());
    packet.into()
}

fn push_namespace(packet: &mut Vec<u8>, namespace: &str) {
    if namespace != MAIN {
        packet.extend(namespace.as_bytes());
        packet.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_written_as_clients_read_them() {
        let mut event = Writer::event("/", "a\"b", None, 0);
        event.argument(&1).unwrap();
        event.raw(r#"{"x":[2]}"#);
        assert_eq!(event.finish(), r#"42["a\"b",1,{"x":[2]}]"#);
        assert_eq!(Writer::event("/custom", "e", Some(7), 2).finish(), r#"452-/custom,7["e"]"#);
        assert_eq!(Writer::ack("/", 456, 0).finish(), "43456[]");
        let mut ack = Writer::ack("/custom", 0, 1);
        let keys_are_no_strings = std::collections::BTreeMap::from([(vec![1], 1)]);
        assert!(ack.argument(&keys_are_no_strings).is_err());
        ack.argument("x").unwrap();
        assert_eq!(ack.finish(), r#"461-/custom,0["x"]"#);
        assert_eq!(connect("/", r#"{"sid":"x"}"#), r#"40{"sid":"x"}"#);
        assert_eq!(
            connect_error("/random", r#"{"message":"Invalid namespace"}"#),
            r#"44/random,{"message":"Invalid namespace"}"#
        );
        assert_eq!(disconnect("/custom"), "41/custom,");
    }
}
