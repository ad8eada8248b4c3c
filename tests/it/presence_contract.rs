//! What every presence promises: one body of rules, each run against every implementation.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use switchboard::model::{Clock, SystemChance, SystemClock, Timestamp, UserId, Whereabouts};
use switchboard::presence::local::LocalWorld;
use switchboard::presence::redis::RedisPresence;
use switchboard::presence::{Changes, Leaving, Presence, PresenceEvent};
use switchboard::redis::{Line, RedisSettings};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::support::services::{Redis, RedisCluster};

/// How long users of these nodes are found after their last connection ended.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often a test looks again.
const LOOK: Duration = Duration::from_millis(25);

/// A node as far as presence knows one.
pub(crate) struct Node {
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) events: mpsc::Receiver<PresenceEvent>,
}

impl Node {
    pub(crate) async fn on_redis(url: &str) -> Self {
        // A failure is explained by what presence said; the second test finds it done.
        tracing_subscriber::fmt().with_env_filter("switchboard=debug").with_test_writer().try_init().ok();
        let chance = Arc::new(SystemChance);
        let line = Line::start(RedisSettings::parse(url).unwrap(), chance.clone());
        let (presence, events) = RedisPresence::start(line, Arc::new(SystemClock), chance, GRACE);
        let node = Self { presence: Arc::new(presence), events };
        // As soon as it is registered, it knows who is nowhere.
        node.finds(&[("nobody", Whereabouts::Gone)]).await;
        node
    }

    pub(crate) fn enter(&self, name: &str) {
        self.presence.enter(&user(name));
    }

    pub(crate) fn leave(&self, name: &str) {
        self.presence.leave(&user(name), Leaving::Closed, now());
    }

    pub(crate) fn vanish(&self, name: &str) {
        self.presence.leave(&user(name), Leaving::Vanished, now());
    }

    pub(crate) async fn find(&self, names: &[&str]) -> Vec<Whereabouts> {
        let users: Vec<UserId> = names.iter().map(|name| user(name)).collect();
        timeout(PATIENCE, self.presence.find(&users)).await.expect("an answer in time")
    }

    /// Looks until these are found so.
    pub(crate) async fn finds(&self, expected: &[(&str, Whereabouts)]) {
        let (names, places): (Vec<&str>, Vec<Whereabouts>) = expected.iter().copied().unzip();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.find(&names).await;
            if found == places {
                return;
            }
            assert!(Instant::now() < deadline, "{names:?}: expected {places:?}, found {found:?}");
            sleep(LOOK).await;
        }
    }

    /// Looks for this long and fails if somebody is not found all the time.
    pub(crate) async fn keeps_finding(&self, name: &str, span: Duration) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            assert_eq!(self.find(&[name]).await, [Whereabouts::Here], "{name} was not found");
            sleep(LOOK).await;
        }
    }

    /// What is told next of who came and left.
    pub(crate) async fn changes(&mut self) -> Changes {
        loop {
            match timeout(PATIENCE, self.events.recv()).await.expect("an event in time") {
                Some(PresenceEvent::Changed(changes)) => return changes,
                Some(PresenceEvent::Doubt) => {}
                None => panic!("presence ended"),
            }
        }
    }

    /// Waits until it is told that everybody is to be asked about.
    pub(crate) async fn is_in_doubt(&mut self) {
        loop {
            match timeout(PATIENCE, self.events.recv()).await.expect("an event in time") {
                Some(PresenceEvent::Doubt) => return,
                Some(PresenceEvent::Changed(_)) => {}
                None => panic!("presence ended"),
            }
        }
    }

    /// Takes what was told so far.
    pub(crate) fn told(&mut self) -> Vec<PresenceEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) const HERE: Whereabouts = Whereabouts::Here;
pub(crate) const GONE: Whereabouts = Whereabouts::Gone;

/// Where nodes can be put that share a presence.
trait World {
    async fn node(&self) -> Node;
}

impl World for LocalWorld {
    async fn node(&self) -> Node {
        let (presence, events) = self.join(GRACE, Arc::new(SystemClock));
        Node { presence: Arc::new(presence), events }
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

macro_rules! every_presence {
    ($($rule:ident),+ $(,)?) => {
        every_presence!(@ local, LocalWorld::default(), $($rule),+);
        every_presence!(@ redis, Redis::start().await, $($rule),+);
        every_presence!(@ redis_cluster, RedisCluster::start().await, $($rule),+);
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

every_presence! {
    who_enters_anywhere_is_found_everywhere,
    who_is_at_two_nodes_is_found_until_both_are_left,
    a_reload_is_never_noticed,
    who_vanishes_is_gone_at_once,
    coming_and_going_is_told_when_it_is_found,
    a_node_that_dies_takes_its_users_along,
    a_node_that_is_withdrawn_leaves_them_their_grace,
    many_users_at_once,
    the_last_word_counts_however_fast_it_changes,
}

async fn who_enters_anywhere_is_found_everywhere(world: &impl World) {
    let [one, two, three] = three(world).await;
    one.enter("ann");
    one.enter("ann");
    two.enter("bob");
    for node in [&one, &two, &three] {
        node.finds(&[("ann", HERE), ("eve", GONE), ("bob", HERE), ("ann", HERE)]).await;
    }
    assert_eq!(three.find(&[]).await, []);
    one.leave("eve");
    assert_eq!(three.find(&["eve"]).await, [GONE], "who is not there cannot leave");
}

async fn who_is_at_two_nodes_is_found_until_both_are_left(world: &impl World) {
    let [one, two, three] = three(world).await;
    one.enter("ann");
    two.enter("ann");
    three.finds(&[("ann", HERE)]).await;
    one.leave("ann");
    three.keeps_finding("ann", 2 * GRACE).await;
    two.leave("ann");
    let left = Instant::now();
    three.finds(&[("ann", GONE)]).await;
    assert!(left.elapsed() >= GRACE - LOOK, "gone within their grace, after {:?}", left.elapsed());
    assert!(left.elapsed() < GRACE + Duration::from_secs(3), "gone only after {:?}", left.elapsed());
}

async fn a_reload_is_never_noticed(world: &impl World) {
    let [mut one, mut two, three] = three(world).await;
    one.enter("ann");
    three.finds(&[("ann", HERE)]).await;
    let mut changes = one.changes().await;
    assert_eq!(changes.came, [user("ann")]);
    one.leave("ann");
    three.keeps_finding("ann", GRACE / 2).await;
    two.enter("ann"); // on another node, while she is leaving the first
    three.keeps_finding("ann", 2 * GRACE).await;
    two.leave("ann");
    three.keeps_finding("ann", GRACE / 2).await;
    two.enter("ann"); // on the same one
    three.keeps_finding("ann", 2 * GRACE).await;
    // The first node tells that she left it: whoever asks finds her at the other.
    changes = one.changes().await;
    assert_eq!(changes.left.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>(), ["ann"]);
    let of_two: Vec<PresenceEvent> = two.told().into_iter().filter(|event| *event != PresenceEvent::Doubt).collect();
    assert_eq!(of_two, [PresenceEvent::Changed(Changes { came: vec![user("ann")], left: Vec::new() })]);
}

async fn who_vanishes_is_gone_at_once(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
    one.changes().await;
    let left = Instant::now();
    one.vanish("ann");
    two.finds(&[("ann", GONE)]).await;
    assert!(left.elapsed() < GRACE, "no grace is given: {:?}", left.elapsed());
    let changes = one.changes().await;
    assert_eq!((changes.came.len(), changes.left.len()), (0, 1));
    one.enter("ann");
    two.finds(&[("ann", HERE)]).await;
}

async fn coming_and_going_is_told_when_it_is_found(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    for number in 0..20 {
        let name = format!("user{number}");
        one.enter(&name);
        let changes = one.changes().await;
        assert_eq!(changes, Changes { came: vec![user(&name)], left: Vec::new() });
        assert_eq!(two.find(&[&name]).await, [HERE], "what is told is found");
    }
    let before = now();
    for number in 0..20 {
        one.leave(&format!("user{number}"));
    }
    let after = now();
    let mut left = HashSet::new();
    while left.len() < 20 {
        let changes = one.changes().await;
        for (user, at) in changes.left {
            assert_eq!(two.find(&[user.as_str()]).await, [GONE], "what is told is found");
            assert!(before <= at && at <= after, "they left then, not when it was told");
            assert!(left.insert(user), "told twice");
        }
    }
}

async fn a_node_that_dies_takes_its_users_along(world: &impl World) {
    let [one, mut two, mut three] = three(world).await;
    for name in ["ann", "bob"] {
        one.enter(name);
    }
    two.enter("bob");
    three.finds(&[("ann", HERE), ("bob", HERE)]).await;
    two.told();
    three.told();
    let (died_at, died) = (now(), Instant::now());
    drop(one);
    three.finds(&[("ann", GONE), ("bob", HERE)]).await;
    assert!(died.elapsed() < Duration::from_secs(8), "gone only after {:?}", died.elapsed());
    let gone_at = now();
    two.is_in_doubt().await;
    // One of the others finds out who was still there, and when that was.
    let changes = loop {
        let changes = tokio::select! {
            changes = two.changes() => changes,
            changes = three.changes() => changes,
        };
        // That somebody came may still be told.
        if !changes.left.is_empty() {
            break changes;
        }
    };
    let left: Vec<&str> = changes.left.iter().map(|(user, _)| user.as_str()).collect();
    assert!(left.contains(&"ann"), "{left:?}");
    let (_, at) = changes.left.iter().find(|(left, _)| *left == user("ann")).unwrap();
    assert!(at.0 + 3_000 >= died_at.0 && *at <= gone_at, "{at:?} is not about {died_at:?}");
    assert_eq!(two.find(&["ann", "bob"]).await, [GONE, HERE]);
}

async fn a_node_that_is_withdrawn_leaves_them_their_grace(world: &impl World) {
    let [one, two, three] = three(world).await;
    for name in ["ann", "bob"] {
        one.enter(name);
    }
    three.finds(&[("ann", HERE), ("bob", HERE)]).await;
    let withdrawn = Instant::now();
    timeout(PATIENCE, one.presence.withdraw(now())).await.expect("in time");
    one.enter("eve");
    drop(one);
    two.enter("bob"); // has come back elsewhere
    while withdrawn.elapsed() < GRACE - Duration::from_millis(500) {
        assert_eq!(three.find(&["ann", "bob", "eve"]).await, [HERE, HERE, GONE]);
        sleep(LOOK).await;
    }
    three.finds(&[("ann", GONE), ("bob", HERE)]).await;
    assert!(withdrawn.elapsed() < GRACE + Duration::from_secs(6), "gone only after {:?}", withdrawn.elapsed());
    two.keeps_finding("bob", Duration::from_secs(3)).await;
}

async fn many_users_at_once(world: &impl World) {
    let [mut one, two, _] = three(world).await;
    let names: Vec<String> = (0..5_000).map(|number| format!("user{number}")).collect();
    for name in &names {
        one.enter(name);
    }
    let mut came = HashSet::new();
    while came.len() < names.len() {
        for user in one.changes().await.came {
            assert!(came.insert(user), "told twice");
        }
    }
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(two.find(&asked).await, vec![HERE; names.len()]);
    for name in names.iter().step_by(2) {
        one.vanish(name);
    }
    let expected: Vec<(&str, Whereabouts)> =
        asked.iter().enumerate().map(|(index, name)| (*name, if index % 2 == 0 { GONE } else { HERE })).collect();
    two.finds(&expected).await;
}

async fn the_last_word_counts_however_fast_it_changes(world: &impl World) {
    let [one, two, _] = three(world).await;
    let names: Vec<String> = (0..50).map(|number| format!("user{number}")).collect();
    for round in 0..40 {
        for (index, name) in names.iter().enumerate() {
            one.enter(name);
            if (index + round) % 3 > 0 {
                one.vanish(name);
            }
        }
        if round % 10 == 0 {
            sleep(LOOK).await;
        }
    }
    for (index, name) in names.iter().enumerate() {
        if index % 2 == 0 { one.enter(name) } else { one.vanish(name) }
    }
    let expected: Vec<(&str, Whereabouts)> = names
        .iter()
        .enumerate()
        .map(|(index, name)| (name.as_str(), if index % 2 == 0 { HERE } else { GONE }))
        .collect();
    two.finds(&expected).await;
    one.finds(&expected).await;
}
