//! The HTTP request that asks to become a WebSocket (RFC 6455, section 4.2), taken by the letter.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use super::guests::Unauthenticated;
use super::line::Line;
use super::listener::Door;
use super::refuse::{close_after, refuse};
use super::websocket::WebSocket;
use crate::model::{Code, Refusal};

/// A request that may become a WebSocket. Take it as an argument of a handler that [`serve`](super::listener::serve)
/// calls; a request that asks wrongly is refused with an [`UpgradeRefusal`] before the handler runs.
#[derive(Debug)]
pub struct Upgrade {
    accept_key: String,
    offered: Vec<String>,
    chosen: Option<&'static str>,
    pending: OnUpgrade,
    guest: Option<Arc<Unauthenticated>>,
    door: Door,
}

impl Upgrade {
    /// The subprotocols that the client offered, the one it likes best first.
    pub fn offered(&self) -> impl Iterator<Item = &str> {
        self.offered.iter().map(String::as_str)
    }

    /// Chooses the first subprotocol offered that is among `supported`, and announces it in the answer. `None` when
    /// nothing fits: then none is announced, and a client that insisted on one closes.
    pub fn choose(&mut self, supported: &[&'static str]) -> Option<&'static str> {
        let find = |offer: &String| supported.iter().copied().find(|known| known == offer);
        self.chosen = self.offered.iter().find_map(find);
        self.chosen
    }

    /// As what the WebSocket counts: as one of this door.
    #[must_use]
    pub fn through(self, door: Door) -> Self {
        Self { door, ..self }
    }

    /// Answers 101, and runs `use_socket` in a task of its own once the answer is sent. Should the client vanish before
    /// that, `use_socket` never runs. The caller gives up its `Unauthenticated` here: the socket holds it.
    #[must_use = "the connection is upgraded by returning this answer"]
    pub fn on_upgrade<F, Fut>(self, use_socket: F) -> Response
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Self { accept_key, chosen, pending, guest, door, .. } = self;
        tokio::spawn(async move {
            // In a box that is gone afterwards: the task keeps room for the largest thing it ever waits for.
            if let Some(socket) = Box::pin(open(pending, guest, door)).await {
                use_socket(socket).await;
            }
        });
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.extend(HeaderValue::try_from(accept_key).map(|key| (SEC_WEBSOCKET_ACCEPT, key)));
        headers.extend(chosen.map(|name| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name))));
        *response.body_mut() = Body::empty();
        response
    }
}

/// The socket, with nothing left of HTTP: its buffer of 8 KiB is let go, and only what it held beyond the request is
/// kept.
async fn open(pending: OnUpgrade, guest: Option<Arc<Unauthenticated>>, door: Door) -> Option<WebSocket> {
    let upgraded = pending.await.inspect_err(|error| debug!(%error, "a client vanished during its upgrade")).ok()?;
    let Ok(parts) = upgraded.downcast::<TokioIo<Line>>() else {
        debug!("an upgrade on a connection that the listener did not accept");
        return None;
    };
    let line = parts.io.into_inner().upgraded(guest, door);
    Some(WebSocket::new(line, &parts.read_buf).await)
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = UpgradeRefusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, UpgradeRefusal> {
        let key = check(parts)?;
        let accept_key = derive_accept_key(key.as_bytes());
        let offered = tokens(&parts.headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        let pending = parts.extensions.remove::<OnUpgrade>().ok_or(UpgradeRefusal::NotPossible)?;
        let guest = parts.extensions.get().cloned();
        Ok(Self { accept_key, offered, chosen: None, pending, guest, door: Door::Http })
    }
}

/// Why a request does not become a WebSocket. The connection is closed after the answer, so that no proxy in between
/// takes it for a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeRefusal {
    /// Answered 405.
    #[error("A WebSocket is asked for with GET.")]
    NotGet,
    /// Answered 400.
    #[error("A WebSocket is asked for with HTTP/1.1.")]
    NotHttp11,
    /// No `Upgrade: websocket`, or more than that, or `Connection` does not say so: answered 426.
    #[error("This is a WebSocket: ask with `Connection: Upgrade` and `Upgrade: websocket`.")]
    NotAsked,
    /// Answered 426.
    #[error("The version of the WebSocket protocol must be 13.")]
    NotVersion13,
    /// Answered 400.
    #[error("There must be one Sec-WebSocket-Key, the base64 of 16 bytes.")]
    BadKey,
    /// Answered 400.
    #[error("A request for a WebSocket has no body.")]
    HasBody,
    /// Answered 400.
    #[error("This connection cannot become a WebSocket.")]
    NotPossible,
}

impl IntoResponse for UpgradeRefusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAsked | Self::NotVersion13 => StatusCode::UPGRADE_REQUIRED,
            Self::NotHttp11 | Self::BadKey | Self::HasBody | Self::NotPossible => StatusCode::BAD_REQUEST,
        };
        let mut response = close_after(refuse(status, &Refusal::new(Code::Invalid, self.to_string())));
        let headers = response.headers_mut();
        match self {
            Self::NotGet => headers.extend([(ALLOW, HeaderValue::from_static("GET"))]),
            Self::NotAsked | Self::NotVersion13 => headers.extend([
                (UPGRADE, HeaderValue::from_static("websocket")),
                (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            ]),
            _ => {}
        }
        response
    }
}

/// The client's key, if the request asks for a WebSocket as it should.
fn check(parts: &Parts) -> Result<&str, UpgradeRefusal> {
    let headers = &parts.headers;
    if parts.method != Method::GET {
        return Err(UpgradeRefusal::NotGet);
    }
    if parts.version != Version::HTTP_11 {
        return Err(UpgradeRefusal::NotHttp11);
    }
    let asks = tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && only(headers, &UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    if !asks {
        return Err(UpgradeRefusal::NotAsked);
    }
    if only(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(UpgradeRefusal::NotVersion13);
    }
    let has_length = headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0");
    if has_length || headers.contains_key(TRANSFER_ENCODING) {
        return Err(UpgradeRefusal::HasBody);
    }
    only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(UpgradeRefusal::BadKey)
}

fn is_key(key: &str) -> bool {
    key.len() == 24 && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

/// The value of a header that must be there once, and as text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// The items of a header that is a list, over all its lines. What is no text is skipped.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}
