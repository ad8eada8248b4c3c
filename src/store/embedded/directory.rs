//! The directory that a store lives in: made, locked against other processes, closed to other users.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file that SQLite keeps.
pub(super) const FILE: &str = "switchboard.db";

/// Why a store could not be opened: a sentence for whoever starts the node.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or entered.
    #[error("cannot use the data directory {}: {source}; make it writable for this user, or name another one", directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {} is in use by {holder}: stop that one first, or name another directory", directory.display())]
    InUse {
        /// Which.
        directory: PathBuf,
        /// Who has it, as far as they said.
        holder: String,
    },
    /// It is to be restored into, and holds something.
    #[error("the data directory {} holds a store that is not empty: restore into another one, or move that away", directory.display())]
    NotEmpty {
        /// Which.
        directory: PathBuf,
    },
    /// There is a file that this program did not write.
    #[error("{} is not a Switchboard store: move it away, or name another data directory", file.display())]
    Foreign {
        /// Which.
        file: PathBuf,
    },
    /// A later version wrote it.
    #[error("{} was written by a newer version (schema {found}, this one knows {known}): start that version, or restore an older backup", file.display())]
    Newer {
        /// Which.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The file cannot be read or written.
    #[error("cannot open {}: {detail}; look at the disk, or restore a backup", file.display())]
    Unusable {
        /// Which.
        file: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// No thread for it.
    #[error("cannot start a thread for the store: {0}")]
    Thread(io::Error),
}

/// A directory that is ours as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    _lock: File,
}

impl Place {
    /// The file that SQLite keeps.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

/// Makes the directory ours: nobody else's process works in it, and nobody else's account reads it.
pub(super) fn prepare(directory: &Path) -> Result<Place, OpenError> {
    let refused = |source| OpenError::Directory { directory: directory.to_owned(), source };
    make(directory).map_err(refused)?;
    let lock = lock(directory)?;
    let file = directory.join(FILE);
    // Before SQLite opens it: SQLite gives its log the same permissions. And never again afterwards: closing any
    // handle of the file would drop the locks that SQLite holds on it for this whole process.
    private().create(true).append(true).open(&file).map_err(refused)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(refused)?;
    Ok(Place { file, _lock: lock })
}

/// Makes the directory, and makes sure that it is still there after a power failure.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let parent = directory.canonicalize()?;
    parent.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Takes the lock, which the system frees however this process ends, and leaves word of who has it.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let refused = |source| OpenError::Directory { directory: directory.to_owned(), source };
    let mut file =
        private().create(true).read(true).truncate(false).open(directory.join("switchboard.lock")).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(refused(source)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let said = file.take(64).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            let holder = if said { holder.trim().to_owned() } else { "another process".to_owned() };
            return Err(OpenError::InUse { directory: directory.to_owned(), holder });
        }
    }
    let leave_word = |file: &mut File| -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "process {}", std::process::id())
    };
    // Only a hint, and a full disk is no reason not to open: reads go on there.
    if let Err(error) = leave_word(&mut file) {
        tracing::warn!(%error, "cannot write this process's number into the lock file");
    }
    Ok(file)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_and_told_who_the_first_is() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("deep").join("data");
        let first = prepare(&directory).unwrap();
        let refusal = prepare(&directory).unwrap_err().to_string();
        assert!(refusal.contains(&format!("in use by process {}", std::process::id())), "{refusal}");
        assert!(refusal.contains(directory.to_str().unwrap()), "{refusal}");
        drop(first);
        prepare(&directory).unwrap();
    }

    #[test]
    fn nobody_else_may_read_it() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("data");
        let place = prepare(&directory).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(place.file()), 0o600);
        assert_eq!(mode(&directory.join("switchboard.lock")), 0o600);
    }

    #[test]
    fn a_file_in_its_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let taken = home.path().join("data");
        fs::write(&taken, "not a directory").unwrap();
        let refusal = prepare(&taken).unwrap_err().to_string();
        assert!(refusal.contains("cannot use the data directory"), "{refusal}");
    }
}
