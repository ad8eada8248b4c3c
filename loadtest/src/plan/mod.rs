//! A model of capacity: what so many people need, from what the benchmark measured, and where the first wall is. All
//! costs are read; there is none in here.

mod document;
mod model;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::ArgMatches;

pub(crate) use document::document;
pub(crate) use model::{Load, Machines};

use crate::Fault;
use crate::report::Costs;

/// Connections for which the document is written.
const SIZES: [f64; 3] = [100_000.0, 1_000_000.0, 10_000_000.0];

/// Plans what the command line names: one size, or the three of the document.
///
/// # Errors
/// If the costs cannot be read, or one that is needed was not measured.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, Fault> {
    let path = matches.get_one::<PathBuf>("costs").cloned().unwrap_or_default();
    let costs = Costs::read(&path)?;
    let (load, machines) = (Load::of(matches), Machines::of(matches));
    match matches.get_one::<f64>("connections") {
        Some(connections) => document(&costs, &load, machines, &[*connections]),
        None => document(&costs, &load, machines, &SIZES),
    }
}
