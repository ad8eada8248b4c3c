//! What a benchmark left behind: a report for each of its cells.

use std::path::Path;

use super::{Machine, Report, read};
use crate::Fault;

/// All of them; at least one.
pub(crate) struct Results(Vec<Report>);

impl Results {
    /// Those in a directory.
    ///
    /// # Errors
    /// If one cannot be read, or there is none.
    pub(crate) fn read(directory: &Path) -> Result<Self, Fault> {
        let mut reports = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                reports.push(read(&path)?);
            }
        }
        if reports.is_empty() {
            return Err("there is no result yet".into());
        }
        reports.sort_by_key(|report| (words(&report.title).to_owned(), number(&report.title)));
        Ok(Self(reports))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Report> {
        self.0.iter()
    }

    /// The cells whose names begin so, in the order of their numbers.
    pub(crate) fn of(&self, prefix: &str) -> impl Iterator<Item = &Report> {
        self.0.iter().filter(move |report| report.title.starts_with(prefix))
    }

    /// The day of the newest.
    pub(crate) fn day(&self) -> String {
        let newest = self.0.iter().map(|report| report.ended).max().unwrap_or(0);
        super::html::date(newest)[..10].to_owned()
    }

    /// The machine of the newest.
    pub(crate) fn machine(&self) -> Machine {
        let newest = self.0.iter().max_by_key(|report| report.ended);
        newest.map(|report| report.machine.clone()).unwrap_or_default()
    }
}

/// The number at the end of a cell's name, and what is before it.
pub(super) fn number(title: &str) -> u64 {
    title.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn words(title: &str) -> &str {
    title.trim_end_matches(|c: char| c.is_ascii_digit())
}
