//! The secret of development logins: the data directory's own, so that logins survive a restart.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::KeyError;
use crate::config::Secret;
use crate::model::Chance;
use crate::model::limits::JWT_SECRET_BYTES_MIN;

/// The file's name in the data directory. Only its owner may read it.
const FILE: &str = "development-secret";

/// The secret of the data directory `dir`; both are made if they are not there.
pub(super) fn secret(dir: &Path, chance: &dyn Chance) -> Result<Secret, KeyError> {
    read_or_make(dir, chance).map_err(|error| {
        let file = dir.join(FILE);
        KeyError(format!("{}: {error}: make it accessible, or set SWITCHBOARD_DATA_DIR", file.display()))
    })
}

fn read_or_make(dir: &Path, chance: &dyn Chance) -> io::Result<Secret> {
    let path = dir.join(FILE);
    match File::open(&path) {
        Ok(file) => read(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(dir, &path, chance),
        Err(error) => Err(error),
    }
}

fn read(file: File) -> io::Result<Secret> {
    let mut text = String::new();
    file.take(1_024).read_to_string(&mut text)?;
    if text.trim().len() < JWT_SECRET_BYTES_MIN {
        return Err(io::Error::other("it holds no secret; remove it, and a new one is made"));
    }
    Ok(Secret::new(text.trim()))
}

/// Writes beside the path and links, so that a half-written secret is never found there.
fn make(dir: &Path, path: &Path, chance: &dyn Chance) -> io::Result<Secret> {
    fs::create_dir_all(dir)?;
    let secret: String = (0..4).map(|_| format!("{:016x}", chance.bits())).collect();
    let draft = dir.join(format!("{FILE}.{:016x}", chance.bits()));
    let mut file = private(&draft)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    // A link, not a rename: of two processes that start at once, both must end up with the first one's.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(Secret::new(secret)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(File::open(path)?),
        Err(error) => Err(error),
    }
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
