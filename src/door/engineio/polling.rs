//! A session that is polled: what has come in and waits for the layer above, what has gone out and waits for a poll.
//!
//! HTTP requests and the session's own task meet here, under one lock that is never held across a wait.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::heartbeat::{Due, Heartbeat};
use super::relayed::Relayed;
use super::{Incoming, Outgoing};
use crate::door::guests::Unauthenticated;
use crate::door::websocket::WebSocket;
use crate::model::limits::{POLLED_BYTES_MAX, POST_WAIT};
use crate::wire::engineio::payload::{self, Part};
use crate::wire::engineio::{CLOSE, NOOP, PING, Packet, Refused, Sid};
use crate::wire::relay::Via;

/// The session, shared by its task and its requests.
#[derive(Debug)]
pub(super) struct Polled {
    pub(super) sid: Sid,
    /// Bytes of one answer to a poll, and of one body, in the long run.
    max_payload: usize,
    state: Mutex<State>,
    /// What came in was taken, or the session has ended.
    taken: Notify,
    /// The last words were polled, or nobody will.
    ended: Notify,
    /// What other nodes asked, so that nothing is done twice.
    pub(super) relayed: Relayed,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    incoming: VecDeque<Incoming>,
    outgoing: VecDeque<Outgoing>,
    outgoing_bytes: usize,
    /// How many of `outgoing` a poll may have: what was flushed. So one poll gets all that was said in one go.
    flushed: usize,
    poll: Option<oneshot::Sender<Bytes>>,
    is_posting: bool,
    heartbeat: Heartbeat,
    task: Option<Waker>,
    guest: Option<Unauthenticated>,
}

/// Where a session is in its life.
#[derive(Debug)]
enum Stage {
    Polling,
    /// A WebSocket is being tried.
    Probing,
    /// The WebSocket counts; the session's task has yet to take it.
    Upgraded(Box<WebSocket>),
    /// Another node holds the client's WebSocket, and polls for it.
    Bridged,
    /// The server has ended it; the next poll gets its last words.
    Closing,
    Closed,
}

impl Polled {
    pub(super) fn new(sid: Sid, max_payload: usize, heartbeat: Heartbeat, guest: Unauthenticated) -> Self {
        let state = State {
            stage: Stage::Polling,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
            flushed: 0,
            poll: None,
            is_posting: false,
            heartbeat,
            task: None,
            guest: Some(guest),
        };
        Self {
            sid,
            max_payload,
            state: Mutex::new(state),
            taken: Notify::new(),
            ended: Notify::new(),
            relayed: Relayed::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its client has shown a token that counts.
    pub(super) fn is_authenticated(&self) -> bool {
        self.lock().guest.is_none()
    }
}

/// The side of the requests.
impl Polled {
    /// Waits for something to send, and takes it. A second poll at the same time, or one whose request vanished, ends
    /// the session: something would be lost.
    ///
    /// # Errors
    /// If the session has ended, or ends with this.
    pub(super) async fn poll(&self, via: Via) -> Result<Bytes, Refused> {
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
    pub(super) async fn post(&self, via: Via, body: &Bytes) -> Result<(), Refused> {
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
    pub(super) fn probe(self: &Arc<Self>) -> Result<Probe, Refused> {
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
    pub(super) fn bridge(&self) -> Result<(), Refused> {
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
    pub(super) fn release_poll(&self) {
        self.lock().answer_poll(NOOP);
    }

    /// Whether a WebSocket is being tried.
    pub(super) fn is_probing(&self) -> bool {
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
pub(super) struct Probe(Arc<Polled>);

impl Probe {
    /// Lets a poll that waits go, so that the client can end its polling.
    pub(super) fn release_poll(&self) {
        self.0.release_poll();
    }

    /// From here on, this WebSocket counts. Gives it back if the session has ended.
    pub(super) fn upgrade(self, websocket: WebSocket) -> Option<WebSocket> {
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

/// What a session goes on with when its WebSocket counts.
pub(super) struct Handover {
    pub(super) websocket: WebSocket,
    /// What was said and not polled.
    pub(super) unsent: VecDeque<Outgoing>,
    pub(super) heartbeat: Heartbeat,
}

/// The side of the session's task.
impl Polled {
    /// What came in; and pings the client, or notices that it is gone.
    pub(super) fn poll_incoming(&self, cx: &mut Context<'_>) -> Poll<Incoming> {
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
    pub(super) fn take_handover(&self) -> Option<Handover> {
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Upgraded(_)) || !state.incoming.is_empty() {
            return None;
        }
        let Stage::Upgraded(websocket) = std::mem::replace(&mut state.stage, Stage::Closed) else { return None };
        let unsent = std::mem::take(&mut state.outgoing);
        Some(Handover { websocket: *websocket, unsent, heartbeat: state.heartbeat })
    }

    /// Whether a WebSocket counts that was not taken yet.
    pub(super) fn is_upgraded(&self) -> bool {
        matches!(self.lock().stage, Stage::Upgraded(_))
    }

    /// When the client must be pinged, or is gone.
    pub(super) fn heartbeat_at(&self) -> Instant {
        self.lock().heartbeat.at()
    }

    /// Whether another packet can be taken. `None` when the session has ended.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Option<()>> {
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
    pub(super) fn push(&self, packet: Outgoing) {
        self.lock().push(packet);
    }

    /// Lets polls have what was taken. Ready when all of it was polled.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Option<()>> {
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
    pub(super) fn authenticated(&self) {
        self.lock().guest = None;
    }

    /// Ends the session in good order: what was taken is polled, then the end. Ends when that happened, or nobody polls
    /// any longer.
    pub(super) fn close(&self) -> impl Future<Output = ()> + '_ {
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

    /// Ends the session at once.
    pub(super) fn abandon(&self) {
        self.end(&mut self.lock(), CLOSE);
    }

    fn end(&self, state: &mut State, last_word: &'static str) {
        state.stage = Stage::Closed;
        state.answer_poll(last_word);
        state.outgoing = VecDeque::new();
        state.outgoing_bytes = 0;
        state.guest = None;
        state.wake();
        self.taken.notify_one();
        self.ended.notify_one();
    }

    fn flush(&self, state: &mut State) {
        state.flushed = state.outgoing.len();
        if state.poll.is_none() {
            return;
        }
        if let Some(payload) = self.take_payload(state)
            && let Some(poll) = state.poll.take()
        {
            // A request that vanished in this very moment ends the session by itself.
            let _ = poll.send(payload);
        }
    }

    /// What a poll gets now, if anything.
    fn take_payload(&self, state: &mut State) -> Option<Bytes> {
        let mut text = String::new();
        while state.flushed > 0 {
            let fits = |packet: &Outgoing| text.is_empty() || text.len() + packet.polled_bytes() <= self.max_payload;
            let Some(packet) = state.outgoing.pop_front_if(|packet| fits(packet)) else { break };
            state.flushed -= 1;
            state.outgoing_bytes -= packet.len();
            packet.push_to(&mut text);
        }
        if state.outgoing.is_empty() {
            state.outgoing = VecDeque::new();
        }
        if matches!(state.stage, Stage::Closing) && state.flushed == 0 {
            payload::push_text(&mut text, CLOSE);
            state.stage = Stage::Closed;
            state.guest = None;
            self.ended.notify_one();
        }
        state.wake();
        (!text.is_empty()).then(|| text.into())
    }
}

impl State {
    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Whether such requests may still come: the session is theirs, and its client has not been silent for too long.
    fn check_alive(&self, via: Via) -> Result<(), Refused> {
        let is_theirs = match (&self.stage, via) {
            (Stage::Closing, _) | (Stage::Polling | Stage::Probing, Via::Http) | (Stage::Bridged, Via::Bridge) => true,
            (Stage::Closed | Stage::Upgraded(_), _) | (Stage::Polling | Stage::Probing, _) | (Stage::Bridged, _) => {
                false
            }
        };
        if is_theirs && !self.heartbeat.is_dead(Instant::now()) { Ok(()) } else { Err(Refused::UnknownSid) }
    }

    fn push(&mut self, packet: Outgoing) {
        self.outgoing_bytes += packet.len();
        self.outgoing.push_back(packet);
    }

    fn answer_poll(&mut self, packet: &'static str) {
        if let Some(poll) = self.poll.take() {
            let _ = poll.send(Bytes::from_static(packet.as_bytes()));
        }
    }

    fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}
