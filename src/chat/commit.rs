//! Shares bulk inserts between conversations: whatever is waiting when a writer is free goes in one insert.
//! Each lane has at most one attempt here, so that an insert holds at most one message a conversation and needs no
//! order inside.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::pace::Pace;
use crate::model::TraceContext;
use crate::model::limits::{ATTEMPTS_WAITING_MAX, BATCH_MESSAGES_MAX, BATCHES_IN_FLIGHT_MAX};
use crate::store::{Attempt, Outcome, Store, StoreError};
use crate::telemetry::Traces;

/// The way into the shared inserts.
#[derive(Clone)]
pub(super) struct Commit(mpsc::Sender<Waiting>);

struct Waiting {
    attempt: Attempt,
    trace: Option<TraceContext>,
    reply: oneshot::Sender<Answer>,
}

/// What became of an attempt, and the span of the insert that it was in, if its message is traced.
type Answer = (Outcome, Option<TraceContext>);

impl Commit {
    /// Starts the collector. It ends with the last `Commit`.
    pub(super) fn start(store: Arc<dyn Store>, traces: Traces) -> Self {
        let (sender, receiver) = mpsc::channel(ATTEMPTS_WAITING_MAX);
        tokio::spawn(collect(store, traces, receiver));
        Self(sender)
    }

    /// Tries to store one message. The caller has no other attempt of that conversation under way.
    pub(super) async fn append(&self, attempt: Attempt, trace: Option<TraceContext>) -> Answer {
        let (reply, answer) = oneshot::channel();
        if self.0.send(Waiting { attempt, trace, reply }).await.is_err() {
            return (Outcome::Refused(StoreError::Unavailable("the node is stopping".to_owned())), None);
        }
        let given_up = || Outcome::Unknown(StoreError::Unavailable("the insert was given up".to_owned()));
        answer.await.unwrap_or_else(|_| (given_up(), None))
    }
}

/// When nothing was inserted lately a message is inserted at once; otherwise messages gather meanwhile, and the longer the
/// store takes the more go together.
async fn collect(store: Arc<dyn Store>, traces: Traces, mut waiting: mpsc::Receiver<Waiting>) {
    let writers = Arc::new(Semaphore::new(BATCHES_IN_FLIGHT_MAX));
    let mut batch = Vec::new();
    let mut pace = Pace::new(store.pace());
    loop {
        let Ok(writer) = writers.clone().acquire_owned().await else { return };
        if waiting.recv_many(&mut batch, BATCH_MESSAGES_MAX).await == 0 {
            return;
        }
        pace.gather(&mut waiting, &mut batch, BATCH_MESSAGES_MAX).await;
        let (store, traces, batch) = (store.clone(), traces.clone(), std::mem::take(&mut batch));
        tokio::spawn(async move {
            insert(&*store, &traces, batch).await;
            drop(writer);
        });
    }
}

async fn insert(store: &dyn Store, traces: &Traces, batch: Vec<Waiting>) {
    let traced: Vec<TraceContext> = batch.iter().filter_map(|waiting| waiting.trace).collect();
    let span = traces.batch(&traced, batch.len());
    let (attempts, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.attempt, w.reply)).unzip();
    let outcomes = store.append_each(attempts).await;
    let inserted = span.and_then(|span| span.context());
    debug_assert_eq!(outcomes.len(), replies.len(), "the port promises one outcome for each attempt");
    for (reply, outcome) in replies.into_iter().zip(outcomes) {
        // A lane that no longer waits has been stopped with its node.
        let _ = reply.send((outcome, inserted));
    }
}
