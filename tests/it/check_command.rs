//! `switchboard check`: a line for each part, and an exit code.

use std::path::Path;

use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::services::{Mongo, Redis};

const SECRET: &str = "a-secret-of-this-test-that-is-long-enough";

/// Runs it with nothing set but these: its exit code and what it printed.
async fn check(home: &Path, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.arg("check").current_dir(home).env_clear();
    command.env("SWITCHBOARD_LISTEN", "127.0.0.1:0").env("SWITCHBOARD_OPS_LISTEN", "127.0.0.1:0");
    let run = command.envs(settings.iter().copied()).kill_on_drop(true).output().await.unwrap();
    (run.status.code(), String::from_utf8(run.stdout).unwrap())
}

/// What it says of each part: `ok` or `FAILED`.
fn verdicts(said: &str) -> Vec<(&str, &str)> {
    let words = said.lines().map(|line| line.split_whitespace());
    words.map(|mut words| (words.next().unwrap(), words.next().unwrap())).collect()
}

const ALL_WELL: [(&str, &str); 6] =
    [("store", "ok"), ("bus", "ok"), ("keys", "ok"), ("policy", "ok"), ("listen", "ok"), ("ops-listen", "ok")];

#[tokio::test]
async fn one_node_by_itself_is_found_well_and_an_address_in_use_is_said() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = check(home.path(), &[("SWITCHBOARD_LISTEN", &address)]).await;
    assert_eq!((code, verdicts(&said)), (Some(0), ALL_WELL.to_vec()), "{said}");
    assert!(said.contains(&format!("{address} is in use")) && said.contains("127.0.0.1:0 is free"), "{said}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_and_a_foreign_address_fail() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("data"), "a file").unwrap();
    let settings = [("SWITCHBOARD_JWT_SECRET", SECRET), ("SWITCHBOARD_OPS_LISTEN", "192.0.2.1:9464")];
    let (code, said) = check(home.path(), &settings).await;
    let mut expected = ALL_WELL;
    (expected[0].1, expected[5].1) = ("FAILED", "FAILED");
    assert_eq!((code, verdicts(&said)), (Some(1), expected.to_vec()), "{said}");
    assert!(said.contains("open: anybody writes to anybody"), "{said}");
}

#[tokio::test]
async fn a_cluster_is_found_well_and_without_its_servers_it_is_not() {
    let home = tempfile::tempdir().unwrap();
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let (url, uri) = (redis.url(), mongo.uri());
    let settings = [
        ("SWITCHBOARD_REDIS_URL", &*url),
        ("SWITCHBOARD_MONGODB_URI", &uri),
        ("SWITCHBOARD_JWT_SECRET", SECRET),
        ("SWITCHBOARD_POLICY", "support"),
    ];
    let (code, said) = check(home.path(), &settings).await;
    assert_eq!((code, verdicts(&said)), (Some(0), ALL_WELL.to_vec()), "{said}");
    assert!(said.contains("majority writes") && !said.contains(SECRET), "{said}");
    assert!(said.contains("support: users write to the team only"), "{said}");

    redis.kill();
    mongo.kill(0);
    let (code, said) = check(home.path(), &settings).await;
    let mut expected = ALL_WELL;
    (expected[0].1, expected[1].1) = ("FAILED", "FAILED");
    assert_eq!((code, verdicts(&said)), (Some(1), expected.to_vec()), "{said}");
}
