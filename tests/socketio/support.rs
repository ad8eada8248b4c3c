//! A server that says back what it hears, and clients that say what they are told to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use switchboard::bus::Bus;
use switchboard::door::engineio::{BusCarrier, Carrier, EngineIo, Layer, Relay, Sessions, Settings, listen, routes};
use switchboard::door::listener::{ListenerSettings, serve};
use switchboard::door::origin::Origins;
use switchboard::model::{Chance, NodeId, SystemChance};
use switchboard::telemetry::Memory;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::cluster::Wires;
use crate::{engine, socket};

pub(crate) const PING_INTERVAL: Duration = Duration::from_millis(300);
pub(crate) const PING_TIMEOUT: Duration = Duration::from_millis(200);
/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server until it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    /// The polled sessions of `/engine.io/`.
    pub(crate) sessions: Arc<Sessions>,
    /// Cancelled when the node drains.
    pub(crate) drain: CancellationToken,
    _stop: DropGuard,
}

pub(crate) fn quick() -> Settings {
    Settings {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        max_payload: 1_000_000,
        first_payload_max: 1_000_000,
        ..Settings::default()
    }
}

/// As a node would have it: no test waits for a heartbeat.
pub(crate) fn calm() -> Settings {
    Settings { first_payload_max: 10_000, max_payload: 10_000, ..Settings::default() }
}

impl Server {
    pub(crate) async fn start(settings: Settings) -> Self {
        Self::start_for(settings, Vec::new()).await
    }

    /// With pages of these origins.
    pub(crate) async fn start_for(settings: Settings, origins: Vec<&str>) -> Self {
        Self::start_in(settings, origins, None).await
    }

    /// As a node among others.
    pub(crate) async fn start_in(settings: Settings, origins: Vec<&str>, wires: Option<&Arc<Wires>>) -> Self {
        Self::start_with(settings, origins, async |node, sessions, drain| {
            let wires = wires?;
            let relay = relay(node, settings, sessions, Arc::clone(wires) as _, drain);
            wires.connect(node, &relay);
            Some(relay)
        })
        .await
    }

    /// As a node among those of a bus.
    pub(crate) async fn start_on_bus(settings: Settings, bus: Arc<dyn Bus>) -> Self {
        Self::start_with(settings, Vec::new(), async |node, sessions, drain| {
            let relay = relay(node, settings, sessions, Arc::new(BusCarrier(Arc::clone(&bus))), drain);
            tokio::spawn(listen(Arc::clone(&relay), node, &bus).await);
            Some(relay)
        })
        .await
    }

    async fn start_with(
        settings: Settings,
        origins: Vec<&str>,
        connect: impl AsyncFnOnce(NodeId, Arc<Sessions>, CancellationToken) -> Option<Arc<Relay>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sessions = Sessions::new(settings.sessions_max, settings.guests_per_address_max);
        let origins = Arc::new(Origins::new(origins.into_iter().map(|origin| origin.parse().unwrap()).collect()));
        let node = NodeId(SystemChance.bits());
        let drain = CancellationToken::new();
        let relay = connect(node, Arc::clone(&sessions), drain.clone()).await;
        let door = |layer: Arc<dyn Layer>, sessions: &Arc<Sessions>| EngineIo {
            node,
            chance: Arc::new(SystemChance),
            settings,
            sessions: Arc::clone(sessions),
            origins: Arc::clone(&origins),
            memory: Memory::boundless(),
            tasks: TaskTracker::new(),
            layer,
            relay: relay.clone(),
        };
        let echo = socket::Echo {
            connect_wait: Duration::from_secs(1),
            attachment_bytes_max: settings.max_payload,
            chance: Arc::new(SystemChance),
        };
        let router = routes("/engine.io/", door(Arc::new(engine::Echo), &sessions))
            .merge(routes("/socket.io/", door(Arc::new(echo), &Sessions::new(1_000, 1_000))));
        let house = ListenerSettings {
            body_bytes_max: settings.max_payload * 2,
            message_bytes_max: settings.max_payload,
            hello_bytes_max: settings.first_payload_max,
            ..ListenerSettings::default()
        };
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, house, stop.clone()));
        Self { address, sessions, drain, _stop: stop.drop_guard() }
    }

    pub(crate) async fn request(&self, method: &str, path_and_query: &str, body: &str) -> Response {
        let url = format!("http://{}{path_and_query}", self.address);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = client().request(method, url).body(body.to_owned());
        timeout(PATIENCE, request.send()).await.unwrap().unwrap()
    }

    /// A new session that is polled, on `/engine.io/`.
    pub(crate) async fn open(&self) -> Polling<'_> {
        self.open_at("/engine.io/").await
    }

    pub(crate) async fn open_at(&self, path: &str) -> Polling<'_> {
        let response = self.request("GET", &format!("{path}?EIO=4&transport=polling"), "").await;
        assert_eq!(response.status(), StatusCode::OK);
        let handshake = response.text().await.unwrap();
        let handshake: Value = serde_json::from_str(handshake.strip_prefix('0').unwrap()).unwrap();
        let sid = handshake["sid"].as_str().unwrap().to_owned();
        Polling { server: self, path: path.to_owned(), sid, handshake }
    }

    /// A WebSocket, or the status of the refusal.
    pub(crate) async fn websocket(&self, path_and_query: &str) -> Result<Socket, u16> {
        let url = format!("ws://{}{path_and_query}", self.address);
        match timeout(PATIENCE, connect_async(url)).await.unwrap() {
            Ok((inner, _)) => Ok(Socket { inner }),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A WebSocket session on `/engine.io/` that has seen its handshake.
    pub(crate) async fn engine(&self) -> Socket {
        let mut socket = self.websocket("/engine.io/?EIO=4&transport=websocket").await.unwrap();
        assert!(socket.text().await.starts_with("0{"));
        socket
    }

    /// A WebSocket session on `/socket.io/` that is in `/`.
    pub(crate) async fn socket(&self) -> Socket {
        let mut socket = self.websocket("/socket.io/?EIO=4&transport=websocket").await.unwrap();
        assert!(socket.text().await.starts_with("0{"));
        socket.say("40").await;
        assert!(socket.text().await.starts_with("40{"));
        assert_eq!(socket.text().await, r#"42["auth",{}]"#);
        socket
    }
}

fn relay(
    node: NodeId,
    settings: Settings,
    sessions: Arc<Sessions>,
    carrier: Arc<dyn Carrier>,
    drain: CancellationToken,
) -> Arc<Relay> {
    Relay::new(node, settings, Arc::new(SystemChance), sessions, carrier, drain)
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A session that is polled.
pub(crate) struct Polling<'a> {
    pub(crate) server: &'a Server,
    pub(crate) path: String,
    pub(crate) sid: String,
    pub(crate) handshake: Value,
}

impl Polling<'_> {
    pub(crate) fn query(&self, transport: &str) -> String {
        format!("{}?EIO=4&transport={transport}&sid={}", self.path, self.sid)
    }

    /// The status and the body of one poll.
    pub(crate) async fn poll(&self) -> (u16, String) {
        let response = self.server.request("GET", &self.query("polling"), "").await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn post(&self, body: &str) -> (u16, String) {
        let response = self.server.request("POST", &self.query("polling"), body).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn upgrade(&self) -> Result<Socket, u16> {
        self.server.websocket(&self.query("websocket")).await
    }

    /// Waits until its end is known to the server.
    pub(crate) async fn assert_gone(&self) {
        let (status, body) = self.poll().await;
        assert_eq!((status, body.as_str()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
    }
}

/// A WebSocket.
pub(crate) struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub(crate) async fn say(&mut self, text: &str) {
        self.inner.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        self.inner.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// The next message; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            match timeout(PATIENCE, self.inner.next()).await.unwrap()? {
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => return Some(message),
            }
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        self.next().await.unwrap().into_text().unwrap().as_str().to_owned()
    }

    /// The next text that is no ping. Pings are answered.
    pub(crate) async fn text_but_pings(&mut self) -> String {
        loop {
            match self.text().await {
                ping if ping == "2" => self.say("3").await,
                text => return text,
            }
        }
    }

    pub(crate) async fn bytes(&mut self) -> Vec<u8> {
        match self.next().await.unwrap() {
            Message::Binary(bytes) => bytes.to_vec(),
            other => panic!("{other}"),
        }
    }

    /// Waits for the end, whatever still comes before it (pings, and Engine.IO's own close).
    pub(crate) async fn closed(&mut self) {
        while let Some(message) = self.next().await {
            let text = message.into_text().unwrap();
            assert!(matches!(text.as_str(), "1" | "2"), "{text}");
        }
    }
}
