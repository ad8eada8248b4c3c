//! Every door and both encodings, over TLS too: nothing is damaged, and nothing is said to be.

use crate::support::{Bench, run, tls};

const TALK: &str = "--pairs 5 --rate 60 --messages 120 --random-seed 7 --answers 20 --think-ms 50-200 --devices 2 \
                    --read-back --aftermath 1";

async fn talk_over(door: &str) {
    let bench = Bench::start().await;
    let target = format!("http://{}", bench.address);
    let outcome = bench.play(door, "chat", &target, &format!("{TALK} --door {door} --history DIR/history")).await;
    outcome.assert_passed();
    let sent = outcome.count("sent");
    assert!(sent > 125, "answers are sent as well: {sent}");
    assert_eq!((outcome.count("acked"), outcome.count("lost")), (sent, 0));
    assert_eq!(outcome.report["door"], door);
    assert_eq!(outcome.report["latencies"]["due to acknowledged"]["count"], sent);
    // The page of a socket's own user is told of a message that another device sent on the native door only.
    let each = if door.starts_with("native") { 3 } else { 2 };
    assert_eq!(outcome.count("received"), sent * each);

    let history = bench.file("history").to_str().unwrap().to_owned();
    let (code, said) = run(&["check".to_owned(), history]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&sent.to_string()) && said.contains("PASS"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn native_json() {
    talk_over("native-json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_msgpack() {
    talk_over("native-msgpack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn socketio() {
    talk_over("socketio").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn socketio_polling() {
    talk_over("socketio-polling").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_lost_come_back_where_they_were_over_every_door() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    for door in ["native-msgpack", "socketio", "socketio-polling"] {
        let arguments = format!("--pairs 4 --rate 60 --messages 180 --cuts 5 --aftermath 1 --door {door}");
        let outcome = bench.play(door, "chat", &target, &arguments).await;
        outcome.assert_passed();
        assert!(outcome.report["details"]["reconnects"].as_u64().unwrap() >= 5, "{door}: {}", outcome.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_whom_one_trusts() {
    let bench = Bench::start().await;
    let (target, _tls) = tls::in_front_of(&bench.address).await;
    for door in ["native-json", "socketio-polling"] {
        let arguments =
            format!("--pairs 2 --rate 50 --messages 60 --aftermath 0 --door {door} --ca-file {}", tls::authority());
        bench.play(door, "chat", &target, &arguments).await.assert_passed();
    }
    let stranger =
        bench.play("stranger", "connect", &target, "--connections 2 --baseline 0 --rest 0 --patience 1").await;
    assert_eq!(stranger.code, 1, "{}", stranger.said);
    assert_eq!(stranger.report["details"]["connected"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_may_come_from_a_file() {
    let bench = Bench::start().await;
    let (code, said) = run(&["chat".to_owned(), "--token-file".to_owned(), "/nowhere".to_owned()]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("/nowhere cannot be read"), "{said}");
    std::fs::write(bench.file("tokens"), "ann not-a-token\n").unwrap();
    let arguments = ["chat", "--pairs", "1", "--token-file", bench.file("tokens").to_str().unwrap()].map(str::to_owned);
    let (code, said) = run(&arguments).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("tokens for 1 users only"), "{said}");
}
