//! What the routes refuse, and that refusals say neither more nor less than they should.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use switchboard::session::Rate;

use super::house::{Answer, House, UNPACED, ask, request, talk};
use crate::support::cluster::{token, token_for};

const SECRET_TEXT: &str = "hunter2-do-not-repeat-me";

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn only_a_bearer_of_a_token_that_counts_is_answered() {
    let house = House::open().await;
    let expired = format!("Bearer {}", token_for("ann", Duration::from_secs(1)));
    let good = token("ann");
    for (header, expected) in [
        (None, "unauthorized"),
        (Some("".to_owned()), "unauthorized"),
        (Some("Bearer".to_owned()), "unauthorized"),
        (Some("Bearer ".to_owned()), "unauthorized"),
        (Some(good.clone()), "unauthorized"),
        (Some(format!("Basic {good}")), "unauthorized"),
        (Some(format!("Bearer {good}x")), "unauthorized"),
        (Some(format!("Bearer {}", "x".repeat(5_000))), "unauthorized"),
    ] {
        let mut request = request(Method::GET, "/unread", "", None);
        if let Some(header) = &header {
            request.headers_mut().insert("authorization", header.parse().unwrap());
        }
        let answer = ask(&house.router, request).await;
        assert_eq!(code(&answer), (401, expected), "{header:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let mut twice = request(Method::GET, "/unread", "ann", None);
    twice.headers_mut().append("authorization", "Bearer other".parse().unwrap());
    assert_eq!(code(&ask(&house.router, twice).await), (401, "unauthorized"));
    let mut lower = request(Method::GET, "/unread", "", None);
    lower.headers_mut().insert("authorization", format!("bearer  {good}").parse().unwrap());
    assert_eq!(ask(&house.router, lower).await.status, StatusCode::OK);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(code(&house.get("/unread", &expired).await), (401, "token_expired"), "a second, and five of leeway");
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_a_conversation() {
    let house = House::open().await;
    house.say("ann", "bob", "between us").await;
    let (theirs, nobodys) = (talk("ann", "bob"), talk("ann", "nobody"));
    for (method, path, body) in [
        (Method::GET, "/conversations/{id}", None),
        (Method::GET, "/conversations/{id}/messages", None),
        (Method::GET, "/conversations/{id}/receipts", None),
        (Method::POST, "/conversations/{id}/read", Some(json!({ "seq": 1 }))),
        (Method::POST, "/conversations/{id}/delivered", Some(json!({ "seq": 999 }))),
    ] {
        let at = |id: &str| path.replace("{id}", id);
        let existing = house.ask(method.clone(), &at(&theirs), "eve", body.clone()).await;
        let missing = house.ask(method.clone(), &at(&nobodys), "eve", body).await;
        assert_eq!(code(&existing), (403, "forbidden"), "{path}");
        assert_eq!((existing.status, &existing.body), (missing.status, &missing.body), "{path}");
        assert_eq!(existing.headers, missing.headers, "{path}");
    }
    let send = |id: &str| json!({ "conversation": id, "text": "let me in" });
    let existing = house.post("/messages", "eve", send(&theirs)).await;
    let missing = house.post("/messages", "eve", send(&nobodys)).await;
    assert_eq!((code(&existing), &existing.body), ((403, "forbidden"), &missing.body));
    let page = house.get(&format!("/conversations/{theirs}/messages"), "bob").await;
    assert_eq!(page.body["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whatever_is_asked_is_answered_in_json_and_never_repeated() {
    let house = House::open().await;
    let path = format!("/conversations/{}", talk("ann", "bob"));
    let json_body = |body: &str| (Some("application/json"), body.to_owned());
    for (method, path, (kind, body), expected) in [
        ("GET", format!("/{SECRET_TEXT}"), (None, String::new()), (404, "not_found")),
        ("GET", String::new(), (None, String::new()), (404, "not_found")),
        ("GET", "/".to_owned(), (None, String::new()), (404, "not_found")),
        ("GET", format!("/conversations/{SECRET_TEXT}"), (None, String::new()), (400, "invalid")),
        ("GET", "/conversations/%ff".to_owned(), (None, String::new()), (400, "invalid")),
        ("GET", format!("/users/{SECRET_TEXT}%20"), (None, String::new()), (400, "invalid")),
        ("GET", format!("/conversations?limit={SECRET_TEXT}"), (None, String::new()), (400, "invalid")),
        ("GET", "/conversations?limit=-1".to_owned(), (None, String::new()), (400, "invalid")),
        ("GET", "/conversations?limit=1&limit=2".to_owned(), (None, String::new()), (400, "invalid")),
        ("GET", format!("/conversations?behind={SECRET_TEXT}"), (None, String::new()), (400, "invalid")),
        ("GET", format!("{path}/messages?before=1&after=2"), (None, String::new()), (400, "invalid")),
        ("GET", format!("{path}/messages?before={SECRET_TEXT}"), (None, String::new()), (400, "invalid")),
        ("DELETE", "/messages".to_owned(), (None, String::new()), (405, "method_not_allowed")),
        ("PATCH", "/users/ann".to_owned(), (None, String::new()), (405, "method_not_allowed")),
        ("POST", "/unread".to_owned(), (None, String::new()), (405, "method_not_allowed")),
        ("POST", "/messages".to_owned(), (None, "{}".to_owned()), (415, "unsupported_media_type")),
        ("POST", "/messages".to_owned(), (Some("text/plain"), "{}".to_owned()), (415, "unsupported_media_type")),
        ("POST", "/messages".to_owned(), json_body(""), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body("{"), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body("[]"), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body(r#" ["bob",null,null,"x"]"#), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body("\u{0}"), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body(&"[".repeat(60_000)), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body(r#"{"to":"bob"}"#), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body(r#"{"text":"x"}"#), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body(r#"{"to":"bob","text":""}"#), (400, "invalid")),
        ("POST", "/messages".to_owned(), json_body(r#"{"to":{"$ne":1},"text":"x"}"#), (400, "invalid")),
        (
            "POST",
            "/messages".to_owned(),
            json_body(&json!({ "to": "bob", "conversation": talk("ann", "bob"), "text": "x" }).to_string()),
            (400, "invalid"),
        ),
        (
            "POST",
            "/messages".to_owned(),
            json_body(&json!({ "to": format!("{SECRET_TEXT} "), "text": "x" }).to_string()),
            (400, "invalid"),
        ),
        (
            "POST",
            "/messages".to_owned(),
            json_body(&json!({ "to": "bob", "key": format!("{SECRET_TEXT} "), "text": "x" }).to_string()),
            (400, "invalid"),
        ),
        (
            "POST",
            "/messages".to_owned(),
            json_body(&json!({ "to": "bob", "text": "x".repeat(16_385) }).to_string()),
            (400, "invalid"),
        ),
        ("POST", "/messages".to_owned(), json_body(&" ".repeat(65_537)), (413, "invalid")),
        ("POST", format!("{path}/read"), json_body(&format!(r#"{{"seq":"{SECRET_TEXT}"}}"#)), (400, "invalid")),
        ("POST", format!("{path}/read"), json_body(r#"{"seq":-1}"#), (400, "invalid")),
    ] {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", token("ann")));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let shown: String = body.chars().take(80).collect();
        let answer = ask(&house.router, request.body(Body::from(body)).unwrap()).await;
        assert_eq!(code(&answer), expected, "{method} {path} {shown}");
        assert_eq!(answer.headers["content-type"], "application/json", "{method} {path}");
        let said = answer.body.to_string();
        assert!(!said.contains(SECRET_TEXT), "{said}");
        assert!(answer.body["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(answer.headers.contains_key("allow"), answer.status == 405, "{method} {path}");
    }
    assert!(house.get("/conversations", "ann").await.body["conversations"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn whoever_asks_too_much_is_told_when_to_come_back() {
    let house = House::open().await;
    let slow = Rate { per_second: 0.5, burst: 2.0 };
    let read = house.paced(slow, UNPACED);
    for (user, expected) in [("ann", 200), ("ann", 200), ("ann", 429), ("bob", 200)] {
        let answer = ask(&read, request(Method::GET, "/unread", user, None)).await;
        assert_eq!(answer.status, expected, "{user}");
        if expected == 429 {
            let wait = answer.body["retry_after_ms"].as_u64().unwrap();
            assert!((1..=2_000).contains(&wait), "{wait}");
            assert!(["1", "2"].contains(&answer.headers["retry-after"].to_str().unwrap()));
        }
    }
    let write = house.paced(UNPACED, slow);
    for expected in [201, 201, 429] {
        let body = json!({ "to": "bob", "text": "hurry" });
        let answer = ask(&write, request(Method::POST, "/messages", "cid", Some(body))).await;
        assert_eq!(answer.status, expected);
    }
    assert_eq!(ask(&write, request(Method::GET, "/unread", "cid", None)).await.status, 200, "reading goes on");
}

#[tokio::test]
async fn a_store_that_is_away_is_a_coded_answer() {
    let house = House::open().await;
    house.say("ann", "bob", "before").await;
    house.store.close().await;
    let path = format!("/conversations/{}", talk("ann", "bob"));
    for answer in [
        house.get("/conversations", "ann").await,
        house.get(&format!("{path}/messages"), "ann").await,
        house.get("/users/ann", "ann").await,
        house.get(&path, "eve").await,
    ] {
        assert_eq!(code(&answer), (503, "unavailable"));
        assert!(answer.headers.contains_key("retry-after") && answer.body["retry_after_ms"].is_u64());
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_read_answers_and_no_others() {
    let house = House::open().await;
    let preflight = async |origin: &str| {
        let request = Request::builder()
            .method("OPTIONS")
            .uri("/api/v1/messages")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type, idempotency-key");
        ask(&house.router, request.body(Body::empty()).unwrap()).await
    };
    let listed = preflight("https://app.example").await;
    assert_eq!(listed.status, StatusCode::NO_CONTENT);
    assert_eq!(listed.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(listed.headers["access-control-allow-methods"], "GET, POST, PUT");
    assert!(!listed.headers.contains_key("access-control-allow-credentials"));
    for other in ["https://app.example.evil", "http://app.example", "https://APP.example", "null", "https://evil"] {
        let refused = preflight(other).await;
        assert!(!refused.headers.contains_key("access-control-allow-origin"), "{other}");
    }
    for (origin, allowed) in [("https://app.example", true), ("https://evil", false)] {
        let mut asked = request(Method::GET, "/unread", "ann", None);
        asked.headers_mut().insert("origin", origin.parse().unwrap());
        let answer = ask(&house.router, asked).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers.contains_key("access-control-allow-origin"), allowed);
        assert_eq!(answer.headers["vary"], "Origin");
    }
}

#[tokio::test]
async fn every_answer_carries_the_guarding_headers() {
    let house = House::open().await;
    for path in ["/unread", "/nowhere", "/openapi.json"] {
        let answer = house.get(path, "ann").await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
    }
    assert_eq!(house.get("/openapi.json", "").await.body["openapi"], Value::from("3.1.0"), "without a token");
}
