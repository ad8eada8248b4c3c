//! The only thread that writes: it takes what waits, commits it as one group, and only then answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::clock::SteadyClock;
use super::directory::Place;
use super::fault::{Health, Unwritten, is_full, meaning};
use super::group::{self, Undone, Write, Written};
use super::meters::WriteMeters;
use super::schema::{self, Checkpoint};
use crate::model::StoreTime;
use crate::model::limits::EMBEDDED_GROUP_WRITES_MAX;
use crate::store::StoreError;

/// How often a writer records the clock, if no commit did: well within the margin of questions about activity
/// ([`AS_OF_MARGIN`](crate::model::limits::AS_OF_MARGIN)), also when a beat comes late by half.
const BEAT: Duration = Duration::from_secs(20);

/// Pages of the log, 4 KiB each, that are not in the file yet, at which they are put there.
const LOG_PAGES_PENDING: i64 = 2_000;

/// Pages of the log at which the writer waits for readers in order to start it over. Only readers that never pause
/// let it come to this.
const LOG_PAGES_MAX: i64 = 16_000;

/// How often the writer waits for readers so, at the most: one that reads everything, for a back-up, does not pause.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

/// How often the writer tries to make room on a full disk, while writes are asked for.
const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// What is in the queue.
pub(super) enum Command {
    /// A write.
    Write(Order),
    /// The last word.
    Stop,
}

/// A write, who waits for it, and its room in the queue.
pub(super) struct Order {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Written, Unwritten>>,
    pub(super) room: OwnedSemaphorePermit,
}

/// What the writing thread works with.
pub(super) struct Desk {
    commands: Receiver<Command>,
    place: Place,
    /// None after a failure: the next group begins with a new one, so that nothing of the old one's state counts.
    connection: Option<Connection>,
    clock: Arc<SteadyClock>,
    recorded: StoreTime,
    health: Arc<Health>,
    meters: Arc<WriteMeters>,
    /// When the writer last waited for readers to start the log over.
    restarted: Option<Instant>,
    /// While the disk is full: when to try next to make room on it.
    full: Option<Instant>,
}

impl Desk {
    pub(super) fn new(
        commands: Receiver<Command>,
        place: Place,
        connection: Connection,
        clock: Arc<SteadyClock>,
        health: Arc<Health>,
        meters: Arc<WriteMeters>,
    ) -> Self {
        let recorded = clock.shown();
        Self {
            commands,
            place,
            connection: Some(connection),
            clock,
            recorded,
            health,
            meters,
            restarted: None,
            full: None,
        }
    }

    /// Works until the last word, or until nobody is left to say it.
    pub(super) fn serve(&mut self) {
        loop {
            match self.commands.recv_timeout(BEAT) {
                Ok(Command::Write(first)) => {
                    let (orders, last) = self.gather(first);
                    self.carry_out(orders);
                    self.checkpoint_if_due();
                    if last {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.clock.shown() > self.recorded.plus(BEAT / 2) {
                self.record_clock();
            }
        }
        self.record_clock();
        self.checkpoint(Checkpoint::Truncate);
    }

    /// What waits behind the first, and whether the last word was among it.
    fn gather(&mut self, first: Order) -> (Vec<Order>, bool) {
        let mut orders = vec![first];
        while orders.len() < EMBEDDED_GROUP_WRITES_MAX {
            match self.commands.try_recv() {
                Ok(Command::Write(order)) => orders.push(order),
                Ok(Command::Stop) => return (orders, true),
                Err(_) => break,
            }
        }
        (orders, false)
    }

    /// Commits these and answers them.
    fn carry_out(&mut self, orders: Vec<Order>) {
        self.meters.waiting.decrement(orders.len() as f64);
        // Whoever has stopped waiting takes the outcome for unknown: "not done" is then the better one.
        let (mut writes, mut waiting) = (Vec::with_capacity(orders.len()), Vec::with_capacity(orders.len()));
        for Order { write, answer, room } in orders.into_iter().filter(|order| !order.answer.is_closed()) {
            writes.push(write);
            waiting.push((answer, room));
        }
        self.meters.group.record(writes.len() as f64);
        match self.commit(writes) {
            Ok(written) => {
                for ((answer, _room), written) in waiting.into_iter().zip(written) {
                    drop(answer.send(written.map_err(Unwritten::Refused)));
                }
            }
            Err(unwritten) => {
                for (answer, _room) in waiting {
                    drop(answer.send(Err(unwritten.clone())));
                }
            }
        }
    }

    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Result<Written, StoreError>>, Unwritten> {
        self.health.check().map_err(Unwritten::Refused)?;
        let connection = self.connection().map_err(|error| Unwritten::Refused(meaning(&error)))?;
        let (started, now) = (Instant::now(), self.clock.now());
        let committed = group::commit(&connection, writes, now);
        self.meters.commit.record(started.elapsed().as_secs_f64());
        match committed {
            Ok(done) => {
                self.connection = Some(connection);
                if done.changed {
                    self.recorded = now;
                    self.has_room();
                }
                Ok(done.answers)
            }
            Err(Undone::Certainly(error)) => Err(Unwritten::Refused(self.note(&error))),
            Err(Undone::Perhaps(error)) => Err(Unwritten::Unknown(self.note(&error))),
        }
    }

    /// The connection at hand, or a new one.
    fn connection(&mut self) -> rusqlite::Result<Connection> {
        self.connection.take().map_or_else(|| schema::writer(&self.place), Ok)
    }

    fn record_clock(&mut self) {
        let now = self.clock.shown();
        if now <= self.recorded || self.health.check().is_err() {
            return;
        }
        let recorded = self.connection().and_then(|connection| schema::record(&connection, now).map(|()| connection));
        match recorded {
            Ok(connection) => {
                self.connection = Some(connection);
                self.recorded = now;
            }
            Err(error) => {
                self.note(&error);
            }
        }
    }

    /// Folds the log into the file where the log has grown, and where the disk is full: the log is what can be done
    /// without.
    fn checkpoint_if_due(&mut self) {
        if let Some(next) = self.full {
            if next <= Instant::now() {
                self.full = Some(Instant::now() + ROOM_PAUSE);
                self.make_room();
            }
            return;
        }
        let Some(log) = self.connection.as_ref().map(|connection| schema::checkpoint(connection, Checkpoint::Look))
        else {
            return;
        };
        match log {
            Ok(log) if log.pages >= LOG_PAGES_MAX && self.may_wait_for_readers() => {
                self.restarted = Some(Instant::now());
                self.checkpoint(Checkpoint::Restart);
            }
            Ok(log) if log.pending >= LOG_PAGES_PENDING => self.checkpoint(Checkpoint::Passive),
            Ok(_) => {}
            Err(error) => {
                self.note(&error);
            }
        }
    }

    fn may_wait_for_readers(&self) -> bool {
        self.restarted.is_none_or(|at| at.elapsed() >= RESTART_PAUSE)
    }

    fn checkpoint(&mut self, how: Checkpoint) {
        let Some(connection) = self.connection.as_ref().filter(|_| self.health.check().is_ok()) else { return };
        let started = Instant::now();
        let done = schema::checkpoint(connection, how);
        self.meters.checkpoint.record(started.elapsed().as_secs_f64());
        if let Err(error) = done {
            self.note(&error);
        }
    }

    fn make_room(&mut self) {
        match self.connection() {
            Ok(connection) => {
                self.connection = Some(connection);
                self.checkpoint(Checkpoint::Truncate);
            }
            Err(error) => {
                self.note(&error);
            }
        }
    }

    /// Takes note of a failure and answers what it means.
    fn note(&mut self, error: &rusqlite::Error) -> StoreError {
        self.health.note(error);
        if is_full(error) && self.full.is_none() {
            self.full = Some(Instant::now());
            tracing::error!(%error, "the disk is full: nothing can be written until there is room; reads go on");
        }
        let meaning = meaning(error);
        self.meters.errors.count(&meaning);
        meaning
    }

    /// Takes note that something was written.
    fn has_room(&mut self) {
        if self.full.take().is_some() {
            tracing::info!("there is room on the disk again: writes go on");
        }
    }
}

#[cfg(test)]
mod tests;
