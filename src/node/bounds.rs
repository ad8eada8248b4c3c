//! What `switchboard check` says of bounds and of settings that make a node less safe: one finding for each, each with the
//! variable that changes it. Nothing is asked of anybody.

use std::time::Duration;

use ipnet::IpNet;
use tokio::runtime::Handle;

use super::check::Finding;
use crate::config::{Allowance, BusKind, Config, Keys, Origin, Storage};
use crate::door::files::Files;
use crate::model::limits::{ADMISSION_WAIT, FILES_KEPT, MEMORY_SHARE_PERCENT};
use crate::telemetry::Memory;

/// Every bound that can be set, as it holds here: on the runtime that this is called on.
pub(super) fn bounds(config: &Config) -> Vec<Finding> {
    let rates = &config.rates;
    let files = Files::keeping(FILES_KEPT).bound();
    let connections = format!(
        "at most {} on this node (SWITCHBOARD_CONNECTIONS_MAX); the limit of open files (ulimit -n) leaves {files}",
        rates.connections_max
    );
    let is_reached = u64::from(rates.connections_max) < files;
    let connections = match is_reached {
        true => Finding::well("connections", connections),
        false => {
            Finding::risky("connections", connections + ": before that bound, clients wait instead of being refused")
        }
    };
    vec![
        connections,
        Finding::well(
            "strangers",
            format!(
                "at most {} connections of one address without a token (SWITCHBOARD_UNAUTHENTICATED_PER_ADDRESS)",
                rates.unauthenticated_per_address
            ),
        ),
        Finding::well(
            "admissions",
            format!(
                "{} sessions may begin in a second, others wait for up to {ADMISSION_WAIT:?} \
                 (SWITCHBOARD_ADMISSIONS_PER_SECOND)",
                rates.admissions_per_second
            ),
        ),
        memory(rates.memory_bytes),
        Finding::well(
            "workers",
            format!("{} threads do the work (SWITCHBOARD_WORKERS)", Handle::current().metrics().num_workers()),
        ),
        allowed("sends", "one user may send", "messages", rates.sends, "SENDS"),
        allowed("requests", "one user may make", "requests over REST", rates.requests, "REQUESTS"),
        allowed("sends of services", "one may send", "messages", rates.service_sends, "SERVICE_SENDS"),
        allowed(
            "requests of services",
            "one may make",
            "requests over REST",
            rates.service_requests,
            "SERVICE_REQUESTS",
        ),
        Finding::well(
            "frames",
            format!(
                "one connection is read at {} frames (SWITCHBOARD_FRAMES_PER_SECOND) and {} bytes a second \
                 (SWITCHBOARD_BYTES_PER_SECOND)",
                rates.frames_per_second, rates.bytes_per_second
            ),
        ),
        drain(config),
        Finding::well(
            "grace",
            format!(
                "who has left is shown as online for {:?} (SWITCHBOARD_PRESENCE_GRACE_SECONDS)",
                config.presence_grace
            ),
        ),
        Finding::well("claims", claims(config.claim_away)),
        Finding::well(
            "trail",
            format!("what became of a message is remembered for {:?} (SWITCHBOARD_TRAIL_SECONDS)", config.trail),
        ),
    ]
}

fn allowed(name: &'static str, who: &str, what: &str, allowance: Allowance, variable: &str) -> Finding {
    let Allowance { per_second, burst } = allowance;
    let sentence = format!(
        "{who} {per_second} {what} a second (SWITCHBOARD_{variable}_PER_SECOND) and {burst} at once \
         (SWITCHBOARD_{variable}_BURST)"
    );
    Finding::well(name, sentence)
}

fn memory(set: Option<u64>) -> Finding {
    match Memory::of(set).bound() {
        Some(bound) => Finding::well(
            "memory",
            format!(
                "nobody new is let in above {} MiB, which are {MEMORY_SHARE_PERCENT} % of {} (SWITCHBOARD_MEMORY_BYTES)",
                bound >> 20,
                if set.is_some() { "what is set" } else { "what the container or the machine has" }
            ),
        ),
        None => Finding::risky(
            "memory",
            "nobody says how much there is: set SWITCHBOARD_MEMORY_BYTES, or too many connections end in a kill",
        ),
    }
}

fn drain(config: &Config) -> Finding {
    let sentence = format!(
        "clients are seen off within {:?} (SWITCHBOARD_DRAIN_SECONDS); whoever stops this node must wait longer",
        config.drain
    );
    if config.drain.is_zero() {
        return Finding::risky("drain", "clients are cut off at once (SWITCHBOARD_DRAIN_SECONDS is 0)");
    }
    Finding::well("drain", sentence)
}

fn claims(away: Duration) -> String {
    let variable = "SWITCHBOARD_CLAIM_AWAY_SECONDS";
    match away.is_zero() {
        true => format!("agents keep their talks however long they are away ({variable})"),
        false => format!("the talks of an agent who is away for {away:?} are everybody's again ({variable})"),
    }
}

/// Every setting that makes a node less safe than it would be without; one finding that all is well if there is none.
pub(super) fn unsafe_settings(config: &Config) -> Vec<Finding> {
    let mut found: Vec<String> = Vec::new();
    if matches!(config.storage, Storage::Mongo { allow_standalone: true, .. }) {
        found.push(
            "SWITCHBOARD_ALLOW_STANDALONE_MONGODB: acknowledged messages are lost with a MongoDB that is no replica set"
                .to_owned(),
        );
    }
    if matches!((&config.storage, &config.bus), (Storage::Mongo { .. }, BusKind::Local)) {
        found.push("no SWITCHBOARD_REDIS_URL: a second node on this MongoDB would hear of messages late".to_owned());
    }
    match &config.auth.keys {
        Keys::Development { .. } => {
            found.push("no SWITCHBOARD_JWT_…: whoever reaches this address may be anybody".to_owned());
        }
        Keys::Nobody => found.push("no SWITCHBOARD_JWT_…: nobody may come in".to_owned()),
        _ if config.auth.audiences.is_empty() => {
            found.push("no SWITCHBOARD_JWT_AUDIENCE: tokens that were made for other services count, too".to_owned());
        }
        _ => {}
    }
    if !config.ops_listen.ip().is_loopback() {
        found.push(format!(
            "SWITCHBOARD_OPS_LISTEN: whoever reaches {} is answered; let nobody from outside reach it",
            config.ops_listen
        ));
    }
    let networks = config.trusted_proxies.iter().filter(|network| is_wide(network));
    found.extend(networks.map(|network| {
        format!("SWITCHBOARD_TRUSTED_PROXIES: {network} is wide; whoever is in it may claim to be at any address")
    }));
    let plain = config.allowed_origins.iter().filter(|origin| is_plain(origin));
    found.extend(plain.map(|origin| {
        format!("SWITCHBOARD_ALLOWED_ORIGINS: {origin} is not https; others on the way can change what it does")
    }));
    if found.is_empty() {
        return vec![Finding::well("settings", "none makes this node less safe than it could be")];
    }
    found.into_iter().map(|sentence| Finding::risky("settings", sentence)).collect()
}

/// Whether a network is larger than any that is somebody's own.
fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        IpNet::V6(network) => network.prefix_len() < 32,
    }
}

fn is_plain(origin: &Origin) -> bool {
    let text = origin.to_string();
    let is_local = ["http://localhost", "http://127.", "http://[::1]"].iter().any(|local| text.starts_with(local));
    text.starts_with("http://") && !is_local
}
