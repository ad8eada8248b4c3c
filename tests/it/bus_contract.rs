//! What every bus promises: one body of rules, each run against every implementation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use switchboard::bus::local::LocalHub;
use switchboard::bus::redis::RedisBus;
use switchboard::bus::{Bus, BusEvent, Cause};
use switchboard::model::limits::{BUS_EVENTS_MAX, NODE_FRAMES_MAX, PUBLISH_WAIT};
use switchboard::model::{NodeId, SystemChance, UserId};
use switchboard::redis::{Line, RedisSettings};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::support::services::{Redis, RedisCluster};

/// Long enough for a busy machine.
const ARRIVAL: Duration = Duration::from_secs(20);
/// Long enough to believe that nothing comes.
const SILENCE: Duration = Duration::from_millis(300);

/// A node as far as the bus knows one.
pub(crate) struct Node {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) events: mpsc::Receiver<BusEvent>,
}

impl Node {
    /// A node on the Redis at `url`.
    pub(crate) async fn on_redis(url: &str) -> Self {
        // A failure is explained by what the bus said; the second test finds it done.
        tracing_subscriber::fmt().with_env_filter("switchboard=debug").with_test_writer().try_init().ok();
        let (settings, chance) = (RedisSettings::parse(url).unwrap(), Arc::new(SystemChance));
        let line = Line::start(settings.clone(), chance.clone());
        let (bus, events) = RedisBus::start(&settings, line, chance).await;
        let mut node = Self { bus: Arc::new(bus), events };
        if node.events.try_recv() == Ok(BusEvent::Away) {
            // A busy machine did not connect in time. That is another test's subject.
            assert_eq!(node.event().await, BusEvent::Doubt(Cause::Reconnected));
        }
        node
    }

    pub(crate) async fn publish(&self, to: &str, payload: impl Into<Bytes>) {
        self.bus.publish(&user(to), payload.into()).await;
    }

    pub(crate) async fn subscribe(&self, to: &str) {
        timeout(ARRIVAL, self.bus.subscribe(&user(to))).await.expect("a subscription in time");
    }

    pub(crate) async fn unsubscribe(&self, from: &str) {
        self.bus.unsubscribe(&user(from)).await;
    }

    /// The next event, whatever it is.
    pub(crate) async fn event(&mut self) -> BusEvent {
        timeout(ARRIVAL, self.events.recv()).await.expect("an event in time").expect("a bus that lives")
    }

    /// The next message, as its user and its text.
    pub(crate) async fn hears(&mut self) -> (String, String) {
        match self.event().await {
            BusEvent::Message { user, payload } => {
                (user.to_string(), String::from_utf8(payload.to_vec()).expect("these tests send text"))
            }
            other => panic!("expected a message, got {other:?}"),
        }
    }

    pub(crate) async fn hears_this(&mut self, to: &str, text: &str) {
        assert_eq!(self.hears().await, (to.to_owned(), text.to_owned()));
    }

    pub(crate) async fn hears_nothing(&mut self) {
        if let Ok(event) = timeout(SILENCE, self.events.recv()).await {
            panic!("expected silence, got {event:?}");
        }
    }
}

/// Where nodes can be put that share a bus.
trait World {
    async fn node(&self) -> Node;
}

impl World for LocalHub {
    async fn node(&self) -> Node {
        let (bus, events) = self.join();
        Node { bus: Arc::new(bus), events }
    }
}

impl World for Redis {
    async fn node(&self) -> Node {
        Node::on_redis(&self.url()).await
    }
}

impl World for RedisCluster {
    async fn node(&self) -> Node {
        Node::on_redis(&self.url()).await
    }
}

async fn three(world: &impl World) -> [Node; 3] {
    [world.node().await, world.node().await, world.node().await]
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

macro_rules! every_bus {
    ($($rule:ident),+ $(,)?) => {
        every_bus!(@ local, LocalHub::default(), $($rule),+);
        every_bus!(@ redis, Redis::start().await, $($rule),+);
        every_bus!(@ redis_cluster, RedisCluster::start().await, $($rule),+);
    };
    (@ $name:ident, $world:expr, $($rule:ident),+) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(&$world).await;
                }
            )+
        }
    };
}

every_bus! {
    what_is_published_after_subscribing_arrives,
    every_subscriber_hears_it_and_nobody_else,
    an_unsubscribed_node_hears_no_more_until_it_subscribes_again,
    subscribing_twice_is_subscribing_once,
    the_last_word_counts_however_fast_it_changes,
    one_publisher_is_heard_in_order_on_one_channel,
    ten_thousand_channels,
    bytes_arrive_as_they_were_sent,
    too_much_is_told_and_never_waited_for,
    a_node_hears_what_is_sent_to_it_and_nothing_else,
    frames_that_nobody_takes_are_dropped_and_no_messages_with_them,
    a_broadcast_is_heard_by_every_node_and_by_its_own,
}

async fn what_is_published_after_subscribing_arrives(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    for number in 0..200 {
        let name = format!("user{number}");
        one.subscribe(&name).await;
        two.publish(&name, "hi").await;
        one.hears_this(&name, "hi").await;
    }
}

async fn every_subscriber_hears_it_and_nobody_else(world: &impl World) {
    let [mut one, mut two, mut three] = three(world).await;
    for node in [&one, &two] {
        node.subscribe("ann").await;
    }
    three.subscribe("bob").await;
    three.publish("ann", "to ann").await;
    one.hears_this("ann", "to ann").await;
    two.hears_this("ann", "to ann").await;
    one.publish("ann", "from a subscriber").await;
    one.hears_this("ann", "from a subscriber").await;
    two.hears_this("ann", "from a subscriber").await;
    one.publish("annabel", "to a longer name").await;
    one.publish("bob", "to bob").await;
    three.hears_this("bob", "to bob").await;
    for node in [&mut one, &mut two, &mut three] {
        node.hears_nothing().await;
    }
}

async fn an_unsubscribed_node_hears_no_more_until_it_subscribes_again(world: &impl World) {
    let [mut one, two, mut three] = three(world).await;
    one.unsubscribe("ann").await; // harmless
    for round in 0..5 {
        one.subscribe("ann").await;
        three.subscribe("ann").await;
        two.publish("ann", format!("round {round}")).await;
        one.hears_this("ann", &format!("round {round}")).await;
        three.hears_this("ann", &format!("round {round}")).await;
        one.unsubscribe("ann").await;
        ends(&mut one, &two).await;
        two.publish("ann", "for the other").await;
        while three.hears().await.1 != "for the other" {}
        one.hears_nothing().await;
    }
}

/// Publishes until the listener, which has just unsubscribed, does not hear it any more.
async fn ends(listener: &mut Node, publisher: &Node) {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        publisher.publish("ann", "still there?").await;
        if timeout(SILENCE, listener.events.recv()).await.is_err() {
            return;
        }
        assert!(Instant::now() < deadline, "unsubscribing does not end it");
    }
}

async fn subscribing_twice_is_subscribing_once(world: &impl World) {
    let [mut one, mut two, _] = three(world).await;
    join_all((0..10).map(|_| one.subscribe("ann"))).await;
    one.subscribe("ann").await;
    two.publish("ann", "once").await;
    one.hears_this("ann", "once").await;
    one.hears_nothing().await;
    one.unsubscribe("ann").await;
    two.subscribe("ann").await;
    ends(&mut one, &two).await;
    two.hears_this("ann", "still there?").await;
}

async fn the_last_word_counts_however_fast_it_changes(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    let names: Vec<String> = (0..50).map(|number| format!("user{number}")).collect();
    for round in 0..20 {
        join_all(names.iter().map(async |name| {
            one.subscribe(name).await;
            one.unsubscribe(name).await;
            if round % 2 == 0 {
                one.subscribe(name).await;
            }
        }))
        .await;
    }
    join_all(names[..25].iter().map(|name| one.subscribe(name))).await;
    let mut expected: HashSet<String> = names[..25].iter().cloned().collect();
    for name in &names[..25] {
        two.publish(name, "hi").await;
    }
    while !expected.is_empty() {
        let (name, _) = one.hears().await;
        assert!(expected.remove(&name), "{name} was heard twice");
    }
    let deadline = Instant::now() + ARRIVAL;
    loop {
        for name in &names[25..] {
            two.publish(name, "hi").await;
        }
        if timeout(SILENCE, one.events.recv()).await.is_err() {
            break;
        }
        while one.events.try_recv().is_ok() {}
        assert!(Instant::now() < deadline, "unsubscribing does not end it");
    }
}

async fn one_publisher_is_heard_in_order_on_one_channel(world: &impl World) {
    let [mut one, two, three] = three(world).await;
    one.subscribe("ann").await;
    let publish = async |from: &Node, name: &str| {
        for number in 0..3_000 {
            from.publish("ann", format!("{name} {number}")).await;
            from.publish("somebody-else", "").await;
        }
    };
    let listen = async {
        let mut next = HashMap::from([("two".to_owned(), 0), ("three".to_owned(), 0)]);
        for _ in 0..6_000 {
            let (_, text) = one.hears().await;
            let (name, number) = text.split_once(' ').unwrap();
            let expected = next.get_mut(name).unwrap();
            assert_eq!(number, expected.to_string(), "from {name}");
            *expected += 1;
        }
    };
    tokio::join!(publish(&two, "two"), publish(&three, "three"), listen);
}

async fn ten_thousand_channels(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    let names: Vec<String> = (0..10_000).map(|number| format!("user{number}")).collect();
    join_all(names.iter().map(|name| one.subscribe(name))).await;
    let publish = async {
        for name in &names {
            two.publish(name, name.clone()).await;
        }
    };
    let listen = async {
        let mut heard = HashSet::new();
        while heard.len() < names.len() {
            let (to, text) = one.hears().await;
            assert_eq!(to, text, "on the wrong channel");
            assert!(heard.insert(to), "{text} twice");
        }
    };
    tokio::join!(publish, listen);
}

async fn bytes_arrive_as_they_were_sent(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    one.subscribe("ann").await;
    let all_bytes: Vec<u8> = (0..=u8::MAX).cycle().take(64 * 1024).collect();
    let redis_like = b"+OK\r\n*3\r\n$7\r\nmessage\r\n".to_vec();
    let sized = [0, 1, 2, 255, 256, 1_000, 4_095, 8_192, 16_384, 65_535, 65_536].map(|size| all_bytes[..size].to_vec());
    for sent in sized.into_iter().chain([redis_like, "Grüße".into(), vec![0xff; 100]]) {
        two.publish("ann", sent.clone()).await;
        let BusEvent::Message { payload, .. } = one.event().await else { panic!("a message") };
        assert!(payload == sent, "{} bytes arrived as {} others", sent.len(), payload.len());
    }
}

async fn too_much_is_told_and_never_waited_for(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    one.subscribe("ann").await;
    let mut longest = Duration::ZERO;
    let deadline = Instant::now() + 3 * ARRIVAL;
    let mut beyond = 0;
    while beyond < 10_000 {
        let before = Instant::now();
        two.publish("ann", "more").await;
        longest = longest.max(before.elapsed());
        beyond += usize::from(one.events.len() == BUS_EVENTS_MAX);
        assert!(Instant::now() < deadline, "the queue does not fill: {} of {BUS_EVENTS_MAX}", one.events.len());
    }
    assert!(longest < PUBLISH_WAIT + Duration::from_secs(1), "a publisher waited for {longest:?}");

    let mut doubts = 0;
    let deadline = Instant::now() + 3 * ARRIVAL;
    while let Ok(Some(event)) = timeout(SILENCE, one.events.recv()).await {
        match event {
            BusEvent::Message { .. } => {}
            BusEvent::Doubt(Cause::Lagged) => doubts += 1,
            other => panic!("unexpected: {other:?}"),
        }
        assert!(Instant::now() < deadline, "it never ends");
    }
    assert!((1..1_000).contains(&doubts), "{doubts} doubts, not one for each of thousands of losses");
    two.publish("ann", "and on").await;
    while one.hears().await.1 != "and on" {}
}

async fn a_node_hears_what_is_sent_to_it_and_nothing_else(world: &impl World) {
    let [mut one, mut two, three] = three(world).await;
    let (first, second) = (NodeId(0xabc), NodeId(u64::MAX));
    let mut to_first = timeout(ARRIVAL, one.bus.listen(first)).await.expect("a subscription in time");
    let mut to_second = timeout(ARRIVAL, two.bus.listen(second)).await.expect("a subscription in time");
    one.subscribe("ann").await;
    for number in 0..100 {
        three.bus.send(first, format!("first {number}").into()).await;
        one.bus.send(second, format!("second {number}").into()).await;
    }
    three.publish("ann", "hi").await;
    for number in 0..100 {
        let heard = timeout(ARRIVAL, to_first.recv()).await.expect("a frame in time");
        assert_eq!(heard, Some(format!("first {number}").into()));
        let heard = timeout(ARRIVAL, to_second.recv()).await.expect("a frame in time");
        assert_eq!(heard, Some(format!("second {number}").into()));
    }
    one.hears_this("ann", "hi").await;
    let mut again = timeout(ARRIVAL, one.bus.listen(first)).await.expect("a subscription in time");
    one.bus.send(first, "to itself".into()).await;
    assert_eq!(timeout(ARRIVAL, again.recv()).await.expect("a frame in time"), Some("to itself".into()));
    assert_eq!(to_first.recv().await, None, "who listened before hears no more");
    for node in [&mut one, &mut two] {
        node.hears_nothing().await;
    }
}

async fn a_broadcast_is_heard_by_every_node_and_by_its_own(world: &impl World) {
    let [mut one, mut two, mut three] = three(world).await;
    one.subscribe("ann").await;
    for number in 0..100 {
        two.bus.broadcast(format!("news {number}").into()).await;
    }
    three.publish("ann", "hi").await;
    for node in [&mut one, &mut two, &mut three] {
        let mut next = 0;
        while next < 100 {
            match node.event().await {
                BusEvent::Broadcast { payload } => {
                    assert_eq!(payload, format!("news {next}"), "in order, each once");
                    next += 1;
                }
                BusEvent::Message { payload, .. } => assert_eq!(payload, "hi"),
                other => panic!("unexpected: {other:?}"),
            }
        }
    }
    let mut late = world.node().await;
    one.bus.broadcast("to four".into()).await;
    assert_eq!(late.event().await, BusEvent::Broadcast { payload: "to four".into() });
    late.hears_nothing().await;
}

async fn frames_that_nobody_takes_are_dropped_and_no_messages_with_them(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    let node = NodeId(7);
    let mut frames = timeout(ARRIVAL, one.bus.listen(node)).await.expect("a subscription in time");
    one.subscribe("ann").await;
    for _ in 0..NODE_FRAMES_MAX + 100 {
        two.bus.send(node, "more".into()).await;
        two.publish("bob", "").await; // keeps the publisher's pace: Redis itself must not be the one that drops
    }
    two.publish("ann", "hi").await;
    one.hears_this("ann", "hi").await;
    let mut taken = 0;
    while frames.try_recv().is_ok() {
        taken += 1;
    }
    assert_eq!(taken, NODE_FRAMES_MAX);
    two.bus.send(node, "and on".into()).await;
    assert_eq!(timeout(ARRIVAL, frames.recv()).await.expect("a frame in time"), Some("and on".into()));
}
