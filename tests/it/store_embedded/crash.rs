//! `kill -9` in the middle of writing, over and over: everything that was acknowledged is there afterwards, once,
//! at its place, without a hole before it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard::model::{
    Chance, Conversation, ConversationId, MessageId, NewMessage, Seq, SystemChance, Timestamp, UserId,
};
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::{Attempt, Conversations, Messages, Outcome};
use tokio::time::{Instant, sleep};

use super::child::{say, spawn};
use super::{everything, open};

const TALKS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(60);

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn talk(number: usize) -> Conversation {
    Conversation::direct(&user(&format!("ann{number}")), &user("bob"))
}

/// The child: writes into six conversations as fast as it can, two writers to each, one of them in runs, and says what
/// was acknowledged. Never ends by itself.
pub(super) async fn hammer(directory: &Path, round: &str) {
    let store = Arc::new(open(directory));
    // All of them before the first message: what is acknowledged then includes that they exist.
    for number in 0..TALKS {
        store.open(&talk(number)).await.unwrap();
    }
    let mut writers = Vec::new();
    for number in 0..TALKS {
        for (run, length) in [("one", 1), ("run", 5)] {
            let name = format!("{round}-{number}-{run}");
            writers.push(tokio::spawn(write(Arc::clone(&store), talk(number), name, length)));
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(store: Arc<EmbeddedStore>, talk: Conversation, name: String, length: u64) {
    for first in (0..).step_by(usize::try_from(length).unwrap()) {
        let mut keys: Vec<_> = (first..first + length).map(|n| format!("{name}-{n}")).collect();
        while !keys.is_empty() {
            let end = store.tail(talk.id, None).await.unwrap().map_or(Seq::ZERO, |tail| tail.seq);
            let attempts: Vec<_> =
                (end.0 + 1..).map(Seq).zip(&keys).map(|(seq, key)| attempt(&talk, key, seq)).collect();
            let outcomes = if length == 1 {
                store.append_each(attempts.clone()).await
            } else {
                store.append_run(attempts.clone()).await
            };
            for (attempt, outcome) in attempts.iter().zip(outcomes) {
                match outcome {
                    Outcome::Stored => {
                        keys.remove(0);
                        say(&format!("stored {} {} {}", talk.id, attempt.seq, attempt.message.key));
                    }
                    Outcome::SeqTaken | Outcome::Untried => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

fn attempt(talk: &Conversation, key: &str, seq: Seq) -> Attempt {
    let message = NewMessage {
        conversation: talk.id,
        id: MessageId::from_bytes([7; 12]),
        sender: talk.members[0].clone(),
        key: key.parse().unwrap(),
        at: Timestamp(1),
        text: "x".repeat(20 + usize::try_from(seq.0 % 500).unwrap()),
        event: None,
    };
    Attempt { message, seq }
}

/// What a child said was acknowledged; its last line may have been cut off.
fn acknowledged(log: &Path) -> Vec<(ConversationId, Seq, String)> {
    let text = std::fs::read_to_string(log).unwrap();
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole
        .lines()
        .filter_map(|line| line.strip_prefix("stored "))
        .map(|line| {
            let [talk, seq, key] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            (talk.parse().unwrap(), Seq(seq.parse().unwrap()), key.to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    assert_survives(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: minutes"]
async fn what_was_acknowledged_survives_kill_9_very_often() {
    assert_survives(300).await;
}

async fn assert_survives(kills: usize) {
    let home = tempfile::tempdir().unwrap();
    let mut promised: HashMap<(ConversationId, Seq), String> = HashMap::new();
    for round in 0..kills {
        let log = home.path().join(format!("log-{round}"));
        let mut child = spawn(&[], &format!("hammer {round}"), home.path(), &log);
        let deadline = Instant::now() + PATIENCE;
        while !log.exists() || acknowledged(&log).is_empty() {
            assert!(child.is_running() && Instant::now() < deadline, "nothing was stored:\n{}", child.log());
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(SystemChance.bits() % 150)).await;
        assert!(child.is_running(), "it ended by itself:\n{}", child.log());
        child.kill();

        for (talk, seq, key) in acknowledged(&log) {
            let other = promised.insert((talk, seq), key);
            assert_eq!(other, None, "place {seq} of {talk} was given away twice");
        }
        assert_kept(&open(home.path()), &promised).await;
    }
    assert!(promised.len() > kills * TALKS, "only {} messages", promised.len());
}

async fn assert_kept(store: &EmbeddedStore, promised: &HashMap<(ConversationId, Seq), String>) {
    let mut missing = promised.len();
    for number in 0..TALKS {
        let id = talk(number).id;
        let all = everything(store, id).await;
        let mut keys = HashMap::new();
        for (expected, message) in (1..).zip(&all) {
            assert_eq!(message.seq, Seq(expected), "a hole in {id}");
            assert_eq!(keys.insert(message.key.as_str(), message.seq), None, "{} is there twice", message.key);
            if let Some(key) = promised.get(&(id, message.seq)) {
                assert_eq!(key, message.key.as_str(), "at {} of {id}", message.seq);
                missing -= 1;
            }
        }
        let head = &store.get(&[id]).await.unwrap()[0];
        assert_eq!(head.last_seq, Seq(all.len() as u64), "the head was raised in the same transaction");
    }
    assert_eq!(missing, 0, "messages that were acknowledged are gone");
    store.close().await;
}
