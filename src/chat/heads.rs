//! Raises the heads of conversations after their messages were stored, and only then lets the senders be answered:
//! whoever asks the store "where was activity?" finds every acknowledged message.
//!
//! Raises are coalesced: while one is under way, and for a moment after it began, the next gathers, and of many messages of
//! one conversation only the last needs raising.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::{metrics::Stages, pace::Pace, send::Sent, unavailable};
use crate::model::limits::{BATCH_MESSAGES_MAX, HEADS_WAITING_MAX, RAISE_PACES, SEND_WAIT, STORE_PAUSE};
use crate::model::{ConversationId, Message, Refusal};
use crate::store::{Store, StoreError};
use crate::telemetry::Sending;

/// A stored and announced message whose sender still waits.
pub(super) struct Stored {
    /// The message.
    pub(super) sent: Sent,
    /// When it was accepted; after [`SEND_WAIT`] its sender is told that it takes too long.
    pub(super) accepted: Instant,
    /// How its conversation's head is to be raised.
    pub(super) rise: Rise,
    /// Where the answer goes.
    pub(super) reply: oneshot::Sender<Result<Sent, Refusal>>,
    /// Its trace, which ends with the answer.
    pub(super) trace: Option<Box<Sending>>,
}

/// How a head is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rise {
    /// Over a message that was stored just now.
    New,
    /// Over one that was found to be stored: perhaps long ago, and that must not look like activity.
    Found,
    /// In a conversation of so many that its activity need not be stamped every time.
    Crowd,
}

impl Stored {
    fn refuse(self, error: &StoreError) {
        let refusal = unavailable(error);
        if let Some(trace) = self.trace {
            trace.refuse(refusal.code);
        }
        let _ = self.reply.send(Err(refusal));
    }
}

/// The way to an acknowledgement.
#[derive(Clone)]
pub(super) struct Heads(mpsc::Sender<Stored>);

impl Heads {
    /// Starts the task. It ends with the last `Heads`.
    pub(super) fn start(store: Arc<dyn Store>, stages: Stages) -> Self {
        let (sender, receiver) = mpsc::channel(HEADS_WAITING_MAX);
        tokio::spawn(raise_all(store, stages, receiver));
        Self(sender)
    }

    /// Answers the sender once the head has been raised.
    pub(super) async fn acknowledge(&self, stored: Stored) {
        if let Err(mpsc::error::SendError(stored)) = self.0.send(stored).await {
            let stopping = StoreError::Unavailable("the node is stopping".to_owned());
            stored.refuse(&stopping);
        }
    }
}

async fn raise_all(store: Arc<dyn Store>, stages: Stages, mut arriving: mpsc::Receiver<Stored>) {
    let mut waiting = Vec::new();
    let mut pace = Pace::new(RAISE_PACES * store.pace());
    while arriving.recv_many(&mut waiting, HEADS_WAITING_MAX).await > 0 {
        pace.gather(&mut arriving, &mut waiting, HEADS_WAITING_MAX).await;
        while !waiting.is_empty() {
            let heads = highest_of_each(&waiting);
            match raise(&*store, &heads).await {
                Ok(()) => waiting.drain(..).for_each(|stored| answer(stored, &stages)),
                Err(error) => {
                    refuse_overdue(&mut waiting, &error);
                    sleep(STORE_PAUSE).await;
                    let room = HEADS_WAITING_MAX - waiting.len();
                    for _ in 0..room {
                        let Ok(more) = arriving.try_recv() else { break };
                        waiting.push(more);
                    }
                }
            }
        }
    }
}

/// The last message of each conversation, by how its head is raised.
fn highest_of_each(waiting: &[Stored]) -> [(Rise, Vec<Message>); 3] {
    let mut highest: HashMap<ConversationId, &Stored> = HashMap::new();
    for stored in waiting {
        let message = &stored.sent.message;
        let known = highest.entry(message.conversation).or_insert(stored);
        if known.sent.message.seq < message.seq {
            *known = stored;
        }
    }
    [Rise::New, Rise::Found, Rise::Crowd].map(|rise| {
        let such = highest.values().filter(|stored| stored.rise == rise);
        (rise, such.map(|stored| (*stored.sent.message).clone()).collect())
    })
}

async fn raise(store: &dyn Store, heads: &[(Rise, Vec<Message>)]) -> Result<(), StoreError> {
    for (rise, messages) in heads {
        for part in messages.chunks(BATCH_MESSAGES_MAX) {
            match rise {
                Rise::New => store.raise_new(part).await?,
                Rise::Found => store.raise(part).await?,
                Rise::Crowd => store.raise_crowds(part).await?,
            }
        }
    }
    Ok(())
}

fn answer(stored: Stored, stages: &Stages) {
    stages.acknowledged.record(stored.accepted.elapsed());
    drop(stored.trace);
    // A sender that no longer waits has gone; its message is stored all the same.
    let _ = stored.reply.send(Ok(stored.sent));
}

/// The message is stored but not yet found by those who look for activity: its sender repeats it, which raises again.
fn refuse_overdue(waiting: &mut Vec<Stored>, error: &StoreError) {
    let now = Instant::now();
    for stored in waiting.extract_if(.., |stored| stored.accepted + SEND_WAIT <= now) {
        stored.refuse(error);
    }
}
