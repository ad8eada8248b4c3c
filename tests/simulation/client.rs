//! Drives one device: connects it, has it say things, and lets it behave as clients do. It is cut off, returns
//! elsewhere, reads slowly or not at all for a while, and names only some of its cursors.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use switchboard::model::UserId;
use tokio::time::{Instant, sleep, sleep_until};

use super::device::Device;
use super::dice::Dice;
use super::socket::{Arrival, ClientEnd};
use super::weather::ClientClimate;
use super::world::World;

/// How long a request may wait for its answer, on a connection that is read all the time.
const ANSWER_WAIT: Duration = Duration::from_secs(45);

/// A device's life.
pub struct Client {
    pub world: Arc<World>,
    pub device: Device,
    pub dice: Arc<Dice>,
    /// Whom it writes to.
    pub friends: Vec<UserId>,
    /// When it says the next thing.
    pub says_at: Instant,
    /// When, long after all is calm, it says one more thing to everybody, if it is the one who does.
    pub last_word_at: Option<Instant>,
}

/// What may happen on a connection, and when.
struct Plans {
    cut: Option<Instant>,
    stall: Option<Instant>,
    /// Until when nothing is read.
    stalled_until: Option<Instant>,
    /// Whether it ever did not read.
    has_stalled: bool,
    ask: Instant,
    alive: Instant,
}

/// Why a wait ended.
enum Event {
    Arrival(Arrival),
    Room,
    Time,
}

impl Client {
    /// Lives until the world is over.
    pub async fn live(mut self) {
        loop {
            if let Some(socket) = self.world.connect(&self.dice, self.device.encoding) {
                self.stay_connected(socket).await;
                self.device.disconnected();
            }
            let pause = if self.dice.is(0.2) { 20_000 } else { 1_000 };
            sleep(if self.world.is_calm() { self.dice.millis(1, 500) } else { self.dice.millis(1, pause) }).await;
        }
    }

    async fn stay_connected(&mut self, socket: ClientEnd) {
        let few = self.dice.is(self.climate().few_cursors);
        let dice = self.dice.clone();
        let token = super::tokens::token(self.device.user.as_str());
        let hello = self.device.hello(&token, || !few || dice.is(0.5));
        socket.say(&hello);
        let mut plans = self.plan();
        let mut welcome = false;
        loop {
            let now = Instant::now();
            if self.says_at <= now && !self.world.is_calm() {
                self.say();
            }
            if self.last_word_at.take_if(|at| *at <= now).is_some() {
                self.friends.iter().for_each(|friend| self.device.say(friend, 0, false));
            }
            if plans.cut.is_some_and(|at| at <= now) && !self.world.is_calm() {
                let seen = !self.dice.is(self.climate().half_open);
                self.device.say_trace(|| format!("leaves, seen: {seen}"));
                return socket.leave(seen);
            }
            self.stall(&mut plans, now);
            self.check_answers(&plans, now);
            let has_request = welcome && (plans.ask <= now || self.device.next_send_at().is_some_and(|at| at <= now));
            let deadline = self.next_deadline(&plans, welcome);
            match wait(&socket, plans.stalled_until.is_none(), has_request, deadline.max(now)).await {
                Event::Arrival(Arrival::Frame(bytes)) => {
                    self.device.hear(&bytes);
                    welcome = true;
                }
                Event::Arrival(Arrival::Ping) => socket.live(),
                Event::Arrival(Arrival::Closed(how)) => return self.device.say_trace(|| format!("closed: {how:?}")),
                Event::Room => self.request(&socket, &mut plans),
                Event::Time if plans.alive <= Instant::now() => {
                    plans.alive = Instant::now() + Duration::from_secs(5);
                    if self.dice.is(0.5) {
                        socket.live();
                    }
                }
                Event::Time => {}
            }
        }
    }

    fn climate(&self) -> &ClientClimate {
        &self.world.sky.climate.clients
    }

    fn plan(&self) -> Plans {
        let now = Instant::now();
        let at = |mean: u64| (mean > 0).then(|| now + self.dice.about(mean));
        Plans {
            cut: at(self.climate().cuts),
            stall: at(self.climate().stalls),
            stalled_until: None,
            has_stalled: false,
            ask: now + self.dice.about(4_000),
            alive: now + Duration::from_secs(5),
        }
    }

    fn say(&mut self) {
        let climate = self.climate().clone();
        self.says_at = Instant::now() + self.dice.about(climate.says);
        let to = self.dice.pick(&self.friends).clone();
        let many = if self.dice.is(climate.bursts) { self.dice.between(2, 40) } else { 1 };
        for _ in 0..many {
            let bytes = if self.dice.is(climate.big) { self.dice.between(1_000, 15_000) } else { self.dice.below(40) };
            let exact = self.dice.is(climate.exact);
            self.device.say(&to, bytes as usize, exact);
        }
    }

    fn stall(&self, plans: &mut Plans, now: Instant) {
        if plans.stalled_until.is_some_and(|until| until <= now) {
            plans.stalled_until = None;
        }
        if plans.stall.is_some_and(|at| at <= now) {
            plans.stall = None;
            if !self.world.is_calm() {
                plans.stalled_until = Some(now + self.dice.millis(500, 20_000));
                plans.has_stalled = true;
            }
        }
    }

    fn check_answers(&self, plans: &Plans, now: Instant) {
        if !plans.has_stalled && self.device.waits_since().is_some_and(|since| since + ANSWER_WAIT <= now) {
            self.device.fail("a request is not answered".to_owned(), None);
        }
        self.device.journal.lock()[self.device.record].waits_since = self.device.waits_since();
    }

    fn next_deadline(&self, plans: &Plans, welcome: bool) -> Instant {
        let says = (!self.world.is_calm()).then_some(self.says_at);
        let sends = self.device.next_send_at().filter(|_| welcome);
        let asks = welcome.then_some(plans.ask);
        let times =
            [plans.cut, plans.stall, plans.stalled_until, says, sends, asks, self.last_word_at, Some(plans.alive)];
        let now = Instant::now();
        times.into_iter().flatten().filter(|at| *at > now).min().unwrap_or(plans.alive)
    }

    /// Puts one request on the socket.
    fn request(&mut self, socket: &ClientEnd, plans: &mut Plans) {
        let now = Instant::now();
        if let Some(send) = self.device.next_send(now) {
            return socket.say(&send);
        }
        plans.ask = now + self.dice.about(4_000) + Duration::from_millis(100);
        let conversations = self.device.conversations();
        let frame = match self.dice.below(4) {
            0 if !conversations.is_empty() => {
                let (conversation, last) = self.dice.pick(&conversations);
                let before = self.dice.is(0.5).then_some(last);
                self.device
                    .ask("history", &json!({ "type": "history", "conversation": conversation, "before": before }))
            }
            1 => self.device.ask("conversations", &json!({ "type": "conversations" })),
            _ => self.device.ask("pong", &json!({ "type": "ping" })),
        };
        socket.say(&frame);
    }
}

async fn wait(socket: &ClientEnd, reading: bool, writing: bool, deadline: Instant) -> Event {
    let next = poll_fn(|cx| {
        if reading && let Poll::Ready(arrival) = socket.poll_arrival(cx) {
            return Poll::Ready(Event::Arrival(arrival));
        }
        if writing && socket.poll_room(cx).is_ready() {
            return Poll::Ready(Event::Room);
        }
        Poll::Pending
    });
    tokio::select! {
        biased;
        event = next => event,
        () = sleep_until(deadline) => Event::Time,
    }
}
