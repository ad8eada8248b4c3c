//! `switchboard check`: a line for each part, and an exit code. `switchboard health`: an exit code.

use std::path::Path;

use switchboard::config::{SETTINGS, Setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

/// What it says of each part: `ok` or `FAILED`; without what it says of bounds and settings.
fn verdicts(said: &str) -> Vec<(&str, &str)> {
    let words = said.lines().map(|line| line.split_whitespace());
    let all: Vec<(&str, &str)> = words.map(|mut words| (words.next().unwrap(), words.next().unwrap())).collect();
    assert_eq!(all[PARTS..].iter().find(|(_, verdict)| *verdict == "FAILED"), None, "a bound does not fail: {said}");
    all[..PARTS].to_vec()
}

/// What it says that is risky.
fn risks(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.split_once(" RISKY ").map(|(_, sentence)| sentence.trim())).collect()
}

const PARTS: usize = 8;
const ALL_WELL: [(&str, &str); PARTS] = [
    ("store", "ok"),
    ("bus", "ok"),
    ("presence", "ok"),
    ("keys", "ok"),
    ("policy", "ok"),
    ("traces", "ok"),
    ("listen", "ok"),
    ("ops-listen", "ok"),
];

#[tokio::test]
async fn every_bound_is_said_with_its_figure_and_its_variable() {
    let home = tempfile::tempdir().unwrap();
    let bounds: Vec<&Setting> = SETTINGS.iter().filter(|setting| ["N", "SECONDS"].contains(&setting.hint)).collect();
    assert!(bounds.len() > 10, "the settings were not found");
    // Figures of which none is another's.
    let figures: Vec<(String, String)> =
        bounds.iter().zip(20_011..).map(|(setting, figure)| (setting.variable(), figure.to_string())).collect();
    let small = |(name, figure): &(String, String)| match name.as_str() {
        "SWITCHBOARD_MEMORY_BYTES" => (name.clone(), (777 * 1024 * 1024_u64 * 5 / 4).to_string()),
        "SWITCHBOARD_WORKERS" => (name.clone(), "27".to_owned()),
        "SWITCHBOARD_PRESENCE_GRACE_SECONDS" => (name.clone(), "271".to_owned()),
        "SWITCHBOARD_DRAIN_SECONDS" => (name.clone(), "2711".to_owned()),
        _ => (name.clone(), figure.clone()),
    };
    let figures: Vec<(String, String)> = figures.iter().map(small).collect();
    let settings: Vec<(&str, &str)> = figures.iter().map(|(name, figure)| (name.as_str(), figure.as_str())).collect();
    let (code, said) = check(home.path(), &settings).await;
    assert_eq!(code, Some(0), "{said}");
    for (name, figure) in &figures {
        let figure = if name == "SWITCHBOARD_MEMORY_BYTES" { "777 MiB" } else { figure };
        let line = said.lines().find(|line| line.contains(&format!("({name})")));
        assert!(line.is_some_and(|line| line.contains(figure)), "nothing says {figure} of {name}:\n{said}");
    }
}

#[tokio::test]
async fn what_is_risky_is_said_and_nothing_else_is() {
    let home = tempfile::tempdir().unwrap();
    let safe = [
        ("SWITCHBOARD_JWT_SECRET", SECRET),
        ("SWITCHBOARD_JWT_AUDIENCE", "chat"),
        ("SWITCHBOARD_CONNECTIONS_MAX", "100"),
        ("SWITCHBOARD_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/48"),
        ("SWITCHBOARD_ALLOWED_ORIGINS", "https://chat.example.com,http://localhost:8080"),
    ];
    let (_, said) = check(home.path(), &safe).await;
    assert_eq!(risks(&said), Vec::<&str>::new(), "{said}");
    assert!(said.contains("settings    ok "), "{said}");
    for (name, value, expected) in [
        ("SWITCHBOARD_CONNECTIONS_MAX", "10000000", "SWITCHBOARD_CONNECTIONS_MAX"),
        ("SWITCHBOARD_TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "SWITCHBOARD_TRUSTED_PROXIES: 0.0.0.0/0 is wide"),
        ("SWITCHBOARD_TRUSTED_PROXIES", "::/0", "SWITCHBOARD_TRUSTED_PROXIES: ::/0 is wide"),
        ("SWITCHBOARD_ALLOWED_ORIGINS", "http://chat.example.com", "http://chat.example.com is not https"),
        ("SWITCHBOARD_OPS_LISTEN", "0.0.0.0:0", "whoever reaches 0.0.0.0:0 is answered"),
        ("SWITCHBOARD_DRAIN_SECONDS", "0", "clients are cut off at once"),
    ] {
        let (code, said) = check(home.path(), &[&safe[..], &[(name, value)]].concat()).await;
        let found = risks(&said);
        assert!(found.len() == 1 && found[0].contains(expected), "{name}={value}: {said}");
        assert_eq!(code, Some(0), "a node would start: {said}");
    }
    let (_, said) = check(home.path(), &[]).await;
    assert!(risks(&said).iter().any(|risk| risk.contains("may be anybody")), "{said}");
    let (_, said) = check(home.path(), &[("SWITCHBOARD_JWT_SECRET", SECRET)]).await;
    assert!(risks(&said).iter().any(|risk| risk.contains("SWITCHBOARD_JWT_AUDIENCE")), "{said}");
}

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
    (expected[0].1, expected[7].1) = ("FAILED", "FAILED");
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
    (expected[0].1, expected[1].1, expected[2].1) = ("FAILED", "FAILED", "FAILED");
    assert_eq!((code, verdicts(&said)), (Some(1), expected.to_vec()), "{said}");
}

/// Runs `switchboard health` for a node at this address: its exit code and what it complained of.
async fn health(ops_listen: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.arg("health").env_clear().env("SWITCHBOARD_JWT_SECRET", SECRET).env("SWITCHBOARD_OPS_LISTEN", ops_listen);
    let run = command.kill_on_drop(true).output().await.unwrap();
    (run.status.code(), String::from_utf8(run.stderr).unwrap())
}

/// Answers the next connection with this, after it has asked; gives what it asked for.
async fn answer(listener: &TcpListener, words: &str) -> String {
    let (mut line, _) = listener.accept().await.unwrap();
    let mut asked = vec![0; 1_024];
    let length = line.read(&mut asked).await.unwrap();
    line.write_all(words.as_bytes()).await.unwrap();
    String::from_utf8_lossy(&asked[..length]).into_owned()
}

#[tokio::test]
async fn a_node_that_answers_is_healthy_also_when_it_listens_on_every_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let everywhere = format!("0.0.0.0:{port}");
    let good = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nalive\n";
    let (asked, (code, said)) = tokio::join!(answer(&listener, good), health(&everywhere));
    assert!(asked.starts_with("GET /livez HTTP/1.1\r\n"), "{asked}");
    assert_eq!((code, &*said), (Some(0), ""));
}

#[tokio::test]
async fn a_node_that_is_gone_or_says_anything_else_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let bad = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    let (_, (code, said)) = tokio::join!(answer(&listener, bad), health(&address));
    assert!(code == Some(1) && said.contains("does not say that it lives"), "{said}");
    drop(listener);
    let (code, said) = health(&address).await;
    assert!(code == Some(1) && said.contains(&format!("no node answers on {address}")), "{said}");
}
