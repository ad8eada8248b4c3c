//! Stage two: from strings to checked types, and what does not go together.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::keys::auth;
use super::raw::Raw;
use super::settings as s;
use super::{
    Allowance, BusKind, Command, Config, ConfigError, Log, LogFormat, Rates, Secret, Setting, Storage, Traces, Url,
};
use crate::model::Policy;

/// The profiles there are.
const PROFILES: [&str; 1] = ["classic"];

pub(super) fn check(raw: &Raw, command: &Command) -> Result<Config, ConfigError> {
    let (listen, ops_listen) = addresses(raw)?;
    let storage = storage(raw)?;
    let bus = bus(raw, &storage)?;
    let origin =
        "origins, comma-separated, each http or https, a host and perhaps a port, such as https://chat.example.com";
    Ok(Config {
        listen,
        ops_listen,
        auth: auth(raw, command, listen, &storage, &bus)?,
        from: from(raw, command)?,
        storage,
        bus,
        allowed_origins: raw.list(&s::ALLOWED_ORIGINS, origin, |item| item.parse().ok())?,
        trusted_proxies: raw.list(
            &s::TRUSTED_PROXIES,
            "addresses or networks, comma-separated, such as 10.0.0.0/8",
            network,
        )?,
        profile: raw.need(&s::PROFILE, "the name of a profile: classic", |text| {
            PROFILES.contains(&text).then(|| text.to_owned())
        })?,
        team: raw.want(&s::TEAM_ID, "a user id: 1 to 64 of the characters A-Z a-z 0-9 _ . @ | : + -", |text| {
            text.parse().ok()
        })?,
        recovery: raw.need(&s::RECOVERY, "true or false", |text| text.parse().ok())?,
        policy: raw.need(&s::POLICY, "open or support", |text| {
            [Policy::Open, Policy::Support].into_iter().find(|policy| policy.name() == text)
        })?,
        node_label: raw.want(&s::NODE_ID, "1 to 64 printable ASCII characters without spaces", label)?,
        claim_away: Duration::from_secs(number(raw, &s::CLAIM_AWAY_SECONDS, 0, 86_400)?.into()),
        drain: Duration::from_secs(number(raw, &s::DRAIN_SECONDS, 0, 3_600)?.into()),
        presence_grace: Duration::from_secs(number(raw, &s::PRESENCE_GRACE_SECONDS, 0, 300)?.into()),
        log: log(raw)?,
        trail: Duration::from_secs(number(raw, &s::TRAIL_SECONDS, 0, 86_400)?.into()),
        traces: traces(raw)?,
        rates: rates(raw)?,
        workers: raw.want(&s::WORKERS, "a whole number from 1 to 1024", |text| {
            text.parse().ok().filter(|workers| (1..=1_024).contains(workers))
        })?,
    })
}

fn addresses(raw: &Raw) -> Result<(SocketAddr, SocketAddr), ConfigError> {
    let wanted = "an address and a port, such as 127.0.0.1:3000 or [::]:3000";
    let listen: SocketAddr = raw.need(&s::LISTEN, wanted, |text| text.parse().ok())?;
    let ops_listen: SocketAddr = raw.need(&s::OPS_LISTEN, wanted, |text| text.parse().ok())?;
    if listen.port() != 0 && listen == ops_listen {
        return Err(ConfigError(format!(
            "SWITCHBOARD_LISTEN and SWITCHBOARD_OPS_LISTEN are both {listen}: give one of them another port"
        )));
    }
    Ok((listen, ops_listen))
}

const MONGODB: &str = "a connection string that begins with mongodb:// or mongodb+srv://";

fn storage(raw: &Raw) -> Result<Storage, ConfigError> {
    let uri = raw.want(&s::MONGODB_URI, MONGODB, mongodb_uri)?;
    let allow_standalone = raw.need(&s::ALLOW_STANDALONE_MONGODB, "true or false", |text| text.parse().ok())?;
    match uri {
        Some(uri) => Ok(Storage::Mongo { uri, allow_standalone }),
        None => Ok(Storage::Embedded { dir: raw.need(&s::DATA_DIR, "a directory", |text| Some(PathBuf::from(text)))? }),
    }
}

fn from(raw: &Raw, command: &Command) -> Result<Option<Secret>, ConfigError> {
    let from = raw.want(&s::FROM, MONGODB, mongodb_uri)?;
    if from.is_none() && *command == Command::Import {
        return Err(ConfigError(
            "`import` needs to know the old app's database: set SWITCHBOARD_FROM_FILE, SWITCHBOARD_FROM or --from"
                .to_owned(),
        ));
    }
    Ok(from)
}

fn bus(raw: &Raw, storage: &Storage) -> Result<BusKind, ConfigError> {
    let wanted = "a URL that begins with redis://, rediss://, redis-sentinel:// or redis-cluster://";
    let Some(url) = raw.want(&s::REDIS_URL, wanted, redis_url)? else {
        return Ok(BusKind::Local);
    };
    if matches!(storage, Storage::Embedded { .. }) {
        return Err(ConfigError(
            "SWITCHBOARD_REDIS_URL without SWITCHBOARD_MONGODB_URI would give nodes that do not share their history: \
             set SWITCHBOARD_MONGODB_URI, too, or leave both out"
                .to_owned(),
        ));
    }
    Ok(BusKind::Redis { url })
}

fn mongodb_uri(text: &str) -> Option<Secret> {
    with_scheme(text, |scheme| matches!(scheme, "mongodb" | "mongodb+srv"))
}

fn redis_url(text: &str) -> Option<Secret> {
    with_scheme(text, |scheme| {
        let server = scheme.strip_suffix("-cluster").or_else(|| scheme.strip_suffix("-sentinel")).unwrap_or(scheme);
        matches!(server, "redis" | "rediss" | "valkey" | "valkeys")
    })
}

fn with_scheme(text: &str, is_known: impl Fn(&str) -> bool) -> Option<Secret> {
    let (scheme, rest) = text.split_once("://")?;
    (is_known(scheme) && !rest.is_empty()).then(|| Secret::new(text))
}

fn network(item: &str) -> Option<IpNet> {
    item.parse().ok().or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from))
}

fn label(text: &str) -> Option<String> {
    let is_label = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_label.then(|| text.to_owned())
}

fn log(raw: &Raw) -> Result<Log, ConfigError> {
    let parse = |text: &str| EnvFilter::builder().parse(text).ok().map(|_| text.to_owned());
    let format = |text: &str| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    };
    Ok(Log {
        filter: raw.need(&s::LOG, "a level or a filter, such as info or info,switchboard::auth=debug", parse)?,
        format: raw.need(&s::LOG_FORMAT, "text or json", format)?,
    })
}

fn traces(raw: &Raw) -> Result<Option<Traces>, ConfigError> {
    let ratio = |text: &str| text.parse().ok().filter(|ratio: &f64| (0.0..=1.0).contains(ratio));
    let sample = raw.need(&s::TRACE_SAMPLE, "a number from 0 to 1, such as 0.01", ratio)?;
    let wanted = "the address of a collector, http or https, without a password or a query, such as \
                  http://collector:4318";
    let endpoint = raw.want(&s::OTLP_ENDPOINT, wanted, collector)?;
    Ok(endpoint.map(|endpoint| Traces { endpoint, sample }))
}

fn collector(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let is_whole = is_plain && url.fragment().is_none() && url.has_host();
    (matches!(url.scheme(), "http" | "https") && is_whole).then_some(url)
}

fn allowance(raw: &Raw, per_second: &Setting, burst: &Setting) -> Result<Allowance, ConfigError> {
    Ok(Allowance { per_second: number(raw, per_second, 1, 100_000)?, burst: number(raw, burst, 1, 1_000_000)? })
}

fn rates(raw: &Raw) -> Result<Rates, ConfigError> {
    Ok(Rates {
        sends: allowance(raw, &s::SENDS_PER_SECOND, &s::SENDS_BURST)?,
        requests: allowance(raw, &s::REQUESTS_PER_SECOND, &s::REQUESTS_BURST)?,
        service_sends: allowance(raw, &s::SERVICE_SENDS_PER_SECOND, &s::SERVICE_SENDS_BURST)?,
        service_requests: allowance(raw, &s::SERVICE_REQUESTS_PER_SECOND, &s::SERVICE_REQUESTS_BURST)?,
        frames_per_second: number(raw, &s::FRAMES_PER_SECOND, 1, 1_000_000)?,
        bytes_per_second: number(raw, &s::BYTES_PER_SECOND, 1_024, u32::MAX)?,
        connections_max: number(raw, &s::CONNECTIONS_MAX, 1, 10_000_000)?,
        unauthenticated_per_address: number(raw, &s::UNAUTHENTICATED_PER_ADDRESS, 1, 10_000_000)?,
        admissions_per_second: number(raw, &s::ADMISSIONS_PER_SECOND, 1, 1_000_000)?,
        memory_bytes: raw.want(&s::MEMORY_BYTES, "a whole number of bytes, at least 16777216", |text| {
            text.parse().ok().filter(|bytes| *bytes >= 16 * 1024 * 1024)
        })?,
    })
}

fn number(raw: &Raw, setting: &Setting, low: u32, high: u32) -> Result<u32, ConfigError> {
    let wanted = format!("a whole number from {low} to {high}");
    raw.need(setting, &wanted, |text| text.parse().ok().filter(|number| (low..=high).contains(number)))
}
