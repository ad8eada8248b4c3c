//! WebSocket frames, good and bad.

use std::time::{Duration, Instant};

use switchboard::door::budget::Budget;
use switchboard::door::listener::ListenerSettings;

use crate::support::{Raw, frame, start};

const TEXT: u8 = 0x81;
const TEXT_BEGUN: u8 = 0x01;
const CONTINUED: u8 = 0x00;
const CONTINUED_END: u8 = 0x80;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A frame's header with a 64-bit length and no payload.
fn declared(first: u8, length: u64) -> Vec<u8> {
    [&[first, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat()
}

fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len() as u8][..], payload].concat()
}

#[tokio::test]
async fn every_broken_frame_is_answered_with_its_close_code() {
    let text = |payload: &[u8]| frame(TEXT, payload);
    let join = |frames: &[Vec<u8>]| frames.concat();
    let authenticated = |then: Vec<u8>| join(&[text(b"authenticate"), then]);
    let cases = [
        // the protocol
        ("an unmasked text", unmasked(TEXT, b"hello"), 1002),
        ("an unmasked empty text", unmasked(TEXT, b""), 1002),
        ("an unmasked ping", unmasked(PING, b""), 1002),
        ("RSV1", frame(TEXT | 0x40, b"x"), 1002),
        ("RSV2", frame(TEXT | 0x20, b"x"), 1002),
        ("RSV3", frame(TEXT | 0x10, b"x"), 1002),
        ("all RSV bits on a ping", frame(PING | 0x70, b"x"), 1002),
        ("RSV1 on a continuation", join(&[frame(TEXT_BEGUN, b"x"), frame(CONTINUED_END | 0x40, b"x")]), 1002),
        ("opcode 3", frame(0x83, b"x"), 1002),
        ("opcode 4", frame(0x84, b"x"), 1002),
        ("opcode 5", frame(0x85, b""), 1002),
        ("opcode 6", frame(0x86, b"x"), 1002),
        ("opcode 7", frame(0x87, b"x"), 1002),
        ("opcode 11", frame(0x8b, b"x"), 1002),
        ("opcode 12", frame(0x8c, b"x"), 1002),
        ("opcode 13", frame(0x8d, b"x"), 1002),
        ("opcode 14", frame(0x8e, b""), 1002),
        ("opcode 15", frame(0x8f, b"x"), 1002),
        ("a fragmented ping", frame(0x09, b"x"), 1002),
        ("a fragmented pong", frame(0x0a, b"x"), 1002),
        ("a fragmented close", frame(0x08, &[3, 232]), 1002),
        ("a ping of 126 bytes", frame(PING, &[b'x'; 126]), 1002),
        ("a pong of 126 bytes", frame(PONG, &[b'x'; 126]), 1002),
        ("a close of 126 bytes", frame(CLOSE, &[b'x'; 126]), 1002),
        ("a continuation of nothing", frame(CONTINUED, b"x"), 1002),
        ("an end of nothing", frame(CONTINUED_END, b"x"), 1002),
        ("a text within a text", join(&[frame(TEXT_BEGUN, b"x"), text(b"y")]), 1002),
        ("a binary within a text", join(&[frame(TEXT_BEGUN, b"x"), frame(BINARY, b"y")]), 1002),
        ("a beginning within a text", join(&[frame(TEXT_BEGUN, b"x"), frame(TEXT_BEGUN, b"y")]), 1002),
        (
            "an end after an end",
            join(&[frame(TEXT_BEGUN, b"x"), frame(CONTINUED_END, b"y"), frame(CONTINUED_END, b"z")]),
            1002,
        ),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 1002),
        // closing
        ("a close with half a code", frame(CLOSE, &[3]), 1002),
        ("a close with code 0", frame(CLOSE, &[0, 0]), 1002),
        ("a close with code 999", frame(CLOSE, &[3, 231]), 1002),
        ("a close with code 1004", frame(CLOSE, &[3, 236]), 1002),
        ("a close with code 1005", frame(CLOSE, &[3, 237]), 1002),
        ("a close with code 1006", frame(CLOSE, &[3, 238]), 1002),
        ("a close with code 1015", frame(CLOSE, &[3, 247]), 1002),
        ("a close with code 2999", frame(CLOSE, &[11, 183]), 1002),
        ("a close with code 65535", frame(CLOSE, &[255, 255]), 1002),
        ("a close whose reason is no text", frame(CLOSE, &[3, 232, 0xff]), 1007),
        ("a close with code 1000", frame(CLOSE, &[3, 232]), 1000),
        ("a close with a reason", frame(CLOSE, b"\x03\xe8bye"), 1000),
        ("a close with code 3000", frame(CLOSE, &[11, 184]), 3000),
        ("a close with code 4999", frame(CLOSE, &[19, 135]), 4999),
        // text
        ("bytes that are no text", text(&[0xff]), 1007),
        ("half a character", text(&[0xc3]), 1007),
        ("a surrogate", text(&[0xed, 0xa0, 0x80]), 1007),
        ("an overlong slash", text(&[0xc0, 0xaf]), 1007),
        ("beyond Unicode", text(&[0xf4, 0x90, 0x80, 0x80]), 1007),
        ("no text in the second fragment", join(&[frame(TEXT_BEGUN, b"x"), frame(CONTINUED_END, &[0xff])]), 1007),
        ("a character cut off by the end", join(&[frame(TEXT_BEGUN, &[0xc3]), frame(CONTINUED_END, b"")]), 1007),
        // size
        ("8,193 bytes before a token was accepted", text(&[b'x'; 8_193]), 1009),
        ("9,000 bytes in many", [frame(TEXT_BEGUN, b"x"), frame(CONTINUED, &[b'x'; 100]).repeat(90)].concat(), 1009),
        ("a hello, and then too much", join(&[text(b"hello"), text(&[b'x'; 8_193])]), 1009),
        ("65,537 bytes", authenticated(text(&[b'x'; 65_537])), 1009),
        ("65,537 bytes, binary", authenticated(frame(BINARY, &[b'x'; 65_537])), 1009),
        (
            "65,537 bytes in two",
            authenticated(join(&[frame(TEXT_BEGUN, &[b'x'; 65_536]), frame(CONTINUED_END, b"x")])),
            1009,
        ),
        ("2^32 declared", authenticated(declared(TEXT, 1 << 32)), 1009),
        ("2^62 declared", authenticated(declared(TEXT, 1 << 62)), 1009),
        ("2^63 declared", authenticated(declared(TEXT, 1 << 63)), 1009),
        ("2^64 - 1 declared", authenticated(declared(TEXT, u64::MAX)), 1009),
        ("2^62 declared, binary", authenticated(declared(BINARY, 1 << 62)), 1009),
        ("2^62 declared for a ping", authenticated(declared(PING, 1 << 62)), 1009),
        (
            "2^62 declared for a fragment",
            authenticated(join(&[frame(TEXT_BEGUN, b"x"), declared(CONTINUED, 1 << 62)])),
            1009,
        ),
        ("2^62 declared at once", declared(TEXT, 1 << 62), 1009),
    ];
    let served = start(Default::default()).await;
    let mut surprises = Vec::new();
    for (what, bytes, expected) in &cases {
        let mut raw = Raw::websocket(&served).await;
        raw.send(bytes).await;
        let code = raw.close_code().await;
        let ended = !raw.more().await;
        if code != Some(*expected) || !ended {
            surprises.push(format!("{what}: {code:?} and not {expected}, ended: {ended}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[tokio::test]
async fn every_good_frame_is_understood() {
    let split =
        |bytes: &[u8], at: usize| [frame(TEXT_BEGUN, &bytes[..at]), frame(CONTINUED_END, &bytes[at..])].concat();
    let masked = [&[TEXT, 0x85, 1, 2, 3, 4][..], &[b'h' ^ 1, b'e' ^ 2, b'l' ^ 3, b'l' ^ 4, b'o' ^ 1]].concat();
    let umlaut = "\u{e4}".as_bytes();
    let cases = [
        ("text", frame(TEXT, b"hello"), (TEXT, b"hello".into())),
        ("masked text", masked, (TEXT, b"hello".into())),
        ("empty text", frame(TEXT, b""), (TEXT, b"".into())),
        ("binary", frame(BINARY, &[0, 255]), (BINARY, vec![0, 255])),
        ("125 bytes", frame(BINARY, &[7; 125]), (BINARY, vec![7; 125])),
        ("126 bytes", frame(BINARY, &[7; 126]), (BINARY, vec![7; 126])),
        ("a length longer written than need be", [declared(BINARY, 3), vec![7; 3]].concat(), (BINARY, vec![7; 3])),
        ("two fragments", split(b"hello", 2), (TEXT, b"hello".into())),
        ("an empty fragment first", split(b"hello", 0), (TEXT, b"hello".into())),
        ("an empty fragment last", split(b"hello", 5), (TEXT, b"hello".into())),
        ("a character in two fragments", split(umlaut, 1), (TEXT, umlaut.into())),
        ("a ping", frame(PING, b"are you there"), (PONG, b"are you there".into())),
        ("a ping of 125 bytes", frame(PING, &[7; 125]), (PONG, vec![7; 125])),
        ("an unasked pong", [frame(PONG, b"yes"), frame(TEXT, b"x")].concat(), (TEXT, b"x".into())),
        (
            "a ping between two fragments",
            [frame(TEXT_BEGUN, b"a"), frame(PING, b"p"), frame(CONTINUED_END, b"b")].concat(),
            (PONG, b"p".into()),
        ),
    ];
    let served = start(Default::default()).await;
    for (what, bytes, expected) in cases {
        let mut raw = Raw::websocket(&served).await;
        raw.send(&bytes).await;
        assert_eq!(raw.frame().await, Some(expected.clone()), "{what}");
        let mut raw = Raw::websocket(&served).await;
        for byte in bytes {
            raw.send(&[byte]).await;
        }
        assert_eq!(raw.frame().await, Some(expected), "{what}, byte by byte");
    }
}

#[tokio::test]
async fn a_long_message_comes_back_whole_in_short_fragments() {
    let served = start(Default::default()).await;
    let mut raw = Raw::websocket(&served).await;
    let long: Vec<u8> = (0..65_536_u32).map(|place| place as u8).collect();
    raw.send(&[frame(TEXT, b"authenticate"), frame(BINARY, &long), frame(BINARY, b"next")].concat()).await;
    let mut whole = Vec::new();
    let (first, payload) = raw.frame().await.unwrap();
    assert_eq!((first, payload.len()), (0x02, 2_048));
    whole.extend(payload);
    while whole.len() < long.len() {
        let (first, payload) = raw.frame().await.unwrap();
        whole.extend(payload);
        assert_eq!(first, if whole.len() < long.len() { CONTINUED } else { CONTINUED_END });
    }
    assert!(whole == long);
    assert_eq!(raw.frame().await, Some((BINARY, b"next".into())));
}

#[tokio::test]
async fn what_came_before_the_broken_frame_is_still_answered() {
    let served = start(Default::default()).await;
    for broken in [frame(TEXT, &[0xff]), frame(0x83, b""), declared(TEXT, 1 << 62)] {
        let mut raw = Raw::websocket(&served).await;
        raw.send(&[frame(TEXT, b"first"), broken].concat()).await;
        assert_eq!(raw.frame().await, Some((TEXT, b"first".into())));
        assert!(raw.close_code().await.is_some());
    }
}

#[tokio::test]
async fn the_server_says_why_it_closes_and_waits_for_the_answer() {
    let served = start(Default::default()).await;
    let mut raw = Raw::websocket(&served).await;
    raw.send(&frame(TEXT, b"bye")).await;
    assert_eq!(raw.frame().await, Some((CLOSE, b"\x03\xf4restart".into())));
    raw.send(&frame(CLOSE, &[3, 244])).await;
    assert!(!raw.more().await);

    let mut silent = Raw::websocket(&served).await;
    silent.send(&frame(TEXT, b"bye")).await;
    assert_eq!(silent.close_code().await, Some(1012));
    let start = Instant::now();
    assert!(!silent.more().await, "who does not answer is closed too");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_last_words_arrive_though_much_is_unread() {
    let served = start(Default::default()).await;
    for broken in [frame(TEXT, &[0xff]), declared(TEXT, 1 << 62)] {
        let mut raw = Raw::websocket(&served).await;
        raw.send(&[broken, vec![0; 200_000]].concat()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(matches!(raw.close_code().await, Some(1007 | 1009)));
        assert!(raw.ends_cleanly().await);
    }
}

fn impatient() -> ListenerSettings {
    let budget = Budget { message_wait: Duration::from_millis(200), ..Budget::default() };
    ListenerSettings { budget, ..ListenerSettings::default() }
}

#[tokio::test]
async fn a_message_that_never_ends_is_closed_with_1008() {
    let served = start(impatient()).await;
    let begun = [
        frame(TEXT_BEGUN, b"x"),
        frame(TEXT_BEGUN, b""),
        vec![TEXT],
        vec![TEXT, 0x80 | 126],
        declared(TEXT, 100),
        [frame(TEXT_BEGUN, b"x"), frame(PING, b"")].concat(),
    ];
    for bytes in begun {
        let mut raw = Raw::websocket(&served).await;
        raw.send(&bytes).await;
        assert_eq!(raw.close_code().await, Some(1008), "{bytes:?}");
    }
    let mut dripping = Raw::websocket(&served).await;
    dripping.send(&frame(TEXT_BEGUN, b"x")).await;
    for _ in 0..20 {
        dripping.send(&frame(CONTINUED, b"")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(dripping.close_code().await, Some(1008));

    let mut idle = Raw::websocket(&served).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    idle.send(&frame(TEXT, b"still here")).await;
    assert_eq!(idle.frame().await, Some((TEXT, b"still here".into())), "silence between messages is fine");
}

#[tokio::test]
async fn a_flood_of_frames_is_slowed_and_others_notice_nothing() {
    let budget = Budget { frames_per_second: 100, frames_burst: 200, ..Budget::default() };
    let served = start(ListenerSettings { budget, ..ListenerSettings::default() }).await;
    let flood = Raw::websocket(&served).await;
    let (mut from, mut to) = flood.stream.into_split();
    let one = frame(TEXT, b"x");
    let flooding =
        tokio::spawn(
            async move { while tokio::io::AsyncWriteExt::write_all(&mut to, &one.repeat(1_000)).await.is_ok() {} },
        );
    let begin = Instant::now();
    let mut echoed = 0;
    let mut buffer = [0; 3_000];
    let mut other = Raw::websocket(&served).await;
    while begin.elapsed() < Duration::from_secs(2) {
        let read =
            tokio::time::timeout(Duration::from_millis(100), tokio::io::AsyncReadExt::read(&mut from, &mut buffer));
        echoed += read.await.map_or(0, Result::unwrap) / 3; // an unmasked frame of one byte has three
        other.send(&frame(TEXT, b"hello")).await;
        assert_eq!(other.frame().await, Some((TEXT, b"hello".into())));
    }
    flooding.abort();
    assert!(echoed >= 200, "{echoed} frames: the burst is allowed");
    let seconds = begin.elapsed().as_secs() as usize + 1;
    assert!(echoed <= 200 + 100 * seconds + 300, "{echoed} frames in {seconds} s");
}
