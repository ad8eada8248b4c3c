//! Pairs talk across nodes, while something is away for a while. Every message must arrive within a bound, whenever it was
//! due; and a moment after the return it must be as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::pairs::{self, Account, Crowd};
use super::reach;
use super::talk::{Chatter, Manner};
use crate::Fault;
use crate::distribution::Distribution;
use crate::events::shell;
use crate::options::{Common, get, read};
use crate::report::Findings;
use crate::watch::say;
use crate::world::World;

/// How long before the outage and after the return things are as ever.
const QUIET: Duration = Duration::from_secs(20);
/// How long after the last message anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    crowd: Crowd,
    manner: Manner,
    away: Duration,
    settle: Duration,
    within_ms: u64,
    settled_ms: u64,
    r#break: String,
    mend: String,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        let command = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
        Ok(Self {
            common: common.clone(),
            crowd: Crowd::of(get(matches, "pairs"), read(matches, "placement")?),
            manner: Manner::of(common, matches)?,
            away: Duration::from_secs(get(matches, "away")),
            settle: Duration::from_secs(get(matches, "settle")),
            within_ms: get(matches, "within-ms"),
            settled_ms: get(matches, "settled-ms"),
            r#break: command("break"),
            mend: command("mend"),
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let all = options.crowd.gather(&options.common, &world).await?;
    let mut chatter = Chatter::begin(all.writers, all.talks, &options.manner);
    let story = tell(options.clone(), world.clone());
    let mut messages = 0;
    while !story.is_finished() {
        chatter.next(&world).await?;
        messages += 1;
    }
    let broken_and_mended = story.await?;
    let acked = reach("acknowledged", &world.counters.acked, messages, PATIENCE).await;
    let shown = reach("received", &world.counters.shown, messages, PATIENCE).await;
    acked.and(shown).unwrap_or_else(|missing| say(&missing.to_string()));

    let Account { verdict, losses, .. } = pairs::account(&world, chatter.writers, all.screens).await?;
    let phases = world.latencies.by_phase();
    let mut findings = Findings::judged(verdict);
    findings.demand(broken_and_mended, "the command that breaks or the one that mends failed");
    findings.table.row("connections of clients lost", losses);
    for (name, latency) in &phases {
        let bound = if *name == "settled" { options.settled_ms } else { options.within_ms };
        judge_phase(&mut findings, name, latency, bound);
    }
    findings.details = json!({ "connections_lost": losses, "broken_and_mended": broken_and_mended, "phases": phases });
    Ok(findings)
}

fn judge_phase(findings: &mut Findings, name: &str, latency: &Distribution, bound_ms: u64) {
    let Distribution { count, p50_ms, p99_ms, max_ms, .. } = latency;
    #[expect(clippy::cast_precision_loss, reason = "a bound is far below 2^52")]
    let is_within = *max_ms <= bound_ms as f64;
    findings.demand(*count > 0, format!("{name}: nothing was shown"));
    findings.demand(is_within, format!("{name}: the slowest took {max_ms:.0} ms, and not {bound_ms}"));
    findings
        .table
        .row(format!("{name}: messages"), count)
        .row(format!("{name}: due to shown, 50 % / 99 %, ms"), format!("{p50_ms:.1} / {p99_ms:.1}"))
        .row(format!("**{name}: the slowest, ms**"), format!("{max_ms:.1}"));
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
