//! Engine.IO: sessions over WebSocket, over HTTP polling, and on their way from the one to the other.
//!
//! A [`Layer`] above gets an [`EngineSocket`] for each session and a task to run it in. A session that begins as a
//! WebSocket is that WebSocket and nothing else; only one that is polled has state ([`polling`]) where its requests find
//! it. [`http`] takes the requests. Those of a session that another node holds go there ([`relay`]), where they are done once
//! ([`relayed`]); a WebSocket that came to the wrong node is a [`bridge`] of such requests.

mod bridge;
mod carrier;
mod cors;
mod heartbeat;
mod http;
mod polling;
mod probe;
mod relay;
mod relayed;
mod sessions;
mod socket;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;

pub use carrier::{BusCarrier, listen};
pub use http::{EngineIo, routes};
pub use relay::{Carrier, Relay};
pub use sessions::Sessions;
pub use socket::{Ended, EngineSocket};

use super::peer::ClientAddress;
use super::websocket::Fault;
use crate::model::limits::{
    ENGINE_PAYLOAD_BYTES_MAX, ENGINE_PING_INTERVAL, ENGINE_PING_TIMEOUT, GUESTS_PER_ADDRESS_MAX, HELLO_BYTES_MAX,
    POLLING_SESSIONS_MAX,
};
use crate::wire::engineio::payload;

/// How sessions are kept. The default is what a node on a hostile network wants.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often a client is pinged; at least 1 ms.
    pub ping_interval: Duration,
    /// How long it has to answer; then its session ends.
    pub ping_timeout: Duration,
    /// Bytes of one body of polling, as announced to clients; more are answered 413. WebSocket messages are bounded by the
    /// listener, which should be set to the same.
    pub max_payload: usize,
    /// The same for a client that has not shown a token.
    pub first_payload_max: usize,
    /// Sessions that are polled, on this node. Beyond, refused with code 4.
    pub sessions_max: usize,
    /// Polled sessions from one address that have not shown a token. Beyond, refused with code 4.
    pub guests_per_address_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: ENGINE_PING_INTERVAL,
            ping_timeout: ENGINE_PING_TIMEOUT,
            max_payload: ENGINE_PAYLOAD_BYTES_MAX,
            first_payload_max: HELLO_BYTES_MAX,
            sessions_max: POLLING_SESSIONS_MAX,
            guests_per_address_max: GUESTS_PER_ADDRESS_MAX,
        }
    }
}

impl Settings {
    /// Bytes of a body that such a client may post.
    const fn body_max(&self, is_authenticated: bool) -> usize {
        if is_authenticated { self.max_payload } else { self.first_payload_max }
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message: UTF-8, without Engine.IO's type.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A sign of life without content.
    Alive,
    /// The client has left, did not answer a ping, or the connection is lost.
    Gone,
    /// The client broke a protocol.
    Broken(Fault),
}

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A packet as text: UTF-8 that begins with Engine.IO's type, `4` for a message. So bytes that were encoded once are
    /// sent to every socket as they are.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
}

impl Outgoing {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much of a payload it fills, its separator included.
    fn polled_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 1,
            Self::Binary(bytes) => bytes.len().div_ceil(3) * 4 + 2,
        }
    }

    fn push_to(&self, payload: &mut String) {
        match self {
            // What is no UTF-8 is a mistake of the layer above, and says nothing.
            Self::Text(text) => payload::push_text(payload, std::str::from_utf8(text).unwrap_or_default()),
            Self::Binary(bytes) => payload::push_binary(payload, bytes),
        }
    }
}

/// What the request that opened a session said.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its query, without the question mark.
    pub query: String,
    /// Who asked.
    pub client: Option<ClientAddress>,
}

/// A task, as a layer hands it over.
pub type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What lives on top of sessions.
pub trait Layer: Send + Sync + 'static {
    /// Lives one session's whole life, in a task of its own. It ends the session by [`EngineSocket::close`]; one that is
    /// merely dropped ends without last words.
    fn run(self: Arc<Self>, socket: EngineSocket, opening: Opening) -> Run;
}
