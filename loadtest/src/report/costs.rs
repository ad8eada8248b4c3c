//! What the benchmark measured, in the few figures that a plan of capacity is made from. Kept beside its document, so
//! that plans can be made where nothing was measured.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bench::{micros, seconds_of_talk};
use super::results::{Results, number};
use super::{Machine, Report, all_shown};
use crate::Fault;

/// Costs are of processor time, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    pub(crate) commit: String,
    /// A day.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// Of a message to one person on another node, at several rates, ascending.
    pub(crate) messages: Vec<Rated>,
    /// The highest rate at which 99 of 100 were shown within 100 ms, on the machine of the benchmark.
    pub(crate) highest_per_second: Option<f64>,
    /// Of showing a message to one member of a large group.
    pub(crate) fan_out: Option<Spent>,
    pub(crate) doors: Vec<Door>,
    /// Of a message, all gateways together, on one, two and three of them.
    pub(crate) growth: Vec<f64>,
    /// Cells in which something else was measured than was meant to be.
    pub(crate) disturbed: Vec<String>,
}

/// What something costs each of those who take part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) gateways: f64,
    pub(crate) redis: f64,
    pub(crate) mongodb: f64,
}

/// The cost of a message at a rate, on two gateways.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rated {
    pub(crate) per_second: f64,
    pub(crate) spent: Spent,
}

/// What connections of a door cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Door {
    pub(crate) name: String,
    /// With so many connections on one gateway …
    pub(crate) connections: u64,
    /// … each costs it so many bytes …
    pub(crate) gateway_bytes: f64,
    /// … and Redis so many.
    pub(crate) redis_bytes: f64,
    /// Of each that rests, in every second.
    pub(crate) resting: Spent,
    /// Of letting one in.
    pub(crate) handshake: Spent,
    pub(crate) handshakes_per_second: f64,
}

impl Costs {
    /// Of the results of a benchmark.
    pub(crate) fn of(results: &Results, commit: &str) -> Self {
        let names = results.of("handshakes-").map(|report| report.door.clone());
        Self {
            commit: commit.to_owned(),
            date: results.day(),
            machine: results.machine(),
            messages: results.of("rate-").map(rated).collect(),
            highest_per_second: results.of("next").find_map(|report| report.details["acked_per_second"].as_f64()),
            fan_out: results.of("fanout-").max_by_key(|report| number(&report.title)).map(spent_on_message),
            doors: names.filter_map(|name| door(results, &name)).collect(),
            growth: results.of("nodes-").map(|report| micros(report, "gateway")).collect(),
            disturbed: {
                let disturbed = results.all().filter(|report| !report.warnings.is_empty());
                disturbed.map(|report| report.title.clone()).collect()
            },
        }
    }

    /// Those that were kept in a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, Fault> {
        let bytes = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{} holds no costs: {error}", path.display()).into())
    }
}

fn spent_on_message(report: &Report) -> Spent {
    Spent { gateways: micros(report, "gateway"), redis: micros(report, "Redis"), mongodb: micros(report, "MongoDB") }
}

fn rated(report: &Report) -> Rated {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let per_second = all_shown(report.verdict.as_ref(), &report.latencies) as f64 / seconds_of_talk(report).max(0.001);
    Rated { per_second, spent: spent_on_message(report) }
}

fn door(results: &Results, name: &str) -> Option<Door> {
    let cells = format!("idle-{name}-");
    // One door's name may be the beginning of another's.
    let rest = results.of(&cells).filter(|report| report.door == name);
    let rest = rest.max_by_key(|report| number(&report.title))?;
    let let_in = results.of("handshakes-").find(|report| report.door == name)?;
    let connected = let_in.details["connected"].as_f64().unwrap_or(0.0).max(1.0);
    let handshake = |name: &str| {
        let of_name = let_in.processes.iter().filter(|process| process.name.starts_with(name));
        of_name.map(|process| process.cpu_seconds).sum::<f64>() * 1e6 / connected
    };
    let resting = |name: &str| named(&rest.details["resting_micros_each"], name);
    Some(Door {
        name: name.to_owned(),
        connections: rest.details["connected"].as_u64().unwrap_or(0),
        gateway_bytes: named(&rest.details["bytes_each"], "gateway"),
        redis_bytes: named(&rest.details["bytes_each"], "Redis"),
        resting: Spent { gateways: resting("gateway"), redis: resting("Redis"), mongodb: resting("MongoDB") },
        handshake: Spent { gateways: handshake("gateway"), redis: handshake("Redis"), mongodb: handshake("MongoDB") },
        handshakes_per_second: let_in.details["per_second"].as_f64().unwrap_or(0.0),
    })
}

/// The sum of those figures whose names begin so: a list of pairs.
pub(super) fn named(list: &Value, name: &str) -> f64 {
    let pairs = list.as_array().into_iter().flatten();
    let of_name = pairs.filter(|pair| pair[0].as_str().is_some_and(|own| own.starts_with(name)));
    of_name.filter_map(|pair| pair[1].as_f64()).sum()
}
