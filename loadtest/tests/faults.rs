//! The judge judged: damage that a proxy does is found, each by its name and as often as it was done.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{Bench, Outcome, run};

const TALK: &str = "--pairs 1 --rate 100 --messages 200 --patience 2 --aftermath 1 --arrivals even";

/// A run through a proxy; what came of it, and how many frames were damaged.
async fn through(fault: Fault, seed: u64) -> (Bench, Outcome, u64) {
    let bench = Bench::start().await;
    let proxy = Proxy::start(&bench.address, fault, seed).await;
    let target = format!("ws://{}", proxy.address);
    let arguments = format!("{TALK} --random-seed {seed} --history DIR/history --html DIR/page.html");
    let outcome = bench.play("damaged", "chat", &target, &arguments).await;
    let damaged = proxy.damaged();
    (bench, outcome, damaged)
}

/// The damage is found as often as it was done, under one name, on the screen, as JSON, on the page and in the history.
async fn is_found(fault: Fault, seed: u64, field: &str, name: &str) {
    let (bench, outcome, damaged) = through(fault, seed).await;
    assert_eq!(outcome.code, 1, "{}", outcome.said);
    assert!(damaged > 3, "the proxy did its worst");
    assert_eq!(outcome.count(field), damaged, "{fault:?}: {}", outcome.said);
    for other in ["lost", "doubled", "out_of_order", "misplaced", "late", "unacknowledged"] {
        assert!(other == field || outcome.count(other) == 0, "{fault:?} is not {other}: {}", outcome.said);
    }
    let reason = format!("failed: {damaged} {name}");
    assert!(outcome.said.contains(&reason) && outcome.said.contains("FAIL"), "{}", outcome.said);
    let example = &outcome.report["verdict"]["examples"][0];
    assert!(example["damage"] == field && example["what"].as_str().unwrap().starts_with("message "), "{example}");
    let page = std::fs::read_to_string(bench.file("page.html")).unwrap();
    assert!(page.contains("Failed") && page.contains(name) && page.contains(example["what"].as_str().unwrap()));
    let (code, said) = run(&["check".to_owned(), bench.file("history").to_str().unwrap().to_owned()]).await;
    assert!(code == 1 && said.contains(name) && said.contains("FAIL"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_message_is_lost() {
    is_found(Fault::Drop, 1, "lost", "lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_passed_on_twice_is_doubled() {
    is_found(Fault::Double, 2, "doubled", "doubled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_messages_are_out_of_order() {
    is_found(Fault::Swap, 3, "out_of_order", "out of order").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_and_not_stored_is_lost() {
    is_found(Fault::AcknowledgeOnly, 4, "lost", "lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_acknowledges_and_does_not_write_is_lost_though_everybody_was_shown_it() {
    let bench = Bench::forgetful().await;
    let target = format!("ws://{}", bench.address);
    let unread = bench.play("unread", "chat", &target, TALK).await;
    assert_eq!((unread.code, unread.count("received")), (0, 200), "{}", unread.said);

    let outcome = bench.play("read", "chat", &target, &format!("{TALK} --read-back --history DIR/history")).await;
    assert_eq!((outcome.code, outcome.count("received"), outcome.count("lost")), (1, 200, 20), "{}", outcome.said);
    for other in ["doubled", "out_of_order", "foreign", "misplaced", "late", "unacknowledged"] {
        assert_eq!(outcome.count(other), 0, "it is not {other}: {}", outcome.said);
    }
    assert!(outcome.said.contains("failed: 20 lost"), "{}", outcome.said);
    let example = outcome.report["verdict"]["examples"][0]["what"].as_str().unwrap();
    assert!(example.ends_with("7, not kept by the server"), "{example}");
    let (code, said) = run(&["check".to_owned(), bench.file("history").to_str().unwrap().to_owned()]).await;
    assert!(code == 1 && said.contains("not kept by the server"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoilt_text_is_not_as_sent_and_the_message_is_lost() {
    let (_bench, outcome, damaged) = through(Fault::Spoil, 5).await;
    assert_eq!(outcome.code, 1);
    assert_eq!((outcome.count("foreign"), outcome.count("lost")), (damaged, damaged), "{}", outcome.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_nothing_is_not_accused() {
    let (_bench, outcome, damaged) = through(Fault::None, 6).await;
    outcome.assert_passed();
    assert_eq!(damaged, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_allowed_is_late() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    // Nothing is shown in no time at all.
    let outcome =
        bench.play("late", "chat", &target, "--pairs 1 --rate 50 --messages 50 --late-ms 0 --aftermath 0").await;
    assert_eq!((outcome.code, outcome.count("late")), (1, 50), "{}", outcome.said);
}
