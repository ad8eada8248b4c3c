//! A client of the native protocol, written from its description: JSON, cursors, and nothing clever.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::cluster::token;

/// How long a test waits for anything that ought to come; generous, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One device of one user.
pub(crate) struct Client {
    stream: Stream,
    /// The newest `as_of`.
    pub(crate) as_of: String,
    /// By conversation: every place shown on this device, in the order in which it was shown.
    pub(crate) shown: BTreeMap<String, Vec<u64>>,
}

impl Client {
    /// Connects and says nothing.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        Self::let_in(address).await.expect("a WebSocket")
    }

    /// The same where it may be refused.
    pub(crate) async fn let_in(address: SocketAddr) -> Option<Self> {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "switchboard.v1.json".parse().unwrap());
        let (stream, _) = connect_async(request).await.ok()?;
        Some(Self { stream, as_of: String::new(), shown: BTreeMap::new() })
    }

    /// Connects as `user`, for the first time.
    pub(crate) async fn hello(address: SocketAddr, user: &str) -> Self {
        let mut client = Self::silent(address).await;
        client.say(json!({ "type": "hello", "token": token(user) })).await;
        client.expect("welcome").await;
        client
    }

    /// Connects as `user` again, where `earlier` left off, naming only the conversations that `name` lets through.
    pub(crate) async fn resume(address: SocketAddr, user: &str, earlier: &Self, name: impl Fn(&str) -> bool) -> Self {
        let mut client = Self::silent(address).await;
        let cursors: BTreeMap<&str, u64> =
            earlier.shown.keys().map(|id| (id.as_str(), earlier.cursor(id))).filter(|(id, _)| name(id)).collect();
        let resume = json!({ "as_of": earlier.as_of, "cursors": cursors });
        client.say(json!({ "type": "hello", "token": token(user), "resume": resume })).await;
        client.expect("welcome").await;
        client
    }

    /// The same, whatever is said before the welcome.
    pub(crate) async fn resume_leniently(
        address: SocketAddr,
        user: &str,
        earlier: &Self,
        name: impl Fn(&str) -> bool,
    ) -> Self {
        let mut client = Self::silent(address).await;
        let highest = |id: &String| earlier.shown[id].iter().copied().max().unwrap_or(0);
        let cursors: BTreeMap<&str, u64> =
            earlier.shown.keys().map(|id| (id.as_str(), highest(id))).filter(|(id, _)| name(id)).collect();
        let resume = json!({ "as_of": earlier.as_of, "cursors": cursors });
        client.say(json!({ "type": "hello", "token": token(user), "resume": resume })).await;
        while client.next().await.expect("the connection ended")["type"] != "welcome" {}
        client
    }

    /// The highest place up to which everything was shown, from the first that was.
    pub(crate) fn cursor(&self, conversation: &str) -> u64 {
        let Some(shown) = self.shown.get(conversation) else { return 0 };
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        sorted.iter().copied().reduce(|cursor, seq| if seq == cursor + 1 { seq } else { cursor }).unwrap_or(0)
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.say_raw(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn say_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    pub(crate) async fn send(&mut self, to: &str, key: &str, text: &str) {
        self.say(json!({ "type": "send", "to": to, "key": key, "text": text })).await;
    }

    /// Sends, and waits for the answer: the place of the message.
    pub(crate) async fn tell(&mut self, to: &str, key: &str, text: &str) -> u64 {
        self.send(to, key, text).await;
        let sent = self.expect("sent").await;
        assert_eq!(sent["key"], key, "{sent}");
        sent["seq"].as_u64().unwrap()
    }

    /// The next frame; none when the connection ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.expect("a frame ought to have come");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.note(&frame);
                    return Some(frame);
                }
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame if one comes within this time.
    pub(crate) async fn within(&mut self, wait: Duration) -> Option<Value> {
        timeout(wait, self.next()).await.ok().flatten()
    }

    /// Reads until a frame of this type comes.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("the connection ended before a {kind}"));
            if frame["type"] == kind {
                return frame;
            }
            assert_ne!(frame["type"], "error", "waiting for {kind}: {frame}");
        }
    }

    /// Reads until so many places were shown in all.
    pub(crate) async fn see(&mut self, places: usize) {
        while self.shown.values().map(Vec::len).sum::<usize>() < places {
            let seen = self.next().await.expect("the connection ended");
            assert_ne!(seen["type"], "error", "{seen}");
        }
    }

    /// Reads to the end: the close code.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("the connection ought to have ended") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(Message::Text(text))) => self.note(&serde_json::from_str(&text).unwrap()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn note(&mut self, frame: &Value) {
        if let Some(as_of) = frame["as_of"].as_str() {
            as_of.clone_into(&mut self.as_of);
        }
        if frame["type"] == "message" || frame["type"] == "sent" {
            let conversation = frame["conversation"].as_str().unwrap().to_owned();
            self.shown.entry(conversation).or_default().push(frame["seq"].as_u64().unwrap());
        }
    }

    /// Every place of the only conversation, each once and in order, from 1 on: whatever else would be damage.
    pub(crate) fn assert_whole(&self, places: u64) {
        assert_eq!(self.shown.len(), 1, "{:?}", self.shown.keys());
        let shown = self.shown.values().next().unwrap();
        let expected: Vec<u64> = (1..=places).collect();
        assert_eq!(*shown, expected);
    }
}
