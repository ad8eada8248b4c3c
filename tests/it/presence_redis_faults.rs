//! The presence over Redis while Redis, or a node, fails. Nobody who is connected is ever called gone for it.

use std::time::Duration;

use switchboard::model::Whereabouts;
use switchboard::presence::PresenceEvent;
use tokio::time::{Instant, sleep};

use crate::presence_contract::{GONE, HERE, Node, PATIENCE};
use crate::support::chaos::Chaos;
use crate::support::services::{Redis, RedisCluster};

/// How long a loss makes absences doubtful.
const DOUBT: Duration = Duration::from_secs(10);

async fn two_on(redis: &Redis) -> [Node; 2] {
    [Node::on_redis(&redis.url()).await, Node::on_redis(&redis.url()).await]
}

impl Node {
    /// Looks until somebody is found, and fails if they are called gone meanwhile. Answers how long it took.
    async fn finds_again(&self, name: &str) -> Duration {
        let began = Instant::now();
        loop {
            match self.find(&[name]).await[0] {
                Whereabouts::Here => return began.elapsed(),
                Whereabouts::Gone => panic!("{name} was called gone after {:?}", began.elapsed()),
                Whereabouts::Unknown => {}
            }
            assert!(began.elapsed() < PATIENCE, "{name} is not found again");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_emptied_is_whole_again_soon_and_nobody_is_called_gone() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    for number in 0..2_000 {
        one.enter(&format!("user{number}"));
    }
    let names: Vec<String> = (0..2_000).map(|number| format!("user{number}")).collect();
    let expected: Vec<(&str, Whereabouts)> = names.iter().map(|name| (name.as_str(), HERE)).collect();
    two.finds(&expected).await;
    for _ in 0..2 {
        one.told();
        redis.cli(&["FLUSHALL"]).await;
        let took = two.finds_again("user1999").await;
        two.finds(&expected).await;
        assert!(took < Duration::from_secs(5), "whole only after {took:?}");
        println!("whole after {took:?}");
        one.is_in_doubt().await;
    }
    // While it is in doubt, nobody is called gone; then they are.
    one.vanish("user7");
    assert_eq!(two.find(&["user8", "user7"]).await[0], HERE);
    let began = Instant::now();
    while two.find(&["user7"]).await != [GONE] {
        assert!(began.elapsed() < DOUBT + Duration::from_secs(5), "doubt does not end");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() > DOUBT / 2, "called gone in doubt, after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_and_comes_back_empty() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
    redis.kill();
    let began = Instant::now();
    while two.find(&["ann"]).await != [Whereabouts::Unknown] {
        assert!(began.elapsed() < PATIENCE, "without Redis nobody can know");
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(one.find(&["ann", "bob"]).await, [HERE, Whereabouts::Unknown], "its own users a node knows");
    one.enter("bob");
    one.vanish("ann");
    one.enter("ann");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(two.find(&["ann"]).await, [Whereabouts::Unknown]);
    one.told();
    redis.start_again().await;
    let back = Instant::now();
    two.finds_again("ann").await;
    two.finds_again("bob").await;
    assert!(back.elapsed() < Duration::from_secs(5), "whole only after {:?}", back.elapsed());
    one.is_in_doubt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starting_without_redis() {
    let redis = Redis::start().await;
    redis.kill();
    let url = redis.url();
    let starting = tokio::spawn(async move { Node::on_redis(&url).await });
    sleep(Duration::from_secs(2)).await;
    assert!(!starting.is_finished(), "nobody is called gone by who cannot know");
    redis.start_again().await;
    let one = starting.await.unwrap();
    one.enter("ann");
    Node::on_redis(&redis.url()).await.finds(&[("ann", HERE)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_long_counts_as_dead_and_comes_back() {
    let redis = Redis::start().await;
    let proxy = Chaos::before_redis(redis.port()).await;
    let one = Node::on_redis(&format!("redis://127.0.0.1:{}", proxy.port())).await;
    let mut two = Node::on_redis(&redis.url()).await;
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
    two.told();
    proxy.stall().await;
    let cut = Instant::now();
    two.finds(&[("ann", GONE)]).await;
    assert!(cut.elapsed() < Duration::from_secs(8), "gone only after {:?}", cut.elapsed());
    // It was swept up after: by then nothing of it is left.
    while !two.changes().await.left.iter().any(|(user, _)| user.as_str() == "ann") {}
    proxy.heal().await;
    two.finds(&[("ann", HERE)]).await;
    two.keeps_finding("ann", Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_frozen_for_ten_seconds() {
    let redis = Redis::start().await;
    let [one, mut two] = two_on(&redis).await;
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
    two.told();
    redis.stop();
    let frozen = Instant::now();
    while frozen.elapsed() < Duration::from_secs(10) {
        let found = two.find(&["ann"]).await;
        assert_ne!(found, [GONE], "called gone because Redis was frozen");
        sleep(Duration::from_millis(100)).await;
    }
    redis.cont();
    two.finds_again("ann").await;
    two.keeps_finding("ann", Duration::from_secs(4)).await;
    let told = two.told();
    let is_left = |event: &PresenceEvent| matches!(event, PresenceEvent::Changed(changes) if !changes.left.is_empty());
    assert!(!told.iter().any(is_left), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_is_taken_away_is_made_again() {
    let redis = Redis::start().await;
    let [one, two] = two_on(&redis).await;
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
    for key in redis.cli(&["KEYS", "switchboard:presence:users:*"]).await.lines() {
        redis.cli(&["DEL", key]).await;
    }
    two.finds_again("ann").await;
    for key in redis.cli(&["KEYS", "switchboard:presence:users:*"]).await.lines() {
        redis.cli(&["HDEL", key, "ann"]).await;
    }
    // One user's entry that is lost is found to be within a beat.
    two.finds(&[("ann", HERE)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_is_swept_up_after_by_one_node_and_leaves_nothing() {
    let redis = Redis::start().await;
    let [one, mut two] = two_on(&redis).await;
    let mut three = Node::on_redis(&redis.url()).await;
    for number in 0..1_200 {
        one.enter(&format!("user{number}"));
    }
    two.finds(&[("user1199", HERE), ("user0", HERE)]).await;
    two.told();
    three.told();
    drop(one);
    let (mut by_two, mut by_three) = (0, 0);
    while by_two + by_three < 1_200 {
        tokio::select! {
            changes = two.changes() => by_two += changes.left.len(),
            changes = three.changes() => by_three += changes.left.len(),
        }
    }
    assert!(by_two == 0 || by_three == 0, "both swept: {by_two} and {by_three}");
    let deadline = Instant::now() + PATIENCE;
    while redis.cli(&["ZCARD", "switchboard:presence:leases"]).await != "2" {
        assert!(Instant::now() < deadline, "the dead lease stays");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(redis.cli(&["KEYS", "switchboard:presence:users:*"]).await.lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_which_one_master_is_killed() {
    let cluster = RedisCluster::start().await;
    let (one, two) = (Node::on_redis(&cluster.url()).await, Node::on_redis(&cluster.url()).await);
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
    for master in 0..3 {
        cluster.nodes()[master].kill();
        sleep(Duration::from_secs(1)).await;
        cluster.nodes()[master].start_again().await;
        two.finds_again("ann").await;
        one.finds(&[("ann", HERE)]).await;
    }
}
