//! A session that is polled: what has come in and waits for the layer above, what has gone out and waits for a poll.
//!
//! HTTP [`requests`] and the session's own [`task`] meet here, under one lock that is never held across a wait.

mod requests;
mod task;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

pub(super) use self::requests::Probe;
pub(super) use self::task::Handover;
use super::heartbeat::Heartbeat;
use super::relayed::Relayed;
use super::{Incoming, Outgoing};
use crate::door::guests::Unauthenticated;
use crate::door::websocket::WebSocket;
use crate::wire::engineio::{CLOSE, Refused, Sid, payload};
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
