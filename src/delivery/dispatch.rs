//! Takes the bus's events: messages to their sessions, doubts to the cure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::cure::Cure;
use super::item::{Item, Notice, SharedMessage};
use super::metrics::{Gap, Metrics};
use super::outbox::Outbox;
use super::position::Verdict;
use super::registry::Registry;
use super::trail::Question;
use super::watchers::Watchers;
use crate::bus::{BusEvent, Cause, Hints, Nodes};
use crate::model::limits::{DEGRADED_PERIOD, TYPING_HOLDS};
use crate::model::{Clock, NodeId, UserId};
use crate::store::{Memberships, StandingCache};
use crate::telemetry::{Traces, Trail};
use crate::wire::ServerFrame;
use crate::wire::envelope::{Envelope, EnvelopeError};
use crate::wire::server::Assigned;

/// How much the bus can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// As far as it ever can.
    Usual,
    /// It may have lost something: ask once. The number tells one doubt from the next.
    Doubt(u64),
    /// It is away: ask again and again.
    Away,
}

/// Where messages are sorted to their sessions.
pub(super) struct Desk {
    pub(super) registry: Arc<Registry>,
    pub(super) memberships: Arc<Memberships>,
    pub(super) standings: Arc<StandingCache>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) traces: Traces,
    pub(super) trail: Arc<Trail>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) hints: Hints,
    /// Where questions about messages are answered.
    pub(super) questions: mpsc::Sender<Question>,
}

/// Sorts the bus's events until it ends them. What they say of the bus goes to `trust`.
pub(super) async fn run(mut events: mpsc::Receiver<BusEvent>, desk: Desk, trust: watch::Sender<Trust>) {
    let mut doubts = 0;
    while let Some(event) = events.recv().await {
        desk.metrics.events_waiting.set(events.len() as f64);
        match event {
            BusEvent::Message { user, payload } => desk.deliver(&user, &payload),
            BusEvent::Broadcast { payload } => desk.broadcast(&payload),
            BusEvent::Doubt(cause) => {
                tracing::warn!(cause = cause.name(), "messages may have been lost on the bus; asking the store");
                desk.count(cause);
                desk.watchers.doubt_all();
                doubts += 1;
                trust.send_replace(Trust::Doubt(doubts));
            }
            BusEvent::Away => {
                tracing::warn!("the bus is away; asking the store every {DEGRADED_PERIOD:?}");
                trust.send_replace(Trust::Away);
            }
        }
    }
}

/// Asks once after each doubt, and every [`DEGRADED_PERIOD`] while the bus is away. A question that the store did not
/// answer is asked again.
pub(super) async fn keep_cured(mut trust: watch::Receiver<Trust>, cure: Cure) {
    while trust.changed().await.is_ok() {
        loop {
            let asked_in = *trust.borrow_and_update();
            let whole = cure.everybody(if asked_in == Trust::Away { Gap::Away } else { Gap::Doubt }).await;
            let again = !whole || asked_in == Trust::Away;
            if !again && !trust.has_changed().unwrap_or(false) {
                break;
            }
            if again {
                tokio::select! {
                    () = sleep(DEGRADED_PERIOD) => {}
                    changed = trust.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}

impl Desk {
    fn count(&self, cause: Cause) {
        if let Some(index) = Cause::ALL.iter().position(|each| *each == cause) {
            self.metrics.doubts[index].increment(1);
        }
    }

    fn deliver(&self, user: &UserId, payload: &[u8]) {
        let (envelope, behind) = match Envelope::decode_with(payload) {
            Ok(decoded) => decoded,
            Err(error) => return self.unreadable(&error),
        };
        match envelope {
            Envelope::Message { message, predecessor, group } => {
                if group && message.event.is_some() {
                    self.memberships.forget(message.conversation);
                }
                self.hints.heard(message.conversation, message.seq, behind.seal);
                let age = self.clock.now().0.saturating_sub(message.at.0);
                self.metrics.received.record(Duration::from_millis(age));
                let (taken, reception) = (self.traces.take(message.id, behind.trace), self.trail.taken(&message));
                let shared = Arc::new(SharedMessage::new(message, predecessor, group).traced(taken).noted(reception));
                self.offer(user, &shared);
                shared.offered();
            }
            Envelope::Receipt { conversation, cursor } => {
                self.tell(user, ServerFrame::Receipt { conversation, cursor });
            }
            Envelope::Assignment { conversation, assignment } => {
                let assignment = Assigned::of(assignment, *user == UserId::team());
                self.tell(user, ServerFrame::Assignment { conversation, assignment });
            }
            Envelope::Typing { conversation, user: writer, active } if writer != *user => {
                let expires_ms = u64::try_from(TYPING_HOLDS.as_millis()).unwrap_or(u64::MAX);
                self.tell(user, ServerFrame::Typing { conversation, user: writer, active, expires_ms });
            }
            Envelope::Standing {} => {
                self.standings.forget(user);
                self.registry.each_session(user, Outbox::doubt_standing);
            }
            // Told to every node, not to one user's.
            Envelope::Typing { .. } | Envelope::Presence { .. } | Envelope::Node { .. } | Envelope::Trail { .. } => {}
        }
    }

    /// What every node is told.
    fn broadcast(&self, payload: &[u8]) {
        match Envelope::decode(payload) {
            Ok(Envelope::Presence { users }) => self.watchers.doubt(users),
            Ok(Envelope::Node { node, label, leaves }) => self.nodes.heard(NodeId(node), label, leaves),
            Ok(Envelope::Trail { message, asker, request }) => {
                // Without room, whoever asks is told that this node did not answer.
                let _ = self.questions.try_send(Question { message, asker: NodeId(asker), request });
            }
            Ok(_) => {}
            Err(error) => self.unreadable(&error),
        }
    }

    fn unreadable(&self, error: &EnvelopeError) {
        self.metrics.unreadable.increment(1);
        tracing::debug!(%error, "an envelope from the bus was dropped; the store has what matters");
    }

    fn offer(&self, user: &UserId, shared: &Arc<SharedMessage>) {
        self.registry.each_session(user, |outbox| match outbox.offer(shared) {
            Verdict::Show => self.metrics.shown.increment(1),
            Verdict::Drop => self.metrics.dropped.increment(1),
            Verdict::Want => {
                let is_full = outbox.is_full();
                self.metrics.wanted.increment(1);
                self.metrics.full.increment(u64::from(is_full));
                self.metrics.gap(if is_full { Gap::Full } else { Gap::Hole });
            }
        });
    }

    /// Shows all of a user's sessions something that the next of its kind will heal if it is lost.
    fn tell(&self, user: &UserId, frame: ServerFrame) {
        let notice = Arc::new(Notice::new(frame));
        self.registry.each_session(user, |outbox| outbox.push_lossy(Item::Notice(notice.clone())));
    }
}
