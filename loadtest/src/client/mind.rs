//! What a client knows and owes: the protocol's algorithm, without a connection.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use switchboard::model::limits::CURSORS_MAX;
use switchboard::model::{AsOf, ClientKey, Code, ConversationId, Seq};
use tokio::time::Instant;

use super::link::Thread;
use super::outgoing::{Outgoing, Queue};
use super::place::Place;
use crate::frames::{Answer, Fault, Heard, Page, Resume, Seen};
use crate::judge::Device;
use crate::saying::{Saying, number_of};

/// Sends of one client without an answer at the same time. Below the number at which a node stops reading.
const IN_FLIGHT_MAX: usize = 32;
/// How long a refused send waits where the refusal does not say.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// A client's memory. Outlives its connections.
#[derive(Debug)]
pub(crate) struct Mind {
    me: Device,
    run: u32,
    thread: Option<Thread>,
    as_of: Option<AsOf>,
    places: HashMap<ConversationId, Place>,
    queues: HashMap<ConversationId, Queue>,
    in_flight: usize,
    /// How often each code came.
    refusals: BTreeMap<&'static str, u64>,
}

/// What a frame asks of the connection, or tells whoever watches.
#[derive(Debug)]
pub(crate) enum News {
    None,
    Welcome,
    /// An own message is stored.
    Acked {
        talk: ConversationId,
        number: u64,
        seq: Seq,
        /// When it was due, if it waited for that.
        due: Option<u64>,
    },
    /// Somebody's message appeared; none if it says what nobody wrote.
    Shown(Heard, Option<Saying>),
    /// A page of history.
    Page(Page),
    /// What was asked for under this key is a group now.
    Founded(ClientKey, ConversationId),
    /// Who of those that are watched is there.
    Presence(Vec<Seen>),
    /// Connect again, after this.
    Reconnect(Duration),
}

impl Mind {
    pub(crate) fn new(me: Device, run: u32) -> Self {
        Self {
            me,
            run,
            thread: None,
            as_of: None,
            places: HashMap::new(),
            queues: HashMap::new(),
            in_flight: 0,
            refusals: BTreeMap::new(),
        }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.me
    }

    /// What the Socket.IO door knows it by.
    pub(crate) fn thread(&self) -> Option<Thread> {
        self.thread.clone()
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
    pub(crate) fn send(&mut self, send: Outgoing, now: Instant) {
        self.queues.entry(send.talk).or_insert_with(|| Queue::new(now)).push(send);
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
                self.as_of = as_of.or(self.as_of);
                News::Welcome
            }
            Answer::Pong { as_of } => {
                self.as_of = Some(as_of);
                News::None
            }
            Answer::Sent { key, conversation, seq } => self.on_sent(key, conversation, seq),
            Answer::Message(message) => self.on_message(message),
            Answer::History(page) => News::Page(page),
            Answer::Presence { users } => News::Presence(users),
            Answer::Error(fault) => self.on_error(fault, now),
            Answer::Reconnect { after_ms } => News::Reconnect(Duration::from_millis(after_ms)),
            Answer::Other => News::None,
        }
    }

    /// The connection is lost. Answers how many sends were in flight.
    pub(crate) fn connection_lost(&mut self, thread: Option<Thread>) -> u64 {
        self.in_flight = 0;
        self.thread = thread;
        self.queues.values_mut().map(Queue::connection_lost).sum()
    }

    /// How often which code came.
    pub(crate) fn into_refusals(self) -> BTreeMap<&'static str, u64> {
        self.refusals
    }

    fn on_sent(&mut self, key: ClientKey, conversation: ConversationId, seq: Seq) -> News {
        self.places.entry(conversation).or_default().sent(seq);
        let Some(number) = number_of(&key) else { return News::Founded(key, conversation) };
        News::Acked { talk: conversation, number, seq, due: self.settle(conversation, &key) }
    }

    /// A send has its answer for good. Answers when it was due, if it waited for one.
    fn settle(&mut self, conversation: ConversationId, key: &ClientKey) -> Option<u64> {
        let settled = self.queues.get_mut(&conversation)?.answered(key)?;
        self.in_flight = self.in_flight.saturating_sub(1);
        Some(settled.due_micros)
    }

    /// What is new is shown. What is not new ought not to come: it is shown as well, so that the judge sees it. The device
    /// that wrote a message may get it again by another way, since an answer can be lost with its connection.
    fn on_message(&mut self, heard: Heard) -> News {
        self.places.entry(heard.conversation).or_default().message(heard.seq);
        if heard.event.is_some() || (self.me.number == 1 && heard.from == self.me.user) {
            return News::None;
        }
        let saying = Saying::read(&heard.text).filter(|saying| saying.sender == heard.from);
        match saying {
            // It is of an earlier run: a client without a cursor is shown what was said just before it came.
            Some(saying) if saying.run != self.run => News::None,
            saying => News::Shown(heard, saying),
        }
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
