//! A client as the protocol describes it, and nothing else: what it keeps across connections, and what it makes of each
//! frame.
//!
//! The client's algorithm, in full:
//! - A `message` whose place is at or below the cursor of its conversation was shown before: drop it. Any other is
//!   shown, and the cursor moves to its place. So does a `sent` with `shown`.
//! - Unanswered sends are kept for each conversation in the order in which they were said. One that is refused for now
//!   is repeated after `retry_after_ms`, and those said after it too, in order; until then nothing is sent there.
//! - A send that others were faster than is given up.
//! - On a new connection `hello` carries the newest `as_of` and at most 100 cursors; then all unanswered sends are
//!   repeated in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard::model::{AsOf, ClientKey, Code, ConversationId, Message, MessageId, Seq, UserId};
use switchboard::wire::Encoding;
use tokio::time::Instant;

use super::journal::{Journal, Said, View, short};

/// Sends of one conversation that may be unanswered at once.
const WINDOW: usize = 6;

/// What a server says, as far as this client cares.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Heard {
    Welcome { as_of: AsOf },
    Resumed {},
    Sent { key: ClientKey, conversation: ConversationId, seq: Seq, id: MessageId, shown: bool },
    Message(Message),
    Receipt {},
    Assignment {},
    History { conversation: ConversationId, messages: Vec<Message> },
    Conversations {},
    Refreshed {},
    Error(Fault),
    Reconnect {},
    Pong { as_of: AsOf },
}

#[derive(Debug, Deserialize)]
pub struct Fault {
    pub code: Code,
    pub key: Option<ClientKey>,
    pub conversation: Option<ConversationId>,
    pub retry_after_ms: Option<u64>,
    #[serde(default)]
    pub messages: Vec<Message>,
    #[serde(default)]
    pub more: bool,
}

pub struct Device {
    pub name: String,
    pub user: UserId,
    pub encoding: Encoding,
    pub journal: Arc<Journal>,
    pub record: usize,
    /// A defect for the test of the test: it does not say what it saw.
    pub keeps_heads_to_itself: bool,
    as_of: Option<AsOf>,
    cursors: BTreeMap<ConversationId, Seq>,
    queues: BTreeMap<ConversationId, Queue>,
    socket: SocketView,
    keys: u64,
}

/// The unanswered sends of one conversation.
struct Queue {
    to: UserId,
    sends: VecDeque<ClientKey>,
    /// How many at the front are under way.
    begun: usize,
    not_before: Instant,
}

/// What was heard and asked on the present connection.
#[derive(Default)]
struct SocketView {
    number: u64,
    /// Where each conversation is, as this connection has shown it.
    shown: BTreeMap<ConversationId, Seq>,
    /// When each send was put on this connection, for those without an answer.
    sends: BTreeMap<(ConversationId, ClientKey), VecDeque<Instant>>,
    /// When other requests were, in order.
    asked: VecDeque<(&'static str, Instant)>,
}

impl Device {
    pub fn new(name: String, user: UserId, encoding: Encoding, journal: Arc<Journal>) -> Self {
        let record = journal.open(name.clone(), user.clone());
        Self {
            name,
            user,
            encoding,
            journal,
            record,
            keeps_heads_to_itself: false,
            as_of: None,
            cursors: BTreeMap::new(),
            queues: BTreeMap::new(),
            socket: SocketView::default(),
            keys: 0,
        }
    }

    /// Says something: it is sent when its turn comes. `exact`: right after what is shown now, or not at all.
    pub fn say(&mut self, to: &UserId, bytes: usize, exact: bool) {
        self.keys += 1;
        let key: ClientKey = format!("{}-{}", self.name, self.keys).parse().unwrap();
        let text = format!("{key}{}", ".".repeat(bytes));
        let conversation = ConversationId::direct(&self.user, to);
        let fresh = || Queue { to: to.clone(), sends: VecDeque::new(), begun: 0, not_before: Instant::now() };
        self.queues.entry(conversation).or_insert_with(fresh).sends.push_back(key.clone());
        let exact = exact.then(|| self.cursors.get(&conversation).copied().unwrap_or_default());
        let said = Said { key, text, begun: None, sent: None, exact, refused: None };
        self.journal.lock()[self.record].said.entry(conversation).or_default().push(said);
    }

    /// The conversations that this device has seen something of.
    pub fn conversations(&self) -> Vec<(ConversationId, Seq)> {
        self.cursors.iter().map(|(id, seq)| (*id, *seq)).collect()
    }

    /// A new connection's first frame. `names` chooses the cursors that it carries.
    pub fn hello(&mut self, token: &str, mut names: impl FnMut() -> bool) -> Bytes {
        self.socket = SocketView { number: self.socket.number + 1, ..SocketView::default() };
        self.queues.values_mut().for_each(|queue| queue.begun = 0);
        let resume = self.as_of.map(|as_of| {
            let named: BTreeMap<ConversationId, Seq> =
                self.cursors.iter().map(|(id, seq)| (*id, *seq)).filter(|_| names()).take(100).collect();
            self.socket.shown.clone_from(&named);
            json!({ "as_of": as_of, "cursors": named })
        });
        self.say_trace(|| format!("hello {resume:?}"));
        self.encoding.encode(&json!({ "type": "hello", "token": token, "resume": resume }))
    }

    /// The next send whose turn it is, if any.
    pub fn next_send(&mut self, now: Instant) -> Option<Bytes> {
        for (conversation, queue) in &mut self.queues {
            if queue.begun < queue.sends.len().min(WINDOW) && queue.not_before <= now {
                let key = queue.sends[queue.begun].clone();
                queue.begun += 1;
                self.socket.sends.entry((*conversation, key.clone())).or_default().push_back(now);
                let mut records = self.journal.lock();
                let said = records[self.record].said.get_mut(conversation).unwrap();
                let said = said.iter_mut().find(|said| said.key == key).unwrap();
                said.begun.get_or_insert(now);
                let number = self.socket.number;
                self.journal.trace.say(|| format!("{}/{number} sends {key} to {}", self.name, short(*conversation)));
                let head = said.exact.filter(|_| !self.keeps_heads_to_itself);
                let mut frame = json!({ "type": "send", "key": key, "text": said.text, "head": head });
                // A conversation is named by its id or by the other person, in turns.
                let by_id = queue.begun % 2 == 0 && self.cursors.contains_key(conversation);
                let (field, value) =
                    if by_id { ("conversation", json!(conversation)) } else { ("to", json!(queue.to)) };
                frame[field] = value;
                return Some(self.encoding.encode(&frame));
            }
        }
        None
    }

    /// When [`next_send`](Self::next_send) may have something that it does not have now.
    pub fn next_send_at(&self) -> Option<Instant> {
        let waiting = self.queues.values().filter(|queue| queue.begun < queue.sends.len().min(WINDOW));
        waiting.map(|queue| queue.not_before).min()
    }

    /// Another request, to be answered by a frame of type `answer`.
    pub fn ask(&mut self, answer: &'static str, frame: &Value) -> Bytes {
        self.socket.asked.push_back((answer, Instant::now()));
        self.encoding.encode(frame)
    }

    /// Since when the oldest request of this connection waits.
    pub fn waits_since(&self) -> Option<Instant> {
        let sends = self.socket.sends.values().filter_map(VecDeque::front).copied();
        sends.chain(self.socket.asked.front().map(|asked| asked.1)).min()
    }

    /// Takes a frame.
    pub fn hear(&mut self, bytes: &[u8]) {
        let heard: Heard = match self.encoding.decode(bytes) {
            Ok(heard) => heard,
            Err(error) => return self.fail(format!("heard something that is not a frame: {error}"), None),
        };
        match heard {
            Heard::Welcome { as_of } => {
                self.say_trace(|| format!("welcome, as of {as_of}"));
                self.learn_as_of(as_of);
                let mut records = self.journal.lock();
                records[self.record].began.get_or_insert(as_of.at);
                records[self.record].connected = Some(Instant::now());
            }
            Heard::Pong { as_of } => {
                self.say_trace(|| format!("pong, as of {as_of}"));
                self.answered("pong");
                self.learn_as_of(as_of);
            }
            Heard::Message(message) => self.on_message(&message),
            Heard::Sent { key, conversation, seq, id, shown } => self.on_sent(conversation, &key, seq, id, shown),
            Heard::Error(fault) => self.on_error(&fault),
            Heard::History { conversation, messages } => {
                self.answered("history");
                for pair in messages.windows(2).filter(|pair| pair[0].seq.next() != pair[1].seq) {
                    self.fail(format!("a page with a hole before {}", pair[1].seq), Some(conversation));
                }
            }
            Heard::Conversations {} => self.answered("conversations"),
            Heard::Receipt {}
            | Heard::Assignment {}
            | Heard::Resumed {}
            | Heard::Refreshed {}
            | Heard::Reconnect {} => {}
        }
    }

    fn on_message(&mut self, message: &Message) {
        let Message { conversation, seq, .. } = *message;
        self.say_trace(|| format!("hears {} {seq} {}", short(conversation), message.key));
        if !message.text.starts_with(message.key.as_str()) {
            self.fail(format!("{seq} is not what was said"), Some(conversation));
        }
        match self.socket.shown.insert(conversation, seq) {
            Some(shown) if seq <= shown => {
                self.fail(format!("{seq} comes after {shown} on one connection"), Some(conversation));
            }
            Some(shown) if seq != shown.next() => {
                self.fail(format!("{seq} comes right after {shown}"), Some(conversation));
            }
            _ => {}
        }
        self.show(conversation, seq);
    }

    fn on_sent(&mut self, conversation: ConversationId, key: &ClientKey, seq: Seq, id: MessageId, shown: bool) {
        self.say_trace(|| format!("sent {} {seq} {key}, shown: {shown}", short(conversation)));
        self.answered_send(conversation, key);
        self.forget(conversation, key);
        if shown {
            match self.socket.shown.insert(conversation, seq) {
                Some(shown) if seq != shown.next() => {
                    self.fail(format!("sent {seq} shows it right after {shown}"), Some(conversation));
                }
                _ => {}
            }
            self.show(conversation, seq);
        }
        let mut records = self.journal.lock();
        let said = records[self.record].said.get_mut(&conversation).unwrap();
        let said = said.iter_mut().find(|said| said.key == *key).unwrap();
        match said.sent {
            None => said.sent = Some((seq, id, Instant::now())),
            Some((before, was, _)) if (before, was) == (seq, id) => {}
            Some((before, ..)) => {
                drop(records);
                self.fail(format!("{key} was answered with {before} and then with {seq}"), Some(conversation));
            }
        }
    }

    /// Nothing more is to become of a send.
    fn forget(&mut self, conversation: ConversationId, key: &ClientKey) {
        if let Some(queue) = self.queues.get_mut(&conversation)
            && let Some(index) = queue.sends.iter().position(|of| of == key)
        {
            queue.sends.remove(index);
            queue.begun -= usize::from(index < queue.begun);
        }
    }

    /// Others were faster.
    fn on_conflict(&mut self, conversation: ConversationId, key: &ClientKey, fault: &Fault) {
        self.forget(conversation, key);
        let mut records = self.journal.lock();
        let said = records[self.record].said.get_mut(&conversation).unwrap();
        let said = said.iter_mut().find(|said| said.key == *key).unwrap();
        said.refused = Some((fault.messages.clone(), fault.more));
    }

    /// The client's rule for what it shows.
    fn show(&mut self, conversation: ConversationId, seq: Seq) {
        let cursor = self.cursors.get(&conversation).copied();
        if cursor.is_some_and(|cursor| seq <= cursor) {
            return;
        }
        if let Some(cursor) = cursor.filter(|cursor| seq != cursor.next()) {
            self.fail(format!("{seq} is shown after {cursor}"), Some(conversation));
        }
        self.cursors.insert(conversation, seq);
        let mut records = self.journal.lock();
        records[self.record].views.entry(conversation).or_insert(View { first: seq, last: seq }).last = seq;
    }

    fn on_error(&mut self, fault: &Fault) {
        self.say_trace(|| format!("{fault:?}"));
        let (Some(conversation), Some(key)) = (fault.conversation, &fault.key) else {
            if !fault.code.is_retryable() {
                self.fail(format!("a request was refused with {:?}", fault.code), fault.conversation);
            }
            self.socket.asked.pop_front();
            return;
        };
        self.answered_send(conversation, key);
        if fault.code == Code::Conflict {
            return self.on_conflict(conversation, key, fault);
        }
        if !fault.code.is_retryable() {
            return self.fail(format!("{key} was refused with {:?}", fault.code), Some(conversation));
        }
        let wait = Duration::from_millis(fault.retry_after_ms.unwrap_or(1_000));
        if let Some(queue) = self.queues.get_mut(&conversation)
            && let Some(index) = queue.sends.iter().position(|of| of == key)
            && index < queue.begun
        {
            queue.begun = index;
            queue.not_before = queue.not_before.max(Instant::now() + wait);
        }
    }

    fn answered(&mut self, by: &'static str) {
        match self.socket.asked.iter().position(|(answer, _)| *answer == by) {
            Some(index) => drop(self.socket.asked.remove(index)),
            None => self.fail(format!("a {by} that nobody asked for"), None),
        }
    }

    fn answered_send(&mut self, conversation: ConversationId, key: &ClientKey) {
        let place = (conversation, key.clone());
        let waiting = self.socket.sends.get_mut(&place).and_then(VecDeque::pop_front);
        if waiting.is_none() {
            self.fail(format!("{key} is answered more often than it was sent"), Some(conversation));
        }
        if self.socket.sends.get(&place).is_some_and(VecDeque::is_empty) {
            self.socket.sends.remove(&place);
        }
    }

    fn learn_as_of(&mut self, as_of: AsOf) {
        if let Some(known) = self.as_of.filter(|known| known.at > as_of.at) {
            self.fail(format!("as_of went back from {known} to {as_of}"), None);
        }
        self.as_of = Some(as_of);
    }

    /// The connection is over.
    pub fn disconnected(&mut self) {
        self.say_trace(|| "disconnected".to_owned());
        self.journal.lock()[self.record].connected = None;
    }

    pub fn say_trace(&self, what: impl FnOnce() -> String) {
        self.journal.trace.say(|| format!("{}/{} {}", self.name, self.socket.number, what()));
    }

    pub fn fail(&self, what: String, conversation: Option<ConversationId>) {
        let conversation = conversation.map(short);
        let place = conversation.clone().unwrap_or_default();
        let what = format!("{}/{}: {place}: {what}", self.name, self.socket.number);
        self.journal.fail(what, conversation.or(Some(self.name.clone())));
    }
}
