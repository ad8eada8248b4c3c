//! Who is online, as clients see it: on one node, and on three over real Redis and MongoDB.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::auth::Minter;
use switchboard::config::{Auth, Keys, Secret, TokenRequest};
use switchboard::model::limits::{VANISHED_AFTER, WATCHED_USERS_MAX};
use switchboard::model::{Clock, Role, SystemChance, SystemClock};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, GRACE, auth, token_as};
use crate::support::ports::free_port;
use crate::support::process::Process;
use crate::support::services::{Mongo, Redis};

/// Long enough to believe that nothing comes.
const SILENCE: Duration = Duration::from_millis(2_500);
/// What a change may take on a busy machine beyond what it takes by rule.
const SLACK: Duration = Duration::from_secs(4);

async fn come(address: std::net::SocketAddr, token: String) -> Client {
    let mut client = Client::silent(address).await;
    client.say(json!({ "type": "hello", "token": token })).await;
    client.expect("welcome").await;
    client
}

impl Client {
    async fn watches(&mut self, users: &[&str]) -> Value {
        self.say(json!({ "type": "watch", "users": users })).await;
        self.expect("presence").await["users"].take()
    }

    /// The next change: who, whether online, and when last seen.
    async fn sees(&mut self) -> (String, bool, Option<u64>) {
        let frame = self.expect("presence").await;
        let [seen] = &frame["users"].as_array().unwrap()[..] else { panic!("one change: {frame}") };
        let online = seen["online"].as_bool().unwrap();
        (seen["user"].as_str().unwrap().to_owned(), online, seen["last_seen"].as_u64())
    }

    async fn sees_this(&mut self, user: &str, online: bool) -> Option<u64> {
        let (who, is_online, last_seen) = self.sees().await;
        assert_eq!((who.as_str(), is_online), (user, online));
        last_seen
    }

    /// Nobody is told to come or go for this long.
    async fn sees_nothing(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Some(frame) = self.within(left).await {
                assert_ne!(frame["type"], "presence", "{frame}");
            }
        }
    }
}

/// A client that nobody looks at, but that answers pings until this is dropped.
fn stays(mut client: Client) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move { while client.next().await.is_some() {} }))
}

async fn a_life_as_others_see_it(cluster: &Cluster) {
    let at = |node: usize| cluster.nodes[node % cluster.nodes.len()].address();
    let mut bob = Client::hello(at(1), "bob").await;
    bob.tell("ann", "k1", "hello").await;
    let _eve = stays(Client::hello(at(2), "eve").await);
    let mut ann = Client::hello(at(0), "ann").await;

    // The answer, in the order asked. Who is a stranger is as if they had never come.
    let seen = ann.watches(&["team", "bob", "eve", "ann", "nobody"]).await;
    let online = |user: &str, online: bool| json!({ "user": user, "online": online });
    let expected = [("team", false), ("bob", true), ("eve", false), ("ann", true), ("nobody", false)];
    assert_eq!(seen, Value::from(expected.map(|(user, is_online)| online(user, is_online)).to_vec()));
    ann.say(json!({ "type": "conversations" })).await;
    let rows = ann.expect("conversations").await;
    let members = rows["conversations"][0]["members"].as_array().unwrap();
    assert!(members.iter().all(|member| member["online"] == true), "{rows}");

    // Two devices: one may leave. A reload, on another node, is not seen either.
    let second = Client::hello(at(2), "bob").await;
    drop(bob);
    ann.sees_nothing(GRACE + SILENCE).await;
    drop(second);
    sleep(GRACE / 4).await;
    let bob = Client::hello(at(1), "bob").await;
    ann.sees_nothing(GRACE + SILENCE).await;

    // Who stays away is offline after the grace.
    let before = SystemClock.now();
    let left = Instant::now();
    drop(bob);
    let last_seen = ann.sees_this("bob", false).await.expect("when they were last seen");
    println!("offline after {:?}, of which the grace is {GRACE:?}", left.elapsed());
    assert!(left.elapsed() >= GRACE - Duration::from_millis(50), "within the grace: {:?}", left.elapsed());
    assert!(left.elapsed() < GRACE + Duration::from_secs(1) + SLACK, "only after {:?}", left.elapsed());
    assert!(last_seen + 100 >= before.0 && last_seen < before.0 + 3_000, "{last_seen} is not about {before:?}");
    let mut bob = Client::hello(at(2), "bob").await;
    ann.sees_this("bob", true).await;

    // Who wishes to appear offline does, whatever they do, also when they come back.
    bob.say(json!({ "type": "appear", "offline": true })).await;
    assert_eq!(bob.expect("appeared").await["offline"], true);
    let hidden = ann.sees_this("bob", false).await;
    assert!(hidden > Some(last_seen));
    bob.tell("ann", "k2", "psst").await;
    drop(bob);
    ann.sees_nothing(GRACE + SILENCE).await;
    let mut bob = Client::hello(at(0), "bob").await;
    ann.sees_nothing(SILENCE).await;
    let again = ann.watches(&["bob"]).await;
    assert_eq!(again, json!([{ "user": "bob", "online": false, "last_seen": hidden }]));
    bob.say(json!({ "type": "appear", "offline": false })).await;
    ann.sees_this("bob", true).await;

    // Whom one does not watch any more one is told nothing of.
    assert_eq!(ann.watches(&[]).await, json!([]));
    drop(bob);
    ann.sees_nothing(GRACE + SILENCE).await;
}

async fn the_team_is_online_while_an_agent_is(cluster: &Cluster) {
    let at = |node: usize| cluster.nodes[node % cluster.nodes.len()].address();
    let mut ann = Client::hello(at(0), "ann").await;
    assert_eq!(ann.watches(&["team"]).await, json!([{ "user": "team", "online": false }]));
    let mut sue = come(at(1), token_as("sue", Role::Admin)).await;
    ann.sees_this("team", true).await;
    let tom = come(at(2), token_as("tom", Role::Admin)).await;
    sue.say(json!({ "type": "appear", "offline": true })).await;
    sue.expect("appeared").await;
    ann.sees_nothing(SILENCE).await;
    drop(tom);
    ann.sees_this("team", false).await;
    sue.say(json!({ "type": "appear", "offline": false })).await;
    ann.sees_this("team", true).await;
    // Agents see everybody.
    let seen = sue.watches(&["ann", "nobody"]).await;
    assert_eq!(seen, json!([{ "user": "ann", "online": true }, { "user": "nobody", "online": false }]));
}

async fn watching_is_bounded(cluster: &Cluster) {
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let users: Vec<String> = (0..=WATCHED_USERS_MAX).map(|number| format!("user{number}")).collect();
    ann.say(json!({ "type": "watch", "users": users })).await;
    let refusal = ann.next().await.unwrap();
    assert_eq!((&refusal["type"], &refusal["code"]), (&json!("error"), &json!("invalid")));
    ann.say(json!({ "type": "watch", "users": users[1..] })).await;
    assert_eq!(ann.expect("presence").await["users"].as_array().unwrap().len(), WATCHED_USERS_MAX);
    let mut limited = 0;
    for _ in 0..60 {
        ann.say(json!({ "type": "watch", "users": ["team"] })).await;
        let answer = ann.next().await.unwrap();
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "rate_limited");
            assert!(answer["retry_after_ms"].as_u64().unwrap() <= 1_000, "{answer}");
            limited += 1;
        }
    }
    assert!(limited > 0, "60 lists at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_on_one_node() {
    a_life_as_others_see_it(&Cluster::local(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_across_three_nodes() {
    a_life_as_others_see_it(&Cluster::redis(3).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_team_on_one_node() {
    the_team_is_online_while_an_agent_is(&Cluster::local(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_team_across_three_nodes() {
    the_team_is_online_while_an_agent_is(&Cluster::redis(3).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_is_bounded_and_paced() {
    watching_is_bounded(&Cluster::local(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_redis_is_not_seen_and_heals() {
    let cluster = Cluster::redis(3).await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    bob.tell("ann", "k1", "hello").await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    ann.watches(&["bob"]).await;
    let bob = stays(bob);
    cluster.redis_server().cli(&["FLUSHALL"]).await;
    ann.sees_nothing(Duration::from_secs(13)).await;
    let flushed = Instant::now();
    cluster.redis_server().cli(&["FLUSHALL"]).await;
    let deadline = flushed + Duration::from_secs(5);
    while cluster.redis_server().cli(&["ZCARD", "switchboard:presence:leases"]).await != "3" {
        assert!(Instant::now() < deadline, "not whole after {:?}", flushed.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    println!("whole after {:?}", flushed.elapsed());
    drop(bob);
    ann.sees_this("bob", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_nobody_comes_or_goes_and_chat_goes_on() {
    let cluster = Cluster::redis(3).await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    bob.tell("ann", "k1", "hello").await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    ann.watches(&["bob"]).await;
    cluster.redis_server().kill();
    for number in 0..3 {
        bob.tell("ann", &format!("away{number}"), "still here").await;
        while ann.expect("message").await["text"] != "still here" {}
    }
    let bob = stays(bob);
    ann.sees_nothing(Duration::from_secs(4)).await;
    // Also who asks anew is answered.
    let mut late = Client::hello(cluster.nodes[2].address(), "ann").await;
    late.watches(&["bob"]).await;
    cluster.redis_server().start_again().await;
    late.sees_this("bob", true).await;
    ann.sees_nothing(Duration::from_secs(13)).await;
    drop(bob);
    ann.sees_this("bob", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_is_not_seen_by_those_whose_people_go_elsewhere() {
    let mut cluster = Cluster::redis(3).await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let mut eve = Client::hello(cluster.nodes[1].address(), "eve").await;
    for client in [&mut bob, &mut eve] {
        client.tell("ann", "k1", "hello").await;
    }
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    ann.watches(&["bob", "eve"]).await;
    let drained = tokio::spawn(cluster.nodes.remove(1).drain());
    bob.closed().await;
    let _bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let left = Instant::now();
    eve.closed().await;
    ann.sees_this("eve", false).await;
    assert!(left.elapsed() < GRACE + Duration::from_secs(8), "only after {:?}", left.elapsed());
    assert!(drained.await.unwrap(), "the drain ended in time");
    // Of eve it may be told once more, when it is known how long she has been gone.
    let until = Instant::now() + GRACE + SILENCE;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if let Some(frame) = ann.within(left).await.filter(|frame| frame["type"] == "presence") {
            let told = &frame["users"][0];
            assert_eq!((&told["user"], &told["online"]), (&json!("eve"), &json!(false)), "{frame}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_shows_no_sign_of_life_is_offline_until_it_does() {
    let cluster = Cluster::local(2).await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    bob.tell("ann", "k1", "hello").await;
    let told = Instant::now();
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    ann.watches(&["bob"]).await;
    // Nobody reads for him, so that no ping is answered.
    ann.sees_this("bob", false).await;
    let took = told.elapsed();
    assert!(took >= VANISHED_AFTER - Duration::from_millis(500), "after only {took:?}");
    assert!(took < VANISHED_AFTER + SLACK, "only after {took:?}");
    bob.say(json!({ "type": "ping" })).await;
    ann.sees_this("bob", true).await;
}

/// What tokens for such nodes are signed with: a comma would make two of it.
const OWN_SECRET: &str = "a-secret-of-nodes-that-are-killed-long-enough-to-count";

fn own_token(user: &str) -> String {
    let auth = Auth { keys: Keys::Secrets(vec![Secret::new(OWN_SECRET)]), ..auth() };
    let ttl = Duration::from_secs(3_600);
    let request = TokenRequest { user: user.parse().unwrap(), role: Role::User, name: None, email: None, ttl };
    Minter::open(&auth, &SystemChance).unwrap().mint(&request, SystemClock.now()).unwrap()
}

/// A node as a process of its own, to be killed.
struct Server {
    process: Process,
    address: std::net::SocketAddr,
    _home: tempfile::TempDir,
}

impl Server {
    async fn start(redis: &Redis, mongo: &Mongo) -> Self {
        let home = tempfile::tempdir().unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
        let flags = [
            ("listen", address.to_string()),
            ("ops-listen", format!("127.0.0.1:{}", free_port())),
            ("mongodb-uri", mongo.uri()),
            ("redis-url", redis.url()),
            ("jwt-secret", OWN_SECRET.to_owned()),
            ("presence-grace-seconds", GRACE.as_secs().to_string()),
        ];
        let flags = flags.map(|(name, value)| format!("--{name}={value}"));
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_switchboard"));
        let arguments: Vec<String> = std::iter::once("serve".to_owned()).chain(flags).collect();
        let process = Process::spawn(program, &arguments, &home.path().join("log"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(Instant::now() < deadline, "the node does not start: {}", process.log());
            sleep(Duration::from_millis(50)).await;
        }
        Self { process, address, _home: home }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_and_one_that_is_stopped_for_ten_seconds() {
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let (one, mut two, mut three) =
        tokio::join!(Server::start(&redis, &mongo), Server::start(&redis, &mongo), Server::start(&redis, &mongo));
    let mut bob = come(two.address, own_token("bob")).await;
    bob.tell("ann", "k1", "hello").await;
    let mut eve = come(three.address, own_token("eve")).await;
    eve.tell("ann", "k1", "hello").await;
    let mut ann = come(one.address, own_token("ann")).await;
    ann.watches(&["bob", "eve"]).await;
    let _eve = stays(eve);

    let killed = Instant::now();
    two.process.signal(rustix::process::Signal::KILL);
    let mut last_seen = ann.sees_this("bob", false).await;
    println!("a killed node's user was offline after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(8) + GRACE, "only after {:?}", killed.elapsed());
    // One of the others finds out when he was last seen, perhaps a moment later.
    while last_seen.is_none() {
        last_seen = ann.sees_this("bob", false).await;
    }
    let _bob = stays(come(one.address, own_token("bob")).await);
    ann.sees_this("bob", true).await;

    // A node that stands still for longer than its lease is dead to the others, and comes back by itself.
    three.process.signal(rustix::process::Signal::STOP);
    ann.sees_this("eve", false).await;
    sleep(Duration::from_secs(4)).await;
    three.process.signal(rustix::process::Signal::CONT);
    loop {
        let (who, online, _) = ann.sees().await;
        assert_eq!(who, "eve");
        if online {
            break;
        }
    }
    ann.sees_nothing(Duration::from_secs(6)).await;
}
