//! Gives the messages of one conversation their places, in the order in which they came to this node.
//!
//! The rules, each of which keeps a promise:
//! - One attempt is under way at a time, at the place after the highest that is known to be taken for good.
//! - A single message shares its insert with those of other lanes. Where several wait they go as one *ordered* run, so that a
//!   conflict stops the run instead of reordering it.
//! - Where another node has said, under seal, that it stored a message, the next place is the one behind that.
//! - A taken place means another node was faster: go on behind it where that node has told of it, and read where the
//!   conversation ends where it has not.
//! - A taken key means the message is stored already: answer with the first result.
//! - What changes a group is placed alone, and takes effect before anything is placed behind it. Wherever the end was
//!   read anew, what came before it has taken effect first. So who may write, and who is told, is what the messages say.
//! - What must be stored right after a place, or not at all, goes alone (`exact`).
//! - After an unknown outcome nothing is tried until the keys concerned and the end of the conversation were read.

mod exact;
mod pending;
mod traced;

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::announce::{Announcer, is_crowd};
use super::commit::Commit;
use super::heads::{Heads, Rise, Stored};
use super::member::not_yours;
use super::metrics::Stages;
use super::rights::Rules;
use super::send::Sent;
use super::unavailable;
use crate::bus::{Hint, Hints};
use crate::model::limits::{LANE_IDLE, PAGE_MESSAGES_MAX, RUN_MESSAGES_MAX, STORE_PAUSE, TOLD_WAIT};
use crate::model::{Clock, Code, ConversationId, Kind, Message, Refusal, Seq, StoreTime};
use crate::store::{Attempt, Memberships, Outcome, Span, Store, StoreClock, StoreError, Tail, Talk};
use crate::telemetry::{Traces, Trail};

pub(super) use pending::{Opening, Pending};

/// What all lanes share.
pub(super) struct Parts {
    pub(super) store: Arc<dyn Store>,
    pub(super) store_clock: Arc<StoreClock>,
    pub(super) memberships: Arc<Memberships>,
    pub(super) rules: Arc<Rules>,
    pub(super) announcer: Arc<Announcer>,
    pub(super) hints: Hints,
    pub(super) commit: Commit,
    pub(super) heads: Heads,
    pub(super) metrics: Stages,
    pub(super) traces: Traces,
    pub(super) trail: Arc<Trail>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The lane of one conversation.
pub(super) struct Lane {
    conversation: ConversationId,
    parts: Arc<Parts>,
    inbox: mpsc::Receiver<Pending>,
    /// The conversation, as last seen.
    talk: Option<Talk>,
    /// Whether it is known to exist.
    exists: bool,
    /// Whether it is a group, and `talk` is all that the messages up to `end` say of it.
    is_exact: bool,
    /// Since when the end is known.
    since: Instant,
    /// Taken from the inbox, not yet placed; oldest first.
    queue: VecDeque<Pending>,
    /// The end of the conversation as known for good: read, told of under seal, or our own stored message. None: to be read.
    end: Option<Tail>,
    /// What other nodes say of its end.
    hint: Hint,
    /// Up to here, that was heeded.
    heeded: Seq,
    /// How many at the front of the queue have an attempt of unknown outcome behind them.
    unsure: usize,
    /// How many at the front of the queue have passed the gate.
    admitted: usize,
}

impl Lane {
    pub(super) fn new(conversation: ConversationId, parts: Arc<Parts>, inbox: mpsc::Receiver<Pending>) -> Self {
        let queue = VecDeque::new();
        let since = Instant::now();
        let hint = parts.hints.follow(conversation);
        Self {
            conversation,
            parts,
            inbox,
            talk: None,
            exists: false,
            is_exact: false,
            since,
            queue,
            end: None,
            hint,
            heeded: Seq::ZERO,
            unsure: 0,
            admitted: 0,
        }
    }

    /// Works until it was idle for [`LANE_IDLE`] and `retire` agrees that nothing came in meanwhile.
    pub(super) async fn run(mut self, retire: impl Fn(&mpsc::Receiver<Pending>) -> bool) {
        loop {
            match timeout(LANE_IDLE, self.inbox.recv()).await {
                Ok(Some(pending)) => self.queue.push_back(pending),
                Ok(None) => return,
                Err(_) if retire(&self.inbox) => return,
                Err(_) => continue,
            }
            while !self.queue.is_empty() {
                self.take_what_waits();
                if let Err(error) = self.advance().await {
                    let trace_id = self.queue.front().and_then(Pending::context).map(tracing::field::display);
                    tracing::debug!(conversation = %self.conversation, trace_id, %error, "a lane waits for the store");
                    sleep(STORE_PAUSE).await;
                }
                self.refuse_overdue();
            }
        }
    }

    fn take_what_waits(&mut self) {
        while self.queue.len() < RUN_MESSAGES_MAX {
            let Ok(pending) = self.inbox.try_recv() else { break };
            self.queue.push_back(pending);
        }
    }

    /// One step: learn what is not known, or place what waits. An error means: pause, then step again.
    async fn advance(&mut self) -> Result<(), StoreError> {
        if self.unsure > 0 {
            self.resolve_unknown_outcomes().await?;
        }
        let Some(end) = self.end else {
            self.since = Instant::now();
            self.end = Some(self.read_end().await?);
            if std::mem::take(&mut self.is_exact) {
                // What happened meanwhile may have changed who may write.
                self.admitted = 0;
            }
            return Ok(());
        };
        let Some(end) = self.heed(end) else { return Ok(()) };
        self.admit(end.seq).await?;
        if self.end.is_none() {
            return Ok(());
        }
        match self.exact_front() {
            Some(head) if head != end.seq => self.compare(head, end).await,
            _ => self.place_run(end).await,
        }
    }

    /// Reads, by key, whether the messages of an unknown outcome are stored; those that are need no other attempt.
    async fn resolve_unknown_outcomes(&mut self) -> Result<(), StoreError> {
        while self.unsure > 0 {
            let Some(front) = self.queue.front() else { break };
            match self.find(front).await? {
                Some(message) => self.finish_front(Arc::new(message), None).await,
                // Not stored, so neither is anything that was tried after it.
                None => break,
            }
        }
        self.unsure = 0;
        Ok(())
    }

    async fn read_end(&mut self) -> Result<Tail, StoreError> {
        let end = self.parts.store.tail(self.conversation, None).await?;
        self.exists |= end.is_some();
        Ok(end.unwrap_or(Tail { seq: Seq::ZERO, stored: StoreTime(0) }))
    }

    /// Heeds what other nodes say that they stored. In a group the end is read anew, once for what was said, since that may
    /// have changed who may write.
    fn heed(&mut self, end: Tail) -> Option<Tail> {
        let told = self.hint.highest();
        if self.is_exact {
            let is_news = told > end.seq.max(self.heeded);
            self.heeded = self.heeded.max(told);
            self.end = (!is_news).then_some(end);
        } else if told > end.seq {
            self.end = Some(self.told(told));
        }
        self.end
    }

    /// The end, as another node tells of it.
    fn told(&mut self, seq: Seq) -> Tail {
        self.exists = true;
        Tail { seq, stored: self.latest_store_time() }
    }

    /// Refuses what may not be written here, now. What stays at the front was let through, in a group as long as the end
    /// stays known, elsewhere once and for all.
    async fn admit(&mut self, end: Seq) -> Result<(), StoreError> {
        let mut next = self.admitted;
        while let Some(pending) = self.queue.get(next) {
            // A change goes alone, and what is behind it is looked at when it has taken effect.
            if next > 0 && (pending.is_change() || self.queue.front().is_some_and(Pending::is_change)) {
                break;
            }
            // Before a group comes to be with them in it.
            let barred = self.parts.rules.bars(&pending.new.sender, &pending.rights, pending.brings()).await?;
            let talk = match (self.is_exact, &barred) {
                (true, _) => self.talk.clone(),
                (false, Some(_)) => None,
                (false, None) => self.look_up(pending).await?,
            };
            if !self.is_exact && talk.as_ref().is_some_and(|talk| talk.conversation.kind == Kind::Group) {
                self.talk = self.catch_up(end).await?;
                self.is_exact = true;
                continue;
            }
            let refusal = match barred {
                Some(refusal) => Some(refusal),
                None => self.refusal(pending, talk.as_ref()).await?,
            };
            let refusal = match refusal {
                Some(refusal) => refusal,
                None if pending.is_held_up() => {
                    Refusal::new(Code::Blocked, "repeat the send that was refused before this one first")
                }
                None => {
                    // Only now: a conversation does not come to be by what is refused.
                    if !self.is_exact {
                        self.talk = match &pending.open {
                            Some(Opening::Talk(derived)) if self.exists => {
                                Some(self.parts.memberships.existing(derived))
                            }
                            Some(Opening::Talk(derived)) => Some(self.parts.memberships.open(derived).await?),
                            _ => talk,
                        };
                    }
                    next += 1;
                    self.admitted = next;
                    continue;
                }
            };
            let is_final = self.is_exact && !refusal.code.is_retryable();
            if is_final && self.since < pending.accepted {
                // Another node may have let them in since the end was read.
                self.end = None;
                return Ok(());
            }
            let stored = if is_final { self.find(pending).await? } else { None };
            if let Some(pending) = self.queue.remove(next) {
                match stored {
                    // It was allowed once.
                    Some(message) => self.finish(pending, Arc::new(message), None).await,
                    None => pending.refuse(refusal),
                }
            }
        }
        Ok(())
    }

    /// The conversation that a send goes to. A group is made to exist, since all that is to be checked of it was.
    async fn look_up(&self, pending: &Pending) -> Result<Option<Talk>, StoreError> {
        match &pending.open {
            Some(Opening::Talk(derived)) => Ok(Some(Talk::of(derived.clone()))),
            Some(Opening::Group(new)) => {
                self.parts.store.found(&new.0, &new.1).await?;
                self.parts.memberships.read(self.conversation).await
            }
            None => self.parts.memberships.get(self.conversation).await,
        }
    }

    /// The group, after every event up to the end has taken effect. One may not have, where the node that wrote it died
    /// or is about to let it; those are beyond the head.
    async fn catch_up(&self, end: Seq) -> Result<Option<Talk>, StoreError> {
        let mut group = self.parts.memberships.read(self.conversation).await?;
        let mut head = group.as_ref().map_or(end, |group| group.head);
        while head < end {
            let page = self.parts.store.page(self.conversation, Span::After(head), PAGE_MESSAGES_MAX).await?;
            let Some(last) = page.last() else {
                return Err(StoreError::Unavailable("a message is stored but cannot be read yet".to_owned()));
            };
            head = last.seq;
            let events: Vec<&Message> = page.iter().filter(|message| message.event.is_some()).collect();
            if !events.is_empty() {
                group = self.parts.memberships.reflect(self.conversation, &events).await?;
            }
        }
        Ok(group)
    }

    async fn find(&self, pending: &Pending) -> Result<Option<Message>, StoreError> {
        self.parts.store.find(self.conversation, &pending.new.sender, &pending.new.key).await
    }

    /// Why this may never be written there, as it is.
    async fn refusal(&self, pending: &Pending, talk: Option<&Talk>) -> Result<Option<Refusal>, StoreError> {
        let Some(talk) = talk.filter(|talk| pending.may_write_in(&talk.conversation)) else {
            return Ok(Some(not_yours()));
        };
        if let Err(refusal) = pending.check_change(talk) {
            return Ok(Some(refusal));
        }
        self.parts.rules.refusal(&pending.new.sender, &pending.rights, &talk.conversation).await
    }

    /// Tries to store what waits, and goes by what became of each.
    async fn place_run(&mut self, mut end: Tail) -> Result<(), StoreError> {
        let mut attempts: Vec<Attempt> = Vec::with_capacity(self.admitted);
        let mut seq = end.seq;
        for pending in self.queue.iter().take(self.run_length()) {
            seq = seq.next();
            attempts.push(Attempt { message: pending.new.clone(), seq });
        }
        let mut undecided = attempts.len();
        for outcome in self.append(attempts).await {
            match outcome {
                Outcome::Stored => {
                    let predecessor = end;
                    end = Tail { seq: end.seq.next(), stored: self.latest_store_time() };
                    self.end = Some(end);
                    self.hint.took(end.seq);
                    self.finish_front_at(end.seq, predecessor).await;
                    undecided -= 1;
                }
                Outcome::SeqTaken => {
                    self.parts.metrics.conflicts.increment(1);
                    self.end = self.taken(end.seq.next()).await;
                    return Ok(());
                }
                Outcome::KeyTaken => return self.answer_with_first_result().await,
                Outcome::Untried => return Ok(()),
                Outcome::Refused(error) => {
                    self.refuse_front(unavailable(&error));
                    return Err(error);
                }
                Outcome::Unknown(error) => {
                    self.parts.metrics.unknown.increment(1);
                    self.unsure = undecided;
                    self.end = None;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The store says that a place is taken. It is so for good once the node says so that took it, which is soon; if none
    /// does, the end is to be read. So it is in a group, where the message may have changed who may write, and where this
    /// node hears of nobody's messages, because nobody of the conversation is here.
    async fn taken(&mut self, place: Seq) -> Option<Tail> {
        if self.is_exact || self.hint.highest() == Seq::ZERO {
            return None;
        }
        timeout(TOLD_WAIT, self.hint.reaches(place)).await.ok()?;
        Some(self.told(self.hint.highest()))
    }

    /// No later than this did the store take what it has just confirmed.
    fn latest_store_time(&self) -> StoreTime {
        self.parts.store_clock.now().plus(std::time::Duration::from_secs(2))
    }

    async fn answer_with_first_result(&mut self) -> Result<(), StoreError> {
        let Some(front) = self.queue.front() else { return Ok(()) };
        match self.find(front).await? {
            Some(message) => {
                self.finish_front(Arc::new(message), None).await;
                Ok(())
            }
            None => Err(StoreError::Unavailable("a message is stored but cannot be read yet".to_owned())),
        }
    }

    async fn finish_front_at(&mut self, seq: Seq, predecessor: Tail) {
        let Some(front) = self.queue.front() else { return };
        let message = Arc::new(front.new.clone().at_seq(seq));
        self.finish_front(message, Some(predecessor.stored)).await;
    }

    async fn finish_front(&mut self, message: Arc<Message>, predecessor: Option<StoreTime>) {
        if let Some(pending) = self.pop_front() {
            self.finish(pending, message, predecessor).await;
        }
    }

    /// A message is stored: let it take effect, announce it, and have its sender answered when the head is raised.
    async fn finish(&mut self, mut pending: Pending, message: Arc<Message>, predecessor: Option<StoreTime>) {
        if message.event.is_some()
            && let Err(error) = self.take_effect(&message, pending.deadline()).await
        {
            return pending.refuse(unavailable(&error));
        }
        if let Some(gate) = &pending.gate {
            gate.settle(self.conversation, &pending.new.key);
        }
        if self.is_exact && predecessor.is_none() {
            // It was found, not placed: others may have come and gone before it.
            self.talk = self.parts.memberships.read(self.conversation).await.unwrap_or_default();
        }
        let stages = &self.parts.metrics;
        stages.committed.record(pending.accepted.elapsed());
        let committed = self.parts.clock.now();
        if let Some(trace) = &mut pending.trace {
            trace.stored(message.id);
        }
        if let Some(talk) = &self.talk {
            self.parts.announcer.message(talk, message.clone(), predecessor, pending.context()).await;
        }
        stages.published.record(pending.accepted.elapsed());
        self.parts.trail.sent(&message, committed);
        if let Some(trace) = &mut pending.trace {
            trace.published();
        }
        let rise = match &self.talk {
            Some(talk) if is_crowd(&talk.conversation) => Rise::Crowd,
            _ if predecessor.is_some() => Rise::New,
            _ => Rise::Found,
        };
        let sent = Sent { message, predecessor, group: self.is_exact };
        let Pending { accepted, reply, trace, .. } = pending;
        self.parts.heads.acknowledge(Stored { sent, accepted, rise, reply, trace }).await;
    }

    /// Lets a stored event take effect, however often that has to be tried. If it cannot, the end is read anew, which
    /// tries it again.
    async fn take_effect(&mut self, event: &Message, deadline: Instant) -> Result<(), StoreError> {
        loop {
            let effect = async {
                self.parts.store.apply(event).await?;
                self.parts.memberships.read(self.conversation).await
            };
            match effect.await {
                Ok(talk) => {
                    self.talk = talk;
                    return Ok(());
                }
                Err(error) if deadline <= Instant::now() => {
                    self.end = None;
                    return Err(error);
                }
                Err(_) => sleep(STORE_PAUSE).await,
            }
        }
    }

    fn refuse_front(&mut self, refusal: Refusal) {
        if let Some(pending) = self.pop_front() {
            pending.refuse(refusal);
            // What came after it in the same session must pass the gate again, which is now closed.
            self.admitted = 0;
        }
    }

    fn pop_front(&mut self) -> Option<Pending> {
        self.admitted = self.admitted.saturating_sub(1);
        self.unsure = self.unsure.saturating_sub(1);
        self.queue.pop_front()
    }

    fn refuse_overdue(&mut self) {
        let now = Instant::now();
        while self.queue.front().is_some_and(|pending| pending.deadline() <= now) {
            self.refuse_front(Refusal::new(Code::Unavailable, "the store did not confirm it in time"));
        }
    }
}
