//! A proxy of the native door that damages single frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{accept_hdr_async, connect_async};
use tokio_util::task::AbortOnDropHandle;

/// Of so many frames, one is damaged.
const ONE_OF: u64 = 25;
/// No frame behind these is damaged, so that the last ones of a run can be what follows a damaged one.
const DAMAGED_BEFORE: u64 = 150;

/// What it does to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// A message is not passed on.
    Drop,
    /// A message is passed on twice.
    Double,
    /// A message is passed on behind the one that follows it.
    Swap,
    /// A send is answered and not passed on: as if a store said yes and kept nothing.
    AcknowledgeOnly,
    /// A character of a text is another one.
    Spoil,
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<State>,
    _task: AbortOnDropHandle<()>,
}

struct State {
    fault: Fault,
    seed: u64,
    node: String,
    /// Frames that might have been damaged, and those that were.
    seen: AtomicU64,
    damaged: AtomicU64,
}

impl Proxy {
    pub(crate) async fn start(node: &str, fault: Fault, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (seen, damaged) = (AtomicU64::new(0), AtomicU64::new(0));
        let state = Arc::new(State { fault, seed, node: node.to_owned(), seen, damaged });
        let serving = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pump(serving.clone(), client));
            }
        });
        Self { address, state, _task: AbortOnDropHandle::new(task) }
    }

    /// How many frames it damaged.
    pub(crate) fn damaged(&self) -> u64 {
        self.state.damaged.load(Ordering::Relaxed)
    }
}

impl State {
    /// Whether this one is to be damaged, drawn from the seed.
    fn strikes(&self) -> bool {
        let index = self.seen.fetch_add(1, Ordering::Relaxed);
        let strikes = index < DAMAGED_BEFORE && index % ONE_OF == (self.seed * 7 + index / ONE_OF * 3) % ONE_OF;
        self.damaged.fetch_add(u64::from(strikes), Ordering::Relaxed);
        strikes
    }
}

#[expect(clippy::result_large_err, reason = "the handshake's own type")]
fn same_protocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
        response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
    }
    Ok(response)
}

/// One connection, both ways, until either side ends it.
async fn pump(state: Arc<State>, client: TcpStream) {
    let Ok(mut client) = accept_hdr_async(client, same_protocol).await else { return };
    let mut request = format!("ws://{}/ws", state.node).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "switchboard.v1.json".parse().unwrap());
    let Ok((mut node, _)) = connect_async(request).await else { return };
    let mut held: Option<Frame> = None;
    let mut conversation = Value::Null;
    loop {
        tokio::select! {
            frame = client.next() => {
                let Some(Ok(frame)) = frame else { return };
                if let Some(answer) = acknowledged_only(&state, &frame, &conversation) {
                    if client.send(answer).await.is_err() { return }
                } else if node.send(frame).await.is_err() {
                    return;
                }
            }
            frame = node.next() => {
                let Some(Ok(frame)) = frame else { return };
                for frame in damage(&state, frame, &mut held, &mut conversation) {
                    if client.send(frame).await.is_err() { return }
                }
            }
        }
    }
}

fn content(frame: &Frame) -> Value {
    frame.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn acknowledged_only(state: &State, frame: &Frame, conversation: &Value) -> Option<Frame> {
    let said = content(frame);
    let is_send = state.fault == Fault::AcknowledgeOnly && said["type"] == "send" && !conversation.is_null();
    if !is_send || !state.strikes() {
        return None;
    }
    let seq = 1_000_000 + state.damaged.load(Ordering::Relaxed);
    let answer = json!({
        "type": "sent", "key": said["key"], "conversation": conversation, "seq": seq, "id": "6ab13b8051c0a1b2c3d4e5f6",
        "at": 0, "shown": true,
    });
    Some(Frame::text(answer.to_string()))
}

/// What is passed on in place of a frame.
fn damage(state: &State, frame: Frame, held: &mut Option<Frame>, conversation: &mut Value) -> Vec<Frame> {
    let mut said = content(&frame);
    if said["type"] == "sent" {
        *conversation = said["conversation"].clone();
    }
    if said["type"] != "message" || matches!(state.fault, Fault::None | Fault::AcknowledgeOnly) {
        return vec![frame];
    }
    if let Some(earlier) = held.take() {
        return vec![frame, earlier];
    }
    if !state.strikes() {
        return vec![frame];
    }
    match state.fault {
        Fault::Drop => Vec::new(),
        Fault::Double => vec![frame.clone(), frame],
        Fault::Swap => {
            *held = Some(frame);
            Vec::new()
        }
        Fault::Spoil => {
            said["text"] = format!("{}!", said["text"].as_str().unwrap_or_default()).into();
            vec![Frame::text(said.to_string())]
        }
        Fault::None | Fault::AcknowledgeOnly => vec![frame],
    }
}
