//! What the routes do.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use switchboard::model::Role;
use switchboard::presence::Presence;

use super::house::{House, ask, request, talk};
use crate::support::cluster::token_as;

fn seqs(answer: &Value) -> Vec<u64> {
    answer["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_stored_and_read_by_both() {
    let house = House::open().await;
    let sent = house.say("ann", "bob", "Hello Bob").await;
    assert_eq!(sent["conversation"], talk("ann", "bob"));
    assert_eq!((&sent["seq"], &sent["from"], &sent["text"]), (&json!(1), &json!("ann"), &json!("Hello Bob")));
    for user in ["ann", "bob"] {
        let page = house.get(&format!("/conversations/{}/messages", talk("ann", "bob")), user).await;
        assert_eq!(page.body, json!({ "messages": [sent], "more": false }), "{user}");
    }
    let answer = house.post("/messages", "bob", json!({ "conversation": talk("bob", "ann"), "text": "Hi" })).await;
    assert_eq!((answer.status, &answer.body["seq"]), (StatusCode::CREATED, &json!(2)));
}

#[tokio::test]
async fn a_repeated_key_is_answered_with_the_first_result() {
    let house = House::open().await;
    let body = json!({ "to": "bob", "key": "order-1", "text": "once" });
    let first = house.post("/messages", "ann", body.clone()).await;
    let again = house.post("/messages", "ann", body).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.body, again.body);
    let other = house.post("/messages", "ann", json!({ "to": "bob", "key": "order-1", "text": "twice" })).await;
    assert_eq!((other.status, &other.body["code"]), (StatusCode::CONFLICT, &json!("key_reused")));
    let bobs = house.post("/messages", "bob", json!({ "to": "ann", "key": "order-1", "text": "mine" })).await;
    assert_eq!(bobs.body["seq"], 2, "a key belongs to its writer");
}

#[tokio::test]
async fn the_header_names_a_message_too() {
    let house = House::open().await;
    let send = async |header: &str, body: Value| {
        let mut request = request(Method::POST, "/messages", "ann", Some(body));
        request.headers_mut().insert("idempotency-key", header.parse().unwrap());
        ask(&house.router, request).await
    };
    let body = json!({ "to": "bob", "text": "once" });
    let bare = send("k-1", body.clone()).await;
    let quoted = send("\"k-1\"", body.clone()).await;
    assert_eq!((&bare.body["key"], &bare.body), (&json!("k-1"), &quoted.body));
    let both = send("k-1", json!({ "to": "bob", "key": "k-2", "text": "once" })).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    for bad in ["", "two words", &"x".repeat(65)] {
        assert_eq!(send(bad, body.clone()).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let (one, two) = (house.say("ann", "bob", "unnamed").await, house.say("ann", "bob", "unnamed").await);
    assert_ne!(one["key"], two["key"], "without a key, twice is twice");
}

#[tokio::test]
async fn history_is_read_in_pages_from_either_end() {
    let house = House::open().await;
    for n in 1..=7 {
        house.say("ann", "bob", &format!("{n}")).await;
    }
    let path = format!("/conversations/{}/messages", talk("ann", "bob"));
    for (query, expected, more) in [
        ("", vec![1, 2, 3, 4, 5, 6, 7], false),
        ("?limit=3", vec![5, 6, 7], true),
        ("?limit=3&before=5", vec![2, 3, 4], true),
        ("?limit=3&before=2", vec![1], false),
        ("?limit=3&after=0", vec![1, 2, 3], true),
        ("?limit=3&after=6", vec![7], false),
        ("?after=7", vec![], false),
        ("?limit=0", vec![7], true),
    ] {
        let page = house.get(&format!("{path}{query}"), "bob").await;
        assert_eq!((seqs(&page.body), page.body["more"].as_bool().unwrap()), (expected, more), "{query}");
    }
}

#[tokio::test]
async fn conversations_are_listed_latest_first_and_in_pages() {
    let house = House::open().await;
    for peer in ["bob", "cid", "dan"] {
        house.say(peer, "ann", &format!("from {peer}")).await;
    }
    let first = house.get("/conversations?limit=2", "ann").await.body;
    let of = |row: &Value| row["conversation"].as_str().unwrap().to_owned();
    let rows: Vec<String> = first["conversations"].as_array().unwrap().iter().map(of).collect();
    assert_eq!(rows, [talk("ann", "dan"), talk("ann", "cid")]);
    let rest = house.get(&format!("/conversations?behind={}", first["next"].as_str().unwrap()), "ann").await.body;
    assert_eq!(rest["conversations"].as_array().unwrap().len(), 1);
    assert!(rest.get("next").is_none());
    let row = house.get(&format!("/conversations/{}", talk("ann", "bob")), "ann").await.body;
    assert_eq!(row, rest["conversations"][0]);
    assert_eq!((&row["unread"], &row["last"]["text"]), (&json!(1), &json!("from bob")));
}

#[tokio::test]
async fn what_is_read_is_no_longer_unread_and_everybody_can_see_how_far() {
    let house = House::open().await;
    for peer in ["bob", "bob", "cid"] {
        house.say(peer, "ann", "?").await;
    }
    house.say("ann", "bob", "own messages are not unread").await;
    let unread = house.get("/unread", "ann").await.body;
    let rows = json!([
        { "conversation": talk("ann", "bob"), "unread": 2 },
        { "conversation": talk("ann", "cid"), "unread": 1 },
    ]);
    assert_eq!(unread, json!({ "total": 3, "conversations": rows, "more": false }));

    let path = format!("/conversations/{}", talk("ann", "bob"));
    let read = house.post(&format!("{path}/read"), "ann", json!({ "seq": 2 })).await;
    assert_eq!(read.body, json!({ "user": "ann", "read": 2, "delivered": 2 }));
    let back = house.post(&format!("{path}/read"), "ann", json!({ "seq": 1 })).await;
    assert_eq!(back.body, read.body, "a cursor only moves up");
    house.post(&format!("{path}/delivered"), "ann", json!({ "seq": 3 })).await;
    assert_eq!(house.get("/unread", "ann").await.body["total"], 1);
    let receipts = house.get(&format!("{path}/receipts"), "bob").await.body;
    let expected = json!([{ "user": "ann", "read": 2, "delivered": 3 }, { "user": "bob", "read": 0, "delivered": 0 }]);
    assert_eq!(receipts, json!({ "receipts": expected }));
    let beyond = house.post(&format!("{path}/read"), "ann", json!({ "seq": 4 })).await;
    assert_eq!((beyond.status, &beyond.body["code"]), (StatusCode::BAD_REQUEST, &json!("invalid")));
}

#[tokio::test]
async fn unread_looks_at_500_conversations_and_says_so() {
    let house = House::open().await;
    for n in 0..501 {
        house.say(&format!("u{n}"), "ann", "?").await;
        if n == 499 {
            let unread = house.get("/unread", "ann").await.body;
            assert_eq!((&unread["total"], &unread["more"]), (&json!(500), &json!(false)));
        }
    }
    let unread = house.get("/unread", "ann").await.body;
    assert_eq!((&unread["total"], &unread["more"]), (&json!(500), &json!(true)));
}

#[tokio::test]
async fn a_profile_is_shown_to_whom_it_concerns() {
    let house = House::open().await;
    let bobs = json!({ "name": "Bob", "email": "bob@example.com" });
    let set = house.ask(Method::PUT, "/users/bob", "bob", Some(bobs)).await;
    let whole = json!({ "user": "bob", "name": "Bob", "email": "bob@example.com" });
    assert_eq!((set.status, &set.body), (StatusCode::OK, &whole));
    let (admin, service) = (token_as("root", Role::Admin), token_as("backend", Role::Service));
    for asker in ["bob", &format!("Bearer {admin}"), &format!("Bearer {service}")] {
        assert_eq!(house.get("/users/bob", asker).await.body, whole);
    }
    let stranger = house.get("/users/bob", "eve").await;
    let nobody = house.get("/users/nobody", "eve").await;
    assert_eq!(
        (stranger.status, &stranger.body),
        (StatusCode::NOT_FOUND, &nobody.body),
        "the two cannot be told apart"
    );
    house.say("eve", "bob", "hello stranger").await;
    let known = house.get("/users/bob", "eve").await;
    assert_eq!(known.body, json!({ "user": "bob", "name": "Bob", "email": "" }), "but not the address");
    house.say("eve", "nobody", "anybody there?").await;
    assert_eq!(house.get("/users/nobody", "eve").await.status, StatusCode::NOT_FOUND);
    let own = house.get("/users/eve", "eve").await;
    assert_eq!((own.status, &own.body["user"]), (StatusCode::OK, &json!("eve")));
    let row = house.get(&format!("/conversations/{}", talk("eve", "bob")), "eve").await.body;
    let member =
        |user: &str, name: &str| json!({ "user": user, "name": name, "read": 0, "delivered": 0, "online": false });
    let members = json!([member("bob", "Bob"), member("eve", "eve")]);
    assert_eq!(row["members"], members);
}

#[tokio::test]
async fn only_oneself_and_services_set_a_profile() {
    let house = House::open().await;
    let name = || Some(json!({ "name": "Bob" }));
    let admin = format!("Bearer {}", token_as("root", Role::Admin));
    for stranger in ["eve", &admin] {
        let refused = house.ask(Method::PUT, "/users/bob", stranger, name()).await;
        assert_eq!((refused.status, &refused.body["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    }
    let service = format!("Bearer {}", token_as("backend", Role::Service));
    assert_eq!(house.ask(Method::PUT, "/users/bob", &service, name()).await.status, StatusCode::OK);
    assert_eq!(house.get("/users/bob", "bob").await.body, json!({ "user": "bob", "name": "Bob", "email": "" }));
    for bad in [json!({ "name": "x".repeat(129) }), json!({ "email": "x".repeat(255) }), json!({ "name": "a\u{7}" })] {
        assert_eq!(house.ask(Method::PUT, "/users/bob", "bob", Some(bad)).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn presence_is_shown_to_those_whom_it_concerns() {
    let house = House::open().await;
    house.say("bob", "ann", "hello").await;
    for user in ["bob", "eve"] {
        house.presence.enter(&user.parse().unwrap());
    }
    let of = |user: &str, online: bool| json!({ "user": user, "online": online });
    let seen = house.get("/presence?users=eve,bob,nobody,team,ann", "ann").await;
    let expected = json!([of("eve", false), of("bob", true), of("nobody", false), of("team", false), of("ann", false)]);
    assert_eq!((seen.status, &seen.body), (StatusCode::OK, &json!({ "users": expected })));
    let agent = format!("Bearer {}", token_as("sue", Role::Admin));
    assert_eq!(house.get("/presence?users=eve", &agent).await.body, json!({ "users": [of("eve", true)] }));
    let row = house.get(&format!("/conversations/{}", talk("ann", "bob")), "ann").await.body;
    assert_eq!(row["members"][1]["online"], true);

    let hidden = house.ask(Method::PUT, "/presence", "bob", Some(json!({ "offline": true }))).await;
    assert_eq!((hidden.status, &hidden.body), (StatusCode::OK, &json!({ "offline": true })));
    let seen = house.get("/presence?users=bob", "ann").await.body;
    assert_eq!(seen["users"][0]["online"], false);
    assert!(seen["users"][0]["last_seen"].is_u64(), "{seen}");
    house.ask(Method::PUT, "/presence", "bob", Some(json!({ "offline": false }))).await;
    assert_eq!(house.get("/presence?users=bob", "ann").await.body, json!({ "users": [of("bob", true)] }));

    let many = vec!["x"; 201].join(",");
    for bad in [many.as_str(), "", "a b", "bob,,ann"] {
        let path = format!("/presence?users={}", bad.replace(' ', "%20"));
        assert_eq!(house.get(&path, "ann").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}
