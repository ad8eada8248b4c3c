//! Watching a run: once a second, what the clients did and what the servers used, for the report and for whoever waits.

mod process;
mod progress;
mod timeline;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use process::own;
pub(crate) use process::{Usage, Watched, resident_bytes};
use progress::Progress;
pub(crate) use progress::say;
pub(crate) use timeline::{Point, Timeline};

use crate::world::{Counters, World, get};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(1);

/// Somebody who watches.
pub(crate) struct Watch {
    stop: CancellationToken,
    task: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) timeline: Timeline,
    pub(crate) seconds: f64,
    /// This process, and then those that were to be watched: what each had used at the beginning and at the end.
    pub(crate) usage: Vec<(String, Option<Usage>, Option<Usage>)>,
    /// The share of all processors that was busy, whoever used them.
    pub(crate) machine_busy: Option<f64>,
}

/// Counters as they were a second ago.
#[derive(Debug, Default)]
struct Last {
    ordered: u64,
    acked: u64,
    shown: u64,
    refused: u64,
    lost: u64,
}

impl Watch {
    pub(crate) fn begin(world: Arc<World>, watched: Vec<Watched>) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(watch(world, watched, stop.clone()));
        Self { stop, task }
    }

    pub(crate) async fn end(self) -> Seen {
        self.stop.cancel();
        self.task.await.unwrap_or_default()
    }
}

async fn watch(world: Arc<World>, watched: Vec<Watched>, stop: CancellationToken) -> Seen {
    let began = Instant::now();
    let before = usage(&world, &watched).await;
    let busy_before = busy_ticks();
    let mut timeline = Timeline::new();
    let (mut last, mut progress) = (Last::default(), Progress::begin());
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let mut point = last.advance(&world);
        point.usage = usage(&world, &watched).await;
        progress.show(&world, &point);
        timeline.push(point);
    }
    let mut point = last.advance(&world);
    point.usage = usage(&world, &watched).await;
    timeline.push(point);
    progress.end();
    let after = usage(&world, &watched).await;
    let names = std::iter::once("this tool".to_owned()).chain(watched.into_iter().map(|watched| watched.name));
    let usage = names.zip(before.into_iter().zip(after)).map(|(name, (before, after))| (name, before, after)).collect();
    let machine_busy = busy_before.zip(busy_ticks()).and_then(|(before, after)| share_of_busy(before, after));
    Seen { timeline, seconds: began.elapsed().as_secs_f64(), usage, machine_busy }
}

/// What this process and those that are watched have used up to now.
pub(crate) async fn usage(world: &World, watched: &[Watched]) -> Vec<Option<Usage>> {
    let mut usage = vec![own()];
    for Watched { source, .. } in watched {
        usage.push(source.usage(&world.dialer.http).await);
    }
    usage
}

impl Last {
    fn advance(&mut self, world: &World) -> Point {
        let Counters { connected, ordered, acked, shown, refused, lost, .. } = &world.counters;
        let now = Self {
            ordered: get(ordered),
            acked: get(acked),
            shown: get(shown),
            refused: get(refused),
            lost: get(lost),
        };
        let point = Point {
            sent: now.ordered - self.ordered,
            acked: now.acked - self.acked,
            shown: now.shown - self.shown,
            refused: now.refused - self.refused,
            lost_connections: now.lost - self.lost,
            connected: get(connected),
            in_flight: world.counters.unacknowledged(),
            latency: world.latencies.take_interval(),
            usage: Vec::new(),
        };
        *self = now;
        point
    }
}

/// Ticks of all processors: busy, and in all.
fn busy_ticks() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    let (all, idle) = (ticks.iter().take(8).sum::<u64>(), ticks.get(3)? + ticks.get(4)?);
    Some((all - idle, all))
}

fn share_of_busy(before: (u64, u64), after: (u64, u64)) -> Option<f64> {
    let all = after.1.checked_sub(before.1).filter(|all| *all > 0)?;
    #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^52")]
    let share = after.0.saturating_sub(before.0) as f64 / all as f64;
    Some(share)
}
