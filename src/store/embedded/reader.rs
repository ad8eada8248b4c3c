//! The threads that read, each through a connection of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::directory::{OpenError, Place};
use super::fault::meaning;
use super::meters::ReadMeters;
use super::schema;
use crate::model::limits::{ATTEMPT_WAIT, EMBEDDED_READERS, EMBEDDED_READS_MAX};
use crate::store::StoreError;

/// What is in the queue.
enum Command {
    /// A question, which answers by itself.
    Ask(Box<dyn FnOnce(&Connection) + Send>),
    /// The last word to one thread.
    Stop,
}

/// The queue in front of the reading threads.
#[derive(Debug)]
pub(super) struct Readers {
    queue: SyncSender<Command>,
    room: Arc<Semaphore>,
    meters: Arc<ReadMeters>,
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(place: &Place) -> Result<(Self, Vec<JoinHandle<()>>), OpenError> {
        let (queue, commands) = sync_channel(EMBEDDED_READS_MAX + EMBEDDED_READERS);
        let commands = Arc::new(Mutex::new(commands));
        let threads = (0..EMBEDDED_READERS).map(|number| {
            let unusable = |error: rusqlite::Error| OpenError::Unusable {
                file: place.file().to_owned(),
                detail: error.to_string(),
            };
            let connection = schema::reader(place).map_err(unusable)?;
            let commands = Arc::clone(&commands);
            let thread = thread::Builder::new().name(format!("store-reader-{number}"));
            thread.spawn(move || serve(&connection, &commands)).map_err(OpenError::Thread)
        });
        let threads = threads.collect::<Result<_, _>>()?;
        let room = Arc::new(Semaphore::new(EMBEDDED_READS_MAX));
        Ok((Self { queue, room, meters: Arc::new(ReadMeters::new()) }, threads))
    }

    /// Asks a question of what is committed now, all of it at one moment. Answers within [`ATTEMPT_WAIT`].
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let answered = timeout(ATTEMPT_WAIT, self.queued(question)).await;
        let answer = answered.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())));
        answer.inspect_err(|error| {
            self.meters.errors.count(error);
            if matches!(error, StoreError::Broken(_)) {
                tracing::error!(%error, "a read met damage: restore a backup, and check the disk");
            }
        })
    }

    async fn queued<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable("it is closed".to_owned());
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let meters = Arc::clone(&self.meters);
        let ask = move |connection: &Connection| {
            meters.waiting.decrement(1);
            if !answer.is_closed() {
                let started = Instant::now();
                let found = at_one_moment(connection, question);
                meters.read.record(started.elapsed().as_secs_f64());
                drop(answer.send(found.map_err(|error| meaning(&error))));
            }
            drop(room);
        };
        self.meters.waiting.increment(1);
        self.queue.try_send(Command::Ask(Box::new(ask))).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Takes nothing more, and lets the threads end when they have answered what was asked.
    pub(super) fn stop(&self) {
        self.room.close();
        for _ in 0..EMBEDDED_READERS {
            // Without room for it, it was said before.
            drop(self.queue.try_send(Command::Stop));
        }
    }
}

fn serve(connection: &Connection, commands: &Mutex<Receiver<Command>>) {
    loop {
        let command = commands.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match command {
            Ok(Command::Ask(ask)) => ask(connection),
            Ok(Command::Stop) | Err(_) => return,
        }
    }
}

fn at_one_moment<T>(
    connection: &Connection,
    question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let run = |sql| connection.prepare_cached(sql)?.execute([]).map(drop);
    run("BEGIN")?;
    let answer = question(connection);
    // Reads change nothing, so it does not matter how the transaction ends, as long as it does.
    run("ROLLBACK")?;
    answer
}
