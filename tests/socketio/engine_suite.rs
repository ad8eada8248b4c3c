//! What the official suite of the Engine.IO protocol asks.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::support::{PING_INTERVAL, PING_TIMEOUT, Server, calm, client, quick};

#[tokio::test]
async fn a_session_opens_over_polling() {
    let server = Server::start(quick()).await;
    let session = server.open().await;
    let expected = json!({
        "sid": session.sid, "upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000,
    });
    assert_eq!(session.handshake, expected);
}

#[tokio::test]
async fn a_session_opens_over_websocket() {
    let server = Server::start(quick()).await;
    let mut socket = server.websocket("/engine.io/?EIO=4&transport=websocket").await.unwrap();
    let handshake: serde_json::Value = serde_json::from_str(socket.text().await.strip_prefix('0').unwrap()).unwrap();
    let expected = json!({
        "sid": handshake["sid"], "upgrades": [], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000,
    });
    assert_eq!(handshake, expected);
    for query in ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"] {
        assert_eq!(server.websocket(&format!("/engine.io/?{query}")).await.err(), Some(400), "{query}");
    }
}

#[tokio::test]
async fn messages_are_polled() {
    let server = Server::start(quick()).await;
    for body in ["4hello", "4test1\u{1e}4test2\u{1e}4test3", "4hello\u{1e}bAQIDBA=="] {
        let session = server.open().await;
        assert_eq!(session.post(body).await, (200, "ok".to_owned()));
        assert_eq!(session.poll().await, (200, body.to_owned()));
    }
}

#[tokio::test]
async fn a_body_that_is_none_ends_the_session() {
    let server = Server::start(quick()).await;
    let session = server.open().await;
    assert_eq!(session.post("abc").await.0, 400);
    session.assert_gone().await;
}

#[tokio::test]
async fn a_second_poll_ends_the_session() {
    let server = Server::start(quick()).await;
    let session = server.open().await;
    let second = async {
        sleep(Duration::from_millis(50)).await;
        session.poll().await
    };
    let (first, second) = tokio::join!(session.poll(), second);
    assert_eq!((first, second.0), ((200, "1".to_owned()), 400));
    session.assert_gone().await;
}

#[tokio::test]
async fn a_poll_that_vanishes_ends_the_session() {
    let server = Server::start(quick()).await;
    let session = server.open().await;
    let request = client().get(format!("http://{}{}", server.address, session.query("polling"))).send();
    assert!(tokio::time::timeout(Duration::from_millis(50), request).await.is_err(), "nothing to get");
    sleep(Duration::from_millis(50)).await;
    session.assert_gone().await;
}

#[tokio::test]
async fn messages_travel_over_websocket() {
    let server = Server::start(quick()).await;
    let mut socket = server.engine().await;
    socket.say("4hello").await;
    assert_eq!(socket.text_but_pings().await, "4hello");
    let mut socket = server.engine().await;
    socket.say_bytes(&[1, 2, 3, 4]).await;
    assert_eq!(socket.bytes().await, [1, 2, 3, 4]);
    socket.say("abc").await;
    socket.closed().await;
}

#[tokio::test]
async fn whoever_answers_pings_stays() {
    let server = Server::start(quick()).await;
    let (session, mut socket) = (server.open().await, server.engine().await);
    for _ in 0..3 {
        assert_eq!(session.poll().await, (200, "2".to_owned()));
        assert_eq!(session.post("3").await.0, 200);
    }
    // Meanwhile the socket was closed, since nobody answered there.
    socket.closed().await;
    let mut socket = server.engine().await;
    for _ in 0..3 {
        assert_eq!(socket.text().await, "2");
        socket.say("3").await;
    }
}

#[tokio::test]
async fn whoever_answers_no_ping_is_closed() {
    let server = Server::start(quick()).await;
    let session = server.open().await;
    let mut socket = server.engine().await;
    sleep(PING_INTERVAL + PING_TIMEOUT).await;
    session.assert_gone().await;
    assert_eq!(socket.text().await, "2");
    socket.closed().await;
}

#[tokio::test]
async fn a_client_may_leave() {
    let server = Server::start(calm()).await;
    let session = server.open().await;
    let leave = async {
        sleep(Duration::from_millis(50)).await;
        session.post("1").await
    };
    let (poll, leave) = tokio::join!(session.poll(), leave);
    assert_eq!((poll, leave), ((200, "6".to_owned()), (200, "ok".to_owned())));
    session.assert_gone().await;
    let mut socket = server.engine().await;
    socket.say("1").await;
    socket.closed().await;
}

#[tokio::test]
async fn a_session_becomes_a_websocket() {
    let server = Server::start(quick()).await;
    let session = server.open().await;
    let mut socket = session.upgrade().await.unwrap();
    socket.say("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.say("5").await;
    socket.say("4hello").await;
    assert_eq!(socket.text_but_pings().await, "4hello");
    session.assert_gone().await;
    assert_eq!(session.upgrade().await.err(), Some(400));
    socket.say("4still here").await;
    assert_eq!(socket.text_but_pings().await, "4still here");
}
