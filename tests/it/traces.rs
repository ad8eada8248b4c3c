//! One trace follows a message through both nodes, as a collector sees it that shares no code with us.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use switchboard::config;
use switchboard::model::SystemChance;
use switchboard::model::limits::TRACES_ASKED_PER_SECOND_MAX;
use switchboard::telemetry::Traces;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token};
use crate::support::collector::Collector;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// What nodes send their traces with.
fn traces(collector: &Collector, sample: f64) -> impl Fn(usize) -> Traces {
    let endpoint = collector.endpoint().parse().unwrap();
    let settings = config::Traces { endpoint, sample };
    move |node| Traces::open(&settings, format!("node-{node}"), Arc::new(SystemChance)).unwrap()
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

/// The only one of these names on this node.
fn only<'a>(spans: &'a [Value], name: &str, node: &str) -> &'a Value {
    let found: Vec<&Value> = named(spans, name).into_iter().filter(|span| span["instance"] == node).collect();
    assert_eq!(found.len(), 1, "{name} on {node}: {spans:#?}");
    found[0]
}

fn assert_child(child: &Value, parent: &Value) {
    assert_eq!((&child["trace"], &child["parent"]), (&parent["trace"], &parent["span"]), "{child:#}\n{parent:#}");
    assert!(child["start"].as_u64() <= child["end"].as_u64(), "{child:#}");
    // One machine, one clock: what comes of something does not begin before it.
    assert!(parent["start"].as_u64() <= child["start"].as_u64(), "{child:#}\n{parent:#}");
}

/// A message from ann on node 0 to bob on node 1: the whole of its trace, whose first span is answered.
fn assert_whole(spans: &[Value], message: &str) -> Value {
    let ours: Vec<Value> = spans.iter().filter(|span| span["attributes"]["message.id"] == message).cloned().collect();
    let receive = only(&ours, "message.receive", "node-0");
    assert_eq!((&receive["kind"], &receive["service"]), (&json!("server"), &json!("switchboard")));
    let persist = only(&ours, "message.persist", "node-0");
    let publish = only(&ours, "message.publish", "node-0");
    let acknowledge = only(&ours, "message.acknowledge", "node-0");
    for stage in [persist, publish, acknowledge] {
        assert_child(stage, receive);
        assert!(stage["end"].as_u64() <= receive["end"].as_u64(), "{stage:#}\n{receive:#}");
    }
    let take = only(&ours, "message.take", "node-1");
    assert_child(take, publish);
    assert_eq!((&publish["kind"], &take["kind"]), (&json!("producer"), &json!("consumer")));
    let deliver = only(&ours, "message.deliver", "node-1");
    assert_child(deliver, take);
    assert_eq!(deliver["status"], "unset");

    let batch = named(spans, "store.insert").into_iter().find(|batch| refers_to(batch, persist));
    let batch = batch.unwrap_or_else(|| panic!("no insert refers to the message: {spans:#?}"));
    assert!(refers_to(persist, batch), "and the message refers to it: {persist:#}");
    assert_ne!(batch["trace"], persist["trace"], "it belongs to all messages in it");
    assert!(batch["attributes"]["db.operation.batch.size"].as_u64() >= Some(1));
    receive.clone()
}

fn refers_to(one: &Value, other: &Value) -> bool {
    let links = one["links"].as_array().unwrap();
    links.iter().any(|link| (&link["trace"], &link["span"]) == (&other["trace"], &other["span"]))
}

fn are_whole(messages: usize) -> impl Fn(&[Value]) -> bool {
    move |spans| {
        let count = |name: &str, node: &str| named(spans, name).iter().filter(|span| span["instance"] == node).count();
        count("message.receive", "node-0") >= messages && count("message.deliver", "node-1") >= messages
    }
}

/// Nobody reads in a trace who wrote what to whom.
fn assert_discreet(spans: &[Value]) {
    let keys: BTreeSet<&String> =
        spans.iter().flat_map(|span| span["attributes"].as_object().unwrap().keys()).collect();
    let known = ["db.operation.batch.size", "message.first_id", "message.id"];
    assert!(keys.iter().all(|key| known.contains(&key.as_str())), "{keys:?}");
    let text = serde_json::to_string(spans).unwrap();
    assert!(!["\"ann\"", "\"bob\"", "a secret"].iter().any(|secret| text.contains(secret)), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_follows_a_message_through_both_nodes() {
    let collector = Collector::start().await;
    let cluster = Cluster::redis_traced(2, traces(&collector, 1.0)).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ann.send("bob", &format!("{n}"), "a secret").await;
        ids.push(ann.expect("sent").await["id"].as_str().unwrap().to_owned());
    }
    bob.see(3).await;
    let spans = collector.wait_for("three traces", are_whole(3)).await;
    let roots: Vec<Value> = ids.iter().map(|id| assert_whole(&spans, id)).collect();
    assert!(roots.iter().all(|root| root["parent"] == ""), "each begins here: {roots:#?}");
    let traces: BTreeSet<&str> = roots.iter().map(|root| root["trace"].as_str().unwrap()).collect();
    assert_eq!(traces.len(), 3);
    assert_discreet(&spans);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_of_its_trace_is_followed_and_nothing_else_is() {
    let collector = Collector::start().await;
    let cluster = Cluster::redis_traced(2, traces(&collector, 0.0)).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    // None of these is a trace to follow, and none is refused for it.
    let not_followed = [
        Value::Null,
        json!("nonsense"),
        json!(7),
        json!({ "a": [1] }),
        json!(traceparent("00")),
        json!(traceparent("0")),
    ];
    for (n, given) in not_followed.iter().enumerate() {
        let key = format!("n{n}");
        ann.say(json!({ "type": "send", "to": "bob", "key": key, "text": "-", "traceparent": given })).await;
        assert_eq!(ann.expect("sent").await["key"], key);
    }
    let key = "native";
    ann.say(json!({ "type": "send", "to": "bob", "key": key, "text": "-", "traceparent": traceparent("01") })).await;
    let native = ann.expect("sent").await["id"].as_str().unwrap().to_owned();
    let asked = traceparent("01");
    let rest = post(&cluster, &[asked.as_str()], "rest").await;
    post(&cluster, &[asked.as_str(), asked.as_str()], "twice").await;
    bob.see(not_followed.len() + 3).await;

    let spans = collector.wait_for("two traces", are_whole(2)).await;
    for id in [native.as_str(), rest["id"].as_str().unwrap()] {
        let root = assert_whole(&spans, id);
        assert_eq!((&root["trace"], &root["parent"]), (&json!(TRACE), &json!(PARENT)));
    }
    for node in cluster.nodes {
        assert!(node.drain().await);
    }
    let spans = collector.spans();
    assert_eq!(named(&spans, "message.receive").len(), 2, "with sampling 0 nothing else is traced: {spans:#?}");
    // What Ann says over REST is shown on her socket, too.
    assert_eq!(named(&spans, "message.deliver").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_can_have_everything_traced() {
    let collector = Collector::start().await;
    let cluster = Cluster::local_traced(1, traces(&collector, 0.0)).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let began = std::time::Instant::now();
    let sends = 20 * TRACES_ASKED_PER_SECOND_MAX;
    for n in 0..sends {
        let key = format!("{n}");
        ann.say(json!({ "type": "send", "to": "bob", "key": key, "text": "-", "traceparent": traceparent("01") }))
            .await;
        ann.expect("sent").await;
    }
    let seconds = u32::try_from(began.elapsed().as_secs()).unwrap() + 2;
    for node in cluster.nodes {
        assert!(node.drain().await);
    }
    let traced = named(&collector.spans(), "message.receive").len();
    let most = (seconds * TRACES_ASKED_PER_SECOND_MAX) as usize;
    assert!((1..=most).contains(&traced), "{traced} of {sends} within {seconds} s");
    assert!(traced < sends as usize, "this machine is too slow to tell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_of_a_refused_message_says_so() {
    let collector = Collector::start().await;
    let cluster = Cluster::local_traced(1, traces(&collector, 1.0)).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let nowhere = "0".repeat(32);
    ann.say(json!({ "type": "send", "conversation": nowhere, "key": "k", "text": "-" })).await;
    let answer = ann.next().await.unwrap();
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("forbidden")));
    let spans = collector.wait_for("a trace", |spans| !named(spans, "message.receive").is_empty()).await;
    let receive = only(&spans, "message.receive", "node-0");
    assert_eq!((&receive["status"], &receive["attributes"]["error.type"]), (&json!("error"), &json!("forbidden")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_holds_up_nothing() {
    let endpoint = format!("http://127.0.0.1:{}", crate::support::ports::free_port()).parse().unwrap();
    let settings = config::Traces { endpoint, sample: 1.0 };
    let open = move |node| Traces::open(&settings, format!("node-{node}"), Arc::new(SystemChance)).unwrap();
    let cluster = Cluster::local_traced(1, open).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    for n in 0..20 {
        ann.tell("bob", &format!("{n}"), "-").await;
    }
    let began = std::time::Instant::now();
    drop(ann);
    for node in cluster.nodes {
        assert!(node.drain().await);
    }
    assert!(began.elapsed() < Duration::from_secs(8), "the drain does not wait for it");
}

#[tokio::test]
async fn log_lines_of_a_traced_message_name_its_trace() {
    let lines = Lines::default();
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::DEBUG);
    let _guard = tracing::subscriber::set_default(log.with_writer(lines.clone()).finish());
    let collector = Collector::start().await;
    let cluster = Cluster::local_traced(1, traces(&collector, 0.0)).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[0].address(), "bob").await;
    ann.tell("bob", "untraced", "a secret").await;
    let asked = traceparent("01");
    ann.say(json!({ "type": "send", "to": "bob", "key": "traced", "text": "a secret", "traceparent": asked })).await;
    let id = ann.expect("sent").await["id"].clone();
    bob.see(2).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<Value> =
        text.lines().filter(|line| line.contains("trace_id")).map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<&str> = ours.iter().map(|line| line["message"].as_str().unwrap()).collect();
    for what in ["was accepted", "was stored", "came over the bus", "was written to a socket"] {
        assert!(said.contains(&format!("a traced message {what}").as_str()), "{what}: {said:?}");
    }
    assert!(ours.iter().all(|line| line["trace_id"] == TRACE && line["message_id"] == id), "{ours:#?}");
    assert!(!text.contains("a secret"), "no text of a message in the log, however much is logged");
}

/// What is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Sends by REST with these headers; answers the message.
async fn post(cluster: &Cluster, traceparents: &[&str], key: &str) -> Value {
    let url = format!("http://{}/api/v1/messages", cluster.nodes[0].address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url).bearer_auth(token("ann")).header("content-type", "application/json");
    for value in traceparents {
        request = request.header("traceparent", *value);
    }
    let body = json!({ "to": "bob", "key": key, "text": "-" }).to_string();
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}
