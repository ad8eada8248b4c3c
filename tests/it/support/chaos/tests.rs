//! The proxy before a real Redis.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Chaos;
use crate::support::ports::free_port;
use crate::support::resp::{self, Values};
use crate::support::services::{Redis, RedisCluster};

/// Long enough for a busy machine to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Long enough to believe that nothing comes.
const SILENCE: Duration = Duration::from_millis(300);

/// A Redis client that shows every value as it comes.
struct Raw {
    stream: TcpStream,
    values: Values,
}

impl Raw {
    async fn connect(port: u16) -> std::io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(("127.0.0.1", port)).await?, values: Values::default() })
    }

    async fn send(&mut self, words: &[&str]) {
        self.stream.write_all(&resp::command(words)).await.unwrap();
    }

    /// The next value as text, or how the connection ended.
    async fn read(&mut self) -> Result<String, std::io::ErrorKind> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(value) = self.values.next().unwrap() {
                return Ok(resp::readable(&value).unwrap().replace('\n', " "));
            }
            match self.stream.read(&mut chunk).await {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof),
                Ok(length) => self.values.push(&chunk[..length]),
                Err(error) => return Err(error.kind()),
            }
        }
    }

    async fn next(&mut self) -> String {
        timeout(ANSWER, self.read()).await.expect("an answer in time").expect("a connection that stays")
    }

    async fn ask(&mut self, words: &[&str]) -> String {
        self.send(words).await;
        self.next().await
    }

    async fn is_silent(&mut self) -> bool {
        timeout(SILENCE, self.read()).await.is_err()
    }

    async fn subscribed(port: u16, protocol: &str, channels: &[&str]) -> Self {
        let mut raw = Self::connect(port).await.unwrap();
        raw.ask(&["HELLO", protocol]).await;
        raw.send(&[&["SUBSCRIBE"], channels].concat()).await;
        for channel in channels {
            assert!(raw.next().await.starts_with(&format!("subscribe {channel} ")));
        }
        raw
    }
}

async fn publish(redis: &Redis, channel: &str, texts: &[&str]) {
    for text in texts {
        redis.cli(&["PUBLISH", channel, text]).await;
    }
}

#[tokio::test]
async fn a_healthy_proxy_changes_nothing() {
    let redis = Redis::start().await;
    let big = "x".repeat(3_000_000);
    for chaos in [Chaos::before(redis.port()).await, Chaos::before_redis(redis.port()).await] {
        let mut raw = Raw::connect(chaos.port()).await.unwrap();
        assert_eq!(raw.ask(&["SET", "big", &big]).await, "OK");
        assert!(raw.ask(&["GET", "big"]).await == big, "3 MB come back as they went");
        raw.stream.write_all(b"PING\r\n").await.unwrap();
        assert_eq!(raw.next().await, "PONG", "typed by hand");
    }
}

#[tokio::test]
async fn a_cut_resets_connections_and_lets_new_ones_in() {
    let redis = Redis::start().await;
    let chaos = Chaos::before(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    chaos.cut().await;
    assert_eq!(raw.read().await, Err(std::io::ErrorKind::ConnectionReset));
    let mut again = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(again.ask(&["PING"]).await, "PONG");
    let connections = async || redis.cli(&["CLIENT", "LIST"]).await.lines().count();
    let only_the_new_one_and_the_asker = async {
        while connections().await != 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(ANSWER, only_the_new_one_and_the_asker).await.expect("the server's side of the cut one is gone");
}

#[tokio::test]
async fn a_hang_up_ends_connections_politely() {
    let redis = Redis::start().await;
    let chaos = Chaos::before(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    chaos.hang_up().await;
    assert_eq!(raw.read().await, Err(std::io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn refused_is_refused_until_it_heals() {
    let redis = Redis::start().await;
    let chaos = Chaos::before(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    chaos.refuse().await;
    assert_eq!(raw.read().await, Err(std::io::ErrorKind::ConnectionReset));
    let refused = TcpStream::connect(("127.0.0.1", chaos.port())).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    chaos.heal().await;
    assert_eq!(Raw::connect(chaos.port()).await.unwrap().ask(&["PING"]).await, "PONG");
}

#[tokio::test]
async fn a_stall_is_silent_and_loses_nothing() {
    let redis = Redis::start().await;
    let chaos = Chaos::before_redis(redis.port()).await;
    let mut subscriber = Raw::subscribed(chaos.port(), "2", &["news"]).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    chaos.stall().await;
    let mut late = Raw::connect(chaos.port()).await.expect("a partition does not refuse");
    raw.send(&["SET", "a", "1"]).await;
    late.send(&["PING"]).await;
    publish(&redis, "news", &["one"]).await;
    assert!(raw.is_silent().await && late.is_silent().await && subscriber.is_silent().await);
    assert_eq!(redis.cli(&["EXISTS", "a"]).await, "0", "nothing reached the server");
    chaos.heal().await;
    assert_eq!(raw.next().await, "OK");
    assert_eq!(late.next().await, "PONG");
    assert_eq!(subscriber.next().await, "message news one");
}

#[tokio::test]
async fn a_stalled_connection_can_be_cut() {
    let redis = Redis::start().await;
    let chaos = Chaos::before(redis.port()).await;
    chaos.stall().await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    raw.send(&["PING"]).await;
    assert!(raw.is_silent().await);
    chaos.cut().await;
    assert_eq!(raw.read().await, Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_delay_is_latency_and_not_a_narrow_pipe() {
    let redis = Redis::start().await;
    let chaos = Chaos::before_redis(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    chaos.delay(Duration::from_millis(200)).await;
    let start = Instant::now();
    for _ in 0..50 {
        raw.send(&["PING"]).await;
    }
    for _ in 0..50 {
        assert_eq!(raw.next().await, "PONG");
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(400), "there and back in {took:?}");
    assert!(took < Duration::from_secs(8), "fifty one after the other would take 20 s; these took {took:?}");
}

#[tokio::test]
async fn a_dead_server_drops_the_client() {
    let chaos = Chaos::before(free_port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert!(timeout(ANSWER, raw.read()).await.expect("an end in time").is_err());
}

#[tokio::test]
async fn a_server_that_is_killed_and_back_is_reached_again() {
    let redis = Redis::start().await;
    let chaos = Chaos::before(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    redis.kill();
    assert!(timeout(ANSWER, raw.read()).await.expect("the end is passed on").is_err());
    redis.start_again().await;
    assert_eq!(Raw::connect(chaos.port()).await.unwrap().ask(&["PING"]).await, "PONG");
}

#[tokio::test]
async fn a_dropped_proxy_drops_its_connections() {
    let redis = Redis::start().await;
    let chaos = Chaos::before(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    assert_eq!(raw.ask(&["PING"]).await, "PONG");
    drop(chaos);
    assert!(timeout(ANSWER, raw.read()).await.expect("an end in time").is_err());
}

#[tokio::test]
async fn messages_are_swallowed_by_channel_and_count_in_both_protocols() {
    let redis = Redis::start().await;
    let chaos = Chaos::before_redis(redis.port()).await;
    for protocol in ["2", "3"] {
        let mut raw = Raw::subscribed(chaos.port(), protocol, &["user:42", "user:7"]).await;
        let mut fault = chaos.swallow_messages("42", 2);
        publish(&redis, "user:42", &["one"]).await;
        publish(&redis, "user:7", &["other"]).await;
        publish(&redis, "user:42", &["two", "three"]).await;
        fault.done().await;
        assert_eq!(raw.next().await, "message user:7 other");
        assert_eq!(raw.next().await, "message user:42 three");
        assert!(raw.is_silent().await);
    }
}

#[tokio::test]
async fn messages_are_duplicated_and_swapped() {
    let redis = Redis::start().await;
    let chaos = Chaos::before_redis(redis.port()).await;
    let mut raw = Raw::subscribed(chaos.port(), "3", &["a", "b"]).await;
    let mut twice = chaos.duplicate_messages("a", 1);
    publish(&redis, "a", &["1", "2"]).await;
    twice.done().await;
    for text in ["1", "1", "2"] {
        assert_eq!(raw.next().await, format!("message a {text}"));
    }
    let mut swapped = chaos.swap_messages("a", 2);
    publish(&redis, "a", &["3"]).await;
    publish(&redis, "b", &["passes by"]).await;
    publish(&redis, "a", &["4", "5", "6", "7"]).await;
    swapped.done().await;
    for expected in ["b passes by", "a 4", "a 3", "a 6", "a 5", "a 7"] {
        assert_eq!(raw.next().await, format!("message {expected}"));
    }
}

#[tokio::test]
async fn one_channel_of_a_subscribe_is_swallowed_and_the_others_arrive() {
    let redis = Redis::start().await;
    let chaos = Chaos::before_redis(redis.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    let mut fault = chaos.swallow_subscribe("user:2", 2);
    raw.send(&["subscribe", "user:1", "user:2", "user:3"]).await;
    assert_eq!(raw.next().await, "subscribe user:1 1");
    assert_eq!(raw.next().await, "subscribe user:3 2");
    assert_eq!(fault.left(), 1);
    raw.send(&["SUBSCRIBE", "user:2"]).await;
    fault.done().await;
    assert!(raw.is_silent().await, "a command of which nothing is left has no answer");
    assert_eq!(redis.cli(&["PUBSUB", "NUMSUB", "user:2"]).await, "user:2\n0");
    raw.send(&["SUBSCRIBE", "user:2"]).await;
    assert_eq!(raw.next().await, "subscribe user:2 3", "the third time it passes");
}

#[tokio::test]
async fn sharded_channels_of_a_cluster_are_handled_too() {
    let cluster = RedisCluster::start().await;
    let slot: usize = cluster.nodes()[0].cli(&["CLUSTER", "KEYSLOT", "news"]).await.parse().unwrap();
    let owner = &cluster.nodes()[slot * 3 / 16_384];
    let chaos = Chaos::before_redis(owner.port()).await;
    let mut raw = Raw::connect(chaos.port()).await.unwrap();
    let mut lost = chaos.swallow_subscribe("news", 1);
    raw.send(&["SSUBSCRIBE", "news"]).await;
    lost.done().await;
    assert_eq!(raw.ask(&["SSUBSCRIBE", "news"]).await, "ssubscribe news 1");
    let mut swallowed = chaos.swallow_messages("news", 1);
    owner.cli(&["SPUBLISH", "news", "one"]).await;
    owner.cli(&["SPUBLISH", "news", "two"]).await;
    swallowed.done().await;
    assert_eq!(raw.next().await, "smessage news two");
}

#[tokio::test]
async fn healing_forgets_faults_that_did_not_happen() {
    let redis = Redis::start().await;
    let chaos = Chaos::before_redis(redis.port()).await;
    let mut raw = Raw::subscribed(chaos.port(), "2", &["news"]).await;
    let fault = chaos.swallow_messages("news", 5);
    chaos.heal().await;
    publish(&redis, "news", &["one"]).await;
    assert_eq!(raw.next().await, "message news one");
    assert_eq!(fault.left(), 5);
}

#[tokio::test]
#[should_panic(expected = "before_redis")]
async fn a_plain_proxy_does_not_pretend_to_read_messages() {
    Chaos::before(free_port()).await.swallow_messages("news", 1);
}
