//! All of it for a long time: people talk, lose their connections one by one and all at once, some read slowly; and what
//! grows meanwhile is said as a slope.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::pairs::{self, Account, Crowd};
use super::reach;
use super::storm::rage;
use super::talk::{Chatter, Manner, chat_until};
use crate::Fault;
use crate::client::Order;
use crate::options::{Common, get, read};
use crate::report::{Bounds, Findings};
use crate::watch::say;
use crate::world::{World, get as now};

/// How long anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long slow readers rest after each frame.
const REST: Duration = Duration::from_millis(200);
/// How long clients go on after the last message, so that one that is shown twice is seen.
const AFTERMATH: Duration = Duration::from_secs(5);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    crowd: Crowd,
    manner: Manner,
    lasting: Duration,
    cuts: u64,
    storm_every: Duration,
    growth: Bounds,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        let crowd = Crowd::of(get(matches, "pairs"), read(matches, "placement")?);
        Ok(Self {
            common: common.clone(),
            crowd: Crowd { slow_percent: get(matches, "slow").min(99), ..crowd },
            manner: Manner::of(common, matches)?,
            lasting: Duration::from_secs(get(matches, "seconds")),
            cuts: get(matches, "cuts"),
            storm_every: Duration::from_secs(get(matches, "storm-every")),
            growth: Bounds { memory_kib: get(matches, "memory-kib-per-hour"), files: get(matches, "files-per-hour") },
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let all = options.crowd.gather(&options.common, &world).await?;
    let remotes: Vec<_> = all.writers.iter().map(|writer| writer.client.remote()).collect();
    for slow in &all.slow {
        let _ = remotes[*slow].send(Order::ReadSlowly(REST)).await;
    }
    let stop = CancellationToken::new();
    let talk = chat_until(stop.clone(), world.clone(), Chatter::begin(all.writers, all.talks, &options.manner));
    let storms = disturb(options, &world, &remotes).await;
    stop.cancel();
    let writers = talk.await??;
    for slow in &all.slow {
        let _ = remotes[*slow].send(Order::Read).await;
    }
    let sent = now(&world.counters.ordered);
    let acked = reach("acknowledged", &world.counters.acked, sent, PATIENCE).await;
    let shown = reach("received", &world.counters.shown, sent, PATIENCE).await;
    acked.and(shown).unwrap_or_else(|missing| say(&missing.to_string()));
    sleep(AFTERMATH).await;

    let Account { verdict, losses, reconnects, .. } = pairs::account(&world, writers, all.screens).await?;
    let mut findings = Findings { growth: Some(options.growth), ..Findings::judged(verdict) };
    let (raged, missed) = (storms.iter().flatten().count(), storms.iter().filter(|storm| storm.is_none()).count());
    findings.demand(missed == 0, format!("after {missed} storms not all were back in time"));
    findings.table.row("storms", raged).row("reconnects", reconnects).row("connections lost besides", losses);
    findings.details = json!({ "storms": storms, "losses": losses, "reconnects": reconnects });
    Ok(findings)
}

/// Cuts somebody now and then, and all of them now and then, until the time is over.
async fn disturb(
    options: &Options,
    world: &World,
    remotes: &[mpsc::Sender<Order>],
) -> Vec<Option<super::storm::Storm>> {
    let end = Instant::now() + options.lasting;
    let mut dice = options.common.dice(4);
    let mut storms = Vec::new();
    let mut next_storm = Instant::now() + options.storm_every;
    let has_storms = options.storm_every > Duration::ZERO;
    let mut second = Instant::now();
    while Instant::now() < end {
        second += Duration::from_secs(1);
        sleep_until(second.min(end)).await;
        if has_storms && Instant::now() >= next_storm {
            next_storm += options.storm_every;
            storms.push(rage(world, remotes, PATIENCE).await);
            second = Instant::now();
        }
        for _ in 0..options.cuts {
            let somebody = usize::try_from(dice.below(remotes.len() as u64)).unwrap_or(0);
            let _ = remotes[somebody].send(Order::Cut).await;
        }
    }
    storms
}
