//! Is everything reachable and safe? One finding for each part, found with what a node would use.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::bounds;
use super::open::{open_bus, open_store, open_traces};
use crate::auth::Verifier;
use crate::bus::BusEvent;
use crate::config::{Auth, BusKind, Config, Keys, Storage};
use crate::model::{Chance, Clock, Policy, SystemChance, SystemClock, UserId};
use crate::presence::redis::RedisPresence;
use crate::presence::{Lease, Presence};
use crate::redis::{Line, RedisSettings};

/// How long a publication may take to come back.
const ROUND_TRIP_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether a lease is there.
const POLL: Duration = Duration::from_millis(10);

/// What was found out about one part: a sentence. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which part.
    pub part: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What there is to say.
    pub sentence: String,
}

/// How a part was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Well,
    /// A node would start, less safe than it could be.
    Risky,
    /// A node would not start, or not work.
    Failed,
}

impl Finding {
    pub(super) fn well(part: &'static str, sentence: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Well, sentence: sentence.into() }
    }

    pub(super) fn risky(part: &'static str, sentence: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Risky, sentence: sentence.into() }
    }

    fn of(part: &'static str, outcome: Result<String, String>) -> Self {
        match outcome {
            Ok(sentence) => Self::well(part, sentence),
            Err(sentence) => Self { part, verdict: Verdict::Failed, sentence },
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Well => "ok",
            Verdict::Risky => "RISKY",
            Verdict::Failed => "FAILED",
        };
        write!(f, "{:<11} {verdict:<7} {}", self.part, self.sentence)
    }
}

/// Looks at every part that the configuration names, also after one has failed, and says how every bound is and which
/// settings are risky. Takes at most about half a minute.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of("store", check_store(&config.storage).await),
        Finding::of("bus", check_bus(&config.bus).await),
        Finding::of("presence", check_presence(&config.bus).await),
        Finding::of("keys", check_keys(&config.auth).await),
        Finding::well("policy", check_policy(config.policy)),
        Finding::of("traces", check_traces(config).await),
        Finding::of("listen", check_address(config.listen).await),
        Finding::of("ops-listen", check_address(config.ops_listen).await),
    ];
    findings.extend(bounds::bounds(config));
    findings.extend(bounds::unsafe_settings(config));
    findings
}

async fn check_store(storage: &Storage) -> Result<String, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = open_store(storage, &clock, &SystemChance).await.map_err(|error| error.to_string())?;
    let asked = Instant::now();
    let now = store.now().await;
    let took = asked.elapsed().as_millis();
    store.close().await;
    let now = now.map_err(|error| error.to_string())?;
    let what = match storage {
        Storage::Embedded { dir } => format!("{} can be opened", dir.display()),
        // Connecting has made sure of the schema, by a write that a majority has confirmed.
        Storage::Mongo { .. } => "MongoDB confirms majority writes".to_owned(),
    };
    let off = i128::from(now.0) - i128::from(clock.now().0);
    Ok(format!("{what}, answers in {took} ms, and its clock is {off:+} ms off this machine's"))
}

async fn check_bus(kind: &BusKind) -> Result<String, String> {
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let (bus, mut events) = open_bus(kind, &chance).await.map_err(|error| error.to_string())?;
    if *kind == BusKind::Local {
        return Ok("in this process: there is one node".to_owned());
    }
    let nobody = format!("switchboard-check-{:016x}", chance.bits());
    let nobody: UserId = nobody.parse().map_err(|_| "a defect: no name for a channel".to_owned())?;
    let sent = Instant::now();
    bus.subscribe(&nobody).await;
    bus.publish(&nobody, Bytes::from_static(b"check")).await;
    let back = async {
        loop {
            match events.recv().await {
                Some(BusEvent::Message { user, .. }) if user == nobody => return true,
                // While Redis is away, a bus hands publications to itself: what comes after this proves nothing.
                Some(BusEvent::Away) | None => return false,
                Some(_) => {}
            }
        }
    };
    match timeout(ROUND_TRIP_WAIT, back).await {
        Ok(true) => Ok(format!("Redis brought a publication back in {} ms", sent.elapsed().as_millis())),
        Ok(false) => Err("Redis cannot be used: the log says why".to_owned()),
        Err(_) => Err(format!("Redis answers, but a publication did not come back within {ROUND_TRIP_WAIT:?}")),
    }
}

/// Presence wants scripts and keys of Redis, which a user of it may not be allowed.
async fn check_presence(kind: &BusKind) -> Result<String, String> {
    let BusKind::Redis { url } = kind else {
        return Ok("in this process: there is one node".to_owned());
    };
    let settings = RedisSettings::parse(url.expose()).map_err(|error| error.to_string())?;
    let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) = (Arc::new(SystemClock), Arc::new(SystemChance));
    let line = Line::start(settings, chance.clone());
    let (presence, _events) = RedisPresence::start(line, clock.clone(), chance, Duration::ZERO);
    let asked = Instant::now();
    let held = async {
        while presence.lease() != Lease::Held {
            sleep(POLL).await;
        }
    };
    let held = timeout(ROUND_TRIP_WAIT, held).await;
    presence.withdraw(clock.now()).await;
    match held {
        Ok(()) => Ok(format!("Redis gave a lease in {} ms", asked.elapsed().as_millis())),
        Err(_) => Err(format!("Redis gave no lease within {ROUND_TRIP_WAIT:?}: may its user run scripts and write?")),
    }
}

async fn check_keys(auth: &Auth) -> Result<String, String> {
    let verifier = Verifier::open(auth, &SystemChance).map_err(|error| error.to_string())?;
    let keys = verifier.settled().await.map_err(|error| error.to_string())?;
    let source = match &auth.keys {
        Keys::Development { .. } => "development logins, on loopback only".to_owned(),
        Keys::Nobody => "nobody may come in".to_owned(),
        Keys::Secrets(_) => format!("HS256, secrets: {keys}"),
        Keys::PublicKey { algorithm, .. } => format!("{algorithm:?} with the configured public key"),
        Keys::Jwks { .. } => format!("keys that the issuer publishes: {keys}"),
    };
    let issuer = auth.issuer.as_deref().unwrap_or("any");
    let audience = if auth.audiences.is_empty() { "any".to_owned() } else { auth.audiences.join(" or ") };
    Ok(format!("{source}; issuer: {issuer}; audience: {audience}"))
}

fn check_policy(policy: Policy) -> String {
    let what = match policy {
        Policy::Open => "anybody writes to anybody",
        Policy::Support => "users write to the team only",
    };
    format!("{}: {what}", policy.name())
}

/// A node goes on without its collector: but who looks here wants to know.
async fn check_traces(config: &Config) -> Result<String, String> {
    let Some(settings) = &config.traces else { return Ok("of no message: there is no collector".to_owned()) };
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let traces = open_traces(config, &chance).map_err(|error| error.to_string())?;
    match traces.probe().await {
        Ok(()) => Ok(format!("of {} of the messages, and {} takes them", settings.sample, settings.endpoint)),
        Err(error) => Err(format!("{} does not take them: {error}", settings.endpoint)),
    }
}

/// An address in use is no failure: a node may be running.
async fn check_address(address: SocketAddr) -> Result<String, String> {
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(format!("{address} is in use, by a node that runs or by another program"))
        }
        Err(error) => Err(format!("{address} cannot be listened on: {error}")),
    }
}
