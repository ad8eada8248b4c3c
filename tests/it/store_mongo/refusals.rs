//! What the store refuses to start with: each time with one sentence that says what to change.

use switchboard::model::SystemChance;
use switchboard::store::mongo::{ConnectError, MongoOptions, MongoStore};
use switchboard::store::{Conversations, Messages, Outcome, Store};
use tempfile::TempDir;

use super::shared;
use super::talk::{attempt, talk};
use crate::support::ports::free_port;
use crate::support::process::{Process, downloaded};
use crate::support::services::Mongo;

const STRICT: MongoOptions = MongoOptions { allow_standalone: false };
const SECRET: &str = "hunter2";

async fn refusal(uri: &str, options: MongoOptions) -> ConnectError {
    let refused = MongoStore::connect(uri, options, &SystemChance).await.err().expect("this must be refused");
    let sentence = refused.to_string();
    assert!(sentence.len() < 2_000 && !sentence.contains('\n') && !sentence.contains("Kind:"), "{sentence}");
    assert!(!sentence.contains(SECRET), "{sentence}");
    refused
}

#[tokio::test]
async fn a_string_that_cannot_be_read_is_refused_without_repeating_it() {
    for uri in [
        "",
        "localhost",
        "redis://localhost",
        "mongodb://",
        "mongodb://ann:hunter2",
        "mongodb://ann:hunter2/switchboard",
        "mongodb://ann:hunter2@",
        "mongodb://ann:hun@hunter2@localhost/",
        "mongodb://ann:%hunter2@localhost/",
        "mongodb://ann:hunter2@localhost:port/",
        "mongodb://ann:hunter2@localhost/a b",
        "mongodb://ann:hunter2@localhost/?socketTimeoutMS=hunter2",
        "mongodb://localhost/?tls=true&tlsCertificateKeyFilePassword=hunter2&maxPoolSize=x",
        "mongodb://localhost/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:hunter2&tls=7",
    ] {
        let refused = refusal(uri, STRICT).await;
        assert!(matches!(refused, ConnectError::Uri(_)), "{uri}: {refused}");
    }
    let refused = refusal("mongodb://ann:hunter2@localhost/?maxPoolSize=many", STRICT).await;
    assert!(refused.to_string().contains("maxpoolsize"), "the wrong option is named: {refused}");
}

#[tokio::test]
async fn options_that_would_break_a_promise_are_refused() {
    for (option, named) in [
        ("w=1", "w"),
        ("w=0", "w"),
        ("w=2", "w"),
        ("w=tagged", "w"),
        ("journal=false", "journal"),
        ("wtimeoutMS=500", "wtimeoutMS"),
        ("readConcernLevel=local", "readConcernLevel"),
        ("readConcernLevel=available", "readConcernLevel"),
        ("readPreference=secondaryPreferred", "readPreference"),
        ("readPreference=nearest", "readPreference"),
    ] {
        let refused = refusal(&format!("mongodb://ann:hunter2@127.0.0.1/?{option}"), STRICT).await;
        assert!(matches!(refused, ConnectError::Weak { option, .. } if option == named), "{option}: {refused}");
    }
}

#[tokio::test]
async fn options_that_ask_for_what_is_done_anyway_are_taken() {
    let mongo = shared().await;
    let options = "&w=majority&journal=true&readConcernLevel=majority&readPreference=primary&retryWrites=true\
                   &maxPoolSize=3&appName=trial&serverSelectionTimeoutMS=9000";
    let uri = mongo.uri() + options;
    let store = MongoStore::connect(&uri, STRICT, &SystemChance).await.unwrap();
    assert!(store.now().await.is_ok());
}

#[tokio::test]
async fn nobody_there_is_said_after_a_while() {
    let uri = format!("mongodb://ann:hunter2@127.0.0.1:{}/", free_port());
    let began = std::time::Instant::now();
    let refused = refusal(&uri, STRICT).await;
    assert!(matches!(refused, ConnectError::Unreachable(_)), "{refused}");
    assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_login_that_is_refused_is_said() {
    let mongo = shared().await;
    let uri = mongo.uri().replace("mongodb://", "mongodb://ann:hunter2@");
    let refused = refusal(&uri, STRICT).await;
    assert!(matches!(refused, ConnectError::Denied(_)), "{refused}");
}

/// A server outside any set. It may take a moment until it answers.
fn standalone() -> (String, (Process, TempDir)) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path();
    let port = free_port().to_string();
    let options = ["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--port", &port];
    // Without this it lays out 300 MB of journal before it starts.
    let journal = ["--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=16MB)"];
    let options: Vec<_> = options.into_iter().chain(journal).chain(["--dbpath", path.to_str().unwrap()]).collect();
    let process = Process::spawn(&downloaded("mongo/mongod"), &options, &path.join("log"));
    (format!("mongodb://127.0.0.1:{port}/"), (process, directory))
}

#[tokio::test]
async fn a_standalone_server_must_be_allowed() {
    let (uri, _server) = standalone();
    let refused = refusal(&uri, STRICT).await;
    assert_eq!(refused, ConnectError::Standalone);
    assert!(refused.to_string().contains("SWITCHBOARD_ALLOW_STANDALONE_MONGODB"), "{refused}");

    let allowed = MongoOptions { allow_standalone: true };
    let store = MongoStore::connect(&uri, allowed, &SystemChance).await.unwrap();
    let talk = talk(&store).await;
    let said = attempt(talk.id, &talk.members[0], "one", 1);
    assert_eq!(store.append_each(vec![said.clone()]).await, [Outcome::Stored]);
    assert_eq!(store.append_run(vec![said.clone()]).await, [Outcome::SeqTaken]);
    store.raise(&[said.message.at_seq(said.seq)]).await.unwrap();
    let tail = store.tail(talk.id, None).await.unwrap().unwrap();
    assert_eq!(tail.seq, said.seq);
    assert!(tail.stored.0 > 0 && tail.stored <= store.now().await.unwrap());
}

#[tokio::test]
async fn one_of_several_members_alone_is_refused() {
    let mongo = Mongo::replica_set(3).await;
    let primary = mongo.primary().await;
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", mongo.port(primary));
    assert_eq!(refusal(&uri, STRICT).await, ConnectError::Direct);

    // Without a majority nothing is promised, and so nothing started.
    for member in (0..3).filter(|member| *member != primary) {
        mongo.stop(member);
    }
    let refused = refusal(&mongo.uri(), STRICT).await;
    assert!(matches!(refused, ConnectError::NoMajority | ConnectError::Unreachable(_)), "{refused}");
}
