//! Many people, each with one idle connection and three conversations, and the memory that each costs their node.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use switchboard::model::{AsOf, ConversationId, Seq, UserId};
use tokio::time::{Instant, sleep};

use super::reach;
use super::talk::Writer;
use crate::Fault;
use crate::arrivals::Pace;
use crate::client::{Address, Beginning, Client};
use crate::judge::{Device, Record};
use crate::options::get;
use crate::report::{Findings, Table};
use crate::watch::{resident_bytes, say};
use crate::world::World;

/// How long anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(30);
/// People who are connected at once while the conversations are made.
const SEEDERS: u64 = 100;

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    connections: u64,
    baseline: u64,
    per_second: u64,
    settle: Duration,
    bytes_each: u64,
    run: u64,
    seed: bool,
    pid: u32,
}

impl Options {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Fault> {
        let options = Self {
            connections: get(matches, "connections"),
            baseline: get(matches, "baseline"),
            per_second: get(matches, "per-second"),
            settle: Duration::from_secs(get(matches, "settle")),
            bytes_each: get(matches, "bytes-each"),
            run: get(matches, "run"),
            seed: matches.get_flag("seed"),
            pid: matches.get_one("pid").copied().ok_or("name the --pid of the node")?,
        };
        let is_sound =
            options.connections.is_multiple_of(2) && options.connections > options.baseline && options.baseline > 4;
        if is_sound {
            Ok(options)
        } else {
            Err("--connections is even, and more than --baseline, which is above 4".into())
        }
    }

    fn user(&self, index: u64) -> Result<UserId, Fault> {
        Ok(format!("idle-{}-{}", self.run, index % self.connections).parse()?)
    }

    /// The neighbour on one side, the one on the other, and the one opposite: everybody has three.
    fn conversations(&self, index: u64) -> Result<Vec<ConversationId>, Fault> {
        let me = self.user(index)?;
        let partners = [index + 1, index + self.connections - 1, index + self.connections / 2];
        partners.map(|partner| Ok(ConversationId::direct(&me, &self.user(partner)?))).into_iter().collect()
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    if options.seed {
        return seed(options, &world).await;
    }
    let as_of = now_of_the_store(options, &world).await?;
    let mut clients = Vec::new();
    connect(options, &world, as_of, &mut clients, options.baseline).await?;
    let at_baseline = resident_bytes(options.pid)?;
    connect(options, &world, as_of, &mut clients, options.connections).await?;
    let at_the_end = resident_bytes(options.pid)?;

    let mut losses = 0;
    for client in clients {
        losses += client.finish().await.losses;
    }
    let Options { connections, baseline, .. } = options;
    let bytes_each = at_the_end.saturating_sub(at_baseline) / (connections - baseline);
    let mut findings = Findings::default();
    findings.demand(
        bytes_each <= options.bytes_each,
        format!("each connection costs {bytes_each} bytes, and not {} or less", options.bytes_each),
    );
    findings.demand(losses == 0, format!("{losses} connections were lost"));
    findings
        .table
        .row(format!("the node's memory with {baseline} connections, KiB"), at_baseline / 1024)
        .row(format!("with {connections} connections, KiB"), at_the_end / 1024)
        .row("**growth per connection, bytes**", bytes_each)
        .row("connections lost", losses);
    findings.details = json!({
        "connections": connections, "baseline": baseline, "resident_bytes_at_baseline": at_baseline,
        "resident_bytes": at_the_end, "bytes_each": bytes_each, "losses": losses,
    });
    Ok(findings)
}

/// Makes the conversations: everybody writes to the neighbour, and half of all to the one opposite.
async fn seed(options: &Options, world: &Arc<World>) -> Result<Findings, Fault> {
    let half = options.connections / 2;
    let mut written = 0;
    for first in (0..options.connections).step_by(usize::try_from(SEEDERS)?) {
        let mut writers = Vec::new();
        for index in first..options.connections.min(first + SEEDERS) {
            let mut writer = Writer::new(Client::start(world.clone(), Beginning::new(options.user(index)?, 0)));
            let partners = [Some(index + 1), (index < half).then_some(index + half)];
            for partner in partners.into_iter().flatten() {
                let to = options.user(partner)?;
                let conversation = ConversationId::direct(&writer.client.user, &to);
                let devices = vec![Device::first(writer.client.user.clone()), Device::first(to.clone())];
                world.witness.note(&Record::Room { conversation, devices, echoes: false });
                writer.write(world, &Address::Person(to), Instant::now(), (index, 0)).await?;
                written += 1;
            }
            writers.push(writer);
        }
        reach("conversations made", &world.counters.acked, written, PATIENCE).await?;
        for writer in writers {
            writer.client.finish().await;
        }
    }
    say(&format!("{written} conversations are made"));
    let mut table = Table::default();
    table.row("conversations made", written);
    Ok(Findings { table, ..Findings::default() })
}

/// What a client that was here a moment ago would know.
async fn now_of_the_store(options: &Options, world: &Arc<World>) -> Result<AsOf, Fault> {
    let probe = Client::start(world.clone(), Beginning::new(format!("idle-{}-probe", options.run).parse()?, 0));
    reach("connected", &world.counters.connected, 1, PATIENCE).await?;
    let as_of = probe.finish().await.as_of.ok_or("the node did not say what time it is")?;
    world.counters.connected.store(0, Ordering::Relaxed);
    Ok(as_of)
}

/// Connects more until there are `total`, each with its three cursors, and lets the node rest.
async fn connect(
    options: &Options,
    world: &Arc<World>,
    as_of: AsOf,
    clients: &mut Vec<Client>,
    total: u64,
) -> Result<(), Fault> {
    let first = u64::try_from(clients.len())?;
    let mut pace = Pace::even(options.per_second);
    for index in first..total {
        pace.wait().await;
        let cursors = options.conversations(index)?.into_iter().map(|talk| (talk, Seq(1))).collect();
        let resume = Some((as_of, cursors));
        clients.push(Client::start(
            world.clone(),
            Beginning { resume, pings: false, ..Beginning::new(options.user(index)?, 0) },
        ));
    }
    reach("connected", &world.counters.connected, total, PATIENCE).await?;
    sleep(options.settle).await;
    reach("still connected", &world.counters.connected, total, PATIENCE).await
}
