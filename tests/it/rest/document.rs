//! The OpenAPI document: that it is one, that it names every route and every status, and that answers are what it says.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use switchboard::door::rest::{openapi, paths};
use switchboard::model::{ConversationId, Role};
use switchboard::session::Rate;

use super::house::{House, UNPACED, ask, request, talk};
use crate::support::cluster::token_as;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "options", "trace"];

fn document() -> Value {
    serde_json::from_str(&openapi().to_json().unwrap()).unwrap()
}

/// Every operation: its path, its method, and itself.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        operations.extend(METHODS.iter().filter_map(|method| Some((path.as_str(), *method, item.get(method)?))));
    }
    operations
}

#[test]
fn it_is_an_openapi_document() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    assert_eq!(document["servers"][0]["url"], "/api/v1");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(document["security"], json!([{ "bearer": [] }]));
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path} says what it does");
        let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| {
                assert_eq!(parameter["required"], true);
                parameter["name"].as_str().unwrap()
            })
            .collect();
        let in_template: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path, in_template, "{method} {path}");
        for parameter in parameters {
            assert!(["path", "query", "header"].contains(&parameter["in"].as_str().unwrap()));
            assert!(parameter["schema"].is_object() && parameter["description"].is_string(), "{parameter}");
        }
        let says_it_all_in_its_path = ["/blocks/{id}", "/groups/{id}/members/{user}"].contains(&path);
        let takes_a_body = ["put", "post"].contains(&method) && !says_it_all_in_its_path;
        assert_eq!(operation.get("requestBody").is_some(), takes_a_body, "{method} {path}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)), "{status}");
            assert!(response["description"].is_string());
            let schema = &response["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{method} {path} {status}");
            let is_problem = schema["$ref"] == "#/components/schemas/Problem";
            assert_eq!(is_problem, !status.starts_with('2'), "{method} {path} {status}");
        }
    }
    check_references(&document, &document);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(schema["properties"].get(required.as_str().unwrap()).is_some(), "{name} {required}");
        }
    }
}

fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to} is not there");
            }
            members.values().for_each(|member| check_references(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| check_references(document, item)),
        _ => {}
    }
}

#[tokio::test]
async fn it_names_every_route_and_no_other() {
    let house = House::open().await;
    let mut answered = BTreeSet::new();
    for path in paths() {
        for method in METHODS {
            let target = path.replace("{id}", "ann").replace("{user}", "bob");
            let method_ = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = house.ask(method_, &target, "ann", None).await;
            if answer.status != 405 {
                answered.insert((path.to_owned(), method.to_owned()));
            }
        }
    }
    let document = document();
    let named: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(path, method, _)| (path.to_owned(), method.to_owned())).collect();
    assert_eq!(answered, named);
}

/// A request that makes a route answer with a status.
struct Cause {
    path: &'static str,
    method: &'static str,
    status: u16,
    request: Request<Body>,
}

fn cause(
    path: &'static str,
    method: &'static str,
    status: u16,
    target: &str,
    user: &str,
    body: Option<Value>,
) -> Cause {
    let method_ = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    Cause { path, method, status, request: request(method_, target, user, body) }
}

/// Every route's good and bad days, but those that depend on pace and store. `sent` is a message of ann's.
fn causes(sent: &str) -> Vec<Cause> {
    let (talk_, lost) = (talk("ann", "bob"), talk("x", "y"));
    let one = format!("/conversations/{talk_}");
    let none = format!("/conversations/{lost}");
    let mark = || Some(json!({ "seq": 1 }));
    let agent = |name| format!("Bearer {}", token_as(name, Role::Admin));
    let help = ConversationId::support(&"ann".parse().unwrap());
    let desk = format!("/conversations/{help}/assignment");
    let claim = || Some(json!({ "action": "claim" }));
    let mut causes = vec![
        cause("/conversations", "get", 200, "/conversations", "ann", None),
        cause("/conversations", "get", 400, "/conversations?limit=x", "ann", None),
        cause("/conversations/{id}", "get", 200, &one, "ann", None),
        cause("/conversations/{id}", "get", 400, "/conversations/x", "ann", None),
        cause("/conversations/{id}", "get", 403, &none, "ann", None),
        cause("/conversations/{id}/messages", "get", 200, &format!("{one}/messages"), "ann", None),
        cause("/conversations/{id}/messages", "get", 400, &format!("{one}/messages?limit=x"), "ann", None),
        cause("/conversations/{id}/messages", "get", 403, &format!("{none}/messages"), "ann", None),
        cause("/conversations/{id}/receipts", "get", 200, &format!("{one}/receipts"), "ann", None),
        cause("/conversations/{id}/receipts", "get", 400, "/conversations/x/receipts", "ann", None),
        cause("/conversations/{id}/receipts", "get", 403, &format!("{none}/receipts"), "ann", None),
        cause("/inbox", "get", 200, "/inbox?filter=open", &agent("sue"), None),
        cause("/inbox", "get", 400, "/inbox?filter=x", &agent("sue"), None),
        cause("/inbox", "get", 403, "/inbox", "ann", None),
        cause("/conversations/{id}/assignment", "put", 200, &desk, &agent("sue"), claim()),
        cause("/conversations/{id}/assignment", "put", 403, &desk, "ann", claim()),
        cause("/conversations/{id}/assignment", "put", 409, &desk, &agent("tom"), claim()),
        cause("/unread", "get", 200, "/unread", "ann", None),
        cause("/presence", "get", 200, "/presence?users=ann,bob", "ann", None),
        cause("/presence", "get", 400, "/presence", "ann", None),
        cause("/presence", "put", 200, "/presence", "ann", Some(json!({ "offline": false }))),
        cause("/users/{id}", "get", 200, "/users/ann", "ann", None),
        cause("/users/{id}", "get", 400, "/users/%20", "ann", None),
        cause("/users/{id}", "get", 404, "/users/eve", "ann", None),
        cause("/users/{id}", "put", 200, "/users/ann", "ann", Some(json!({ "name": "Ann" }))),
        cause("/users/{id}", "put", 403, "/users/eve", "ann", Some(json!({ "name": "Eve" }))),
        cause("/messages", "post", 201, "/messages", "ann", Some(json!({ "to": "bob", "key": "k", "text": "a" }))),
        cause("/messages", "post", 403, "/messages", "ann", Some(json!({ "conversation": lost, "text": "a" }))),
        cause("/messages", "post", 409, "/messages", "ann", Some(json!({ "to": "bob", "key": "k", "text": "b" }))),
        cause("/messages/{id}/trace", "get", 200, &format!("/messages/{sent}/trace"), "ann", None),
        cause("/messages/{id}/trace", "get", 400, "/messages/x/trace", "ann", None),
        cause("/messages/{id}/trace", "get", 404, &format!("/messages/{sent}/trace"), "bob", None),
    ];
    causes.extend(group_causes());
    let agent = format!("Bearer {}", token_as("sue", Role::Admin));
    let service = format!("Bearer {}", token_as("backend", Role::Service));
    let ban = || Some(json!({ "reason": "spam" }));
    let revocation = || Some(json!({ "user": "mallory", "before": 1 }));
    causes.extend([
        cause("/users/{id}", "delete", 200, "/users/nobody", &service, None),
        cause("/users/{id}", "delete", 400, "/users/team", &service, None),
        cause("/users/{id}", "delete", 403, "/users/nobody", "ann", None),
        cause("/people", "get", 200, "/people?user=team", "ann", None),
        cause("/people", "get", 400, "/people", "ann", None),
        cause("/people", "get", 403, "/people?email=nobody", "ann", None),
        cause("/bans/{id}", "put", 200, "/bans/mallory", &agent, ban()),
        cause("/bans/{id}", "put", 403, "/bans/bob", "ann", ban()),
        cause("/bans/{id}", "get", 200, "/bans/mallory", &agent, None),
        cause("/bans/{id}", "get", 400, "/bans/%20", &agent, None),
        cause("/bans/{id}", "get", 403, "/bans/mallory", "ann", None),
        cause("/bans/{id}", "delete", 200, "/bans/nobody", &agent, None),
        cause("/bans/{id}", "delete", 400, "/bans/sue", &agent, None),
        cause("/bans/{id}", "delete", 403, "/bans/mallory", "ann", None),
        cause("/revocations", "post", 200, "/revocations", &agent, revocation()),
        cause("/revocations", "post", 403, "/revocations", "ann", revocation()),
        cause("/blocks", "get", 200, "/blocks", "ann", None),
        cause("/blocks/{id}", "put", 200, "/blocks/eve", "ann", None),
        cause("/blocks/{id}", "put", 400, "/blocks/ann", "ann", None),
        cause("/blocks/{id}", "delete", 200, "/blocks/eve", "ann", None),
        cause("/blocks/{id}", "delete", 400, "/blocks/team", "ann", None),
    ]);
    for (path, verb) in [("/conversations/{id}/read", "read"), ("/conversations/{id}/delivered", "delivered")] {
        causes.push(cause(path, "post", 200, &format!("{one}/{verb}"), "ann", mark()));
        causes.push(cause(path, "post", 403, &format!("{none}/{verb}"), "ann", mark()));
    }
    for (path, method, target) in [
        ("/conversations/{id}/read", "post", format!("{one}/read")),
        ("/conversations/{id}/delivered", "post", format!("{one}/delivered")),
        ("/conversations/{id}/assignment", "put", desk.clone()),
        ("/messages", "post", "/messages".to_owned()),
        ("/users/{id}", "put", "/users/ann".to_owned()),
        ("/groups", "post", "/groups".to_owned()),
        ("/groups/{id}", "put", format!("/groups/{talk_}")),
        ("/groups/{id}/members/{user}/role", "put", format!("/groups/{talk_}/members/bob/role")),
        ("/bans/{id}", "put", "/bans/mallory".to_owned()),
        ("/revocations", "post", "/revocations".to_owned()),
        ("/presence", "put", "/presence".to_owned()),
    ] {
        let user = if path.contains("bans") || path.contains("revocations") { &agent } else { "ann" };
        causes.push(cause(path, method, 400, &target, user, Some(json!([]))));
        let mut large = cause(path, method, 413, &target, user, Some(json!(null)));
        *large.request.body_mut() = Body::from(vec![b' '; 70_000]);
        causes.push(large);
        let mut text = cause(path, method, 415, &target, user, Some(json!({})));
        text.request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        causes.push(text);
    }
    for (path, method) in everything() {
        let target = path.replace("{id}", "x").replace("{user}", "y");
        causes.push(cause(path, method, 401, &target, "", None));
        causes.push(cause(path, method, 403, &target, "mallory", None));
    }
    causes
}

/// Those of groups, in their order: each request has a key of its own, or that of another one, which is then refused.
fn group_causes() -> Vec<Cause> {
    let group = ConversationId::group(&"ann".parse().unwrap(), &"made".parse().unwrap());
    let (one, member) = ("/groups/{id}", "/groups/{id}/members/{user}");
    let role = "/groups/{id}/members/{user}/role";
    let keyed = |key: &str, mut cause: Cause| {
        cause.request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        cause
    };
    let at = |rest: &str| format!("/groups/{group}{rest}");
    let named = |name: &str| Some(json!({ "name": name, "members": ["bob"] }));
    let called = |name: &str| Some(json!({ "name": name }));
    let made = |role: &str| Some(json!({ "role": role }));
    vec![
        keyed("made", cause("/groups", "post", 201, "/groups", "ann", named("Cooks"))),
        keyed("made", cause("/groups", "post", 409, "/groups", "ann", named("Bakers"))),
        keyed("n", cause(one, "put", 200, &at(""), "ann", called("Bakers"))),
        keyed("n", cause(one, "put", 409, &at(""), "ann", called("Cooks"))),
        keyed("n", cause(one, "put", 403, &at(""), "bob", called("Cooks"))),
        keyed("a", cause(member, "put", 200, &at("/members/cyd"), "ann", None)),
        keyed("a", cause(member, "put", 409, &at("/members/dan"), "ann", None)),
        keyed("a", cause(member, "put", 403, &at("/members/dan"), "bob", None)),
        keyed("b", cause(member, "put", 400, &at("/members/cyd"), "ann", None)),
        keyed("o", cause(role, "put", 200, &at("/members/bob/role"), "ann", made("owner"))),
        keyed("o", cause(role, "put", 409, &at("/members/bob/role"), "ann", made("member"))),
        keyed("o", cause(role, "put", 403, &at("/members/bob/role"), "cyd", made("member"))),
        keyed("r", cause(member, "delete", 200, &at("/members/cyd"), "ann", None)),
        keyed("r", cause(member, "delete", 409, &at("/members/bob"), "ann", None)),
        keyed("r", cause(member, "delete", 403, &at("/members/bob"), "cyd", None)),
        keyed("s", cause(member, "delete", 400, &at("/members/eve"), "ann", None)),
    ]
}

fn everything() -> Vec<(&'static str, &'static str)> {
    let document: &'static Value = Box::leak(Box::new(document()));
    operations(document).into_iter().map(|(path, method, _)| (path, method)).collect()
}

/// A request to every route that would be fine.
fn fine(sent: &str) -> Vec<Cause> {
    causes(sent).into_iter().filter(|cause| cause.status < 300).collect()
}

#[tokio::test]
async fn every_status_that_it_names_is_answered_with_what_it_says() {
    let document = document();
    let house = House::open().await;
    house.say("bob", "ann", "hello").await;
    let sent = house.say("ann", "team", "help").await;
    let sent = sent["id"].as_str().unwrap();
    let mut seen: BTreeMap<(&str, &str), BTreeSet<u16>> = BTreeMap::new();
    let mut run = async |router: &Router, cause: Cause, status: u16| {
        let answer = ask(router, cause.request).await;
        let (path, method) = (cause.path, cause.method);
        assert_eq!(answer.status, status, "{method} {path} {}", answer.body);
        let operation = &document["paths"][path][method];
        let schema = &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path}: {status} is not in the document");
        fits(&document, schema, &answer.body, &format!("{method} {path} {status}"));
        seen.entry((path, method)).or_default().insert(status);
    };
    for cause in causes(sent) {
        let status = cause.status;
        run(&house.router, cause, status).await;
    }
    let nobody_may = house.paced(Rate { per_second: 0.001, burst: 0.0 }, UNPACED);
    for cause in fine(sent) {
        run(&nobody_may, cause, 429).await;
    }
    house.store.close().await;
    for cause in fine(sent) {
        run(&house.router, cause, 503).await;
    }
    for (path, method, operation) in operations(&document) {
        let named: BTreeSet<u16> =
            operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect();
        let mut answered = seen[&(path, method)].clone();
        // A defect: if a test could cause one, it would be mended instead.
        answered.insert(500);
        assert_eq!(named, answered, "{method} {path}");
    }
}

/// Whether a value is what a schema says, as far as schemas say anything here. A member that the schema does not name is
/// a fault, too.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(to) = schema["$ref"].as_str() {
        return fits(document, document.pointer(&to[1..]).unwrap(), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let chosen = choices.iter().find(|choice| (choice["type"] == "null") == value.is_null());
        return fits(document, chosen.unwrap_or_else(|| panic!("{at}: {value}")), value, at);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        other => panic!("{at}: a schema of type {other}"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&kind), "{at}: {value} is not {kinds:?}");
    if let Some(known) = schema["enum"].as_array() {
        assert!(known.contains(value), "{at}: {value} is not in {known:?}");
    }
    if let (Some(minimum), Some(number)) = (schema["minimum"].as_u64(), value.as_u64()) {
        assert!(number >= minimum, "{at}: {number} is less than {minimum}");
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item, &format!("{at}[]"));
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let schema = schema["properties"].get(name).unwrap_or_else(|| panic!("{at}.{name} is not in the document"));
        fits(document, schema, member, &format!("{at}.{name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{at}: {name} is missing");
    }
}
