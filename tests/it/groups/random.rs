//! Random changes of a group, messages, reconnections and lost publications, against what the messages themselves say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use switchboard::bus::local::LocalHub;
use switchboard::bus::{Bus, Hearing};
use switchboard::model::{NodeId, UserId};
use tokio::sync::mpsc;

use super::{create, history};
use crate::support::client::Client;
use crate::support::cluster::Cluster;

/// Numbers that look like chance and can be had again.
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        let mut bits = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % bound
    }
}

/// A bus that loses a third of what is published, while it is bad.
struct Lossy<B> {
    bus: B,
    dice: Arc<Dice>,
    bad: Arc<AtomicBool>,
}

#[async_trait]
impl<B: Bus> Bus for Lossy<B> {
    async fn publish(&self, user: &UserId, payload: Bytes) {
        if !self.bad.load(Ordering::Relaxed) || self.dice.below(3) > 0 {
            self.bus.publish(user, payload).await;
        }
    }
    async fn subscribe(&self, user: &UserId) {
        self.bus.subscribe(user).await;
    }
    async fn unsubscribe(&self, user: &UserId) {
        self.bus.unsubscribe(user).await;
    }
    async fn broadcast(&self, frame: Bytes) {
        self.bus.broadcast(frame).await;
    }
    async fn send(&self, to: NodeId, frame: Bytes) {
        self.bus.send(to, frame).await;
    }
    async fn listen(&self, node: NodeId) -> mpsc::Receiver<Bytes> {
        self.bus.listen(node).await
    }
    fn hearing(&self) -> Hearing {
        self.bus.hearing()
    }
}

const PEOPLE: [&str; 4] = ["u0", "u1", "u2", "u3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_ever_shown_what_is_not_theirs() {
    for seed in 1..=6 {
        play(seed).await;
    }
}

async fn play(seed: u64) {
    let dice = Arc::new(Dice(AtomicU64::new(seed)));
    let bad = Arc::new(AtomicBool::new(true));
    let hub = LocalHub::default();
    let buses = (0..2).map(|_| {
        let (bus, events) = hub.join();
        let bus: Arc<dyn Bus> = Arc::new(Lossy { bus, dice: dice.clone(), bad: bad.clone() });
        (bus, events)
    });
    let cluster = Cluster::over(buses.collect()).await;
    let any_node = || cluster.nodes[usize::try_from(dice.below(2)).unwrap()].address();

    let mut ann = Client::hello(any_node(), "ann").await;
    let group = create(&mut ann, &["u0", "u1"], false).await;
    let mut devices = Vec::new();
    for user in PEOPLE {
        devices.push(Client::hello(any_node(), user).await);
    }
    let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for step in 0..60 {
        let who = usize::try_from(dice.below(4)).unwrap();
        let user = PEOPLE[who];
        let key = format!("k{step}");
        let on = |action: &str| json!({ "type": "group", "action": action, "key": key, "conversation": group, "user": user });
        match dice.below(10) {
            0..=2 => ann.say(on("add")).await,
            3 => ann.say(on("remove")).await,
            4 => devices[who].say(on("leave")).await,
            5 => {
                // Comes back somewhere else, sometimes without saying where it was.
                take(&mut devices[who], seen.entry(user).or_default(), &group).await;
                devices[who].say(json!({ "type": "ping" })).await;
                until_pong(&mut devices[who]).await;
                take(&mut devices[who], seen.entry(user).or_default(), &group).await;
                let names = dice.below(2) == 0;
                devices[who] = Client::resume_leniently(any_node(), user, &devices[who], |_| names).await;
            }
            6 => drop(read_history(&mut devices[who], &group).await),
            _ => {
                let text = json!({ "type": "send", "conversation": group, "key": key, "text": key });
                if dice.below(2) == 0 { ann.say(text).await } else { devices[who].say(text).await }
            }
        }
        if dice.below(3) == 0 {
            while ann.within(Duration::from_millis(5)).await.is_some() {}
        }
    }
    // From here on nothing is lost: whoever is in it is told everything.
    ann.say(json!({ "type": "ping" })).await;
    until_pong(&mut ann).await;
    bad.store(false, Ordering::Relaxed);
    let mut last = 0;
    for step in 0..3 {
        ann.say(json!({ "type": "send", "conversation": group, "key": format!("end{step}"), "text": "end" })).await;
        loop {
            let frame = ann.next().await.unwrap();
            if frame["type"] == "sent" && frame["key"] == format!("end{step}") {
                last = frame["seq"].as_u64().unwrap();
                break;
            }
        }
    }
    let log = whole_log(&mut ann, &group).await;
    assert_eq!(log.len() as u64, last, "seed {seed}");
    for (user, device) in PEOPLE.into_iter().zip(&mut devices) {
        let terms = terms(&log, user);
        let now = terms.last().copied().filter(|(_, left)| left.is_none());
        if now.is_some() {
            let told = async {
                while !device.shown.get(&group).is_some_and(|shown| shown.contains(&last)) {
                    device.next().await.expect("the connection ended");
                }
            };
            let told = tokio::time::timeout(Duration::from_secs(70), told).await;
            assert!(told.is_ok(), "seed {seed}: {user} is in it and was not told {last}: {:?}", device.shown);
        } else {
            device.say(json!({ "type": "ping" })).await;
            until_pong(device).await;
        }
        let places = device.shown.get(&group).cloned().unwrap_or_default();
        let shown = seen.entry(user).or_default();
        shown.extend(places);
        for seq in shown.iter() {
            let is_theirs = terms.iter().any(|(joined, left)| seq >= joined && left.is_none_or(|left| *seq <= left));
            assert!(is_theirs, "seed {seed}: {user} was shown {seq}, and was in it {terms:?}: {log:?}");
        }
        if let Some((joined, _)) = now {
            assert_eq!(history(device, &group).await, (joined..=last).collect::<Vec<_>>(), "seed {seed}: {user}");
        }
    }
}

/// Takes note of what was shown.
async fn take(device: &mut Client, seen: &mut BTreeSet<u64>, group: &str) {
    while device.within(Duration::from_millis(5)).await.is_some() {}
    seen.extend(device.shown.get(group).into_iter().flatten());
}

async fn until_pong(client: &mut Client) {
    while client.next().await.expect("the connection ended")["type"] != "pong" {}
}

/// What somebody may read now. That, too, must be theirs; it is judged by the places that clients note.
async fn read_history(client: &mut Client, group: &str) -> Value {
    client.say(json!({ "type": "history", "conversation": group })).await;
    loop {
        let frame = client.next().await.expect("the connection ended");
        if frame["type"] == "history" || (frame["type"] == "error" && frame.get("key").is_none()) {
            let places =
                frame["messages"].as_array().into_iter().flatten().map(|message| message["seq"].as_u64().unwrap());
            let read: Vec<u64> = places.collect();
            client.shown.entry(group.to_owned()).or_default().extend(read);
            return frame;
        }
    }
}

/// The kinds and people of all messages, as the owner, who is always there, reads them.
async fn whole_log(ann: &mut Client, group: &str) -> Vec<(String, String)> {
    let mut log = Vec::new();
    loop {
        ann.say(json!({ "type": "history", "conversation": group, "after": log.len(), "limit": 100 })).await;
        let page = ann.expect("history").await;
        for message in page["messages"].as_array().unwrap() {
            assert_eq!(message["seq"], log.len() as u64 + 1);
            let event = &message["event"];
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            log.push((text("kind"), text("user")));
        }
        if page["more"] == false {
            return log;
        }
    }
}

/// When somebody was in it: from where to where.
fn terms(log: &[(String, String)], user: &str) -> Vec<(u64, Option<u64>)> {
    let mut terms: Vec<(u64, Option<u64>)> = if ["u0", "u1"].contains(&user) { vec![(1, None)] } else { Vec::new() };
    for ((kind, whom), seq) in log.iter().zip(1..) {
        let is_in = terms.last().is_some_and(|(_, left)| left.is_none());
        match kind.as_str() {
            "added" if whom == user => {
                assert!(!is_in, "added twice at {seq}");
                terms.push((seq, None));
            }
            "removed" | "left" if whom == user => {
                assert!(is_in, "put out twice at {seq}");
                if let Some(term) = terms.last_mut() {
                    term.1 = Some(seq);
                }
            }
            _ => {}
        }
    }
    terms
}
