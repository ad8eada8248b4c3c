//! A WebSocket: frames in, frames out.

use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::door::{Dialer, Stream};

/// How long a node may leave its socket unread; then the connection is given up.
const WRITE_WAIT: Duration = Duration::from_secs(20);
/// What each connection keeps for reading: there are tens of thousands.
const READ_BUFFER_BYTES: usize = 4 * 1024;

pub(super) struct WebSocket(WebSocketStream<Stream>);

impl WebSocket {
    pub(super) async fn open(dialer: &Dialer, url: &str, protocol: Option<&'static str>) -> Option<Self> {
        let mut request = url.into_client_request().ok()?;
        if let Some(protocol) = protocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
        }
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let stream = dialer.dial(request.uri()).await?;
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await.ok()?;
        Some(Self(socket))
    }

    pub(super) async fn write(&mut self, frame: Frame) -> Option<()> {
        in_time(self.0.feed(frame)).await
    }

    pub(super) async fn flush(&mut self) -> Option<()> {
        in_time(self.0.flush()).await
    }

    /// The next frame that says something. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.0.next().await?.ok()? {
                frame @ (Frame::Text(_) | Frame::Binary(_)) => return Some(frame),
                Frame::Close(_) => return None,
                _ => {}
            }
        }
    }
}

/// What a node has room for, as it nearly always has, needs no timer.
async fn in_time(writing: impl Future<Output = Result<(), Error>>) -> Option<()> {
    let mut writing = pin!(writing);
    let written = match writing.as_mut().now_or_never() {
        Some(written) => written,
        None => timeout(WRITE_WAIT, writing).await.ok()?,
    };
    written.ok()
}
