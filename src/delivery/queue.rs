//! What an outbox holds under its lock: frames in the order in which they will be shown, and what is known of the
//! conversations that they come from.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::item::{Item, SharedMessage, cost};
use super::owed::Owed;
use super::position::{Position, Verdict};
use super::reader::Pull;
use crate::model::limits::{EARLY_BYTES_MAX, HOLE_WAIT, OUTBOX_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX};
use crate::model::{AsOf, ClientKey, ConversationId, Message, Range, Seq, StoreTime, UserId};
use crate::wire::ServerFrame;
use crate::wire::server::Sent;

#[derive(Debug)]
pub(super) struct Queue {
    user: UserId,
    pub(super) frames: VecDeque<Item>,
    pub(super) bytes: usize,
    pub(super) positions: HashMap<ConversationId, Position>,
    /// Conversations to be read from the store, and not before when.
    pub(super) behind: VecDeque<(ConversationId, Instant)>,
    /// The conversation that is being read now.
    pub(super) pulling: Option<ConversationId>,
    /// Our own sends under way: their messages are shown by `sent`, and wait for it.
    sending: Vec<(ConversationId, ClientKey)>,
    /// Messages that came before their turn, so that the one before them is all that need come.
    early: BTreeMap<(ConversationId, Seq), Arc<SharedMessage>>,
    early_bytes: usize,
    /// Answers to sends whose message is not next: they wait for their turn, so that a socket shows places in order.
    early_sent: BTreeMap<(ConversationId, Seq), Arc<Message>>,
    /// Up to when this session has been told everything.
    pub(super) as_of: AsOf,
    /// Conversations whose standing is to be told anew.
    pub(super) owed: Owed,
    /// Where conversations without a position start.
    pub(super) start: StoreTime,
    pub(super) open: bool,
    /// Whether a change of presence found no room.
    pub(super) owes_presence: bool,
}

impl Queue {
    pub(super) fn new(user: UserId, as_of: AsOf, start: StoreTime) -> Self {
        Self {
            user,
            frames: VecDeque::new(),
            bytes: 0,
            positions: HashMap::new(),
            behind: VecDeque::new(),
            pulling: None,
            sending: Vec::new(),
            early: BTreeMap::new(),
            early_bytes: 0,
            early_sent: BTreeMap::new(),
            as_of,
            owed: Owed::default(),
            start,
            open: false,
            owes_presence: false,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < OUTBOX_BYTES_MAX
    }

    pub(super) fn push(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.frames.push_back(item);
    }

    pub(super) fn push_first(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.frames.push_front(item);
    }

    /// Answers a send. `shown` says that this shows its message.
    fn push_sent(&mut self, message: Arc<Message>, shown: bool) {
        self.push(ServerFrame::Sent(Sent { message, shown }).into());
    }

    /// Whether everything that exists, as far as is known, has been queued.
    pub(super) fn is_whole(&self) -> bool {
        self.behind.is_empty() && self.pulling.is_none() && self.early.is_empty() && self.early_sent.is_empty()
    }

    /// The one way of every message into the queue.
    pub(super) fn offer(&mut self, shared: &Arc<SharedMessage>) -> Verdict {
        let message = &shared.message;
        let starts_here = self.starts_here(shared.predecessor);
        let position = self.positions.entry(message.conversation).or_default();
        position.group |= shared.group;
        match position.offer(message.seq, starts_here) {
            Verdict::Drop => Verdict::Drop,
            Verdict::Show if self.settle_answer(message.conversation, message.seq.previous()) => {
                self.settle(message.conversation);
                Verdict::Show
            }
            Verdict::Show if self.can_show(message) => {
                self.show(shared);
                self.settle(message.conversation);
                Verdict::Show
            }
            Verdict::Show | Verdict::Want => {
                self.keep_early(shared);
                Verdict::Want
            }
        }
    }

    /// Offers a message of our own, which is shown by its `sent`: at once if it is the next, when its turn has come if
    /// something before it is missing, and not again if it was shown already.
    pub(super) fn offer_sent(&mut self, sent: Arc<Message>, predecessor: Option<StoreTime>, group: bool) {
        let (conversation, seq) = (sent.conversation, sent.seq);
        self.forget_sending(conversation, &sent.key);
        let starts_here = self.starts_here(predecessor);
        let position = self.positions.entry(conversation).or_default();
        position.group |= group;
        match position.offer(seq, starts_here) {
            Verdict::Show => {
                position.advance_to(seq);
                self.push_sent(sent, true);
            }
            Verdict::Drop => self.push_sent(sent, false),
            Verdict::Want => {
                if let Some(twin) = self.early_sent.insert((conversation, seq), sent) {
                    // The same key was sent twice: one of the answers shows the message, the other need not wait.
                    self.push_sent(twin, false);
                }
            }
        }
        self.settle(conversation);
        self.list_hole(conversation);
    }

    /// Keeps the session to what its user may see of a group: it begins no earlier, and waits for nothing later, unless
    /// more has become known since `wanted` was.
    pub(super) fn confine(&mut self, group: ConversationId, base: Seq, range: Range, wanted: Seq) {
        let position = self.positions.entry(group).or_default();
        let from = if position.shown.is_none() { base.max(range.after) } else { range.after };
        let known = position.wanted;
        position.advance_to(range.cut(from));
        if known <= wanted {
            position.wanted = range.cut(known).max(position.shown.unwrap_or_default());
        }
        self.settle(group);
    }

    /// Whether so many answers wait for their turn that no further request should be read.
    pub(super) fn holds_many_answers(&self) -> bool {
        self.early_sent.len() >= REQUESTS_IN_FLIGHT_MAX
    }

    /// A send of our own begins.
    pub(super) fn begin_sending(&mut self, conversation: ConversationId, key: ClientKey) {
        self.sending.push((conversation, key));
    }

    /// A send of our own ended.
    pub(super) fn forget_sending(&mut self, conversation: ConversationId, key: &ClientKey) {
        if let Some(index) = self.sending.iter().position(|(of, sent)| *of == conversation && sent == key) {
            self.sending.swap_remove(index);
        }
    }

    /// After a conversation's position moved, or a send ended: shows what came early and whose turn it is now, and
    /// forgets what was shown otherwise. No answer is forgotten.
    pub(super) fn settle(&mut self, conversation: ConversationId) {
        while let Some(shown) = self.positions.get(&conversation).and_then(|position| position.shown) {
            if !self.settle_answer(conversation, shown) && !self.settle_message(conversation, shown) {
                return;
            }
        }
    }

    /// Gives the first answer whose turn has come; says whether there was one.
    fn settle_answer(&mut self, conversation: ConversationId, shown: Seq) -> bool {
        let due = (conversation, Seq::ZERO)..=(conversation, shown.next());
        let Some((&place, _)) = self.early_sent.range(due).next() else { return false };
        let Some(sent) = self.early_sent.remove(&place) else { return false };
        let shows = place.1 > shown;
        if shows {
            self.positions.entry(conversation).or_default().advance_to(place.1);
        }
        self.push_sent(sent, shows);
        true
    }

    /// Shows the first early message whose turn has come, or forgets it if it was shown; says whether there was one.
    fn settle_message(&mut self, conversation: ConversationId, shown: Seq) -> bool {
        let due = (conversation, Seq::ZERO)..=(conversation, shown.next());
        let Some((&place, shared)) = self.early.range(due).next() else { return false };
        let shared = shared.clone();
        if place.1 > shown {
            if !self.can_show(&shared.message) {
                return false;
            }
            self.show(&shared);
        }
        self.early.remove(&place);
        self.early_bytes -= cost(&shared.message);
        true
    }

    /// Something before a message is missing: it may be on its way, unless we do not even know where we start, or have
    /// no room for it anyway.
    pub(super) fn list_hole(&mut self, conversation: ConversationId) {
        let is_placed = self.positions.get(&conversation).is_some_and(|position| position.shown.is_some());
        let wait = if is_placed && self.has_room() { HOLE_WAIT } else { Duration::ZERO };
        self.list_if_behind(conversation, Instant::now() + wait);
    }

    pub(super) fn list_if_behind(&mut self, conversation: ConversationId, not_before: Instant) {
        if self.pulling == Some(conversation) || self.waits_for_sent(conversation) {
            return;
        }
        let Some(position) = self.positions.get_mut(&conversation) else { return };
        if position.is_behind() && !position.listed {
            position.listed = true;
            self.behind.push_back((conversation, not_before));
        }
    }

    /// What to read from the store now, if anything.
    pub(super) fn next_pull(&mut self, now: Instant) -> Option<Pull> {
        for _ in 0..self.behind.len() {
            let (conversation, not_before) = self.behind.pop_front()?;
            if not_before > now {
                self.behind.push_back((conversation, not_before));
                continue;
            }
            let start = self.start;
            let Some(position) = self.positions.get_mut(&conversation) else { continue };
            position.listed = false;
            let Position { shown, wanted, group, .. } = *position;
            let pull = Pull { conversation, shown, wanted, start, group };
            if position.is_behind() && !self.waits_for_sent(conversation) {
                self.pulling = Some(conversation);
                return Some(pull);
            }
        }
        None
    }

    /// Whether everything before a message is older than what this session is owed.
    fn starts_here(&self, predecessor: Option<StoreTime>) -> bool {
        predecessor.is_some_and(|stored| stored < self.start)
    }

    fn can_show(&self, message: &Message) -> bool {
        self.open && self.has_room() && !self.is_sending(message)
    }

    fn show(&mut self, shared: &Arc<SharedMessage>) {
        let message = &shared.message;
        self.push(Item::Message(shared.clone()));
        self.positions.entry(message.conversation).or_default().advance_to(message.seq);
    }

    /// Whether the next message of a conversation is here, but is our own and is to be shown by its `sent`.
    fn waits_for_sent(&self, conversation: ConversationId) -> bool {
        let shown = self.positions.get(&conversation).and_then(|position| position.shown);
        let next = shown.and_then(|shown| self.early.get(&(conversation, shown.next())));
        next.is_some_and(|shared| self.is_sending(&shared.message))
    }

    fn is_sending(&self, message: &Message) -> bool {
        let is_it = |(of, key): &(ConversationId, ClientKey)| *of == message.conversation && *key == message.key;
        message.sender == self.user && self.sending.iter().any(is_it)
    }

    /// What finds no room here is read from the store.
    fn keep_early(&mut self, shared: &Arc<SharedMessage>) {
        let bytes = cost(&shared.message);
        if self.open && self.has_room() && self.early_bytes + bytes <= EARLY_BYTES_MAX {
            let place = (shared.message.conversation, shared.message.seq);
            if self.early.insert(place, shared.clone()).is_none() {
                self.early_bytes += bytes;
            }
        }
    }
}
