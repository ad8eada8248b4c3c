//! A native client: the protocol's algorithm over a WebSocket, with everything it was shown on record.

mod link;
mod mind;
mod outgoing;
mod place;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use switchboard::model::{AsOf, Chance, ClientKey, ConversationId, Seq, SystemChance, UserId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::judge::Testimony;
use crate::latency::Latencies;
use crate::token::Issuer;
use link::Link;
use mind::{Mind, News};

/// How often a client that may speak asks for a sign of life.
const PING_PERIOD: Duration = Duration::from_secs(4);
/// A connection that says nothing for this long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(12);
/// How long connecting and being welcomed may take; then the next target is tried.
const WELCOME_WAIT: Duration = Duration::from_secs(8);
/// The shortest and the longest pause before connecting again; the pause doubles in between, and half of it is chance.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// Orders that wait for one client; beyond, whoever gives them waits.
const ORDERS_MAX: usize = 4_096;

/// What all clients of a run share.
pub(crate) struct World {
    /// Where nodes listen: `ws://host:port`.
    pub(crate) targets: Vec<String>,
    pub(crate) issuer: Issuer,
    pub(crate) counters: Counters,
    pub(crate) latencies: Latencies,
}

/// How far the run has come.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connected: AtomicU64,
    pub(crate) ordered: AtomicU64,
    pub(crate) acked: AtomicU64,
    pub(crate) shown: AtomicU64,
}

/// What a client is to do.
#[derive(Debug)]
pub(crate) enum Order {
    Send {
        to: UserId,
        key: ClientKey,
        text: String,
    },
    /// Lose the connection without a word, and come back.
    Cut,
    /// Read nothing until `Read`.
    StopReading,
    Read,
}

/// A client that runs. It ends when it is told to, and then hands over its report.
pub(crate) struct Client {
    pub(crate) user: UserId,
    orders: mpsc::Sender<Order>,
    finish: CancellationToken,
    task: JoinHandle<Report>,
}

/// What became of a client.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) testimony: Testimony,
    /// How often each code came.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    /// Connections that were welcomed.
    pub(crate) connections: u64,
    /// Connections that were lost without the client's doing.
    pub(crate) losses: u64,
    /// Sends that were written and not answered when those were lost.
    pub(crate) in_flight_at_loss: u64,
    /// Up to when it knew everything.
    pub(crate) as_of: Option<AsOf>,
}

/// Where a client begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) user: UserId,
    /// Which target it tries first.
    pub(crate) target: usize,
    /// Where it left off, if it was here before.
    pub(crate) resume: Option<(AsOf, Vec<(ConversationId, Seq)>)>,
    /// Whether it asks for `pong`; if not, it only answers the node's pings.
    pub(crate) pings: bool,
}

impl Beginning {
    /// Somebody new, who tries `target` first.
    pub(crate) fn new(user: UserId, target: usize) -> Self {
        Self { user, target, resume: None, pings: true }
    }
}

impl Client {
    pub(crate) fn start(world: Arc<World>, beginning: Beginning) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (user, finish) = (beginning.user.clone(), CancellationToken::new());
        let run = Run::new(world, beginning, inbox, finish.clone());
        Self { user, orders, finish, task: tokio::spawn(run.run()) }
    }

    /// Gives an order; waits if too many wait already.
    pub(crate) async fn order(&self, order: Order) {
        // A client that has ended will say so in its report.
        let _ = self.orders.send(order).await;
    }

    /// Ends it.
    pub(crate) async fn finish(self) -> Report {
        self.finish.cancel();
        self.task.await.unwrap_or_default()
    }
}

struct Run {
    world: Arc<World>,
    inbox: mpsc::Receiver<Order>,
    finish: CancellationToken,
    mind: Mind,
    target: usize,
    pings: bool,
    reading: bool,
    report: Report,
}

/// Why a connection ended.
enum Ending {
    /// The client is told to finish.
    Finished,
    /// The client let go of it.
    Cut,
    /// It was lost, or the node asked to come again after a wait.
    Lost(Option<Duration>),
}

impl Run {
    fn new(world: Arc<World>, start: Beginning, inbox: mpsc::Receiver<Order>, finish: CancellationToken) -> Self {
        let mut mind = Mind::new(start.user);
        if let Some((as_of, shown)) = start.resume {
            mind.begin_at(as_of, shown);
        }
        let report = Report::default();
        Self { world, inbox, finish, mind, target: start.target, pings: start.pings, reading: true, report }
    }

    async fn run(mut self) -> Report {
        let finish = self.finish.clone();
        finish.run_until_cancelled(self.stay_connected()).await;
        self.report.as_of = self.mind.as_of();
        (self.report.testimony, self.report.refusals) = self.mind.into_testimony();
        self.report
    }

    async fn stay_connected(&mut self) {
        let mut pause = PAUSES.0;
        loop {
            let (asked, next_target) = match timeout(WELCOME_WAIT, self.connect()).await {
                Ok(Some(mut link)) => {
                    pause = PAUSES.0;
                    let ending = self.live(&mut link).await;
                    self.world.counters.connected.fetch_sub(1, Ordering::Relaxed);
                    self.note(&ending);
                    match ending {
                        Ending::Finished => return,
                        Ending::Cut => (None, false),
                        Ending::Lost(asked) => (asked, true),
                    }
                }
                Ok(None) | Err(_) => (None, true),
            };
            self.target += usize::from(next_target);
            tokio::time::sleep(asked.unwrap_or_default() + with_jitter(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn note(&mut self, ending: &Ending) {
        let in_flight = self.mind.connection_lost();
        if matches!(ending, Ending::Lost(_)) {
            self.report.losses += 1;
            self.report.in_flight_at_loss += in_flight;
        }
    }

    /// A connection that was welcomed.
    async fn connect(&mut self) -> Option<Link> {
        let target = &self.world.targets[self.target % self.world.targets.len()];
        let mut link = Link::open(target).await?;
        let token = self.world.issuer.token(self.mind.user())?;
        let (resume, more) = self.mind.resume().unzip();
        link.hello(&token, resume).await?;
        while self.mind.hear(link.next().await?, Instant::now()) != News::Welcome {}
        for cursors in more.into_iter().flatten() {
            link.resume(cursors).await?;
        }
        self.report.connections += 1;
        self.world.counters.connected.fetch_add(1, Ordering::Relaxed);
        Some(link)
    }

    async fn live(&mut self, link: &mut Link) -> Ending {
        let (mut heard, mut ping) = (Instant::now(), Instant::now() + with_jitter(PING_PERIOD));
        loop {
            if self.write_what_is_due(link).await.is_none() {
                return Ending::Lost(None);
            }
            let silence = self.pings && self.reading;
            let due = self.mind.due();
            tokio::select! {
                biased;
                order = self.inbox.recv() => match order {
                    None => return Ending::Finished,
                    Some(Order::Cut) => return Ending::Cut,
                    Some(order) => {
                        (heard, ping) = (Instant::now(), ping.max(Instant::now()));
                        self.obey(order);
                    }
                },
                answer = link.next(), if self.reading => {
                    let Some(answer) = answer else { return Ending::Lost(None) };
                    heard = Instant::now();
                    if let Some(ending) = self.take(answer) { return ending }
                }
                () = sleep_until(due.unwrap_or(heard)), if due.is_some() => {}
                () = sleep_until(ping), if silence => {
                    if Instant::now() > heard + SILENCE_MAX || link.ping().await.is_none() {
                        return Ending::Lost(None);
                    }
                    ping = Instant::now() + PING_PERIOD;
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Send { to, key, text } => self.mind.send(to, key, text, Instant::now()),
            Order::StopReading => self.reading = false,
            Order::Read | Order::Cut => self.reading = true,
        }
    }

    async fn write_what_is_due(&mut self, link: &mut Link) -> Option<()> {
        let mut wrote = false;
        while let Some(send) = self.mind.write_next(Instant::now()) {
            link.send(send).await?;
            wrote = true;
        }
        if wrote { link.flush().await } else { Some(()) }
    }

    fn take(&mut self, answer: crate::frames::Answer) -> Option<Ending> {
        let World { counters, latencies, .. } = &*self.world;
        match self.mind.hear(answer, Instant::now()) {
            News::None | News::Welcome => {}
            News::Acked(_) => {
                counters.acked.fetch_add(1, Ordering::Relaxed);
            }
            News::Shown(saying) => {
                counters.shown.fetch_add(1, Ordering::Relaxed);
                latencies.shown(saying.due_micros);
            }
            News::Reconnect(after) => return Some(Ending::Lost(Some(after))),
        }
        None
    }
}

/// Between half of it and all of it.
fn with_jitter(pause: Duration) -> Duration {
    let share = SystemChance.bits() % 1_000;
    pause / 2 + pause.mul_f64(0.0005 * f64::from(u32::try_from(share).unwrap_or(0)))
}
