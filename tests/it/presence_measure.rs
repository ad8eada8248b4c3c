//! What presence costs and how soon it is whole again, with 100,000 users on a real Redis. Ignored by default:
//! `scripts/long/presence` runs it and keeps its figures.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard::model::{UserId, Whereabouts};
use tokio::time::{Instant, sleep};

use crate::presence_contract::{Node, PATIENCE, user};
use crate::support::services::Redis;

const NODES: usize = 10;
const USERS_PER_NODE: usize = 10_000;
/// How soon everybody is to be found again after Redis lost everything.
const WHOLE_AGAIN: Duration = Duration::from_secs(5);
/// For how long nothing happens.
const IDLE: Duration = Duration::from_secs(20);
/// The commands that write, as presence uses them.
const WRITES: [&str; 7] = ["zadd", "zrem", "hset", "hdel", "pexpire", "set", "unlink"];

/// How often each command that writes was done.
async fn writes(redis: &Redis) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]).await;
    let calls = |line: &str| -> Option<u64> {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        WRITES.contains(&name).then(|| rest.split(',').next()?.parse().ok())?
    };
    stats.lines().filter_map(calls).sum()
}

/// How long until everybody who came is found. Until then they are not there yet.
async fn arrived(watcher: &Node, everybody: &[UserId], since: Instant) -> Duration {
    while watcher.presence.find(everybody).await.iter().any(|found| *found != Whereabouts::Here) {
        assert!(since.elapsed() < PATIENCE, "not found");
    }
    since.elapsed()
}

/// How long until everybody is registered again, and until one more node finds them.
async fn whole(redis: &Redis, watcher: &Node, everybody: &[UserId], since: Instant) -> (Duration, Duration) {
    let leases = (NODES + 1).to_string();
    while redis.cli(&["ZCARD", "switchboard:presence:leases"]).await != leases {
        assert!(since.elapsed() < PATIENCE, "not registered again");
        sleep(Duration::from_millis(10)).await;
    }
    let registered = since.elapsed();
    loop {
        let found = watcher.presence.find(everybody).await;
        if found.iter().all(|found| *found == Whereabouts::Here) {
            return (registered, since.elapsed());
        }
        assert!(!found.contains(&Whereabouts::Gone), "somebody was called gone");
        assert!(since.elapsed() < PATIENCE, "not found again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a long run: scripts/long/presence"]
async fn a_hundred_thousand_users() {
    let redis = Redis::start().await;
    let mut nodes = join_all((0..=NODES).map(async |_| Node::on_redis(&redis.url()).await)).await;
    let watcher = nodes.pop().unwrap();
    let everybody: Vec<UserId> = (0..NODES * USERS_PER_NODE).map(|number| user(&format!("user-{number}"))).collect();
    let began = Instant::now();
    for (node, users) in nodes.iter().zip(everybody.chunks(USERS_PER_NODE)) {
        users.iter().for_each(|user| node.presence.enter(user));
    }
    // Nobody takes what is told; that it is gathered meanwhile is part of what is measured.
    let came = arrived(&watcher, &everybody, began).await;

    let before = writes(&redis).await;
    sleep(IDLE).await;
    let idle = (writes(&redis).await - before) as f64 / IDLE.as_secs_f64();
    let asking = Instant::now();
    watcher.presence.find(&everybody).await;
    let asked = asking.elapsed();

    let flushed = Instant::now();
    redis.cli(&["FLUSHALL"]).await;
    let after_flush = whole(&redis, &watcher, &everybody, flushed).await;

    redis.kill();
    sleep(Duration::from_secs(2)).await;
    redis.start_again().await;
    let restarted = Instant::now();
    let after_restart = whole(&redis, &watcher, &everybody, restarted).await;

    println!("| 100,000 users of {NODES} nodes on one Redis | |");
    println!("|---|---|");
    println!("| registered and found, coming all at once | {:.1} s |", came.as_secs_f64());
    println!("| writes to Redis a second, nobody coming or going | {idle:.1} |");
    println!("| one node asks about all of them | {:.2} s |", asked.as_secs_f64());
    for (what, (registered, found)) in [("FLUSHALL", after_flush), ("a restart of Redis, empty", after_restart)] {
        println!("| after {what}: all registered | {:.1} s |", registered.as_secs_f64());
        println!("| after {what}: all found by another node | {:.1} s |", found.as_secs_f64());
        assert!(found < WHOLE_AGAIN, "{what}: found only after {found:?}");
    }
}
