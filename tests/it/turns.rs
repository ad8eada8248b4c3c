//! People on different nodes who take turns: each node learns from the other one that it wrote, and tries the next place.
//! What has no seal of a node is not believed.

use std::sync::Arc;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use switchboard::bus::Bus;
use switchboard::bus::local::LocalHub;
use switchboard::model::{ConversationId, Generation, Message, MessageId, Seq, SystemChance, Timestamp, UserId};
use switchboard::store::{SecretOf, shared_secret};
use switchboard::wire::Sealer;
use switchboard::wire::envelope::{Envelope, Postscript};

use crate::support::client::Client;
use crate::support::cluster::{Cluster, Ground};

const TURNS: u64 = 30;

/// How many places were tried that another node had taken.
fn conflicts(metrics: &PrometheusHandle) -> u64 {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix("switchboard_sequence_conflicts_total "));
    line.expect("conflicts are counted").parse().unwrap()
}

async fn who_answers_what_was_heard_meets_no_taken_place(cluster: Cluster, metrics: &PrometheusHandle) {
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    for turn in 1..=TURNS {
        let place = usize::try_from(turn).unwrap() * 2;
        assert_eq!(ann.tell("bob", &format!("a{turn}"), "ping").await, turn * 2 - 1);
        bob.see(place - 1).await;
        assert_eq!(bob.tell("ann", &format!("b{turn}"), "pong").await, turn * 2);
        ann.see(place).await;
    }
    ann.assert_whole(TURNS * 2);
    bob.assert_whole(TURNS * 2);
    assert_eq!(conflicts(metrics), 0);
}

// On one thread, so that all that is counted is counted in this test's own numbers.

#[tokio::test]
async fn who_answers_what_was_heard_meets_no_taken_place_on_one_store() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _counted = metrics::set_default_local_recorder(&recorder);
    who_answers_what_was_heard_meets_no_taken_place(Cluster::local(2).await, &metrics).await;
}

#[tokio::test]
async fn who_answers_what_was_heard_meets_no_taken_place_on_mongodb() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _counted = metrics::set_default_local_recorder(&recorder);
    who_answers_what_was_heard_meets_no_taken_place(Cluster::redis(2).await, &metrics).await;
}

/// A place that is not taken, told of by somebody who has no business on the bus, or by a node of another history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_the_bus_invents_makes_no_hole() {
    let hub = LocalHub::default();
    let mut buses = Vec::new();
    for _ in 0..2 {
        let (bus, events) = hub.join();
        buses.push((Arc::new(bus) as Arc<dyn Bus>, events));
    }
    let (liar, _events) = hub.join();
    let cluster = Cluster::over(buses).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let [user, other]: [UserId; 2] = ["ann", "bob"].map(|name| name.parse().unwrap());
    assert_eq!(ann.tell("bob", "1", "true").await, 1);
    let Ground::Local(_, store) = &cluster.ground else { panic!("another ground") };
    let secret = shared_secret(&**store, SecretOf::Nodes, &SystemChance).await.unwrap();
    let another = Sealer::new("not the secret of these nodes", store.generation());
    let restored = Sealer::new(&secret, Generation(store.generation().0 ^ 1));
    let lies = [(2, "2", None), (50, "3", Some(&another)), (u64::MAX, "4", Some(&another)), (5, "5", Some(&restored))];
    for (place, key, sealer) in lies {
        let invented = Message {
            conversation: ConversationId::direct(&user, &other),
            seq: Seq(place),
            id: MessageId::from_bytes([7; 12]),
            sender: other.clone(),
            key: "invented".parse().unwrap(),
            at: Timestamp(1),
            text: "invented".to_owned(),
            event: None,
        };
        // To a third person, so that it is heard of and not shown.
        let envelope = Envelope::Message { message: Arc::new(invented), predecessor: None, group: false };
        let mut third = Client::hello(cluster.nodes[0].address(), "third").await;
        let seal = sealer.map(|sealer| sealer.seal(ConversationId::direct(&user, &other), Seq(place)));
        liar.publish(&"third".parse().unwrap(), envelope.encode_with(&Postscript { seal, trace: None })).await;
        let _ = third.within(std::time::Duration::from_millis(100)).await;
        assert_eq!(ann.tell("bob", key, "true").await, key.parse::<u64>().unwrap());
    }
    bob.see(5).await;
    bob.assert_whole(5);
}
