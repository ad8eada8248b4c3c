//! What the official suite of the Socket.IO protocol asks.

use serde_json::Value;

use crate::support::{Server, Socket, quick};

async fn stranger(server: &Server) -> Socket {
    let mut socket = server.websocket("/socket.io/?EIO=4&transport=websocket").await.unwrap();
    assert!(socket.text().await.starts_with("0{"));
    socket
}

#[tokio::test]
async fn a_client_joins_a_namespace() {
    let server = Server::start(quick()).await;
    for (said, greeted, auth) in [
        ("40", "40", r#"42["auth",{}]"#),
        (r#"40{"token":"123"}"#, "40", r#"42["auth",{"token":"123"}]"#),
        ("40/custom,", "40/custom,", r#"42/custom,["auth",{}]"#),
        (r#"40/custom,{"token":"abc"}"#, "40/custom,", r#"42/custom,["auth",{"token":"abc"}]"#),
    ] {
        let mut socket = stranger(&server).await;
        socket.say(said).await;
        let greeting = socket.text().await;
        let greeting: Value = serde_json::from_str(greeting.strip_prefix(greeted).unwrap()).unwrap();
        assert!(greeting["sid"].is_string() && greeting.as_object().unwrap().len() == 1, "{greeting}");
        assert_eq!(socket.text().await, auth);
    }
}

#[tokio::test]
async fn no_client_joins_what_there_is_not() {
    let server = Server::start(quick()).await;
    let mut socket = stranger(&server).await;
    socket.say("40/random").await;
    assert_eq!(socket.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    socket.say("4abc").await;
    socket.closed().await;
}

#[tokio::test]
async fn whoever_joins_nothing_is_closed() {
    let server = Server::start(quick()).await;
    let mut socket = stranger(&server).await;
    for _ in 0..3 {
        assert_eq!(socket.text().await, "2");
        socket.say("3").await;
    }
    socket.closed().await;
}

#[tokio::test]
async fn a_client_leaves_a_namespace_and_stays() {
    let server = Server::start(quick()).await;
    let mut socket = server.socket().await;
    socket.say("41").await;
    assert_eq!(socket.text().await, "2");
    let mut socket = server.socket().await;
    socket.say("40/custom").await;
    assert!(socket.text_but_pings().await.starts_with("40/custom,"));
    assert_eq!(socket.text_but_pings().await, r#"42/custom,["auth",{}]"#);
    socket.say("41/custom").await;
    socket.say(r#"42["message","message to main namespace"]"#).await;
    assert_eq!(socket.text_but_pings().await, r#"42["message-back","message to main namespace"]"#);
}

#[tokio::test]
async fn events_are_said_back() {
    let server = Server::start(quick()).await;
    let mut socket = server.socket().await;
    for (said, back) in [
        (r#"42["message",1,"2",{"3":[true]}]"#, r#"42["message-back",1,"2",{"3":[true]}]"#),
        (r#"42456["message-with-ack",1,"2",{"3":[false]}]"#, r#"43456[1,"2",{"3":[false]}]"#),
        (r#"42["message","日本 \ud83d\ude00"]"#, r#"42["message-back","日本 \ud83d\ude00"]"#),
    ] {
        socket.say(said).await;
        assert_eq!(socket.text_but_pings().await, back);
    }
}

#[tokio::test]
async fn events_with_attachments_are_said_back() {
    let server = Server::start(quick()).await;
    const PARTS: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    for (said, back) in [
        (format!(r#"452-["message",{PARTS}]"#), format!(r#"452-["message-back",{PARTS}]"#)),
        (format!(r#"452-789["message-with-ack",{PARTS}]"#), format!("462-789[{PARTS}]")),
    ] {
        let mut socket = server.socket().await;
        socket.say(&said).await;
        socket.say_bytes(&[1, 2, 3]).await;
        socket.say_bytes(&[4, 5, 6]).await;
        assert_eq!(socket.text_but_pings().await, back);
        assert_eq!((socket.bytes().await, socket.bytes().await), (vec![1, 2, 3], vec![4, 5, 6]));
    }
}
