//! A simulated store: the whole port in memory, with true semantics and seeded faults.
//!
//! What it may do: take its time, refuse for certain, answer "unknown" when a write was done, was not, or will be done
//! only later, be away, stop an ordered run in the middle, do a part of a batch, call a place taken that is free again when
//! one looks. What it never does: break a unique key, lose what it confirmed, or show what is not for good.

mod book;
mod faults;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use switchboard::model::limits::MONGODB_PACE;
use switchboard::model::{
    Activity, Appearance, Assignment, Ban, ClientKey, Conversation, ConversationId, Cursor, CursorKind, Generation,
    Group, Message, Profile, Revoked, Seq, Standing, StoreTime, Summary, Timestamp, UserId,
};
use switchboard::store::{
    Addresses, Appearances, Assignments, Attempt, Behind, Conversations, Erasure, Groups, Messages, Outcome, People,
    Progress, Retention, Since, Span, Standings, Store, StoreError, Tail, Talks,
};
use tokio::time::{Instant, sleep};

use super::defects::Defect;
use super::dice::Dice;
use super::journal::short;
use super::trace::Trace;
use super::weather::Sky;
pub use book::{Book, Entry, Kept};

/// What the store's clock shows when a run begins.
const BEGINNING: StoreTime = StoreTime(1_750_000_000_000);

/// The store itself, as all nodes share it.
pub struct Shared {
    pub book: Mutex<Book>,
    began: Instant,
}

impl Shared {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { book: Mutex::default(), began: Instant::now() })
    }

    pub fn now(&self) -> StoreTime {
        BEGINNING.plus(self.began.elapsed())
    }

    pub fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Tries one message; as real stores do, it may name either key when both are taken.
    fn try_one(&self, attempt: &Attempt, dice: &Dice, trace: &Trace) -> Outcome {
        let now = self.now();
        let outcome = self.lock().insert(attempt, now, dice.is(0.5));
        trace.say(|| {
            format!(
                "store: {} {} {} {outcome:?}",
                short(attempt.message.conversation),
                attempt.seq,
                attempt.message.key
            )
        });
        outcome
    }
}

/// One node's way to the store.
#[derive(Clone)]
pub struct SimStore {
    pub shared: Arc<Shared>,
    pub sky: Arc<Sky>,
    pub dice: Arc<Dice>,
    pub trace: Arc<Trace>,
    pub defect: Option<Defect>,
    /// Which of the places for nodes it is used from.
    pub place: usize,
    /// Whether the node that uses it still runs. A dead node is never answered.
    pub alive: Arc<AtomicBool>,
}

impl SimStore {
    async fn read<T>(&self, read: impl FnOnce(&mut Book) -> T) -> Result<T, StoreError> {
        let faults = self.faults();
        sleep(faults.before).await;
        self.be_alive().await;
        if faults.fails_to_read {
            return Err(away());
        }
        let answer = read(&mut self.shared.lock());
        sleep(faults.after).await;
        self.be_alive().await;
        Ok(answer)
    }

    /// A write that may be repeated freely: it may fail with or without an effect.
    async fn write<T>(&self, write: impl FnOnce(&mut Book) -> T) -> Result<T, StoreError> {
        let faults = self.faults();
        sleep(faults.before).await;
        self.be_alive().await;
        if faults.fails_to_read && self.dice.is(0.5) {
            return Err(away());
        }
        let answer = write(&mut self.shared.lock());
        sleep(faults.after).await;
        self.be_alive().await;
        if faults.fails_to_read { Err(away()) } else { Ok(answer) }
    }

    /// A node that was killed learns nothing more.
    async fn be_alive(&self) {
        if !self.alive.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Does something after the one who asked for it was told that its outcome is unknown.
    fn later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let delay = self.dice.millis(1, if self.dice.is(0.2) { 20_000 } else { 1_500 });
        tokio::spawn(async move {
            sleep(delay).await;
            work.await;
        });
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("simulated".to_owned())
}

#[async_trait]
impl Messages for SimStore {
    async fn append_each(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        for (index, attempt) in attempts.iter().enumerate() {
            let same = |other: &Attempt| other.message.conversation == attempt.message.conversation;
            assert!(!attempts[..index].iter().any(same), "a batch holds two messages of one conversation");
        }
        if self.is(Defect::AcknowledgesWithoutStoring) && self.dice.is(0.02) {
            return attempts.iter().map(|_| Outcome::Stored).collect();
        }
        self.append_batch(attempts).await
    }

    async fn append_run(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        for pair in attempts.windows(2) {
            assert_eq!(pair[0].message.conversation, pair[1].message.conversation, "a run is of one conversation");
            assert_eq!(pair[0].seq.next(), pair[1].seq, "a run has consecutive places");
        }
        self.append_in_order(attempts).await
    }

    async fn tail(&self, conversation: ConversationId, before: Option<StoreTime>) -> Result<Option<Tail>, StoreError> {
        self.read(|book| book.tail(conversation, before)).await
    }

    async fn find(
        &self,
        conversation: ConversationId,
        sender: &UserId,
        key: &ClientKey,
    ) -> Result<Option<Message>, StoreError> {
        if self.is(Defect::ForgetsKeys) {
            return Ok(None);
        }
        self.read(|book| book.find(conversation, sender, key)).await
    }

    async fn page(&self, conversation: ConversationId, span: Span, limit: usize) -> Result<Vec<Message>, StoreError> {
        if self.is(Defect::NeverRepairs) && matches!(span, Span::After(_)) {
            return Ok(Vec::new());
        }
        let mut page = self.read(|book| book.page(conversation, span, limit)).await?;
        if self.is(Defect::RepairsWithHoles) && page.len() > 2 && self.dice.is(0.5) {
            page.remove(1);
        }
        Ok(page)
    }
}

#[async_trait]
impl Conversations for SimStore {
    async fn open(&self, conversation: &Conversation) -> Result<(), StoreError> {
        self.write(|book| book.open(conversation)).await
    }

    async fn get(&self, ids: &[ConversationId]) -> Result<Vec<Summary>, StoreError> {
        self.read(|book| book.get(ids)).await
    }

    async fn raise(&self, messages: &[Message]) -> Result<(), StoreError> {
        if self.is(Defect::NeverRaisesHeads) {
            return Ok(());
        }
        if self.fails_to_raise() {
            sleep(self.dice.millis(0, 50)).await;
            return Err(away());
        }
        let now = || self.shared.now();
        self.write(|book| book.raise(messages, now())).await
    }

    async fn active(&self, users: &[UserId], since: Since, limit: usize) -> Result<Vec<Activity>, StoreError> {
        if self.is(Defect::NeverCures) {
            return Ok(Vec::new());
        }
        self.read(|book| book.active(users, since, limit)).await
    }

    async fn list(&self, user: &UserId, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError> {
        self.read(|book| book.list(user, behind, limit)).await
    }

    async fn acquainted(&self, user: &UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError> {
        self.read(|book| book.acquainted(user, others)).await
    }
}

#[async_trait]
impl People for SimStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        to: Seq,
    ) -> Result<bool, StoreError> {
        self.write(|book| book.advance(conversation, user, kind, to)).await
    }

    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError> {
        self.read(|book| book.cursors(conversation)).await
    }

    async fn cursors_of(
        &self,
        members: &[(ConversationId, UserId)],
    ) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        self.read(|book| book.cursors_of(members)).await
    }

    async fn unread(&self, user: &UserId, conversations: &[(ConversationId, Seq)]) -> Result<Vec<u64>, StoreError> {
        self.read(|book| book.unread(user, conversations)).await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, StoreError> {
        self.read(|book| book.profiles(users)).await
    }

    async fn put_profile(&self, user: &UserId, profile: &Profile) -> Result<(), StoreError> {
        self.write(|book| book.put_profile(user, profile)).await
    }

    async fn agree(&self, on: &'static str, proposal: Option<&str>) -> Result<Option<String>, StoreError> {
        self.write(|book| book.agree(on, proposal)).await
    }
}

#[async_trait]
impl Groups for SimStore {
    async fn found(&self, conversation: &Conversation, group: &Group) -> Result<(), StoreError> {
        self.write(|book| book.found(conversation, group)).await
    }

    async fn apply(&self, event: &Message) -> Result<(), StoreError> {
        let now = || self.shared.now();
        self.write(|book| book.apply(event, now())).await
    }
}

#[async_trait]
impl Standings for SimStore {
    async fn standings(&self, users: &[UserId]) -> Result<Vec<(UserId, Standing)>, StoreError> {
        self.read(|book| book.standings(users)).await
    }

    async fn ban(&self, user: &UserId, ban: Option<&Ban>) -> Result<(), StoreError> {
        self.write(|book| book.standing(user).ban = ban.cloned()).await
    }

    async fn revoke_before(&self, user: &UserId, before: Timestamp) -> Result<(), StoreError> {
        self.write(|book| book.standing(user).tokens_before = Some(before)).await
    }

    async fn revoke_token(&self, user: &UserId, token: &Revoked, _now: Timestamp) -> Result<bool, StoreError> {
        self.write(|book| book.standing(user).revoked.push(token.clone())).await.map(|()| true)
    }

    async fn block(&self, user: &UserId, other: &UserId, active: bool) -> Result<bool, StoreError> {
        self.write(|book| book.block(user, other, active)).await.map(|()| true)
    }

    async fn note_agent(&self, user: &UserId) -> Result<(), StoreError> {
        self.write(|book| book.standing(user).agent = true).await
    }
}

#[async_trait]
impl Addresses for SimStore {
    async fn set_address(&self, user: &UserId, address: &str) -> Result<(), StoreError> {
        self.write(|book| book.set_address(user, address)).await
    }

    async fn by_address(&self, address: &str) -> Result<Vec<UserId>, StoreError> {
        self.read(|book| book.by_address(address)).await
    }
}

/// Nobody is erased in a simulation.
#[async_trait]
impl Erasure for SimStore {
    async fn erasure(&self, _: &UserId) -> Result<Option<Progress>, StoreError> {
        Err(away())
    }

    async fn keep_erasure(&self, _: &UserId, _: Option<&Progress>) -> Result<(), StoreError> {
        Err(away())
    }

    async fn conversations_of(
        &self,
        _: &UserId,
        _: Option<ConversationId>,
        _: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        Err(away())
    }

    async fn empty(&self, _: ConversationId, _: &UserId, _: Seq, _: Seq) -> Result<u64, StoreError> {
        Err(away())
    }

    async fn written(&self, _: ConversationId, _: &UserId, _: Seq, _: Seq) -> Result<u64, StoreError> {
        Err(away())
    }

    async fn forget(&self, _: &UserId) -> Result<(), StoreError> {
        Err(away())
    }
}

/// Nothing is purged in a simulation.
#[async_trait]
impl Retention for SimStore {
    async fn conversations_after(
        &self,
        _: Option<ConversationId>,
        _: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        Err(away())
    }

    async fn purge(&self, _: ConversationId, _: Seq) -> Result<u64, StoreError> {
        Err(away())
    }

    async fn blank(&self, _: ConversationId, _: Seq) -> Result<bool, StoreError> {
        Err(away())
    }
}

#[async_trait]
impl Assignments for SimStore {
    async fn assign(&self, talk: ConversationId, new: &Assignment) -> Result<bool, StoreError> {
        self.write(|book| book.assign(talk, new)).await
    }

    async fn talks(&self, which: &Talks, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError> {
        self.read(|book| book.talks(which, behind, limit)).await
    }

    async fn holders(&self) -> Result<Vec<UserId>, StoreError> {
        self.read(|book| book.holders()).await
    }
}

#[async_trait]
impl Appearances for SimStore {
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        self.write(|book| book.seen(users)).await
    }

    async fn appear(&self, user: &UserId, offline: bool, at: Timestamp) -> Result<(), StoreError> {
        self.write(|book| book.appear(user, offline, at)).await
    }

    async fn appearances(&self, users: &[UserId]) -> Result<Vec<Appearance>, StoreError> {
        self.read(|book| book.appearances(users)).await
    }
}

#[async_trait]
impl Store for SimStore {
    async fn now(&self) -> Result<StoreTime, StoreError> {
        let ahead = if self.is(Defect::ClockAhead) { std::time::Duration::from_secs(300) } else { Default::default() };
        self.read(|_| self.shared.now().plus(ahead)).await
    }

    fn generation(&self) -> Generation {
        Generation(7)
    }

    fn pace(&self) -> Duration {
        MONGODB_PACE
    }

    fn run_from(&self) -> usize {
        2
    }
}
