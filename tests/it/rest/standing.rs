//! Who may do what over REST: each route by each role.

use axum::http::Method;
use serde_json::{Value, json};
use switchboard::model::Role;

use super::house::{House, talk};
use crate::support::cluster::{token, token_as};

/// A request, and the status that a user, an agent and a service are answered with.
type Row = (Method, &'static str, Option<Value>, [u16; 3]);

fn rows() -> Vec<Row> {
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    let ban = || Some(json!({ "reason": "spam" }));
    let revoke = |user: &str| Some(json!({ "user": user, "before": 1 }));
    let say = |body: Value| Some(body);
    vec![
        (get.clone(), "/conversations", None, [200, 200, 200]),
        (get.clone(), "/unread", None, [200, 200, 200]),
        (get.clone(), "/users/bob", None, [404, 200, 200]),
        (put.clone(), "/users/bob", Some(json!({ "name": "Bob" })), [403, 403, 200]),
        (get.clone(), "/bans/bob", None, [403, 200, 200]),
        (put.clone(), "/bans/mallory", ban(), [403, 200, 200]),
        (delete.clone(), "/bans/mallory", None, [403, 200, 200]),
        (put.clone(), "/bans/tom", ban(), [403, 403, 200]),
        (delete.clone(), "/bans/tom", None, [403, 403, 200]),
        (put.clone(), "/bans/team", ban(), [403, 400, 400]),
        (put.clone(), "/bans/system", ban(), [403, 400, 400]),
        (post.clone(), "/revocations", revoke("mallory"), [403, 200, 200]),
        (post.clone(), "/revocations", revoke("tom"), [403, 403, 200]),
        (get.clone(), "/blocks", None, [200, 200, 200]),
        (put.clone(), "/blocks/mallory", None, [200, 200, 200]),
        (delete.clone(), "/blocks/mallory", None, [200, 200, 200]),
        (put, "/blocks/team", None, [400, 400, 400]),
        (get.clone(), "/people?user=bob", None, [200, 200, 200]),
        (get.clone(), "/people?user=team", None, [200, 200, 200]),
        (get, "/people?user=system", None, [403, 403, 403]),
        (post.clone(), "/messages", say(json!({ "to": "bob", "text": "x" })), [201, 201, 201]),
        (post.clone(), "/messages", say(json!({ "to": "system", "text": "x" })), [403, 403, 403]),
        (post.clone(), "/messages", say(json!({ "to": "bob", "for_team": true, "text": "x" })), [403, 201, 201]),
        (post.clone(), "/messages", say(json!({ "to": "bob", "from": "ann", "text": "x" })), [403, 403, 201]),
        (post.clone(), "/messages", say(json!({ "to": "bob", "from": "system", "text": "x" })), [403, 403, 201]),
        (
            post,
            "/messages",
            say(json!({ "conversation": talk("ann", "bob"), "from": "system", "text": "x" })),
            [403, 403, 201],
        ),
    ]
}

#[tokio::test]
async fn each_role_may_do_what_it_may() {
    let house = House::open().await;
    let bearer = |token: String| format!("Bearer {token}");
    let tom = bearer(token_as("tom", Role::Admin));
    assert_eq!(house.get("/unread", &tom).await.status, 200, "an agent is known once they came");
    house.say("ann", "bob", "hello").await;
    house
        .ask(Method::PUT, "/users/bob", &bearer(token_as("backend", Role::Service)), Some(json!({ "name": "Bob" })))
        .await;
    let askers = [token("eve"), token_as("sue", Role::Admin), token_as("backend", Role::Service)].map(bearer);
    for (method, path, body, expected) in rows() {
        for (asker, expected) in askers.iter().zip(expected) {
            let answer = house.ask(method.clone(), path, asker, body.clone()).await;
            assert_eq!(answer.status, expected, "{method} {path} {body:?} as {asker}: {}", answer.body);
        }
    }
}
