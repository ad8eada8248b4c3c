//! Where a message is: what every node remembers of it, and how far its receivers have come.
//!
//! Any node is asked; it asks all others over the bus and waits a moment for their answers. Which of them did not answer
//! is said, so that nothing is taken for not having happened because nobody was there to tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, counter, describe_counter};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::{Chat, unavailable};
use crate::bus::{Bus, Nodes};
use crate::model::limits::{NODES_KNOWN_MAX, TRAIL_WAIT, TRAILS_AT_ONCE_MAX};
use crate::model::{Chance, Code, Identity, MessageId, NodeId, Refusal, Role, UserId};
use crate::telemetry::Trail;
use crate::wire::envelope::Envelope;
use crate::wire::trail::{About, Answer, Known, Sending, Taking};

/// What is known of a message's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Which message it is.
    pub about: About,
    /// How it was stored and announced, and on which node; nothing if no node that answered remembers.
    pub sending: Option<(String, Sending)>,
    /// The nodes that it came to, and how it went on there.
    pub nodes: Vec<(String, Taking)>,
    /// The nodes that did not answer.
    pub silent: Vec<String>,
    /// How many members it is for, besides its sender.
    pub members: usize,
    /// To how many of them it was delivered, as their devices say.
    pub delivered: usize,
    /// How many of them have read it.
    pub read: usize,
}

/// Who asks the other nodes.
pub(super) struct Asker {
    trail: Arc<Trail>,
    nodes: Arc<Nodes>,
    bus: Arc<dyn Bus>,
    chance: Arc<dyn Chance>,
    waiting: Mutex<HashMap<u64, mpsc::Sender<Answer>>>,
    questions: Counter,
    unanswered: Counter,
}

/// What all nodes said.
struct Heard {
    known: Vec<(String, Known)>,
    silent: Vec<String>,
}

impl Asker {
    pub(super) fn new(trail: Arc<Trail>, nodes: Arc<Nodes>, bus: Arc<dyn Bus>, chance: Arc<dyn Chance>) -> Self {
        let (questions, unanswered) =
            ("switchboard_trail_questions_total", "switchboard_trail_questions_unanswered_total");
        describe_counter!(questions, "Questions to other nodes about where a message is");
        describe_counter!(unanswered, "Of those, the ones that were not answered in time");
        let (questions, unanswered) = (counter!(questions), counter!(unanswered));
        Self { trail, nodes, bus, chance, waiting: Mutex::default(), questions, unanswered }
    }

    /// Takes an answer of another node. One that nobody waits for any more is dropped.
    fn take(&self, answer: Answer) {
        let waiting = self.lock().get(&answer.request).cloned();
        if let Some(waiting) = waiting {
            // There is room for an answer of every node.
            let _ = waiting.try_send(answer);
        }
    }

    /// Asks every node, this one too.
    async fn ask(&self, id: MessageId) -> Result<Heard, Refusal> {
        let own = self.trail.know(id).map(|known| (self.nodes.label().to_owned(), known));
        let mut heard = Heard { known: own.into_iter().collect(), silent: Vec::new() };
        let mut others: HashMap<NodeId, String> = self.nodes.others().into_iter().collect();
        if others.is_empty() {
            return Ok(heard);
        }
        let request = self.chance.bits();
        let (answers, mut answered) = mpsc::channel(NODES_KNOWN_MAX);
        let _asking = self.begin(request, answers)?;
        self.questions.increment(others.len() as u64);
        let question = Envelope::Trail { message: id, asker: self.nodes.own().0, request };
        self.bus.broadcast(question.encode()).await;
        let deadline = Instant::now() + TRAIL_WAIT;
        while !others.is_empty() {
            let Ok(Some(answer)) = timeout_at(deadline, answered.recv()).await else { break };
            let node = NodeId(answer.node);
            let label = others.remove(&node).unwrap_or_else(|| node.to_string());
            heard.known.extend(answer.known.map(|known| (label, known)));
        }
        self.unanswered.increment(others.len() as u64);
        heard.silent = others.into_values().collect();
        heard.silent.sort();
        Ok(heard)
    }

    fn begin(&self, request: u64, answers: mpsc::Sender<Answer>) -> Result<Asking<'_>, Refusal> {
        let mut waiting = self.lock();
        if waiting.len() >= TRAILS_AT_ONCE_MAX {
            return Err(Refusal::new(Code::Busy, "too many look for a message at once").after(TRAIL_WAIT));
        }
        waiting.insert(request, answers);
        Ok(Asking { asker: self, request })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that waits for answers.
struct Asking<'a> {
    asker: &'a Asker,
    request: u64,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.asker.lock().remove(&self.request);
    }
}

impl Chat {
    /// Where a message is, for its sender and for agents. Nothing for anybody else, and where no node remembers it.
    ///
    /// # Errors
    /// `busy` if too many ask at once, `unavailable` if the store does not answer.
    pub async fn way(&self, who: &Identity, id: MessageId) -> Result<Option<Way>, Refusal> {
        let Heard { known, silent } = self.asker.ask(id).await?;
        let Some(about) = known.first().map(|(_, known)| known.about.clone()) else { return Ok(None) };
        if who.role != Role::Admin && about.sender != who.user {
            return Ok(None);
        }
        let mut way = Way { about, sending: None, nodes: Vec::new(), silent, members: 0, delivered: 0, read: 0 };
        for (node, Known { sending, taking, .. }) in known {
            way.sending = way.sending.or(sending.map(|sending| (node.clone(), sending)));
            way.nodes.extend(taking.map(|taking| (node, taking)));
        }
        way.nodes.sort_by(|(one, here), (other, there)| (here.received, one).cmp(&(there.received, other)));
        self.count_receipts(&mut way).await?;
        Ok(Some(way))
    }

    async fn count_receipts(&self, way: &mut Way) -> Result<(), Refusal> {
        let About { conversation, seq, sender, .. } = way.about.clone();
        let talk = self.memberships.read(conversation).await.map_err(|error| unavailable(&error))?;
        let Some(talk) = talk else { return Ok(()) };
        // Who writes for the team is no member.
        let writer = if talk.conversation.has(&sender) { sender } else { UserId::team() };
        let cursors = self.store.cursors(conversation).await.map_err(|error| unavailable(&error))?;
        let receivers = talk.conversation.members.iter().filter(|member| **member != writer);
        way.members = receivers.count();
        let of_receivers =
            || cursors.iter().filter(|cursor| cursor.user != writer && talk.conversation.has(&cursor.user));
        way.read = of_receivers().filter(|cursor| cursor.read >= seq).count();
        way.delivered = of_receivers().filter(|cursor| cursor.delivered.max(cursor.read) >= seq).count();
        Ok(())
    }

    /// Takes another node's answer to where a message is. Answers whether that is what it was.
    pub fn take_answer(&self, bytes: &[u8]) -> bool {
        if !Answer::is_meant(bytes) {
            return false;
        }
        match Answer::decode(bytes) {
            Ok(answer) => self.asker.take(answer),
            Err(error) => tracing::debug!(%error, bytes = bytes.len(), "another node sent something else"),
        }
        true
    }
}
