//! The only reader of the environment. Two stages: strings from flags, environment, file and defaults (`raw`), and
//! from them checked types (`check`). One table, [`SETTINGS`], names every setting there is.

mod check;
mod cli;
mod keys;
mod nearest;
mod origin;
mod raw;
mod secret;
mod settings;
mod surroundings;
mod table;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::{Policy, UserId};

pub use cli::{Command, Restoration, TokenRequest};
pub use jsonwebtoken::Algorithm;
pub use keys::{Auth, Keys};
pub use origin::Origin;
pub use reqwest::Url;
pub use secret::Secret;
pub use settings::{SETTINGS, Setting, Sort};
pub use surroundings::{Process, Surroundings};
pub use table::markdown;

/// Everything a node was told, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where metrics and health are served.
    pub ops_listen: SocketAddr,
    /// Where messages are kept.
    pub storage: Storage,
    /// The old app's database, for an import: a connection string, which may hold a password.
    pub from: Option<Secret>,
    /// How nodes tell each other.
    pub bus: BusKind,
    /// How tokens are checked.
    pub auth: Auth,
    /// Pages that may connect, besides the node's own: exact origins.
    pub allowed_origins: Vec<Origin>,
    /// Networks whose forwarded addresses are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The name of the family of Socket.IO clients that come.
    pub profile: String,
    /// Whom users see in place of the team.
    pub team: Option<UserId>,
    /// Whether Socket.IO clients may go on where they were.
    pub recovery: bool,
    /// What users may do with each other.
    pub policy: Policy,
    /// The operator's name for this node, in logs and metrics; never its identity.
    pub node_label: Option<String>,
    /// How long an agent may be away until their talks are everybody's, at most a day; zero: for ever.
    pub claim_away: Duration,
    /// How long a node that is told to stop may take, at most one hour.
    pub drain: Duration,
    /// How long a user is taken for online after their last connection ended, at most five minutes.
    pub presence_grace: Duration,
    /// What is logged, and how.
    pub log: Log,
    /// How long is remembered what became of a message, at most a day; zero: not at all.
    pub trail: Duration,
    /// Where traces of messages go, if anywhere.
    pub traces: Option<Traces>,
    /// How much of everything.
    pub rates: Rates,
    /// Threads that do the work, at least 1; one for each processor without it.
    pub workers: Option<usize>,
}

/// Where messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// On this machine, in this directory.
    Embedded {
        /// The data directory.
        dir: PathBuf,
    },
    /// In MongoDB.
    Mongo {
        /// The connection string, which may hold a password.
        uri: Secret,
        /// Whether a server that is no replica set is accepted.
        allow_standalone: bool,
    },
}

/// How nodes tell each other what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusKind {
    /// There is one node: in this process.
    Local,
    /// Through Redis.
    Redis {
        /// The connection URL, which may hold a password.
        url: Secret,
    },
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter that was parsed once and found good.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// For a collector: one JSON object a line.
    Json,
}

/// Where traces of messages go, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// The collector, which takes OTLP over HTTP: http or https, without a password or a query.
    pub endpoint: Url,
    /// Of how many messages the way is traced, from 0 to 1.
    pub sample: f64,
}

/// How often somebody may do something. Both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Times per second, over time.
    pub per_second: u32,
    /// Times at once.
    pub burst: u32,
}

/// How much of everything. Each is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Messages that one user may send.
    pub sends: Allowance,
    /// Requests that one user may make over REST.
    pub requests: Allowance,
    /// Messages that one service, which speaks for many, may send.
    pub service_sends: Allowance,
    /// Requests that one service may make over REST.
    pub service_requests: Allowance,
    /// Frames that one connection may send per second; beyond, it is read more slowly.
    pub frames_per_second: u32,
    /// Bytes that one connection may send per second; beyond, it is read more slowly.
    pub bytes_per_second: u32,
    /// Connections on this node; beyond, refused.
    pub connections_max: u32,
    /// Connections of one address that have not yet shown who they are; beyond, refused.
    pub unauthenticated_per_address: u32,
    /// Connections admitted per second on this node; beyond, they wait.
    pub admissions_per_second: u32,
    /// Memory that this node may use, if it is not as much as the container or the machine has.
    pub memory_bytes: Option<u64>,
}

/// What the process was asked to do, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What to do.
    pub command: Command,
    /// With what.
    pub config: Config,
    /// Sentences for the log, once there is one.
    pub warnings: Vec<String>,
}

/// Why the process ends before it began: print `text` (to standard output if `status` is 0), exit with `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The exit code: 0 for help and version, 2 for anything refused.
    pub status: u8,
    /// What to print. Never a secret.
    pub text: String,
}

/// A setting that cannot be used: one sentence that says what to set. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// Reads the command line (its first item is the program's name) and everything around it.
///
/// # Errors
/// Help and version, which are asked for, and everything that is refused.
pub fn load(arguments: impl IntoIterator<Item = OsString>, around: &dyn Surroundings) -> Result<Loaded, Stop> {
    let (command, flags) = cli::parse(arguments)?;
    let (config, warnings) = from_flags(&command, &flags, around)
        .map_err(|refused| Stop { status: 2, text: format!("switchboard: {refused}\n") })?;
    Ok(Loaded { command, config, warnings })
}

fn from_flags(
    command: &Command,
    flags: &raw::Flags,
    around: &dyn Surroundings,
) -> Result<(Config, Vec<String>), ConfigError> {
    let (raw, mut warnings) = raw::Raw::gather(flags, around)?;
    let config = check::check(&raw, command)?;
    let is_node = !command.is_on_store();
    if is_node && matches!((&config.storage, &config.bus), (Storage::Mongo { .. }, BusKind::Local)) {
        warnings.push(
            "MongoDB without Redis is for one node only: set SWITCHBOARD_REDIS_URL before you start a second"
                .to_owned(),
        );
    }
    Ok((config, warnings))
}
