//! Nodes behind a load balancer that deals requests as it likes: a session lives on one of them, and its requests come
//! to all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use switchboard::bus::local::LocalHub;
use switchboard::door::engineio::{Carrier, Relay, Settings};
use switchboard::model::NodeId;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Polling, Server, Socket, calm, client};

/// What carries frames between the nodes of a test; loses, doubles and holds back as it is told.
#[derive(Default)]
pub(crate) struct Wires {
    nodes: Mutex<HashMap<u64, Weak<Relay>>>,
    sent: AtomicUsize,
    /// Of so many frames, one is lost; 0 loses none.
    loses: AtomicUsize,
    /// Of so many frames, one comes twice, the second time late; 0 doubles none.
    doubles: AtomicUsize,
}

impl Wires {
    pub(crate) fn connect(&self, node: NodeId, relay: &Arc<Relay>) {
        self.nodes.lock().unwrap().insert(node.0, Arc::downgrade(relay));
    }

    fn cut(&self, node: u64) {
        self.nodes.lock().unwrap().remove(&node);
    }
}

impl Carrier for Wires {
    fn send(&self, to: NodeId, frame: Bytes) {
        let nth = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let is_nth = |of: &AtomicUsize| nth.checked_rem(of.load(Ordering::Relaxed)) == Some(0);
        let (is_lost, is_doubled) = (is_nth(&self.loses), is_nth(&self.doubles));
        let Some(relay) = self.nodes.lock().unwrap().get(&to.0).and_then(Weak::upgrade) else { return };
        tokio::spawn(async move {
            if !is_lost {
                relay.receive(&frame);
            }
            if is_doubled {
                sleep(Duration::from_millis(30)).await;
                relay.receive(&frame);
            }
        });
    }
}

struct Cluster {
    wires: Arc<Wires>,
    nodes: Vec<Server>,
}

impl Cluster {
    async fn start(nodes: usize) -> Self {
        Self::start_with(nodes, calm()).await
    }

    async fn start_with(count: usize, settings: Settings) -> Self {
        let wires = Arc::new(Wires::default());
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(Server::start_in(settings, Vec::new(), Some(&wires)).await);
        }
        Self { wires, nodes }
    }

    /// The same session, asked for through another node.
    fn through<'a>(&'a self, node: usize, session: &Polling<'_>) -> Polling<'a> {
        let Polling { path, sid, handshake, .. } = session;
        Polling { server: &self.nodes[node], path: path.clone(), sid: sid.clone(), handshake: handshake.clone() }
    }

    async fn assert_nothing_left(&self) {
        for _ in 0..400 {
            if self.nodes.iter().all(|node| node.sessions.is_empty()) {
                return;
            }
            sleep(Duration::from_millis(25)).await;
        }
        panic!("sessions were left");
    }
}

#[tokio::test]
async fn a_session_is_polled_through_any_node() {
    let cluster = Cluster::start(3).await;
    let session = cluster.nodes[0].open().await;
    for n in 0..30 {
        let body = format!("4{n}\u{1e}bAQ==\u{1e}4again {n}");
        assert_eq!(cluster.through(n % 3, &session).post(&body).await, (200, "ok".to_owned()));
        assert_eq!(cluster.through((n + 1) % 3, &session).poll().await, (200, body));
    }
    let elsewhere = cluster.through(1, &session);
    let (polled, posted) = tokio::join!(elsewhere.poll(), async {
        sleep(Duration::from_millis(700)).await; // longer than a request is left alone
        cluster.through(2, &session).post("4at last").await
    });
    assert_eq!((polled, posted.0), ((200, "4at last".to_owned()), 200));
    assert_eq!(cluster.through(2, &session).post("1").await.0, 200);
    elsewhere.assert_gone().await;
    cluster.assert_nothing_left().await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_though_frames_are() {
    let cluster = Cluster::start(3).await;
    let session = cluster.nodes[0].open().await;
    cluster.wires.loses.store(7, Ordering::Relaxed);
    cluster.wires.doubles.store(3, Ordering::Relaxed);
    let post_all = async {
        for n in 0..40 {
            assert_eq!(cluster.through(n % 3, &session).post(&format!("4{n}")).await.0, 200);
        }
    };
    let poll_all = async {
        let mut got = Vec::new();
        for at in 0.. {
            let (status, polled) = cluster.through(at % 3, &session).poll().await;
            assert_eq!(status, 200);
            got.extend(polled.split('\u{1e}').map(str::to_owned));
            if got.len() >= 40 {
                return got;
            }
        }
        unreachable!()
    };
    let ((), got) = tokio::join!(post_all, poll_all);
    assert_eq!(got, (0..40).map(|n| format!("4{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_rules_of_polling_hold_between_nodes() {
    let cluster = Cluster::start(2).await;
    let open = || cluster.nodes[0].open();

    let session = open().await;
    let second = async {
        sleep(Duration::from_millis(100)).await;
        session.poll().await
    };
    let elsewhere = cluster.through(1, &session);
    let (first, second) = tokio::join!(elsewhere.poll(), second);
    assert_eq!((first, second.0), ((200, "1".to_owned()), 400), "two polls at once");
    elsewhere.assert_gone().await;

    let session = open().await;
    let elsewhere = cluster.through(1, &session);
    let request = client().get(format!("http://{}{}", elsewhere.server.address, elsewhere.query("polling"))).send();
    assert!(timeout(Duration::from_millis(100), request).await.is_err(), "nothing to get");
    sleep(Duration::from_millis(100)).await;
    elsewhere.assert_gone().await;

    let session = open().await;
    let elsewhere = cluster.through(1, &session);
    assert_eq!(elsewhere.post("abc").await.0, 400, "no payload");
    elsewhere.assert_gone().await;
    cluster.assert_nothing_left().await;
}

#[tokio::test]
async fn a_session_of_a_dead_node_is_unknown_soon() {
    let cluster = Cluster::start(2).await;
    let session = cluster.nodes[0].open().await;
    let elsewhere = cluster.through(1, &session);
    let node = u64::from_str_radix(&session.sid[..16], 16).unwrap();
    let (polled, ()) = tokio::join!(elsewhere.poll(), async {
        sleep(Duration::from_millis(200)).await;
        cluster.wires.cut(node);
    });
    assert_eq!(polled, (400, r#"{"code":1,"message":"Session ID unknown"}"#.to_owned()));
    let asked = Instant::now();
    assert_eq!(elsewhere.post("4hello").await.0, 400);
    assert_eq!(elsewhere.upgrade().await.err(), Some(400));
    assert!(asked.elapsed() < Duration::from_secs(15), "each takes a second and a half");
}

async fn upgrade(session: &Polling<'_>) -> Socket {
    let mut socket = session.upgrade().await.unwrap();
    socket.say("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.say("5").await;
    socket
}

#[tokio::test]
async fn a_session_becomes_a_websocket_on_another_node() {
    let cluster = Cluster::start(3).await;
    let session = cluster.nodes[0].open().await;
    assert_eq!(cluster.through(2, &session).post("4before").await.0, 200);
    let elsewhere = cluster.through(1, &session);
    let mut socket = upgrade(&elsewhere).await;
    assert_eq!(socket.text().await, "4before");
    for n in 0..50 {
        socket.say(&format!("4{n}")).await;
        socket.say_bytes(&[n]).await;
    }
    for n in 0..50 {
        assert_eq!(socket.text().await, format!("4{n}"));
        assert_eq!(socket.bytes().await, [n]);
    }
    for node in 0..3 {
        cluster.through(node, &session).assert_gone().await;
        assert_eq!(cluster.through(node, &session).upgrade().await.err(), Some(400));
    }
    socket.say("4still there").await;
    assert_eq!(socket.text().await, "4still there");
    socket.say("1").await;
    socket.closed().await;
    cluster.assert_nothing_left().await;
}

#[tokio::test]
async fn an_upgrade_on_another_node_that_is_not_confirmed_changes_nothing() {
    let cluster = Cluster::start(2).await;
    let session = cluster.nodes[0].open().await;
    let elsewhere = cluster.through(1, &session);
    let mut socket = elsewhere.upgrade().await.unwrap();
    assert_eq!(session.upgrade().await.err(), Some(400), "one at a time");
    socket.say("4hello").await;
    socket.closed().await;
    assert_eq!(elsewhere.post("4still polled").await.0, 200);
    assert_eq!(elsewhere.poll().await, (200, "4still polled".to_owned()));
}

#[tokio::test]
async fn whoever_breaks_the_protocol_or_vanishes_behind_a_bridge_is_gone() {
    let cluster = Cluster::start(2).await;
    for said in ["abc", "2probe", "0{}", "b!"] {
        let session = cluster.nodes[0].open().await;
        let mut socket = upgrade(&cluster.through(1, &session)).await;
        socket.say(said).await;
        socket.closed().await;
    }
    let session = cluster.nodes[0].open().await;
    drop(upgrade(&cluster.through(1, &session)).await);
    cluster.assert_nothing_left().await;
}

#[tokio::test]
async fn heartbeats_cross_the_bridge() {
    let settings =
        Settings { ping_interval: Duration::from_millis(300), ping_timeout: Duration::from_secs(2), ..calm() };
    let cluster = Cluster::start_with(2, settings).await;
    let session = cluster.nodes[0].open().await;
    let mut socket = upgrade(&cluster.through(1, &session)).await;
    for _ in 0..4 {
        assert_eq!(socket.text().await, "2");
        socket.say("3").await;
    }
    assert_eq!(socket.text().await, "2");
    socket.closed().await; // nobody answered
    cluster.assert_nothing_left().await;
}

#[tokio::test]
async fn the_bus_carries_requests() {
    let hub = LocalHub::default();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let (bus, _events) = hub.join();
        nodes.push(Server::start_on_bus(calm(), Arc::new(bus)).await);
    }
    let session = nodes[0].open().await;
    let elsewhere = Polling { server: &nodes[1], ..session };
    for n in 0..10 {
        assert_eq!(elsewhere.post(&format!("4{n}")).await.0, 200);
        assert_eq!(elsewhere.poll().await, (200, format!("4{n}")));
    }
}

#[tokio::test]
async fn a_node_that_drains_lets_go_of_what_it_carries() {
    let cluster = Cluster::start(3).await;
    let session = cluster.nodes[0].open().await;
    let elsewhere = cluster.through(1, &session);
    let bridged = cluster.nodes[0].open().await;
    let mut socket = upgrade(&cluster.through(1, &bridged)).await;
    let (polled, ()) = tokio::join!(elsewhere.poll(), async {
        sleep(Duration::from_millis(200)).await;
        cluster.nodes[1].drain.cancel();
    });
    assert_eq!(polled, (200, "6".to_owned()), "nothing, and nothing lost");
    socket.closed().await;
    assert_eq!(elsewhere.poll().await, (200, "6".to_owned()), "also one that comes late");
    assert_eq!(cluster.through(2, &session).post("4still there").await.0, 200);
    assert_eq!(cluster.through(2, &session).poll().await, (200, "4still there".to_owned()));
}
