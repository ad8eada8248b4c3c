//! Whom the clients tell what they see: it is judged at once, and written into the history file if one is kept.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Judge, Record, Verdict};
use crate::Fault;

/// Bytes of history that wait to be written.
const HISTORY_BUFFER_BYTES: usize = 256 * 1024;

/// All clients of a process tell the same one, so that its lines are in the order in which things happened.
pub(crate) struct Witness(Mutex<Notes>);

struct Notes {
    judge: Judge,
    history: Option<BufWriter<File>>,
    broken: Option<std::io::Error>,
}

impl Witness {
    /// Who writes into a file as well, if one is named.
    pub(crate) fn new(history: Option<&Path>) -> Result<Self, Fault> {
        let open = |path: &Path| {
            let file = File::create(path).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
            Ok::<_, Fault>(BufWriter::with_capacity(HISTORY_BUFFER_BYTES, file))
        };
        let history = history.map(open).transpose()?;
        Ok(Self(Mutex::new(Notes { judge: Judge::default(), history, broken: None })))
    }

    pub(crate) fn note(&self, record: &Record) {
        let mut notes = self.notes();
        notes.judge.take(record);
        notes.write(record);
    }

    /// Damage that is certain already.
    pub(crate) fn damages(&self) -> u64 {
        self.notes().judge.damages()
    }

    /// The run is over: nothing more is noted.
    ///
    /// # Errors
    /// If the history could not be written.
    pub(crate) fn close(&self) -> Result<Verdict, Fault> {
        let mut notes = self.notes();
        if let Some(history) = &mut notes.history {
            let flushed = history.flush();
            notes.broken = notes.broken.take().or(flushed.err());
        }
        if let Some(error) = notes.broken.take() {
            return Err(format!("the history could not be written: {error}").into());
        }
        Ok(std::mem::take(&mut notes.judge).close())
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn write(&mut self, record: &Record) {
        let Some(history) = &mut self.history else { return };
        let written = serde_json::to_writer(&mut *history, record).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|()| history.write_all(b"\n")) {
            self.broken.get_or_insert(error);
        }
    }
}
