//! A page of a classic chat as its wire sees it: Socket.IO over one WebSocket, packet by packet, with callbacks.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a page waits for what ought to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// One page.
pub(crate) struct Page {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What was heard and not asked for yet: an event's name, or `#7` for the callback of that number, and its first argument.
    heard: Vec<(String, Value)>,
    callbacks: u64,
}

impl Page {
    /// Connects, and shows no token.
    pub(crate) async fn open(node: SocketAddr) -> Self {
        let (stream, _) =
            connect_async(format!("ws://{node}/socket.io/?EIO=4&transport=websocket")).await.expect("it opens");
        let mut page = Self { stream, heard: Vec::new(), callbacks: 0 };
        assert!(page.text().await.starts_with("0{"), "a handshake comes first");
        page.write("40").await;
        assert!(page.text().await.starts_with("40{"), "then it is let in");
        page
    }

    /// Connects and authenticates as the bearer of this token.
    pub(crate) async fn of(node: SocketAddr, token: &str) -> Self {
        let mut page = Self::open(node).await;
        page.emit("authenticate", &json!(token)).await;
        let answer = page.hears("authenticated").await;
        assert_eq!(answer["success"], true, "{answer}");
        page
    }

    pub(crate) async fn emit(&mut self, event: &str, argument: &Value) {
        self.write(&format!("42{}", json!([event, argument]))).await;
    }

    /// Emits with a callback; answers what it is heard as.
    pub(crate) async fn call(&mut self, event: &str, argument: &Value) -> String {
        self.callbacks += 1;
        self.write(&format!("42{}{}", self.callbacks, json!([event, argument]))).await;
        format!("#{}", self.callbacks)
    }

    pub(crate) async fn write(&mut self, packet: &str) {
        self.stream.send(Message::text(packet)).await.expect("the connection is open");
    }

    /// The binary part of the packet that was written.
    pub(crate) async fn attach(&mut self, bytes: &'static [u8]) {
        self.stream.send(Message::binary(bytes)).await.expect("the connection is open");
    }

    /// The next event of this name, or the answer to this callback.
    pub(crate) async fn hears(&mut self, name: &str) -> Value {
        loop {
            if let Some(at) = self.heard.iter().position(|(of, _)| of == name) {
                return self.heard.remove(at).1;
            }
            let text = timeout(PATIENCE, self.text()).await;
            let text = text.unwrap_or_else(|_| panic!("no {name}, but {:?}", self.heard));
            self.note(&text);
        }
    }

    /// What else is heard until everything that was said before is answered: names only.
    pub(crate) async fn rest(&mut self) -> Vec<String> {
        let last = self.call("no-such-event", &Value::Null).await;
        self.hears(&last).await;
        self.hears("error").await;
        let names = self.heard.drain(..).map(|(name, _)| name);
        names.filter(|name| !matches!(name.as_str(), "user-online" | "user-offline")).collect()
    }

    async fn text(&mut self) -> String {
        loop {
            match self.stream.next().await.expect("the connection is open").expect("it is whole") {
                Message::Text(text) if text.as_str() == "2" => self.write("3").await,
                Message::Text(text) => return text.to_string(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    fn note(&mut self, packet: &str) {
        let json = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap_or_else(|_| panic!("{packet}"));
        if let Some(event) = packet.strip_prefix("42") {
            let event = json(event);
            self.heard.push((event[0].as_str().unwrap().to_owned(), event.get(1).cloned().unwrap_or_default()));
        } else if let Some(answer) = packet.strip_prefix("43") {
            let (id, arguments) = answer.split_at(answer.find('[').unwrap());
            self.heard.push((format!("#{id}"), json(arguments)[0].clone()));
        } else {
            panic!("an unexpected packet: {packet}");
        }
    }
}

/// Whether a value is as described: an object may have more fields than that; `<text>`, `<id>`, `<time>`, `<number>` and
/// `<any>` stand for whatever is one.
pub(crate) fn is_like(value: &Value, like: &Value) -> bool {
    match like {
        Value::Object(fields) => fields.iter().all(|(name, like)| value.get(name).is_some_and(|of| is_like(of, like))),
        Value::Array(all) => value.as_array().is_some_and(|values| {
            values.len() == all.len() && values.iter().zip(all).all(|(value, like)| is_like(value, like))
        }),
        Value::String(text) => match (text.as_str(), value) {
            ("<any>", _) | ("<text>", Value::String(_)) | ("<number>", Value::Number(_)) => true,
            ("<id>", Value::String(id)) => id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            ("<time>", Value::String(time)) => time.len() == 24 && &time[10..11] == "T" && time.ends_with('Z'),
            _ => value == like,
        },
        _ => value == like,
    }
}
