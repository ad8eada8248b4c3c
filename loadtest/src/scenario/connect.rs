//! Connections at a steady rate up to a number, then rest: how long it takes to be let in, and what each one costs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::reach;
use crate::Fault;
use crate::arrivals::Pace;
use crate::client::{Beginning, Client};
use crate::options::{Common, get};
use crate::report::Findings;
use crate::watch::{Usage, say, usage};
use crate::world::{World, get as now};

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    connections: u64,
    baseline: u64,
    per_second: f64,
    rest: Duration,
    patience: Duration,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        let part = |name: &str| common.shard.part(get(matches, name));
        let (connections, baseline) = (part("connections").max(1), part("baseline"));
        if baseline >= connections {
            return Err("--baseline is below --connections".into());
        }
        Ok(Self {
            common: common.clone(),
            connections,
            baseline,
            per_second: common.shard.rate(get(matches, "per-second").max(1)),
            rest: Duration::from_secs(get(matches, "rest")),
            patience: Duration::from_secs(get(matches, "patience")),
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let mut clients = Vec::new();
    let seconds_before = ramp(options, &world, &mut clients, options.baseline).await;
    sleep(options.rest).await;
    let before = usage(&world, &options.common.watched).await;
    let seconds = ramp(options, &world, &mut clients, options.connections).await;
    // What follows from coming is over by half of the rest.
    sleep(options.rest / 2).await;
    let (settled, began) = (usage(&world, &options.common.watched).await, Instant::now());
    sleep(options.rest / 2).await;
    let after = usage(&world, &options.common.watched).await;
    let rested = began.elapsed().as_secs_f64();
    let connected = now(&world.counters.connected);
    let (failed, lost) = (now(&world.counters.failed), now(&world.counters.lost));
    for client in clients {
        client.finish().await;
    }

    let mut findings = Findings::default();
    let missing = options.connections.saturating_sub(connected);
    findings.demand(missing == 0, format!("{missing} are not connected in the end"));
    findings.demand(lost == 0, format!("{lost} connections were lost"));
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let per_second = options.connections as f64 / (seconds_before + seconds).max(0.001);
    findings
        .table
        .row("connected", connected)
        .row("**connected per second**", format!("{per_second:.0}"))
        .row("attempts that failed", failed)
        .row("connections lost", lost);
    let mut bytes_each = Vec::new();
    for (watched, (before, after)) in options.common.watched.iter().zip(before.iter().zip(&after).skip(1)) {
        let (Some(before), Some(after)) = (before, after) else { continue };
        // Of those in between, each watched node is believed to hold its share.
        let bytes = growth(before, after) / (options.connections - options.baseline).max(1);
        findings.table.row(format!("{}: bytes for each connection of all", watched.name), bytes);
        bytes_each.push((watched.name.clone(), bytes));
    }
    let mut resting_micros_each = Vec::new();
    for (watched, pair) in options.common.watched.iter().zip(settled.iter().zip(&after).skip(1)) {
        let (Some(settled), Some(after), false) = (pair.0, pair.1, options.rest.is_zero()) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let micros = (after.cpu_seconds - settled.cpu_seconds) * 1e6 / rested / connected.max(1) as f64;
        findings.table.row(format!("{}: CPU of each that rests, µs a second", watched.name), format!("{micros:.1}"));
        resting_micros_each.push((watched.name.clone(), micros));
    }
    findings.details = json!({
        "connected": connected, "per_second": per_second, "failed": failed, "lost": lost, "bytes_each": bytes_each,
        "resting_micros_each": resting_micros_each,
    });
    Ok(findings)
}

fn growth(before: &Usage, after: &Usage) -> u64 {
    after.resident_bytes.saturating_sub(before.resident_bytes)
}

/// Connects more until there are `total`. Answers how many seconds it took until all were in.
async fn ramp(options: &Options, world: &Arc<World>, clients: &mut Vec<Client>, total: u64) -> f64 {
    let mut pace = Pace::steady(options.per_second);
    let first = u64::try_from(clients.len()).unwrap_or(0);
    world.counters.expected.store(total, Ordering::Relaxed);
    for index in first..total {
        let due = pace.wait().await;
        let Ok(user) = options.common.shard.person(index).and_then(|person| world.people.user(person)) else { break };
        let target = usize::try_from(index).unwrap_or(0);
        clients.push(Client::start(world.clone(), Beginning { due: Some(due), ..Beginning::new(user, target) }));
    }
    let all = reach("connected", &world.counters.connected, total, options.patience).await;
    all.unwrap_or_else(|missing| say(&missing.to_string()));
    pace.elapsed().as_secs_f64()
}
