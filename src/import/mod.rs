//! Adopts the old app's messages and users: one stream of old messages, conversation after conversation, several of
//! which are written at once.
//!
//! ```text
//! the old app ─► sorted by conversation, time, id ─► pieces of a conversation ─► a task each ─► the store
//! ```
//!
//! Nothing is remembered between runs. What an earlier run stored is recognised by its place and its id, so that a run
//! that was cut anywhere is simply run again; and what is found where an old message belongs, and is not that message,
//! was said by somebody living: then the conversation is left as it is. Nothing is published.

mod adopt;
mod count;
mod talk;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::interval;

use self::adopt::{Target, patiently};
pub use self::count::Count;
use self::count::Counters;
use self::talk::{Parties, Team};
use crate::model::UserId;
use crate::model::limits::{IMPORT_AT_ONCE_MAX, IMPORT_PIECE_BYTES_MAX, IMPORT_REPORT_PERIOD, RUN_MESSAGES_MAX};
use crate::store::mongo::classic::{ClassicApp, OldMessage, SourceError};
use crate::store::{Archive, StoreError};

/// Why an import did not come to its end. What it did is done; run again, it goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The old app cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect.
    #[error("a part of the import ended in a panic")]
    Panic,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What was done.
    pub count: Count,
    /// About how many messages the old app has.
    pub of: u64,
}

/// Copies everything. `report` is told now and then how far it is. Dropped at any point, it leaves what a later run
/// completes.
///
/// # Errors
/// The old app or the store was lost for too long, or one of them is damaged.
pub async fn run(
    app: &ClassicApp,
    store: Arc<dyn Archive>,
    mut report: impl FnMut(Progress),
) -> Result<Count, ImportError> {
    let counters = Arc::<Counters>::default();
    let began = patiently(|| store.now()).await?;
    let target = Target { store, began, counters: counters.clone() };
    let of = app.about_how_many().await?;
    let agents = app.agents().await?;
    if agents.is_empty() {
        tracing::warn!("the old app has no user of the role admin: every conversation is one of two people");
    }
    let work = async {
        people(app, &target).await?;
        messages(app, &target, agents).await
    };
    tokio::pin!(work);
    let mut beat = interval(IMPORT_REPORT_PERIOD);
    loop {
        tokio::select! {
            done = &mut work => return done.map(|()| counters.read()),
            _ = beat.tick() => report(Progress { count: counters.read(), of }),
        }
    }
}

/// Sets the profiles of all users.
async fn people(app: &ClassicApp, target: &Target) -> Result<(), ImportError> {
    let mut tasks = Tasks::default();
    let mut people = app.people();
    while let Some(found) = people.next().await? {
        match found {
            Ok(person) => {
                let target = target.clone();
                let put = async move {
                    patiently(|| target.store.put_profile(&person.user, &person.profile)).await?;
                    target.counters.person();
                    Ok(())
                };
                tasks.start(put).await?;
            }
            Err(skipped) => target.counters.skipped_person(&skipped),
        }
    }
    tasks.finish().await
}

/// Copies all messages.
async fn messages(app: &ClassicApp, target: &Target, agents: Vec<UserId>) -> Result<(), ImportError> {
    let mut messages = app.messages(&agents);
    let team = Team::new(agents);
    let mut tasks = Tasks::default();
    let mut talk: Option<Talk> = None;
    while let Some(found) = messages.next().await? {
        let message = match found {
            Ok(message) => message,
            Err(skipped) => {
                target.counters.skipped(&skipped);
                continue;
            }
        };
        let parties = team.parties(&message);
        let mut going_on = match talk.take() {
            Some(talk) if talk.parties == parties => talk,
            other => {
                if let Some(ended) = other {
                    ended.end().await;
                }
                let (talk, pieces) = Talk::new(parties.clone());
                tasks.start(target.clone().adopt(parties, pieces)).await?;
                talk
            }
        };
        going_on.add(message).await;
        talk = Some(going_on);
    }
    if let Some(last) = talk {
        last.end().await;
    }
    tasks.finish().await
}

/// The conversation that is being read, on its way to its task in pieces. A task that failed takes no more of them: that
/// is noticed when the next one starts, or at the end.
struct Talk {
    parties: Parties,
    piece: Vec<OldMessage>,
    bytes: usize,
    pieces: mpsc::Sender<Vec<OldMessage>>,
}

impl Talk {
    fn new(parties: Parties) -> (Self, mpsc::Receiver<Vec<OldMessage>>) {
        let (pieces, receiver) = mpsc::channel(1);
        (Self { parties, piece: Vec::new(), bytes: 0, pieces }, receiver)
    }

    async fn add(&mut self, message: OldMessage) {
        self.bytes += message.text.len();
        self.piece.push(message);
        if self.piece.len() >= RUN_MESSAGES_MAX || self.bytes >= IMPORT_PIECE_BYTES_MAX {
            self.bytes = 0;
            drop(self.pieces.send(std::mem::take(&mut self.piece)).await);
        }
    }

    async fn end(self) {
        if !self.piece.is_empty() {
            drop(self.pieces.send(self.piece).await);
        }
    }
}

/// Tasks, at most [`IMPORT_AT_ONCE_MAX`] at once. Dropped, they end.
#[derive(Default)]
struct Tasks(JoinSet<Result<(), ImportError>>);

impl Tasks {
    /// Starts a task, after one has ended if there are as many as may be. Fails if one has failed.
    async fn start(
        &mut self,
        task: impl Future<Output = Result<(), ImportError>> + Send + 'static,
    ) -> Result<(), ImportError> {
        if self.0.len() >= IMPORT_AT_ONCE_MAX {
            self.join().await?;
        }
        self.0.spawn(task);
        Ok(())
    }

    /// Waits for all of them.
    async fn finish(mut self) -> Result<(), ImportError> {
        while !self.0.is_empty() {
            self.join().await?;
        }
        Ok(())
    }

    async fn join(&mut self) -> Result<(), ImportError> {
        self.0.join_next().await.unwrap_or(Ok(Ok(()))).unwrap_or(Err(ImportError::Panic))
    }
}
