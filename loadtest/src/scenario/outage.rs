//! Pairs talk across nodes, while something is away for a while. Every message must arrive within a bound, whenever it was
//! due; and a moment after the return it must be as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::pairs::{self, Account};
use super::reach;
use super::talk::{Pace, Writer};
use crate::Fault;
use crate::client::World;
use crate::events::shell;
use crate::judge::Verdict;
use crate::latency::Percentiles;
use crate::options::{Common, get};
use crate::report::{Table, publish};

/// How long before the outage and after the return things are as ever.
const QUIET: Duration = Duration::from_secs(20);
/// How long after the last message anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    pairs: u64,
    rate: u64,
    away: Duration,
    settle: Duration,
    within_ms: u64,
    settled_ms: u64,
    r#break: String,
    mend: String,
}

impl Options {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Fault> {
        let command = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
        Ok(Self {
            common: Common::of(matches)?,
            pairs: get(matches, "pairs").max(1),
            rate: get(matches, "rate").max(1),
            away: Duration::from_secs(get(matches, "away")),
            settle: Duration::from_secs(get(matches, "settle")),
            within_ms: get(matches, "within-ms"),
            settled_ms: get(matches, "settled-ms"),
            r#break: command("break"),
            mend: command("mend"),
        })
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Outcome {
    passed: bool,
    #[serde(flatten)]
    verdict: Verdict,
    connections_lost: u64,
    broken_and_mended: bool,
    phases: Vec<(&'static str, Percentiles)>,
}

/// Plays it; answers whether all is well.
pub(crate) async fn run(options: &Options) -> Result<bool, Fault> {
    let world = options.common.world()?;
    let mut writers = pairs::gather(&world, options.pairs).await?;
    let story = tell(options.clone(), world.clone());
    let messages = talk(&world, &mut writers, options.rate, &story).await?;
    let broken_and_mended = story.await?;
    let acked = reach("acknowledged", &world.counters.acked, messages, PATIENCE).await;
    let shown = reach("received", &world.counters.shown, messages, PATIENCE).await;
    acked.and(shown).unwrap_or_else(|missing| println!("{missing}"));

    let Account { verdict, losses, .. } = pairs::account(writers).await;
    let phases = world.latencies.by_phase();
    let within = |(name, latency): &(&str, Percentiles)| {
        #[expect(clippy::cast_precision_loss, reason = "a bound is far below 2^52")]
        let bound = if *name == "settled" { options.settled_ms } else { options.within_ms } as f64;
        latency.count > 0 && latency.max_ms <= bound
    };
    let passed = verdict.is_clean() && broken_and_mended && phases.iter().all(within);
    let outcome = Outcome { passed, verdict, connections_lost: losses, broken_and_mended, phases };
    publish(&options.common, &outcome.table(), &outcome, passed)?;
    Ok(passed)
}

/// Breaks and mends, and says which phase it is. Answers whether both commands succeeded.
fn tell(options: Options, world: Arc<World>) -> JoinHandle<bool> {
    tokio::spawn(async move {
        sleep(QUIET).await;
        let back = Instant::now() + options.away;
        world.latencies.enter("away");
        let broken = shell(&options.r#break).await;
        sleep_until(back).await;
        let mended = shell(&options.mend).await;
        world.latencies.enter("just back");
        sleep(options.settle).await;
        world.latencies.enter("settled");
        sleep(QUIET).await;
        broken && mended
    })
}

/// Messages between any two partners until the story has ended; answers how many.
async fn talk(world: &Arc<World>, writers: &mut [Writer], rate: u64, story: &JoinHandle<bool>) -> Result<u64, Fault> {
    let pace = Pace::begin(rate);
    let mut written = 0;
    while !story.is_finished() {
        let due = pace.wait_for(written).await;
        let writer = pairs::some(writers);
        let partner = pairs::partner(writers, writer);
        writers[writer].write(world, &partner, due).await?;
        written += 1;
    }
    Ok(written)
}

impl Outcome {
    fn table(&self) -> Table {
        let mut table = Table::default();
        table
            .row("acknowledged", self.verdict.acked)
            .row("received", self.verdict.received)
            .row("**lost**", self.verdict.lost)
            .row("**doubled**", self.verdict.doubled)
            .row("**out of order**", self.verdict.out_of_order)
            .row("never acknowledged", self.verdict.unacknowledged)
            .row("connections of clients lost", self.connections_lost);
        for (name, Percentiles { count, p50_ms, p99_ms, max_ms, .. }) in &self.phases {
            table.row(format!("{name}: messages"), count);
            table.row(format!("{name}: due to shown, 50 % / 99 %, ms"), format!("{p50_ms:.1} / {p99_ms:.1}"));
            table.row(format!("**{name}: the slowest, ms**"), format!("{max_ms:.1}"));
        }
        table
    }
}
