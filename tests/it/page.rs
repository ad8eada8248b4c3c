//! The page: what a browser gets, what it may do, and the client that it runs.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use switchboard::auth::{Minter, Verifier};
use switchboard::door::page::{Page, routes};
use switchboard::model::{Clock, Role, SystemChance, SystemClock};
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::support::chaos::Chaos;
use crate::support::cluster::{Cluster, auth, token};

fn page(with_logins: bool) -> Router {
    let minter = with_logins.then(|| Arc::new(Minter::open(&auth(), &SystemChance).unwrap()));
    routes(Page { minter, clock: Arc::new(SystemClock) })
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, headers, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn get(path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
    ask(&page(true), Request::get(path).header("accept", accept).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_browser_gets_the_page_and_anything_else_health() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let (status, headers, html) = get("/", browser).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap()));
    assert!(html.starts_with("<!doctype html>"));
    for (path, accept) in [("/", "*/*"), ("/", "application/json"), ("/health", browser), ("/health", "*/*")] {
        let (status, headers, body) = get(path, accept).await;
        assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"application/json".parse().unwrap()));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({ "status": "ok", "message": "Server is healthy" }), "{path} {accept}");
    }
    assert_eq!(get("/", "*/*").await.1["vary"], "Accept");
}

/// What comes between a string and the next quotation mark.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn everything_that_the_page_loads_is_there_and_nothing_is_inline() {
    let (_, headers, html) = get("/", "text/html").await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(rule), "{rule}");
    }
    assert!(!policy.contains("unsafe") && headers["x-content-type-options"] == "nosniff");
    let lower = html.to_lowercase();
    assert!(!lower.contains("<style") && !lower.contains(" style=") && !lower.contains("javascript:"));
    assert!(!lower.split(" on").skip(1).any(|rest| rest.split_once('=').is_some_and(|(name, _)| name.len() < 12)));
    assert_eq!(lower.matches("<script").count(), lower.matches("<script type=\"module\" src=\"/assets/").count());

    let mut wanted: BTreeSet<String> = quoted(&html, "src=\"")
        .into_iter()
        .chain(quoted(&html, "<link rel=\"icon\" href=\""))
        .map(str::to_owned)
        .collect();
    wanted.extend(quoted(&html, "<link rel=\"stylesheet\" href=\"").into_iter().map(str::to_owned));
    let mut loaded = BTreeSet::new();
    while let Some(path) = wanted.pop_first() {
        let (status, headers, text) = get(&path, "*/*").await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers["cache-control"], "no-cache");
        assert!(headers.contains_key("content-security-policy"));
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
            assert!(!text.contains(markup), "{path} makes markup of text: {markup}");
        }
        let imports = quoted(&text, "from \"./").into_iter().map(|name| format!("/assets/{name}"));
        loaded.insert(path);
        wanted.extend(imports.filter(|path| !loaded.contains(path)));
    }
    assert!(loaded.contains("/assets/client.js"));
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/door/page/assets")).unwrap();
    let there: BTreeSet<String> =
        files.map(|file| format!("/assets/{}", file.unwrap().file_name().into_string().unwrap())).collect();
    let not_loaded: Vec<_> = there.difference(&loaded).collect();
    assert_eq!(not_loaded, ["/assets/index.html"], "everything that is there is loaded");
}

#[tokio::test]
async fn every_element_that_a_script_looks_for_is_in_the_page() {
    let (_, _, html) = get("/", "text/html").await;
    let mut looked_for = BTreeSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/door/page/assets")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let script = std::fs::read_to_string(&path).unwrap();
        for (before, attribute) in [("byId(\"", "id"), (" on(\"", "id"), ("icon(\"", "id=\"icon")] {
            for id in quoted(&script, before) {
                let wanted =
                    if before == "icon(\"" { format!(" {attribute}-{id}\"") } else { format!(" {attribute}=\"{id}\"") };
                assert!(html.contains(&wanted), "{name} looks for {id}");
                looked_for.insert(id.to_owned());
            }
        }
    }
    assert!(looked_for.len() > 60, "{looked_for:?}");
}

fn login(host: &str, origin: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::post("/dev/login").header("host", host).header("content-type", "application/json");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_development_login_gives_a_token_that_counts() {
    let body = json!({ "name": "ann" });
    for origin in [None, Some("http://localhost:3000")] {
        let (status, headers, answer) = ask(&page(true), login("localhost:3000", origin, &body)).await;
        assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let verifier = Verifier::open(&auth(), &SystemChance).unwrap();
        let identity = verifier.verify(answer["token"].as_str().unwrap(), SystemClock.now()).await.unwrap();
        assert_eq!(identity.user.as_str(), "ann");
    }
    let body = json!({ "name": "sue", "role": "admin" });
    let (_, _, answer) = ask(&page(true), login("localhost", None, &body)).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let verifier = Verifier::open(&auth(), &SystemChance).unwrap();
    let identity = verifier.verify(answer["token"].as_str().unwrap(), SystemClock.now()).await.unwrap();
    assert_eq!((identity.user.as_str(), identity.role), ("sue", Role::Admin));
    let (status, ..) = ask(&page(true), login("localhost", None, &json!({ "name": "robot", "role": "service" }))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a backend has a token of its own");
    for bad in [json!({}), json!({ "name": "" }), json!({ "name": "a b" }), json!({ "name": "x".repeat(65) })] {
        assert_eq!(ask(&page(true), login("localhost", None, &bad)).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_strangers_page_gets_no_development_login() {
    let body = json!({ "name": "ann" });
    for (host, origin) in [
        ("evil.example:3000", Some("http://evil.example:3000")),
        ("evil.example:3000", None),
        ("localhost:3000", Some("http://evil.example")),
        ("localhost:3000", Some("http://localhost:4000")),
        ("localhost:3000", Some("null")),
    ] {
        let (status, headers, answer) = ask(&page(true), login(host, origin, &body)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{host} {origin:?}");
        assert!(!answer.contains("token\":") && !headers.contains_key("access-control-allow-origin"));
    }
    let mut form = login("localhost:3000", None, &body);
    form.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(ask(&page(true), form).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "what a form can send");
}

#[tokio::test]
async fn nobody_gets_a_development_login_through_a_proxy() {
    let body = json!({ "name": "ann" });
    for (name, value) in [
        ("forwarded", "for=192.0.2.7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "localhost:3000"),
        ("x-real-ip", "192.0.2.7"),
        ("via", "1.1 proxy"),
    ] {
        let mut request = login("localhost:3000", Some("http://localhost:3000"), &body);
        request.headers_mut().insert(name, value.parse().unwrap());
        let (status, _, answer) = ask(&page(true), request).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{name}");
        assert!(answer["message"].as_str().unwrap().contains("proxy") && answer.get("token").is_none(), "{name}");
    }
}

#[tokio::test]
async fn where_keys_are_configured_there_are_no_development_logins() {
    let (status, _, _) = ask(&page(false), login("localhost:3000", None, &json!({ "name": "ann" }))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let html = |with_logins| async move {
        ask(&page(with_logins), Request::get("/").header("accept", "text/html").body(Body::empty()).unwrap()).await.2
    };
    assert!(html(true).await.contains("data-sign-in=\"name\""));
    assert!(html(false).await.contains("data-sign-in=\"token\""));
}

/// Node.js, which runs the client outside a browser. `scripts/setup` installs it.
fn node() -> Command {
    let mut node = Command::new("node");
    node.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page")).stdin(Stdio::null()).kill_on_drop(true);
    node
}

#[tokio::test]
async fn the_client_keeps_its_promises_by_itself() {
    let files = ["parts.test.mjs", "client.test.mjs", "requests.test.mjs", "model.test.mjs", "page.test.mjs"];
    let run = node().arg("--test").args(files).output();
    let output = timeout(Duration::from_secs(300), run).await.expect("in time").expect("Node.js: run scripts/setup");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let passed = said.lines().find_map(|line| line.trim_start_matches(['#', ' ', 'ℹ']).strip_prefix("pass "));
    assert!(passed.is_some_and(|passed| passed.trim().parse::<u32>().unwrap() > 30), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_are_shown_everything_once_while_their_connections_are_cut() {
    const MESSAGES: u64 = 300;
    let cluster = Cluster::local(1).await;
    let chaos = Chaos::before(cluster.nodes[0].address().port()).await;
    let mut run = node();
    run.arg("live.mjs").env("URL", format!("ws://127.0.0.1:{}/ws", chaos.port()));
    run.env("ANN", token("ann")).env("BOB", token("bob")).env("MESSAGES", MESSAGES.to_string());
    let running = tokio::spawn(run.stdout(Stdio::piped()).stderr(Stdio::piped()).output());
    for n in 0..6 {
        sleep(Duration::from_millis(1_200)).await;
        if n % 2 == 0 { chaos.cut().await } else { chaos.hang_up().await }
    }
    let output = timeout(Duration::from_secs(120), running).await.expect("in time").unwrap().expect("Node.js");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    for user in ["ann", "bob"] {
        let shown = told[user].as_array().unwrap();
        let mut seqs: Vec<u64> = shown.iter().map(|message| message[0].as_u64().unwrap()).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=2 * MESSAGES).collect::<Vec<_>>(), "{user} was shown every message once");
        for writer in ["ann", "bob"] {
            let mut of_writer: Vec<&Value> = shown.iter().filter(|message| message[1] == writer).collect();
            of_writer.sort_by_key(|message| message[0].as_u64());
            let texts: Vec<u64> =
                of_writer.iter().map(|message| message[2].as_str().unwrap().parse().unwrap()).collect();
            assert_eq!(texts, (0..MESSAGES).collect::<Vec<_>>(), "{writer}'s are in the order of writing");
        }
    }
    let reconnects: Vec<u64> = told["reconnects"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert!(reconnects.iter().all(|n| *n >= 1), "{reconnects:?}");
    assert_eq!(told["history"], 100);
    assert_eq!(told["unread"], json!([MESSAGES, 0]));
}
