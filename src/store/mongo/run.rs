//! Running one operation of the driver: never dropped half-way, never waited for too long, never too many at once.
//!
//! The driver's futures must not be dropped (a connection in use would be thrown away with every one, and a write may
//! have gone out or not), so each runs as a task of its own. The caller waits for that task for a bounded time only;
//! what it stops waiting for goes on, and keeps its room until the driver gives it up. So a primary that is frozen holds
//! as many tasks and connections as there is room, and nobody behind them waits longer than [`ROOM_WAIT`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use mongodb::bson::Timestamp;
use mongodb::error::{Error, Result};
use mongodb::{Client, ClientSession};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::metrics::{Metrics, Operation};
use crate::model::limits::{ATTEMPT_WAIT, ROOM_WAIT};

/// Why an operation gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no room for it: it was never begun.
    NoRoom,
    /// It did not end in time, and may still be done.
    NoAnswer,
    /// The driver gave up.
    Driver(Error),
}

/// Runs operations, at most as many at once as the driver has connections.
pub(super) struct Runner {
    client: Client,
    room: Arc<Semaphore>,
    size: usize,
    shared: Arc<Shared>,
}

struct Shared {
    /// Operations that nobody waits for any more.
    abandoned: AtomicUsize,
    horizon: Horizon,
    metrics: Metrics,
}

impl Runner {
    /// A runner with room for `size` operations.
    pub(super) fn new(client: Client, size: usize) -> Self {
        let shared = Shared { abandoned: AtomicUsize::new(0), horizon: Horizon::default(), metrics: Metrics::new() };
        Self { client, room: Arc::new(Semaphore::new(size)), size, shared: Arc::new(shared) }
    }

    /// What is counted and timed.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Runs an operation; resolves within [`ATTEMPT_WAIT`].
    pub(super) async fn run<T, W>(&self, operation: Operation, work: W) -> std::result::Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut ClientSession) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        self.run_within(ATTEMPT_WAIT, operation, work).await
    }

    /// The same with a time of its own, for what is done once at the start.
    pub(super) async fn run_within<T, W>(
        &self,
        wait: Duration,
        operation: Operation,
        work: W,
    ) -> std::result::Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut ClientSession) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        let began = Instant::now();
        let result = match self.room().await {
            Some(room) => self.attempt(began + wait, operation, room, work).await,
            None => Err(Failure::NoRoom),
        };
        self.metrics().ended(operation, began.elapsed(), result.as_ref().err());
        result
    }

    /// Room for one operation. Not waited for when it is all taken by operations that nobody waits for.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&self.room);
        if self.shared.abandoned.load(Ordering::Relaxed) >= self.size {
            return room.try_acquire_owned().ok();
        }
        timeout(ROOM_WAIT, room.acquire_owned()).await.ok()?.ok()
    }

    async fn attempt<T, W>(
        &self,
        deadline: Instant,
        operation: Operation,
        room: OwnedSemaphorePermit,
        work: W,
    ) -> std::result::Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut ClientSession) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        let (client, shared) = (self.client.clone(), Arc::clone(&self.shared));
        let mut task = tokio::spawn(async move {
            let result = shared.causally(&client, operation, work).await;
            drop(room);
            result
        });
        match timeout_at(deadline, &mut task).await {
            Ok(Ok(result)) => result.map_err(Failure::Driver),
            // It panicked, or the runtime is going down: nobody knows how far it came.
            Ok(Err(_)) => Err(Failure::NoAnswer),
            Err(_) => {
                self.abandon(task);
                Err(Failure::NoAnswer)
            }
        }
    }

    /// Counts a task that is no longer waited for until it ends.
    fn abandon<T: Send + 'static>(&self, task: tokio::task::JoinHandle<T>) {
        let shared = Arc::clone(&self.shared);
        shared.abandoned.fetch_add(1, Ordering::Relaxed);
        shared.metrics.abandoned(1.0);
        tokio::spawn(async move {
            // Its result is of no use to anybody: the caller was told that it is unknown.
            drop(task.await);
            shared.abandoned.fetch_sub(1, Ordering::Relaxed);
            shared.metrics.abandoned(-1.0);
        });
    }
}

impl Shared {
    /// Runs the work in a session that sees every write this node was ever told the success of.
    async fn causally<T, W>(&self, client: &Client, operation: Operation, work: W) -> Result<T>
    where
        W: for<'a> FnOnce(&'a mut ClientSession) -> BoxFuture<'a, Result<T>>,
    {
        let mut session = client.start_session().causal_consistency(true).await?;
        if let Some(horizon) = self.horizon.get() {
            session.advance_operation_time(horizon);
        }
        let result = work(&mut session).await?;
        if let Some(time) = session.operation_time().filter(|_| operation.writes()) {
            self.horizon.raise(time);
        }
        Ok(result)
    }
}

/// The time of the last write that was acknowledged. A majority read on a primary that was elected a moment ago may
/// otherwise miss it for some milliseconds: that primary holds the write, but does not know yet that a majority does.
#[derive(Default)]
struct Horizon(AtomicU64);

impl Horizon {
    fn get(&self) -> Option<Timestamp> {
        let packed = self.0.load(Ordering::Acquire);
        (packed > 0).then_some(Timestamp { time: (packed >> 32) as u32, increment: packed as u32 })
    }

    fn raise(&self, time: Timestamp) {
        let packed = u64::from(time.time) << 32 | u64::from(time.increment);
        self.0.fetch_max(packed, Ordering::AcqRel);
    }
}
