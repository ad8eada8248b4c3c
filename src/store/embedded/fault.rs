//! What can go wrong below, and what it means to those above.

use std::sync::OnceLock;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use super::group::Written;
use crate::store::{Outcome, StoreError};

/// Why a write was not done, or not known to be.
#[derive(Debug, Clone)]
pub(super) enum Unwritten {
    /// Certainly not done.
    Refused(StoreError),
    /// Perhaps done.
    Unknown(StoreError),
}

impl Unwritten {
    /// The writer answered another question: a defect of this store.
    pub(super) fn mismatched(answer: &Written) -> Self {
        Self::Unknown(StoreError::Broken(format!("the writer's answer does not fit the question: {answer:?}")))
    }
}

impl From<Unwritten> for Outcome {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Refused(error) => Self::Refused(error),
            Unwritten::Unknown(error) => Self::Unknown(error),
        }
    }
}

impl From<Unwritten> for StoreError {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Refused(error) | Unwritten::Unknown(error) => error,
        }
    }
}

/// What an error of SQLite's means.
pub(super) fn meaning(error: &rusqlite::Error) -> StoreError {
    let said = error.to_string();
    if is_full(error) {
        return StoreError::Full(said);
    }
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::CannotOpen,
        ) => StoreError::Unavailable(said),
        // Among them what does not come from SQLite: a value in a row that is not what was put there.
        _ => StoreError::Broken(said),
    }
}

/// Whether there was no room. (The second code: no room to grow the log's index.)
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || extended(error) == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether the disk failed to take what was written. What the kernel then still holds may never reach the disk, and
/// a second fsync would claim that it did: nothing may be written after it.
pub(super) fn is_failed_write(error: &rusqlite::Error) -> bool {
    const READING: [i32; 4] =
        [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS, ffi::SQLITE_IOERR_NOMEM];
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
        && !is_full(error)
        && extended(error).is_none_or(|code| !READING.contains(&code))
}

/// The precise code.
pub(super) fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// Something in a row that is not what was put there.
pub(super) fn damaged(what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, what.into())
}

/// Whether the store still takes writes. Once it does not, it never does again.
#[derive(Debug, Default)]
pub(super) struct Health {
    broken: OnceLock<StoreError>,
}

impl Health {
    /// Fails for ever after the disk failed to take a write.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.broken.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Takes note of an error while writing.
    pub(super) fn note(&self, error: &rusqlite::Error) {
        if is_failed_write(error)
            && self.broken.set(StoreError::Broken(format!("a write failed earlier: {error}"))).is_ok()
        {
            tracing::error!(%error, "the disk failed to take a write: the store takes no more; check the disk, restart");
        }
    }
}
