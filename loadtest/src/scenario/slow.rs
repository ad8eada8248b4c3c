//! Pairs of whom some read slowly, or not at all for a while: nobody else may notice, and they are shown everything in
//! the end.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::pairs::{self, Account, Crowd};
use super::reach;
use super::talk::{Chatter, Manner, chat_until};
use crate::Fault;
use crate::client::Order;
use crate::latency::Span;
use crate::options::{Common, get, read};
use crate::report::Findings;
use crate::watch::say;
use crate::world::{World, get as now};

/// How long after the last message anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long clients go on after the last message, so that one that is shown twice is seen.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    crowd: Crowd,
    manner: Manner,
    lasting: Duration,
    rest: Duration,
    stopped_percent: u64,
    within_ms: u64,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        let stopped_percent = get(matches, "stopped");
        let slow_percent = get(matches, "slow") + stopped_percent;
        if slow_percent >= 100 {
            return Err("--slow and --stopped together are below 100: the others are what is measured".into());
        }
        let crowd = Crowd::of(get(matches, "pairs"), read(matches, "placement")?);
        Ok(Self {
            common: common.clone(),
            crowd: Crowd { slow_percent, ..crowd },
            manner: Manner::of(common, matches)?,
            lasting: Duration::from_secs(get(matches, "seconds")),
            rest: Duration::from_millis(get(matches, "rest-ms")),
            stopped_percent,
            within_ms: get(matches, "within-ms"),
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let all = options.crowd.gather(&options.common, &world).await?;
    let mut dice = options.common.dice(3);
    let (mut slow, mut stopped) = (Vec::new(), Vec::new());
    for index in &all.slow {
        let remote = all.writers[*index].client.remote();
        let stops = dice.below(options.crowd.slow_percent) < options.stopped_percent;
        let order = if stops { Order::StopReading } else { Order::ReadSlowly(options.rest) };
        // Whoever has ended is seen to have lost messages.
        let _ = remote.send(order).await;
        if stops { stopped.push(remote) } else { slow.push(remote) }
    }
    let stop = CancellationToken::new();
    let talk = chat_until(stop.clone(), world.clone(), Chatter::begin(all.writers, all.talks, &options.manner));
    sleep(options.lasting).await;
    stop.cancel();
    let writers = talk.await??;
    for remote in slow.iter().chain(&stopped) {
        let _ = remote.send(Order::Read).await;
    }
    let sent = now(&world.counters.ordered);
    let acked = reach("acknowledged", &world.counters.acked, sent, PATIENCE).await;
    let shown = reach("received", &world.counters.shown, sent, PATIENCE).await;
    acked.and(shown).unwrap_or_else(|missing| say(&missing.to_string()));
    sleep(AFTERMATH).await;

    let Account { verdict, losses, .. } = pairs::account(&world, writers, all.screens).await?;
    let p99_ms = world.latencies.of(Span::Shown).p99_ms;
    let mut findings = Findings::judged(verdict);
    #[expect(clippy::cast_precision_loss, reason = "a bound is far below 2^52")]
    let is_within = p99_ms <= options.within_ms as f64;
    let otherwise =
        format!("for those who read, one of 100 took {p99_ms:.0} ms or more, and not {}", options.within_ms);
    findings.demand(is_within, otherwise);
    let (slow, stopped) = (slow.len(), stopped.len());
    findings.table.row("read slowly", slow).row("did not read", stopped).row("connections lost", losses);
    findings.details = json!({ "slow": slow, "stopped": stopped, "losses": losses });
    Ok(findings)
}
