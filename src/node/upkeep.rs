//! `switchboard backup`, `restore`, `erase` and `purge`: open what the configuration names, and say how it goes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::open::{StartError, open_bus, open_store};
use crate::bus::{Hints, Nodes};
use crate::chat::{self, Chat};
use crate::config::{Config, Restoration, Storage};
use crate::model::{Chance, Clock, NodeId, SystemChance, SystemClock, UserId};
use crate::presence::local::LocalWorld;
use crate::store::embedded::{EmbeddedOriginal, EmbeddedStore, EmbeddedVessel};
use crate::store::mongo::{MongoOptions, MongoOriginal, MongoStore, MongoVessel};
use crate::store::{Memberships, Original, SecretOf, StandingCache, StoreClock, Vessel, shared_secret};
use crate::telemetry::{Traces, Trail};
use crate::upkeep;
use crate::wire::Sealer;

/// How often an erasure goes on.
const ERASE_PAUSE: Duration = Duration::from_secs(1);

/// Backs up the configured store into a new file.
///
/// # Errors
/// Whatever cannot be opened, read or written, said so that it can be mended. Then there is no file.
pub async fn back_up(config: &Config, to: &Path, say: impl Fn(String)) -> Result<(), StartError> {
    let original: Box<dyn Original> = match &config.storage {
        Storage::Embedded { dir } => Box::new(EmbeddedOriginal::open(dir).map_err(StartError::of)?),
        Storage::Mongo { uri, allow_standalone } => {
            let options = MongoOptions { allow_standalone: *allow_standalone };
            Box::new(MongoOriginal::connect(uri.expose(), options).await.map_err(StartError::of)?)
        }
    };
    let report = |records| say(format!("{records} records"));
    let contents = upkeep::back_up(original, to, &SystemClock, report).await.map_err(StartError::of)?;
    say(format!("{contents}: written to {}, and read again", to.display()));
    Ok(())
}

/// Restores the configured store, which must be empty; or only makes it another history.
///
/// # Errors
/// A back-up that is damaged, before anything is written; a store that is not empty, or cannot be written.
pub async fn restore(config: &Config, from: &Restoration, say: impl Fn(String)) -> Result<(), StartError> {
    let Restoration::From(file) = from else { return renew(config, say).await };
    let contents = upkeep::examine(file).await.map_err(StartError::of)?;
    say(format!("{}: {contents}", file.display()));
    let vessel: Box<dyn Vessel> = match &config.storage {
        Storage::Embedded { dir } => {
            Box::new(EmbeddedVessel::begin(dir, &SystemClock, &SystemChance).map_err(StartError::of)?)
        }
        Storage::Mongo { uri, allow_standalone } => {
            let options = MongoOptions { allow_standalone: *allow_standalone };
            Box::new(MongoVessel::begin(uri.expose(), options, &SystemChance).await.map_err(StartError::of)?)
        }
    };
    let report = |records| say(format!("{records} records"));
    let generation = upkeep::restore(file, vessel, report).await.map_err(StartError::of)?;
    say(format!("restored, as generation {generation}: clients that come back are told to read again"));
    Ok(())
}

async fn renew(config: &Config, say: impl Fn(String)) -> Result<(), StartError> {
    let generation = match &config.storage {
        Storage::Embedded { dir } => EmbeddedStore::renew(dir, &SystemChance).map_err(StartError::of)?,
        Storage::Mongo { uri, allow_standalone } => {
            let options = MongoOptions { allow_standalone: *allow_standalone };
            let store = MongoStore::connect(uri.expose(), options, &SystemChance).await.map_err(StartError::of)?;
            store.renew(&SystemChance).await.map_err(StartError::of)?
        }
    };
    say(format!("the store is generation {generation} now: restart the nodes; clients are told to read again"));
    Ok(())
}

/// Erases somebody, also while nodes serve; or only counts what that would do.
///
/// # Errors
/// Who is no person, and whatever cannot be opened or does not answer. Run again, it goes on where it was.
pub async fn erase(config: &Config, user: &UserId, dry: bool, say: impl Fn(String)) -> Result<(), StartError> {
    if user.is_reserved() {
        return Err(StartError::new("that is no person"));
    }
    let chat = open_chat(config).await?;
    if dry {
        let found = chat.erasable(user).await.map_err(StartError::of)?;
        say(format!(
            "would leave {} groups, and have {} messages emptied in {} conversations",
            found.groups, found.messages, found.conversations
        ));
        return Ok(());
    }
    loop {
        let erased = chat.erase_some(user).await.map_err(StartError::of)?;
        if erased.done {
            say(format!("erased: {} messages emptied", erased.emptied));
            return Ok(());
        }
        say(format!("{} messages emptied so far; what is under way may still come", erased.emptied));
        sleep(ERASE_PAUSE).await;
    }
}

/// The rules over the configured store and bus, without any way in: nodes are told what is done.
async fn open_chat(config: &Config) -> Result<Chat, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let store = open_store(&config.storage, &clock, &*chance).await?;
    let secret = shared_secret(&*store, SecretOf::Nodes, &*chance).await.map_err(StartError::of)?;
    let hints = Hints::new(Sealer::new(&secret, store.generation()));
    let (bus, _events) = open_bus(&config.bus, &chance).await?;
    let (presence, _comings_and_goings) = LocalWorld::default().join(config.presence_grace, clock.clone());
    Ok(Chat::start(chat::Ports {
        store_clock: Arc::new(StoreClock::set_by(&*store).await.map_err(StartError::of)?),
        memberships: Arc::new(Memberships::new(store.clone())),
        standings: Arc::new(StandingCache::new(store.clone())),
        store,
        policy: config.policy,
        bus,
        hints,
        presence: Arc::new(presence),
        traces: Traces::off(),
        trail: Arc::new(Trail::new(Duration::ZERO, clock.clone())),
        nodes: Arc::new(Nodes::new(NodeId(chance.bits()), None)),
        clock,
        chance,
    }))
}

/// Deletes what is older than this, also while nodes serve; or only counts it.
///
/// # Errors
/// Whatever cannot be opened or does not answer. What was done is done; run again, it goes on from there.
pub async fn purge(config: &Config, age: Duration, dry: bool, say: impl Fn(String)) -> Result<(), StartError> {
    let store = open_store(&config.storage, &(Arc::new(SystemClock) as _), &SystemChance).await?;
    let purged = upkeep::purge(&*store, age, dry, |purged| say(purged.to_string())).await;
    store.close().await;
    let purged = purged.map_err(|error| StartError::new(format!("{error}; what was done is done, run it again")))?;
    say(format!("{}{purged}", if dry { "would be: " } else { "" }));
    Ok(())
}
