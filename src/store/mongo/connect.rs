//! From a connection string to a checked, majority-writing store, or to one sentence that says what to change.

use std::time::Duration;

use futures_util::FutureExt;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, DatabaseOptions, ReadConcern, ReadConcernLevel, ReadPreference,
    SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Database};
use tokio::time::{Instant, timeout};

use super::MongoOptions;
use super::metrics::Operation;
use super::outcome::describe;
use super::run::{Failure, Runner};
use super::schema;
use crate::model::limits::{STORE_OPERATIONS_MAX, STORE_SELECTION_WAIT, STORE_START_WAIT};
use crate::model::{Chance, Generation};

/// The database, unless the connection string names one.
const DATABASE: &str = "switchboard";
/// The first server version with clustered collections.
const OLDEST: [i64; 2] = [5, 3];

/// What a member answers that steps down, shuts down or was not elected: `NotWritablePrimary`, `NotPrimaryNoSecondaryOk`,
/// `NotPrimaryOrSecondary`, `PrimarySteppedDown`, `InterruptedDueToReplStateChange`, `ShutdownInProgress` and
/// `InterruptedAtShutdown`.
const NOT_PRIMARY: [i32; 7] = [10_107, 13_435, 13_436, 189, 11_602, 91, 11_600];

/// Why the store cannot be used. Each is a sentence for an operator and holds no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The connection string cannot be read.
    #[error(
        "SWITCHBOARD_MONGODB_URI is not a MongoDB connection string, which looks like \
         mongodb://user:password@host1,host2,host3/database?replicaSet=name with special characters in user and \
         password percent-encoded{0}"
    )]
    Uri(String),
    /// The connection string asks for less than the store promises.
    #[error("SWITCHBOARD_MONGODB_URI sets {option}, but {why}: remove that option")]
    Weak {
        /// Which option.
        option: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// No primary answered.
    #[error("MongoDB cannot be reached at SWITCHBOARD_MONGODB_URI, or has no primary: {0}")]
    Unreachable(String),
    /// The login or a right is missing, or a command failed.
    #[error(
        "MongoDB refused what the store needs ({0}): check user, password and authSource in SWITCHBOARD_MONGODB_URI, \
         and that the user has the role readWrite on the database"
    )]
    Denied(String),
    /// It is no replica set.
    #[error(
        "MongoDB is a standalone server, which can lose acknowledged messages: make it a replica set (one member is \
         enough for a trial), or set SWITCHBOARD_ALLOW_STANDALONE_MONGODB=true to accept that"
    )]
    Standalone,
    /// It is a sharded cluster.
    #[error("SWITCHBOARD_MONGODB_URI leads to a mongos: sharded clusters are not supported, name a replica set")]
    Sharded,
    /// The connection is pinned to one member of several.
    #[error("SWITCHBOARD_MONGODB_URI sets directConnection=true, which would not follow an election: remove it")]
    Direct,
    /// It lacks clustered collections.
    #[error("MongoDB is version {0}, but 5.3 or later is needed (6.0 or later for production)")]
    Old(String),
    /// Writes are not confirmed.
    #[error(
        "MongoDB took a majority write but did not confirm it in time: see with rs.status() that most of the set's \
         data-bearing members are up and in sync"
    )]
    NoMajority,
    /// The schema is from the future.
    #[error(
        "the store needs schema version {needed}, but this binary knows versions up to {known}: a newer one has changed \
         what is in it; run that, or restore a back-up"
    )]
    Newer {
        /// The version that the store needs at least.
        needed: i32,
        /// The highest version known here.
        known: i32,
    },
    /// A restore was cut short.
    #[error(
        "the database is being restored, or a restore into it did not come to its end: drop it, and restore it again"
    )]
    Unfinished,
    /// It is to be restored into, and holds something.
    #[error(
        "the database {0} is not empty: name another one in the path of SWITCHBOARD_MONGODB_URI to restore into it"
    )]
    NotEmpty(String),
    /// It is to be backed up, and holds nothing.
    #[error("the database {0} holds no store: name another one in the path of SWITCHBOARD_MONGODB_URI")]
    Nothing(String),
    /// Somebody else's data.
    #[error(
        "the database {0} has a collection `messages` that Switchboard did not make: name another database in the path \
         of SWITCHBOARD_MONGODB_URI"
    )]
    Foreign(String),
}

/// A store that passed every check.
pub(super) struct Connected {
    pub(super) database: Database,
    pub(super) runner: Runner,
    pub(super) generation: Generation,
}

pub(super) async fn connect(uri: &str, options: MongoOptions, chance: &dyn Chance) -> Result<Connected, ConnectError> {
    let client_options = client_options(uri).await?;
    let name = client_options.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
    let direct = client_options.direct_connection == Some(true);
    let room = client_options.max_pool_size.filter(|&size| size > 0).map_or(STORE_OPERATIONS_MAX, |size| size as usize);
    let client = Client::with_options(client_options).map_err(|error| unreadable(uri, &error))?;
    let runner = Runner::new(client.clone(), room);

    let hello = hello(&runner, &client).await?;
    let is_set = check_topology(&hello, direct, options)?;
    check_version(&runner, &client).await?;
    let database = client.database_with_options(&name, database_options(is_set));
    let generation = prepare(&runner, &database, Generation(chance.bits())).await?;
    Ok(Connected { database, runner, generation })
}

/// The database to read everything of at one moment, and its generation. Nothing is made or changed.
pub(super) async fn connect_to_read(uri: &str, options: MongoOptions) -> Result<(Database, Generation), ConnectError> {
    let client_options = client_options(uri).await?;
    let name = client_options.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
    let direct = client_options.direct_connection == Some(true);
    let client = Client::with_options(client_options).map_err(|error| unreadable(uri, &error))?;
    let runner = Runner::new(client.clone(), 1);
    let hello = hello(&runner, &client).await?;
    if !check_topology(&hello, direct, options)? {
        return Err(ConnectError::Standalone);
    }
    check_version(&runner, &client).await?;
    let database = client.database_with_options(&name, database_options(true));
    let meta = runner
        .run(Operation::Start, move |session| async move { schema::meta(&database, session).await }.boxed())
        .await
        .map_err(refused)?;
    let generation = meta.ok_or_else(|| ConnectError::Nothing(name.clone()))?.check()?;
    let snapshot = DatabaseOptions::builder()
        .read_concern(ReadConcern::from(ReadConcernLevel::Snapshot))
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build();
    Ok((client.database_with_options(&name, snapshot), generation))
}

/// The operator's options over ours, and the store's promises over both.
async fn client_options(uri: &str) -> Result<ClientOptions, ConnectError> {
    let parsed = timeout(STORE_START_WAIT, ClientOptions::parse(uri));
    let mut options = match parsed.await {
        Ok(parsed) => parsed.map_err(|error| unreadable(uri, &error))?,
        Err(_) => return Err(ConnectError::Unreachable("its DNS records were not answered".to_owned())),
    };
    refuse_weak(&options)?;
    options.app_name.get_or_insert_with(|| DATABASE.to_owned());
    let pool = *options.max_pool_size.get_or_insert(STORE_OPERATIONS_MAX as u32);
    options.min_pool_size.get_or_insert(if pool == 0 { 4 } else { pool.min(4) });
    options.max_connecting.get_or_insert(8);
    // How soon a dead or frozen primary is noticed: a heartbeat, and as long as the monitor waits for its answer.
    options.heartbeat_freq.get_or_insert(Duration::from_secs(1));
    options.connect_timeout.get_or_insert(Duration::from_secs(2));
    options.server_selection_timeout.get_or_insert(STORE_SELECTION_WAIT);
    options.write_concern = Some(majority_writes());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(options)
}

/// What an acknowledgement means: on disk at a majority. There is no time limit in it, because a write that ran into one
/// is neither done nor undone; the limit is the runner's.
fn majority_writes() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

fn refuse_weak(options: &ClientOptions) -> Result<(), ConnectError> {
    const LOST: &str = "a message that was acknowledged with less than a majority is lost in a failover";
    const STALE: &str = "only majority reads from the primary see all that was acknowledged and nothing that is lost";
    let weak = |option, why| Err(ConnectError::Weak { option, why });
    if let Some(concern) = &options.write_concern {
        if concern.w.as_ref().is_some_and(|w| *w != Acknowledgment::Majority) {
            return weak("w", LOST);
        }
        if concern.journal == Some(false) {
            return weak("journal", LOST);
        }
        if concern.w_timeout.is_some() {
            return weak("wtimeoutMS", "a write that ran into it is neither done nor undone");
        }
    }
    if options.read_concern.as_ref().is_some_and(|concern| concern.level != ReadConcernLevel::Majority) {
        return weak("readConcernLevel", STALE);
    }
    match &options.selection_criteria {
        None | Some(SelectionCriteria::ReadPreference(ReadPreference::Primary)) => Ok(()),
        Some(_) => weak("readPreference", STALE),
    }
}

/// The reason for a refused connection string, where it cannot repeat a secret: options are tried again by themselves.
fn unreadable(uri: &str, error: &mongodb::error::Error) -> ConnectError {
    if matches!(error.kind.as_ref(), ErrorKind::DnsResolve { .. }) {
        return ConnectError::Unreachable("its DNS records cannot be read".to_owned());
    }
    let options =
        uri.rsplit_once('@').map_or(uri, |(_, after)| after).split_once('?').map_or("", |(_, options)| options);
    let lower = options.to_ascii_lowercase();
    let is_secret = ["password", "authmechanismproperties"].iter().any(|secret| lower.contains(secret));
    let again = ConnectionString::parse(format!("mongodb://host/?{options}"));
    match again.err().filter(|_| !is_secret).map(|error| *error.kind) {
        Some(ErrorKind::InvalidArgument { message, .. }) => ConnectError::Uri(format!(": {message}")),
        _ => ConnectError::Uri(String::new()),
    }
}

/// The primary's greeting. A set that starts at the same time as we do is given time to elect one.
async fn hello(runner: &Runner, client: &Client) -> Result<Document, ConnectError> {
    let deadline = Instant::now() + STORE_START_WAIT;
    loop {
        let admin = client.database("admin");
        let answer = runner
            .run(Operation::Start, move |_| async move { admin.run_command(doc! { "hello": 1 }).await }.boxed())
            .await;
        match answer {
            Ok(hello) => return Ok(hello),
            Err(Failure::Driver(error)) if !is_absence(&error) => return Err(ConnectError::Denied(describe(&error))),
            Err(failure) if Instant::now() >= deadline => return Err(absent(failure)),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether an error says that nobody is there (yet), or nobody who is the primary (any more).
fn is_absence(error: &mongodb::error::Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::ServerSelection { .. } | ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => true,
        ErrorKind::Command(command) => NOT_PRIMARY.contains(&command.code),
        _ => false,
    }
}

fn absent(failure: Failure) -> ConnectError {
    ConnectError::Unreachable(match failure {
        Failure::Driver(error) if matches!(*error.kind, ErrorKind::Command(_)) => describe(&error),
        Failure::Driver(error) => plain(&error.kind.to_string()),
        Failure::NoRoom | Failure::NoAnswer => "it did not answer in time".to_owned(),
    })
}

/// The driver's list of servers and what is wrong with each, without what it says of its errors besides. No login is part
/// of it.
fn plain(text: &str) -> String {
    let mut parts = text.split(", labels: ");
    let first = parts.next().unwrap_or_default();
    let rest = parts.filter_map(|part| part.split_once("server response: None").map(|(_, rest)| rest));
    std::iter::once(first).chain(rest).collect::<String>().replace("Kind: ", "")
}

/// Whether it is a replica set. Otherwise it must be a standalone server that was allowed.
fn check_topology(hello: &Document, direct: bool, options: MongoOptions) -> Result<bool, ConnectError> {
    if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
        return Err(ConnectError::Sharded);
    }
    if !hello.contains_key("setName") {
        return if options.allow_standalone { Ok(false) } else { Err(ConnectError::Standalone) };
    }
    if direct && hello.get_array("hosts").is_ok_and(|hosts| hosts.len() > 1) {
        return Err(ConnectError::Direct);
    }
    if hello.get_array("arbiters").is_ok_and(|arbiters| !arbiters.is_empty()) {
        tracing::warn!(
            "the MongoDB replica set has an arbiter: with one data member away, no message can be acknowledged"
        );
    }
    Ok(true)
}

async fn check_version(runner: &Runner, client: &Client) -> Result<(), ConnectError> {
    let admin = client.database("admin");
    let info = runner
        .run(Operation::Start, move |_| async move { admin.run_command(doc! { "buildInfo": 1 }).await }.boxed())
        .await
        .map_err(refused)?;
    let parts = info.get_array("versionArray").cloned().unwrap_or_default();
    let version: Vec<i64> = parts.iter().filter_map(|part| part.as_i32().map(i64::from).or(part.as_i64())).collect();
    if version.get(..2).is_some_and(|version| version >= &OLDEST[..]) {
        return Ok(());
    }
    Err(ConnectError::Old(info.get_str("version").unwrap_or("unknown").to_owned()))
}

fn database_options(is_set: bool) -> DatabaseOptions {
    // A standalone server does not know majority reads, and has nobody to be a majority of.
    let level = if is_set { ReadConcernLevel::Majority } else { ReadConcernLevel::Local };
    DatabaseOptions::builder()
        .read_concern(ReadConcern::from(level))
        .write_concern(majority_writes())
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build()
}

/// Makes what is missing in the database, which is also the first majority write.
async fn prepare(runner: &Runner, database: &Database, new: Generation) -> Result<Generation, ConnectError> {
    let db = database.clone();
    let meta = runner
        .run(Operation::Start, move |session| async move { schema::meta(&db, session).await }.boxed())
        .await
        .map_err(refused)?;
    if let Some(meta) = meta {
        meta.check()?;
    }
    let db = database.clone();
    let made = runner
        .run_within(STORE_START_WAIT, Operation::Start, move |session| {
            async move { schema::create(&db, session, new).await }.boxed()
        })
        .await;
    match made {
        Ok(Some(meta)) => meta.check(),
        Ok(None) => Err(ConnectError::Foreign(database.name().to_owned())),
        Err(Failure::NoAnswer) => Err(ConnectError::NoMajority),
        Err(failure) => Err(refused(failure)),
    }
}

fn refused(failure: Failure) -> ConnectError {
    match failure {
        Failure::Driver(error) if !is_absence(&error) => ConnectError::Denied(describe(&error)),
        failure => absent(failure),
    }
}
