//! The side of the requests: what polls take, and what bodies bring.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::{Polled, Stage};
use crate::door::engineio::Incoming;
use crate::door::websocket::WebSocket;
use crate::model::limits::POST_WAIT;
use crate::wire::engineio::payload::{self, Part};
use crate::wire::engineio::{CLOSE, NOOP, Packet, Refused};
use crate::wire::relay::Via;

impl Polled {
    /// Waits for something to send, and takes it. A second poll at the same time, or one whose request vanished, ends
    /// the session: something would be lost.
    ///
    /// # Errors
    /// If the session has ended, or ends with this.
    pub(in crate::door::engineio) async fn poll(&self, via: Via) -> Result<Bytes, Refused> {
        let answer = {
            let mut state = self.lock();
            state.check_alive(via)?;
            if state.poll.is_some() {
                self.end(&mut state, CLOSE);
                return Err(Refused::BadRequest);
            }
            if let Some(payload) = self.take_payload(&mut state) {
                return Ok(payload);
            }
            let (poll, answer) = oneshot::channel();
            state.poll = Some(poll);
            answer
        };
        let mut waiting = Waiting { session: self, is_answered: false };
        let answered = answer.await;
        waiting.is_answered = true;
        answered.map_err(|_| Refused::UnknownSid)
    }

    /// Takes in the packets of a body, after those of the body before it were taken.
    ///
    /// # Errors
    /// If the session has ended, or ends with this because the body is none.
    pub(in crate::door::engineio) async fn post(&self, via: Via, body: &Bytes) -> Result<(), Refused> {
        let parts = std::str::from_utf8(body).ok().and_then(|text| payload::decode(text).ok());
        {
            let mut state = self.lock();
            state.check_alive(via)?;
            let Some(parts) = parts.as_ref().filter(|parts| !state.is_posting && parts.iter().all(is_acceptable))
            else {
                self.end(&mut state, CLOSE);
                return Err(Refused::BadRequest);
            };
            if parts.iter().any(|part| matches!(part, Part::Text(Packet::Pong(_)))) {
                state.heartbeat.pong(Instant::now());
                state.incoming.push_back(Incoming::Alive);
                state.wake();
            }
            state.is_posting = true;
        }
        let _posting = Posting(self);
        if timeout(POST_WAIT, self.all_taken()).await.is_err() {
            self.end(&mut self.lock(), CLOSE);
        }
        let mut state = self.lock();
        state.check_alive(via)?;
        for part in parts.into_iter().flatten() {
            match part {
                Part::Text(Packet::Message(text)) => {
                    state.incoming.push_back(Incoming::Text(body.slice_ref(text.as_bytes())))
                }
                Part::Binary(bytes) => state.incoming.push_back(Incoming::Binary(bytes.into())),
                // The client has left, so a poll of its own that waits gets nothing more.
                Part::Text(Packet::Close) => {
                    self.end(&mut state, NOOP);
                    break;
                }
                Part::Text(_) => {}
            }
        }
        state.wake();
        Ok(())
    }

    /// Waits until the session's task has taken everything, or has ended.
    async fn all_taken(&self) {
        loop {
            let taken = self.taken.notified();
            {
                let state = self.lock();
                if state.is_over() || state.incoming.is_empty() {
                    return;
                }
            }
            taken.await;
        }
    }

    /// Begins to try a WebSocket, until the guard is dropped.
    ///
    /// # Errors
    /// If one is being tried, or the session has ended.
    pub(in crate::door::engineio) fn probe(self: &Arc<Self>) -> Result<Probe, Refused> {
        let mut state = self.lock();
        state.check_alive(Via::Http)?;
        match state.stage {
            Stage::Polling => state.stage = Stage::Probing,
            _ => return Err(Refused::BadRequest),
        }
        Ok(Probe(Arc::clone(self)))
    }

    /// From here on, another node's WebSocket counts.
    ///
    /// # Errors
    /// If it is not being tried, or the session has ended.
    pub(in crate::door::engineio) fn bridge(&self) -> Result<(), Refused> {
        let mut state = self.lock();
        state.check_alive(Via::Http)?;
        if !matches!(state.stage, Stage::Probing) {
            return Err(Refused::BadRequest);
        }
        state.answer_poll(NOOP);
        state.stage = Stage::Bridged;
        Ok(())
    }

    /// Lets a poll that waits go with nothing, so that its client polls again, or ends its polling.
    pub(in crate::door::engineio) fn release_poll(&self) {
        self.lock().answer_poll(NOOP);
    }

    /// Whether a WebSocket is being tried.
    pub(in crate::door::engineio) fn is_probing(&self) -> bool {
        matches!(self.lock().stage, Stage::Probing)
    }
}

/// Whether a client may send this over polling.
fn is_acceptable(part: &Part<'_>) -> bool {
    !matches!(part, Part::Text(Packet::Ping(_) | Packet::Upgrade))
}

/// A poll that waits. If its request vanishes, so does the session.
struct Waiting<'a> {
    session: &'a Polled,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.session.end(&mut self.session.lock(), CLOSE);
        }
    }
}

/// A body that is being taken in.
struct Posting<'a>(&'a Polled);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.lock().is_posting = false;
    }
}

/// A WebSocket is being tried.
#[derive(Debug)]
pub(in crate::door::engineio) struct Probe(Arc<Polled>);

impl Probe {
    /// Lets a poll that waits go, so that the client can end its polling.
    pub(in crate::door::engineio) fn release_poll(&self) {
        self.0.release_poll();
    }

    /// From here on, this WebSocket counts. Gives it back if the session has ended.
    pub(in crate::door::engineio) fn upgrade(self, websocket: WebSocket) -> Option<WebSocket> {
        let mut state = self.0.lock();
        if !matches!(state.stage, Stage::Probing) {
            return Some(websocket);
        }
        state.answer_poll(NOOP);
        state.stage = Stage::Upgraded(Box::new(websocket));
        state.wake();
        None
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(state.stage, Stage::Probing) {
            state.stage = Stage::Polling;
        }
    }
}
