//! Every malformed input of the tables gets its answer: from the codecs, and over real connections.

use bytes::Bytes;
use proptest::prelude::*;
use switchboard::door::socketio::{Connection, Input};
use switchboard::wire::engineio::payload::{self, Part};
use switchboard::wire::engineio::{Packet as EnginePacket, Query, Sid};
use switchboard::wire::socketio::{BadPacket, Packet};

use crate::cases::{
    BAD_ENGINE_PACKETS, BAD_FOLLOWERS, BAD_HANDSHAKES, BAD_MESSAGES, BAD_PAYLOADS, BAD_PLACEHOLDERS,
    UNTIMELY_ENGINE_PACKETS,
};
use crate::support::{Server, calm};

const WITH_ATTACHMENT: &str = r#"51-["message",{"_placeholder":true,"num":0}]"#;

#[test]
fn the_tables_are_long_enough_and_say_nothing_twice() {
    let packets = BAD_ENGINE_PACKETS.len() + UNTIMELY_ENGINE_PACKETS.len() + BAD_PAYLOADS.len();
    let messages = BAD_MESSAGES.len() + BAD_FOLLOWERS.len() + BAD_PLACEHOLDERS.len();
    assert!(packets + messages + BAD_HANDSHAKES.len() >= 150, "{packets} {messages}");
    for table in
        [BAD_ENGINE_PACKETS, UNTIMELY_ENGINE_PACKETS, BAD_PAYLOADS, BAD_MESSAGES, BAD_FOLLOWERS, BAD_PLACEHOLDERS]
    {
        let mut seen = table.to_vec();
        seen.sort_unstable();
        let twice = seen.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None);
    }
}

#[test]
fn the_codecs_refuse_the_tables() {
    for packet in BAD_ENGINE_PACKETS {
        assert!(EnginePacket::decode(packet).is_err(), "{packet:?}");
    }
    for body in BAD_PAYLOADS {
        let untimely = |part: &Part<'_>| matches!(part, Part::Text(EnginePacket::Ping(_) | EnginePacket::Upgrade));
        assert!(payload::decode(body).map_or(true, |parts| parts.iter().any(untimely)), "{body:?}");
    }
    for message in BAD_MESSAGES {
        let mut connection = joined();
        assert_eq!(connection.text(&Bytes::from(*message)), Err(BadPacket), "{message:?}");
    }
    for follower in BAD_FOLLOWERS {
        let mut connection = joined();
        assert_eq!(connection.text(&WITH_ATTACHMENT.into()), Ok(Input::More));
        assert_eq!(connection.text(&Bytes::from(*follower)), Err(BadPacket), "{follower:?}");
    }
    for message in BAD_PLACEHOLDERS {
        let mut connection = joined();
        assert_eq!(connection.text(&Bytes::from(*message)), Ok(Input::More), "{message:?}");
        assert_eq!(connection.binary(Bytes::from_static(&[1])), Err(BadPacket), "{message:?}");
    }
}

fn joined() -> Connection {
    let mut connection = Connection::new(&["/", "/custom"], 1_000);
    connection.text(&"0".into()).unwrap();
    connection
}

#[tokio::test]
async fn a_bad_engine_packet_ends_a_websocket_session() {
    let server = Server::start(calm()).await;
    for packet in BAD_ENGINE_PACKETS.iter().chain(UNTIMELY_ENGINE_PACKETS) {
        let mut socket = server.engine().await;
        socket.say(packet).await;
        socket.closed().await;
    }
    let mut socket = server.engine().await;
    socket.say("4still there").await;
    assert_eq!(socket.text().await, "4still there");
}

#[tokio::test]
async fn a_bad_body_ends_a_polled_session() {
    let server = Server::start(calm()).await;
    for body in BAD_ENGINE_PACKETS.iter().chain(UNTIMELY_ENGINE_PACKETS).chain(BAD_PAYLOADS) {
        let session = server.open().await;
        assert_eq!(session.post(body).await, (400, r#"{"code":3,"message":"Bad request"}"#.to_owned()), "{body:?}");
        session.assert_gone().await;
    }
    let session = server.open().await;
    let many = vec!["4"; 1_025].join("\u{1e}");
    assert_eq!(session.post(&many).await.0, 400);
    session.assert_gone().await;
}

#[tokio::test]
async fn a_bad_message_ends_the_transport() {
    let server = Server::start(calm()).await;
    for message in BAD_MESSAGES {
        let mut socket = server.socket().await;
        socket.say(&format!("4{message}")).await;
        socket.closed().await;
    }
    for follower in BAD_FOLLOWERS {
        let mut socket = server.socket().await;
        socket.say(&format!("4{WITH_ATTACHMENT}")).await;
        socket.say(&format!("4{follower}")).await;
        socket.closed().await;
    }
    for message in BAD_PLACEHOLDERS {
        let mut socket = server.socket().await;
        socket.say(&format!("4{message}")).await;
        socket.say_bytes(&[1]).await;
        socket.closed().await;
    }
    let mut socket = server.socket().await;
    socket.say_bytes(&[1]).await;
    socket.closed().await;
}

#[tokio::test]
async fn a_bad_message_that_is_posted_ends_the_session() {
    let server = Server::start(calm()).await;
    for message in ["2{}", "4abc", "1x", r#"511-["message"]"#] {
        let session = server.open_at("/socket.io/").await;
        assert_eq!(session.post("40").await.0, 200);
        assert_eq!(session.post(&format!("4{message}")).await.0, 200);
        // What was said before may still be polled, and then the end.
        let (status, last) = session.poll().await;
        assert!(status == 400 || last.ends_with("\u{1e}1"), "{status} {last}");
        session.assert_gone().await;
    }
}

#[tokio::test]
async fn a_request_that_opens_nothing_is_refused_by_its_code() {
    let server = Server::start(calm()).await;
    for path in ["/engine.io/", "/engine.io", "/socket.io/"] {
        for (method, query, code) in BAD_HANDSHAKES {
            let response = server.request(method, &format!("{path}?{query}"), "").await;
            assert_eq!(response.status(), 400, "{method} {query}");
            let body = response.text().await.unwrap();
            assert!(
                *method == "HEAD" || body.starts_with(&format!(r#"{{"code":{code},"message":""#)),
                "{query} {body}"
            );
        }
        let response = server.request("GET", path, "").await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.text().await.unwrap(), r#"{"code":0,"message":"Transport unknown"}"#);
    }
    assert!(server.sessions.is_empty());
}

/// Good packets, torn and stirred.
fn nearly_packets() -> impl Strategy<Value = String> {
    let whole = prop::sample::select(vec![
        r#"2["message",1,"2",{"3":[true]}]"#,
        r#"52-/custom,789["message",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#,
        r#"0/custom?a=b,{"token":"x"}"#,
        "3/custom,12[]",
        "1/custom,",
        "4hello\u{1e}bAQIDBA==\u{1e}2probe\u{1e}3",
        "EIO=4&transport=polling&sid=000000000000000000000000000000000000000000000000&t=x&j=1",
    ]);
    (whole, any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[0-9,/\\[\\]{}\":\\-é\u{1e}b]{0,6}").prop_map(
        |(whole, from, to, stirred)| {
            let characters: Vec<char> = whole.chars().collect();
            let (from, to) = (from.index(characters.len()), to.index(characters.len()));
            let kept = |range: &[char]| range.iter().collect::<String>();
            format!("{}{stirred}{}", kept(&characters[..from.min(to)]), kept(&characters[from.max(to)..]))
        },
    )
}

fn decode_all(text: &str) {
    let _ = (EnginePacket::decode(text), payload::decode(text), Query::parse(text), text.parse::<Sid>());
    if let Ok(packet) = Packet::decode(text)
        && let Some(arguments) = packet.arguments()
    {
        for at in 0..arguments.len() {
            let _ = arguments.read::<serde_json::Value>(at);
        }
    }
    let mut connection = joined();
    let text = Bytes::from(text.to_owned());
    if connection.text(&text) == Ok(Input::More) {
        let _ = connection.binary(text.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_comes_ends_in_a_value_or_an_error(text in any::<String>()) {
        decode_all(&text);
    }

    #[test]
    fn whatever_is_nearly_right_does_too(text in nearly_packets()) {
        decode_all(&text);
    }

    #[test]
    fn bytes_that_are_no_text_are_no_packet(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = joined().text(&bytes.into());
    }
}
