//! Says back every Engine.IO message.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use switchboard::door::engineio::{Ended, EngineSocket, Incoming, Layer, Opening, Outgoing, Run};

/// The layer.
pub(crate) struct Echo;

impl Layer for Echo {
    fn run(self: Arc<Self>, socket: EngineSocket, _opening: Opening) -> Run {
        Box::pin(echo(socket))
    }
}

async fn echo(mut socket: EngineSocket) {
    loop {
        let packet = match next(&mut socket).await {
            Incoming::Text(text) => Outgoing::Text(Bytes::from([b"4", &text[..]].concat())),
            Incoming::Binary(bytes) => Outgoing::Binary(bytes),
            Incoming::Alive => continue,
            Incoming::Gone => return socket.close(1000, "").await,
            Incoming::Broken(fault) => return socket.close_for(fault).await,
        };
        if send(&mut socket, packet).await.is_err() {
            return socket.close(1000, "").await;
        }
    }
}

/// The next thing that comes in. What was said before is sent while that is waited for.
pub(crate) async fn next(socket: &mut EngineSocket) -> Incoming {
    poll_fn(|cx| {
        let incoming = socket.poll_incoming(cx);
        if incoming.is_pending() {
            let _ = socket.poll_flush(cx); // if that fails, the end comes in
        }
        incoming
    })
    .await
}

/// Says something.
pub(crate) async fn send(socket: &mut EngineSocket, packet: Outgoing) -> Result<(), Ended> {
    poll_fn(|cx| socket.poll_ready(cx)).await?;
    socket.start_send(packet)
}
