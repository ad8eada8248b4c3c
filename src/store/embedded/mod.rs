//! The embedded store: one SQLite file in a directory of its own, for one node.
//!
//! ```text
//! write ─► queue ─► writer thread ─► one transaction for all that waited ─► fsync ─► answers
//! read  ─► queue ─► reader threads, each with its own connection ─► answers
//! ```
//!
//! Only one thread ever writes, so order needs no locks, and one fsync pays for all writes that came while the last
//! one ran. Readers see what was committed, which is what was synced: SQLite publishes a transaction to other
//! connections only after its log is on the disk. A message's head is raised in the transaction that stores it, so
//! that the [`raise`](Conversations::raise) that follows finds nothing to do and costs no second fsync.
//!
//! Its threads run on real time: a test that pauses `tokio::time` sees every call here run out of time.

mod addresses;
mod appearances;
mod changes;
mod clock;
mod desk;
mod directory;
mod erasure;
mod fault;
mod group;
mod memberships;
mod meters;
mod original;
mod questions;
mod reader;
mod retention;
mod row;
mod schema;
mod standings;
mod talks;
mod vessel;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;

use self::clock::SteadyClock;
use self::fault::Unwritten;
use self::group::{Write, Written};
use self::reader::Readers;
use self::standings::Decision;
use self::writer::Writer;
use super::{
    Addresses, Archive, Attempt, Behind, Conversations, Erasure, Groups, Messages, Outcome, People, Progress, Since,
    Span, Standings, Store, StoreError, Tail,
};
use crate::model::limits::{EMBEDDED_PACE, USERS_PER_QUESTION_MAX};
use crate::model::{
    Activity, Ban, Chance, ClientKey, Clock, Conversation, ConversationId, Cursor, CursorKind, Generation, Group,
    Message, Profile, Revoked, Seq, Standing, StoreTime, Summary, Timestamp, UserId,
};

pub use self::directory::OpenError;
pub use self::original::EmbeddedOriginal;
pub use self::vessel::EmbeddedVessel;

/// A store in a directory of this machine. Dropping it lets what was already asked for end in the background;
/// [`close`](Self::close) waits for that and frees the directory.
#[derive(Debug)]
pub struct EmbeddedStore {
    writer: Writer,
    readers: Readers,
    clock: Arc<SteadyClock>,
    generation: Generation,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens the store in this directory, making both if they are not there. What was acknowledged before a crash is
    /// there again; nothing has to be repaired by hand. Blocks the thread for as long as the disk takes.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, a newer version wrote it, or it is damaged.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>, chance: &dyn Chance) -> Result<Self, OpenError> {
        let place = directory::prepare(directory)?;
        let (connection, found) = schema::open(&place, chance)?;
        let clock = Arc::new(SteadyClock::new(clock, found.clock));
        let (readers, mut threads) = Readers::start(&place)?;
        let (writer, thread) = Writer::start(place, connection, Arc::clone(&clock), Arc::default())?;
        threads.push(thread);
        let generation = found.generation;
        Ok(Self { writer, readers, clock, generation, threads: Mutex::new(threads) })
    }

    /// Gives the store in this directory another generation: it is another history from now on, as after a restore by other
    /// means. No node may use it meanwhile.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn renew(directory: &Path, chance: &dyn Chance) -> Result<Generation, OpenError> {
        schema::renew(&directory::prepare(directory)?, chance)
    }

    /// Finishes what was already asked for, folds the log into the file, and frees the directory. Everything asked
    /// for later is refused. Closing twice does nothing.
    pub async fn close(&self) {
        self.readers.stop();
        self.writer.stop();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(|| threads.into_iter().try_for_each(JoinHandle::join));
        if !matches!(joined.await, Ok(Ok(()))) {
            tracing::error!("a thread of the store ended in a panic; what was acknowledged is safe");
        }
    }

    async fn append(&self, write: Write, attempts: usize) -> Result<Vec<Outcome>, Unwritten> {
        match self.writer.write(write).await? {
            Written::Outcomes(outcomes) if outcomes.len() == attempts => Ok(outcomes),
            other => Err(Unwritten::mismatched(&other)),
        }
    }

    /// The same in order: after the first that is not stored, nothing is tried.
    async fn append_in_order(&self, write: Write, attempts: usize) -> Vec<Outcome> {
        match self.append(write, attempts).await {
            Ok(outcomes) => outcomes,
            Err(unwritten @ Unwritten::Unknown(_)) => vec![unwritten.into(); attempts],
            Err(refused) => {
                let mut outcomes = vec![Outcome::Untried; attempts];
                outcomes.iter_mut().take(1).for_each(|first| *first = refused.clone().into());
                outcomes
            }
        }
    }

    /// A write whose outcome may stay unknown, because repeating it does no harm.
    async fn write(&self, write: Write) -> Result<bool, StoreError> {
        match self.writer.write(write).await {
            Ok(Written::Changed(changed)) => Ok(changed),
            Ok(other) => Err(Unwritten::mismatched(&other).into()),
            Err(unwritten) => Err(unwritten.into()),
        }
    }
}

impl EmbeddedStore {
    async fn decide(&self, user: &UserId, decision: Decision) -> Result<bool, StoreError> {
        self.write(Write::Decide(user.clone(), decision)).await
    }
}

#[async_trait]
impl Messages for EmbeddedStore {
    async fn append_each(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        match self.append(Write::Each(attempts), count).await {
            Ok(outcomes) => outcomes,
            Err(unwritten) => vec![unwritten.into(); count],
        }
    }

    async fn append_run(&self, attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        self.append_in_order(Write::Run(attempts), count).await
    }

    async fn tail(&self, conversation: ConversationId, before: Option<StoreTime>) -> Result<Option<Tail>, StoreError> {
        self.readers
            .ask(move |connection| match before {
                None => questions::tail(connection, conversation),
                Some(time) => questions::tail_before(connection, conversation, time),
            })
            .await
    }

    async fn find(
        &self,
        conversation: ConversationId,
        sender: &UserId,
        key: &ClientKey,
    ) -> Result<Option<Message>, StoreError> {
        let (sender, key) = (sender.clone(), key.clone());
        self.readers.ask(move |connection| questions::find(connection, conversation, &sender, &key)).await
    }

    async fn page(&self, conversation: ConversationId, span: Span, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.readers.ask(move |connection| questions::page(connection, conversation, span, limit)).await
    }
}

#[async_trait]
impl Conversations for EmbeddedStore {
    async fn open(&self, conversation: &Conversation) -> Result<(), StoreError> {
        let id = conversation.id;
        if self.readers.ask(move |connection| questions::exists(connection, id)).await? {
            return Ok(());
        }
        self.write(Write::Open(conversation.clone())).await.map(drop)
    }

    async fn get(&self, ids: &[ConversationId]) -> Result<Vec<Summary>, StoreError> {
        let ids = ids.to_vec();
        self.readers.ask(move |connection| questions::summaries(connection, &ids)).await
    }

    async fn raise(&self, messages: &[Message]) -> Result<(), StoreError> {
        let places: Vec<_> = messages.iter().map(|message| (message.conversation, message.seq)).collect();
        if self.readers.ask(move |connection| questions::heads_reach(connection, &places)).await? {
            return Ok(());
        }
        self.write(Write::Raise(messages.to_vec())).await.map(drop)
    }

    async fn active(&self, users: &[UserId], since: Since, limit: usize) -> Result<Vec<Activity>, StoreError> {
        debug_assert!(users.len() <= USERS_PER_QUESTION_MAX, "{} users", users.len());
        let users = users.to_vec();
        self.readers.ask(move |connection| questions::active(connection, &users, since, limit)).await
    }

    async fn list(&self, user: &UserId, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError> {
        let user = user.clone();
        self.readers.ask(move |connection| questions::list(connection, &user, behind, limit)).await
    }

    async fn acquainted(&self, user: &UserId, others: &[UserId]) -> Result<Vec<bool>, StoreError> {
        let (user, others) = (user.clone(), others.to_vec());
        self.readers.ask(move |connection| questions::acquainted(connection, &user, &others)).await
    }
}

#[async_trait]
impl People for EmbeddedStore {
    async fn advance(
        &self,
        conversation: ConversationId,
        user: &UserId,
        kind: CursorKind,
        to: Seq,
    ) -> Result<bool, StoreError> {
        let reader = user.clone();
        let already = move |connection: &_| questions::cursor(connection, conversation, &reader, kind);
        if self.readers.ask(already).await? >= to {
            return Ok(false);
        }
        self.write(Write::Advance { conversation, user: user.clone(), kind, to }).await
    }

    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError> {
        self.readers.ask(move |connection| questions::cursors(connection, conversation)).await
    }

    async fn cursors_of(
        &self,
        members: &[(ConversationId, UserId)],
    ) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        let members = members.to_vec();
        self.readers.ask(move |connection| questions::cursors_of(connection, &members)).await
    }

    async fn unread(&self, user: &UserId, conversations: &[(ConversationId, Seq)]) -> Result<Vec<u64>, StoreError> {
        let (user, conversations) = (user.clone(), conversations.to_vec());
        self.readers.ask(move |connection| questions::unread(connection, &user, &conversations)).await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, StoreError> {
        let users = users.to_vec();
        self.readers.ask(move |connection| questions::profiles(connection, &users)).await
    }

    async fn put_profile(&self, user: &UserId, profile: &Profile) -> Result<(), StoreError> {
        let known = self.profiles(std::slice::from_ref(user)).await?;
        if known.first().is_some_and(|known| known.as_ref() == Some(profile)) {
            return Ok(());
        }
        self.write(Write::PutProfile { user: user.clone(), profile: profile.clone() }).await.map(drop)
    }

    async fn agree(&self, on: &'static str, proposal: Option<&str>) -> Result<Option<String>, StoreError> {
        let agreed = self.readers.ask(move |connection| questions::agreed(connection, on)).await?;
        let (None, Some(proposal)) = (&agreed, proposal) else { return Ok(agreed) };
        self.write(Write::Agree { on, proposal: proposal.to_owned() }).await?;
        self.readers.ask(move |connection| questions::agreed(connection, on)).await
    }
}

#[async_trait]
impl Groups for EmbeddedStore {
    async fn found(&self, conversation: &Conversation, group: &Group) -> Result<(), StoreError> {
        self.write(Write::Found(conversation.clone(), group.clone())).await.map(drop)
    }

    async fn apply(&self, event: &Message) -> Result<(), StoreError> {
        self.write(Write::Apply(event.clone())).await.map(drop)
    }
}

#[async_trait]
impl Standings for EmbeddedStore {
    async fn standings(&self, users: &[UserId]) -> Result<Vec<(UserId, Standing)>, StoreError> {
        debug_assert!(users.len() <= USERS_PER_QUESTION_MAX, "{} users", users.len());
        let users = users.to_vec();
        self.readers.ask(move |connection| standings::of(connection, &users)).await
    }

    async fn ban(&self, user: &UserId, ban: Option<&Ban>) -> Result<(), StoreError> {
        self.decide(user, Decision::Ban(ban.cloned())).await.map(drop)
    }

    async fn revoke_before(&self, user: &UserId, before: Timestamp) -> Result<(), StoreError> {
        self.decide(user, Decision::RevokeBefore(before)).await.map(drop)
    }

    async fn revoke_token(&self, user: &UserId, token: &Revoked, now: Timestamp) -> Result<bool, StoreError> {
        self.decide(user, Decision::RevokeToken(token.clone(), now)).await
    }

    async fn block(&self, user: &UserId, other: &UserId, active: bool) -> Result<bool, StoreError> {
        self.decide(user, Decision::Block(other.clone(), active)).await
    }

    async fn note_agent(&self, user: &UserId) -> Result<(), StoreError> {
        self.decide(user, Decision::NoteAgent).await.map(drop)
    }
}

#[async_trait]
impl Addresses for EmbeddedStore {
    async fn set_address(&self, user: &UserId, address: &str) -> Result<(), StoreError> {
        if !address.is_empty() && self.by_address(address).await?.contains(user) {
            return Ok(());
        }
        self.write(Write::SetAddress { user: user.clone(), address: address.to_owned() }).await.map(drop)
    }

    async fn by_address(&self, address: &str) -> Result<Vec<UserId>, StoreError> {
        let address = address.to_owned();
        self.readers.ask(move |connection| addresses::of(connection, &address)).await
    }
}

#[async_trait]
impl Erasure for EmbeddedStore {
    async fn erasure(&self, user: &UserId) -> Result<Option<Progress>, StoreError> {
        let user = user.clone();
        self.readers.ask(move |connection| erasure::progress(connection, &user)).await
    }

    async fn keep_erasure(&self, user: &UserId, progress: Option<&Progress>) -> Result<(), StoreError> {
        self.write(Write::KeepErasure(user.clone(), progress.cloned())).await.map(drop)
    }

    async fn conversations_of(
        &self,
        user: &UserId,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let user = user.clone();
        self.readers.ask(move |connection| erasure::conversations_of(connection, &user, from, limit)).await
    }

    async fn empty(
        &self,
        conversation: ConversationId,
        user: &UserId,
        after: Seq,
        up_to: Seq,
    ) -> Result<u64, StoreError> {
        let write = Write::Empty { conversation, user: user.clone(), after, up_to };
        match self.writer.write(write).await {
            Ok(Written::Emptied(messages)) => Ok(messages),
            Ok(other) => Err(Unwritten::mismatched(&other).into()),
            Err(unwritten) => Err(unwritten.into()),
        }
    }

    async fn written(
        &self,
        conversation: ConversationId,
        user: &UserId,
        after: Seq,
        up_to: Seq,
    ) -> Result<u64, StoreError> {
        let user = user.clone();
        self.readers.ask(move |connection| erasure::written(connection, conversation, &user, after, up_to)).await
    }

    async fn forget(&self, user: &UserId) -> Result<(), StoreError> {
        self.write(Write::Forget(user.clone())).await.map(drop)
    }
}

#[async_trait]
impl Archive for EmbeddedStore {
    async fn adopt_run(&self, attempts: Vec<Attempt>, until: StoreTime) -> Vec<Outcome> {
        let count = attempts.len();
        self.append_in_order(Write::Adopt(attempts, until), count).await
    }

    async fn settle(&self, messages: &[Message], until: StoreTime) -> Result<(), StoreError> {
        self.write(Write::Settle(messages.to_vec(), until)).await.map(drop)
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn now(&self) -> Result<StoreTime, StoreError> {
        self.writer.check()?;
        Ok(self.clock.now())
    }

    fn generation(&self) -> Generation {
        self.generation
    }

    fn pace(&self) -> Duration {
        EMBEDDED_PACE
    }

    fn run_from(&self) -> usize {
        // It gathers what waits by itself.
        2
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}
