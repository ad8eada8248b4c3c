//! Is everything reachable and safe? One finding for each part, found with what a node would use.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::open::{open_bus, open_store, open_traces};
use crate::auth::Verifier;
use crate::bus::BusEvent;
use crate::config::{Auth, BusKind, Config, Keys, Storage};
use crate::model::{Chance, Clock, Policy, SystemChance, SystemClock, UserId};

/// How long a publication may take to come back.
const ROUND_TRIP_WAIT: Duration = Duration::from_secs(2);

/// What was found out about one part: a sentence, good or bad. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which part.
    pub part: &'static str,
    /// What there is to say.
    pub outcome: Result<String, String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(sentence) => write!(f, "{:<10} ok      {sentence}", self.part),
            Err(sentence) => write!(f, "{:<10} FAILED  {sentence}", self.part),
        }
    }
}

/// Looks at every part that the configuration names, also after one has failed. Takes at most about half a minute.
pub async fn check(config: &Config) -> Vec<Finding> {
    vec![
        Finding { part: "store", outcome: check_store(&config.storage).await },
        Finding { part: "bus", outcome: check_bus(&config.bus).await },
        Finding { part: "keys", outcome: check_keys(&config.auth).await },
        Finding { part: "policy", outcome: Ok(check_policy(config.policy)) },
        Finding { part: "traces", outcome: check_traces(config).await },
        Finding { part: "listen", outcome: check_address(config.listen).await },
        Finding { part: "ops-listen", outcome: check_address(config.ops_listen).await },
    ]
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
