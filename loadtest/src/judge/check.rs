//! A history file, judged again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::{Judge, Record, Verdict};
use crate::Fault;

/// Judges what a history file says; `late_micros` counts instead of what it says itself.
///
/// # Errors
/// If it cannot be read, or a line is none of a history.
pub(crate) fn check(path: &Path, late_micros: Option<u64>) -> Result<Verdict, Fault> {
    let name = path.display();
    let file = File::open(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let mut judge = Judge::default();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let mut record = serde_json::from_str(&line?)
            .map_err(|error| format!("{name}, line {}: not a line of a history: {error}", index + 1))?;
        if let (Record::Run { late_micros: limit, .. }, Some(other)) = (&mut record, late_micros) {
            *limit = other;
        }
        judge.take(&record);
    }
    Ok(judge.close())
}
