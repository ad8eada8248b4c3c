//! A WebSocket that came to a node which does not hold its session: that node polls the session for it, as any client
//! could, so that nothing but requests ever travels between nodes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::OptionFuture;
use futures_util::{SinkExt, StreamExt};

use super::probe::is_confirmed;
use super::relay::{Done, Relay};
use crate::door::websocket::{Fault, Message, WebSocket};
use crate::model::limits::{BRIDGE_BYTES_MAX, PAYLOAD_PACKETS_MAX};
use crate::wire::engineio::payload;
use crate::wire::engineio::{CLOSE, NOOP, Packet, Refused, Sid};
use crate::wire::relay::{Ask, Via};

/// Makes the WebSocket the session's, or closes it; then polling goes on. The session agreed to try it.
pub(super) async fn run(relay: Arc<Relay>, sid: Sid, mut websocket: WebSocket) {
    // The session's node releases the polls that wait.
    if !is_confirmed(&mut websocket, || ()).await || relay.ask(sid, Ask::Upgrade).await.is_err() {
        return websocket.close(1008, "upgrade not confirmed").await;
    }
    let (code, reason) = Bridge::new(&relay, sid).carry(&mut websocket).await;
    websocket.close(code, reason).await;
}

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Done, Refused>> + Send + 'a>>;

struct Bridge<'a> {
    relay: &'a Relay,
    sid: Sid,
    /// What the client said and the session has not been given.
    body: String,
    packets: usize,
}

impl<'a> Bridge<'a> {
    fn new(relay: &'a Relay, sid: Sid) -> Self {
        Self { relay, sid, body: String::new(), packets: 0 }
    }

    /// Carries messages both ways until either side ends; says how to close the WebSocket. At most
    /// [`BRIDGE_BYTES_MAX`] and one message wait on their way to the session; then the socket is not read.
    async fn carry(mut self, websocket: &mut WebSocket) -> (u16, &'static str) {
        let mut poll = self.poll();
        let mut post: Option<Asked<'a>> = None;
        loop {
            let has_room = self.body.len() < BRIDGE_BYTES_MAX && self.packets < PAYLOAD_PACKETS_MAX;
            tokio::select! {
                () = self.relay.drain().cancelled() => return (1012, "restarting"),
                polled = &mut poll => {
                    let Ok(Done::Payload(payload, is_authenticated)) = polled else { return (1001, "the session has ended") };
                    if is_authenticated {
                        websocket.authenticated();
                    }
                    match say(websocket, &payload).await {
                        Ok(true) => poll = self.poll(),
                        Ok(false) => return (1000, ""),
                        Err(_) => return (1001, ""),
                    }
                }
                Some(posted) = OptionFuture::from(post.as_mut()) => {
                    match posted {
                        Ok(Done::Payload(..)) => post = self.post(),
                        Ok(Done::TooLong) => return (1009, "message too big"),
                        Err(_) => return (1001, "the session has ended"),
                    }
                }
                message = websocket.next(), if has_room => {
                    match message {
                        Some(Ok(message)) => if !self.take(message) { return self.leave(post, (1002, "protocol error")).await },
                        Some(Err(fault)) => return self.leave(post, fault.close_code().unwrap_or((1001, ""))).await,
                        None => return self.leave(post, (1000, "")).await,
                    }
                    if post.is_none() {
                        post = self.post();
                    }
                }
            }
        }
    }

    fn poll(&self) -> Asked<'a> {
        Box::pin(self.relay.ask(self.sid, Ask::Poll(Via::Bridge)))
    }

    /// Gives the session what has gathered.
    fn post(&mut self) -> Option<Asked<'a>> {
        self.packets = 0;
        let body = std::mem::take(&mut self.body);
        (!body.is_empty()).then(|| Box::pin(self.relay.ask(self.sid, Ask::Post(Via::Bridge, body))) as Asked<'a>)
    }

    /// Takes what the client said; false when that is no packet.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Text(text) if Packet::decode(&text).is_ok() => payload::push_text(&mut self.body, &text),
            Message::Text(_) => return false,
            Message::Binary(bytes) => payload::push_binary(&mut self.body, &bytes),
            _ => return true,
        }
        self.packets += 1;
        true
    }

    /// The client has left: the session gets what it said last, and its end.
    async fn leave(mut self, post: Option<Asked<'a>>, close: (u16, &'static str)) -> (u16, &'static str) {
        if let Some(post) = post {
            let _ = post.await;
        }
        payload::push_text(&mut self.body, CLOSE);
        if let Some(post) = self.post() {
            let _ = post.await;
        }
        close
    }
}

/// Says to the client what was polled; false when that was the end.
async fn say(websocket: &mut WebSocket, payload: &str) -> Result<bool, Fault> {
    // What released a poll is of no use to a client that does not poll.
    for packet in payload::split(payload).filter(|packet| *packet != Ok(NOOP)) {
        let is_last = packet == Ok(CLOSE);
        let message = packet.map_or_else(|bytes| Message::Binary(bytes.into()), |text| Message::Text(text.into()));
        websocket.feed(message).await?;
        if is_last {
            return Ok(false);
        }
    }
    websocket.flush().await?;
    Ok(true)
}
