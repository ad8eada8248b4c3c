//! A client that stops reading while messages arrive for it, and reads again later: the node must not grow, and the
//! client must be shown everything, on the same connection. It is on the first node, those who write on the others.
//!
//! Three batches: one that it reads, so that the node's caches are full; one that it reads, as the control; and one as
//! large that it does not read. What the last one makes the node grow by is what the client costs.

use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use switchboard::model::{ConversationId, UserId};
use tokio::time::{Instant, sleep};

use super::reach;
use super::talk::Writer;
use crate::Fault;
use crate::arrivals::Pace;
use crate::client::{Address, Beginning, Client, Order};
use crate::judge::{Device, Record, Verdict};
use crate::options::get as number;
use crate::report::Findings;
use crate::watch::{resident_bytes, say};
use crate::world::{World, get};

/// How long anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the node rests before its memory is measured.
const REST: Duration = Duration::from_secs(10);
/// How long the client goes on after the last message, so that one that is shown twice is seen.
const AFTERMATH: Duration = Duration::from_secs(5);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
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
            messages: number(matches, "messages").max(1),
            senders: number(matches, "senders").max(1),
            rate: number(matches, "rate"),
            warm_up: number(matches, "warm-up"),
            growth_kib: number(matches, "growth-kib"),
            pid: matches.get_one("pid").copied().ok_or("name the --pid of the node")?,
        })
    }
}

/// What it cost.
#[derive(Debug)]
struct Cost {
    warm: u64,
    control_growth_kib: i64,
    growth_kib: i64,
    shown_while_not_reading: u64,
    seconds_not_reading: f64,
    seconds_catching_up: f64,
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let reader = Client::start(world.clone(), Beginning::new(world.people.named("reader")?, 0));
    let mut senders = Vec::new();
    for (sender, target) in (0..options.senders).zip((1..world.targets.len().max(2)).cycle()) {
        let user = world.people.user(sender)?;
        let conversation = ConversationId::direct(&user, &reader.user);
        let devices = vec![Device::first(user.clone()), Device::first(reader.user.clone())];
        world.witness.note(&Record::Room { conversation, devices, echoes: false });
        senders.push(Writer::new(Client::start(world.clone(), Beginning::new(user, target))));
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
    let shown_while_not_reading = get(&world.counters.shown) - read;

    reader.order(Order::Read).await;
    let began = Instant::now();
    let read = read + options.messages;
    let caught_up = reach("read in the end", &world.counters.shown, read, PATIENCE).await;
    caught_up.unwrap_or_else(|short| say(&short.to_string()));
    let cost = Cost {
        warm,
        control_growth_kib: kib_between(warm, before),
        growth_kib: kib_between(before, after),
        shown_while_not_reading,
        seconds_not_reading: (began - stopped).as_secs_f64(),
        seconds_catching_up: began.elapsed().as_secs_f64(),
    };
    sleep(AFTERMATH).await;

    for sender in senders {
        sender.client.finish().await;
    }
    let connections = reader.finish().await.connections;
    Ok(find(options, world.witness.close()?, &cost, connections))
}

/// How much memory grew; negative if it shrank.
fn kib_between(before: u64, after: u64) -> i64 {
    after.cast_signed().saturating_sub(before.cast_signed()) / 1024
}

/// So many messages to the reader; waits until all are acknowledged.
async fn write(world: &Arc<World>, senders: &mut [Writer], to: &UserId, messages: u64, rate: u64) -> Result<(), Fault> {
    let acked = get(&world.counters.acked);
    let mut pace = Pace::even(rate);
    let to = Address::Person(to.clone());
    for (noise, sender) in (0..messages).zip((0..senders.len()).cycle()) {
        let due = pace.wait().await;
        senders[sender].write(world, &to, due, (noise, 0)).await?;
    }
    reach("acknowledged", &world.counters.acked, acked + messages, PATIENCE).await
}

fn find(options: &Options, verdict: Verdict, cost: &Cost, connections: u64) -> Findings {
    let Cost { warm, control_growth_kib, growth_kib, shown_while_not_reading, .. } = *cost;
    let Cost { seconds_not_reading, seconds_catching_up, .. } = *cost;
    let mut findings = Findings::judged(verdict);
    let is_small = growth_kib < options.growth_kib.cast_signed();
    findings.demand(is_small, format!("the node grew by {growth_kib} KiB, and not less than {}", options.growth_kib));
    findings.demand(connections == 1, format!("the reader needed {connections} connections"));
    findings.demand(shown_while_not_reading == 0, "the reader read while it was not to");
    findings
        .table
        .row("the node's memory when warm, KiB", warm / 1024)
        .row("growth over as many messages that are read, KiB", control_growth_kib)
        .row("**growth over those that are not read, KiB**", growth_kib)
        .row("seconds without reading", format!("{seconds_not_reading:.1}"))
        .row("seconds to catch up", format!("{seconds_catching_up:.1}"))
        .row("connections of the reader", connections);
    findings.details = json!({
        "resident_bytes_warm": warm, "control_growth_kib": control_growth_kib, "growth_kib": growth_kib,
        "seconds_not_reading": seconds_not_reading, "seconds_catching_up": seconds_catching_up,
        "connections": connections,
    });
    findings
}
