//! The Socket.IO door, as an unchanged page of the classic profile uses it: `docs/profiles.md`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;
use switchboard::model::{ClientKey, Code, ConversationId, Seq, UserId};
use switchboard::wire::engineio::{CLOSE, MESSAGE, PING};
use switchboard::wire::socketio::{Body, MAIN, Packet, Writer, connect};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::polling::Polling;
use super::websocket::WebSocket;
use crate::client::outgoing::{Address, Outgoing};
use crate::door::{Dialer, Target};
use crate::frames::{Answer, Fault, Heard};

/// The answer to a server's ping.
const PONG: &str = "3";

/// A connection.
pub(crate) struct SocketIo {
    carrier: Carrier,
    me: Option<Thread>,
    sends: u64,
    /// Sends that were not answered, by the number of their callback.
    under_way: HashMap<u64, (ConversationId, ClientKey)>,
}

enum Carrier {
    WebSocket(Box<WebSocket>),
    Polling(Polling),
}

/// What a client brings back to be sent what it missed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thread {
    pid: String,
    offset: Option<String>,
}

/// The first packet.
#[derive(Debug, Deserialize)]
pub(super) struct Opening {
    pub(super) sid: String,
}

#[derive(Deserialize)]
struct Entered {
    pid: Option<String>,
}

/// A message, as pages are told it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    conversation_id: ConversationId,
    seq: Seq,
    sender_id: UserId,
    message: String,
}

/// The answer to a send.
#[derive(Deserialize)]
struct Answered {
    success: bool,
    seq: Option<Seq>,
    code: Option<Code>,
}

impl Opening {
    pub(super) fn read(packet: &str) -> Option<Self> {
        serde_json::from_str(packet.strip_prefix('0')?).ok()
    }
}

impl SocketIo {
    pub(super) async fn over_websocket(dialer: &Dialer, target: &Target) -> Option<Self> {
        let url = target.websocket("/socket.io/?EIO=4&transport=websocket");
        let mut socket = WebSocket::open(dialer, &url, None).await?;
        let Frame::Text(first) = socket.next().await? else { return None };
        Opening::read(&first)?;
        Some(Self::on(Carrier::WebSocket(Box::new(socket))))
    }

    pub(super) async fn over_polling(dialer: &Dialer, target: &Target) -> Option<Self> {
        let (polling, _) = Polling::open(dialer, target).await?;
        Some(Self::on(Carrier::Polling(polling)))
    }

    fn on(carrier: Carrier) -> Self {
        Self { carrier, me: None, sends: 0, under_way: HashMap::new() }
    }

    /// Asks to be let in, and to be sent what was missed.
    pub(super) async fn enter(&mut self, token: &str, thread: Option<Thread>) -> Option<()> {
        let mut auth = json!({ "token": token });
        if let Some(Thread { pid, offset: Some(offset) }) = &thread {
            auth["pid"] = pid.as_str().into();
            auth["offset"] = offset.as_str().into();
        }
        self.me = thread;
        self.write(&connect(MAIN, &auth.to_string())).await
    }

    pub(super) async fn send(&mut self, send: &Outgoing) -> Option<()> {
        // There are no groups on this door.
        let Address::Person(receiver) = &send.to else { return None };
        self.sends += 1;
        let mut event = Writer::event(MAIN, "send-message", Some(self.sends), 0);
        let said = json!({ "receiverId": receiver, "message": send.text, "clientMessageId": send.key });
        event.argument(&said).ok()?;
        self.under_way.insert(self.sends, (send.talk, send.key.clone()));
        self.write(&event.finish()).await
    }

    pub(super) fn thread(&self) -> Option<Thread> {
        self.me.clone()
    }

    pub(super) async fn flush(&mut self) -> Option<()> {
        match &mut self.carrier {
            Carrier::WebSocket(socket) => socket.flush().await,
            Carrier::Polling(_) => Some(()),
        }
    }

    /// What is said next. May be dropped while it waits: what must be written is written by whoever writes next.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        loop {
            let packet = match &mut self.carrier {
                Carrier::WebSocket(socket) => match socket.next().await? {
                    Frame::Text(text) => text.to_string(),
                    _ => continue,
                },
                Carrier::Polling(polling) => polling.next().await?,
            };
            if packet == PING {
                self.pong().await?;
            } else if packet == CLOSE {
                return None;
            } else if let Some(said) = packet.strip_prefix(MESSAGE)
                && let Some(answer) = self.hear(said)?
            {
                return Some(answer);
            }
        }
    }

    async fn pong(&mut self) -> Option<()> {
        match &mut self.carrier {
            Carrier::WebSocket(socket) => {
                socket.write(Frame::text(PONG)).await?;
                socket.flush().await
            }
            Carrier::Polling(polling) => polling.write(PONG).await,
        }
    }

    async fn write(&mut self, packet: &[u8]) -> Option<()> {
        let packet = std::str::from_utf8(packet).ok()?;
        match &mut self.carrier {
            Carrier::WebSocket(socket) => socket.write(Frame::text(packet)).await,
            Carrier::Polling(polling) => polling.write(packet).await,
        }
    }

    /// A packet of Socket.IO; none within if it says nothing that counts, none at all if it ends the connection.
    fn hear(&mut self, said: &str) -> Option<Option<Answer>> {
        if let Some(entered) = said.strip_prefix('0') {
            let pid = serde_json::from_str::<Entered>(entered).ok()?.pid;
            if let Some(pid) = pid {
                let offset = self.me.take().and_then(|me| me.offset);
                self.me = Some(Thread { pid, offset });
            }
            return Some(Some(Answer::Welcome { as_of: None }));
        }
        let Ok(packet) = Packet::decode(said) else { return None };
        match packet.body {
            Body::Event(event) if event.name == "receive-message" => {
                let told = event.arguments.read::<Told>(0)?;
                self.remember(event.arguments.read(1));
                Some(Some(Answer::Message(told.heard())))
            }
            Body::Event(event) => {
                self.remember(event.arguments.read(1));
                Some(None)
            }
            Body::Ack { id, arguments } => {
                let answered = arguments.read::<Answered>(0)?;
                Some(self.under_way.remove(&id).and_then(|of| answer(&answered, of)))
            }
            Body::Connect(_) | Body::Disconnect => None,
        }
    }

    fn remember(&mut self, offset: Option<String>) {
        if let (Some(me), Some(offset)) = (&mut self.me, offset) {
            me.offset = Some(offset);
        }
    }
}

fn answer(answered: &Answered, (conversation, key): (ConversationId, ClientKey)) -> Option<Answer> {
    if answered.success {
        return Some(Answer::Sent { key, conversation, seq: answered.seq? });
    }
    let code = answered.code.unwrap_or(Code::Internal);
    Some(Answer::Error(Fault { code, key: Some(key), conversation: Some(conversation), retry_after_ms: None }))
}

impl Told {
    fn heard(self) -> Heard {
        let Self { conversation_id, seq, sender_id, message } = self;
        Heard { conversation: conversation_id, seq, from: sender_id, text: message, event: None }
    }
}
