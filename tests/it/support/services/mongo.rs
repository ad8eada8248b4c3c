//! Real MongoDB: a replica set of one or more members.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use mongodb::Client;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::timeout;

use super::{LOG, START_ATTEMPTS, START_POLL, START_WAIT, directory, ready};
use crate::support::ports::free_port;
use crate::support::process::{Process, downloaded};

/// The name of every replica set.
const SET: &str = "rs";
/// How long a member may take to say hello; a frozen one takes for ever.
const HELLO_WAIT: Duration = Duration::from_millis(1_500);
/// How long a member may take to answer [`Mongo::admin`]; then the test fails.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// What the server says of a set that was initiated before.
const ALREADY_INITIATED: i32 = 23;

/// A replica set of `mongod`s. Members are numbered from 0. Server-side fail points (`configureFailPoint`) work.
pub(crate) struct Mongo {
    members: Vec<Member>,
}

struct Member {
    port: u16,
    directory: TempDir,
    process: Mutex<Process>,
}

impl Mongo {
    /// A set of one member, for tests that need a store and no failover.
    pub(crate) async fn start() -> Self {
        Self::replica_set(1).await
    }

    /// A set of `members`, all of them up and one of them primary. Elections take place after 2 s without a primary.
    pub(crate) async fn replica_set(members: usize) -> Self {
        let set = Self { members: join_all((0..members).map(|_| Member::launch())).await };
        set.initiate().await;
        timeout(START_WAIT, set.all_agree()).await.expect("a new replica set has one primary and the others follow it");
        set
    }

    async fn initiate(&self) {
        let members: Vec<Document> =
            (0..).zip(&self.members).map(|(id, member)| doc! { "_id": id, "host": member.host() }).collect();
        let settings = doc! { "electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500 };
        let set = doc! { "_id": SET, "members": members, "settings": settings };
        match self.members[0].run(doc! { "replSetInitiate": set }).await {
            Err(error) if code(&error) != Some(ALREADY_INITIATED) => panic!("no replica set: {error}"),
            _ => {}
        }
    }

    async fn all_agree(&self) {
        loop {
            let hellos = join_all(self.members.iter().map(Member::hello)).await;
            let says = |key| hellos.iter().flatten().filter(|hello| hello.get_bool(key).unwrap_or_default()).count();
            if says("isWritablePrimary") == 1 && says("secondary") == self.members.len() - 1 {
                return;
            }
            tokio::time::sleep(START_POLL).await;
        }
    }

    /// What `SWITCHBOARD_MONGODB_URI` takes: all members, and the name of the set.
    pub(crate) fn uri(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(Member::host).collect();
        format!("mongodb://{}/?replicaSet={SET}", hosts.join(","))
    }

    /// The port of a member on 127.0.0.1. A proxy before one member is reached by
    /// `mongodb://127.0.0.1:<port of the proxy>/?directConnection=true`; otherwise the driver goes where the set says.
    pub(crate) fn port(&self, member: usize) -> u16 {
        self.members[member].port
    }

    /// The member that is primary now; waits for an election if there is none.
    pub(crate) async fn primary(&self) -> usize {
        timeout(START_WAIT, async {
            loop {
                if let Some(member) = self.newest_primary().await {
                    return member;
                }
                tokio::time::sleep(START_POLL).await;
            }
        })
        .await
        .expect("the replica set elects a primary")
    }

    /// Of the members that call themselves primary the one elected last: one that was frozen may not know yet.
    async fn newest_primary(&self) -> Option<usize> {
        let hellos = join_all(self.members.iter().map(Member::hello)).await;
        let elected = |hello: &Document| -> Option<ObjectId> {
            hello.get_bool("isWritablePrimary").ok().filter(|&is| is)?;
            hello.get_object_id("electionId").ok()
        };
        let primaries = hellos.iter().enumerate().filter_map(|(index, hello)| Some((elected(hello.as_ref()?)?, index)));
        primaries.max().map(|(_, index)| index)
    }

    /// Makes the primary step down for 10 s; says which member that was. Another is elected within a few seconds.
    pub(crate) async fn step_down(&self) -> usize {
        let primary = self.primary().await;
        let command = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 1, "force": true };
        self.admin(primary, command).await;
        primary
    }

    /// `kill -9` for one member.
    pub(crate) fn kill(&self, member: usize) {
        self.members[member].process.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Starts a killed member again on its port, with its data, and waits until it answers (not until it caught up).
    pub(crate) async fn restart(&self, member: usize) {
        self.members[member].restart().await;
    }

    /// Freezes one member: connections stay, nothing is answered.
    pub(crate) fn stop(&self, member: usize) {
        self.members[member].signal(Signal::STOP);
    }

    /// Lets a frozen member go on.
    pub(crate) fn cont(&self, member: usize) {
        self.members[member].signal(Signal::CONT);
    }

    /// Runs an administrator's command on one member. Panics when the member refuses it.
    pub(crate) async fn admin(&self, member: usize, command: Document) -> Document {
        let name = command.keys().next().cloned().unwrap_or_default();
        let answer = timeout(ANSWER_WAIT, self.members[member].run(command)).await;
        let answer = answer.unwrap_or_else(|_| panic!("mongod gave no answer to {name} in {ANSWER_WAIT:?}"));
        answer.unwrap_or_else(|error| panic!("mongod refused {name}: {error}"))
    }
}

impl Member {
    async fn launch() -> Self {
        let mut log = String::new();
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            let directory = directory("mongo");
            let mut process = spawn(port, &directory);
            if is_up(&mut process, port).await {
                return Self { port, directory, process: Mutex::new(process) };
            }
            log = process.log();
        }
        panic!("mongod did not start on any of {START_ATTEMPTS} ports; its last log ends with\n{log}");
    }

    async fn restart(&self) {
        for _ in 0..START_ATTEMPTS {
            let mut process = spawn(self.port, &self.directory);
            if is_up(&mut process, self.port).await {
                *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("mongod did not come back on port {}: somebody else took it", self.port);
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn signal(&self, signal: Signal) {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).signal(signal);
    }

    async fn hello(&self) -> Option<Document> {
        timeout(HELLO_WAIT, self.run(doc! { "hello": 1 })).await.ok()?.ok()
    }

    async fn run(&self, command: Document) -> mongodb::error::Result<Document> {
        run(self.port, command).await
    }
}

fn spawn(port: u16, directory: &TempDir) -> Process {
    let port = port.to_string();
    let directory = directory.path();
    let arguments = [
        ("--port", port.as_str()),
        ("--bind_ip", "127.0.0.1"),
        ("--dbpath", directory.to_str().expect("target/tmp has a plain name")),
        ("--replSet", SET),
        ("--oplogSize", "64"),
        ("--networkMessageCompressors", "disabled"),
        ("--wiredTigerCacheSizeGB", "0.25"),
        // Without this every member lays out 300 MB of journal before it starts.
        ("--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=16MB)"),
        ("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ("--setParameter", "enableTestCommands=1"),
    ];
    let arguments: Vec<&str> =
        arguments.into_iter().flat_map(|(name, value)| [name, value]).chain(["--nounixsocket"]).collect();
    Process::spawn(&downloaded("mongo/mongod"), &arguments, &directory.join(LOG))
}

/// Waits until the process answers on its port. No when it ended, because the port belongs to another.
async fn is_up(process: &mut Process, port: u16) -> bool {
    let pid = i64::from(process.pid());
    let is_ours = async || {
        // The driver waits long for a server that is not there; a plain connection knows at once.
        let listens = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        let status = doc! { "serverStatus": 1, "repl": 0, "metrics": 0, "wiredTiger": 0 };
        listens && run(port, status).await.is_ok_and(|status| status.get_i64("pid").ok() == Some(pid))
    };
    ready(process, is_ours).await
}

async fn run(port: u16, command: Document) -> mongodb::error::Result<Document> {
    let uri = format!(
        "mongodb://127.0.0.1:{port}/?directConnection=true&connectTimeoutMS=1000&serverSelectionTimeoutMS=3000"
    );
    let client = Client::with_uri_str(uri).await?;
    client.database("admin").run_command(command).await
}

fn code(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        mongodb::error::ErrorKind::Command(error) => Some(error.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::options::{Acknowledgment, WriteConcern};

    use super::*;
    use crate::support::services::Mongo;

    /// Inserts with majority until it succeeds, as anyone does through an election.
    async fn insert(client: &Client, id: i32) {
        let concern = WriteConcern::builder().w(Acknowledgment::Majority).build();
        timeout(START_WAIT, async {
            loop {
                let notes = client.database("test").collection::<Document>("notes");
                let inserted = notes.insert_one(doc! { "_id": id }).write_concern(concern.clone()).await;
                match inserted {
                    Ok(_) => return,
                    Err(error) if error.to_string().contains("E11000") => return,
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        })
        .await
        .expect("a replica set with a majority takes inserts");
    }

    async fn count(client: &Client) -> u64 {
        client.database("test").collection::<Document>("notes").count_documents(doc! {}).await.unwrap()
    }

    #[tokio::test]
    async fn one_member_is_a_replica_set_and_keeps_its_data_over_a_kill() {
        let mongo = Mongo::start().await;
        assert_eq!(mongo.primary().await, 0);
        let client = Client::with_uri_str(mongo.uri()).await.unwrap();
        insert(&client, 1).await;
        mongo.kill(0);
        mongo.restart(0).await;
        insert(&client, 2).await;
        assert_eq!(count(&client).await, 2);
    }

    #[tokio::test]
    async fn a_fail_point_makes_the_server_fail() {
        let mongo = Mongo::start().await;
        let data = doc! { "failCommands": ["insert"], "errorCode": 9_001 };
        let fail = doc! { "configureFailPoint": "failCommand", "mode": { "times": 1 }, "data": data };
        mongo.admin(0, fail).await;
        let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&retryWrites=false", mongo.port(0));
        let client = Client::with_uri_str(uri).await.unwrap();
        let notes = client.database("test").collection::<Document>("notes");
        assert!(notes.insert_one(doc! {}).await.is_err(), "the fail point bites");
        assert!(notes.insert_one(doc! {}).await.is_ok(), "once");
    }

    #[tokio::test]
    async fn three_members_go_on_after_a_step_down_a_kill_and_a_freeze() {
        let mongo = Mongo::replica_set(3).await;
        assert_eq!(mongo.uri().matches("127.0.0.1:").count(), 3);
        let uri = format!("{}&heartbeatFrequencyMS=1000&connectTimeoutMS=1000", mongo.uri());
        let client = Client::with_uri_str(uri).await.unwrap();
        insert(&client, 1).await;

        let first = mongo.step_down().await;
        let second = mongo.primary().await;
        assert_ne!(second, first, "who stepped down is not primary for 10 s");
        insert(&client, 2).await;

        mongo.kill(second);
        let third = mongo.primary().await;
        assert_ne!(third, second);
        insert(&client, 3).await;
        mongo.restart(second).await;
        mongo.all_agree().await;

        let frozen = mongo.primary().await;
        mongo.stop(frozen);
        assert_ne!(mongo.primary().await, frozen);
        mongo.cont(frozen);
        mongo.all_agree().await;
        insert(&client, 4).await;
        assert_eq!(count(&client).await, 4);
    }
}
