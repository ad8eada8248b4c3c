//! Whole nodes in this process: over the local bus and one embedded store, or over real Redis and MongoDB.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;
use switchboard::auth::{Minter, Verifier};
use switchboard::bus::local::LocalHub;
use switchboard::bus::redis::RedisBus;
use switchboard::bus::{Bus, BusEvent};
use switchboard::config::{Auth, Keys, Secret, TokenRequest};
use switchboard::door::engineio;
use switchboard::door::listener::ListenerSettings;
use switchboard::door::origin::Origins;
use switchboard::door::profile::{CLASSIC, Manner};
use switchboard::model::{Clock, Policy, Role, SystemChance, SystemClock, Timestamp};
use switchboard::node::{Node, Parts, Settings};
use switchboard::presence::local::LocalWorld;
use switchboard::presence::redis::RedisPresence;
use switchboard::presence::{Presence, PresenceEvent};
use switchboard::redis::{Line, RedisSettings};
use switchboard::session::Rate;
use switchboard::store::Store;
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::mongo::{MongoOptions, MongoStore};
use switchboard::telemetry::{Memory, Traces};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;

use super::services::{Mongo, Redis, RedisCluster};

/// How long users of these nodes are taken for online after their last connection ended.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// What signs tokens here. Without a comma, which would make two of it in a setting.
pub(crate) const SECRET: &str = "a secret of the tests that is long enough to count";

/// What a cluster stands on, kept as long as the cluster.
#[expect(dead_code, reason = "kept alive, not read, by most tests")]
pub(crate) enum Ground {
    /// One process, one file.
    Local(TempDir, Arc<dyn Store>),
    /// One Redis server.
    Redis(Redis, Mongo),
    /// A Redis Cluster.
    RedisCluster(RedisCluster, Mongo),
}

/// Three nodes or so.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) ground: Ground,
}

impl Cluster {
    /// Nodes over the local bus, sharing one embedded store.
    pub(crate) async fn local(nodes: usize) -> Self {
        Self::in_one_process(nodes, Policy::Open, Duration::ZERO).await
    }

    /// The same, where users may do so much with each other.
    pub(crate) async fn with_policy(nodes: usize, policy: Policy) -> Self {
        Self::in_one_process(nodes, policy, Duration::ZERO).await
    }

    /// One node on which agents may be away for so long.
    pub(crate) async fn patient_for(claim_away: Duration) -> Self {
        Self::in_one_process(1, Policy::Open, claim_away).await
    }

    /// One node that remembers for so long what became of messages.
    pub(crate) async fn remembering(trail: Duration) -> Self {
        Self::sharing_a_store(one_process(1), Rules { trail, ..Rules::default() }, &untraced).await
    }

    async fn in_one_process(nodes: usize, policy: Policy, claim_away: Duration) -> Self {
        Self::sharing_a_store(one_process(nodes), Rules { policy, claim_away, ..Rules::default() }, &untraced).await
    }

    /// Nodes over the local bus, each with the traces of its number.
    pub(crate) async fn local_traced(nodes: usize, traces: impl Fn(usize) -> Traces) -> Self {
        Self::sharing_a_store(one_process(nodes), Rules::default(), &traces).await
    }

    /// Nodes over these buses, sharing one embedded store.
    pub(crate) async fn over(buses: Buses) -> Self {
        Self::sharing_a_store(buses, Rules::default(), &untraced).await
    }

    async fn sharing_a_store(buses: Buses, rules: Rules, traces: &dyn Fn(usize) -> Traces) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&path, Arc::new(SystemClock), &SystemChance).unwrap());
        let world = LocalWorld::default();
        let mut nodes = Vec::new();
        for (bus, events) in buses {
            let (presence, comings_and_goings) = world.join(GRACE, Arc::new(SystemClock));
            let shared = Shared { bus, events, presence: Arc::new(presence), comings_and_goings };
            nodes.push(start(store.clone(), shared, rules, traces(nodes.len())).await);
        }
        Self { nodes, ground: Ground::Local(directory, store) }
    }

    /// The store under the nodes.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        match &self.ground {
            Ground::Local(_, store) => store.clone(),
            Ground::Redis(_, mongo) | Ground::RedisCluster(_, mongo) => {
                Arc::new(MongoStore::connect(&mongo.uri(), MongoOptions::default(), &SystemChance).await.unwrap())
            }
        }
    }

    /// Nodes over a real Redis server and a real replica set.
    pub(crate) async fn redis(nodes: usize) -> Self {
        Self::redis_traced(nodes, untraced).await
    }

    /// The same, each with the traces of its number.
    pub(crate) async fn redis_traced(nodes: usize, traces: impl Fn(usize) -> Traces) -> Self {
        let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
        let urls = vec![redis.url(); nodes];
        let nodes = distributed_traced(&urls, &mongo, &traces).await;
        Self { nodes, ground: Ground::Redis(redis, mongo) }
    }

    /// Nodes over a real Redis Cluster and a real replica set.
    pub(crate) async fn redis_cluster(nodes: usize) -> Self {
        let (redis, mongo) = tokio::join!(RedisCluster::start(), Mongo::start());
        let urls = vec![redis.url(); nodes];
        let nodes = distributed(&urls, &mongo).await;
        Self { nodes, ground: Ground::RedisCluster(redis, mongo) }
    }

    /// The server under the nodes, where there is exactly one.
    pub(crate) fn redis_server(&self) -> &Redis {
        match &self.ground {
            Ground::Redis(redis, _) => redis,
            _ => panic!("this cluster does not stand on one Redis server"),
        }
    }

    /// The store under the nodes, where it is MongoDB.
    pub(crate) fn mongo(&self) -> &Mongo {
        match &self.ground {
            Ground::Redis(_, mongo) | Ground::RedisCluster(_, mongo) => mongo,
            Ground::Local(..) => panic!("this cluster stands on a file"),
        }
    }
}

/// How nodes of a test differ from others.
#[derive(Clone, Copy)]
struct Rules {
    policy: Policy,
    claim_away: Duration,
    trail: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { policy: Policy::Open, claim_away: Duration::ZERO, trail: Duration::from_secs(900) }
    }
}

type Buses = Vec<(Arc<dyn Bus>, Receiver<BusEvent>)>;

/// Buses of so many nodes that live in one process.
fn one_process(nodes: usize) -> Buses {
    let hub = LocalHub::default();
    let join = |_| {
        let (bus, events) = hub.join();
        (Arc::new(bus) as Arc<dyn Bus>, events)
    };
    (0..nodes).map(join).collect()
}

fn untraced(_: usize) -> Traces {
    Traces::off()
}

/// One node, alone on this store.
pub(crate) async fn alone(store: Arc<dyn Store>) -> Node {
    let (bus, events) = LocalHub::default().join();
    let (presence, comings_and_goings) = LocalWorld::default().join(GRACE, Arc::new(SystemClock));
    let shared = Shared { bus: Arc::new(bus), events, presence: Arc::new(presence), comings_and_goings };
    start(store, shared, Rules::default(), Traces::off()).await
}

/// Nodes that reach Redis by these URLs, one each, and share a MongoDB.
pub(crate) async fn distributed(urls: &[String], mongo: &Mongo) -> Vec<Node> {
    distributed_traced(urls, mongo, &untraced).await
}

async fn distributed_traced(urls: &[String], mongo: &Mongo, traces: &dyn Fn(usize) -> Traces) -> Vec<Node> {
    let mut nodes = Vec::new();
    for url in urls {
        let store = MongoStore::connect(&mongo.uri(), MongoOptions::default(), &SystemChance).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let settings = RedisSettings::parse(url).unwrap();
        let line = Line::start(settings.clone(), Arc::new(SystemChance));
        let (bus, events) = RedisBus::start(&settings, line, Arc::new(SystemChance)).await;
        let line = Line::start(settings, Arc::new(SystemChance));
        let (presence, comings_and_goings) =
            RedisPresence::start(line, Arc::new(SystemClock), Arc::new(SystemChance), GRACE);
        let shared = Shared { bus: Arc::new(bus), events, presence: Arc::new(presence), comings_and_goings };
        nodes.push(start(store, shared, Rules::default(), traces(nodes.len())).await);
    }
    nodes
}

/// What a node shares with others, beside the store.
struct Shared {
    bus: Arc<dyn Bus>,
    events: Receiver<BusEvent>,
    presence: Arc<dyn Presence>,
    comings_and_goings: Receiver<PresenceEvent>,
}

async fn start(
    store: Arc<dyn Store>,
    shared: Shared,
    Rules { policy, claim_away, trail }: Rules,
    traces: Traces,
) -> Node {
    let Shared { bus, events, presence, comings_and_goings } = shared;
    let parts = Parts {
        store,
        bus,
        events,
        presence,
        comings_and_goings,
        verifier: Arc::new(Verifier::open(&auth(), &SystemChance).unwrap()),
        minter: None,
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        recorder: None,
        traces,
        label: None,
        memory: Memory::boundless(),
    };
    let settings = Settings {
        listener: ListenerSettings::default(),
        origins: Origins::default(),
        manner: Manner { profile: CLASSIC, team: None, recovery: true },
        engine: engineio::Settings { guests_per_address_max: 10_000, ..engineio::Settings::default() },
        admissions_per_second: 1_000_000,
        sends: Rate { per_second: 100_000.0, burst: 100_000.0 },
        service_sends: Rate { per_second: 100_000.0, burst: 100_000.0 },
        requests: Rate { per_second: 100_000.0, burst: 100_000.0 },
        service_requests: Rate { per_second: 100_000.0, burst: 100_000.0 },
        finds: Rate { per_second: 1.0 / 6.0, burst: 10.0 },
        policy,
        claim_away,
        trail,
        notice: Duration::ZERO,
        drain: Duration::from_secs(4),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ops = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Node::start(parts, settings, listener, ops).await.unwrap()
}

/// How tokens are checked, here and in tests that need no node.
pub(crate) fn auth() -> Auth {
    Auth {
        keys: Keys::Secrets(vec![Secret::new(SECRET)]),
        issuer: None,
        audiences: Vec::new(),
        user_claims: vec!["sub".to_owned()],
    }
}

/// A token for `user` that counts this long.
pub(crate) fn token_for(user: &str, ttl: Duration) -> String {
    mint(user, Role::User, ttl)
}

/// A token for `user` as something else than a person.
pub(crate) fn token_as(user: &str, role: Role) -> String {
    mint(user, role, Duration::from_secs(3_600))
}

/// A token for `user` that counted until a minute ago.
pub(crate) fn token_expired(user: &str) -> String {
    let then = Timestamp(SystemClock.now().0 - 120_000);
    mint_at(then, user, Role::User, Duration::from_secs(60))
}

fn mint(user: &str, role: Role, ttl: Duration) -> String {
    mint_at(SystemClock.now(), user, role, ttl)
}

fn mint_at(now: Timestamp, user: &str, role: Role, ttl: Duration) -> String {
    let request = TokenRequest { user: user.parse().unwrap(), role, name: None, email: None, ttl };
    Minter::open(&auth(), &SystemChance).unwrap().mint(&request, now).unwrap()
}

/// A token of exactly these claims.
pub(crate) fn signed(claims: &Value) -> String {
    let text = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256"}"#), BASE64.encode(claims.to_string()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{text}.{signature}")
}

/// A token for `user` that counts for the whole test.
pub(crate) fn token(user: &str) -> String {
    token_for(user, Duration::from_secs(3_600))
}
