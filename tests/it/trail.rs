//! "Where is my message?": asked at any node, answered from what all of them remember.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard::bus::Bus;
use switchboard::bus::local::LocalHub;
use switchboard::model::{Clock as _, Conversation, MessageId, NewMessage, Role, Seq, SystemClock, UserId};
use switchboard::store::{Attempt, Outcome};
use switchboard::wire::envelope::Envelope;
use tokio::time::{Instant, sleep};

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token, token_as};

/// How long a test waits for what ought to come; generous, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

async fn ask(cluster: &Cluster, node: usize, token: &str, id: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v1/messages/{id}/trace", cluster.nodes[node].address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// The answer, as soon as it is what is waited for.
async fn wait_for(cluster: &Cluster, node: usize, id: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, trace) = ask(cluster, node, &token("ann"), id).await;
        if status == 200 && is_it(&trace) {
            return trace;
        }
        assert!(Instant::now() < deadline, "{status} {trace:#}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Sends, and answers the message's id and conversation.
async fn sent(client: &mut Client, to: &str, key: &str) -> (String, String) {
    client.send(to, key, "where am I?").await;
    let sent = client.expect("sent").await;
    let text = |field: &str| sent[field].as_str().unwrap().to_owned();
    (text("id"), text("conversation"))
}

fn devices(trace: &Value) -> u64 {
    trace["nodes"].as_array().unwrap().iter().map(|node| node["devices"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_node_a_message_is_followed_until_it_is_read() {
    let cluster = Cluster::local(1).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let (id, conversation) = sent(&mut ann, "bob", "1").await;
    let trace = wait_for(&cluster, 0, &id, |trace| trace["sending"].is_object()).await;
    assert_eq!((&trace["id"], &trace["conversation"], &trace["seq"]), (&json!(id), &json!(conversation), &json!(1)));
    let time = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{trace:#}"));
    let (accepted, sending) = (time(&trace["accepted"]), &trace["sending"]);
    assert!(accepted <= time(&sending["committed"]), "{trace:#}");
    assert!(time(&sending["committed"]) <= time(&sending["published"]), "{trace:#}");
    assert_eq!((&trace["forgotten"], &trace["silent"]), (&json!(false), &json!([])));
    assert_eq!((&trace["members"], &trace["delivered"], &trace["read"]), (&json!(1), &json!(0), &json!(0)));

    let mut bob = Client::hello(cluster.nodes[0].address(), "bob").await;
    bob.see(1).await;
    let trace = wait_for(&cluster, 0, &id, |trace| devices(trace) == 1).await;
    let node = &trace["nodes"][0];
    assert_eq!(node["node"], trace["sending"]["node"]);
    assert!(
        accepted <= node["received"].as_u64().unwrap() && node["first_written"] == node["last_written"],
        "{trace:#}"
    );

    bob.say(json!({ "type": "delivered", "conversation": conversation, "seq": 1 })).await;
    bob.expect("receipt").await;
    wait_for(&cluster, 0, &id, |trace| trace["delivered"] == 1 && trace["read"] == 0).await;
    bob.say(json!({ "type": "read", "conversation": conversation, "seq": 1 })).await;
    bob.expect("receipt").await;
    wait_for(&cluster, 0, &id, |trace| trace["delivered"] == 1 && trace["read"] == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_tell_what_each_of_them_knows() {
    let cluster = Cluster::redis(3).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut phone = Client::hello(cluster.nodes[1].address(), "bob").await;
    let mut laptop = Client::hello(cluster.nodes[2].address(), "bob").await;
    let (id, _) = sent(&mut ann, "bob", "1").await;
    phone.see(1).await;
    laptop.see(1).await;
    let mut seen = Vec::new();
    for node in 0..3 {
        // Each has heard of the others a moment after it started.
        let trace = wait_for(&cluster, node, &id, |trace| trace["sending"].is_object() && devices(trace) == 2).await;
        assert_eq!(trace["silent"], json!([]), "{trace:#}");
        let with_devices: Vec<&Value> =
            trace["nodes"].as_array().unwrap().iter().filter(|node| node["devices"] == 1).collect();
        assert_eq!(with_devices.len(), 2, "one device on each of two nodes: {trace:#}");
        assert!(with_devices.iter().all(|node| node["node"] != trace["sending"]["node"]), "{trace:#}");
        seen.push(trace);
    }
    assert!(seen.iter().all(|trace| *trace == seen[0]), "it does not matter who is asked: {seen:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_learns_that_there_is_such_a_message() {
    let cluster = Cluster::local(2).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let (id, _) = sent(&mut ann, "bob", "1").await;
    bob.see(1).await;
    wait_for(&cluster, 1, &id, |trace| devices(trace) == 1).await;
    let nowhere = "0123456789abcdef01234567";
    for node in 0..2 {
        let unknown = ask(&cluster, node, &token("ann"), nowhere).await;
        assert_eq!(unknown.0, 404);
        // Its receiver is not its sender.
        for user in ["eve", "bob"] {
            assert_eq!(ask(&cluster, node, &token(user), &id).await, unknown, "{user}");
        }
        assert_eq!(ask(&cluster, node, &token_as("agent", Role::Admin), &id).await.0, 200);
        assert_eq!(ask(&cluster, node, &token("ann"), "nonsense").await.0, 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_time_a_message_is_forgotten() {
    let keep = Duration::from_secs(2);
    let cluster = Cluster::remembering(keep).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let began = Instant::now();
    let (id, _) = sent(&mut ann, "bob", "1").await;
    let (status, trace) = ask(&cluster, 0, &token("ann"), &id).await;
    assert!(status == 200 || began.elapsed() >= keep, "{status} {trace}");
    let deadline = Instant::now() + PATIENCE;
    while ask(&cluster, 0, &token("ann"), &id).await.0 != 404 {
        assert!(Instant::now() < deadline, "it is never forgotten");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() >= keep, "it was forgotten too early");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_answer_is_named_and_what_nobody_remembers_is_said_to_be_forgotten() {
    let hub = LocalHub::default();
    let (bus, events) = hub.join();
    let cluster = Cluster::over(vec![(Arc::new(bus) as Arc<dyn Bus>, events)]).await;
    // It says that it is there, and nothing else.
    let (ghost, _events) = hub.join();
    let say = |leaves| Envelope::Node { node: 7, label: "ghost".to_owned(), leaves }.encode();
    ghost.broadcast(say(false)).await;

    // A message of which the node of its sender remembers nothing, as when it has died.
    let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
    let talk = Conversation::direct(&ann, &bob);
    let id: MessageId = "0123456789abcdef01234567".parse().unwrap();
    let (conversation, key, text) = (talk.id, "k".parse().unwrap(), "where am I?".to_owned());
    let message = NewMessage { conversation, id, sender: ann, key, at: SystemClock.now(), text, event: None };
    let store = cluster.store().await;
    store.open(&talk).await.unwrap();
    let attempt = Attempt { message: message.clone(), seq: Seq(1) };
    assert_eq!(store.append_each(vec![attempt]).await, [Outcome::Stored]);
    store.raise(&[message.at_seq(Seq(1))]).await.unwrap();

    let mut bob = Client::hello(cluster.nodes[0].address(), "bob").await;
    bob.see(1).await;
    let id = id.to_string();
    let trace = wait_for(&cluster, 0, &id, |trace| devices(trace) == 1).await;
    assert_eq!((&trace["silent"], &trace["nodes"][0]["repaired"]), (&json!(["ghost"]), &json!(true)), "{trace:#}");
    assert_eq!((&trace["forgotten"], trace.get("sending")), (&json!(false), None), "the ghost may know: {trace:#}");
    ghost.broadcast(say(true)).await;
    let trace = wait_for(&cluster, 0, &id, |trace| trace["silent"] == json!([])).await;
    assert_eq!((&trace["forgotten"], trace.get("sending")), (&json!(true), None), "{trace:#}");
}
