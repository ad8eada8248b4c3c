//! The native door from outside: greetings, refusals, closes, and a client that does not read.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token, token_for};

#[tokio::test]
async fn whoever_says_nothing_is_closed_with_4408() {
    let cluster = Cluster::local(1).await;
    let mut client = Client::silent(cluster.nodes[0].address()).await;
    assert_eq!(client.closed().await, Some(4408));
}

#[tokio::test]
async fn a_token_that_does_not_count_is_told_and_closed_with_4401() {
    let cluster = Cluster::local(1).await;
    for (token, code) in [
        ("nonsense".to_owned(), "unauthorized"),
        (String::new(), "unauthorized"),
        (format!("{}x", token("ann")), "unauthorized"),
    ] {
        let mut client = Client::silent(cluster.nodes[0].address()).await;
        client.say(json!({ "type": "hello", "token": token })).await;
        assert_eq!(client.next().await.unwrap()["code"], code);
        assert_eq!(client.closed().await, Some(4401));
    }
}

#[tokio::test]
async fn an_expired_token_ends_the_connection_unless_it_is_refreshed_by_its_user() {
    let cluster = Cluster::local(1).await;
    let address = cluster.nodes[0].address();
    let short = Duration::from_secs(2);
    let greet = async |user: &str| {
        let mut client = Client::silent(address).await;
        client.say(json!({ "type": "hello", "token": token_for(user, short) })).await;
        client.expect("welcome").await;
        client
    };
    let (mut lapsing, mut staying, mut turning) = (greet("ann").await, greet("bob").await, greet("cid").await);
    staying.say(json!({ "type": "refresh", "token": token("bob") })).await;
    staying.expect("refreshed").await;
    turning.say(json!({ "type": "refresh", "token": token("eve") })).await;
    assert_eq!(turning.next().await.unwrap()["code"], "forbidden");
    assert_eq!(turning.closed().await, Some(4403));
    assert_eq!(lapsing.closed().await, Some(4401), "two seconds, and five of leeway");
    staying.say(json!({ "type": "ping" })).await;
    staying.expect("pong").await;
}

#[tokio::test]
async fn bad_frames_are_answered_and_the_socket_survives_them() {
    let cluster = Cluster::local(1).await;
    let mut client = Client::hello(cluster.nodes[0].address(), "ann").await;
    let long = "x".repeat(16 * 1024 + 1);
    for (frame, code) in [
        ("".to_owned(), "bad_frame"),
        ("{".to_owned(), "bad_frame"),
        ("[]".to_owned(), "bad_frame"),
        (r#"{"type":"unheard-of"}"#.to_owned(), "bad_frame"),
        (r#"{"type":"send","to":"b c","key":"1","text":"x"}"#.to_owned(), "bad_frame"),
        (r#"{"type":"send","to":"bob","key":"","text":"x"}"#.to_owned(), "bad_frame"),
        (r#"{"type":"send","key":"1","text":"x"}"#.to_owned(), "invalid"),
        (r#"{"type":"send","to":"bob","key":"1","text":""}"#.to_owned(), "invalid"),
        (json!({ "type": "send", "to": "bob", "key": "1", "text": long }).to_string(), "invalid"),
        (r#"{"type":"hello","token":"again"}"#.to_owned(), "not_hello"),
        (r#"{"type":"conversations","behind":"the moon"}"#.to_owned(), "invalid"),
        (r#"{"type":"refresh","token":"nonsense"}"#.to_owned(), "unauthorized"),
    ] {
        client.say_raw(Message::text(frame.clone())).await;
        let answer = client.next().await.unwrap();
        assert_eq!(answer["code"], code, "{frame} {answer}");
    }
    client.tell("bob", "1", "still here").await;
    for _ in 0..20 {
        client.say_raw(Message::text("?")).await;
    }
    assert_eq!(client.closed().await, Some(1008), "enough is enough");
}

#[tokio::test]
async fn the_wrong_kind_of_frame_and_one_too_big_are_closed() {
    let cluster = Cluster::local(1).await;
    let address = cluster.nodes[0].address();
    let mut client = Client::hello(address, "ann").await;
    client.say_raw(Message::binary(vec![0x80])).await;
    assert_eq!(client.closed().await, Some(1003));
    let mut client = Client::hello(address, "ann").await;
    client.say_raw(Message::text("x".repeat(65_537))).await;
    assert_eq!(client.closed().await, Some(1009));
    let mut client = Client::silent(address).await;
    client.say_raw(Message::text("x".repeat(9_000))).await;
    assert_eq!(client.closed().await, Some(1009), "before hello, less is too much");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_gets_everything_when_it_reads_again() {
    const MESSAGES: u64 = 3_000;
    let cluster = Cluster::local(2).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let text = "x".repeat(1_000);
    for n in 0..MESSAGES {
        ann.send("bob", &format!("{n}"), &text).await;
        if n % 50 == 49 {
            ann.see(usize::try_from(n).unwrap() + 1).await;
        }
    }
    bob.see(usize::try_from(MESSAGES).unwrap()).await;
    bob.assert_whole(MESSAGES);
    ann.tell("bob", "live", "again").await;
    bob.see(usize::try_from(MESSAGES).unwrap() + 1).await;
    bob.assert_whole(MESSAGES + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_fails_no_send_and_asks_everybody_to_reconnect() {
    let mut cluster = Cluster::local(2).await;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[0].address(), "bob").await;
    for n in 0..200 {
        ann.send("bob", &format!("{n}"), "going?").await;
    }
    ann.see(1).await;
    let leaving = cluster.nodes.remove(0);
    let drained = tokio::spawn(leaving.drain());
    ann.expect("reconnect").await;
    assert_eq!(ann.closed().await, Some(1012));
    bob.expect("reconnect").await;
    assert_eq!(bob.closed().await, Some(1012));
    assert!(drained.await.unwrap(), "in time");
    let talk = ann.shown.keys().next().unwrap().clone();
    let answered = ann.shown[&talk].len();

    let mut bob = Client::resume(cluster.nodes[0].address(), "bob", &bob, |_| true).await;
    let mut ann = Client::resume(cluster.nodes[0].address(), "ann", &ann, |_| true).await;
    for n in 0..200 {
        ann.tell("bob", &format!("{n}"), "going?").await;
    }
    ann.tell("bob", "the-end", "end").await;
    while bob.next().await.unwrap()["key"] != "the-end" {}
    ann.say(json!({ "type": "history", "conversation": talk, "limit": 1 })).await;
    let page = ann.expect("history").await;
    assert_eq!(page["messages"][0]["seq"], 201, "{answered} were answered before the drain, and none is doubled");
}
