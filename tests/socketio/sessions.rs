//! Sessions at their bounds: back-pressure, caps, the change to WebSocket when it goes wrong, and nothing left behind.

use std::time::Duration;

use serde_json::Value;
use switchboard::door::engineio::Settings;
use tokio::time::{sleep, timeout};

use crate::support::{Server, calm, client, quick};

/// Waits until no session is left.
async fn assert_nothing_left(server: &Server) {
    for _ in 0..400 {
        if server.sessions.is_empty() {
            return;
        }
        sleep(Duration::from_millis(25)).await;
    }
    panic!("{} sessions were left", server.sessions.len());
}

#[tokio::test]
async fn abandoned_sessions_are_forgotten() {
    let server = Server::start(quick()).await;
    for _ in 0..100 {
        server.open().await;
    }
    let session = server.open().await;
    session.post("4what nobody polls").await;
    drop(server.engine().await);
    assert!(!server.sessions.is_empty(), "the last ones are there");
    assert_nothing_left(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_poll_is_not_read() {
    let server = Server::start(calm()).await;
    let session = server.open().await;
    let body = |n: usize| format!("4{n:02}{}", "x".repeat(9_000));
    let mut posted = 0;
    while timeout(Duration::from_millis(500), session.post(&body(posted))).await.is_ok() {
        posted += 1;
        assert!(posted < 20, "there is no bound");
    }
    assert!(posted >= 7, "{posted}");
    // The body that waited was given up with its request; whether it counts is open. What was answered counts.
    for n in 0..posted {
        let (status, polled) = session.poll().await;
        assert_eq!((status, &polled[..3]), (200, &body(n)[..3]), "one poll gets what one body may hold");
    }
}

#[tokio::test]
async fn a_body_waits_until_there_is_room() {
    let server = Server::start(calm()).await;
    let session = server.open().await;
    let body = |n: usize| format!("4{n:02}{}", "x".repeat(9_000));
    let post_all = async {
        for n in 0..40 {
            assert_eq!(session.post(&body(n)).await.0, 200);
        }
    };
    let poll_all = async {
        sleep(Duration::from_millis(100)).await;
        for n in 0..40 {
            assert_eq!(session.poll().await, (200, body(n)));
        }
    };
    tokio::join!(post_all, poll_all);
}

#[tokio::test]
async fn two_bodies_at_once_end_the_session() {
    let server = Server::start(calm()).await;
    let session = server.open().await;
    let body = format!("4{}", "x".repeat(9_000));
    let mut overlapping = Vec::new();
    loop {
        let post = tokio::spawn(
            client().post(format!("http://{}{}", server.address, session.query("polling"))).body(body.clone()).send(),
        );
        sleep(Duration::from_millis(100)).await;
        if post.is_finished() {
            assert_eq!(post.await.unwrap().unwrap().status(), 200);
        } else {
            overlapping.push(post);
            break;
        }
    }
    assert_eq!(session.post("4and another").await.0, 400);
    for post in overlapping {
        assert_eq!(post.await.unwrap().unwrap().status(), 400);
    }
    session.assert_gone().await;
    assert_nothing_left(&server).await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_and_the_session_goes_on() {
    let settings = Settings { first_payload_max: 100, ..calm() };
    let server = Server::start_for(settings, vec!["http://page.example"]).await;
    let session = server.open().await;
    let url = format!("http://{}{}", server.address, session.query("polling"));
    let request = client().post(url).header("origin", "http://page.example").body("4".repeat(101));
    let refused = request.send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]),
        (413, &"http://page.example".parse().unwrap())
    );
    assert_eq!(session.post("4short").await.0, 200);
    assert_eq!(session.poll().await.1, "4short");
}

#[tokio::test]
async fn sessions_are_counted() {
    let server = Server::start(Settings { sessions_max: 2, ..calm() }).await;
    let crowded = Server::start(Settings { guests_per_address_max: 2, ..calm() }).await;
    for server in [&server, &crowded] {
        let (first, _second) = (server.open().await, server.open().await);
        let refused = server.request("GET", "/engine.io/?EIO=4&transport=polling", "").await;
        assert_eq!(refused.status(), 403);
        assert_eq!(refused.text().await.unwrap(), r#"{"code":4,"message":"Forbidden"}"#);
        first.post("1").await;
        first.assert_gone().await;
        for _ in 0..200 {
            if server.sessions.len() < 2 {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        server.open().await;
    }
}

#[tokio::test]
async fn pages_of_the_list_may_read_every_answer() {
    const PAGE: &str = "http://localhost:5173";
    let server = Server::start_for(calm(), vec![PAGE]).await;
    for (method, query, status) in [
        ("GET", "EIO=4&transport=polling", 200),
        ("GET", "", 400),
        ("POST", "EIO=4&transport=polling", 400),
        ("OPTIONS", "", 204),
    ] {
        let request = |origin: &'static str| {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let url = format!("http://{}/engine.io/?{query}", server.address);
            client()
                .request(method, url)
                .header("origin", origin)
                .header("access-control-request-headers", "x-mine")
                .send()
        };
        let listed = request(PAGE).await.unwrap();
        assert_eq!(listed.status(), status, "{method} {query}");
        assert_eq!(listed.headers()["access-control-allow-origin"], PAGE);
        assert_eq!(listed.headers()["access-control-allow-credentials"], "true");
        assert_eq!(listed.headers()["vary"], "Origin");
        if method == "OPTIONS" {
            assert_eq!(listed.headers()["access-control-allow-headers"], "x-mine");
        }
        let stranger = request("http://evil.example").await.unwrap();
        assert!(!stranger.headers().contains_key("access-control-allow-origin"));
        if query.contains("polling") {
            assert_eq!(stranger.status(), 403);
            let body: Value = serde_json::from_str(&stranger.text().await.unwrap()).unwrap();
            assert_eq!(body["code"], 4);
        }
    }
}

#[tokio::test]
async fn an_answer_is_not_kept() {
    let server = Server::start(calm()).await;
    let response = server.request("GET", "/engine.io/?EIO=4&transport=polling", "").await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "text/plain; charset=UTF-8");
}

#[tokio::test]
async fn a_poll_that_waits_is_released_for_the_upgrade() {
    let server = Server::start(calm()).await;
    let session = server.open().await;
    let upgrade = async {
        let mut socket = session.upgrade().await.unwrap();
        socket.say("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket
    };
    let (poll, mut socket) = tokio::join!(session.poll(), upgrade);
    assert_eq!(poll, (200, "6".to_owned()));
    assert_eq!(session.upgrade().await.err(), Some(400), "one at a time");
    assert_eq!(session.post("4one\u{1e}4two").await.0, 200);
    socket.say("5").await;
    socket.say("4three").await;
    for expected in ["4one", "4two", "4three"] {
        assert_eq!(socket.text().await, expected);
    }
    assert_nothing_left(&server).await;
    socket.say("1").await;
    socket.closed().await;
}

#[tokio::test]
async fn polling_goes_on_when_an_upgrade_fails() {
    let server = Server::start(calm()).await;
    let session = server.open().await;
    for said in ["4hello", "2", "5", "3probe", "1", ""] {
        let mut socket = session.upgrade().await.unwrap();
        socket.say(said).await;
        socket.closed().await;
    }
    let mut socket = session.upgrade().await.unwrap();
    socket.say("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.closed().await; // nobody confirmed
    drop(session.upgrade().await.unwrap());
    assert_eq!(session.post("4still there").await.0, 200);
    assert_eq!(session.poll().await, (200, "4still there".to_owned()));
}

#[tokio::test]
async fn a_websocket_message_that_is_too_long_ends_the_session() {
    let server = Server::start(calm()).await;
    let mut socket = server.engine().await;
    socket.say(&format!("4{}", "x".repeat(9_999))).await;
    assert_eq!(socket.text().await.len(), 10_000);
    socket.say(&format!("4{}", "x".repeat(10_000))).await;
    socket.closed().await;
}
