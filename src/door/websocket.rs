//! One WebSocket: messages in and out, and an end that the other side understands.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
pub use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::budget::BudgetError;
use super::line::Line;
use super::listener::farewell;
use super::metered::Metered;
use crate::model::limits::{CLOSE_WAIT, SOCKET_READ_BYTES, SOCKET_WRITE_BYTES};

/// A WebSocket on a connection of the listener.
///
/// As a [`Stream`] it yields messages, pings and pongs among them (pings are answered by themselves), and ends after
/// the peer's close frame or a [`Fault`]. As a [`Sink`] it takes messages; a long one goes out in fragments of
/// [`SOCKET_WRITE_BYTES`], so that the socket itself never holds more than twice that, whatever it is given and however
/// slowly it is read. Whoever stops using it calls [`close`](Self::close): of a socket that is merely dropped, the
/// peer never learns why.
#[derive(Debug)]
pub struct WebSocket {
    /// In a box, for every task that has a socket moves it about, and keeps room for it at each place it was.
    inner: Box<WebSocketStream<Metered<Line>>>,
    /// The rest of the message that is being sent.
    unsent: Bytes,
}

/// Why a WebSocket cannot be read or written any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The peer broke the protocol.
    #[error("the WebSocket protocol was broken")]
    Protocol,
    /// A text message or a close reason is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// A message is longer than allowed.
    #[error("a message is longer than allowed")]
    TooBig,
    /// A message was begun and not finished in time.
    #[error("a message was begun and not finished in time")]
    Unfinished,
    /// The connection is no more: nothing can be said to the peer.
    #[error("the connection is gone")]
    Gone,
}

impl Fault {
    /// The code to close with, and why; `None` when there is nobody left to tell.
    #[must_use]
    pub const fn close_code(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Protocol => Some((1002, "protocol error")),
            Self::NotText => Some((1007, "not UTF-8")),
            Self::TooBig => Some((1009, "message too big")),
            Self::Unfinished => Some((1008, "message not finished in time")),
            Self::Gone => None,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            Error::Protocol(_) => Self::Protocol,
            Error::Utf8(_) => Self::NotText,
            Error::Capacity(_) => Self::TooBig,
            Error::Io(error) => match BudgetError::of(&error) {
                Some(BudgetError::MessageTooBig) => Self::TooBig,
                Some(BudgetError::MessageUnfinished) => Self::Unfinished,
                None => Self::Gone,
            },
            _ => Self::Gone,
        }
    }
}

impl WebSocket {
    /// A socket on `line`, of which `head` was read already. Until [`authenticated`](Self::authenticated), no message
    /// of more than [`hello_bytes_max`](super::listener::ListenerSettings::hello_bytes_max) bytes is read to its end (give or take one read of [`SOCKET_READ_BYTES`]).
    pub(super) async fn new(line: Line, head: &[u8]) -> Self {
        let (pauses, settings) = (line.house().counts.pauses.clone(), &line.house().settings);
        let (budget, hello_bytes_max, message_bytes_max) =
            (settings.budget, settings.hello_bytes_max, settings.message_bytes_max);
        let metered = Metered::new(line, head, budget, hello_bytes_max, pauses);
        let config = WebSocketConfig::default()
            .read_buffer_size(SOCKET_READ_BYTES)
            .write_buffer_size(SOCKET_WRITE_BYTES)
            .max_write_buffer_size(4 * SOCKET_WRITE_BYTES) // what is gathered, a fragment, and an answer to a ping
            .max_frame_size(Some(message_bytes_max))
            .max_message_size(Some(message_bytes_max))
            .accept_unmasked_frames(false);
        let inner = WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await;
        Self { inner: Box::new(inner), unsent: Bytes::new() }
    }

    /// A token was accepted: the peer is no guest of its address any longer, and may send messages of
    /// [`message_bytes_max`](super::listener::ListenerSettings::message_bytes_max) bytes, also one that it sent already but that was not asked for yet.
    pub fn authenticated(&mut self) {
        let metered = self.inner.get_mut();
        let message_bytes_max = metered.stream_mut().house().settings.message_bytes_max;
        metered.allow(message_bytes_max);
        metered.stream_mut().authenticated();
    }

    /// For how long, in all, this socket was not read because too much had been sent on it. Whoever finds it grow
    /// without end may refuse the peer.
    #[must_use]
    pub fn paused(&self) -> Duration {
        self.inner.get_ref().paused()
    }

    /// How many frames the peer has sent so far.
    #[must_use]
    pub fn frames_seen(&self) -> u64 {
        self.inner.get_ref().frames_seen()
    }

    /// Ends the WebSocket, also after a [`Fault`] and after the peer's own close: sends what was given to the sink,
    /// then the close frame, waits for the peer's answer, and reads what it still sends, so that no reset destroys our
    /// last words on their way. All of it takes at most [`CLOSE_WAIT`]. Of `reason`, 123 bytes are sent.
    pub async fn close(mut self, code: u16, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(123)];
        let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from(reason) };
        // In a box too: no idle task should keep room for its end.
        let handshake = Box::pin(async move {
            // Fails when the peer closed first: then the answer to that is what reading sends.
            let _ = self.send(Message::Close(Some(frame))).await;
            while let Some(Ok(_)) = self.inner.next().await {}
            farewell(self.inner.get_mut().stream_mut()).await
        });
        let _ = timeout(CLOSE_WAIT, handshake).await;
    }

    /// Ends the WebSocket as a fault demands.
    pub async fn close_for(self, fault: Fault) {
        if let Some((code, reason)) = fault.close_code() {
            self.close(code, reason).await;
        }
    }

    /// Sends the rest of the message that was begun.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.unsent.is_empty() {
            ready!(self.inner.poll_ready_unpin(cx))?;
            let fragment = self.unsent.split_to(self.unsent.len().min(SOCKET_WRITE_BYTES));
            let is_last = self.unsent.is_empty();
            self.inner.start_send_unpin(frame(fragment, Data::Continue, is_last))?;
        }
        self.unsent = Bytes::new(); // lets go of what others may share
        Poll::Ready(Ok(()))
    }
}

/// One frame of a message.
fn frame(payload: Bytes, kind: Data, is_last: bool) -> Message {
    Message::Frame(Frame::message(payload, OpCode::Data(kind), is_last))
}

impl Stream for WebSocket {
    type Item = Result<Message, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.poll_next_unpin(cx).map_err(Fault::from)
    }
}

impl Sink<Message> for WebSocket {
    type Error = Fault;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        ready!(self.poll_unsent(cx))?;
        self.inner.poll_ready_unpin(cx).map_err(Fault::from)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Fault> {
        let (mut payload, kind) = match message {
            Message::Text(text) if text.len() > SOCKET_WRITE_BYTES => (Bytes::from(text), Data::Text),
            Message::Binary(bytes) if bytes.len() > SOCKET_WRITE_BYTES => (bytes, Data::Binary),
            short => return Ok(self.inner.start_send_unpin(short)?),
        };
        self.unsent = payload.split_off(SOCKET_WRITE_BYTES);
        Ok(self.inner.start_send_unpin(frame(payload, kind, false))?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        ready!(self.poll_unsent(cx))?;
        self.inner.poll_flush_unpin(cx).map_err(Fault::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        ready!(self.poll_unsent(cx))?;
        self.inner.poll_close_unpin(cx).map_err(Fault::from)
    }
}
