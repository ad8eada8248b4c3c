//! The way to the thread that writes.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::clock::SteadyClock;
use super::desk::{Command, Desk, Order};
use super::directory::{OpenError, Place};
use super::fault::{Health, Unwritten};
use super::group::{Write, Written};
use super::meters::WriteMeters;
use crate::model::limits::{ATTEMPT_WAIT, EMBEDDED_WRITE_BYTES_MAX};
use crate::store::StoreError;

/// The unit in which the queue's room is given out.
const SLOT_BYTES: usize = 4 * 1024;

/// All of the queue's room.
const SLOTS: usize = EMBEDDED_WRITE_BYTES_MAX / SLOT_BYTES;

/// The queue in front of the writing thread. Its room is counted in bytes and given out in the order asked for.
#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Command>,
    room: Arc<Semaphore>,
    health: Arc<Health>,
    meters: Arc<WriteMeters>,
}

impl Writer {
    /// Starts the thread. It keeps the directory for as long as it writes.
    pub(super) fn start(
        place: Place,
        connection: Connection,
        clock: Arc<SteadyClock>,
        health: Arc<Health>,
    ) -> Result<(Self, JoinHandle<()>), OpenError> {
        // One more than there is room for, so that sending never waits, not even for the last word.
        let (queue, commands) = sync_channel(SLOTS + 1);
        let meters = Arc::new(WriteMeters::new());
        let mut desk = Desk::new(commands, place, connection, clock, Arc::clone(&health), Arc::clone(&meters));
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || desk.serve());
        let room = Arc::new(Semaphore::new(SLOTS));
        Ok((Self { queue, room, health, meters }, thread.map_err(OpenError::Thread)?))
    }

    /// Has something written. Answers within [`ATTEMPT_WAIT`].
    pub(super) async fn write(&self, write: Write) -> Result<Written, Unwritten> {
        self.health.check().map_err(Unwritten::Refused)?;
        let deadline = Instant::now() + ATTEMPT_WAIT;
        let refused = |why| Unwritten::Refused(self.unavailable(why));
        let slots = (write.bytes() / SLOT_BYTES + 1).min(SLOTS);
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        let room = match timeout_at(deadline, Arc::clone(&self.room).acquire_many_owned(slots)).await {
            Ok(Ok(room)) => room,
            Ok(Err(_closed)) => return Err(refused("it is closed")),
            Err(_elapsed) => return Err(refused("too many writes wait for the disk")),
        };
        let (answer, answered) = oneshot::channel();
        self.meters.waiting.increment(1);
        if self.queue.try_send(Command::Write(Order { write, answer, room })).is_err() {
            self.meters.waiting.decrement(1);
            return Err(refused("its writing thread has ended"));
        }
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(Unwritten::Unknown(self.unavailable("its writing thread has ended"))),
            Err(_elapsed) => Err(Unwritten::Unknown(self.unavailable("the disk did not take a write in time"))),
        }
    }

    /// Fails once nothing can be written any more.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.health.check()?;
        if self.room.is_closed() { Err(StoreError::Unavailable("it is closed".to_owned())) } else { Ok(()) }
    }

    /// Takes nothing more, and lets the thread end when it has done what was taken.
    pub(super) fn stop(&self) {
        self.room.close();
        // Without room for it, it was said before.
        drop(self.queue.try_send(Command::Stop));
    }

    fn unavailable(&self, why: &str) -> StoreError {
        let error = StoreError::Unavailable(why.to_owned());
        self.meters.errors.count(&error);
        error
    }
}
