//! What a client knows and owes: the protocol's algorithm, without a connection.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use switchboard::model::limits::CURSORS_MAX;
use switchboard::model::{AsOf, ClientKey, Code, ConversationId, Message, Seq, UserId};
use tokio::time::Instant;

use super::outgoing::{Outgoing, Queue};
use super::place::Place;
use crate::frames::{Answer, Fault, Resume};
use crate::judge::{Ack, Shown, Testimony};
use crate::saying::{Saying, number_of};

/// Sends of one client without an answer at the same time. Below the number at which a node stops reading.
const IN_FLIGHT_MAX: usize = 32;
/// How long a refused send waits where the refusal does not say.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// A client's memory. Outlives its connections.
#[derive(Debug)]
pub(crate) struct Mind {
    me: UserId,
    as_of: Option<AsOf>,
    places: HashMap<ConversationId, Place>,
    queues: HashMap<ConversationId, Queue>,
    in_flight: usize,
    testimony: Testimony,
    /// How often each code came.
    refusals: BTreeMap<&'static str, u64>,
}

/// What a frame asks of the connection, or tells whoever watches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    None,
    Welcome,
    /// An own message is stored.
    Acked(u64),
    /// Somebody's message appeared.
    Shown(Saying),
    /// Connect again, after this.
    Reconnect(Duration),
}

impl Mind {
    pub(crate) fn new(me: UserId) -> Self {
        Self {
            me,
            as_of: None,
            places: HashMap::new(),
            queues: HashMap::new(),
            in_flight: 0,
            testimony: Testimony::default(),
            refusals: BTreeMap::new(),
        }
    }

    pub(crate) fn user(&self) -> &UserId {
        &self.me
    }

    /// Where it left off, if it was here before: the first part for `hello`, the others for a `resume` each.
    pub(crate) fn resume(&self) -> Option<(Resume, Vec<HashMap<ConversationId, Seq>>)> {
        let as_of = self.as_of?;
        let cursors: Vec<_> =
            self.places.iter().filter_map(|(talk, place)| place.cursor().map(|seq| (*talk, seq))).collect();
        let mut parts = cursors.chunks(CURSORS_MAX).map(|part| part.iter().copied().collect::<HashMap<_, _>>());
        let first = parts.next().unwrap_or_default();
        Some((Resume { as_of, cursors: first }, parts.collect()))
    }

    pub(crate) fn as_of(&self) -> Option<AsOf> {
        self.as_of
    }

    /// Begins where another client of the same user left off.
    pub(crate) fn begin_at(&mut self, as_of: AsOf, shown: impl IntoIterator<Item = (ConversationId, Seq)>) {
        self.as_of = Some(as_of);
        for (talk, seq) in shown {
            self.places.entry(talk).or_default().message(seq);
        }
    }

    /// A message to send, after those before it.
    pub(crate) fn send(&mut self, to: UserId, key: ClientKey, text: String, now: Instant) {
        let talk = ConversationId::direct(&self.me, &to);
        if let Some(number) = number_of(&key) {
            self.testimony.sent.push((talk, number));
        }
        self.queues.entry(talk).or_insert_with(|| Queue::new(now)).push(to, key, text);
    }

    /// The next send to write now, if any.
    pub(crate) fn write_next(&mut self, now: Instant) -> Option<&Outgoing> {
        if self.in_flight >= IN_FLIGHT_MAX {
            return None;
        }
        let next = self.queues.values_mut().find_map(|queue| queue.write_next(now))?;
        self.in_flight += 1;
        Some(next)
    }

    /// When a send may be written, if only time is in its way.
    pub(crate) fn due(&self) -> Option<Instant> {
        let has_room = self.in_flight < IN_FLIGHT_MAX;
        self.queues.values().filter_map(Queue::due).min().filter(|_| has_room)
    }

    /// Takes what the server says.
    pub(crate) fn hear(&mut self, answer: Answer, now: Instant) -> News {
        match answer {
            Answer::Welcome { as_of } => {
                self.as_of = Some(as_of);
                News::Welcome
            }
            Answer::Pong { as_of } => {
                self.as_of = Some(as_of);
                News::None
            }
            Answer::Sent { key, conversation, seq } => self.on_sent(&key, conversation, seq),
            Answer::Message(message) => self.on_message(message),
            Answer::Error(fault) => self.on_error(fault, now),
            Answer::Reconnect { after_ms } => News::Reconnect(Duration::from_millis(after_ms)),
            Answer::Other => News::None,
        }
    }

    /// The connection is lost. Answers how many sends were in flight.
    pub(crate) fn connection_lost(&mut self) -> u64 {
        self.in_flight = 0;
        self.queues.values_mut().map(Queue::connection_lost).sum()
    }

    /// Everything it saw, and how often which code came.
    pub(crate) fn into_testimony(self) -> (Testimony, BTreeMap<&'static str, u64>) {
        (self.testimony, self.refusals)
    }

    fn on_sent(&mut self, key: &ClientKey, conversation: ConversationId, seq: Seq) -> News {
        self.places.entry(conversation).or_default().sent(seq);
        let Some(number) = number_of(key) else { return News::None };
        self.testimony.acks.push(Ack { conversation, number, seq });
        if self.settle(conversation, key) { News::Acked(number) } else { News::None }
    }

    /// A send has its answer for good. Answers whether it waited for one.
    fn settle(&mut self, conversation: ConversationId, key: &ClientKey) -> bool {
        let waited = self.queues.get_mut(&conversation).is_some_and(|queue| queue.answered(key));
        self.in_flight = self.in_flight.saturating_sub(usize::from(waited));
        waited
    }

    /// What is new is shown. What is not new ought not to come: it is shown as well, so that the judge sees it. Own
    /// messages may come again by another way, since an answer can be lost with its connection.
    fn on_message(&mut self, message: Message) -> News {
        let Message { conversation, seq, sender, text, .. } = message;
        self.places.entry(conversation).or_default().message(seq);
        if sender == self.me {
            return News::None;
        }
        let saying = Saying::read(&text).filter(|saying| saying.sender == sender);
        let number = saying.as_ref().map(|saying| saying.number);
        self.testimony.shown.push(Shown { conversation, seq, sender, number });
        saying.map_or(News::None, News::Shown)
    }

    fn on_error(&mut self, fault: Fault, now: Instant) -> News {
        *self.refusals.entry(fault.code.name()).or_default() += 1;
        match (fault.key, fault.conversation) {
            (Some(key), Some(conversation)) if fault.code.is_retryable() => {
                let wait = fault.retry_after_ms.map_or(RETRY_WAIT, Duration::from_millis);
                self.in_flight = self.in_flight.saturating_sub(1);
                if let Some(queue) = self.queues.get_mut(&conversation) {
                    queue.refused(&key, now, wait);
                }
            }
            (Some(key), Some(conversation)) => {
                self.settle(conversation, &key);
            }
            (None, Some(conversation)) if fault.code == Code::Reset => {
                self.places.remove(&conversation);
            }
            (None, None) if fault.code == Code::Reset => self.places.clear(),
            _ => {}
        }
        News::None
    }
}
