//! A client that stops reading while messages arrive for it, and reads again later: the node must not grow, and the
//! client must be shown everything, on the same connection. It is on the first node, those who write on the others.
//!
//! Three batches: one that it reads, so that the node's caches are full; one that it reads, as the control; and one as
//! large that it does not read. What the last one makes the node grow by is what the client costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde::Serialize;
use switchboard::model::{Chance, SystemChance, UserId};
use tokio::time::{Instant, sleep};

use super::memory::resident_bytes;
use super::reach;
use super::talk::{Pace, Writer};
use crate::Fault;
use crate::client::{Beginning, Client, Order, Report, World};
use crate::judge::{Direction, Verdict, judge};
use crate::options::{Common, get};
use crate::report::{Table, publish};

/// How long anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the node rests before its memory is measured.
const REST: Duration = Duration::from_secs(10);
/// How long the client goes on after the last message, so that one that is shown twice is seen.
const AFTERMATH: Duration = Duration::from_secs(5);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    messages: u64,
    senders: u64,
    rate: u64,
    warm_up: u64,
    growth_kib: u64,
    pid: u32,
}

impl Options {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Fault> {
        Ok(Self {
            common: Common::of(matches)?,
            messages: get(matches, "messages").max(1),
            senders: get(matches, "senders").max(1),
            rate: get(matches, "rate"),
            warm_up: get(matches, "warm-up"),
            growth_kib: get(matches, "growth-kib"),
            pid: matches.get_one("pid").copied().ok_or("name the --pid of the node")?,
        })
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Outcome {
    passed: bool,
    #[serde(flatten)]
    verdict: Verdict,
    resident_bytes_warm: u64,
    resident_bytes_before: u64,
    resident_bytes_after: u64,
    control_growth_kib: i64,
    growth_kib: i64,
    shown_while_not_reading: u64,
    seconds_not_reading: f64,
    seconds_catching_up: f64,
    connections: u64,
}

/// Plays it; answers whether all is well.
pub(crate) async fn run(options: &Options) -> Result<bool, Fault> {
    let world = options.common.world()?;
    let run = SystemChance.bits() >> 32;
    let reader = Client::start(world.clone(), Beginning::new(format!("{run:08x}-reader").parse()?, 0));
    let mut senders = Vec::new();
    for (sender, target) in (0..options.senders).zip((1..world.targets.len().max(2)).cycle()) {
        let beginning = Beginning::new(format!("{run:08x}-{sender}").parse()?, target);
        senders.push(Writer::new(Client::start(world.clone(), beginning)));
    }
    reach("connected", &world.counters.connected, options.senders + 1, PATIENCE).await?;

    let read = options.warm_up;
    write(&world, &mut senders, &reader.user, options.warm_up, options.rate).await?;
    reach("read while warming up", &world.counters.shown, read, PATIENCE).await?;
    sleep(REST).await;
    let warm = resident_bytes(options.pid)?;

    let read = read + options.messages;
    write(&world, &mut senders, &reader.user, options.messages, options.rate).await?;
    reach("read as the control", &world.counters.shown, read, PATIENCE).await?;
    sleep(REST).await;
    let before = resident_bytes(options.pid)?;

    reader.order(Order::StopReading).await;
    let stopped = Instant::now();
    write(&world, &mut senders, &reader.user, options.messages, options.rate).await?;
    sleep(REST).await;
    let after = resident_bytes(options.pid)?;
    let shown_while_not_reading = world.counters.shown.load(std::sync::atomic::Ordering::Relaxed) - read;

    reader.order(Order::Read).await;
    let began = Instant::now();
    let seconds_not_reading = (began - stopped).as_secs_f64();
    let read = read + options.messages;
    reach("read in the end", &world.counters.shown, read, PATIENCE).await.unwrap_or_else(|short| println!("{short}"));
    let seconds_catching_up = began.elapsed().as_secs_f64();
    sleep(AFTERMATH).await;

    let (verdict, report) = account(reader, senders).await;
    let (control_growth_kib, growth_kib) = (kib_between(warm, before), kib_between(before, after));
    let outcome = Outcome {
        passed: verdict.is_clean()
            && growth_kib < i64::try_from(options.growth_kib)?
            && report.connections == 1
            && shown_while_not_reading == 0,
        verdict,
        resident_bytes_warm: warm,
        resident_bytes_before: before,
        resident_bytes_after: after,
        control_growth_kib,
        growth_kib,
        shown_while_not_reading,
        seconds_not_reading,
        seconds_catching_up,
        connections: report.connections,
    };
    publish(&options.common, &outcome.table(), &outcome, outcome.passed)?;
    Ok(outcome.passed)
}

/// How much memory grew; negative if it shrank.
fn kib_between(before: u64, after: u64) -> i64 {
    after.cast_signed().saturating_sub(before.cast_signed()) / 1024
}

/// So many messages to the reader; waits until all are acknowledged.
async fn write(world: &Arc<World>, senders: &mut [Writer], to: &UserId, messages: u64, rate: u64) -> Result<(), Fault> {
    let acked = world.counters.acked.load(std::sync::atomic::Ordering::Relaxed);
    let pace = Pace::begin(rate);
    for (index, sender) in (0..messages).zip((0..senders.len()).cycle()) {
        let due = pace.wait_for(index).await;
        senders[sender].write(world, to, due).await?;
    }
    reach("acknowledged", &world.counters.acked, acked + messages, PATIENCE).await
}

async fn account(reader: Client, senders: Vec<Writer>) -> (Verdict, Report) {
    let mut directions = Vec::new();
    let mut testimonies = HashMap::new();
    for sender in senders {
        let from = sender.client.user.clone();
        directions.push(Direction { from: from.clone(), to: reader.user.clone() });
        testimonies.insert(from, sender.client.finish().await.testimony);
    }
    let user = reader.user.clone();
    let mut report = reader.finish().await;
    testimonies.insert(user, std::mem::take(&mut report.testimony));
    (judge(&directions, &testimonies), report)
}

impl Outcome {
    fn table(&self) -> Table {
        let mut table = Table::default();
        table
            .row("messages, warming up and control included", self.verdict.sent)
            .row("acknowledged", self.verdict.acked)
            .row("received", self.verdict.received)
            .row("**lost**", self.verdict.lost)
            .row("**doubled**", self.verdict.doubled)
            .row("**out of order**", self.verdict.out_of_order)
            .row("the node's memory when warm, KiB", self.resident_bytes_warm / 1024)
            .row("growth over as many messages that are read, KiB", self.control_growth_kib)
            .row("**growth over those that are not read, KiB**", self.growth_kib)
            .row("seconds without reading", format!("{:.1}", self.seconds_not_reading))
            .row("seconds to catch up", format!("{:.1}", self.seconds_catching_up))
            .row("connections of the reader", self.connections);
        table
    }
}
