//! The environment and the files of the process, behind a trait so that tests touch neither.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::model::limits::CONFIG_FILE_BYTES_MAX;

/// What surrounds the process.
pub trait Surroundings {
    /// Every environment variable.
    fn variables(&self) -> Vec<(OsString, OsString)>;

    /// The text of a file of at most [`CONFIG_FILE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// Whatever keeps it from being read, being larger or not UTF-8 included.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The real surroundings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Surroundings for Process {
    fn variables(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let read = File::open(path)?.take(CONFIG_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if read as u64 > CONFIG_FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it is larger than {CONFIG_FILE_BYTES_MAX} bytes")));
        }
        Ok(text)
    }
}
