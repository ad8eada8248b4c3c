//! Groups: what one writes, all others are shown. How many deliveries there are in a second, and how far apart the
//! first and the last member of a group are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::groups::{demand_native_door, found};
use super::pairs::{self, Account};
use super::reach;
use super::talk::{Manner, Writer};
use crate::Fault;
use crate::client::{Address, Beginning, Client};
use crate::judge::{Device, Record};
use crate::latency::Span;
use crate::options::{Common, get};
use crate::report::Findings;
use crate::spread::Spread;
use crate::watch::say;
use crate::world::{World, get as now};

/// How long all clients together may take to connect without a single one getting in.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// How long after the last message anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long clients go on after the last message, so that one that is shown twice is seen.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    manner: Manner,
    groups: u64,
    members: u64,
    writers: u64,
    messages: u64,
    at_least: u64,
    within_ms: u64,
}

/// People who hear each other.
struct Group {
    address: Address,
    /// Those who write come first.
    members: Vec<Writer>,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        demand_native_door(common)?;
        let manner = Manner::of(common, matches)?;
        let members = get(matches, "members").max(2);
        let messages = manner.due_in(Duration::from_secs(get(matches, "seconds").max(1)));
        Ok(Self {
            common: common.clone(),
            manner,
            groups: get(matches, "groups").max(1),
            members,
            writers: match get(matches, "writers") {
                0 => members,
                some => some.min(members),
            },
            messages,
            at_least: get(matches, "at-least"),
            within_ms: get(matches, "within-ms"),
        })
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let readers = options.members - 1;
    let mut groups = gather(options, &world).await?;
    // Whoever comes first decides; nobody else measures this.
    let _ = world.spread.set(Spread::new(readers));
    world.counters.planned.store(options.messages, Ordering::Relaxed);

    let (mut pace, mut contents) = options.manner.begin();
    let began = Instant::now();
    for _ in 0..options.messages {
        let due = pace.wait().await;
        let content = contents.next();
        let group = usize::try_from(contents.dice.below(groups.len() as u64))?;
        let writer = usize::try_from(contents.dice.below(options.writers))?;
        let Group { address, members } = &mut groups[group];
        members[writer].write(&world, address, due, content).await?;
    }
    let sent = now(&world.counters.ordered);
    let acked = reach("acknowledged", &world.counters.acked, sent, PATIENCE).await;
    let shown = reach("deliveries", &world.counters.shown, sent * readers, PATIENCE).await;
    acked.and(shown).unwrap_or_else(|missing| say(&missing.to_string()));
    let seconds = began.elapsed().as_secs_f64();
    let deliveries = now(&world.counters.shown);
    sleep(AFTERMATH).await;

    let count = groups.len();
    let all = groups.into_iter().flat_map(|group| group.members).collect();
    let account = pairs::account(&world, all, Vec::new()).await?;
    Ok(find(options, &world, account, count, deliveries, seconds))
}

/// All members of this part's groups, connected, each on another node than their neighbours, and in their group.
async fn gather(options: &Options, world: &Arc<World>) -> Result<Vec<Group>, Fault> {
    let mut circles = Vec::new();
    for group in (0..options.groups).filter(|group| options.common.shard.has(*group)) {
        let mut members = Vec::new();
        for index in group * options.members..(group + 1) * options.members {
            let beginning = Beginning::new(world.people.user(index)?, usize::try_from(index)?);
            members.push(Writer::new(Client::start(world.clone(), beginning)));
        }
        circles.push((group, members));
    }
    if circles.is_empty() {
        return Err("there is no group for this part of the run: more --groups, or fewer parts".into());
    }
    let everybody = options.members * circles.len() as u64;
    reach("connected", &world.counters.connected, everybody, CONNECT_PATIENCE).await?;
    let mut groups = Vec::new();
    for (number, members) in circles {
        let users: Vec<_> = members.iter().map(|member| member.client.user.clone()).collect();
        let conversation = found(&members[0].client, &format!("fanout-{number}"), &users[1..]).await?;
        let devices = users.into_iter().map(Device::first).collect();
        world.witness.note(&Record::Room { conversation, devices, echoes: world.door.echoes() });
        groups.push(Group { address: Address::Group(conversation), members });
    }
    Ok(groups)
}

#[expect(clippy::cast_precision_loss, reason = "rates and bounds are far below 2^52")]
fn find(options: &Options, world: &World, account: Account, groups: usize, deliveries: u64, seconds: f64) -> Findings {
    let Account { verdict, refusals, reconnects, losses, .. } = account;
    let per_second = deliveries as f64 / seconds.max(0.001);
    let spread = world.latencies.of(Span::Spread);
    let everybody = world.latencies.of(Span::Everybody);
    let mut findings = Findings::judged(verdict);
    findings.demand(
        per_second >= options.at_least as f64,
        format!("{per_second:.0} deliveries per second, and not {}", options.at_least),
    );
    findings.demand(
        options.within_ms == 0 || everybody.p99_ms <= options.within_ms as f64,
        format!("of 100 messages one took {:.0} ms or more to all, and not {}", everybody.p99_ms, options.within_ms),
    );
    findings
        .table
        .row("groups", groups)
        .row("members of each", options.members)
        .row("**deliveries per second**", format!("{per_second:.0}"))
        .row("**first to last member, 50 %, ms**", format!("{:.1}", spread.p50_ms))
        .row("connections lost", losses)
        .row("reconnects", reconnects);
    for (code, times) in &refusals {
        findings.table.row(format!("refused for now: {code}"), times);
    }
    findings.details = json!({
        "groups": groups, "members": options.members, "deliveries": deliveries, "seconds": seconds,
        "deliveries_per_second": per_second, "connections_lost": losses, "reconnects": reconnects, "refusals": refusals,
    });
    findings
}
