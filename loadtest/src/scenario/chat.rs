//! Pairs talk, both ways, across nodes, while the cluster is hurt; then every message is accounted for.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use serde::Serialize;

use super::pairs::{self, Account};
use super::reach;
use super::talk::{Pace, Writer};
use crate::Fault;
use crate::client::{Order, World};
use crate::events::{Event, Plan, Planned};
use crate::judge::Verdict;
use crate::latency::Percentiles;
use crate::options::{Common, get};
use crate::report::{Table, publish};

/// How long clients go on after the last message, so that one that is shown twice is seen.
const AFTERMATH: Duration = Duration::from_secs(5);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    pairs: u64,
    messages: u64,
    rate: u64,
    at_least: u64,
    cuts: u64,
    patience: Duration,
    needs_in_flight: bool,
    events: Vec<Planned>,
}

impl Options {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Fault> {
        let events = matches.get_many::<String>("at").into_iter().flatten().map(|event| event.parse());
        Ok(Self {
            common: Common::of(matches)?,
            pairs: get(matches, "pairs").max(1),
            messages: get(matches, "messages").max(1),
            rate: get(matches, "rate"),
            at_least: get(matches, "at-least"),
            cuts: get(matches, "cuts"),
            patience: Duration::from_secs(get(matches, "patience")),
            needs_in_flight: matches.get_flag("needs-in-flight"),
            events: events.collect::<Result<_, _>>()?,
        })
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Outcome {
    passed: bool,
    #[serde(flatten)]
    verdict: Verdict,
    /// From the first message until the last one was acknowledged.
    seconds: f64,
    acked_per_second: f64,
    /// Connections that were lost without the client's doing, and the sends that were in flight on them.
    connections_lost: u64,
    in_flight_at_loss: u64,
    reconnects: u64,
    refusals: BTreeMap<&'static str, u64>,
    latency: Percentiles,
    events: Vec<Event>,
}

/// Plays it; answers whether all is well.
pub(crate) async fn run(options: &Options) -> Result<bool, Fault> {
    let world = options.common.world()?;
    let mut writers = pairs::gather(&world, options.pairs).await?;
    let mut plan = Plan::new(options.events.clone());

    let pace = Pace::begin(options.rate);
    for index in 0..options.messages {
        let due = pace.wait_for(index).await;
        plan.pass(index * 100 / options.messages, unacknowledged(&world));
        cut_somebody_if_due(options, index, &writers).await;
        let writer = pairs::some(&writers);
        let partner = pairs::partner(&writers, writer);
        writers[writer].write(&world, &partner, due).await?;
    }
    let events = plan.finish().await;
    let acked = reach("acknowledged", &world.counters.acked, options.messages, options.patience).await;
    let seconds = pace.elapsed().as_secs_f64();
    let shown = reach("received", &world.counters.shown, options.messages, options.patience).await;
    acked.and(shown).unwrap_or_else(|missing| println!("{missing}"));
    tokio::time::sleep(AFTERMATH).await;

    let outcome = account(options, &world, writers, events, seconds).await;
    publish(&options.common, &outcome.table(), &outcome, outcome.passed)?;
    Ok(outcome.passed)
}

async fn cut_somebody_if_due(options: &Options, message: u64, writers: &[Writer]) {
    let is_due = |message: u64| message * options.cuts / options.rate.max(1);
    if message > 0 && is_due(message) > is_due(message - 1) {
        writers[pairs::some(writers)].client.order(Order::Cut).await;
    }
}

fn unacknowledged(world: &World) -> u64 {
    let counters = &world.counters;
    counters.ordered.load(Ordering::Relaxed).saturating_sub(counters.acked.load(Ordering::Relaxed))
}

async fn account(options: &Options, world: &World, writers: Vec<Writer>, events: Vec<Event>, seconds: f64) -> Outcome {
    let Account { verdict, refusals, reconnects, losses, in_flight_at_loss } = pairs::account(writers).await;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let acked_per_second = verdict.acked as f64 / seconds;
    #[expect(clippy::cast_precision_loss, reason = "a rate is far below 2^52")]
    let is_fast = acked_per_second >= options.at_least as f64;
    let was_hurt = !options.needs_in_flight || in_flight_at_loss > 0;
    let passed = verdict.is_clean() && is_fast && was_hurt && events.iter().all(|event| event.succeeded);
    Outcome {
        passed,
        verdict,
        seconds,
        acked_per_second,
        connections_lost: losses,
        in_flight_at_loss,
        reconnects,
        refusals,
        latency: world.latencies.percentiles(),
        events,
    }
}

impl Outcome {
    fn table(&self) -> Table {
        let mut table = Table::default();
        let Verdict { sent, acked, received, lost, doubled, out_of_order, foreign, misplaced, unacknowledged } =
            &self.verdict;
        table
            .row("sent", sent)
            .row("acknowledged", acked)
            .row("received", received)
            .row("**lost**", lost)
            .row("**doubled**", doubled)
            .row("**out of order**", out_of_order)
            .row("not as sent", foreign)
            .row("at another place than acknowledged", misplaced)
            .row("never acknowledged", unacknowledged)
            .row("connections lost", self.connections_lost)
            .row("**sends in flight on them**", self.in_flight_at_loss)
            .row("reconnects", self.reconnects)
            .row("seconds", format!("{:.1}", self.seconds))
            .row("acknowledged per second", format!("{:.0}", self.acked_per_second));
        for (code, times) in &self.refusals {
            table.row(format!("refused for now: {code}"), times);
        }
        let Percentiles { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = &self.latency;
        for (name, ms) in [("50", p50_ms), ("90", p90_ms), ("99", p99_ms), ("99.9", p999_ms), ("100", max_ms)] {
            table.row(format!("due to shown, {name} %, ms"), format!("{ms:.1}"));
        }
        table
    }
}
