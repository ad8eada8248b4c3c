//! Writers that go on while the primary of three is killed, frozen or made to step down: in the end exactly what was
//! acknowledged is stored, once, without a hole, in each writer's own order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use switchboard::model::limits::PAGE_MESSAGES_MAX;
use switchboard::model::{Conversation, Message, Seq, UserId};
use switchboard::store::mongo::MongoStore;
use switchboard::store::{Attempt, Messages, Outcome, Span};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::talk::{attempt, key, somebody};
use super::{connect, database, is_rising, times};
use crate::support::services::Mongo;

/// Conversations in which all rivals write.
const TALKS: usize = 3;
/// Writers that take the same places, on two nodes.
const RIVALS: usize = 4;
/// Writers that are alone in a conversation of their own, and so never have to read.
const LONERS: usize = 2;
/// Every third turn of a writer is a run of so many.
const RUN: usize = 5;
/// Every so many acknowledgements, a writer looks whether the message is there.
const ASK_EVERY: usize = 10;
/// No fault takes longer than this to get over; then the test fails.
const PATIENCE: Duration = Duration::from_secs(45);

/// What happened to all writers together.
#[derive(Debug, Default)]
struct Tally {
    unknown: AtomicUsize,
    refused: AtomicUsize,
    lost_place: AtomicUsize,
    found_own: AtomicUsize,
    unseen: AtomicUsize,
}

fn count(what: &AtomicUsize) {
    what.fetch_add(1, Ordering::Relaxed);
}

/// One sender, who says one thing after another in several conversations.
struct Writer {
    store: Arc<MongoStore>,
    /// Which conversations, in turn.
    talks: std::ops::Range<usize>,
    tally: Arc<Tally>,
    sender: UserId,
    /// The highest place known in each conversation, from majority reads and acknowledgements only.
    highest: HashMap<usize, Seq>,
    acked: Vec<Said>,
}

impl Writer {
    async fn write_until(mut self, talks: Arc<Vec<Conversation>>, stop: Arc<AtomicBool>) -> Vec<Said> {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let talk = self.talks.start + turn % self.talks.len();
            let length = if turn % 3 == 2 { RUN } else { 1 };
            let names = (0..length).map(|n| format!("{turn:06}-{n}")).collect();
            self.say(talk, &talks[talk], names).await;
            turn += 1;
        }
        self.acked
    }

    /// Says these in order; comes back when all are acknowledged.
    async fn say(&mut self, index: usize, talk: &Conversation, mut names: Vec<String>) {
        while !names.is_empty() {
            let Some(highest) = self.highest(index, talk).await else { continue };
            let places = (1..).map(|n| highest.0 + n);
            let attempts: Vec<Attempt> =
                names.iter().zip(places).map(|(name, seq)| attempt(talk.id, &self.sender, name, seq)).collect();
            let outcomes = if attempts.len() == 1 {
                self.store.append_each(attempts.clone()).await
            } else {
                self.store.append_run(attempts.clone()).await
            };
            let stored = outcomes.iter().take_while(|outcome| **outcome == Outcome::Stored).count();
            for attempt in &attempts[..stored] {
                self.ack(index, talk, names.remove(0), attempt.seq).await;
            }
            match outcomes.get(stored) {
                None => {}
                Some(Outcome::SeqTaken) => {
                    count(&self.tally.lost_place);
                    self.highest.remove(&index);
                }
                Some(Outcome::KeyTaken) => self.look_up(index, talk, &mut names).await,
                Some(Outcome::Unknown(_)) => {
                    count(&self.tally.unknown);
                    self.highest.remove(&index);
                    self.look_up(index, talk, &mut names).await;
                }
                Some(Outcome::Refused(_)) => {
                    count(&self.tally.refused);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Some(other) => panic!("{other:?} after {stored} stored"),
            }
        }
    }

    async fn highest(&mut self, index: usize, talk: &Conversation) -> Option<Seq> {
        if let Some(seq) = self.highest.get(&index) {
            return Some(*seq);
        }
        let tail = self.store.tail(talk.id, None).await.ok()?;
        let seq = tail.map_or(Seq::ZERO, |tail| tail.seq);
        self.highest.insert(index, seq);
        Some(seq)
    }

    /// Takes the first name for said if it is stored, wherever that is.
    async fn look_up(&mut self, index: usize, talk: &Conversation, names: &mut Vec<String>) {
        loop {
            match self.store.find(talk.id, &self.sender, &key(&names[0])).await {
                Ok(Some(message)) => {
                    count(&self.tally.found_own);
                    self.ack(index, talk, names.remove(0), message.seq).await;
                    self.highest.remove(&index);
                    return;
                }
                Ok(None) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// What is acknowledged is seen by whoever asks from now on, whichever member is primary by then. Not asked each
    /// time: a majority read would make a majority write of any other.
    async fn ack(&mut self, index: usize, talk: &Conversation, name: String, seq: Seq) {
        if self.acked.len().is_multiple_of(ASK_EVERY) {
            match self.store.find(talk.id, &self.sender, &key(&name)).await {
                Ok(Some(found)) => assert_eq!(found.seq, seq, "{name}"),
                Ok(None) => count(&self.tally.unseen),
                Err(_) => {}
            }
        }
        let known = self.highest.entry(index).or_insert(seq);
        *known = (*known).max(seq);
        self.acked.push((index, name, seq));
    }
}

async fn everything(store: &MongoStore, talk: &Conversation) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let last = all.last().map_or(Seq::ZERO, |message| message.seq);
        let page = store.page(talk.id, Span::After(last), PAGE_MESSAGES_MAX).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Writers at work.
struct Crew {
    talks: Arc<Vec<Conversation>>,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<Said>>>,
}

/// What was acknowledged: conversation, key, place.
type Said = (usize, String, Seq);

impl Crew {
    async fn start(mongo: &Mongo) -> Self {
        let nodes = [Arc::new(connect(&mongo.uri()).await), Arc::new(connect(&mongo.uri()).await)];
        let talks: Vec<_> =
            (0..TALKS + LONERS).map(|_| Conversation::direct(&somebody("ann"), &somebody("bob"))).collect();
        let (talks, tally, stop) = (Arc::new(talks), Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
        let writers = (0..RIVALS + LONERS).map(|n| {
            let writer = Writer {
                store: Arc::clone(&nodes[n % 2]),
                talks: n.checked_sub(RIVALS).map_or(0..TALKS, |loner| TALKS + loner..TALKS + loner + 1),
                tally: Arc::clone(&tally),
                sender: somebody(&format!("w{n}")),
                highest: HashMap::new(),
                acked: Vec::new(),
            };
            tokio::spawn(writer.write_until(Arc::clone(&talks), Arc::clone(&stop)))
        });
        Self { writers: writers.collect(), talks, tally, stop }
    }

    /// Lets everybody finish what they are at; answers what was acknowledged to each.
    async fn stop(self) -> Vec<Vec<Said>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acked = Vec::new();
        for writer in self.writers {
            let own = timeout(PATIENCE, writer).await.expect("the writers get over it").unwrap();
            assert!(own.len() > 20, "a writer wrote only {}", own.len());
            acked.push(own);
        }
        acked
    }
}

/// Lets writers write, does something to the cluster, and judges what is left.
async fn survives(fault: impl AsyncFnOnce(&Mongo)) -> Arc<Tally> {
    let mongo = Mongo::replica_set(3).await;
    let crew = Crew::start(&mongo).await;
    let (talks, tally) = (Arc::clone(&crew.talks), Arc::clone(&crew.tally));
    tokio::time::sleep(Duration::from_secs(2)).await;
    fault(&mongo).await;
    // Some writes in quiet, so that what was late is there as well.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let acked = crew.stop().await;
    println!("{} acknowledged; {tally:?}", acked.iter().map(Vec::len).sum::<usize>());
    judge(&mongo, &talks, &acked).await;
    assert_eq!(tally.unseen.load(Ordering::Relaxed), 0, "acknowledged, asked for, and not there");
    tally
}

async fn judge(mongo: &Mongo, talks: &[Conversation], acked: &[Vec<Said>]) {
    let (store, database) = (connect(&mongo.uri()).await, database(mongo).await);
    for (index, talk) in talks.iter().enumerate() {
        let stored = everything(&store, talk).await;
        let places: Vec<u64> = stored.iter().map(|message| message.seq.0).collect();
        assert_eq!(places, (1..=stored.len() as u64).collect::<Vec<_>>(), "no hole and no double place");

        let mut expected: Vec<(u64, &str)> = Vec::new();
        for own in acked {
            let here: Vec<_> = own.iter().filter(|(talk, _, _)| *talk == index).collect();
            assert!(here.is_sorted_by(|one, next| one.2 < next.2), "each writer's own order was kept");
            expected.extend(here.iter().map(|(_, name, seq)| (seq.0, name.as_str())));
        }
        expected.sort_unstable();
        let stored: Vec<(u64, &str)> = stored.iter().map(|message| (message.seq.0, message.key.as_str())).collect();
        assert_eq!(stored.len(), expected.len(), "as many as were acknowledged");
        assert_eq!(stored, expected, "each where it was acknowledged, and nothing else");
        assert!(is_rising(&times(&database, talk.id).await), "the store's own times rise, whoever was primary");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_costs_nothing_that_was_acknowledged() {
    survives(async |mongo: &Mongo| {
        let primary = mongo.primary().await;
        mongo.kill(primary);
        mongo.primary().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        mongo.restart(primary).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_primary_costs_nothing_that_was_acknowledged() {
    let tally = survives(async |mongo: &Mongo| {
        let primary = mongo.primary().await;
        mongo.stop(primary);
        tokio::time::sleep(Duration::from_secs(8)).await;
        mongo.cont(primary);
    })
    .await;
    assert!(tally.unknown.load(Ordering::Relaxed) > 0, "writes under way at a freeze have an unknown outcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_steps_down_costs_nothing_that_was_acknowledged() {
    survives(async |mongo: &Mongo| {
        mongo.step_down().await;
        mongo.primary().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        mongo.step_down().await;
        mongo.primary().await;
    })
    .await;
}

/// A primary that has lost its majority, and is gone before it has it back: what it took meanwhile is rolled back, and
/// was acknowledged to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_acknowledged() {
    let tally = survives(async |mongo: &Mongo| {
        let primary = mongo.primary().await;
        let others: Vec<_> = (0..3).filter(|member| *member != primary).collect();
        // Killed, not frozen: what the primary sends to a frozen member is there when it goes on.
        others.iter().for_each(|member| mongo.kill(*member));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        mongo.kill(primary);
        futures_util::future::join_all(others.iter().map(|member| mongo.restart(*member))).await;
        assert_ne!(mongo.primary().await, primary);
        mongo.restart(primary).await;
    })
    .await;
    assert!(tally.unknown.load(Ordering::Relaxed) > 0, "writes under way have an unknown outcome");
}
