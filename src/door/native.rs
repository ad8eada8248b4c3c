//! The native door: `/ws`, JSON or MessagePack by subprotocol.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_util::task::TaskTracker;

use super::listener::Door;
use super::origin::Origins;
use super::refuse::{close_after, refuse};
use super::upgrade::Upgrade;
use super::websocket::{Fault, Message, WebSocket};
use crate::delivery::Item;
use crate::model::limits::HELLO_BYTES_MAX;
use crate::model::{Code, Identity, Refusal};
use crate::session::{self, Gone, Incoming, Outward, Services, Socket};
use crate::wire::{Close, Encoding, ServerFrame};

/// What the native door is made of.
#[derive(Clone)]
pub struct Native {
    /// What its sessions use.
    pub services: Arc<Services>,
    /// Pages that may connect.
    pub origins: Arc<Origins>,
    /// Where its sessions are counted, so that a drain can wait for them.
    pub sessions: TaskTracker,
}

/// The route.
pub fn routes(native: Native) -> Router {
    Router::new().route("/ws", any(connect)).with_state(native)
}

async fn connect(State(native): State<Native>, headers: HeaderMap, mut upgrade: Upgrade) -> Response {
    if !native.origins.allow(&headers) {
        let refusal = Refusal::new(Code::Forbidden, "pages of this origin may not connect");
        return refuse(StatusCode::FORBIDDEN, &refusal);
    }
    let Some(encoding) = agree(&mut upgrade) else {
        let known = Encoding::ALL.map(Encoding::subprotocol).join(" or ");
        let refusal = Refusal::new(Code::Invalid, format!("the subprotocol is {known}"));
        return refuse(StatusCode::BAD_REQUEST, &refusal);
    };
    let Native { services, sessions, .. } = native;
    if let Err(refusal) = services.admission.admit_stranger(&*services.chance) {
        return close_after(refuse(StatusCode::SERVICE_UNAVAILABLE, &refusal));
    }
    upgrade.through(Door::Native).on_upgrade(move |socket| sessions.track_future(serve(services, socket, encoding)))
}

/// The encoding that both sides know. A client that names none speaks JSON.
fn agree(upgrade: &mut Upgrade) -> Option<Encoding> {
    if upgrade.offered().next().is_none() {
        return Some(Encoding::Json);
    }
    let chosen = upgrade.choose(&Encoding::ALL.map(Encoding::subprotocol))?;
    Encoding::ALL.into_iter().find(|encoding| encoding.subprotocol() == chosen)
}

async fn serve(services: Arc<Services>, socket: WebSocket, encoding: Encoding) {
    let mut socket = NativeSocket { inner: socket, encoding, is_guest: true };
    let ending = session::run(&services, &mut socket).await;
    let (code, reason) = ending.map_or((1000, ""), |close| (close.code(), close.reason()));
    // Also where the peer closed first: it is owed an answer.
    socket.inner.close(code, reason).await;
}

/// A WebSocket as a session sees it.
struct NativeSocket {
    inner: WebSocket,
    encoding: Encoding,
    /// Nobody has shown a token yet.
    is_guest: bool,
}

impl NativeSocket {
    fn inner(&mut self) -> Pin<&mut WebSocket> {
        Pin::new(&mut self.inner)
    }

    fn take(&self, message: Message) -> Incoming {
        match (message, self.encoding) {
            (Message::Text(text), Encoding::Json) => self.read(text.as_ref()),
            (Message::Binary(bytes), Encoding::Msgpack) => self.read(&bytes),
            (Message::Text(_) | Message::Binary(_), _) => Incoming::Broken(Close::WrongKind),
            (Message::Close(_), _) => Incoming::Gone,
            (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => Incoming::Alive,
        }
    }

    fn read(&self, bytes: &[u8]) -> Incoming {
        if self.is_guest && bytes.len() > HELLO_BYTES_MAX {
            return Incoming::Broken(Close::TooBig);
        }
        self.encoding.decode(bytes).map_or_else(Incoming::Unreadable, Incoming::Frame)
    }

    fn message(&self, bytes: Bytes) -> Result<Message, Gone> {
        match self.encoding {
            Encoding::Json => Utf8Bytes::try_from(bytes).map(Message::Text).map_err(|_| Gone),
            Encoding::Msgpack => Ok(Message::Binary(bytes)),
        }
    }
}

impl Socket for NativeSocket {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        self.inner().poll_next(cx).map(|next| match next {
            Some(Ok(message)) => self.take(message),
            Some(Err(fault)) => close_for(fault).map_or(Incoming::Gone, Incoming::Broken),
            None => Incoming::Gone,
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.inner().poll_ready(cx).map_err(|_| Gone)
    }

    fn start_send(&mut self, outward: Outward) -> Result<(), Gone> {
        let message = match outward {
            Outward::Item(item) => self.message(words(&item, self.encoding))?,
            Outward::Ping => Message::Ping(Bytes::new()),
        };
        self.inner().start_send(message).map_err(|_| Gone)
    }

    fn authenticated(&mut self, _identity: &Identity) {
        self.is_guest = false;
        self.inner.authenticated();
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.inner().poll_flush(cx).map_err(|_| Gone)
    }
}

/// An item as a frame of the protocol.
#[must_use]
pub fn words(item: &Item, encoding: Encoding) -> Bytes {
    match item {
        Item::Message(shared) => {
            shared.in_form(encoding.into(), |message| encoding.encode(&ServerFrame::Message(message.clone())))
        }
        Item::Notice(notice) => notice.in_form(encoding.into(), |frame| encoding.encode(frame)),
        Item::Answer(frame) => encoding.encode(&**frame),
    }
}

const fn close_for(fault: Fault) -> Option<Close> {
    match fault {
        Fault::Protocol => Some(Close::Protocol),
        Fault::NotText => Some(Close::NotUtf8),
        Fault::TooBig => Some(Close::TooBig),
        Fault::Unfinished => Some(Close::Policy),
        Fault::Gone => None,
    }
}
