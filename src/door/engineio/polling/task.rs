//! The side of the session's task: what came in, what is to go out, and when the client is gone.

use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Polled, Stage};
use crate::door::engineio::heartbeat::{Due, Heartbeat};
use crate::door::engineio::{Incoming, Outgoing};
use crate::door::websocket::WebSocket;
use crate::model::limits::POLLED_BYTES_MAX;
use crate::wire::engineio::{CLOSE, PING};

/// What a session goes on with when its WebSocket counts.
pub(in crate::door::engineio) struct Handover {
    pub(in crate::door::engineio) websocket: WebSocket,
    /// What was said and not polled.
    pub(in crate::door::engineio) unsent: VecDeque<Outgoing>,
    pub(in crate::door::engineio) heartbeat: Heartbeat,
}

impl Polled {
    /// What came in; and pings the client, or notices that it is gone.
    pub(in crate::door::engineio) fn poll_incoming(&self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut state = self.lock();
        if let Some(incoming) = state.incoming.pop_front() {
            if state.incoming.is_empty() {
                state.incoming = VecDeque::new(); // an idle session keeps no room
                self.taken.notify_one();
            }
            return Poll::Ready(incoming);
        }
        if state.is_over() {
            return Poll::Ready(Incoming::Gone);
        }
        match state.heartbeat.due(Instant::now()) {
            Some(Due::Death) => {
                self.end(&mut state, CLOSE);
                return Poll::Ready(Incoming::Gone);
            }
            Some(Due::Ping) => {
                state.push(Outgoing::Text(Bytes::from_static(PING.as_bytes())));
                self.flush(&mut state);
            }
            None => {}
        }
        state.task = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The WebSocket, once it counts and everything that came before it was taken.
    pub(in crate::door::engineio) fn take_handover(&self) -> Option<Handover> {
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Upgraded(_)) || !state.incoming.is_empty() {
            return None;
        }
        let Stage::Upgraded(websocket) = std::mem::replace(&mut state.stage, Stage::Closed) else { return None };
        let unsent = std::mem::take(&mut state.outgoing);
        Some(Handover { websocket: *websocket, unsent, heartbeat: state.heartbeat })
    }

    /// Whether a WebSocket counts that was not taken yet.
    pub(in crate::door::engineio) fn is_upgraded(&self) -> bool {
        matches!(self.lock().stage, Stage::Upgraded(_))
    }

    /// When the client must be pinged, or is gone.
    pub(in crate::door::engineio) fn heartbeat_at(&self) -> Instant {
        self.lock().heartbeat.at()
    }

    /// Whether another packet can be taken. `None` when the session has ended.
    pub(in crate::door::engineio) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut state = self.lock();
        if state.is_over() {
            return Poll::Ready(None);
        }
        if state.outgoing_bytes < POLLED_BYTES_MAX {
            return Poll::Ready(Some(()));
        }
        self.flush(&mut state);
        if state.outgoing_bytes < POLLED_BYTES_MAX {
            return Poll::Ready(Some(()));
        }
        state.task = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes a packet.
    pub(in crate::door::engineio) fn push(&self, packet: Outgoing) {
        self.lock().push(packet);
    }

    /// Lets polls have what was taken. Ready when all of it was polled.
    pub(in crate::door::engineio) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut state = self.lock();
        if state.is_over() {
            return Poll::Ready(None);
        }
        self.flush(&mut state);
        if state.outgoing.is_empty() {
            return Poll::Ready(Some(()));
        }
        state.task = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The client has shown a token that counts.
    pub(in crate::door::engineio) fn authenticated(&self) {
        self.lock().guest = None;
    }

    /// Ends the session in good order: what was taken is polled, then the end. Ends when that happened, or nobody polls
    /// any longer.
    pub(in crate::door::engineio) fn close(&self) -> impl Future<Output = ()> + '_ {
        let ended = self.ended.notified();
        let mut state = self.lock();
        if matches!(state.stage, Stage::Polling | Stage::Probing | Stage::Bridged) {
            state.stage = Stage::Closing;
            self.flush(&mut state);
        }
        let is_over = matches!(state.stage, Stage::Closed);
        drop(state);
        async move {
            if !is_over {
                ended.await;
            }
        }
    }
}
