//! One session, as the layer above sees it, whatever carries it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;

use super::heartbeat::{Due, Heartbeat};
use super::polling::Handover;
use super::sessions::Registered;
use super::{Incoming, Outgoing};
use crate::door::websocket::{Fault, Message, WebSocket};
use crate::model::limits::CLOSE_WAIT;
use crate::wire::engineio::{CLOSE, PING, Packet, Sid};

/// The connection is lost, or the session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended")]
pub struct Ended;

/// A session. All calls come from one task, which polls [`poll_incoming`](Self::poll_incoming) all the time: that also
/// pings the client, notices that it is gone, and moves the session from polling to a WebSocket.
#[derive(Debug)]
pub struct EngineSocket {
    sid: Sid,
    carrier: Carrier,
    is_authenticated: bool,
    /// Fires when the client must be pinged, or is gone.
    timer: Pin<Box<Sleep>>,
}

#[derive(Debug)]
enum Carrier {
    WebSocket(Direct),
    Polling(Registered),
}

/// A session that is a WebSocket.
#[derive(Debug)]
struct Direct {
    websocket: WebSocket,
    heartbeat: Heartbeat,
    /// What must go out before anything else: what was said while the session was polled, and our pings.
    first: VecDeque<Outgoing>,
    is_unflushed: bool,
}

impl EngineSocket {
    /// A session on a WebSocket, of which the handshake is said.
    pub(super) fn on_websocket(sid: Sid, websocket: WebSocket, heartbeat: Heartbeat) -> Self {
        let timer = Box::pin(sleep_until(heartbeat.at()));
        let carrier = Carrier::WebSocket(Direct::new(websocket, heartbeat, VecDeque::new()));
        Self { sid, carrier, is_authenticated: false, timer }
    }

    /// A session that is polled.
    pub(super) fn polled(registered: Registered) -> Self {
        let timer = Box::pin(sleep_until(registered.session.heartbeat_at()));
        Self { sid: registered.session.sid, carrier: Carrier::Polling(registered), is_authenticated: false, timer }
    }

    /// Its id. A secret of the client and us.
    #[must_use]
    pub fn sid(&self) -> Sid {
        self.sid
    }

    /// Whether it is polled as yet.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        matches!(self.carrier, Carrier::Polling(_))
    }

    /// The next thing that comes in. After `Gone` or `Broken` it is not called again.
    pub fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        loop {
            self.change_carrier();
            let polled = match &mut self.carrier {
                Carrier::WebSocket(direct) => direct.poll_incoming(cx),
                Carrier::Polling(registered) => registered.session.poll_incoming(cx),
            };
            if polled.is_ready() {
                return polled;
            }
            if self.is_upgraded() {
                continue; // it came between the two
            }
            ready!(self.poll_timer(cx));
        }
    }

    /// Ready when the heartbeat is to be looked at again.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = match &self.carrier {
            Carrier::WebSocket(direct) => direct.heartbeat.at(),
            Carrier::Polling(registered) => registered.session.heartbeat_at(),
        };
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
        self.timer.as_mut().poll(cx)
    }

    /// Whether another packet can be taken.
    ///
    /// # Errors
    /// If the session has ended.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        self.change_carrier();
        match &mut self.carrier {
            Carrier::WebSocket(direct) => direct.poll_ready(cx).map_err(|_| Ended),
            Carrier::Polling(registered) => registered.session.poll_ready(cx).map(|ready| ready.ok_or(Ended)),
        }
    }

    /// Takes a packet; only after [`poll_ready`](Self::poll_ready).
    ///
    /// # Errors
    /// If the session has ended.
    pub fn start_send(&mut self, packet: Outgoing) -> Result<(), Ended> {
        match &mut self.carrier {
            Carrier::WebSocket(direct) => direct.send(packet).map_err(|_| Ended),
            Carrier::Polling(registered) => {
                registered.session.push(packet);
                Ok(())
            }
        }
    }

    /// Sends what was taken: one poll gets all that was taken between two calls. Ready when all of it is on its way.
    ///
    /// # Errors
    /// If the session has ended.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        self.change_carrier();
        match &mut self.carrier {
            Carrier::WebSocket(direct) => direct.poll_flush(cx).map_err(|_| Ended),
            Carrier::Polling(registered) => registered.session.poll_flush(cx).map(|flushed| flushed.ok_or(Ended)),
        }
    }

    /// The client has shown a token that counts: it may now send more, and is no longer a stranger. Saying so twice does
    /// no harm.
    pub fn authenticated(&mut self) {
        self.is_authenticated = true;
        match &mut self.carrier {
            Carrier::WebSocket(direct) => direct.websocket.authenticated(),
            Carrier::Polling(registered) => registered.session.authenticated(),
        }
    }

    /// Whether the session is a WebSocket by now.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        matches!(self.carrier, Carrier::WebSocket(_))
    }

    /// Ends the session, after what was taken, within [`CLOSE_WAIT`]. A client comes back from that by itself. The code
    /// and the reason are told where there is a WebSocket to tell them on.
    pub async fn close(mut self, code: u16, reason: &str) {
        self.change_carrier();
        match self.carrier {
            Carrier::WebSocket(direct) => direct.close(code, reason).await,
            Carrier::Polling(registered) => {
                let _ = timeout(CLOSE_WAIT, registered.session.close()).await;
            }
        }
    }

    /// Ends the session because the client broke a protocol.
    pub async fn close_for(self, fault: Fault) {
        let (code, reason) = fault.close_code().unwrap_or((1000, ""));
        self.close(code, reason).await;
    }

    fn is_upgraded(&self) -> bool {
        matches!(&self.carrier, Carrier::Polling(registered) if registered.session.is_upgraded())
    }

    /// Goes on with the WebSocket, if there is one now. The session is found by no request from then on.
    fn change_carrier(&mut self) {
        if let Carrier::Polling(registered) = &self.carrier
            && let Some(Handover { mut websocket, unsent, heartbeat }) = registered.session.take_handover()
        {
            if self.is_authenticated {
                websocket.authenticated();
            }
            self.carrier = Carrier::WebSocket(Direct::new(websocket, heartbeat, unsent));
        }
    }
}

impl Direct {
    fn new(websocket: WebSocket, heartbeat: Heartbeat, first: VecDeque<Outgoing>) -> Self {
        let is_unflushed = !first.is_empty();
        Self { websocket, heartbeat, first, is_unflushed }
    }

    fn socket(&mut self) -> Pin<&mut WebSocket> {
        Pin::new(&mut self.websocket)
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if let Poll::Ready(next) = self.socket().poll_next(cx) {
            return Poll::Ready(match next {
                Some(Ok(message)) => self.take(message),
                Some(Err(Fault::Gone)) | None => Incoming::Gone,
                Some(Err(fault)) => Incoming::Broken(fault),
            });
        }
        match self.heartbeat.due(Instant::now()) {
            Some(Due::Death) => return Poll::Ready(Incoming::Gone),
            Some(Due::Ping) => {
                self.first.push_back(Outgoing::Text(Bytes::from_static(PING.as_bytes())));
                self.is_unflushed = true;
            }
            None => {}
        }
        if self.is_unflushed && matches!(self.poll_flush(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(Incoming::Gone);
        }
        Poll::Pending
    }

    fn take(&mut self, message: Message) -> Incoming {
        match message {
            Message::Text(text) => self.take_packet(text.into()),
            Message::Binary(bytes) => Incoming::Binary(bytes),
            Message::Close(_) => Incoming::Gone,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Incoming::Alive,
        }
    }

    fn take_packet(&mut self, text: Bytes) -> Incoming {
        let packet = std::str::from_utf8(&text).ok().map(Packet::decode);
        match packet {
            Some(Ok(Packet::Message(message))) => Incoming::Text(text.slice_ref(message.as_bytes())),
            Some(Ok(Packet::Pong(_))) => {
                self.heartbeat.pong(Instant::now());
                Incoming::Alive
            }
            Some(Ok(Packet::Noop)) => Incoming::Alive,
            Some(Ok(Packet::Close)) => Incoming::Gone,
            Some(Ok(Packet::Ping(_) | Packet::Upgrade) | Err(_)) | None => Incoming::Broken(Fault::Protocol),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        loop {
            ready!(self.socket().poll_ready(cx))?;
            let Some(packet) = self.first.pop_front() else { return Poll::Ready(Ok(())) };
            if self.first.is_empty() {
                self.first = VecDeque::new();
            }
            self.send(packet)?;
        }
    }

    fn send(&mut self, packet: Outgoing) -> Result<(), Fault> {
        let message = match packet {
            Outgoing::Text(text) => Message::Text(Utf8Bytes::try_from(text).map_err(|_| Fault::NotText)?),
            Outgoing::Binary(bytes) => Message::Binary(bytes),
        };
        self.socket().start_send(message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        ready!(self.poll_ready(cx))?;
        ready!(self.socket().poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }

    async fn close(mut self, code: u16, reason: &str) {
        let said = std::future::poll_fn(|cx| self.poll_ready(cx));
        if timeout(CLOSE_WAIT, said).await.is_ok_and(|said| said.is_ok()) {
            let _ = self.send(Outgoing::Text(Bytes::from_static(CLOSE.as_bytes())));
        }
        self.websocket.close(code, reason).await;
    }
}
