//! Requests of sessions that another node holds. A load balancer deals requests as it likes; the session's id says whose
//! it is, and the request is carried there, repeated until it is answered, and done once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use metrics::{Counter, counter, describe_counter};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::polling::Polled;
use super::relayed::Known;
use super::{Sessions, Settings};
use crate::model::limits::{RELAY_RESEND, RELAY_SILENCE_MAX, RELAYED_REQUESTS_MAX, UPGRADE_RELEASE, UPGRADE_WAIT};
use crate::model::{Chance, NodeId};
use crate::wire::engineio::{Refused, Sid};
use crate::wire::relay::{Ask, Frame, Reply};

/// How bytes get from node to node.
pub trait Carrier: Send + Sync + 'static {
    /// Sends a frame to a node: at most once, in no promised order, without waiting. That node hands it to
    /// [`Relay::receive`].
    fn send(&self, to: NodeId, frame: Bytes);
}

/// One node's part in carrying requests: it asks for the requests that came here, and answers for the sessions that are
/// here.
pub struct Relay {
    node: NodeId,
    settings: Settings,
    chance: Arc<dyn Chance>,
    sessions: Arc<Sessions>,
    carrier: Arc<dyn Carrier>,
    drain: CancellationToken,
    waiting: Mutex<HashMap<u64, mpsc::Sender<Reply>>>,
    asked: Counter,
    unanswered: Counter,
}

/// What was asked and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// A payload for a poll, else nothing; and whether the client has shown a token.
    Payload(String, bool),
    /// The body is too long.
    TooLong,
}

impl Relay {
    /// The part of `node`, whose sessions are these. With `drain`, requests that wait are released, and bridges end.
    #[must_use]
    pub fn new(
        node: NodeId,
        settings: Settings,
        chance: Arc<dyn Chance>,
        sessions: Arc<Sessions>,
        carrier: Arc<dyn Carrier>,
        drain: CancellationToken,
    ) -> Arc<Self> {
        let (asked, unanswered) =
            ("switchboard_relayed_requests_total", "switchboard_relayed_requests_unanswered_total");
        describe_counter!(asked, "Polled requests that another node was asked to do");
        describe_counter!(unanswered, "Of those, the ones that it did not answer in time");
        Arc::new(Self {
            node,
            settings,
            chance,
            sessions,
            carrier,
            drain,
            waiting: Mutex::default(),
            asked: counter!(asked),
            unanswered: counter!(unanswered),
        })
    }

    /// Asks the node that holds a session. If this is dropped before it ends, that node learns that the client vanished.
    ///
    /// # Errors
    /// What that node refuses; [`Refused::UnknownSid`] when it shows no sign of life for [`RELAY_SILENCE_MAX`];
    /// [`Refused::Forbidden`] when [`RELAYED_REQUESTS_MAX`] requests wait already.
    pub(super) async fn ask(&self, sid: Sid, ask: Ask) -> Result<Done, Refused> {
        let id = self.chance.bits();
        let request = Frame::Request { id, from: self.node.0, sid, ask }.encode().ok_or(Refused::BadRequest)?;
        let (replies, mut replied) = mpsc::channel(2);
        let mut asking = self.begin(id, sid, replies)?;
        let mut repeat = interval(RELAY_RESEND);
        repeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut alive = Instant::now();
        let mut is_released = false;
        loop {
            tokio::select! {
                biased;
                reply = replied.recv() => match reply {
                    Some(Reply::Held) => alive = Instant::now(),
                    Some(reply) => {
                        asking.is_answered = true;
                        return outcome(reply);
                    }
                    None => return Err(Refused::UnknownSid),
                },
                _ = repeat.tick() => {
                    if alive.elapsed() >= RELAY_SILENCE_MAX {
                        self.unanswered.increment(1);
                        return Err(Refused::UnknownSid);
                    }
                    self.carrier.send(sid.node, request.clone());
                    is_released = false;
                }
                () = self.drain.cancelled(), if !is_released => {
                    self.send(sid.node, &Frame::Release { id, sid });
                    is_released = true;
                }
            }
        }
    }

    fn begin(&self, id: u64, sid: Sid, replies: mpsc::Sender<Reply>) -> Result<Asking<'_>, Refused> {
        let mut waiting = self.lock();
        if waiting.len() >= RELAYED_REQUESTS_MAX {
            return Err(Refused::Forbidden);
        }
        waiting.insert(id, replies);
        self.asked.increment(1);
        Ok(Asking { relay: self, id, sid, is_answered: false })
    }

    /// Takes a frame that another node sent to this one. What is no frame is dropped.
    pub fn receive(self: &Arc<Self>, frame: &[u8]) {
        match Frame::decode(frame, self.settings.max_payload) {
            Ok(Frame::Request { id, from, sid, ask }) => self.do_once(id, NodeId(from), sid, ask),
            Ok(Frame::Cancel { id, sid }) => {
                if let Some(session) = self.sessions.get(&sid)
                    && session.relayed.cancel(id)
                {
                    session.abandon(); // what that poll got is lost, as when a client vanishes here
                }
            }
            Ok(Frame::Release { id, sid }) => {
                if let Some(session) = self.sessions.get(&sid).filter(|session| session.relayed.is_running(id)) {
                    session.release_poll();
                }
            }
            Ok(Frame::Reply { id, reply }) => {
                let waiting = self.lock().get(&id).cloned();
                // A full queue holds an answer already.
                let _ = waiting.map(|waiting| waiting.try_send(reply));
            }
            Err(error) => debug!(%error, bytes = frame.len(), "another node sent something else"),
        }
    }

    fn do_once(self: &Arc<Self>, id: u64, from: NodeId, sid: Sid, ask: Ask) {
        let Some(session) = self.sessions.get(&sid) else {
            return self.reply(from, id, &Reply::Refused(Refused::UnknownSid.into()));
        };
        match session.relayed.note(id, &ask) {
            Known::Past => {}
            Known::Running => self.reply(from, id, &Reply::Held),
            Known::Answered(reply) => self.reply(from, id, &reply),
            Known::New => {
                let (relay, worked_on) = (Arc::clone(self), Arc::clone(&session));
                let task = tokio::spawn(async move {
                    let reply = Arc::new(relay.work(&worked_on, ask).await);
                    worked_on.relayed.answered(id, &reply);
                    relay.reply(from, id, &reply);
                });
                session.relayed.begun(id, task.abort_handle());
            }
        }
    }

    /// Does what is asked.
    async fn work(&self, session: &Arc<Polled>, ask: Ask) -> Reply {
        let done = match ask {
            Ask::Poll(via) => {
                session.poll(via).await.map(|payload| String::from_utf8(payload.into()).unwrap_or_default())
            }
            Ask::Post(_, body) if body.len() > self.settings.body_max(session.is_authenticated()) => {
                return Reply::TooLong;
            }
            Ask::Post(via, body) => session.post(via, &body.into()).await.map(|()| String::new()),
            Ask::Probe => probe(session).map(|()| String::new()),
            Ask::Upgrade => session.bridge().map(|()| String::new()),
        };
        match done {
            Ok(payload) => Reply::Done { payload, is_authenticated: session.is_authenticated() },
            Err(refused) => Reply::Refused(refused.into()),
        }
    }

    fn reply(&self, to: NodeId, id: u64, reply: &Reply) {
        self.send(to, &Frame::Reply { id, reply: reply.clone() });
    }

    fn send(&self, to: NodeId, frame: &Frame) {
        if let Some(frame) = frame.encode() {
            self.carrier.send(to, frame);
        }
    }

    /// Cancelled when the node drains.
    pub(super) fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome(reply: Reply) -> Result<Done, Refused> {
    match reply {
        Reply::Done { payload, is_authenticated } => Ok(Done::Payload(payload, is_authenticated)),
        Reply::TooLong => Ok(Done::TooLong),
        Reply::Refused(code) => Err(code.into()),
        Reply::Held => Err(Refused::BadRequest),
    }
}

/// Tries a WebSocket that another node holds: releases the polls that wait meanwhile, and gives up when nothing is said
/// of it in time.
fn probe(session: &Arc<Polled>) -> Result<(), Refused> {
    let probe = session.probe()?;
    let session = Arc::clone(session);
    tokio::spawn(async move {
        let deadline = Instant::now() + 2 * UPGRADE_WAIT; // the other node's own wait is the shorter one
        while session.is_probing() && Instant::now() < deadline {
            probe.release_poll();
            sleep(UPGRADE_RELEASE).await;
        }
    });
    Ok(())
}

/// A request that waits for its answer. If it is dropped before, its client has vanished.
struct Asking<'a> {
    relay: &'a Relay,
    id: u64,
    sid: Sid,
    is_answered: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.relay.lock().remove(&self.id);
        if !self.is_answered {
            self.relay.send(self.sid.node, &Frame::Cancel { id: self.id, sid: self.sid });
        }
    }
}
