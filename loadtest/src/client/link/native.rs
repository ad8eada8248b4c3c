//! The native door, in either encoding.

use switchboard::wire::Encoding;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::websocket::WebSocket;
use crate::door::{Dialer, Target};
use crate::frames::{Answer, Ask};

pub(crate) struct Native {
    socket: WebSocket,
    encoding: Encoding,
}

impl Native {
    pub(super) async fn open(dialer: &Dialer, encoding: Encoding, target: &Target) -> Option<Self> {
        let socket = WebSocket::open(dialer, &target.websocket("/ws"), Some(encoding.subprotocol())).await?;
        Some(Self { socket, encoding })
    }

    pub(super) async fn write(&mut self, ask: &Ask<'_>) -> Option<()> {
        let bytes = self.encoding.encode(ask);
        let frame = match self.encoding {
            Encoding::Json => Frame::Text(bytes.try_into().ok()?),
            Encoding::Msgpack => Frame::Binary(bytes),
        };
        self.socket.write(frame).await
    }

    pub(super) async fn flush(&mut self) -> Option<()> {
        self.socket.flush().await
    }

    pub(super) async fn next(&mut self) -> Option<Answer> {
        match self.socket.next().await? {
            Frame::Text(text) => Encoding::Json.decode(text.as_bytes()).ok(),
            Frame::Binary(bytes) => Encoding::Msgpack.decode(&bytes).ok(),
            _ => None,
        }
    }
}
