//! The commands, as an operator runs them: in another process, beside nodes that serve.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;
use switchboard::model::Role;

use super::Place;
use super::copies::furnish;
use crate::support::client::Client;
use crate::support::cluster::{Cluster, Ground, token, token_as};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_up_is_made_beside_a_node_and_restored_once() {
    let home = tempfile::tempdir().unwrap();
    let local = Cluster::local(1).await;
    let Ground::Local(directory, _) = &local.ground else { unreachable!() };
    let file = Place::File(directory.path().join("data"));
    let mut ann = Client::hello(local.nodes[0].address(), "ann").await;
    ann.tell("bob", "k1", "a word").await;
    let database = Place::database("commands-source").await;
    furnish(&database.open().await).await;
    for (name, source) in [("file", file), ("mongo", database)] {
        let backup = home.path().join(format!("{name}.backup"));
        let path = backup.to_str().unwrap();
        let (code, said) = source.run(&["backup", path]);
        assert!(code == Some(0) && said.contains("and read again"), "{said}");
        assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600, "everything is in it");
        let (code, said) = source.run(&["backup", path]);
        assert!(code == Some(1) && said.contains("there already"), "{said}");
        let (code, said) = source.run(&["restore", path]);
        assert!(code == Some(1) && (said.contains("in use") || said.contains("not empty")), "{said}");

        let target = Place::File(home.path().join(name));
        let spoilt = home.path().join("spoilt");
        let mut bytes = fs::read(&backup).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&spoilt, &bytes).unwrap();
        let (code, said) = target.run(&["restore", spoilt.to_str().unwrap()]);
        assert!(code == Some(1) && said.contains("no whole back-up"), "{said}");
        assert!(!home.path().join(name).exists(), "nothing was done");
        let (code, said) = target.run(&["restore", path]);
        assert!(code == Some(0) && said.contains("told to read again"), "{said}");
        let (code, said) = target.run(&["restore", path]);
        assert!(code == Some(1) && said.contains("not empty"), "{said}");
        let (code, said) = target.run(&["backup", home.path().join(format!("{name}.again")).to_str().unwrap()]);
        assert!(code == Some(0), "{said}");
    }
    let (code, said) = Place::File(home.path().join("nowhere")).run(&["backup", "x"]);
    assert!(code == Some(1) && said.contains("there is no store"), "{said}");
    let (code, said) = Place::database("commands-nothing").await.run(&["backup", "x"]);
    assert!(code == Some(1) && said.contains("holds no store"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_erased_beside_nodes_and_old_messages_are_purged() {
    let cluster = Cluster::redis(2).await;
    let place = Place::Mongo(cluster.mongo().uri(), None);
    let redis = cluster.redis_server().url();
    let settings = [("SWITCHBOARD_REDIS_URL", redis.as_str())];
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    for number in 0..3 {
        ann.tell("bob", &format!("k{number}"), "a secret").await;
    }
    let create = json!({ "type": "group", "action": "create", "key": "g", "name": "Cooks", "members": ["bob"] });
    ann.say(create).await;
    let group = ann.expect("sent").await["conversation"].clone();

    let (code, said) = place.run_with(&["erase", "--user", "ann", "--dry-run"], &settings);
    assert!(code == Some(0) && said.contains("1 groups, and have 3 messages emptied in 2 conversations"), "{said}");
    let (code, said) = place.run_with(&["erase", "--user", "team"], &settings);
    assert!(code == Some(1) && said.contains("no person"), "{said}");
    let erasing = {
        let (place, redis) = (place.clone(), redis.clone());
        tokio::task::spawn_blocking(move || {
            place.run_with(&["erase", "--user", "ann"], &[("SWITCHBOARD_REDIS_URL", redis.as_str())])
        })
    };
    assert_eq!(ann.closed().await, Some(4401), "no token of theirs counts");
    let left = loop {
        let heard = bob.expect("message").await;
        if heard["conversation"] == group && heard["event"]["kind"] == "left" {
            break heard;
        }
    };
    assert_eq!(left["from"], "ann", "the nodes were told");
    let (code, said) = erasing.await.unwrap();
    assert!(code == Some(0) && said.contains("erased: 3 messages emptied"), "{said}");
    let url = format!("http://{}/api/v1/users/ann", cluster.nodes[1].address());
    let bearer = token_as("sue", Role::Admin);
    let answer = reqwest::Client::new().get(url).bearer_auth(bearer).send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("Deleted user"), "{answer}");

    for (arguments, expected) in [
        (["purge", "--older-than", "1h"], "at least 1d"),
        (["purge", "--older-than", "long"], "a time is a whole number"),
    ] {
        let (code, said) = place.run_with(&arguments, &settings);
        assert!(code == Some(2) && said.contains(expected), "{said}");
    }
    let (code, said) = place.run_with(&["purge", "--older-than", "365d", "--dry-run"], &settings);
    assert!(code == Some(0) && said.contains("would be: 2 conversations looked at, 0 of them"), "{said}");
    let (code, said) = place.run_with(&["purge", "--older-than", "365d"], &settings);
    assert!(code == Some(0) && said.contains("0 deleted"), "{said}");
    let mut back = Client::silent(cluster.nodes[0].address()).await;
    back.say(json!({ "type": "hello", "token": token("bob") })).await;
    back.expect("welcome").await;
    assert!(back.within(Duration::from_millis(1)).await.is_none_or(|frame| frame["type"] != "error"));
}
