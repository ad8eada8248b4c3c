//! What waits for one socket, and where its session is in each conversation.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::position::{Position, Verdict};
use super::reader::Pull;
use super::shared::SharedMessage;
use crate::model::limits::{AS_OF_MARGIN, HOLE_WAIT, OUTBOX_BYTES_MAX, POSITIONS_MAX, STORE_PAUSE};
use crate::model::{AsOf, ClientKey, ConversationId, Seq, StoreTime, Timestamp, UserId};
use crate::wire::Encoding;

/// An encoded frame on its way to a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The frame.
    pub bytes: Bytes,
    /// When the message in it was accepted; none for other frames.
    pub accepted: Option<Timestamp>,
}

/// Where a session starts in a conversation that its client named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Everything up to here is known to the client.
    pub shown: Seq,
    /// The highest place known to exist.
    pub wanted: Seq,
}

/// One session's frames and positions. Bounded: messages are queued up to [`OUTBOX_BYTES_MAX`] and beyond that only
/// wanted; answers to requests are queued always, and the session bounds the requests.
#[derive(Debug)]
pub struct Outbox {
    user: UserId,
    encoding: Encoding,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug)]
struct State {
    frames: VecDeque<Outgoing>,
    bytes: usize,
    positions: HashMap<ConversationId, Position>,
    /// Conversations to be read from the store, and not before when.
    behind: VecDeque<(ConversationId, Instant)>,
    /// The conversation that is being read now.
    pulling: Option<ConversationId>,
    /// Our own sends under way: their messages are shown by `sent`.
    sending: Vec<(ConversationId, ClientKey)>,
    /// Places that `sent` has shown, beyond a hole.
    own: Vec<(ConversationId, Seq)>,
    /// Up to when this session has been told everything.
    as_of: AsOf,
    /// Where conversations without a position start.
    start: StoreTime,
    open: bool,
}

impl Outbox {
    pub(super) fn new(user: UserId, encoding: Encoding, start: AsOf) -> Self {
        let state = State {
            frames: VecDeque::new(),
            bytes: 0,
            positions: HashMap::new(),
            behind: VecDeque::new(),
            pulling: None,
            sending: Vec::new(),
            own: Vec::new(),
            as_of: start,
            start: start.at.minus(AS_OF_MARGIN),
            open: false,
        };
        Self { user, encoding, state: Mutex::new(state), wake: Notify::new() }
    }

    /// Whose session it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// How its frames are encoded.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Where conversations that the client did not name start.
    #[must_use]
    pub fn starts_at(&self) -> StoreTime {
        self.lock().start
    }

    /// Up to when this session has been told everything.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.lock().as_of
    }

    /// Lets frames flow, the given one first.
    pub fn open(&self, first: Bytes) {
        let mut state = self.lock();
        state.open = true;
        state.bytes += first.len();
        state.frames.push_front(Outgoing { bytes: first, accepted: None });
        drop(state);
        self.wake.notify_one();
    }

    /// Queues the answer to a request.
    pub fn push(&self, bytes: Bytes) {
        self.lock().push(Outgoing { bytes, accepted: None });
        self.wake.notify_one();
    }

    /// Queues something that may be lost, such as a receipt: dropped when the queue is full.
    pub(super) fn push_lossy(&self, bytes: Bytes) {
        let mut state = self.lock();
        if state.open && state.has_room() {
            state.push(Outgoing { bytes, accepted: None });
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Takes the next frame.
    #[must_use]
    pub fn pop(&self) -> Option<Outgoing> {
        let mut state = self.lock();
        let frame = state.frames.pop_front()?;
        state.bytes -= frame.bytes.len();
        if state.frames.is_empty() {
            // An idle session keeps no buffer.
            state.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// Whether frames wait.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        !self.lock().frames.is_empty()
    }

    /// Whether so much waits that no further request should be read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.lock().has_room()
    }

    /// Waits until something was put in, or something became wanted.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Sets where the session starts in conversations that its client named. Wants what is missing.
    pub fn start_from(&self, starts: impl IntoIterator<Item = Start>) {
        let mut state = self.lock();
        for Start { conversation, shown, wanted } in starts {
            let position = state.positions.entry(conversation).or_default();
            position.advance_to(shown);
            position.wanted = position.wanted.max(wanted);
            state.list_if_behind(conversation, Instant::now());
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The conversation is known to go up to `seq`. Answers whether the session missed something.
    pub fn want(&self, conversation: ConversationId, seq: Seq) -> bool {
        let mut state = self.lock();
        let position = state.positions.entry(conversation).or_default();
        position.wanted = position.wanted.max(seq);
        let behind = position.is_behind();
        state.list_if_behind(conversation, Instant::now());
        drop(state);
        if behind {
            self.wake.notify_one();
        }
        behind
    }

    /// A send of this session begins: its message is shown by its `sent`, not by a `message`.
    pub fn sending(&self, conversation: ConversationId, key: ClientKey) {
        self.lock().sending.push((conversation, key));
    }

    /// A send ended in a refusal.
    pub fn send_refused(&self, conversation: ConversationId, key: &ClientKey, answer: Bytes) {
        let mut state = self.lock();
        state.forget_sending(conversation, key);
        state.push(Outgoing { bytes: answer, accepted: None });
        drop(state);
        self.wake.notify_one();
    }

    /// A send ended well: queues its `sent`, which shows the message on this socket.
    pub fn sent(&self, sent: &crate::model::Message, predecessor: Option<StoreTime>, answer: Bytes) {
        let (conversation, seq) = (sent.conversation, sent.seq);
        let mut state = self.lock();
        state.forget_sending(conversation, &sent.key);
        state.push(Outgoing { bytes: answer, accepted: Some(sent.at) });
        let starts_here = state.starts_here(predecessor);
        match state.positions.entry(conversation).or_default().offer(seq, starts_here) {
            Verdict::Show => state.show(conversation, seq),
            Verdict::Drop => {}
            Verdict::Want => {
                state.own.push((conversation, seq));
                state.list_hole(conversation);
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Offers a message that came from the bus.
    pub(super) fn offer(&self, shared: &SharedMessage) -> Verdict {
        let mut state = self.lock();
        let verdict = state.offer(&self.user, self.encoding, shared);
        if verdict == Verdict::Want {
            state.list_hole(shared.message.conversation);
        }
        drop(state);
        if verdict != Verdict::Drop {
            self.wake.notify_one();
        }
        verdict
    }

    /// What to read from the store now, if anything and if there is room for it. The caller ends it with
    /// [`pulled`](Self::pulled) or [`pull_failed`](Self::pull_failed).
    #[must_use]
    pub fn next_pull(&self, now: Instant) -> Option<Pull> {
        let mut state = self.lock();
        if !state.open || state.pulling.is_some() || state.bytes > OUTBOX_BYTES_MAX / 4 {
            return None;
        }
        for _ in 0..state.behind.len() {
            let (conversation, not_before) = state.behind.pop_front()?;
            if not_before > now {
                state.behind.push_back((conversation, not_before));
                continue;
            }
            let start = state.start;
            let Some(position) = state.positions.get_mut(&conversation) else { continue };
            position.listed = false;
            if position.is_behind() {
                let pull = Pull { conversation, shown: position.shown, wanted: position.wanted, start };
                state.pulling = Some(conversation);
                return Some(pull);
            }
        }
        None
    }

    /// When [`next_pull`](Self::next_pull) may have something that it does not have yet.
    #[must_use]
    pub fn next_pull_at(&self) -> Option<Instant> {
        let state = self.lock();
        state.behind.iter().map(|(_, not_before)| *not_before).min()
    }

    /// Where a conversation starts for this session, as read from the store.
    pub(super) fn starts_after(&self, conversation: ConversationId, base: Seq) {
        let mut state = self.lock();
        let position = state.positions.entry(conversation).or_default();
        if position.shown.is_none() {
            position.advance_to(base);
        }
        let shown = position.shown;
        state.own.retain(|(of, seq)| *of != conversation || Some(*seq) > shown);
    }

    /// Offers messages read from the store, ascending without a hole; returns how many were queued. It stops when the
    /// queue is full: the rest is read again later.
    pub(super) fn pulled(&self, conversation: ConversationId, messages: &[Arc<SharedMessage>]) -> usize {
        let mut state = self.lock();
        let mut shown = 0;
        for message in messages {
            match state.offer(&self.user, self.encoding, message) {
                Verdict::Show => shown += 1,
                Verdict::Drop => {}
                Verdict::Want => break,
            }
        }
        state.pulling = None;
        // What is wanted exists, so that a page without anything new means that it cannot be read yet.
        let pause = if shown > 0 { Duration::ZERO } else { STORE_PAUSE };
        state.list_if_behind(conversation, Instant::now() + pause);
        drop(state);
        self.wake.notify_one();
        shown
    }

    /// The store did not answer: try again in a moment.
    pub(super) fn pull_failed(&self, conversation: ConversationId) {
        let mut state = self.lock();
        state.pulling = None;
        state.list_if_behind(conversation, Instant::now() + STORE_PAUSE * 5);
        drop(state);
        self.wake.notify_one();
    }

    /// Whether the session holds more positions than it may, and should be asked to start afresh.
    #[must_use]
    pub fn has_too_many_positions(&self) -> bool {
        self.lock().positions.len() > POSITIONS_MAX
    }

    /// Moves the session's `as_of` up to `sure`, unless something is still owed from before; answers where it is.
    pub(super) fn advance_as_of(&self, sure: StoreTime) -> AsOf {
        let mut state = self.lock();
        if state.behind.is_empty() && state.pulling.is_none() {
            state.as_of.at = state.as_of.at.max(sure);
        }
        state.as_of
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.bytes < OUTBOX_BYTES_MAX
    }

    fn push(&mut self, frame: Outgoing) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
    }

    /// Whether everything before a message is older than what this session is owed.
    fn starts_here(&self, predecessor: Option<StoreTime>) -> bool {
        predecessor.is_some_and(|stored| stored < self.start)
    }

    /// The one way of every message into the queue.
    fn offer(&mut self, user: &UserId, encoding: Encoding, shared: &SharedMessage) -> Verdict {
        let message = &shared.message;
        let can_show = self.open && self.has_room();
        let starts_here = self.starts_here(shared.predecessor);
        let position = self.positions.entry(message.conversation).or_default();
        match position.offer(message.seq, starts_here) {
            Verdict::Show if message.sender == *user && self.is_sending(message.conversation, &message.key) => {
                self.show(message.conversation, message.seq);
                Verdict::Show
            }
            Verdict::Show if can_show => {
                self.push(Outgoing { bytes: shared.frame(encoding), accepted: Some(message.at) });
                self.show(message.conversation, message.seq);
                Verdict::Show
            }
            Verdict::Show => Verdict::Want,
            verdict => verdict,
        }
    }

    /// Marks a place as shown, and those after it that `sent` has shown before.
    fn show(&mut self, conversation: ConversationId, seq: Seq) {
        let position = self.positions.entry(conversation).or_default();
        position.advance_to(seq);
        let mut next = seq.next();
        while let Some(index) = self.own.iter().position(|own| *own == (conversation, next)) {
            self.own.swap_remove(index);
            position.advance_to(next);
            next = next.next();
        }
    }

    /// Something before a message is missing: it may be on its way, unless we do not even know where we start, or have
    /// no room for it anyway.
    fn list_hole(&mut self, conversation: ConversationId) {
        let is_placed = self.positions.get(&conversation).is_some_and(|position| position.shown.is_some());
        let wait = if is_placed && self.has_room() { HOLE_WAIT } else { Duration::ZERO };
        self.list_if_behind(conversation, Instant::now() + wait);
    }

    fn list_if_behind(&mut self, conversation: ConversationId, not_before: Instant) {
        let Some(position) = self.positions.get_mut(&conversation) else { return };
        if !position.is_behind() || self.pulling == Some(conversation) {
            return;
        }
        if !position.listed {
            position.listed = true;
            self.behind.push_back((conversation, not_before));
        }
    }

    fn is_sending(&self, conversation: ConversationId, key: &ClientKey) -> bool {
        self.sending.iter().any(|(of, sent)| *of == conversation && sent == key)
    }

    fn forget_sending(&mut self, conversation: ConversationId, key: &ClientKey) {
        if let Some(index) = self.sending.iter().position(|(of, sent)| *of == conversation && sent == key) {
            self.sending.swap_remove(index);
        }
    }
}
