//! What waits for one socket, and where its session is in each conversation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::item::{Item, SharedMessage};
use super::position::Verdict;
use super::queue::Queue;
use super::reader::Pull;
use crate::model::limits::{OUTBOX_BYTES_MAX, POSITIONS_MAX, STORE_PAUSE};
use crate::model::{AsOf, ClientKey, ConversationId, Message, Range, Seq, Standing, StoreTime, UserId};
use crate::wire::ServerFrame;

/// Where a session starts in a conversation that its client named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Everything up to here is known to the client.
    pub shown: Seq,
    /// The highest place known to exist.
    pub wanted: Seq,
    /// Whether it is a group.
    pub group: bool,
}

/// What waits in one outbox.
pub(super) struct Weight {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

/// One session's frames and positions. Bounded: messages are queued up to [`OUTBOX_BYTES_MAX`] and beyond that only
/// wanted; answers to requests are queued always, and the session bounds the requests.
#[derive(Debug)]
pub struct Outbox {
    /// As whom the session is addressed: its user first, and the team if its user is an agent.
    seats: Box<[UserId]>,
    queue: Mutex<Queue>,
    standing: Mutex<Held>,
    wake: Notify,
}

/// What the session goes by about its user.
#[derive(Debug, Default)]
struct Held {
    standing: Arc<Standing>,
    /// Something else may have been decided since.
    doubted: bool,
}

impl Outbox {
    pub(super) fn new(seats: Vec<UserId>, as_of: AsOf, from: StoreTime) -> Self {
        let queue = Queue::new(seats[0].clone(), as_of, from);
        Self { seats: seats.into(), queue: Mutex::new(queue), standing: Mutex::default(), wake: Notify::new() }
    }

    /// Whose session it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.seats[0]
    }

    /// As whom it is addressed: its user first, and the team if its user is an agent.
    #[must_use]
    pub fn seats(&self) -> &[UserId] {
        &self.seats
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

    /// What was decided about the user, as the session last read it.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.held().standing.clone()
    }

    /// The session has read this.
    pub fn set_standing(&self, standing: Arc<Standing>) {
        let before = std::mem::replace(&mut self.held().standing, standing.clone());
        if *before != *standing {
            // Whom it watches may be hidden from it now, or not any more.
            self.lock().owes_presence = true;
            self.wake.notify_one();
        }
    }

    /// Whether the session is to read its user's standing anew. It is told once.
    #[must_use]
    pub fn take_standing_doubt(&self) -> bool {
        std::mem::take(&mut self.held().doubted)
    }

    /// Something was, or may have been, decided about the user.
    pub(super) fn doubt_standing(&self) {
        self.held().doubted = true;
        self.wake.notify_one();
    }

    /// This was read of the user. It may be older than what the session has read, so it only raises a doubt.
    pub(super) fn compare_standing(&self, read: &Standing) {
        if *self.standing() != *read {
            self.doubt_standing();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets frames flow, the given one first.
    pub fn open(&self, first: ServerFrame) {
        let mut queue = self.lock();
        queue.open = true;
        queue.push_first(first.into());
        drop(queue);
        self.wake.notify_one();
    }

    /// Queues the answer to a request.
    pub fn push(&self, frame: ServerFrame) {
        self.lock().push(frame.into());
        self.wake.notify_one();
    }

    /// Queues something that may be lost, such as a receipt: dropped when the queue is full. What it told of is told anew
    /// when there is room again.
    pub(super) fn push_lossy(&self, notice: Item) {
        let mut queue = self.lock();
        if queue.open && queue.has_room() {
            queue.push(notice);
            drop(queue);
            self.wake.notify_one();
        } else {
            queue.owed.add(notice.standing_of(), Instant::now());
        }
    }

    /// The session is to be told how these conversations stand, not before a time.
    pub fn owe(&self, conversations: impl IntoIterator<Item = ConversationId>, not_before: Instant) {
        self.lock().owed.add(conversations, not_before);
        self.wake.notify_one();
    }

    /// Of which conversations the session is to be told now how they stand: after all messages, and when there is room.
    #[must_use]
    pub fn next_owed(&self, now: Instant) -> Vec<ConversationId> {
        let mut queue = self.lock();
        let may_tell = queue.open && queue.is_whole() && queue.bytes <= OUTBOX_BYTES_MAX / 4;
        if may_tell { queue.owed.take(now) } else { Vec::new() }
    }

    /// When [`next_owed`](Self::next_owed) may have something that it does not have yet.
    #[must_use]
    pub fn next_owed_at(&self) -> Option<Instant> {
        let queue = self.lock();
        queue.owed.due().filter(|_| queue.open && queue.is_whole())
    }

    /// Queues what has changed of those whom the session watches. Without room it is owed: later the session is told of
    /// all of them.
    pub(super) fn push_presence(&self, frame: ServerFrame) {
        let mut queue = self.lock();
        if queue.open && queue.has_room() && !queue.owes_presence {
            queue.push(frame.into());
            drop(queue);
            self.wake.notify_one();
        } else {
            queue.owes_presence = true;
        }
    }

    /// Whether presence is owed that there is room for now; then it counts as paid.
    pub(super) fn takes_owed_presence(&self) -> bool {
        let mut queue = self.lock();
        queue.owes_presence && queue.bytes <= OUTBOX_BYTES_MAX / 4 && std::mem::take(&mut queue.owes_presence)
    }

    /// Takes the next frame.
    #[must_use]
    pub fn pop(&self) -> Option<Item> {
        let mut queue = self.lock();
        let item = queue.frames.pop_front()?;
        queue.bytes -= item.bytes();
        if queue.frames.is_empty() {
            // An idle session keeps no buffer.
            queue.frames = VecDeque::new();
        }
        Some(item)
    }

    /// What waits.
    pub(super) fn weight(&self) -> Weight {
        let queue = self.lock();
        Weight { frames: queue.frames.len(), bytes: queue.bytes }
    }

    /// Whether frames wait.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        !self.lock().frames.is_empty()
    }

    /// Whether so much waits that no further request should be read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let queue = self.lock();
        !queue.has_room() || queue.holds_many_answers()
    }

    /// Waits until something was put in, or something became wanted.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Sets where the session starts in conversations that its client named. Wants what is missing. Once the outbox is
    /// open, a place that was passed already is not gone back to.
    pub fn start_from(&self, starts: impl IntoIterator<Item = Start>) {
        let mut queue = self.lock();
        let is_open = queue.open;
        for Start { conversation, shown, wanted, group } in starts {
            let position = queue.positions.entry(conversation).or_default();
            position.group |= group;
            if is_open {
                position.advance_to(shown);
            } else {
                position.shown = Some(shown);
            }
            position.wanted = position.wanted.max(wanted);
            queue.settle(conversation);
            queue.list_if_behind(conversation, Instant::now());
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// The conversation is known to go up to `seq`. Answers whether the session missed something.
    pub fn want(&self, conversation: ConversationId, seq: Seq, group: bool) -> bool {
        let mut queue = self.lock();
        let position = queue.positions.entry(conversation).or_default();
        position.group |= group;
        position.wanted = position.wanted.max(seq);
        let behind = position.is_behind();
        queue.list_if_behind(conversation, Instant::now());
        drop(queue);
        if behind {
            self.wake.notify_one();
        }
        behind
    }

    /// A send of this session begins: its message is shown by its `sent`, not by a `message`, and what comes after it
    /// in that conversation waits for that.
    pub fn sending(&self, conversation: ConversationId, key: ClientKey) {
        self.lock().begin_sending(conversation, key);
    }

    /// A send ended in a refusal. If it is stored all the same, it is shown as a `message`.
    pub fn send_refused(&self, conversation: ConversationId, key: &ClientKey, answer: ServerFrame) {
        let mut queue = self.lock();
        queue.forget_sending(conversation, key);
        queue.push(answer.into());
        queue.settle(conversation);
        queue.list_hole(conversation);
        drop(queue);
        self.wake.notify_one();
    }

    /// A send ended well: its `sent` shows the message on this socket, when its turn has come. Where the message was
    /// shown before, as a `message`, it only answers.
    pub fn sent(&self, sent: Arc<Message>, predecessor: Option<StoreTime>, group: bool) {
        self.lock().offer_sent(sent, predecessor, group);
        self.wake.notify_one();
    }

    /// Offers a message that came from the bus.
    pub(super) fn offer(&self, shared: &Arc<SharedMessage>) -> Verdict {
        let mut queue = self.lock();
        let verdict = queue.offer(shared);
        if verdict == Verdict::Want {
            queue.list_hole(shared.message.conversation);
        }
        drop(queue);
        if verdict != Verdict::Drop {
            self.wake.notify_one();
        }
        verdict
    }

    /// What to read from the store now, if anything and if there is room for it. The caller ends it with
    /// [`pulled`](Self::pulled) or [`pull_failed`](Self::pull_failed).
    #[must_use]
    pub fn next_pull(&self, now: Instant) -> Option<Pull> {
        let mut queue = self.lock();
        let may_pull = queue.open && queue.pulling.is_none() && queue.bytes <= OUTBOX_BYTES_MAX / 4;
        if may_pull { queue.next_pull(now) } else { None }
    }

    /// When [`next_pull`](Self::next_pull) may have something that it does not have yet.
    #[must_use]
    pub fn next_pull_at(&self) -> Option<Instant> {
        let queue = self.lock();
        queue.behind.iter().map(|(_, not_before)| *not_before).min()
    }

    /// Where a conversation starts for this session, as read from the store.
    pub(super) fn starts_after(&self, conversation: ConversationId, base: Seq) {
        let mut queue = self.lock();
        let position = queue.positions.entry(conversation).or_default();
        if position.shown.is_none() {
            position.advance_to(base);
        }
        queue.settle(conversation);
    }

    /// Nothing of a conversation is kept up to here: the session goes on behind it.
    pub(super) fn pass(&self, conversation: ConversationId, gone: Seq) {
        let mut queue = self.lock();
        queue.positions.entry(conversation).or_default().advance_to(gone);
        queue.settle(conversation);
    }

    /// What of a group this session's user may see, as read from the store for what was wanted then: nothing else is
    /// waited for. `base` is where the session starts, if that was not known.
    pub(super) fn confine(&self, group: ConversationId, base: Seq, range: Range, wanted: Seq) {
        self.lock().confine(group, base, range, wanted);
    }

    /// The conversation is none of this session's: it is wanted no more.
    pub(super) fn forget(&self, conversation: ConversationId) {
        let mut queue = self.lock();
        queue.positions.remove(&conversation);
        queue.pulling = None;
        drop(queue);
        self.wake.notify_one();
    }

    /// Offers messages read from the store, ascending without a hole; returns how many were queued. It stops when the
    /// queue is full: the rest is read again later.
    pub(super) fn pulled(&self, conversation: ConversationId, messages: &[Arc<SharedMessage>]) -> usize {
        let mut queue = self.lock();
        let mut shown = 0;
        for message in messages {
            match queue.offer(message) {
                Verdict::Show => shown += 1,
                Verdict::Drop => {}
                Verdict::Want => break,
            }
        }
        queue.pulling = None;
        // What is wanted exists, so that a page without anything new means that it cannot be read yet.
        let pause = if shown > 0 { Duration::ZERO } else { STORE_PAUSE };
        queue.list_if_behind(conversation, Instant::now() + pause);
        drop(queue);
        self.wake.notify_one();
        shown
    }

    /// The store did not answer: try again in a moment.
    pub(super) fn pull_failed(&self, conversation: ConversationId) {
        let mut queue = self.lock();
        queue.pulling = None;
        queue.list_if_behind(conversation, Instant::now() + STORE_PAUSE * 5);
        drop(queue);
        self.wake.notify_one();
    }

    /// Whether the session holds more positions than it may, and should be asked to start afresh.
    #[must_use]
    pub fn has_too_many_positions(&self) -> bool {
        self.lock().positions.len() > POSITIONS_MAX
    }

    /// Moves the session's `as_of` up to `sure`, unless something is still owed from before; answers where it is.
    pub(super) fn advance_as_of(&self, sure: StoreTime) -> AsOf {
        let mut queue = self.lock();
        if queue.is_whole() {
            queue.as_of.at = queue.as_of.at.max(sure);
        }
        queue.as_of
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
