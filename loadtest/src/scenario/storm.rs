//! All lose their connections at once and come back, while they talk: how long until everybody is in, and until
//! everything that was said meanwhile was shown.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
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
    storms: u64,
    calm: Duration,
    back_within: Duration,
}

/// How one went.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Storm {
    /// Until all were in again.
    pub(super) seconds_until_back: f64,
    /// Until everything was shown that had been sent up to then.
    pub(super) seconds_until_caught_up: f64,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        Ok(Self {
            common: common.clone(),
            crowd: Crowd::of(get(matches, "pairs"), read(matches, "placement")?),
            manner: Manner::of(common, matches)?,
            storms: get(matches, "storms"),
            calm: Duration::from_secs(get(matches, "calm")),
            back_within: Duration::from_secs(get(matches, "back-within")),
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let all = options.crowd.gather(&options.common, &world).await?;
    let remotes: Vec<_> = all.writers.iter().map(|writer| writer.client.remote()).collect();
    let stop = CancellationToken::new();
    let talk = chat_until(stop.clone(), world.clone(), Chatter::begin(all.writers, all.talks, &options.manner));
    let mut storms = Vec::new();
    for _ in 0..options.storms {
        sleep(options.calm).await;
        storms.push(rage(&world, &remotes, options.back_within).await);
    }
    sleep(options.calm).await;
    stop.cancel();
    let writers = talk.await??;
    let sent = now(&world.counters.ordered);
    let acked = reach("acknowledged", &world.counters.acked, sent, PATIENCE).await;
    let shown = reach("received", &world.counters.shown, sent, PATIENCE).await;
    acked.and(shown).unwrap_or_else(|missing| say(&missing.to_string()));
    sleep(AFTERMATH).await;

    let people = writers.len();
    let Account { verdict, losses, reconnects, .. } = pairs::account(&world, writers, all.screens).await?;
    let mut findings = Findings::judged(verdict);
    findings.table.row("people", people).row("attempts to connect that failed", now(&world.counters.failed));
    for (number, storm) in storms.iter().enumerate() {
        let number = number + 1;
        match storm {
            Some(Storm { seconds_until_back, seconds_until_caught_up }) => {
                findings
                    .table
                    .row(format!("**storm {number}: seconds until all were back**"), format!("{seconds_until_back:.1}"))
                    .row(format!("storm {number}: and had caught up"), format!("{seconds_until_caught_up:.1}"));
            }
            None => findings.demand(false, format!("storm {number}: not all were back in time")),
        }
    }
    findings.table.row("connections lost besides", losses).row("reconnects", reconnects);
    findings.details = json!({ "people": people, "storms": storms, "losses": losses, "reconnects": reconnects });
    Ok(findings)
}

/// Cuts all connections at once; none if not all are back and have caught up in time.
pub(super) async fn rage(world: &World, all: &[mpsc::Sender<Order>], within: Duration) -> Option<Storm> {
    let began = Instant::now();
    let welcomed = now(&world.counters.welcomed);
    for client in all {
        // Whoever has ended cannot come back, and is missed.
        let _ = client.send(Order::Cut).await;
    }
    let everybody = u64::try_from(all.len()).ok()?;
    let is_over = || began.elapsed() > within;
    let are_back =
        || now(&world.counters.welcomed) >= welcomed + everybody && now(&world.counters.connected) >= everybody;
    while !are_back() {
        if is_over() {
            return None;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let seconds_until_back = began.elapsed().as_secs_f64();
    let sent = now(&world.counters.ordered);
    while now(&world.counters.shown) < sent {
        if is_over() {
            return None;
        }
        sleep(Duration::from_millis(10)).await;
    }
    world.latencies.took(Span::Back, began);
    Some(Storm { seconds_until_back, seconds_until_caught_up: began.elapsed().as_secs_f64() })
}
