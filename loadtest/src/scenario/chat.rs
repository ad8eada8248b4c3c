//! Pairs talk, both ways, across nodes, perhaps while the cluster is hurt; then every message is accounted for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;

use super::pairs::{self, Account, Crowd};
use super::reach;
use super::read_back::Archive;
use super::talk::{Chatter, Manner};
use crate::Fault;
use crate::client::Order;
use crate::events::{Event, Plan, Planned};
use crate::latency::Span;
use crate::options::{Common, get, read, read_all};
use crate::report::Findings;
use crate::sizes::Sizes;
use crate::watch::say;
use crate::world::{World, get as now};

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    crowd: Crowd,
    manner: Manner,
    messages: u64,
    /// Seconds.
    warm_up: u64,
    answers: u64,
    think: Sizes,
    at_least: u64,
    within_ms: u64,
    cuts: u64,
    patience: Duration,
    aftermath: Duration,
    needs_in_flight: bool,
    events: Vec<Planned>,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        let manner = Manner::of(common, matches)?;
        let seconds = get(matches, "seconds");
        let messages = match seconds {
            0 => common.shard.part(get(matches, "messages").max(1)),
            seconds => manner.due_in(Duration::from_secs(seconds)),
        };
        let crowd = Crowd::of(get(matches, "pairs"), read(matches, "placement")?);
        let crowd = Crowd {
            devices: u32::try_from(get(matches, "devices"))?.max(1),
            conversations: get(matches, "conversations"),
            in_turn: matches.get_flag("in-turn"),
            reads_back: matches.get_flag("read-back"),
            ..crowd
        };
        Ok(Self {
            common: common.clone(),
            crowd,
            manner,
            messages,
            warm_up: get(matches, "warm-up"),
            answers: get(matches, "answers"),
            think: read(matches, "think-ms")?,
            at_least: get(matches, "at-least"),
            within_ms: get(matches, "within-ms"),
            cuts: get(matches, "cuts"),
            patience: Duration::from_secs(get(matches, "patience")),
            aftermath: Duration::from_secs(get(matches, "aftermath")),
            needs_in_flight: matches.get_flag("needs-in-flight"),
            events: read_all(matches, "at")?,
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let all = options.crowd.gather(&options.common, &world).await?;
    let archive = if options.crowd.reads_back { Archive::of(&all) } else { Archive::default() };
    let mut plan = Plan::new(options.events.clone());
    world.counters.planned.store(options.messages, Ordering::Relaxed);

    let mut chatter = Chatter::begin(all.writers, all.talks, &options.manner);
    if options.answers > 0 {
        chatter.answer(&world, options.answers, options.think.clone());
    }
    let warm = options.manner.due_in(Duration::from_secs(options.warm_up));
    for index in 0..options.messages {
        if index == warm && warm > 0 {
            world.latencies.count_from_now();
        }
        plan.pass(index * 100 / options.messages, world.counters.unacknowledged());
        cut_somebody_if_due(options, index, &mut chatter).await;
        chatter.next(&world).await?;
    }
    // Every device of the other one shows each, and perhaps every other device of the writer.
    let devices = u64::from(options.crowd.devices);
    let times = if world.door.echoes() { 2 * devices - 1 } else { devices };
    chatter.finish(&world, times, options.patience).await?;
    let events = plan.finish().await;
    let sent = now(&world.counters.ordered);
    let acked = reach("acknowledged", &world.counters.acked, sent, options.patience).await;
    let seconds = chatter.elapsed().as_secs_f64();
    let shown = reach("received", &world.counters.shown, sent * times, options.patience).await;
    acked.and(shown).unwrap_or_else(|missing| say(&missing.to_string()));
    tokio::time::sleep(options.aftermath).await;
    archive.read(&world).await?;

    let account = pairs::account(&world, chatter.writers, all.screens).await?;
    Ok(find(options, &world, account, &events, seconds))
}

async fn cut_somebody_if_due(options: &Options, message: u64, chatter: &mut Chatter) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and small")]
    let rate = options.manner.rate.ceil().max(1.0) as u64;
    let is_due = |message: u64| message * options.cuts / rate;
    if message > 0 && is_due(message) > is_due(message - 1) {
        let somebody = chatter.somebody();
        chatter.writers[somebody].client.order(Order::Cut).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates and bounds are far below 2^52")]
fn find(options: &Options, world: &World, account: Account, events: &[Event], seconds: f64) -> Findings {
    let Account { verdict, refusals, reconnects, losses, in_flight_at_loss } = account;
    let acked_per_second = verdict.acked as f64 / seconds.max(0.001);
    let mut findings = Findings::judged(verdict);
    findings.demand(
        acked_per_second >= options.at_least as f64,
        format!("{acked_per_second:.0} acknowledged per second, and not {}", options.at_least),
    );
    findings
        .demand(!options.needs_in_flight || in_flight_at_loss > 0, "nothing was in flight when connections were lost");
    for event in events.iter().filter(|event| !event.succeeded) {
        findings.demand(false, format!("the command at {} % failed", event.percent));
    }
    let p99_ms = world.latencies.of(Span::Shown).p99_ms;
    findings.demand(
        options.within_ms == 0 || p99_ms <= options.within_ms as f64,
        format!("one of 100 took {p99_ms:.0} ms or more, and not {}", options.within_ms),
    );
    findings
        .table
        .row("connections lost", losses)
        .row("**sends in flight on them**", in_flight_at_loss)
        .row("reconnects", reconnects)
        .row("seconds", format!("{seconds:.1}"))
        .row("acknowledged per second", format!("{acked_per_second:.0}"));
    for (code, times) in &refusals {
        findings.table.row(format!("refused for now: {code}"), times);
    }
    findings.details = json!({
        "seconds": seconds, "acked_per_second": acked_per_second, "connections_lost": losses,
        "in_flight_at_loss": in_flight_at_loss, "reconnects": reconnects, "refusals": refusals, "events": events,
    });
    findings
}
