//! Receipts and unread counts: the same for everybody and on all devices, live and after a return.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::model::ConversationId;
use tokio::time::{Instant, timeout};

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token};

macro_rules! over_every_ground {
    ($($rule:ident),+ $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::local(3).await).await; })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::redis(3).await).await; })+
        }
    };
}

over_every_ground!(
    receipts_reach_the_other_side_live_and_after_a_return,
    what_one_device_reads_is_read_on_all_within_a_second,
    rival_marks_leave_the_highest,
    a_client_that_did_not_read_is_told_how_things_stand,
);

fn direct(one: &str, other: &str) -> String {
    ConversationId::direct(&one.parse().unwrap(), &other.parse().unwrap()).to_string()
}

/// Reads until somebody has read that far; answers the receipt.
async fn has_read(client: &mut Client, user: &str, seq: u64) -> Value {
    loop {
        let receipt = client.expect("receipt").await;
        if receipt["user"] == user && receipt["read"].as_u64().unwrap() >= seq {
            return receipt;
        }
    }
}

async fn ask(client: &mut Client, frame: Value, answer: &str) -> Value {
    client.say(frame).await;
    client.expect(answer).await
}

async fn receipts_reach_the_other_side_live_and_after_a_return(cluster: Cluster) {
    let at = |node: usize| cluster.nodes[node].address();
    let talk = direct("ann", "bob");
    let mut ann = Client::hello(at(0), "ann").await;
    let mut bob = Client::hello(at(1), "bob").await;
    for n in 1..=4 {
        ann.tell("bob", &n.to_string(), "hello").await;
    }
    bob.see(4).await;
    bob.say(json!({ "type": "read", "conversation": talk, "seq": 2 })).await;
    let live = has_read(&mut ann, "bob", 2).await;
    assert_eq!((&live["read"], &live["delivered"]), (&json!(2), &json!(2)));
    ask(&mut ann, json!({ "type": "ping" }), "pong").await;
    let left = ann;
    bob.say(json!({ "type": "delivered", "conversation": talk, "seq": 4 })).await;
    bob.say(json!({ "type": "read", "conversation": talk, "seq": 3 })).await;
    has_read(&mut bob, "bob", 3).await;

    let mut back = Client::resume(at(2), "ann", &left, |_| true).await;
    let receipt = has_read(&mut back, "bob", 3).await;
    assert_eq!((&receipt["conversation"], &receipt["delivered"]), (&json!(talk), &json!(4)));
    let mut by_frame = Client::hello(at(1), "ann").await;
    let resumed = ask(&mut by_frame, json!({ "type": "resume", "cursors": { &talk: 4 } }), "resumed").await;
    assert_eq!(resumed["continued"], 1);
    has_read(&mut by_frame, "bob", 3).await;
    // Whoever is no member learns nothing by naming it.
    let mut eve = Client::hello(at(1), "eve").await;
    eve.say(json!({ "type": "resume", "cursors": { &talk: 0 } })).await;
    eve.say(json!({ "type": "receipts", "conversation": talk })).await;
    eve.say(json!({ "type": "ping" })).await;
    loop {
        let frame = eve.next().await.unwrap();
        if frame["type"] == "pong" {
            break;
        }
        assert!(frame["type"] == "resumed" || frame["code"] == "forbidden", "{frame}");
    }

    let asked = ask(&mut back, json!({ "type": "receipts", "conversation": talk }), "receipts").await;
    let cursors = json!([
        { "user": "ann", "read": 0, "delivered": 0 }, { "user": "bob", "read": 3, "delivered": 4 },
    ]);
    assert_eq!(asked["cursors"], cursors);
    let list = ask(&mut back, json!({ "type": "conversations" }), "conversations").await;
    let members = json!([
        { "user": "ann", "name": "ann", "read": 0, "delivered": 0, "online": true },
        { "user": "bob", "name": "bob", "read": 3, "delivered": 4, "online": true },
    ]);
    assert_eq!(list["conversations"][0]["members"], members);
}

async fn what_one_device_reads_is_read_on_all_within_a_second(cluster: Cluster) {
    const AT_ONCE: Duration = Duration::from_secs(1);
    let at = |node: usize| cluster.nodes[node].address();
    let talk = direct("ann", "bob");
    let http = reqwest::Client::new();
    let rest = async |node: usize, read: Option<u64>| {
        let base = format!("http://{}/api/v1", at(node));
        let request = match read {
            Some(seq) => http
                .post(format!("{base}/conversations/{talk}/read"))
                .header("content-type", "application/json")
                .body(json!({ "seq": seq }).to_string()),
            None => http.get(format!("{base}/unread")),
        };
        let answer = request.bearer_auth(token("bob")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()
    };
    let mut ann = Client::hello(at(0), "ann").await;
    let (mut laptop, mut phone) = (Client::hello(at(1), "bob").await, Client::hello(at(2), "bob").await);
    for n in 1..=6 {
        ann.tell("bob", &n.to_string(), "hello").await;
    }
    laptop.see(6).await;
    phone.see(6).await;
    let counts = async |device: &mut Client, expected: u64| {
        let unread = ask(device, json!({ "type": "unread" }), "unread").await;
        let by_talk = if expected == 0 { json!({}) } else { json!({ &talk: expected }) };
        assert_eq!(
            (&unread["total"], &unread["conversations"], &unread["more"]),
            (&json!(expected), &by_talk, &json!(false))
        );
        assert_eq!(rest(0, None).await["total"], expected);
    };
    counts(&mut laptop, 6).await;

    let began = Instant::now();
    laptop.say(json!({ "type": "read", "conversation": talk, "seq": 2 })).await;
    timeout(AT_ONCE, has_read(&mut phone, "bob", 2)).await.expect("the phone was not told in time");
    counts(&mut phone, 4).await;
    assert!(began.elapsed() < 3 * AT_ONCE);
    rest(1, Some(3)).await;
    for device in [&mut laptop, &mut phone] {
        timeout(AT_ONCE, has_read(device, "bob", 3)).await.expect("a device was not told in time");
        counts(device, 3).await;
    }
    // What one device writes is on the other, and is not unread to its writer.
    phone.tell("ann", "mine", "from the phone").await;
    assert_eq!(laptop.expect("message").await["key"], "mine");
    counts(&mut laptop, 3).await;

    ask(&mut phone, json!({ "type": "ping" }), "pong").await;
    let away = phone;
    laptop.say(json!({ "type": "read", "conversation": talk })).await;
    has_read(&mut laptop, "bob", 7).await;
    let mut phone = Client::resume(at(0), "bob", &away, |_| true).await;
    timeout(AT_ONCE, has_read(&mut phone, "bob", 7)).await.expect("the phone was not told when it came back");
    counts(&mut phone, 0).await;
    counts(&mut laptop, 0).await;
}

async fn rival_marks_leave_the_highest(cluster: Cluster) {
    const MESSAGES: u64 = 60;
    let at = |node: usize| cluster.nodes[node].address();
    let talk = direct("ann", "bob");
    let mut ann = Client::hello(at(0), "ann").await;
    for n in 0..MESSAGES {
        ann.send("bob", &n.to_string(), "hello").await;
    }
    ann.see(60).await;
    let mark = async |node: usize| {
        let mut device = Client::hello(at(node), "bob").await;
        for n in 1..=20 {
            let seq = (n * 37 + 19 * node as u64) % MESSAGES + 1;
            let kind = if n % 3 == 0 { "delivered" } else { "read" };
            device.say(json!({ "type": kind, "conversation": talk, "seq": seq })).await;
            // The others' receipts come between, too: wherever they stand, none may be below one's own mark for ever.
            loop {
                let receipt = device.expect("receipt").await;
                let reached = if kind == "read" { &receipt["read"] } else { &receipt["delivered"] };
                if reached.as_u64().unwrap() >= seq {
                    break;
                }
            }
        }
    };
    tokio::join!(mark(0), mark(1), mark(2));
    let marks = (0..3_u64).flat_map(|node| (1..=20).map(move |n| (n, (n * 37 + 19 * node) % MESSAGES + 1)));
    let highest_read = marks.clone().filter(|(n, _)| n % 3 != 0).map(|(_, seq)| seq).max().unwrap();
    let highest = marks.map(|(_, seq)| seq).max().unwrap();
    let mut bob = Client::hello(at(1), "bob").await;
    let asked = ask(&mut bob, json!({ "type": "receipts", "conversation": talk }), "receipts").await;
    assert_eq!(asked["cursors"][1], json!({ "user": "bob", "read": highest_read, "delivered": highest }));
    has_read(&mut ann, "bob", highest_read).await;
}

async fn a_client_that_did_not_read_is_told_how_things_stand(cluster: Cluster) {
    const MESSAGES: u64 = 2_000;
    let talk = direct("ann", "bob");
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    bob.tell("ann", "first", "hello").await;
    let text = "x".repeat(1_000);
    for n in 0..MESSAGES {
        ann.send("bob", &n.to_string(), &text).await;
        if n % 50 == 49 {
            ann.see(usize::try_from(n).unwrap() + 1).await;
        }
    }
    // Bob reads nothing: what he is told now finds no room.
    ann.say(json!({ "type": "read", "conversation": talk, "seq": 1 })).await;
    has_read(&mut ann, "ann", 1).await;
    ann.say(json!({ "type": "read", "conversation": talk, "seq": 2 })).await;
    has_read(&mut ann, "ann", 2).await;
    bob.see(usize::try_from(MESSAGES).unwrap() + 1).await;
    bob.assert_whole(MESSAGES + 1);
    let receipt = has_read(&mut bob, "ann", 2).await;
    assert_eq!(receipt["conversation"], talk);
}
