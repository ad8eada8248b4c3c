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
async fn what_one_writes_in_a_group_all_others_are_shown_on_every_node() {
    let bench = Bench::cluster(2).await;
    let arguments = "--groups 2 --members 12 --rate 20 --seconds 3 --random-seed 4 --within-ms 20000";
    let outcome = bench.play("fanout", "fanout", &bench.targets(), arguments).await;
    outcome.assert_passed();
    let (sent, details) = (outcome.count("sent"), &outcome.report["details"]);
    assert_eq!((sent, outcome.count("received")), (60, 60 * 11));
    assert_eq!((&details["groups"], &details["deliveries"]), (&2.into(), &(60 * 11).into()));
    for span in ["first to last of a group", "due to shown to all of a group"] {
        assert_eq!(outcome.report["latencies"][span]["count"], sent, "{}", outcome.said);
    }
    let slow = bench.play("slow", "fanout", &bench.targets(), &format!("{arguments} --at-least 100000")).await;
    assert!(slow.code == 1 && slow.said.contains("deliveries per second, and not 100000"), "{}", slow.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_is_shown_so_on_every_node() {
    let bench = Bench::cluster(2).await;
    let arguments = "--people 30 --rate 12 --seconds 5 --reloads 30 --random-seed 2 --grace-ms 1000 --within-ms 20000 \
                     --gone-within-ms 30000";
    let outcome = bench.play("presence", "presence", &bench.targets(), arguments).await;
    outcome.assert_passed();
    let done = &outcome.report["details"]["done"];
    for what in ["came", "went", "reloaded"] {
        assert!(done[what].as_u64().unwrap() > 3, "{what}: {done}");
    }
    let count = |span: &str| outcome.report["latencies"][span]["count"].as_u64().unwrap_or(0);
    assert_eq!(done["came"], count("coming to shown everywhere"));
    assert_eq!(done["went"], count("going to shown everywhere"));

    // Nodes that wait for a second are not those that somebody expects to wait for five.
    let hasty = bench.play("hasty", "presence", &bench.targets(), &arguments.replace("1000", "5000")).await;
    assert_eq!(hasty.code, 1, "{}", hasty.said);
    assert!(hasty.report["details"]["false_offline"].as_u64().unwrap() > 0, "{}", hasty.said);
    for said in ["shown as gone who was not", "ms when watcher"] {
        assert!(hasty.said.contains(said), "{}", hasty.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_may_have_many_more_conversations_than_partners() {
    let bench = Bench::cluster(2).await;
    let arguments = "--pairs 6 --conversations 18 --in-turn --rate 90 --messages 90 --answers 20 --think-ms 20-80 \
                     --aftermath 1 --read-back --history DIR/many";
    let outcome = bench.play("many", "chat", &bench.targets(), arguments).await;
    outcome.assert_passed();
    let history = std::fs::read_to_string(bench.file("many")).unwrap();
    let talks = history.lines().filter(|line| line.contains("\"event\":\"sent\"")).map(|line| {
        let sent: serde_json::Value = serde_json::from_str(line).unwrap();
        sent["conversation"].as_str().unwrap().to_owned()
    });
    assert_eq!(talks.collect::<std::collections::BTreeSet<_>>().len(), 18);
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

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_made_from_what_was_measured_and_from_nothing_else() {
    let bench = Bench::start().await;
    let target = format!("ws://{}", bench.address);
    let watch = format!("--watch gateway={}", std::process::id());
    let cells = [
        ("rate-60", "chat", "--pairs 4 --rate 60 --seconds 2 --aftermath 0"),
        ("fanout-5", "fanout", "--members 5 --rate 20 --seconds 2"),
        ("idle-native-json-40", "connect", "--connections 40 --baseline 10 --rest 2"),
        ("handshakes-native-json", "connect", "--connections 20 --baseline 0 --rest 0"),
    ];
    let path = |name: &str| bench.file(name).to_str().unwrap().to_owned();
    let plan =
        |door: &str| ["plan", "--costs", &path("costs"), "--connections", "200000", "--door", door].map(str::to_owned);
    for (title, scenario, arguments) in cells {
        bench.play(title, scenario, &target, &format!("{arguments} --title {title} {watch}")).await.assert_passed();
        let words = ["table", &path(""), "--commit", "abc", "--costs", &path("costs")].map(str::to_owned);
        let (code, said) = run(&words).await;
        assert!(code == 0 && said.contains(&format!("| {title} |")), "{said}");
        if title == "fanout-5" {
            let (code, said) = run(&plan("native-json")).await;
            assert!(code == 2 && said.contains("loadtest/bench idle-native-json-"), "{said}");
        }
    }
    let costs: serde_json::Value = serde_json::from_slice(&std::fs::read(path("costs")).unwrap()).unwrap();
    assert_eq!((&costs["commit"], &costs["doors"][0]["connections"]), (&"abc".into(), &40.into()));
    for cost in [&costs["messages"][0]["spent"]["gateways"], &costs["fan_out"]["gateways"]] {
        assert!(cost.as_f64().unwrap() > 0.0, "{costs}");
    }
    let (code, said) = run(&plan("native-json")).await;
    assert!(code == 0 && said.contains("| connections | 200,000 |") && said.contains("## Walls"), "{said}");
    let (code, said) = run(&plan("socketio")).await;
    assert!(code == 2 && said.contains("idle-socketio-"), "{said}");
}
