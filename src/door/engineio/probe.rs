//! A session on its way from polling to a WebSocket: the client asks over the new one whether it works, ends its polling,
//! and says that the new one counts.

use futures_util::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::polling::Probe;
use crate::door::websocket::{Message, WebSocket};
use crate::model::limits::{UPGRADE_RELEASE, UPGRADE_WAIT};
use crate::wire::engineio::{PONG_PROBE, Packet};

/// Hands the WebSocket over to the session, or closes it; then polling goes on.
pub(super) async fn run(probe: Probe, mut websocket: WebSocket) {
    if !is_confirmed(&mut websocket, || probe.release_poll()).await {
        drop(probe);
        return websocket.close(1008, "upgrade not confirmed").await;
    }
    if let Some(websocket) = probe.upgrade(websocket) {
        websocket.close(1000, "the session has ended").await;
    }
}

/// Whether the client confirms in time that the WebSocket counts. Meanwhile `release` is called again and again.
pub(super) async fn is_confirmed(websocket: &mut WebSocket, release: impl Fn()) -> bool {
    timeout(UPGRADE_WAIT, confirm(websocket, release)).await.is_ok_and(|confirmed| confirmed.is_some())
}

/// Waits until the client says that the WebSocket counts; `None` when it says anything else.
async fn confirm(websocket: &mut WebSocket, release: impl Fn()) -> Option<()> {
    let Packet::Ping("probe") = Packet::decode(&next_text(websocket).await?).ok()? else { return None };
    websocket.send(Message::Text(PONG_PROBE.into())).await.ok()?;
    let mut releases = interval(UPGRADE_RELEASE);
    releases.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            text = next_text(websocket) => {
                return (Packet::decode(&text?) == Ok(Packet::Upgrade)).then_some(());
            }
            _ = releases.tick() => release(),
        }
    }
}

async fn next_text(websocket: &mut WebSocket) -> Option<String> {
    loop {
        match websocket.next().await?.ok()? {
            Message::Text(text) => return Some(text.as_str().to_owned()),
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}
