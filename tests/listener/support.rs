//! A listener to attack, and raw clients to attack it with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::{SinkExt, StreamExt};
use switchboard::door::guests::Unauthenticated;
use switchboard::door::listener::{ListenerSettings, serve};
use switchboard::door::peer::ClientAddress;
use switchboard::door::upgrade::Upgrade;
use switchboard::door::websocket::{Fault, Message, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// The length of the answer to `/big`: more than any buffer on the way holds.
pub(crate) const BIG: usize = 32 << 20;

/// A listener that serves until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn start(settings: ListenerSettings) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, router(), settings, stop.clone()));
    Served { address, stop, ended }
}

fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/echo", post(async |body: Bytes| body))
        .route("/slow", get(slow))
        .route("/big", get(async || vec![b'x'; BIG]))
        .route("/whoami", get(async |Extension(client): Extension<ClientAddress>| client.0.to_string()))
        .route("/login", get(async |Extension(guest): Extension<Arc<Unauthenticated>>| guest.authenticated()))
        .route("/ws", get(upgrade).post(upgrade))
}

async fn slow() -> StatusCode {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    StatusCode::OK
}

async fn upgrade(mut upgrade: Upgrade) -> Response {
    upgrade.choose(&["chat.v1", "chat.v2"]);
    upgrade.on_upgrade(echo)
}

/// Says every message again. Some texts make it do something else.
async fn echo(mut socket: WebSocket) {
    let fault = loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text == "authenticate" => socket.authenticated(),
            Some(Ok(Message::Text(text))) if text == "bye" => return socket.close(1012, "restart").await,
            Some(Ok(Message::Text(text))) if text == "pour" => return pour(socket).await,
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                if let Err(fault) = socket.send(message).await {
                    break fault;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(fault)) => break fault,
            None => return socket.close(1000, "").await,
        }
    };
    assert_ne!(fault.close_code().is_none(), fault != Fault::Gone);
    socket.close_for(fault).await;
}

/// Writes numbered messages as long as anybody takes them.
async fn pour(mut socket: WebSocket) {
    let filling = "x".repeat(200);
    for number in 0.. {
        if socket.send(Message::text(format!("{number} {filling}"))).await.is_err() {
            return;
        }
    }
}

/// A client that knows nothing but bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    /// What was read and not yet looked at.
    pub(crate) unread: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(served: &Served) -> Self {
        Self { stream: TcpStream::connect(served.address).await.unwrap(), unread: Vec::new() }
    }

    /// A connection that is a WebSocket already.
    pub(crate) async fn websocket(served: &Served) -> Self {
        let mut raw = Self::connect(served).await;
        raw.send(upgrade_request("").as_bytes()).await;
        let head = raw.head().await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    /// Sends; that the other side may have hung up is for the reading to find out.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("nobody reads what is sent");
    }

    /// Reads some more; false at the end.
    pub(crate) async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("nothing comes and nothing ends");
        let some = read.unwrap_or(0); // a reset is an end too
        self.unread.extend(&buffer[..some]);
        some > 0
    }

    /// Whether the server ends the connection in good order, and does not reset it: a reset may overtake the last words
    /// (not on every system, so it is the reset that is looked for, also one behind the end).
    pub(crate) async fn ends_cleanly(&mut self) -> bool {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("the connection does not end");
        end.is_ok() && self.stream.take_error().unwrap().is_none()
    }

    /// The next head of an answer, or `None` when the connection was closed instead.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return Some(String::from_utf8(head).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next answer: its status and its body. `None` when the connection was closed instead.
    pub(crate) async fn answer(&mut self) -> Option<(u16, String)> {
        let head = self.head().await?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        while self.unread.len() < length {
            assert!(self.more().await, "the connection ended within a body");
        }
        let body = self.unread.drain(..length).collect();
        Some((head[9..12].parse().unwrap(), String::from_utf8(body).unwrap()))
    }

    pub(crate) async fn status(&mut self) -> Option<u16> {
        Some(self.answer().await?.0)
    }

    /// Whether the server has closed: a harmless request gets no answer.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.send(GET.as_bytes()).await;
        self.answer().await.is_none()
    }

    /// The next frame: its first byte and its payload. `None` when the connection was closed instead.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((first, payload, length)) = parse_frame(&self.unread) {
                self.unread.drain(..length);
                return Some((first, payload));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The close frame that comes next, skipping other frames: its code. `None` when there is none before the end.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.frame().await? {
                (0x88, payload) => return Some(u16::from_be_bytes([payload[0], payload[1]])),
                (first, _) => assert_ne!(first & 0x0f, 8, "a close frame with odd bits"),
            }
        }
    }
}

fn parse_frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap()),
        short => (2, usize::from(short)),
    };
    Some((first, bytes.get(start..start + length)?.to_vec(), start + length))
}

/// A client's frame, its length written in the shortest way, masked with zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request that becomes a WebSocket, with more header lines.
pub(crate) fn upgrade_request(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}
