//! HTTP requests, good and bad.

use crate::support::{GET, PATIENCE, Raw, start, upgrade_request};
use tokio::time::timeout;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Answered 101.
    Upgraded,
    /// Answered with this status, and the connection goes on.
    Answered(u16),
    /// Answered with this status, and the connection is closed.
    Refused(u16),
    /// Closed without an answer.
    Closed,
}
use Outcome::{Answered, Closed, Refused, Upgraded};

async fn check(cases: &[(&str, String, Outcome)]) {
    let served = start(Default::default()).await;
    let mut surprises = Vec::new();
    for (what, request, expected) in cases {
        let mut raw = Raw::connect(&served).await;
        raw.send(request.as_bytes()).await;
        let outcome = match raw.status().await {
            None => Closed,
            Some(101) => Upgraded,
            Some(status) if raw.is_closed().await => Refused(status),
            Some(status) => Answered(status),
        };
        if outcome != *expected {
            surprises.push(format!("{what}: {outcome:?} and not {expected:?}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    let mut raw = Raw::connect(&served).await;
    raw.send(GET.as_bytes()).await;
    assert_eq!(raw.status().await, Some(200), "the listener survived all of them");
}

/// The good upgrade request, with one part of it replaced.
fn upgrade_but(part: &str, other: &str) -> String {
    let request = upgrade_request("");
    assert!(request.contains(part));
    request.replace(part, other)
}

const CONNECTION: &str = "Connection: Upgrade\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn upgrades_are_taken_by_the_letter() {
    let key = |value: &str| upgrade_but(KEY, &format!("Sec-WebSocket-Key: {value}\r\n"));
    let version = |value: &str| upgrade_but(VERSION, &format!("Sec-WebSocket-Version: {value}\r\n"));
    let protocol = |value: &str| upgrade_but(UPGRADE, &format!("Upgrade: {value}\r\n"));
    let connection = |value: &str| upgrade_but(CONNECTION, &format!("Connection: {value}\r\n"));
    check(&[
        ("as it should be", upgrade_request(""), Upgraded),
        ("with subprotocols", upgrade_request("Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n"), Upgraded),
        ("with an extension that we do not know", upgrade_request("Sec-WebSocket-Extensions: x\r\n"), Upgraded),
        ("with an empty body", upgrade_request("Content-Length: 0\r\n"), Upgraded),
        (
            "names and values in capitals",
            upgrade_request("")
                .to_uppercase()
                .replace("/WS", "/ws")
                .replace("DGHLIHNHBXBSZSBUB25JZQ==", "dGhlIHNhbXBsZSBub25jZQ=="),
            Upgraded,
        ),
        ("connection is a list", connection("keep-alive, Upgrade"), Upgraded),
        ("connection is on two lines", connection("keep-alive\r\nConnection: upgrade"), Upgraded),
        ("no connection", upgrade_but(CONNECTION, ""), Refused(426)),
        ("another connection", connection("keep-alive"), Refused(426)),
        ("almost the connection", connection("upgraded"), Refused(426)),
        ("no upgrade", upgrade_but(UPGRADE, ""), Refused(426)),
        ("upgrade to h2c", protocol("h2c"), Refused(426)),
        ("upgrade to websocket or h2c", protocol("websocket, h2c"), Refused(426)),
        ("upgrade to h2c or websocket", protocol("h2c, websocket"), Refused(426)),
        ("two upgrades", protocol("websocket\r\nUpgrade: h2c"), Refused(426)),
        ("the same upgrade twice", protocol("websocket\r\nUpgrade: websocket"), Refused(426)),
        ("almost websocket", protocol("websockets"), Refused(426)),
        ("websocket with a version", protocol("websocket/13"), Refused(426)),
        ("empty upgrade", protocol(""), Refused(426)),
        ("no version", upgrade_but(VERSION, ""), Refused(426)),
        ("version 8", version("8"), Refused(426)),
        ("version 12", version("12"), Refused(426)),
        ("version 14", version("14"), Refused(426)),
        ("versions 13 and 8", version("13, 8"), Refused(426)),
        ("version 13 twice", version("13\r\nSec-WebSocket-Version: 13"), Refused(426)),
        ("version 013", version("013"), Refused(426)),
        ("no key", upgrade_but(KEY, ""), Refused(400)),
        ("empty key", key(""), Refused(400)),
        ("key too short", key("dGhlIHNhbXBsZQ=="), Refused(400)),
        ("key too long", key("dGhlIHNhbXBsZSBub25jZSBsb25n"), Refused(400)),
        ("key is no base64", key("!!!!!!!!!!!!!!!!!!!!!!=="), Refused(400)),
        ("key without its padding", key("dGhlIHNhbXBsZSBub25jZQ"), Refused(400)),
        ("key with loose bits at its end", key("dGhlIHNhbXBsZSBub25jZR=="), Refused(400)),
        ("two keys", key("dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), Refused(400)),
        ("key is no text", key("\u{e4}GhlIHNhbXBsZSBub25jZQ=="), Refused(400)),
        ("with POST", upgrade_but("GET", "POST"), Refused(405)),
        ("with a method the route does not know", upgrade_but("GET", "PUT"), Refused(405)),
        ("with CONNECT", upgrade_but("GET /ws", "CONNECT a:80"), Refused(404)),
        ("with HTTP/1.0", upgrade_but("HTTP/1.1", "HTTP/1.0"), Refused(400)),
        ("with a body", upgrade_request("Content-Length: 5\r\n") + "hello", Refused(400)),
        ("with a chunked body", upgrade_request("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", Refused(400)),
        ("without a host", upgrade_but("Host: a\r\n", ""), Refused(400)),
        ("with two hosts", upgrade_request("Host: b\r\n"), Refused(400)),
        ("where nothing is", upgrade_but("/ws", "/nothing"), Refused(404)),
        ("where no WebSocket is", upgrade_but("/ws", "/"), Refused(200)),
        ("not asked for", GET.replace("GET /", "GET /ws"), Refused(426)),
    ])
    .await;
}

#[tokio::test]
async fn requests_that_smuggle_or_swell_are_stopped() {
    let get = |more: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let post = |more: &str, body: &str| format!("POST /echo HTTP/1.1\r\nHost: a\r\n{more}\r\n{body}");
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    check(&[
        ("a plain request", get(""), Answered(200)),
        ("a request with a body", post("Content-Length: 5\r\n", "hello"), Answered(200)),
        ("a chunked body", post("Transfer-Encoding: chunked\r\n", chunked), Answered(200)),
        ("the same length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), Answered(200)),
        ("HTTP/1.0", get("").replace("1.1", "1.0"), Refused(200)),
        ("the client wants to close", get("Connection: close\r\n"), Refused(200)),
        ("length and chunks", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked), Refused(200)),
        ("chunks and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked), Refused(200)),
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), Refused(400)),
        ("lengths in a list", post("Content-Length: 5, 6\r\n", "hello"), Refused(400)),
        ("a length below nothing", post("Content-Length: -1\r\n", ""), Refused(400)),
        ("a length with a plus", post("Content-Length: +5\r\n", "hello"), Refused(400)),
        ("a length beyond numbers", post("Content-Length: 99999999999999999999\r\n", ""), Refused(400)),
        ("a transfer encoding that we do not know", post("Transfer-Encoding: gzip\r\n", ""), Refused(400)),
        ("chunked, but not last", post("Transfer-Encoding: chunked, gzip\r\n", chunked), Refused(400)),
        ("chunks in HTTP/1.0", post("Transfer-Encoding: chunked\r\n", chunked).replace("1.1", "1.0"), Refused(400)),
        ("a chunk without a size", post("Transfer-Encoding: chunked\r\n", "x\r\nhello\r\n"), Refused(400)),
        ("a chunk beyond numbers", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), Refused(400)),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), Refused(400)),
        ("two hosts", get("Host: b\r\n"), Refused(400)),
        ("the same host twice", get("Host: a\r\n"), Refused(400)),
        ("a folded header", get("A: b\r\n c\r\n"), Refused(400)),
        ("a header without a colon", get("nonsense\r\n"), Refused(400)),
        ("a blank before the colon", get("Content-Length : 5\r\n"), Refused(400)),
        ("a null in a header", get("A: b\0c\r\n"), Refused(400)),
        ("no version", "GET /\r\n\r\n".into(), Refused(400)),
        ("HTTP/0.9 in disguise", "GET / HTTP/0.9\r\n\r\n".into(), Refused(400)),
        ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(), Refused(400)),
        ("HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), Closed),
        (
            "h2c",
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            Refused(200),
        ),
        ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n".into(), Refused(400)),
        ("an empty method", " / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Refused(400)),
        ("a method that nobody knows", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Answered(405)),
        ("64 headers", get(&"A: b\r\n".repeat(63)), Answered(200)),
        ("65 headers", get(&"A: b\r\n".repeat(64)), Refused(431)),
        ("a thousand headers", get(&"A: b\r\n".repeat(1_000)), Refused(431)),
        ("15 KiB of headers", get(&format!("A: {}\r\n", "b".repeat(15 * 1024))), Answered(200)),
        ("17 KiB of headers", get(&format!("A: {}\r\n", "b".repeat(17 * 1024))), Refused(431)),
        ("17 KiB of path", GET.replace("GET /", &format!("GET /{}", "b".repeat(17 * 1024))), Refused(431)),
        ("64 KiB of body", post("Content-Length: 65536\r\n", &"x".repeat(65_536)), Answered(200)),
        ("64 KiB of body and one byte", post("Content-Length: 65537\r\n", &"x".repeat(65_537)), Refused(413)),
        ("a body of a terabyte, announced", post("Content-Length: 1000000000000\r\n", "x"), Refused(413)),
        (
            "two terabytes, announced politely",
            post("Expect: 100-continue\r\nContent-Length: 1000000000000\r\n", ""),
            Refused(413),
        ),
        (
            "64 KiB and more in chunks",
            post("Transfer-Encoding: chunked\r\n", &"400\r\n".to_owned().add_chunks(65)),
            Refused(413),
        ),
    ])
    .await;
}

trait Chunks {
    fn add_chunks(self, kibibytes: usize) -> String;
}

impl Chunks for String {
    /// So many chunks with this first line, and an end.
    fn add_chunks(self, kibibytes: usize) -> String {
        format!("{self}{}\r\n", "x".repeat(1_024)).repeat(kibibytes) + "0\r\n\r\n"
    }
}

#[tokio::test]
async fn a_refusal_is_not_lost_though_the_request_goes_on() {
    let served = start(Default::default()).await;
    let refused = [
        (413, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"),
        (400, "POST /echo HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"),
        (431, "POST /echo HTTP/1.1\r\nHost: a\r\nA: "),
    ];
    for (status, head) in refused {
        let mut raw = Raw::connect(&served).await;
        // So little that all of it is sent before the refusal: else it would be our sending that meets the reset.
        raw.send(&[head.as_bytes(), &[b'x'; 100_000]].concat()).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(raw.status().await, Some(status));
        assert!(raw.ends_cleanly().await, "{status}");
    }
}

#[tokio::test]
async fn a_flood_of_header_bytes_is_cut_off() {
    let served = start(Default::default()).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: ").await;
    let flood = async {
        let (mut from, mut to) = raw.stream.split();
        let sent = async {
            let mut sent = 0_u64;
            while tokio::io::AsyncWriteExt::write_all(&mut to, &[b'b'; 4_096]).await.is_ok() {
                sent += 4_096;
            }
            sent
        };
        let answer = async {
            let mut answer = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut from, &mut answer).await;
        };
        tokio::join!(sent, answer).0
    };
    let sent = timeout(PATIENCE, flood).await.expect("the flood goes on");
    assert!(sent < 16 << 20, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_good_upgrade_is_answered_as_the_standard_says() {
    let served = start(Default::default()).await;
    let answer_to = async |more: &str| {
        let mut raw = Raw::connect(&served).await;
        raw.send(upgrade_request(more).as_bytes()).await;
        raw.head().await.unwrap()
    };
    let head = answer_to("").await;
    assert!(head.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    assert!(!head.contains("sec-websocket-protocol"), "{head}");

    let cases = [
        ("chat.v1", Some("chat.v1")),
        ("chat.v2, chat.v1", Some("chat.v2")),
        ("unknown, chat.v1", Some("chat.v1")),
        ("unknown\r\nSec-WebSocket-Protocol: chat.v2", Some("chat.v2")),
        ("unknown", None),
        ("chat.v10", None),
        ("CHAT.V1", None),
        (",,", None),
    ];
    for (offer, chosen) in cases {
        let head = answer_to(&format!("Sec-WebSocket-Protocol: {offer}\r\n")).await;
        let announced = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(announced, chosen, "{offer}");
    }
}

#[tokio::test]
async fn a_refused_version_says_which_one_is_known() {
    let served = start(Default::default()).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(upgrade_but(VERSION, "Sec-WebSocket-Version: 8\r\n").as_bytes()).await;
    let head = raw.head().await.unwrap();
    assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
}

#[tokio::test]
async fn requests_may_follow_each_other_at_once() {
    let served = start(Default::default()).await;
    let mut raw = Raw::connect(&served).await;
    raw.send(GET.repeat(20).as_bytes()).await;
    for _ in 0..20 {
        assert_eq!(raw.answer().await, Some((200, "hello".into())));
    }
}

#[tokio::test]
async fn frames_sent_with_the_upgrade_are_not_lost() {
    let served = start(Default::default()).await;
    let mut raw = Raw::connect(&served).await;
    let frames = [crate::support::frame(0x81, b"early"), crate::support::frame(0x81, &[b'x'; 5_000])].concat();
    raw.send(&[upgrade_request("").as_bytes(), &frames].concat()).await;
    assert!(raw.head().await.unwrap().starts_with("HTTP/1.1 101 "));
    assert_eq!(raw.frame().await, Some((0x81, b"early".to_vec())));
}
