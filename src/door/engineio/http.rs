//! The requests of Engine.IO, and their answers.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::SinkExt;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::heartbeat::Heartbeat;
use super::polling::Polled;
use super::relay::{Done, Relay};
use super::{EngineSocket, Layer, Opening, Sessions, Settings, bridge, cors, probe};
use crate::door::guests::Unauthenticated;
use crate::door::listener::Door;
use crate::door::origin::Origins;
use crate::door::peer::ClientAddress;
use crate::door::refuse::refuse;
use crate::door::upgrade::{Upgrade, UpgradeRefusal};
use crate::door::websocket::{Message, WebSocket};
use crate::model::{Chance, NodeId, Refusal};
use crate::telemetry::Memory;
use crate::wire::engineio::{Handshake, Query, Refused, Sid, Transport};
use crate::wire::relay::{Ask, Via};

/// What an Engine.IO door is made of.
#[derive(Clone)]
pub struct EngineIo {
    /// The node, as session ids name it.
    pub node: NodeId,
    /// Where session ids come from.
    pub chance: Arc<dyn Chance>,
    /// How sessions are kept.
    pub settings: Settings,
    /// The polled ones.
    pub sessions: Arc<Sessions>,
    /// There must be some for a new one.
    pub memory: Arc<Memory>,
    /// Pages that may connect.
    pub origins: Arc<Origins>,
    /// Where the tasks of sessions are counted, so that a drain can wait for them.
    pub tasks: TaskTracker,
    /// What lives on the sessions.
    pub layer: Arc<dyn Layer>,
    /// The way to sessions that other nodes hold; `None` on a node that is alone.
    pub relay: Option<Arc<Relay>>,
}

/// The routes of a door at `path`, which ends in a slash.
pub fn routes(path: &str, door: EngineIo) -> Router {
    let bare = path.trim_end_matches('/');
    Router::new().route(path, any(answer)).route(bare, any(answer)).with_state(door)
}

async fn answer(State(door): State<EngineIo>, request: Request) -> Response {
    let headers = cors::headers(&door.origins, request.headers());
    let mut response = if request.method() == Method::OPTIONS {
        cors::preflight(request.headers())
    } else {
        door.answer(request).await.unwrap_or_else(No::answer)
    };
    response.headers_mut().extend(headers);
    response
}

/// Why a request gets nothing.
enum No {
    /// In the protocol's own words.
    Refused(Refused),
    /// It does not ask for a WebSocket as one should.
    Upgrade(UpgradeRefusal),
    /// Its body is too long.
    TooLong,
    /// There is no room for a new session.
    Full(Refusal),
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl No {
    fn answer(self) -> Response {
        match self {
            Self::Refused(refused) => {
                let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST);
                (status, [(CONTENT_TYPE, "application/json")], refused.body()).into_response()
            }
            Self::Upgrade(refusal) => refusal.into_response(),
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::Full(refusal) => refuse(StatusCode::SERVICE_UNAVAILABLE, &refusal),
        }
    }
}

impl EngineIo {
    async fn answer(&self, request: Request) -> Result<Response, No> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let query = Query::parse(&query)?;
        if !self.origins.allow(&parts.headers) {
            return Err(Refused::Forbidden.into());
        }
        match query.sid {
            None => self.open(query, parts).await,
            Some(sid) => {
                let sid: Sid = sid.parse().map_err(|_| Refused::UnknownSid)?;
                match &self.relay {
                    Some(relay) if sid.node != self.node => {
                        self.go_on_elsewhere(query.transport, relay, sid, parts, body).await
                    }
                    _ => {
                        let session = self.sessions.get(&sid).ok_or(Refused::UnknownSid)?;
                        self.go_on(query.transport, session, parts, body).await
                    }
                }
            }
        }
    }

    /// A new session.
    async fn open(&self, query: Query<'_>, parts: Parts) -> Result<Response, No> {
        if parts.method != Method::GET {
            return Err(Refused::BadMethod.into());
        }
        if !query.is_version_4 {
            return Err(Refused::UnsupportedVersion.into());
        }
        self.memory.admit(&*self.chance).map_err(No::Full)?;
        match query.transport {
            Transport::Polling => self.open_polling(parts),
            Transport::WebSocket => self.open_websocket(parts).await,
        }
    }

    fn open_polling(&self, parts: Parts) -> Result<Response, No> {
        let opening = opening(&parts);
        let ClientAddress(address) = opening.client.ok_or(Refused::BadRequest)?;
        let guest = self.sessions.admit(address).ok_or(Refused::Forbidden)?;
        let sid = Sid::new(self.node, &*self.chance);
        let session = Polled::new(sid, self.settings.max_payload, self.heartbeat(), guest);
        let socket = EngineSocket::polled(self.sessions.insert(Arc::new(session)));
        self.tasks.spawn(Arc::clone(&self.layer).run(socket, opening));
        Ok(payload(self.handshake(sid, true)))
    }

    async fn open_websocket(&self, mut parts: Parts) -> Result<Response, No> {
        let upgrade = upgrade(&mut parts).await?;
        let opening = opening(&parts);
        let sid = Sid::new(self.node, &*self.chance);
        let (handshake, heartbeat) = (self.handshake(sid, false), self.heartbeat());
        let layer = Arc::clone(&self.layer);
        let tasks = self.tasks.clone();
        Ok(upgrade.on_upgrade(move |websocket: WebSocket| {
            // The layer's task is the only one: this one ends as soon as the handshake is said.
            async move {
                let mut websocket = websocket;
                if websocket.send(Message::Text(handshake.into())).await.is_ok() {
                    tasks.spawn(layer.run(EngineSocket::on_websocket(sid, websocket, heartbeat), opening));
                }
            }
        }))
    }

    /// A request of a session that is polled.
    async fn go_on(
        &self,
        transport: Transport,
        session: Arc<Polled>,
        mut parts: Parts,
        body: Body,
    ) -> Result<Response, No> {
        let is_authenticated = session.is_authenticated();
        note_authenticated(&parts, is_authenticated);
        match (transport, parts.method.clone()) {
            (Transport::WebSocket, Method::GET) => {
                let upgrade = upgrade(&mut parts).await?;
                let (probe, tasks) = (session.probe()?, self.tasks.clone());
                Ok(upgrade.on_upgrade(move |websocket| tasks.track_future(probe::run(probe, websocket))))
            }
            (Transport::Polling, Method::GET) => Ok(payload(session.poll(Via::Http).await?)),
            (Transport::Polling, Method::POST) => {
                let body = read(&parts, body, self.settings.body_max(is_authenticated)).await?;
                session.post(Via::Http, &body).await?;
                Ok(payload("ok"))
            }
            _ => Err(Refused::BadRequest.into()),
        }
    }

    /// A request of a session that another node holds.
    async fn go_on_elsewhere(
        &self,
        transport: Transport,
        relay: &Arc<Relay>,
        sid: Sid,
        mut parts: Parts,
        body: Body,
    ) -> Result<Response, No> {
        let (ask, answer) = match (transport, parts.method.clone()) {
            (Transport::WebSocket, Method::GET) => {
                let upgrade = upgrade(&mut parts).await?;
                relay.ask(sid, Ask::Probe).await?;
                let (relay, tasks) = (Arc::clone(relay), self.tasks.clone());
                return Ok(upgrade.on_upgrade(move |websocket| tasks.track_future(bridge::run(relay, sid, websocket))));
            }
            (Transport::Polling, Method::GET) => (Ask::Poll(Via::Http), None),
            (Transport::Polling, Method::POST) => {
                let body = read(&parts, body, self.settings.max_payload).await?;
                let body = String::from_utf8(body.into()).map_err(|_| Refused::BadRequest)?;
                (Ask::Post(Via::Http, body), Some("ok"))
            }
            _ => return Err(Refused::BadRequest.into()),
        };
        match relay.ask(sid, ask).await? {
            Done::TooLong => Err(No::TooLong),
            Done::Payload(polled, is_authenticated) => {
                note_authenticated(&parts, is_authenticated);
                Ok(answer.map_or_else(|| payload(polled), payload))
            }
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat::new(self.settings.ping_interval, self.settings.ping_timeout, Instant::now())
    }

    fn handshake(&self, sid: Sid, may_upgrade: bool) -> String {
        let Settings { ping_interval, ping_timeout, max_payload, .. } = self.settings;
        Handshake { sid, may_upgrade, ping_interval, ping_timeout, max_payload }.encode()
    }
}

/// The WebSocket that the request asks for.
async fn upgrade(parts: &mut Parts) -> Result<Upgrade, No> {
    let upgrade = Upgrade::from_request_parts(parts, &()).await.map(|upgrade| upgrade.through(Door::SocketIo));
    upgrade.map_err(|refusal| match refusal {
        UpgradeRefusal::NotAsked => Refused::BadRequest.into(),
        UpgradeRefusal::NotGet => Refused::BadMethod.into(),
        refusal => No::Upgrade(refusal),
    })
}

/// Whoever asks for a session that has shown a token is no stranger.
fn note_authenticated(parts: &Parts, is_authenticated: bool) {
    if let Some(guest) = parts.extensions.get::<Arc<Unauthenticated>>().filter(|_| is_authenticated) {
        guest.authenticated();
    }
}

fn opening(parts: &Parts) -> Opening {
    Opening {
        headers: parts.headers.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        client: parts.extensions.get().copied(),
    }
}

async fn read(parts: &Parts, body: Body, max: usize) -> Result<bytes::Bytes, No> {
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > max as u64) {
        return Err(No::TooLong);
    }
    to_bytes(body, max).await.map_err(|_| No::TooLong)
}

/// The answer to a poll or a body.
fn payload(text: impl Into<Body>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text.into()).into_response()
}
