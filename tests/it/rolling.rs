//! A real HAProxy before real gateways, of which one is told to leave while people write, and others come.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::support::client::Client;
use crate::support::gateway::Gateway;
use crate::support::services::{Mongo, Redis};
use crate::support::site::Site;

/// How many people write.
const WRITERS: usize = 12;
/// Pauses of those who write, and of those who come.
const PACE: Duration = Duration::from_millis(60);
/// Of the drain; a quarter of it is for HAProxy to notice, which takes it 1.5 s on an idle machine.
const DRAIN: &str = "DRAIN_SECONDS=12";
/// A send that waits longer for its answer has failed, for whoever waits.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// For the leaving one to end: its drain, and what a busy machine adds.
const END_WAIT: Duration = Duration::from_secs(18);

/// What became of somebody who wrote.
struct Written {
    client: Client,
    sent: u64,
    moves: u32,
    slowest: Duration,
}

/// Writes through the proxy until it is over, one message after the answer to the one before; goes on over a new connection
/// where one ends, as the protocol has it, with the same key.
async fn write(site: SocketAddr, user: String, to: String, over: watch::Receiver<bool>) -> Written {
    let client = Client::hello(site, &user).await;
    let mut written = Written { client, sent: 0, moves: 0, slowest: Duration::ZERO };
    while !*over.borrow() {
        let since = Instant::now();
        let send = json!({ "type": "send", "to": to, "key": written.sent.to_string(), "text": "going?" });
        while !(written.client.try_say(send.clone()).await && is_answered(&mut written.client).await) {
            written.client = Client::resume(site, &user, &written.client, |_| true).await;
            written.moves += 1;
        }
        written.sent += 1;
        written.slowest = written.slowest.max(since.elapsed());
        sleep(PACE).await;
    }
    written
}

/// Reads until the answer, or the end of the connection.
async fn is_answered(client: &mut Client) -> bool {
    while let Some(frame) = client.next().await {
        assert_ne!(frame["type"], "error", "a send is refused: {frame}");
        if frame["type"] == "sent" {
            return true;
        }
    }
    false
}

/// Comes, is welcomed, and goes, again and again: how often.
async fn come(site: SocketAddr, over: watch::Receiver<bool>) -> u32 {
    let mut times = 0;
    while !*over.borrow() {
        Client::hello(site, "visitor").await;
        times += 1;
        sleep(PACE).await;
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_nobody_waits_for_an_answer_when_a_gateway_leaves() {
    let directory = TempDir::new().unwrap();
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let start = || Gateway::start(directory.path(), &redis, &mongo, &[DRAIN, "TRUSTED_PROXIES=127.0.0.1"]);
    let (mut leaving, here, there) = tokio::join!(start(), start(), start());
    let site = Site::before(&[&leaving, &here, &there].map(|each| (each.address, each.ops))).await;
    let (end, over) = watch::channel(false);
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| write(site.address(), format!("w{n}"), format!("r{n}"), over.clone()))
        .map(tokio::spawn)
        .collect();
    let visitors = tokio::spawn(come(site.address(), over));

    sleep(Duration::from_secs(2)).await;
    leaving.process.signal(Signal::TERM);
    let ended = timeout(END_WAIT, async {
        loop {
            match leaving.process.ended() {
                Some(status) => break status,
                None => sleep(Duration::from_millis(50)).await,
            }
        }
    });
    let ended = ended.await.expect("it ends in time");
    assert_eq!(ended.code(), Some(0), "{}", leaving.process.log());
    sleep(Duration::from_secs(1)).await;
    end.send(true).unwrap();

    let mut moves = 0;
    for writer in writers {
        let mut written = writer.await.unwrap();
        assert!(written.slowest < ANSWER_WAIT, "somebody waited {:?}", written.slowest);
        moves += written.moves;
        let talk = written.client.shown.keys().next().unwrap().clone();
        written.client.say(json!({ "type": "history", "conversation": talk, "limit": 1 })).await;
        let page = written.client.expect("history").await;
        assert_eq!(page["messages"][0]["seq"], written.sent, "each is there, and none twice");
    }
    assert!(moves > 0, "somebody was on the gateway that left");
    assert!(visitors.await.unwrap() > 30, "others came all the while");
}
