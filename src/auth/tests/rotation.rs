//! Keys that an issuer publishes, changes, and sometimes fails to publish. The server is real; the clock stands still
//! but where the test moves it.

use std::sync::mpsc;
use std::time::Duration;

use jsonwebtoken::Algorithm::{self, ES256, EdDSA, HS256, RS256, RS384};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use tokio::time::{Instant, advance, timeout};

use super::super::fault::Fault;
use super::server::{Server, document, ok};
use super::*;

/// Keeps the paused clock from running ahead while nothing but a socket is waited for: Tokio does not advance it
/// while a blocking task runs.
struct StillClock(#[expect(dead_code, reason = "held, not used")] mpsc::Sender<()>);

fn still_clock() -> StillClock {
    let (hold, held) = mpsc::channel();
    tokio::task::spawn_blocking(move || held.recv());
    StillClock(hold)
}

/// The public half of a fixture as a published key, named `kid`.
fn published(kid: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_string(&jwk).unwrap()
}

fn first() -> String {
    published("first", &rsa(), RS256)
}

fn second() -> String {
    published("second", &other_rsa(), RS256)
}

fn named(kid: &str, key: &EncodingKey) -> String {
    signed(format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), good_claims(), key, RS256)
}

fn by(server: &Server, algorithms: &[Algorithm]) -> Verifier {
    open(&auth(Keys::Jwks { url: server.url.clone(), algorithms: algorithms.to_vec() }))
}

async fn accepts(verifier: &Verifier, token: &str) -> bool {
    verifier.verify(token, NOW).await.is_ok()
}

/// Lets background work run until `what` holds. Real sockets need real time: at most ten seconds of it.
async fn until(what: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !what() {
        assert!(started.elapsed() < Duration::from_secs(10), "it never came about");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_counts_as_soon_as_a_token_bears_it() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = by(&server, &[RS256]);
    assert!(accepts(&verifier, &named("first", &rsa())).await, "a token waits for the first fetch");
    server.publish(&[&first(), &second()]);
    advance(Duration::from_secs(31)).await;
    assert!(accepts(&verifier, &named("second", &other_rsa())).await);
    assert!(accepts(&verifier, &named("first", &rsa())).await);
    server.publish(&[&second()]);
    advance(Duration::from_secs(601)).await;
    until(|| server.requests() == 3).await;
    verifier_sees(&verifier, &named("first", &rsa()), false).await;
    assert!(accepts(&verifier, &named("second", &other_rsa())).await);
}

/// Waits for the answer of a fetch to arrive where tokens are checked.
async fn verifier_sees(verifier: &Verifier, token: &str, expected: bool) {
    let started = std::time::Instant::now();
    while accepts(verifier, token).await != expected {
        assert!(started.elapsed() < Duration::from_secs(10), "it never came about");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_refuses_no_valid_token() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = by(&server, &[RS256]);
    assert!(accepts(&verifier, &named("first", &rsa())).await);
    let failures: [&[u8]; 9] = [
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        &ok("<html>a portal</html>"),
        &ok(r#"{"keys":[]}"#),
        &ok(r#"{"keys":{}}"#),
        &ok(&document(&[r#"{"kty":"oct","kid":"first","k":"AAAA"}"#])),
    ];
    for (round, failure) in failures.iter().enumerate() {
        server.answer(failure);
        advance(Duration::from_secs(601)).await;
        until(|| server.requests() == round + 2).await;
        until_failed(&verifier, true).await;
        assert!(accepts(&verifier, &named("first", &rsa())).await, "{}", String::from_utf8_lossy(failure));
    }
    server.publish(&[&second()]);
    advance(Duration::from_secs(601)).await;
    until_failed(&verifier, false).await;
    assert!(accepts(&verifier, &named("second", &other_rsa())).await, "it recovers");
    drop(server);
    advance(Duration::from_secs(24 * 3600)).await;
    until_failed(&verifier, true).await;
    assert!(accepts(&verifier, &named("second", &other_rsa())).await, "a day later");
}

/// Waits until the last fetch has ended as expected.
async fn until_failed(verifier: &Verifier, expected: bool) {
    let started = std::time::Instant::now();
    while verifier.settled().await.is_err() != expected {
        assert!(started.elapsed() < Duration::from_secs(10), "it never came about");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_comes_late_is_found() {
    let _still = still_clock();
    let server = Server::start(&[]).await;
    server.answer(b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n");
    let verifier = by(&server, &[RS256]);
    assert!(verifier.settled().await.unwrap_err().to_string().contains("503"));
    let before = Instant::now();
    assert!(!accepts(&verifier, &named("first", &rsa())).await);
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody waits for a fetch that is not due");
    server.publish(&[&first()]);
    advance(Duration::from_secs(5)).await;
    until(|| server.requests() == 2).await;
    verifier_sees(&verifier, &named("first", &rsa()), true).await;
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_cost_one_fetch_in_thirty_seconds() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = by(&server, &[RS256]);
    assert_eq!(verifier.settled().await, Ok(1));
    let start = Instant::now();
    let known = named("first", &rsa());
    // Whose signature nobody gets to look at.
    let unknown =
        |kid: String| format!("{}.{}.AAAA", encode(format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#)), encode("{}"));
    for second in 0..300_u64 {
        for name in 0..20 {
            let token = unknown(format!("{second}-{name}"));
            assert_eq!(verifier.identify(&token, NOW).await, Err(Fault::UnknownKey));
        }
        assert!(accepts(&verifier, &known).await);
        advance(Duration::from_secs(1)).await;
        let budget = 1 + usize::try_from(start.elapsed().as_secs() / 30).unwrap();
        assert!(server.requests() <= budget, "{} requests after {second} s", server.requests());
    }
    until(|| server.requests() >= 10).await;
}

#[tokio::test(start_paused = true)]
async fn many_at_once_share_one_fetch() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = by(&server, &[RS256]);
    assert_eq!(verifier.settled().await, Ok(1));
    server.publish(&[&first(), &second()]);
    advance(Duration::from_secs(31)).await;
    let token = named("second", &other_rsa());
    let answers = futures_util::future::join_all((0..100).map(|_| verifier.verify(&token, NOW))).await;
    assert!(answers.iter().all(Result::is_ok), "all wait for the one fetch");
    assert_eq!(server.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bearer_who_hangs_up_aborts_no_fetch() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = by(&server, &[RS256]);
    assert_eq!(verifier.settled().await, Ok(1));
    server.publish(&[&second()]);
    advance(Duration::from_secs(31)).await;
    let unknown = named("unknown", &rsa());
    {
        let mut asking = std::pin::pin!(verifier.verify(&unknown, NOW));
        assert!(futures_util::poll!(asking.as_mut()).is_pending());
    }
    until(|| server.requests() == 2).await;
    verifier_sees(&verifier, &named("second", &other_rsa()), true).await;
    assert_eq!(server.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_waits_five_seconds_for_a_silent_endpoint_and_a_known_one_not_at_all() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = std::sync::Arc::new(by(&server, &[RS256]));
    assert_eq!(verifier.settled().await, Ok(1));
    server.answer(b"");
    advance(Duration::from_secs(31)).await;
    let asking = {
        let verifier = std::sync::Arc::clone(&verifier);
        tokio::spawn(async move { verifier.identify(&named("unknown", &rsa()), NOW).await })
    };
    until(|| server.requests() == 2).await;
    let known = named("first", &rsa());
    let answer = timeout(Duration::ZERO, verifier.verify(&known, NOW)).await;
    assert!(answer.is_ok_and(|answer| answer.is_ok()), "a known key waits for nobody");
    advance(Duration::from_millis(4_900)).await;
    assert!(!asking.is_finished());
    advance(Duration::from_millis(200)).await;
    assert_eq!(asking.await.unwrap(), Err(Fault::UnknownKey));
    until_failed(&verifier, true).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_or_elsewhere_is_none() {
    let _still = still_clock();
    let elsewhere = Server::start(&[&first()]).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url);
    let padding = " ".repeat(64 * 1024);
    let large = ok(&(document(&[&first()]) + &padding));
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n{padding}\r\n1\r\n \r\n0\r\n\r\n");
    let just_fits = document(&[&first()]);
    let just_fits = ok(&(just_fits.clone() + &" ".repeat(64 * 1024 - just_fits.len())));
    for (what, answer, expected) in [
        ("redirect", redirect.as_bytes(), Some("302")),
        ("too large", large.as_slice(), Some("larger than 65536 bytes")),
        ("too large, by the piece", chunked.as_bytes(), Some("larger than 65536 bytes")),
        ("just fits", just_fits.as_slice(), None),
    ] {
        let server = Server::start(&[]).await;
        server.answer(answer);
        let settled = by(&server, &[RS256]).settled().await;
        let failure = settled.err().map(|error| error.to_string());
        assert_eq!(failure.is_some(), expected.is_some(), "{what}: {failure:?}");
        assert!(failure.unwrap_or_default().contains(expected.unwrap_or_default()), "{what}");
    }
    assert_eq!(elsewhere.requests(), 0, "a redirect is not followed");
}

#[tokio::test(start_paused = true)]
async fn only_keys_for_our_signatures_are_taken() {
    let _still = still_clock();
    let changed = |member: &str, value: &str| {
        let mut key: serde_json::Value = serde_json::from_str(&first()).unwrap();
        key[member] = serde_json::from_str(value).unwrap();
        key.to_string()
    };
    let ec = published("first", &ec256(), ES256);
    let swap = |from: &str, to: &str| ec.replace(from, to);
    let weak = DecodingKey::from_rsa_pem(fixture!("rsa1024.pub.pem").as_bytes()).unwrap();
    let weak = serde_json::to_string(&Jwk::from_decoding_key(&weak, Some(RS256)).unwrap()).unwrap();
    let table: [(&str, String, bool); 16] = [
        ("as it is", first(), true),
        ("use sig", changed("use", r#""sig""#), true),
        ("use enc", changed("use", r#""enc""#), false),
        ("for verifying", changed("key_ops", r#"["verify"]"#), true),
        ("for encrypting", changed("key_ops", r#"["encrypt"]"#), false),
        ("of another algorithm", changed("alg", r#""RS384""#), false),
        ("of no known algorithm", changed("alg", r#""RSA-OAEP""#), false),
        ("for HS256", changed("alg", r#""HS256""#), false),
        ("of another type", changed("kty", r#""EC""#), false),
        ("without a modulus", changed("n", "null"), false),
        ("of 1,024 bits", weak, false),
        ("symmetric", r#"{"kty":"oct","kid":"first","alg":"HS256","k":"AAAA"}"#.to_owned(), false),
        ("on a curve", ec.clone(), true),
        ("on the wrong curve", swap("P-256", "P-384"), false),
        ("with half a point", swap(r#""x":""#, r#""x":"AAAA"#), false),
        ("no key at all", r#""first""#.to_owned(), false),
    ];
    for (what, key, is_usable) in table {
        let server = Server::start(&[&key, r#"{"kty":"new-kind"}"#, "null"]).await;
        let settled = by(&server, &[RS256, ES256]).settled().await;
        assert_eq!(settled.is_ok(), is_usable, "{what}: {settled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_configured_algorithms_are_the_only_ones() {
    let _still = still_clock();
    let mut unlabelled: serde_json::Value = serde_json::from_str(&first()).unwrap();
    unlabelled.as_object_mut().unwrap().remove("alg");
    let server = Server::start(&[&unlabelled.to_string(), &published("ed", &ed25519(), EdDSA)]).await;
    let verifier = by(&server, &[RS256, EdDSA]);
    assert_eq!(verifier.settled().await, Ok(2));
    let pem = fixture!("rsa2048.pub.pem");
    let with = |header: &str, key: &EncodingKey, algorithm| signed(header, good_claims(), key, algorithm);
    for (what, token, expected) in [
        ("RS256", named("first", &rsa()), None),
        ("EdDSA", with(r#"{"alg":"EdDSA","kid":"ed"}"#, &ed25519(), EdDSA), None),
        ("no kid", with(r#"{"alg":"RS256"}"#, &rsa(), RS256), None),
        ("RS384", with(r#"{"alg":"RS384","kid":"first"}"#, &rsa(), RS384), Some(Fault::Algorithm)),
        (
            "HS256 by the public key",
            with(r#"{"alg":"HS256","kid":"first"}"#, &hmac(pem), HS256),
            Some(Fault::Algorithm),
        ),
        (
            "HS256 by the modulus",
            with(r#"{"alg":"HS256","kid":"first"}"#, &hmac(unlabelled["n"].as_str().unwrap()), HS256),
            Some(Fault::Algorithm),
        ),
        (
            "none",
            format!("{}.{}.", encode(r#"{"alg":"none","kid":"first"}"#), encode(good_claims())),
            Some(Fault::Algorithm),
        ),
        ("another's kid", with(r#"{"alg":"RS256","kid":"ed"}"#, &rsa(), RS256), Some(Fault::UnknownKey)),
        ("another key", named("first", &other_rsa()), Some(Fault::Signature)),
        ("no kid, another key", with(r#"{"alg":"RS256"}"#, &other_rsa(), RS256), Some(Fault::Signature)),
        ("empty kid", named("", &rsa()), Some(Fault::UnknownKey)),
    ] {
        assert_eq!(verifier.identify(&token, NOW).await.err(), expected, "{what}");
    }
    assert_eq!(server.requests(), 1, "none of it was worth a fetch so soon");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_verifier_fetches_no_more() {
    let _still = still_clock();
    let server = Server::start(&[&first()]).await;
    let verifier = by(&server, &[RS256]);
    assert_eq!(verifier.settled().await, Ok(1));
    drop(verifier);
    for _ in 0..10 {
        advance(Duration::from_secs(601)).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(server.requests(), 1);
}
