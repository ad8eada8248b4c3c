//! Each scenario, small, against a node; and what is done with reports.

use crate::support::{Bench, run};

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_and_measured() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let arguments =
        format!("--connections 60 --baseline 10 --per-second 60 --rest 1 --watch node={}", std::process::id());
    let outcome = bench.play("connect", "connect", &target, &arguments).await;
    outcome.assert_passed();
    assert_eq!(outcome.report["details"]["connected"], 60);
    assert_eq!(outcome.report["latencies"]["due to let in"]["count"], 60);
    assert_eq!(outcome.report["processes"][1]["name"], "node");
    assert!(outcome.report["verdict"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_storm_all_are_back_and_miss_nothing() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let outcome = bench.play("storm", "storm", &target, "--pairs 15 --rate 40 --storms 2 --calm 1").await;
    outcome.assert_passed();
    assert_eq!(outcome.report["details"]["storms"].as_array().unwrap().len(), 2);
    assert!(outcome.report["details"]["reconnects"].as_u64().unwrap() >= 60, "{}", outcome.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_are_shown_everything() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let arguments = "--pairs 15 --rate 60 --seconds 3 --slow 30 --stopped 20 --within-ms 20000 --random-seed 3";
    let outcome = bench.play("slow", "slow", &target, arguments).await;
    outcome.assert_passed();
    let details = &outcome.report["details"];
    assert!(details["slow"].as_u64().unwrap() > 0 && details["stopped"].as_u64().unwrap() > 0, "{details}");
    assert!(outcome.report["latencies"]["due to shown, to slow readers"]["count"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_says_what_grows() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let arguments = "--pairs 8 --rate 40 --seconds 14 --storm-every 5 --cuts 1";
    let outcome = bench.play("soak", "soak", &target, arguments).await;
    outcome.assert_passed();
    assert!(outcome.said.contains("ms more in an hour"), "{}", outcome.said);
    assert_eq!(outcome.report["details"]["storms"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_made_once_and_read() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let arguments = "--name archive --messages 400 --rate 400 --pages 30 --page 50 --readers 2 --behind 40";
    let first = bench.play("first", "history", &target, arguments).await;
    first.assert_passed();
    assert_eq!(first.report["details"]["made"], 400);
    assert_eq!(first.report["latencies"]["a page of history"]["count"], 30);
    assert_eq!(first.count("received"), 40, "who comes back is shown what they missed");
    let second = bench.play("second", "history", &target, arguments).await;
    second.assert_passed();
    assert_eq!(second.report["details"]["made"], 0, "it is there already, with what was said behind it");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_run_add_up_and_runs_compare() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let part = |number| format!("--pairs 6 --rate 60 --messages 150 --aftermath 1 --random-seed 5 --shard {number}/2");
    let (one, two) = (part(1), part(2));
    let parts = tokio::join!(bench.play("one", "chat", &target, &one), bench.play("two", "chat", &target, &two));
    parts.0.assert_passed();
    parts.1.assert_passed();

    let path = |name: &str| bench.file(name).to_str().unwrap().to_owned();
    let words =
        ["merge", &path("one.json"), &path("two.json"), "--json", &path("both.json"), "--html", &path("both.html")];
    let (code, said) = run(&words.map(str::to_owned)).await;
    assert_eq!(code, 0, "{said}");
    let both: serde_json::Value = serde_json::from_slice(&std::fs::read(path("both.json")).unwrap()).unwrap();
    assert_eq!((&both["verdict"]["sent"], &both["verdict"]["lost"]), (&150.into(), &0.into()));
    assert_eq!(both["latencies"]["due to shown"]["count"], 150);
    assert!(std::fs::read_to_string(path("both.html")).unwrap().contains("Passed"));

    let (code, said) = run(&["compare".to_owned(), path("one.json"), path("two.json")]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("due to shown, 99 %, ms") && said.contains("ratio"), "{said}");
    let other = bench.play("other", "chat", &target, "--pairs 2 --rate 60 --messages 30 --aftermath 0").await;
    other.assert_passed();
    let (code, said) = run(&["merge".to_owned(), path("one.json"), path("other.json")]).await;
    assert_eq!(code, 2, "{said}");
}
