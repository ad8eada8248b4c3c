//! People come and go, and reload their pages, while others watch them on every node: how long until all watchers are
//! shown the truth, and whether anybody is shown as gone who is not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use switchboard::model::UserId;
use tokio::time::{Instant, sleep};

use super::groups::{demand_native_door, found};
use super::reach;
use crate::Fault;
use crate::arrivals::{Arrivals, Pace, Pattern};
use crate::chance::Dice;
use crate::client::{Beginning, Client, Order};
use crate::events::{Plan, Planned};
use crate::judge::Device;
use crate::latency::Span;
use crate::options::{Common, get, read_all};
use crate::report::Findings;
use crate::watch::say;
use crate::whereabouts::Whereabouts;
use crate::world::World;

/// People who are watched together: as many as one connection may watch.
const CIRCLE_PEOPLE_MAX: u64 = 200;
/// How long anything may take without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether all is told.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Between two times that a watcher says whom it watches, while those who are there are not all shown.
const WATCH_AGAIN: Duration = Duration::from_secs(2);
/// People who are looked at for one of whom all is told; then a coming or going is left out.
const ATTEMPTS_MAX: usize = 20;

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    common: Common,
    people: u64,
    watchers: u64,
    rate: f64,
    changes: u64,
    reloads: u64,
    grace: Duration,
    within_ms: u64,
    gone_within_ms: u64,
    events: Vec<Planned>,
}

/// Somebody who comes and goes.
struct Person {
    user: UserId,
    /// Where they are, while they are there.
    client: Option<Client>,
    target: usize,
}

/// What was done.
#[derive(Debug, Default, Clone, Copy, serde::Serialize)]
struct Done {
    came: u64,
    went: u64,
    reloaded: u64,
    left_out: u64,
}

impl Options {
    pub(crate) fn of(common: &Common, matches: &ArgMatches) -> Result<Self, Fault> {
        demand_native_door(common)?;
        let rate = common.shard.rate(get(matches, "rate").max(1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and small")]
        let changes = (rate * Duration::from_secs(get(matches, "seconds").max(1)).as_secs_f64()).ceil() as u64;
        Ok(Self {
            common: common.clone(),
            people: common.shard.part(get(matches, "people")).max(2),
            watchers: get(matches, "watchers").max(1),
            rate,
            changes,
            reloads: get(matches, "reloads").min(100),
            grace: Duration::from_millis(get(matches, "grace-ms")),
            within_ms: get(matches, "within-ms"),
            gone_within_ms: get(matches, "gone-within-ms"),
            events: read_all(matches, "at")?,
        })
    }

    fn user(&self, world: &World, index: u64) -> Result<UserId, Fault> {
        world.people.user(self.common.shard.person(index)?)
    }
}

/// Plays it.
pub(crate) async fn run(options: &Options, world: Arc<World>) -> Result<Findings, Fault> {
    let grace_micros = u64::try_from(options.grace.as_micros())?;
    let whereabouts = world.whereabouts.get_or_init(|| Whereabouts::new(grace_micros));
    let (mut people, watchers) = gather(options, &world, whereabouts).await?;
    whereabouts.measure();
    let done = churn(options, &world, whereabouts, &mut people).await?;
    let last = Instant::now();
    while whereabouts.unsettled() > 0 && last.elapsed() < PATIENCE {
        sleep(LOOK_AGAIN).await;
    }
    let untold = whereabouts.unsettled();
    let (false_offline, examples) = whereabouts.false_offline();

    let mut losses = 0;
    for client in people.into_iter().filter_map(|person| person.client).chain(watchers) {
        losses += client.finish().await.losses;
    }
    let mut findings = Findings::default();
    findings.demand(false_offline == 0, format!("{false_offline} times somebody was shown as gone who was not"));
    examples.into_iter().for_each(|example| findings.demand(false, example));
    findings.demand(untold == 0, format!("of {untold} people not all watchers were shown the truth in the end"));
    for (span, bound) in [(Span::Came, options.within_ms), (Span::Went, options.gone_within_ms)] {
        let p99_ms = world.latencies.of(span).p99_ms;
        #[expect(clippy::cast_precision_loss, reason = "a bound is far below 2^52")]
        let is_within = p99_ms <= bound as f64;
        findings.demand(is_within, format!("{}: one of 100 took {p99_ms:.0} ms or more, and not {bound}", span.name()));
    }
    let Done { came, went, reloaded, left_out } = done;
    findings
        .table
        .row("people", options.people)
        .row("came", came)
        .row("went", went)
        .row("loaded their page anew", reloaded)
        .row("left out, because all were on their way", left_out)
        .row("**shown as gone and were not**", false_offline)
        .row("**not all watchers were told**", untold)
        .row("connections lost", losses);
    for span in [Span::Came, Span::Went] {
        findings.table.row(format!("{}, 50 %, ms", span.name()), format!("{:.1}", world.latencies.of(span).p50_ms));
    }
    findings.details = json!({
        "people": options.people, "done": done, "false_offline": false_offline, "untold": untold, "losses": losses,
    });
    Ok(findings)
}

/// The people, half of them there, and who watches them, on every node; all of that told.
async fn gather(
    options: &Options,
    world: &Arc<World>,
    whereabouts: &Whereabouts,
) -> Result<(Vec<Person>, Vec<Client>), Fault> {
    let (mut people, mut watchers, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let watchers_each = options.watchers * world.targets.len() as u64;
    let circles = options.people.div_ceil(CIRCLE_PEOPLE_MAX);
    let mut next = 0;
    for circle in 0..circles {
        let watcher = options.user(world, next)?;
        let size = options.people / circles + u64::from(circle < options.people % circles);
        let users = (1..=size).map(|index| options.user(world, next + index)).collect::<Result<Vec<_>, _>>()?;
        next += 1 + size;
        for number in 1..=u32::try_from(watchers_each)? {
            let device = Device { user: watcher.clone(), number };
            watchers.push(Client::start(world.clone(), Beginning::on(device, usize::try_from(number)?)));
            lists.push(users.clone());
        }
        for (user, target) in users.into_iter().zip(0..) {
            whereabouts.enrol(user.clone(), usize::try_from(watchers_each)?);
            people.push(Person { user, client: None, target });
        }
    }
    reach("watchers connected", &world.counters.connected, watchers.len() as u64, PATIENCE).await?;
    for (circle, first) in (0..watchers.len()).step_by(usize::try_from(watchers_each)?).enumerate() {
        // Only whom one shares a conversation with may be watched.
        found(&watchers[first], &format!("circle-{circle}"), &lists[first]).await?;
    }
    for person in people.iter_mut().step_by(2) {
        person.come(world);
    }
    let began = Instant::now();
    while whereabouts.unsettled() > 0 {
        if began.elapsed() > PATIENCE {
            return Err(format!("{} people are not shown as what they are", whereabouts.unsettled()).into());
        }
        for (watcher, users) in watchers.iter().zip(&lists) {
            watcher.order(Order::Watch(users.clone())).await;
        }
        let said = Instant::now();
        while whereabouts.unsettled() > 0 && said.elapsed() < WATCH_AGAIN {
            sleep(LOOK_AGAIN).await;
        }
    }
    Ok((people, watchers))
}

/// They come and go, each only when all are told where they are.
async fn churn(
    options: &Options,
    world: &Arc<World>,
    whereabouts: &Whereabouts,
    people: &mut [Person],
) -> Result<Done, Fault> {
    let mut dice = options.common.dice(6);
    let arrivals = Arrivals::new(options.rate, Pattern::Chance, Dice::new(dice.bits(), 0));
    let (mut pace, mut plan, mut done) = (Pace::begin(arrivals), Plan::new(options.events.clone()), Done::default());
    world.counters.planned.store(options.changes, Ordering::Relaxed);
    for change in 0..options.changes {
        plan.pass(change * 100 / options.changes, 0);
        pace.wait().await;
        let settled = (0..ATTEMPTS_MAX).find_map(|_| {
            let index = usize::try_from(dice.below(people.len() as u64)).ok()?;
            Some((index, whereabouts.settled(&people[index].user)?))
        });
        let Some((index, is_there)) = settled else {
            done.left_out += 1;
            continue;
        };
        let person = &mut people[index];
        match (is_there, person.client.take()) {
            (true, Some(client)) if dice.below(100) < options.reloads => {
                client.order(Order::Cut).await;
                person.client = Some(client);
                done.reloaded += 1;
            }
            (true, Some(client)) => {
                client.finish().await;
                done.went += 1;
            }
            (_, client) => {
                person.client = client;
                person.come(world);
                done.came += 1;
            }
        }
    }
    for event in plan.finish().await.iter().filter(|event| !event.succeeded) {
        say(&format!("the command at {} % failed", event.percent));
    }
    Ok(done)
}

impl Person {
    /// Connects, each time to another node.
    fn come(&mut self, world: &Arc<World>) {
        self.target += 1;
        let beginning = Beginning::new(self.user.clone(), self.target);
        self.client.get_or_insert_with(|| Client::start(world.clone(), beginning));
    }
}
