//! One WebSocket to a node: frames in, frames out. Nothing here outlives the connection; none means that it is lost.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use switchboard::model::{ConversationId, Seq};
use switchboard::wire::Encoding;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::outgoing::Outgoing;
use crate::frames::{Answer, Ask, Resume};

/// How long a node may leave its socket unread; then the connection is given up.
const WRITE_WAIT: Duration = Duration::from_secs(20);
/// What each connection keeps for reading: there are tens of thousands.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// An open connection.
pub(crate) struct Link(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Link {
    pub(crate) async fn open(target: &str) -> Option<Self> {
        let mut request = format!("{target}/ws").into_client_request().ok()?;
        let protocol = HeaderValue::from_static(Encoding::Json.subprotocol());
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let (socket, _) = connect_async_with_config(request, Some(config), true).await.ok()?;
        Some(Self(socket))
    }

    pub(crate) async fn hello(&mut self, token: &str, resume: Option<Resume>) -> Option<()> {
        self.write(&Ask::Hello { token, resume }).await?;
        self.flush().await
    }

    pub(crate) async fn resume(&mut self, cursors: HashMap<ConversationId, Seq>) -> Option<()> {
        self.write(&Ask::Resume { cursors }).await?;
        self.flush().await
    }

    pub(crate) async fn send(&mut self, send: &Outgoing) -> Option<()> {
        self.write(&Ask::Send { to: &send.to, key: &send.key, text: &send.text }).await
    }

    pub(crate) async fn ping(&mut self) -> Option<()> {
        self.write(&Ask::Ping {}).await?;
        self.flush().await
    }

    pub(crate) async fn flush(&mut self) -> Option<()> {
        timeout(WRITE_WAIT, self.0.flush()).await.ok()?.ok()
    }

    /// The next frame. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        loop {
            match self.0.next().await?.ok()? {
                Frame::Text(text) => return Encoding::Json.decode(text.as_bytes()).ok(),
                Frame::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn write(&mut self, ask: &Ask<'_>) -> Option<()> {
        let bytes = Encoding::Json.encode(ask).to_vec();
        let frame = Frame::text(String::from_utf8(bytes).ok()?);
        timeout(WRITE_WAIT, self.0.feed(frame)).await.ok()?.ok()
    }
}
