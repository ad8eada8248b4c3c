//! The bus over Redis while Redis, or the way to it, fails. What is lost is told, and nobody has to do anything.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use switchboard::bus::{Bus, BusEvent, Cause, Hearing};
use switchboard::model::limits::CANARY_WAIT;
use tokio::time::{Instant, timeout};

use crate::bus_contract::{Node, user};
use crate::support::chaos::Chaos;
use crate::support::services::{Redis, RedisCluster};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

impl Node {
    async fn behind(proxy: &Chaos) -> Self {
        Self::on_redis(&format!("redis://127.0.0.1:{}", proxy.port())).await
    }

    /// Waits until the bus is away.
    async fn goes_away(&mut self) {
        while self.event().await != BusEvent::Away {}
    }

    /// Waits until the bus is back, and gives why there is doubt.
    async fn comes_back(&mut self) -> Cause {
        loop {
            match self.event().await {
                BusEvent::Doubt(cause) => return cause,
                BusEvent::Away => panic!("away again without having been back"),
                BusEvent::Message { .. } | BusEvent::Broadcast { .. } => {}
            }
        }
    }

    /// Publishes to `name` until `listener` hears it: at most once means that the first ones may be lost, when this
    /// node's own connection is still coming back.
    async fn reaches(&self, listener: &mut Node, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.publish(name, "reached").await;
            match timeout(Duration::from_millis(500), listener.events.recv()).await {
                Ok(Some(BusEvent::Message { user, payload })) if user.as_str() == name && payload == "reached" => break,
                Ok(Some(BusEvent::Message { .. })) | Err(_) => {}
                Ok(other) => panic!("expected a message, got {other:?}"),
            }
            assert!(Instant::now() < deadline, "{name} is not reached");
        }
        while listener.events.try_recv().is_ok() {}
    }
}

async fn two_on(redis: &Redis) -> [Node; 2] {
    [Node::on_redis(&redis.url()).await, Node::on_redis(&redis.url()).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_and_comes_back_empty() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    let names: Vec<String> = (0..2_000).map(|number| format!("user{number}")).collect();
    for name in &names {
        one.subscribe(name).await;
    }
    redis.kill();
    one.goes_away().await;
    redis.start_again().await;
    assert_eq!(one.comes_back().await, Cause::Moved, "another run of Redis is another Redis");
    two.reaches(&mut one, "user0").await;
    let mut missing: HashSet<&str> = names.iter().map(String::as_str).collect();
    for name in &names {
        two.publish(name, "").await;
    }
    while !missing.is_empty() {
        missing.remove(one.hears().await.0.as_str());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starting_without_redis() {
    let redis = Redis::start().await;
    redis.kill();
    let starting = tokio::spawn({
        let url = redis.url();
        async move { Node::on_redis(&url).await } // gives the node once it is back
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!starting.is_finished(), "it says that it is away");
    redis.start_again().await;
    let mut one = starting.await.unwrap();
    one.subscribe("ann").await;
    Node::on_redis(&redis.url()).await.reaches(&mut one, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losing_all_data_is_no_matter() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("ann").await;
    redis.cli(&["FLUSHALL"]).await;
    redis.cli(&["SCRIPT", "FLUSH"]).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    two.publish("ann", "still here").await;
    one.hears_this("ann", "still here").await;
    one.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_connection_that_is_killed() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("ann").await;
    for _ in 0..3 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        one.goes_away().await;
        assert_eq!(one.comes_back().await, Cause::Reconnected);
        two.publish("ann", "still here").await;
        one.hears_this("ann", "still here").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_connection_that_is_killed_does_not_keep_a_node_from_its_own() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("ann").await;
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    one.publish("ann", "to ourselves").await;
    one.hears_this("ann", "to ourselves").await;
    two.reaches(&mut one, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_partition_is_noticed() {
    let redis = Redis::start().await;
    let proxy = Chaos::before_redis(redis.port()).await;
    let (mut one, two) = (Node::behind(&proxy).await, Node::on_redis(&redis.url()).await);
    one.subscribe("ann").await;
    proxy.stall().await;
    let stalled = Instant::now();
    one.goes_away().await;
    assert!(stalled.elapsed() < Duration::from_secs(8), "noticed only after {:?}", stalled.elapsed());
    println!("noticed after {:?}", stalled.elapsed());
    proxy.heal().await;
    let healed = Instant::now();
    assert_eq!(one.comes_back().await, Cause::Reconnected);
    println!("back after {:?}", healed.elapsed());
    two.reaches(&mut one, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_frozen_for_five_seconds() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("ann").await;
    redis.stop();
    one.goes_away().await;
    let before = Instant::now();
    for number in 0..100 {
        two.publish("ann", format!("{number}")).await;
        one.unsubscribe("bob").await;
        one.subscribe("bob").await;
    }
    assert!(before.elapsed() < Duration::from_secs(20), "nobody waits for a frozen Redis: {:?}", before.elapsed());
    tokio::time::sleep(Duration::from_secs(4)).await;
    redis.cont();
    one.comes_back().await;
    two.reaches(&mut one, "ann").await;
    two.reaches(&mut one, "bob").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_whose_output_buffer_overflows() {
    let redis = Redis::start().await;
    redis.cli(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0"]).await;
    let proxy = Chaos::before_redis(redis.port()).await;
    let (mut one, two) = (Node::behind(&proxy).await, Node::on_redis(&redis.url()).await);
    one.subscribe("ann").await;
    proxy.stall().await;
    for _ in 0..500 {
        two.publish("ann", vec![0; 64 * 1024]).await;
    }
    // Redis hangs up with this one, whose subscription it then forgets.
    let deadline = Instant::now() + PATIENCE;
    while redis.cli(&["PUBSUB", "NUMSUB", "switchboard:u:ann"]).await.lines().last() != Some("0") {
        assert!(Instant::now() < deadline, "the buffer does not overflow");
        two.publish("ann", vec![0; 64 * 1024]).await;
    }
    proxy.heal().await;
    one.goes_away().await;
    assert_eq!(one.comes_back().await, Cause::Reconnected);
    two.reaches(&mut one, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_a_node_speaks_to_itself() {
    let redis = Redis::start().await;
    let [mut one, _two] = two_on(&redis).await;
    one.subscribe("ann").await;
    redis.kill();
    one.goes_away().await;
    one.publish("ann", "to ourselves").await;
    one.publish("bob", "nobody here listens to bob").await;
    one.publish("ann", "and again").await;
    one.hears_this("ann", "to ourselves").await;
    one.hears_this("ann", "and again").await;
    one.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribes_while_redis_is_away_is_heard_when_it_is_back() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("eve").await;
    redis.kill();
    one.goes_away().await;
    let before = Instant::now();
    for number in 0..100 {
        one.subscribe(&format!("user{number}")).await;
    }
    one.unsubscribe("eve").await;
    assert!(before.elapsed() < Duration::from_secs(5), "subscribing took {:?}", before.elapsed());
    redis.start_again().await;
    one.comes_back().await;
    two.reaches(&mut one, "user99").await;
    for number in 0..100 {
        let name = format!("user{number}");
        two.publish(&name, "hi").await;
        one.hears_this(&name, "hi").await;
    }
    two.publish("eve", "hi").await;
    one.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribing_just_when_redis_freezes_ends_soon() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    redis.stop();
    let before = Instant::now();
    one.bus.subscribe(&user("ann")).await;
    assert!(before.elapsed() < Duration::from_secs(5), "waited {:?} for a frozen Redis", before.elapsed());
    one.goes_away().await;
    redis.cont();
    one.comes_back().await;
    two.reaches(&mut one, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_made_a_replica_is_left() {
    let (redis, other) = (Redis::start().await, Redis::start().await);
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("ann").await;
    redis.cli(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await;
    one.goes_away().await;
    redis.cli(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(one.comes_back().await, Cause::Moved);
    two.reaches(&mut one, "ann").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_us_for_a_while() {
    let redis = Redis::start().await;
    let [mut one, two] = two_on(&redis).await;
    one.subscribe("ann").await;
    redis.cli(&["ACL", "SETUSER", "default", "-subscribe"]).await;
    one.subscribe("bob").await;
    one.goes_away().await;
    redis.cli(&["ACL", "SETUSER", "default", "+subscribe"]).await;
    one.comes_back().await;
    two.reaches(&mut one, "ann").await;
    two.reaches(&mut one, "bob").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_slot_moves() {
    let cluster = RedisCluster::start().await;
    let (mut one, two) = (Node::on_redis(&cluster.url()).await, Node::on_redis(&cluster.url()).await);
    for number in 0..200 {
        one.subscribe(&format!("user{number}")).await;
    }
    one.subscribe("ann").await;
    two.reaches(&mut one, "ann").await;
    move_slot_of(&cluster, "switchboard:u:ann").await;
    assert_eq!(one.comes_back().await, Cause::Moved);
    two.reaches(&mut one, "ann").await;
    for number in 0..200 {
        let name = format!("user{number}");
        two.publish(&name, "hi").await;
        one.hears_this(&name, "hi").await;
    }
}

/// Moves the slot of a key from the master that has it to another one.
async fn move_slot_of(cluster: &RedisCluster, key: &str) {
    let slot = cluster.nodes()[0].cli(&["CLUSTER", "KEYSLOT", key]).await;
    let mut has_it = 0;
    for (index, node) in cluster.nodes().iter().enumerate() {
        let nodes = node.cli(&["CLUSTER", "NODES"]).await;
        let own = nodes.lines().find(|line| line.contains("myself")).unwrap();
        let (first, last) = own.split(' ').next_back().unwrap().split_once('-').unwrap();
        if (first.parse::<u16>().unwrap()..=last.parse().unwrap()).contains(&slot.parse().unwrap()) {
            has_it = index;
        }
    }
    let (from, to) = (&cluster.nodes()[has_it], &cluster.nodes()[(has_it + 1) % 3]);
    let (from_id, to_id) = (from.cli(&["CLUSTER", "MYID"]).await, to.cli(&["CLUSTER", "MYID"]).await);
    to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await;
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await;
    for node in [to, from, &cluster.nodes()[(has_it + 2) % 3]] {
        node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_which_one_master_freezes() {
    let cluster = RedisCluster::start().await;
    let (mut one, two) = (Node::on_redis(&cluster.url()).await, Node::on_redis(&cluster.url()).await);
    let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    for name in &names {
        one.subscribe(name).await;
    }
    cluster.nodes()[1].stop();
    one.goes_away().await;
    cluster.nodes()[1].cont();
    one.comes_back().await;
    for name in &names {
        two.reaches(&mut one, name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_which_one_master_is_killed() {
    let cluster = RedisCluster::start().await;
    let (mut one, two) = (Node::on_redis(&cluster.url()).await, Node::on_redis(&cluster.url()).await);
    let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    for name in &names {
        one.subscribe(name).await;
    }
    cluster.nodes()[2].kill();
    one.goes_away().await;
    cluster.nodes()[2].start_again().await;
    one.comes_back().await;
    for name in &names {
        two.reaches(&mut one, name).await;
    }
}

impl Node {
    /// Waits until this node hears as it should.
    async fn comes_to_hear(&self, hearing: Hearing) {
        let deadline = Instant::now() + PATIENCE;
        while self.bus.hearing() != hearing {
            assert!(Instant::now() < deadline, "it is {:?}, not {hearing:?}", self.bus.hearing());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nothing_published_comes_is_made_anew() {
    let redis = Redis::start().await;
    let proxy = Chaos::before_redis(redis.port()).await;
    let (mut one, two) = (Node::behind(&proxy).await, Node::on_redis(&redis.url()).await);
    one.subscribe("ann").await;
    two.publish("ann", "before").await;
    one.hears_this("ann", "before").await;
    // Pings are answered, subscriptions are confirmed, publications are taken: only nothing comes any more.
    let every_message = proxy.swallow_messages("", 1_000_000);
    one.comes_to_hear(Hearing::Deaf).await;
    one.goes_away().await;
    assert!(every_message.left() < 1_000_000, "nothing was swallowed: the test tests nothing");
    proxy.heal().await;
    assert_eq!(one.comes_back().await, Cause::Reconnected);
    one.comes_to_hear(Hearing::Well).await;
    two.publish("ann", "after").await;
    one.hears_this("ann", "after").await;
    assert_eq!(two.bus.hearing(), Hearing::Well);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_only_the_server_forgot_is_made_anew_though_others_are_heard() {
    let redis = Redis::start().await;
    let proxy = Chaos::before_redis(redis.port()).await;
    let (mut one, two) = (Node::behind(&proxy).await, Node::on_redis(&redis.url()).await);
    one.subscribe("ann").await;
    let _own = proxy.swallow_messages("switchboard:c:", 1_000_000);
    let deadline = Instant::now() + PATIENCE;
    let mut heard = 0;
    while one.bus.hearing() == Hearing::Well {
        two.publish("ann", "still").await;
        match one.event().await {
            BusEvent::Message { .. } => heard += 1,
            BusEvent::Away => break,
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "it believes to hear itself");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A connection that brings other things is given the time that Redis may take for a ping.
    assert!(heard > 50, "given up after {heard} messages");
    proxy.heal().await;
    one.comes_to_hear(Hearing::Well).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_away_a_node_is_not_deaf() {
    let redis = Redis::start().await;
    let proxy = Chaos::before_redis(redis.port()).await;
    let mut one = Node::behind(&proxy).await;
    one.subscribe("ann").await;
    one.comes_to_hear(Hearing::Well).await;
    let until = |then: Instant, bus: Arc<dyn Bus>| async move {
        while Instant::now() < then {
            assert_ne!(bus.hearing(), Hearing::Deaf);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // A silent partition, one that is told, and a Redis that freezes, each for longer than deafness takes to be found.
    proxy.stall().await;
    until(Instant::now() + 2 * CANARY_WAIT, one.bus.clone()).await;
    assert_eq!(one.bus.hearing(), Hearing::Away);
    proxy.refuse().await;
    until(Instant::now() + 2 * CANARY_WAIT, one.bus.clone()).await;
    assert_eq!(one.bus.hearing(), Hearing::Away);
    proxy.heal().await;
    one.goes_away().await;
    one.comes_back().await;
    redis.stop();
    until(Instant::now() + 2 * CANARY_WAIT, one.bus.clone()).await;
    assert_eq!(one.bus.hearing(), Hearing::Away);
    redis.cont();
    until(Instant::now() + CANARY_WAIT, one.bus.clone()).await;
    one.comes_to_hear(Hearing::Well).await;
}
