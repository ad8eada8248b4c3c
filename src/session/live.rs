//! A session's life after the greeting: one loop over everything that can happen to it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::greeting::Greeted;
use super::io::{Event, Writer};
use super::pace::{Bucket, Rate};
use super::standing::Reading;
use super::typing::Typing;
use super::watching::WATCHES;
use super::{Incoming, Services, Socket};
use crate::chat::Gate;
use crate::delivery::{Outbox, Seat};
use crate::model::limits::{
    BAD_FRAMES_MAX, CLOSE_WAIT, PING_AFTER, REQUESTS_IN_FLIGHT_MAX, SILENCE_MAX, STALL_MAX, VANISHED_AFTER,
};
use crate::model::{Identity, Role, Timestamp};
use crate::wire::{Close, ServerFrame};

/// How long a pong may be owed.
const PONG_WAIT: Duration = SILENCE_MAX.saturating_sub(PING_AFTER);
/// How long after its expiry a token still counts.
const EXPIRY_LEEWAY: Duration = Duration::from_secs(5);

/// Blocks and unblocks of one session.
const BLOCKS: Rate = Rate { per_second: 1.0, burst: 30.0 };

/// What an exclusive request changes in its session.
pub(super) enum Change {
    /// Nothing.
    None,
    /// The token was refreshed.
    Identity(Box<Identity>),
    /// The connection must end.
    Close(Close),
}

/// A live session.
pub(super) struct Live {
    pub(super) services: Arc<Services>,
    pub(super) identity: Arc<Identity>,
    pub(super) outbox: Arc<Outbox>,
    /// Leaves delivery with this session.
    seat: Seat,
    pub(super) gate: Arc<Gate>,
    pub(super) sends: Bucket,
    /// Blocks and unblocks.
    pub(super) blocks: Bucket,
    pub(super) watches: Bucket,
    /// Sends under way. Each puts its answer into the outbox.
    pub(super) requests: FuturesUnordered<BoxFuture<'static, ()>>,
    /// A request that nothing may overtake: until it is done, the socket is not read.
    pub(super) exclusive: Option<BoxFuture<'static, Change>>,
    /// What others were last told of this user's writing.
    pub(super) typing: Typing,
    pub(super) bad_frames: u32,
    pull: Option<BoxFuture<'static, ()>>,
    /// What was decided about the user, being read anew.
    pub(super) standing: Reading,
    /// How conversations stand, being read.
    pub(super) snapshot: Option<BoxFuture<'static, ()>>,
    writer: Writer,
    heard: Instant,
    /// Since when a pong is owed. Only then is silence held against a client: one that did not read for minutes has not
    /// seen a ping yet, and is to get what waits for it.
    pinged: Option<Instant>,
    /// Whether the door sees to pings, so that the session need not.
    door_pings: bool,
    expires: Instant,
    leaving: Leaving,
}

/// How far a drain has come with this session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// It goes at its own moment, so that not all go at once.
    At(Instant),
    /// It takes no more requests, and ends when it has answered those it has.
    Now,
}

impl Live {
    pub(super) fn new(services: Arc<Services>, greeted: Greeted) -> Self {
        let Greeted { identity, seat } = greeted;
        let outbox = seat.outbox().clone();
        let (now, began) = (Instant::now(), services.clock.now());
        let sends = if identity.role == Role::Service { services.service_sends } else { services.sends };
        Self {
            sends: Bucket::full(sends, now),
            blocks: Bucket::full(BLOCKS, now),
            watches: Bucket::full(WATCHES, now),
            expires: now + until(identity.expires, began) + EXPIRY_LEEWAY,
            services,
            identity: Arc::new(identity),
            outbox,
            seat,
            gate: Arc::default(),
            requests: FuturesUnordered::new(),
            exclusive: None,
            typing: Typing::default(),
            bad_frames: 0,
            pull: None,
            standing: Reading::default(),
            snapshot: None,
            writer: Writer::new(began),
            heard: now,
            pinged: None,
            door_pings: false,
            leaving: Leaving::No,
        }
    }

    /// Lives until the connection ends; answers how it is to be closed, with every answer given before.
    pub(super) async fn run<S: Socket>(mut self, socket: &mut S) -> Option<Close> {
        self.begin_to_meet();
        let close = self.live(socket).await;
        self.stop_typing();
        let close = close?;
        let last_words = self.writer.write_out(socket, &self.outbox);
        timeout(CLOSE_WAIT, last_words).await.ok()?.ok()?;
        Some(close)
    }

    async fn live<S: Socket>(&mut self, socket: &mut S) -> Option<Close> {
        self.door_pings = socket.manners().pings_itself;
        let services = self.services.clone();
        let outbox = self.outbox.clone();
        let mut timer = std::pin::pin!(sleep_until(self.heard + PING_AFTER));
        // Kept, since each new one would take its place among those of all sessions, under a lock that they share.
        let mut drained = std::pin::pin!(services.drain.cancelled());
        loop {
            let now = Instant::now();
            self.begin_pull(now);
            self.begin_reading_standing(now);
            self.begin_snapshot(now);
            self.begin_ping(now);
            self.be_seen(now);
            services.delivery.pay_presence(&outbox);
            if let Some(close) = self.overdue(now) {
                return Some(close);
            }
            set(&mut timer, self.next_deadline());
            let reading = self.may_read();
            let draining = self.leaving == Leaving::No;
            tokio::select! {
                biased;
                () = drained.as_mut(), if draining => self.begin_leaving(),
                Some(()) = self.requests.next(), if !self.requests.is_empty() => {}
                change = finish(&mut self.exclusive), if self.exclusive.is_some() => {
                    if let Some(close) = self.apply(change, socket) { return Some(close) }
                }
                () = finish(&mut self.pull), if self.pull.is_some() => {}
                read = finish(&mut self.standing.under_way), if self.standing.under_way.is_some() => {
                    if let Some(close) = self.on_standing(read) { return Some(close) }
                }
                () = finish(&mut self.snapshot), if self.snapshot.is_some() => {}
                event = self.writer.wait(socket, &outbox, reading, (&services.metrics, &*services.clock)) => {
                    match event {
                        Event::Incoming(incoming) => {
                            if let Some(ending) = self.on_incoming(incoming) { return ending }
                        }
                        Event::Flushed => {}
                        Event::Gone => return None,
                    }
                }
                () = outbox.changed() => {}
                () = timer.as_mut() => {}
            }
        }
    }

    fn may_read(&self) -> bool {
        self.exclusive.is_none()
            && self.leaving != Leaving::Now
            && self.requests.len() < REQUESTS_IN_FLIGHT_MAX
            && !self.outbox.is_full()
    }

    fn is_writing(&self) -> bool {
        self.writer.unflushed || self.outbox.has_frames()
    }

    fn is_working(&self) -> bool {
        self.exclusive.is_some() || !self.requests.is_empty()
    }

    /// Starts reading from the store what is wanted, if there is room for it.
    fn begin_pull(&mut self, now: Instant) {
        if self.pull.is_some() {
            return;
        }
        if let Some(pull) = self.outbox.next_pull(now) {
            let (services, outbox) = (self.services.clone(), self.outbox.clone());
            self.pull = Some(Box::pin(async move { services.delivery.pull(&outbox, pull).await }));
        }
    }

    fn begin_ping(&mut self, now: Instant) {
        if !self.door_pings && self.pinged.is_none() && now >= self.heard + PING_AFTER && !self.is_writing() {
            self.pinged = Some(now);
            self.writer.ping = true;
        }
    }

    /// A client that owes a sign of life for long is not shown as online any more, until it gives one.
    fn be_seen(&self, now: Instant) {
        self.seat.show(now < self.vanishes() || !self.owes_life());
    }

    /// When the client will have shown no sign of life for too long.
    fn vanishes(&self) -> Instant {
        self.heard.max(self.writer.moved) + VANISHED_AFTER
    }

    fn owes_life(&self) -> bool {
        self.door_pings || self.pinged.is_some() || self.is_writing()
    }

    fn begin_leaving(&mut self) {
        let spread = self.services.drain_spread.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a share of a few seconds")]
        let share = (self.services.chance.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        self.leaving = Leaving::At(Instant::now() + Duration::from_secs_f64(spread * share));
    }

    /// Whether a time has come that ends the connection.
    fn overdue(&mut self, now: Instant) -> Option<Close> {
        if now >= self.expires {
            return Some(Close::Token);
        }
        match self.leaving {
            Leaving::At(at) if now >= at => {
                self.leaving = Leaving::Now;
                self.outbox.push(ServerFrame::Reconnect { after_ms: 0 });
            }
            Leaving::Now if !self.is_working() && !self.is_writing() => return Some(Close::Restart),
            _ => {}
        }
        if self.outbox.has_too_many_positions() || self.gate.is_full() {
            return Some(Close::TryLater);
        }
        if self.is_writing() {
            (now >= self.writer.progressed + STALL_MAX).then_some(Close::TryLater)
        } else {
            let silent = self.pinged.is_some_and(|since| now >= self.pong_due(since)) && !self.is_working();
            silent.then_some(Close::TryLater)
        }
    }

    /// When a pong that is owed `since` then is overdue.
    fn pong_due(&self, since: Instant) -> Instant {
        since.max(self.writer.moved) + PONG_WAIT
    }

    /// When [`overdue`](Self::overdue), a ping or a pull may be due next.
    fn next_deadline(&self) -> Instant {
        let silence = if self.is_writing() {
            self.writer.progressed + STALL_MAX
        } else if let Some(since) = self.pinged {
            self.pong_due(since)
        } else if self.door_pings {
            self.expires
        } else {
            self.heard + PING_AFTER
        };
        let mut next = silence.min(self.expires);
        if self.seat.is_shown() && self.owes_life() {
            next = next.min(self.vanishes());
        }
        if let Leaving::At(at) = self.leaving {
            next = next.min(at);
        }
        if let Some(at) = self.standing.again_at {
            next = next.min(at);
        }
        let pull = self.outbox.next_pull_at().filter(|_| self.pull.is_none());
        let owed = self.outbox.next_owed_at().filter(|_| self.snapshot.is_none());
        let reads = pull.into_iter().chain(owed).filter(|_| !self.is_writing());
        reads.fold(next, Instant::min)
    }

    /// Takes what came in; answers how the connection ends, if it does.
    fn on_incoming(&mut self, incoming: Incoming) -> Option<Option<Close>> {
        self.heard = Instant::now();
        self.pinged = None;
        match incoming {
            Incoming::Frame(frame) => self.on_frame(frame),
            Incoming::Unreadable(error) => self.on_unreadable(&error),
            Incoming::Alive | Incoming::Known(_) => {}
            Incoming::Gone => return Some(None),
            Incoming::Broken(close) => return Some(Some(close)),
        }
        (self.bad_frames > BAD_FRAMES_MAX).then_some(Some(Close::Policy))
    }

    fn apply<S: Socket>(&mut self, change: Change, socket: &mut S) -> Option<Close> {
        match change {
            Change::None => None,
            Change::Identity(identity) => {
                self.expires = Instant::now() + until(identity.expires, self.services.clock.now()) + EXPIRY_LEEWAY;
                socket.authenticated(&identity);
                self.identity = identity.into();
                None
            }
            Change::Close(close) => Some(close),
        }
    }
}

/// How long until a wall-clock time; at most a year, so that the sum with a monotonic time always exists.
fn until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(then.0.saturating_sub(now.0)).min(Duration::from_secs(365 * 24 * 3_600))
}

/// Drives an optional future to its end and takes it away.
async fn finish<T>(slot: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(future) = slot else { return std::future::pending().await };
    let done = future.await;
    *slot = None;
    done
}

fn set(timer: &mut Pin<&mut Sleep>, deadline: Instant) {
    if timer.deadline() != deadline || timer.is_elapsed() {
        timer.as_mut().reset(deadline);
    }
}
