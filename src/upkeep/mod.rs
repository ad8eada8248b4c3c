//! What operators do to a store as a whole: back-ups, restores, and letting go of what is old.
//!
//! ```text
//! a store ─► records, of one moment ─► lines of a file, the last with counts and a digest ─► read again ─► renamed
//! a file ─► read to its end first ─► records ─► an empty store ─► another generation
//! ```

mod backup;
mod file;
mod purge;
mod restore;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use self::backup::back_up;
pub use self::purge::{Purged, purge};
pub use self::restore::{examine, restore};
use crate::model::{Generation, Timestamp};
use crate::store::StoreError;

/// Why something was not done: a sentence for its operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpkeepError {
    /// The store that is read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("{}: {detail}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The file is not, or not any more, what was written.
    #[error("{} is no whole back-up: {detail}", file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// Where, and what is wrong there.
        detail: String,
    },
    /// A defect.
    #[error("a part of it ended in a panic")]
    Panic,
}

impl UpkeepError {
    fn file(file: &Path, error: &std::io::Error) -> Self {
        Self::File { file: file.to_owned(), detail: error.to_string() }
    }
}

/// What a back-up holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// When it was made, by the clock of who made it.
    pub at: Timestamp,
    /// Of which history.
    pub generation: Generation,
    /// How many records of each kind.
    pub counts: BTreeMap<String, u64>,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |kind| self.counts.get(kind).copied().unwrap_or_default();
        let all: u64 = self.counts.values().sum();
        write!(f, "{} messages in {} conversations, {all} records in all", of("message"), of("conversation"))
    }
}
