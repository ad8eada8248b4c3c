//! Messages between nodes: one body of tests, over every bus and store.

use std::time::Duration;

use serde_json::json;
use switchboard::model::ConversationId;

use crate::support::client::Client;
use crate::support::cluster::Cluster;

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
        mod redis_cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::redis_cluster(3).await).await; })+
        }
    };
}

over_every_ground!(
    two_talk_across_nodes_and_every_device_sees_everything_once_in_order,
    a_key_is_one_message_on_any_node,
    a_client_that_returns_elsewhere_gets_exactly_what_it_missed,
    history_lists_and_receipts_agree_on_every_node,
    strangers_learn_nothing,
);

fn direct(one: &str, other: &str) -> String {
    ConversationId::direct(&one.parse().unwrap(), &other.parse().unwrap()).to_string()
}

async fn two_talk_across_nodes_and_every_device_sees_everything_once_in_order(cluster: Cluster) {
    const EACH: usize = 150;
    let at = |node: usize| cluster.nodes[node].address();
    let ann = Client::hello(at(0), "ann").await;
    let bob = Client::hello(at(1), "bob").await;
    let mut bobs_phone = Client::hello(at(2), "bob").await;
    let talk = |mut me: Client, other: &'static str| async move {
        for n in 0..EACH {
            me.send(other, &format!("{n}"), "hello").await;
        }
        me.see(2 * EACH).await;
        me
    };
    let (ann, bob) = tokio::join!(talk(ann, "bob"), talk(bob, "ann"));
    bobs_phone.see(2 * EACH).await;
    bobs_phone.assert_whole(2 * EACH as u64);
    for device in [ann, bob] {
        // A sender's own places come by `sent`, as answers: their order among themselves is the order of sending.
        let mut shown = device.shown.values().next().unwrap().clone();
        shown.sort_unstable();
        let damage: Vec<(u64, u64)> = (1..).zip(shown).filter(|(place, shown)| place != shown).take(3).collect();
        assert!(damage.is_empty(), "(place, shown there): {damage:?}");
    }
}

async fn a_key_is_one_message_on_any_node(cluster: Cluster) {
    let mut here = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut there = Client::hello(cluster.nodes[2].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let first = here.tell("bob", "the-key", "once").await;
    for client in [&mut here, &mut there] {
        assert_eq!(client.tell("bob", "the-key", "once").await, first);
    }
    let (one, other) = tokio::join!(here.tell("bob", "a-race", "x"), there.tell("bob", "a-race", "x"));
    assert_eq!(one, other, "two devices sent the same key at the same time");
    here.tell("bob", "the-last", "end").await;
    bob.see(3).await;
    bob.assert_whole(3);
    assert_eq!(bob.within(Duration::from_millis(300)).await, None, "nothing is shown twice");
}

async fn a_client_that_returns_elsewhere_gets_exactly_what_it_missed(cluster: Cluster) {
    let at = |node: usize| cluster.nodes[node].address();
    let mut ann = Client::hello(at(0), "ann").await;
    let mut cid = Client::hello(at(0), "cid").await;
    let mut bob = Client::hello(at(1), "bob").await;
    for n in 0..5 {
        ann.tell("bob", &format!("{n}"), "seen").await;
    }
    bob.see(5).await;
    bob.say(json!({ "type": "ping" })).await;
    bob.expect("pong").await;
    let left = bob;
    for n in 5..205 {
        ann.send("bob", &format!("{n}"), "missed").await;
    }
    ann.see(205).await;
    cid.tell("bob", "a-new-talk", "you do not know me").await;

    let mut back = Client::resume(at(2), "bob", &left, |_| true).await;
    back.see(201).await;
    assert_eq!(back.shown[&direct("ann", "bob")], (6..=205).collect::<Vec<u64>>());
    assert_eq!(back.shown[&direct("cid", "bob")], [1]);

    // The same without naming any conversation: `as_of` alone, with its margin, which repeats what is recent.
    let mut forgetful = Client::resume(at(0), "bob", &left, |_| false).await;
    forgetful.see(206).await;
    assert_eq!(forgetful.shown[&direct("ann", "bob")], (1..=205).collect::<Vec<u64>>());

    ann.tell("bob", "live-again", "hello").await;
    for device in [&mut back, &mut forgetful] {
        let message = device.expect("message").await;
        assert_eq!(message["seq"], 206, "{message}");
    }
}

async fn history_lists_and_receipts_agree_on_every_node(cluster: Cluster) {
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    for n in 1..=7 {
        ann.tell("bob", &format!("{n}"), &format!("message {n}")).await;
    }
    bob.see(7).await;
    let talk = direct("ann", "bob");

    bob.say(json!({ "type": "conversations" })).await;
    let list = bob.expect("conversations").await;
    assert_eq!(list["conversations"][0]["unread"], 7, "{list}");
    assert_eq!(list["conversations"][0]["last"]["text"], "message 7");

    bob.say(json!({ "type": "history", "conversation": talk, "limit": 3 })).await;
    let page = bob.expect("history").await;
    assert_eq!((&page["messages"][0]["seq"], &page["more"]), (&json!(5), &json!(true)), "{page}");
    bob.say(json!({ "type": "history", "conversation": talk, "before": 5 })).await;
    let page = bob.expect("history").await;
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["more"]), (4, &json!(false)));

    bob.say(json!({ "type": "read", "conversation": talk, "seq": 6 })).await;
    for device in [&mut ann, &mut bob] {
        let receipt = device.expect("receipt").await;
        assert_eq!((&receipt["user"], &receipt["read"], &receipt["delivered"]), (&json!("bob"), &json!(6), &json!(6)));
    }
    bob.say(json!({ "type": "read", "conversation": talk, "seq": 8 })).await;
    let refused = loop {
        let frame = bob.next().await.unwrap();
        if frame["type"] == "error" {
            break frame;
        }
    };
    assert_eq!(refused["code"], "invalid");
    let mut phone = Client::hello(cluster.nodes[2].address(), "bob").await;
    phone.say(json!({ "type": "conversations" })).await;
    let list = phone.expect("conversations").await;
    assert_eq!(list["conversations"][0]["unread"], 1, "{list}");
}

async fn strangers_learn_nothing(cluster: Cluster) {
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    ann.tell("bob", "1", "between us").await;
    let mut eve = Client::hello(cluster.nodes[1].address(), "eve").await;
    for conversation in [direct("ann", "bob"), direct("ann", "nobody")] {
        let mut answers = Vec::new();
        for frame in [
            json!({ "type": "history", "conversation": conversation }),
            json!({ "type": "read", "conversation": conversation, "seq": 1 }),
            json!({ "type": "send", "conversation": conversation, "key": "k", "text": "let me in" }),
            json!({ "type": "resume", "cursors": { &conversation: 0 } }),
        ] {
            eve.say(frame).await;
            let answer = loop {
                let frame = eve.next().await.unwrap();
                if frame["type"] == "error" {
                    break frame;
                }
            };
            answers.push((answer["code"].clone(), answer["message"].clone()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == "forbidden"), "{answers:?}");
    }
}
