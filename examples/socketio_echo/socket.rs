//! Says back what it hears over Socket.IO.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchboard::door::engineio::{EngineSocket, Incoming, Layer, Opening, Outgoing, Run};
use switchboard::door::socketio::{Connection, INVALID_NAMESPACE, Input};
use switchboard::model::Chance;
use switchboard::wire::socketio::{Arguments, BadPacket, Writer, connect, connect_error};
use tokio::time::{Instant, timeout_at};

use crate::engine::{next, send};

const NAMESPACES: &[&str] = &["/", "/custom"];

/// The layer.
pub(crate) struct Echo {
    /// How long a client may be without any namespace at first.
    pub(crate) connect_wait: Duration,
    /// Bytes of the attachments of one packet together.
    pub(crate) attachment_bytes_max: usize,
    /// Where the ids of sockets come from.
    pub(crate) chance: Arc<dyn Chance>,
}

impl Layer for Echo {
    fn run(self: Arc<Self>, socket: EngineSocket, _opening: Opening) -> Run {
        Box::pin(async move { self.echo(socket).await })
    }
}

impl Echo {
    async fn echo(&self, mut socket: EngineSocket) {
        let mut connection = Connection::new(NAMESPACES, self.attachment_bytes_max);
        let mut deadline = Some(Instant::now() + self.connect_wait);
        loop {
            let incoming = match deadline {
                Some(deadline) => timeout_at(deadline, next(&mut socket)).await.unwrap_or(Incoming::Gone),
                None => next(&mut socket).await,
            };
            let answers = match incoming {
                Incoming::Text(text) => connection.text(&text).map(|input| self.answer(input)),
                Incoming::Binary(bytes) => connection.binary(bytes).map(|input| self.answer(input)),
                Incoming::Alive => continue,
                Incoming::Gone => return socket.close(1000, "").await,
                Incoming::Broken(fault) => return socket.close_for(fault).await,
            };
            let Ok(answers) = answers.inspect_err(|BadPacket| ()) else {
                return socket.close(1002, "bad packet").await;
            };
            if connection.is_connected() {
                deadline = None;
                socket.authenticated();
            }
            for answer in answers {
                if send(&mut socket, answer).await.is_err() {
                    return socket.close(1000, "").await;
                }
            }
        }
    }

    fn answer(&self, input: Input<'_>) -> Vec<Outgoing> {
        match input {
            Input::Connect { namespace, auth } => {
                let mut event = Writer::event(namespace, "auth", None, 0);
                event.raw(auth.unwrap_or("{}"));
                let sid = format!(r#"{{"sid":"{:016x}"}}"#, self.chance.bits());
                vec![Outgoing::Text(connect(namespace, &sid)), Outgoing::Text(event.finish())]
            }
            Input::Unknown(namespace) => vec![Outgoing::Text(connect_error(namespace, INVALID_NAMESPACE))],
            Input::Event { namespace, event, attachments } => match (&*event.name, event.id) {
                ("message", _) => say_back(
                    Writer::event(namespace, "message-back", None, attachments.len()),
                    &event.arguments,
                    attachments,
                ),
                ("message-with-ack", Some(id)) => {
                    say_back(Writer::ack(namespace, id, attachments.len()), &event.arguments, attachments)
                }
                _ => Vec::new(),
            },
            Input::Disconnect(_) | Input::Ack { .. } | Input::More => Vec::new(),
        }
    }
}

fn say_back(mut packet: Writer, arguments: &Arguments<'_>, attachments: &[Bytes]) -> Vec<Outgoing> {
    arguments.iter().for_each(|argument| packet.raw(argument));
    let attachments = attachments.iter().cloned().map(Outgoing::Binary);
    std::iter::once(Outgoing::Text(packet.finish())).chain(attachments).collect()
}
