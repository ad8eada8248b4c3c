//! Slow clients, crowds of clients, and the end of the listener.

use std::time::{Duration, Instant};

use switchboard::door::listener::ListenerSettings;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};

use crate::support::{BIG, GET, PATIENCE, Raw, Served, frame, start, upgrade_request};

const SHORT: Duration = Duration::from_millis(500);

/// A listener that waits for heads and bodies only a moment.
async fn impatient() -> Served {
    start(ListenerSettings { header_wait: SHORT, body_wait: SHORT, ..Default::default() }).await
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_ends_the_connection() {
    let served = impatient().await;
    for beginning in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n"] {
        let mut raw = Raw::connect(&served).await;
        raw.send(beginning.as_bytes()).await;
        assert!(!raw.more().await, "{beginning:?}");
    }

    let mut dripping = Raw::connect(&served).await;
    let begin = Instant::now();
    while dripping.stream.write_all(b"a").await.is_ok() {
        sleep(SHORT / 10).await;
        assert!(begin.elapsed() < PATIENCE, "dripping keeps a connection open");
    }

    let mut second = Raw::connect(&served).await;
    second.send(GET.as_bytes()).await;
    assert_eq!(second.status().await, Some(200));
    sleep(SHORT * 3).await;
    second.send(b"GET /").await;
    assert!(!second.more().await, "the head of a second request");
}

#[tokio::test]
async fn between_requests_a_connection_rests_longer_but_not_for_ever() {
    let served = start(ListenerSettings { header_wait: SHORT, idle_wait: SHORT * 5, ..Default::default() }).await;
    let mut raw = Raw::connect(&served).await;
    for _ in 0..3 {
        raw.send(GET.as_bytes()).await;
        assert_eq!(raw.status().await, Some(200));
        sleep(SHORT * 3).await;
    }
    let begin = Instant::now();
    assert!(!raw.more().await);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_handler_may_take_its_time() {
    let served = start(ListenerSettings { header_wait: SHORT, idle_wait: SHORT, ..Default::default() }).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(GET.replace("GET /", "GET /slow").as_bytes()).await;
    assert_eq!(raw.status().await, Some(200));
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_answered_408() {
    let served = impatient().await;
    let starts =
        ["Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"];
    for begun in starts {
        let mut raw = Raw::connect(&served).await;
        raw.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{begun}").as_bytes()).await;
        let (status, body) = raw.answer().await.unwrap();
        assert_eq!(status, 408, "{begun:?}");
        assert!(body.contains(r#""code":"invalid""#), "{body}");
        assert!(raw.is_closed().await);
    }

    let mut dripping = Raw::connect(&served).await;
    dripping.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n").await;
    for _ in 0..20 {
        dripping.send(b"x").await;
        sleep(SHORT / 10).await;
    }
    assert_eq!(dripping.status().await, Some(408));
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_cut_off() {
    let served = start(ListenerSettings { connections_max: 1, idle_wait: SHORT, ..Default::default() }).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(GET.replace("GET /", "GET /big").as_bytes()).await;
    until("the place is free again", async || {
        let mut next = Raw::connect(&served).await;
        next.send(GET.as_bytes()).await;
        next.status().await == Some(200)
    })
    .await;
}

#[tokio::test]
async fn who_reads_the_answer_slowly_gets_all_of_it() {
    let idle_wait = Duration::from_secs(2);
    let served = start(ListenerSettings { idle_wait, ..Default::default() }).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(GET.replace("GET /", "GET /big").as_bytes()).await;
    raw.head().await.unwrap();
    let begin = Instant::now();
    let mut bytes = raw.unread.len();
    while bytes < BIG {
        sleep(Duration::from_millis(2)).await;
        raw.unread.clear();
        assert!(raw.more().await, "cut off after {bytes} bytes");
        bytes += raw.unread.len();
    }
    assert!(begin.elapsed() > idle_wait, "read too fast: the test tests nothing");
}

/// Repeats `holds` until it does.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let repeat = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, repeat).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let served = start(ListenerSettings { connections_max: 3, ..Default::default() }).await;
    let plain = Raw::connect(&served).await;
    let mut websockets = vec![Raw::websocket(&served).await, Raw::websocket(&served).await];
    for request in [GET.to_owned(), upgrade_request(""), String::new()] {
        let mut raw = Raw::connect(&served).await;
        raw.send(request.as_bytes()).await;
        let head = raw.head().await.unwrap();
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nretry-after: 1\r\n"), "{head}");
        while raw.more().await {}
        let body: serde_json::Value = serde_json::from_slice(&raw.unread).unwrap();
        assert_eq!((&body["code"], &body["retry_after_ms"]), (&"busy".into(), &1_000.into()));
    }
    websockets[0].send(&frame(0x81, b"hello")).await;
    assert_eq!(websockets[0].frame().await, Some((0x81, b"hello".into())), "the others notice nothing");

    drop((plain, websockets));
    until("the places are free again", async || {
        let mut raw = Raw::connect(&served).await;
        raw.send(GET.as_bytes()).await;
        raw.status().await == Some(200)
    })
    .await;
}

#[tokio::test]
async fn guests_of_one_address_are_few_until_they_say_who_they_are() {
    let served = start(ListenerSettings { guests_per_address_max: 2, ..Default::default() }).await;
    let refused = async || {
        let mut raw = Raw::connect(&served).await;
        raw.send(GET.as_bytes()).await;
        raw.status().await == Some(503)
    };
    let mut websocket = Raw::websocket(&served).await;
    let mut plain = Raw::connect(&served).await;
    plain.send(GET.as_bytes()).await;
    assert_eq!(plain.status().await, Some(200));
    assert!(refused().await, "a WebSocket remains a guest after its upgrade");

    websocket.send(&frame(0x81, b"authenticate")).await;
    until("the WebSocket is no guest any more", async || !refused().await).await;
    let mut third = Raw::connect(&served).await;
    third.send(GET.as_bytes()).await;
    assert_eq!(third.status().await, Some(200));
    assert!(refused().await);

    third.send(GET.replace("GET /", "GET /login").as_bytes()).await;
    assert_eq!(third.status().await, Some(200));
    let fourth = Raw::connect(&served).await;
    assert!(refused().await, "the second, and the fourth");
    drop((plain, fourth));
    until("who leaves makes room", async || !refused().await).await;
}

/// Behind a proxy on loopback.
async fn behind_a_proxy(guests_per_address_max: u32) -> Served {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    start(ListenerSettings { guests_per_address_max, trusted_proxies, ..Default::default() }).await
}

#[tokio::test]
async fn behind_a_proxy_the_forwarded_address_counts() {
    let served = behind_a_proxy(1).await;
    let forwarded = |client: &str| format!("X-Forwarded-For: {client}\r\n");
    let ask = async |client: &str| {
        let mut raw = Raw::connect(&served).await;
        let request = format!("GET /whoami HTTP/1.1\r\nHost: a\r\n{}\r\n", forwarded(client));
        raw.send(request.as_bytes()).await;
        raw.answer().await.unwrap()
    };
    let upgrade = async |client: &str| {
        let mut raw = Raw::connect(&served).await;
        raw.send(upgrade_request(&forwarded(client)).as_bytes()).await;
        let head = raw.head().await.unwrap();
        (raw, head[9..12].to_owned())
    };
    assert_eq!(ask("192.0.2.1").await, (200, "192.0.2.1".into()));
    assert_eq!(ask("1.1.1.1, 192.0.2.1").await, (200, "192.0.2.1".into()));
    assert_eq!(ask("garbage").await, (200, "127.0.0.1".into()));
    let idle: Vec<_> = [Raw::connect(&served).await, Raw::connect(&served).await].into();

    let (mut websocket, status) = upgrade("192.0.2.1").await;
    assert_eq!(status, "101");
    assert_eq!(ask("192.0.2.1").await.0, 503);
    assert_eq!(upgrade("192.0.2.1").await.1, "503");
    assert_eq!(upgrade("8.8.8.8, 192.0.2.1").await.1, "503", "a spoofed address helps nobody");
    assert_eq!(ask("192.0.2.2").await.0, 200, "the others of the proxy notice nothing");

    websocket.send(&frame(0x81, b"authenticate")).await;
    until("it is no guest any more", async || ask("192.0.2.1").await.0 == 200).await;
    let (again, status) = upgrade("192.0.2.1").await;
    assert_eq!(status, "101");
    drop(again);
    until("a guest who leaves makes room", async || ask("192.0.2.1").await.0 == 200).await;
    drop(idle);
}

#[tokio::test]
async fn one_connection_of_a_proxy_carries_the_requests_of_many() {
    let served = behind_a_proxy(1).await;
    let mut raw = Raw::connect(&served).await;
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1"] {
        raw.send(format!("GET /whoami HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n").as_bytes()).await;
        assert_eq!(raw.answer().await, Some((200, client.into())));
    }
}

#[tokio::test]
async fn without_a_proxy_nobody_is_believed() {
    let served = start(Default::default()).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(b"GET /whoami HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n").await;
    assert_eq!(raw.answer().await, Some((200, "127.0.0.1".into())));
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_leaves_websockets_alone() {
    let mut served = start(ListenerSettings { drain_wait: PATIENCE * 4, ..Default::default() }).await;
    let mut websocket = Raw::websocket(&served).await;
    let mut idle = Raw::connect(&served).await;
    idle.send(GET.as_bytes()).await;
    assert_eq!(idle.status().await, Some(200));
    let silent = Raw::connect(&served).await;
    let mut busy = Raw::connect(&served).await;
    busy.send(GET.replace("GET /", "GET /slow").as_bytes()).await;
    sleep(SHORT).await;

    served.stop.cancel();
    assert!(!idle.more().await, "who rests is sent away");
    drop(silent);
    assert_eq!(busy.status().await, Some(200), "who waits for an answer gets it");
    assert!(busy.is_closed().await);
    drop(busy);
    timeout(PATIENCE, &mut served.ended).await.expect("the listener ends").unwrap();
    assert!(tokio::net::TcpStream::connect(served.address).await.is_err(), "nobody is let in any more");
    websocket.send(&frame(0x81, b"hello")).await;
    assert_eq!(websocket.frame().await, Some((0x81, b"hello".into())));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut served = start(ListenerSettings { drain_wait: SHORT, ..Default::default() }).await;
    let mut stuck = Raw::connect(&served).await;
    stuck.send(GET.replace("GET /", "GET /big").as_bytes()).await;
    sleep(SHORT).await;
    served.stop.cancel();
    timeout(Duration::from_secs(5), &mut served.ended).await.expect("the listener ends").unwrap();
}

#[tokio::test]
async fn who_stops_reading_a_websocket_costs_little() {
    let served = start(Default::default()).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap(); // else our own buffer, on the same machine, would take megabytes
    let mut raw = Raw { stream: socket.connect(served.address).await.unwrap(), unread: Vec::new() };
    raw.send(upgrade_request("").as_bytes()).await;
    raw.head().await.unwrap();
    raw.send(&frame(0x81, b"pour")).await;
    sleep(Duration::from_secs(1)).await;

    let held = unsent_bytes(&served, &raw);
    println!("the kernel holds {held} bytes");
    assert!(held > 64 * 1024, "{held} bytes are held: the test measures nothing");
    assert!(held < 512 * 1024, "{held} bytes are held for one reader");
    for number in 0..10_000 {
        let (_, payload) = raw.frame().await.unwrap();
        assert!(String::from_utf8(payload).unwrap().starts_with(&format!("{number} ")), "in order, without a gap");
    }
}

/// What the kernel holds of the server's side of this connection, as it says itself.
fn unsent_bytes(served: &Served, raw: &Raw) -> usize {
    let hex = |address: std::net::SocketAddr| {
        let std::net::IpAddr::V4(ip) = address.ip() else { panic!("IPv4 only") };
        format!("{:08X}:{:04X}", u32::from_le_bytes(ip.octets()), address.port())
    };
    let ours = format!("{} {}", hex(served.address), hex(raw.stream.local_addr().unwrap()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&ours)).expect("the connection is open");
    let queues = line.split_whitespace().nth(4).unwrap();
    usize::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap()
}
