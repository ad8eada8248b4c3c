//! From the configuration to the parts of a node.

use std::sync::Arc;
use std::time::Duration;

use super::{Parts, Settings};
use crate::auth::{Minter, Verifier};
use crate::bus::local::LocalHub;
use crate::bus::redis::RedisBus;
use crate::bus::{Bus, BusEvent};
use crate::config::{Allowance, BusKind, Config, Storage};
use crate::door::budget::Budget;
use crate::door::engineio;
use crate::door::files::Files;
use crate::door::listener::ListenerSettings;
use crate::door::origin::Origins;
use crate::door::profile::{self, Manner, Profile};
use crate::model::limits::FILES_KEPT;
use crate::model::{Chance, Clock, SystemChance, SystemClock};
use crate::presence::local::LocalWorld;
use crate::presence::redis::RedisPresence;
use crate::presence::{Presence, PresenceEvent};
use crate::redis::{Line, RedisSettings};
use crate::session::Rate;
use crate::store::Archive;
use crate::store::embedded::EmbeddedStore;
use crate::store::mongo::{MongoOptions, MongoStore};
use crate::telemetry::{Memory, Recorder, Traces};

/// Why a node does not start: one sentence for its operator. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn of(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

/// Opens everything that the configuration names.
///
/// # Errors
/// Whatever cannot be opened, said so that it can be mended. Redis need not be there: the node goes on without it.
pub async fn open(config: &Config, recorder: Option<Recorder>) -> Result<Parts, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let store = open_store(&config.storage, &clock, &*chance).await?;
    let (bus, events) = open_bus(&config.bus, &chance).await?;
    let (presence, comings_and_goings) = open_presence(config, &clock, &chance)?;
    let verifier = Arc::new(Verifier::open(&config.auth, &*chance).map_err(StartError::of)?);
    let minter = config.auth.development_logins().then(|| Minter::open(&config.auth, &*chance)).transpose();
    let minter = minter.map_err(StartError::of)?.map(Arc::new);
    let (traces, label) = (open_traces(config, &chance)?, config.node_label.clone());
    let memory = Memory::of(config.rates.memory_bytes);
    Ok(Parts {
        store,
        bus,
        events,
        presence,
        comings_and_goings,
        verifier,
        minter,
        clock,
        chance,
        recorder,
        traces,
        label,
        memory,
    })
}

pub(super) fn open_traces(config: &Config, chance: &Arc<dyn Chance>) -> Result<Traces, StartError> {
    let Some(settings) = &config.traces else { return Ok(Traces::off()) };
    let node = config.node_label.clone().unwrap_or_else(|| format!("{:016x}", chance.bits()));
    Traces::open(settings, node, chance.clone()).map_err(StartError::of)
}

pub(super) async fn open_store(
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    chance: &dyn Chance,
) -> Result<Arc<dyn Archive>, StartError> {
    match storage {
        Storage::Embedded { dir } => {
            let store = EmbeddedStore::open(dir, clock.clone(), chance).map_err(StartError::of)?;
            Ok(Arc::new(store))
        }
        Storage::Mongo { uri, allow_standalone } => {
            let options = MongoOptions { allow_standalone: *allow_standalone };
            let store = MongoStore::connect(uri.expose(), options, chance).await.map_err(StartError::of)?;
            Ok(Arc::new(store))
        }
    }
}

pub(super) type OpenBus = (Arc<dyn Bus>, tokio::sync::mpsc::Receiver<BusEvent>);

pub(super) async fn open_bus(kind: &BusKind, chance: &Arc<dyn Chance>) -> Result<OpenBus, StartError> {
    match kind {
        BusKind::Local => {
            let (bus, events) = LocalHub::default().join();
            Ok((Arc::new(bus), events))
        }
        BusKind::Redis { url } => {
            let settings = RedisSettings::parse(url.expose()).map_err(StartError::of)?;
            let line = Line::start(settings.clone(), chance.clone());
            let (bus, events) = RedisBus::start(&settings, line, chance.clone()).await;
            Ok((Arc::new(bus), events))
        }
    }
}

type OpenPresence = (Arc<dyn Presence>, tokio::sync::mpsc::Receiver<PresenceEvent>);

/// Over a line of its own, so that messages never wait for it.
fn open_presence(
    config: &Config,
    clock: &Arc<dyn Clock>,
    chance: &Arc<dyn Chance>,
) -> Result<OpenPresence, StartError> {
    let grace = config.presence_grace;
    match &config.bus {
        BusKind::Local => {
            let (presence, events) = LocalWorld::default().join(grace, clock.clone());
            Ok((Arc::new(presence), events))
        }
        BusKind::Redis { url } => {
            let line = Line::start(RedisSettings::parse(url.expose()).map_err(StartError::of)?, chance.clone());
            let (presence, events) = RedisPresence::start(line, clock.clone(), chance.clone(), grace);
            Ok((Arc::new(presence), events))
        }
    }
}

/// People whom one user may look for: ten at once, and one more every six seconds.
const FINDS: Rate = Rate { per_second: 1.0 / 6.0, burst: 10.0 };

fn rate(allowance: Allowance) -> Rate {
    Rate { per_second: f64::from(allowance.per_second), burst: f64::from(allowance.burst) }
}

/// How a node behaves, as configured.
#[must_use]
pub fn settings(config: &Config) -> Settings {
    let rates = &config.rates;
    let budget = Budget {
        frames_per_second: rates.frames_per_second,
        bytes_per_second: rates.bytes_per_second,
        ..Budget::default()
    };
    let is_cluster = config.bus != BusKind::Local;
    Settings {
        listener: ListenerSettings {
            connections_max: rates.connections_max as usize,
            guests_per_address_max: rates.unauthenticated_per_address,
            trusted_proxies: config.trusted_proxies.clone(),
            budget,
            files: Files::keeping(FILES_KEPT),
            ..ListenerSettings::default()
        },
        origins: Origins::new(config.allowed_origins.clone()),
        manner: Manner {
            profile: Profile::named(&config.profile).unwrap_or(profile::CLASSIC),
            team: config.team.clone(),
            recovery: config.recovery,
        },
        engine: engineio::Settings {
            guests_per_address_max: rates.unauthenticated_per_address,
            ..engineio::Settings::default()
        },
        admissions_per_second: rates.admissions_per_second,
        sends: rate(rates.sends),
        service_sends: rate(rates.service_sends),
        requests: rate(rates.requests),
        service_requests: rate(rates.service_requests),
        finds: FINDS,
        policy: config.policy,
        // Who is on another node is not known here.
        claim_away: config.claim_away,
        trail: config.trail,
        // Alone, there is nobody to notice it.
        notice: if is_cluster { config.drain / 4 } else { Duration::ZERO },
        drain: config.drain * 3 / 4,
    }
}
