//! What an unchanged page of a classic chat relies on, row by row. Objects may have more fields than a row says: relatives
//! of that page look for them.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use switchboard::model::Role;

use crate::support::cluster::{Cluster, token, token_as, token_expired};
use crate::support::page::{Page, is_like};
use crate::support::services::Mongo;

/// Somebody of the table: `ann` and `bob` are users, `sue` and `tom` are agents, and `sue` came first; `eve` has no token.
type Who = &'static str;

struct Row {
    /// Who says what.
    says: (Who, &'static str, Value),
    /// Who hears what, at once. Nobody hears anything else.
    heard: Vec<(Who, &'static str, Value)>,
}

/// Who asks for what with which body, and the status and the body of the answer.
type Request = (Who, Method, &'static str, Option<Value>, u16, Value);

fn row(who: Who, event: &'static str, argument: Value, heard: &[(Who, &'static str, Value)]) -> Row {
    Row { says: (who, event, argument), heard: heard.to_vec() }
}

/// A message, populated, with what its relatives look for.
fn message(sender: &str, receiver: &str, text: &str) -> Value {
    let person = |id: &str| json!({ "_id": id, "name": "<text>", "email": "<text>" });
    json!({
        "_id": "<id>", "sender": person(sender), "receiver": person(receiver), "message": text, "createdAt": "<time>",
        "read": false,
        "updatedAt": "<time>", "__v": 0, "isRead": false, "messageId": "<id>", "senderId": sender, "receiverId": receiver,
        "conversationId": "<text>", "seq": "<number>", "clientMessageId": "<text>",
    })
}

fn sent(sender: &str, receiver: &str, text: &str) -> Value {
    let mut sent = message(sender, receiver, text);
    for (name, value) in [("success", json!(true)), ("status", json!("sent")), ("id", json!("<id>"))] {
        sent[name] = value;
    }
    sent
}

fn error(message: &str) -> Value {
    json!({ "message": message, "code": "<text>" })
}

fn events() -> Vec<Row> {
    let incomplete = || error("Receiver ID and message are required");
    let of_agent = |mut message: Value, agent: &str| {
        message["agent"] = json!({ "_id": agent, "name": "<text>" });
        message
    };
    vec![
        // Strangers.
        row(
            "eve",
            "authenticate",
            json!("a.b.c"),
            &[("eve", "authenticated", json!({ "success": false, "message": "Invalid token" }))],
        ),
        row(
            "eve",
            "authenticate",
            Value::Null,
            &[("eve", "authenticated", json!({ "success": false, "message": "No token provided" }))],
        ),
        row(
            "eve",
            "authenticate",
            json!(""),
            &[("eve", "authenticated", json!({ "success": false, "message": "No token provided" }))],
        ),
        row(
            "eve",
            "send-message",
            json!({ "receiverId": "sue", "message": "hi" }),
            &[("eve", "error", error("Not authenticated"))],
        ),
        row("eve", "mark-read", json!({ "senderId": "sue" }), &[("eve", "error", error("Not authenticated"))]),
        row("eve", "typing", json!({ "receiverId": "sue" }), &[("eve", "error", error("Not authenticated"))]),
        row("eve", "join", json!("ann"), &[("eve", "error", error("Not authenticated"))]),
        // Again, as after 2 s or with a new token, in every shape.
        row(
            "ann",
            "authenticate",
            json!(token("ann")),
            &[("ann", "authenticated", json!({ "success": true, "userId": "ann", "role": "user" }))],
        ),
        row(
            "sue",
            "authenticate",
            json!({ "token": token_as("sue", Role::Admin) }),
            &[("sue", "authenticated", json!({ "success": true, "userId": "sue", "role": "admin" }))],
        ),
        row(
            "ann",
            "authenticate",
            json!(format!("Bearer {}", token("ann"))),
            &[("ann", "authenticated", json!({ "success": true }))],
        ),
        row(
            "ann",
            "authenticate",
            json!("a.b.c"),
            &[("ann", "authenticated", json!({ "success": false, "message": "Invalid token" }))],
        ),
        row(
            "ann",
            "authenticate",
            json!(token_expired("ann")),
            &[("ann", "authenticated", json!({ "success": false, "message": "Invalid token" }))],
        ),
        // A user writes to the team: the sending socket hears that it is stored, every agent hears it as to them.
        row(
            "ann",
            "typing",
            json!({ "receiverId": "sue" }),
            &[
                ("sue", "user-typing", json!({ "userId": "ann", "from": "ann" })),
                ("tom", "user-typing", json!({ "userId": "ann" })),
            ],
        ),
        row(
            "ann",
            "stop-typing",
            json!({ "receiverId": "sue" }),
            &[
                ("sue", "user-stop-typing", json!({ "userId": "ann" })),
                ("tom", "user-stop-typing", json!({ "userId": "ann" })),
            ],
        ),
        row(
            "ann",
            "send-message",
            json!({ "receiverId": "sue", "message": "  Help  " }),
            &[
                ("ann", "message-sent", sent("ann", "sue", "Help")),
                ("sue", "receive-message", message("ann", "sue", "Help")),
                ("tom", "receive-message", message("ann", "tom", "Help")),
            ],
        ),
        row(
            "sue",
            "mark-read",
            json!({ "senderId": "ann" }),
            &[("ann", "messages-read", json!({ "readBy": "sue", "conversationId": "<text>", "seq": 1 }))],
        ),
        // An agent writes for the team: to the user it is the one whom they know, to colleagues their own side.
        row("tom", "typing", json!({ "receiverId": "ann" }), &[("ann", "user-typing", json!({ "userId": "sue" }))]),
        row(
            "tom",
            "send-message",
            json!({ "receiverId": "ann", "message": "Yes?" }),
            &[
                ("tom", "message-sent", of_agent(sent("tom", "ann", "Yes?"), "tom")),
                ("ann", "receive-message", of_agent(message("sue", "ann", "Yes?"), "tom")),
                // Who answers has read.
                ("ann", "messages-read", json!({ "readBy": "sue" })),
                ("sue", "receive-message", of_agent(message("sue", "ann", "Yes?"), "tom")),
            ],
        ),
        row(
            "ann",
            "mark-read",
            json!({ "senderId": "sue" }),
            &[
                ("sue", "messages-read", json!({ "readBy": "ann" })),
                ("tom", "messages-read", json!({ "readBy": "ann" })),
            ],
        ),
        // Two users.
        row(
            "ann",
            "send-message",
            json!({ "receiverId": "bob", "message": "Hi" }),
            &[
                ("ann", "message-sent", sent("ann", "bob", "Hi")),
                ("bob", "receive-message", message("ann", "bob", "Hi")),
            ],
        ),
        row(
            "bob",
            "mark-as-read",
            json!({ "senderId": "ann" }),
            &[("ann", "messages-read", json!({ "readBy": "bob" }))],
        ),
        row("bob", "mark-read", json!({ "senderId": "somebody new" }), &[]),
        // Names of relatives.
        row(
            "ann",
            "send_message",
            json!({ "to": "bob", "content": "1" }),
            &[("ann", "message-sent", sent("ann", "bob", "1")), ("bob", "receive-message", message("ann", "bob", "1"))],
        ),
        row(
            "ann",
            "sendMessage",
            json!({ "recipientId": "bob", "text": "2", "tempId": "t2" }),
            &[
                ("ann", "message-sent", json!({ "message": "2", "clientMessageId": "t2" })),
                ("bob", "receive-message", message("ann", "bob", "2")),
            ],
        ),
        row(
            "ann",
            "send:message",
            json!({ "receiver": { "_id": "bob" }, "body": "3" }),
            &[("ann", "message-sent", sent("ann", "bob", "3")), ("bob", "receive-message", message("ann", "bob", "3"))],
        ),
        row("ann", "join", json!("ann"), &[]),
        row("ann", "register", json!({ "userId": "bob" }), &[("ann", "error", error("Not authenticated"))]),
        // What is not done, and said so.
        row("ann", "send-message", json!({}), &[("ann", "error", incomplete())]),
        row("ann", "send-message", json!({ "receiverId": "sue" }), &[("ann", "error", incomplete())]),
        row("ann", "send-message", json!({ "message": "hi" }), &[("ann", "error", incomplete())]),
        row("ann", "send-message", json!({ "receiverId": "sue", "message": "   " }), &[("ann", "error", incomplete())]),
        row(
            "ann",
            "send-message",
            json!({ "receiverId": ["sue"], "message": "hi" }),
            &[("ann", "error", incomplete())],
        ),
        row(
            "ann",
            "send-message",
            json!({ "receiverId": "no user id", "message": "hi" }),
            &[("ann", "error", incomplete())],
        ),
        row(
            "ann",
            "send-message",
            json!({ "receiverId": "sue", "message": "x".repeat(20_000) }),
            &[("ann", "error", json!({ "message": "Failed to send message", "error": "<text>", "code": "invalid" }))],
        ),
        row("ann", "mark-read", json!({}), &[("ann", "error", error("A user id is required"))]),
        row("ann", "typing", json!({ "receiverId": "" }), &[("ann", "error", error("A user id is required"))]),
        row("ann", "no-such-event", json!({}), &[("ann", "error", error("There is no such event"))]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_heard_by_whom_it_concerns_and_by_nobody_else() {
    let cluster = Cluster::local(3).await;
    let node = |n: usize| cluster.nodes[n].address();
    let mut pages = vec![
        ("sue", Page::of(node(0), &token_as("sue", Role::Admin)).await),
        ("tom", Page::of(node(1), &token_as("tom", Role::Admin)).await),
        ("ann", Page::of(node(2), &token("ann")).await),
        ("bob", Page::of(node(0), &token("bob")).await),
        ("eve", Page::open(node(1)).await),
    ];
    for Row { says: (who, event, argument), heard } in events() {
        let name = format!("{who} says {event} {argument:.60}");
        let page = |pages: &mut [(Who, Page)], who: Who| pages.iter().position(|(of, _)| *of == who).unwrap();
        let at = page(&mut pages, who);
        pages[at].1.emit(event, &argument).await;
        for (who, event, like) in heard {
            let at = page(&mut pages, who);
            let value = pages[at].1.hears(event).await;
            assert!(is_like(&value, &like), "{name}: {who} heard {event} {value:#}\nand not {like:#}");
        }
        for (who, page) in pages.iter_mut().filter(|(who, _)| *who != "eve") {
            assert_eq!(page.rest().await, [""; 0], "{name}: {who} heard more");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_as_the_page_knows_it() {
    let cluster = Cluster::local(2).await;
    let url = |path: &str| format!("http://{}{path}", cluster.nodes[0].address());
    let http = Client::new();
    let tokens = [("ann", token("ann")), ("sue", token_as("sue", Role::Admin)), ("old", token_expired("ann"))];
    let ask = async |who: &str, method: Method, path: &str, body: Option<Value>| {
        let mut request = http.request(method, url(path));
        if let Some((_, token)) = tokens.iter().find(|(of, _)| *of == who) {
            request = request.bearer_auth(token);
        } else if who != "nobody" {
            request = request.header("authorization", who);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap_or_default())
    };
    let unauthorized = |message: &str| json!({ "success": false, "message": message });
    let before = [
        ("nobody", Method::GET, "/", None, 200, json!({ "message": "Server is healthy" })),
        ("nobody", Method::GET, "/health", None, 200, json!({ "message": "Server is healthy", "status": "<text>" })),
        ("nobody", Method::GET, "/socket.io/", None, 400, json!({ "code": 0, "message": "Transport unknown" })),
        ("nobody", Method::GET, "/api/chat/admin", None, 401, unauthorized("No token provided")),
        ("Bearer", Method::GET, "/api/chat/admin", None, 401, unauthorized("No token provided")),
        ("Bearer a.b.c", Method::GET, "/api/chat/admin", None, 401, unauthorized("Invalid token")),
        ("old", Method::GET, "/api/chat/conversations", None, 401, unauthorized("Token expired")),
        ("ann", Method::GET, "/api/chat/admin", None, 404, json!({ "message": "Admin not found" })),
        ("ann", Method::GET, "/api/chat/unread-count", None, 200, json!({ "count": 0 })),
        ("ann", Method::GET, "/api/chat/messages/nobody", None, 200, json!([])),
        ("ann", Method::GET, "/api/chat/conversations", None, 403, json!({ "message": "Access denied" })),
        ("sue", Method::GET, "/api/chat/conversations", None, 200, json!([])),
    ];
    let incomplete = || json!({ "message": "Receiver and message are required" });
    let read = |mut message: Value| {
        (message["read"], message["isRead"]) = (json!(true), json!(true));
        message
    };
    let listed = |unread: u64| {
        json!([{
            "_id": "ann", "userId": "ann", "name": "<text>", "email": "<text>", "lastMessage": "Help",
            "lastMessageTime": "<time>", "unreadCount": unread, "otherUser": { "_id": "ann" }, "conversationId": "<text>",
        }])
    };
    let after = [
        (
            "ann",
            Method::GET,
            "/api/chat/admin",
            None,
            200,
            json!({ "_id": "sue", "name": "<text>", "email": "<text>" }),
        ),
        (
            "ann",
            Method::POST,
            "/api/chat/send",
            Some(json!({ "receiverId": "sue", "message": " Help " })),
            201,
            message("ann", "sue", "Help"),
        ),
        ("ann", Method::POST, "/api/chat/send", Some(json!({ "receiverId": "sue" })), 400, incomplete()),
        (
            "ann",
            Method::POST,
            "/api/chat/send",
            Some(json!({ "receiverId": "sue", "message": " " })),
            400,
            incomplete(),
        ),
        ("ann", Method::POST, "/api/chat/send", Some(json!("nonsense")), 400, incomplete()),
        ("nobody", Method::POST, "/api/chat/send", Some(json!({})), 401, unauthorized("No token provided")),
        ("sue", Method::GET, "/api/chat/unread-count", None, 200, json!({ "count": 1 })),
        ("sue", Method::GET, "/api/chat/conversations", None, 200, listed(1)),
        ("ann", Method::GET, "/api/chat/messages/sue", None, 200, json!([message("ann", "sue", "Help")])),
        ("sue", Method::GET, "/api/chat/unread-count", None, 200, json!({ "count": 1 })),
        ("sue", Method::GET, "/api/chat/messages/ann", None, 200, json!([message("ann", "sue", "Help")])),
        ("sue", Method::GET, "/api/chat/unread-count", None, 200, json!({ "count": 0 })),
        ("sue", Method::GET, "/api/messages/conversations", None, 200, listed(0)),
        ("sue", Method::GET, "/api/messages/ann", None, 200, json!([read(message("ann", "sue", "Help"))])),
        ("ann", Method::GET, "/api/messages/unread-count", None, 200, json!({ "count": 0 })),
        ("ann", Method::GET, "/api/messages/admin", None, 200, json!({ "_id": "sue" })),
        (
            "sue",
            Method::POST,
            "/api/messages/send",
            Some(json!({ "to": "ann", "text": "Yes?", "tempId": "t" })),
            201,
            json!({ "clientMessageId": "t", "sender": { "_id": "sue" } }),
        ),
        (
            "sue",
            Method::POST,
            "/api/messages/send",
            Some(json!({ "to": "ann", "text": "Yes?", "tempId": "t" })),
            201,
            json!({ "seq": 2 }),
        ),
        ("ann", Method::GET, "/api/chat/unread-count", None, 200, json!({ "count": 1 })),
        ("ann", Method::PUT, "/api/chat/read/sue", None, 200, json!({ "success": true })),
        ("ann", Method::GET, "/api/chat/unread-count", None, 200, json!({ "count": 0 })),
        ("ann", Method::GET, "/api/chat/messages/sue?limit=1", None, 200, json!([{ "message": "Yes?", "read": true }])),
        ("ann", Method::GET, "/api/chat/messages/sue?before=2", None, 200, json!([{ "message": "Help" }])),
    ];
    let play = async |rows: Vec<Request>| {
        for (who, method, path, body, status, like) in rows {
            let name = format!("{who}: {method} {path}");
            let (answered, value) = ask(who, method, path, body).await;
            assert!(
                answered == status && is_like(&value, &like),
                "{name}: {answered} {value:#}\nand not {status} {like:#}"
            );
        }
    };
    play(before.into()).await;
    let mut sue = Page::of(cluster.nodes[1].address(), &tokens[1].1).await;
    play(after.into()).await;
    // What is posted is delivered, and the poster's sockets hear no message-sent.
    let got = sue.hears("receive-message").await;
    assert!(is_like(&got, &message("ann", "sue", "Help")), "{got}");
    sue.hears("messages-read").await;
    assert_eq!(sue.rest().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_callback_is_answered_once() {
    let cluster = Cluster::local(2).await;
    let mut sue = Page::of(cluster.nodes[0].address(), &token_as("sue", Role::Admin)).await;
    let mut ann = Page::open(cluster.nodes[1].address()).await;
    // All at once, before anything is answered.
    let mut asked = Vec::new();
    let (right, wrong) = (json!(token("ann")), json!("a.b.c"));
    for (event, argument, is_done) in [
        ("send-message", json!({ "receiverId": "sue", "message": "too early" }), false),
        ("authenticate", wrong.clone(), false),
        ("authenticate", right.clone(), true),
        ("authenticate", right.clone(), true),
        ("authenticate", wrong, false),
        ("authenticate", Value::Null, false),
        ("authenticate", right, true),
        ("send-message", json!({ "receiverId": "sue", "message": "1" }), true),
        ("send-message", json!({ "receiverId": "sue", "message": "2", "tempId": "same" }), true),
        ("send-message", json!({ "receiverId": "sue", "message": "2", "tempId": "same" }), true),
        ("send-message", json!({ "receiverId": "sue" }), false),
        ("send-message", json!({ "receiverId": "sue", "message": "x".repeat(20_000) }), false),
        ("mark-read", json!({ "senderId": "sue" }), true),
        ("mark-read", json!({ "senderId": "nobody" }), true),
        ("mark-read", json!({}), false),
        ("typing", json!({ "receiverId": "sue" }), true),
        ("stop-typing", json!({ "receiverId": "sue" }), true),
        ("typing", Value::Null, false),
        ("join", json!("ann"), true),
        ("join", json!("sue"), false),
        ("no-such-event", Value::Null, false),
    ] {
        asked.push((ann.call(event, &argument).await, event, is_done));
    }
    // With a binary attachment.
    ann.write(r#"451-99["send-message",{"receiverId":"sue","message":{"_placeholder":true,"num":0}}]"#).await;
    ann.attach(b"x").await;
    asked.push(("#99".to_owned(), "binary", false));
    for (callback, event, is_done) in asked {
        let answer = ann.hears(&callback).await;
        assert_eq!(answer["success"], is_done, "{event} {callback}: {answer}");
    }
    let mut others = ann.rest().await;
    others.retain(|name| name.starts_with('#'));
    assert_eq!(others, [""; 0], "no callback is answered twice");
    for text in ["1", "2"] {
        assert_eq!(sue.hears("receive-message").await["message"], text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_shows_the_token_of_another_user_becomes_theirs() {
    let cluster = Cluster::local(2).await;
    let mut sue = Page::of(cluster.nodes[0].address(), &token_as("sue", Role::Admin)).await;
    let mut page = Page::of(cluster.nodes[1].address(), &token("ann")).await;
    let answer = page.call("authenticate", &json!(token("bob"))).await;
    assert_eq!(page.hears(&answer).await["userId"], "bob");
    assert_eq!(page.hears("authenticated").await["userId"], "bob");
    page.emit("send-message", &json!({ "receiverId": "sue", "message": "It is bob" })).await;
    assert_eq!(sue.hears("receive-message").await["sender"]["_id"], "bob");
    sue.emit("send-message", &json!({ "receiverId": "ann", "message": "for ann" })).await;
    sue.hears("message-sent").await;
    sue.emit("send-message", &json!({ "receiverId": "bob", "message": "for bob" })).await;
    assert_eq!(page.hears("receive-message").await["message"], "for bob", "and no longer hers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_up_is_refused_in_time() {
    let cluster = Cluster::redis(1).await;
    let mongo: &Mongo = cluster.mongo();
    // There is no agent yet, so that the store must be asked who stands for the team.
    let mut ann = Page::of(cluster.nodes[0].address(), &token("ann")).await;
    mongo.stop(0);
    let began = std::time::Instant::now();
    let mut asked = Vec::new();
    for (event, argument) in
        [("send-message", json!({ "receiverId": "sue", "message": "hi" })), ("mark-read", json!({ "senderId": "sue" }))]
    {
        asked.push(ann.call(event, &argument).await);
    }
    for callback in asked {
        let answer = ann.hears(&callback).await;
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("unavailable")), "{answer}");
        assert_eq!(ann.hears("error").await["code"], "unavailable");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "after {:?}", began.elapsed());
    mongo.cont(0);
    let sent = ann.call("send-message", &json!({ "receiverId": "bob", "message": "hi" })).await;
    assert_eq!(ann.hears(&sent).await["success"], true);
}

/// A page asks for its history and opens its socket at the same time. Whatever comes first: what the one holds is not told by
/// the other, and what was said in between is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_misses_nothing_between_its_history_and_its_socket() {
    let cluster = Cluster::local(3).await;
    let mut sue = Page::of(cluster.nodes[0].address(), &token_as("sue", Role::Admin)).await;
    let mut say = async |text: &str| {
        sue.emit("send-message", &json!({ "receiverId": "ann", "message": text })).await;
        sue.hears("message-sent").await;
    };
    let history = async || {
        let url = format!("http://{}/api/chat/messages/sue", cluster.nodes[1].address());
        let answer = Client::new().get(url).bearer_auth(token("ann")).send().await.unwrap().text().await.unwrap();
        let messages: Vec<Value> = serde_json::from_str(&answer).unwrap();
        messages.iter().map(|message| message["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    say("long before").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await; // what is older than that is history
    say("before").await;
    assert_eq!(history().await, ["long before", "before"]);
    say("in between").await;
    let mut ann = Page::of(cluster.nodes[2].address(), &token("ann")).await;
    say("after").await;
    for text in ["in between", "after"] {
        assert_eq!(ann.hears("receive-message").await["message"], text);
    }
    assert!(!ann.rest().await.contains(&"receive-message".to_owned()), "and nothing twice");
    // Once more, with nothing unread.
    assert_eq!(history().await.len(), 4);
    let mut again = Page::of(cluster.nodes[1].address(), &token("ann")).await;
    say("last").await;
    assert_eq!(again.hears("receive-message").await["message"], "last");
    assert!(!again.rest().await.contains(&"receive-message".to_owned()));
    // Who comes back without having read what is older has not asked for its history: it is told what comes.
    let mut back = Page::of(cluster.nodes[0].address(), &token("bob")).await;
    sue.emit("send-message", &json!({ "receiverId": "bob", "message": "shown and not read" })).await;
    back.hears("receive-message").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    sue.emit("send-message", &json!({ "receiverId": "bob", "message": "shown, too" })).await;
    back.hears("receive-message").await;
    let mut back = Page::of(cluster.nodes[1].address(), &token("bob")).await;
    sue.emit("send-message", &json!({ "receiverId": "bob", "message": "new" })).await;
    assert_eq!(back.hears("receive-message").await["message"], "new");
}
