//! The life of a client: it connects, says and hears, and comes back when the connection is lost.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchboard::model::{Chance, ClientKey, ConversationId, SystemChance, UserId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::link::{Greeting, Link};
use super::mind::{Mind, News};
use super::{Beginning, Order, Report};
use crate::frames::{Answer, Page, Seen};
use crate::judge::Record;
use crate::latency::Span;
use crate::world::World;

/// How often a client that may speak asks for a sign of life.
const PING_PERIOD: Duration = Duration::from_secs(4);
/// A connection that says nothing for this long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(12);
/// How long connecting and being welcomed may take; then the next target is tried.
const WELCOME_WAIT: Duration = Duration::from_secs(8);
/// The shortest and the longest pause before connecting again; the pause doubles in between, and half of it is chance.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

pub(super) struct Run {
    world: Arc<World>,
    inbox: mpsc::Receiver<Order>,
    mind: Mind,
    target: usize,
    pings: bool,
    reading: bool,
    /// How long it rests after each frame.
    rest: Duration,
    page: Option<oneshot::Sender<Page>>,
    group: Option<(ClientKey, oneshot::Sender<ConversationId>)>,
    watched: Vec<UserId>,
    is_connected: bool,
    is_slow: bool,
    due: Option<Instant>,
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
    pub(super) fn new(world: Arc<World>, start: Beginning, inbox: mpsc::Receiver<Order>) -> Self {
        let pings = start.pings && world.door.pings();
        let mut mind = Mind::new(start.device, world.run);
        if let Some((as_of, shown)) = start.resume {
            mind.begin_at(as_of, shown);
        }
        Self {
            world,
            inbox,
            mind,
            target: start.target,
            pings,
            reading: true,
            rest: Duration::ZERO,
            page: None,
            group: None,
            watched: Vec::new(),
            is_connected: false,
            is_slow: start.is_slow,
            due: start.due,
            report: Report::default(),
        }
    }

    /// Until it is told to finish, or nobody is left who could tell it.
    pub(super) async fn run(mut self, finished: oneshot::Receiver<()>) -> Report {
        tokio::select! {
            () = self.stay_connected() => {}
            _ = finished => {}
        }
        self.count_as_connected(false);
        self.report.as_of = self.mind.as_of();
        self.report.refusals = self.mind.into_refusals();
        self.report
    }

    async fn stay_connected(&mut self) {
        let mut pause = PAUSES.0;
        loop {
            let (asked, next_target) = match self.connect().await {
                Some(mut link) => {
                    pause = PAUSES.0;
                    let ending = self.live(&mut link).await;
                    self.count_as_connected(false);
                    self.note(&ending, &link);
                    match ending {
                        Ending::Finished => return,
                        Ending::Cut => (None, false),
                        Ending::Lost(asked) => (asked, true),
                    }
                }
                None => {
                    self.world.counters.failed.fetch_add(1, Ordering::Relaxed);
                    (None, true)
                }
            };
            self.target += usize::from(next_target);
            sleep(asked.unwrap_or_default() + with_jitter(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn count_as_connected(&mut self, is: bool) {
        let connected = &self.world.counters.connected;
        if std::mem::replace(&mut self.is_connected, is) == is {
            return;
        }
        if is {
            connected.fetch_add(1, Ordering::Relaxed)
        } else {
            connected.fetch_sub(1, Ordering::Relaxed)
        };
        if let Some(whereabouts) = self.world.whereabouts.get() {
            let at = self.world.latencies.micros(Instant::now());
            whereabouts.is_there(&self.mind.device().user, is, at, &self.world.latencies);
        }
    }

    fn note(&mut self, ending: &Ending, link: &Link) {
        (self.page, self.group) = (None, None);
        let in_flight = self.mind.connection_lost(link.thread());
        if matches!(ending, Ending::Lost(_)) {
            self.world.counters.lost.fetch_add(1, Ordering::Relaxed);
            self.report.losses += 1;
            self.report.in_flight_at_loss += in_flight;
        }
    }

    /// A connection that was welcomed.
    async fn connect(&mut self) -> Option<Link> {
        let world = self.world.clone();
        let target = &world.targets[self.target % world.targets.len()];
        // Only so many at once, as from as many different places.
        let _turn = world.doorway.acquire().await.ok()?;
        timeout(WELCOME_WAIT, async {
            let token = world.people.token(&self.mind.device().user, &world.dialer, target).await?;
            let began = Instant::now();
            let mut link = Link::open(&world.dialer, world.door, target).await?;
            world.latencies.took(Span::Connected, began);
            let opened = Instant::now();
            let (resume, more) = self.mind.resume().unzip();
            link.hello(Greeting { token, resume, thread: self.mind.thread() }).await?;
            while !matches!(self.mind.hear(link.next().await?, Instant::now()), News::Welcome) {}
            world.latencies.took(Span::Welcomed, opened);
            if let Some(due) = self.due.take() {
                world.latencies.took(Span::Arrived, due);
            }
            for cursors in more.into_iter().flatten() {
                link.resume(cursors).await?;
                link.flush().await?;
            }
            if !self.watched.is_empty() {
                link.watch(&self.watched).await?;
            }
            self.report.connections += 1;
            world.counters.welcomed.fetch_add(1, Ordering::Relaxed);
            self.count_as_connected(true);
            Some(link)
        })
        .await
        .ok()?
    }

    async fn live(&mut self, link: &mut Link) -> Ending {
        let mut heard = Instant::now();
        // Kept, since a new one would take its place among all timers at each turn.
        let mut ping = pin!(sleep_until(heard + with_jitter(PING_PERIOD)));
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
                        heard = Instant::now();
                        if ping.deadline() < heard { ping.as_mut().reset(heard) }
                        if self.obey(order, link, heard).await.is_none() { return Ending::Lost(None) }
                    }
                },
                answer = link.next(), if self.reading => {
                    let Some(answer) = answer else { return Ending::Lost(None) };
                    heard = Instant::now();
                    if let Some(ending) = self.take(answer, heard) { return ending }
                    if self.rest > Duration::ZERO { sleep(self.rest).await }
                }
                () = async { sleep_until(due.unwrap_or(heard)).await }, if due.is_some() => {}
                () = ping.as_mut(), if silence => {
                    if Instant::now() > heard + SILENCE_MAX || link.ping().await.is_none() {
                        return Ending::Lost(None);
                    }
                    ping.as_mut().reset(Instant::now() + PING_PERIOD);
                }
            }
        }
    }

    async fn obey(&mut self, order: Order, link: &mut Link, now: Instant) -> Option<()> {
        match order {
            Order::Send(send) => self.mind.send(send, now),
            Order::StopReading => self.reading = false,
            Order::ReadSlowly(rest) => self.rest = rest,
            Order::Read | Order::Cut => (self.reading, self.rest) = (true, Duration::ZERO),
            Order::History { talk, before, limit, to } => {
                self.page = Some(to);
                link.history(talk, before, limit).await?;
            }
            Order::Found { key, members, to } => {
                link.found(&key, &members).await?;
                self.group = Some((key, to));
            }
            Order::Watch(users) => {
                self.watched = users;
                link.watch(&self.watched).await?;
            }
        }
        Some(())
    }

    async fn write_what_is_due(&mut self, link: &mut Link) -> Option<()> {
        let mut wrote = false;
        while let Some(send) = self.mind.write_next(Instant::now()) {
            link.send(send).await?;
            wrote = true;
        }
        if wrote { link.flush().await } else { Some(()) }
    }

    fn take(&mut self, answer: Answer, now: Instant) -> Option<Ending> {
        let World { counters, latencies, witness, .. } = &*self.world;
        if let Answer::Error(fault) = &answer {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            match &fault.key {
                // It answers the only request under way that has no key.
                None => self.page = None,
                Some(key) => drop(self.group.take_if(|(group, _)| group == key)),
            }
        }
        let at = latencies.micros(now);
        match self.mind.hear(answer, now) {
            News::None | News::Welcome => {}
            News::Acked { talk, number, seq, due } => {
                let user = self.mind.device().user.clone();
                witness.note(&Record::Acked { conversation: talk, user, number, seq, at });
                if let Some(due) = due {
                    counters.acked.fetch_add(1, Ordering::Relaxed);
                    latencies.record(Span::Acked, at.saturating_sub(due));
                }
            }
            News::Shown(heard, saying) => {
                let took = saying.as_ref().map_or(0, |saying| at.saturating_sub(saying.due_micros));
                let (number, device) = (saying.as_ref().map(|saying| saying.number), self.mind.device().clone());
                let (conversation, seq, from) = (heard.conversation, heard.seq, heard.from);
                witness.note(&Record::Shown { device, conversation, seq, from: from.clone(), number, took, at });
                if let Some(saying) = saying {
                    counters.shown.fetch_add(1, Ordering::Relaxed);
                    if self.is_slow {
                        latencies.record(Span::Slowly, took);
                    } else {
                        latencies.shown(saying.due_micros, took);
                    }
                    if let Some(spread) = self.world.spread.get() {
                        spread.shown((conversation, seq), took, at, latencies);
                    }
                    self.world.tell_of(self.mind.device(), from);
                }
            }
            News::Page(page) => {
                if let Some(to) = self.page.take() {
                    // Whoever asked may have gone.
                    let _ = to.send(page);
                }
            }
            News::Founded(key, conversation) => {
                if let Some((_, to)) = self.group.take_if(|(group, _)| *group == key) {
                    let _ = to.send(conversation);
                }
            }
            News::Presence(seen) => self.see(&seen, at),
            News::Reconnect(after) => return Some(Ending::Lost(Some(after))),
        }
        None
    }
}

impl Run {
    /// It is told who of those that it watches is there.
    fn see(&self, seen: &[Seen], at: u64) {
        let Some(whereabouts) = self.world.whereabouts.get() else { return };
        for Seen { user, online } in seen {
            whereabouts.shown(self.mind.device().number, user, *online, at, &self.world.latencies);
        }
    }
}

/// Between half of it and all of it.
fn with_jitter(pause: Duration) -> Duration {
    let share = SystemChance.bits() % 1_000;
    pause / 2 + pause.mul_f64(0.0005 * f64::from(u32::try_from(share).unwrap_or(0)))
}
