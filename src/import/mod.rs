//! Adopts the old app's messages and users: one stream of old messages, conversation after conversation, several of
//! which are written at once.
//!
//! ```text
//! the old app ─► sorted by conversation, time, id ─► batches of conversations ─► a task each ─► the store
//! ```
//!
//! Nothing is remembered between runs. What an earlier run stored is recognised by its place and its id, so that a run
//! that was cut anywhere is simply run again; and what is found where an old message belongs, and is not that message,
//! was said by somebody living: then the conversation is left as it is. Nothing is published.

mod adopt;
mod count;
mod sorter;
mod talk;
mod tasks;

use std::sync::Arc;

use tokio::time::interval;

use self::adopt::{Target, patiently};
pub use self::count::Count;
use self::count::Counters;
use self::sorter::Sorter;
use self::talk::Team;
use self::tasks::Tasks;
use crate::model::limits::{IMPORT_BATCH_MAX, IMPORT_REPORT_PERIOD};
use crate::model::{Profile, UserId};
use crate::store::mongo::classic::{ClassicApp, OldPerson, SourceError};
use crate::store::{Archive, StoreError, TEAM_ALIAS};

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
    match agents.first() {
        // The one whom the old app named when it was asked for an admin: its pages go on seeing the team under that id.
        Some(first) => drop(patiently(|| target.store.agree(TEAM_ALIAS, Some(first.as_str()))).await?),
        None => tracing::warn!("the old app has no user of the role admin: every conversation is one of two people"),
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
    let mut batch = Vec::new();
    while let Some(found) = people.next().await? {
        match found {
            Ok(OldPerson { user, profile }) => batch.push((user, profile)),
            Err(skipped) => target.counters.skipped_person(&skipped),
        }
        if batch.len() >= IMPORT_BATCH_MAX {
            tasks.start(put_profiles(target.clone(), std::mem::take(&mut batch))).await?;
        }
    }
    tasks.start(put_profiles(target.clone(), batch)).await?;
    tasks.finish().await
}

async fn put_profiles(target: Target, people: Vec<(UserId, Profile)>) -> Result<(), ImportError> {
    patiently(|| target.store.put_profiles(&people)).await?;
    target.counters.people(people.len());
    Ok(())
}

/// Copies all messages.
async fn messages(app: &ClassicApp, target: &Target, agents: Vec<UserId>) -> Result<(), ImportError> {
    let mut messages = app.messages(&agents);
    let team = Team::new(agents);
    let mut sorter = Sorter::new(target);
    while let Some(found) = messages.next().await? {
        match found {
            Ok(message) => sorter.take(team.parties(&message), message).await?,
            Err(skipped) => target.counters.skipped(&skipped),
        }
    }
    sorter.finish().await
}
