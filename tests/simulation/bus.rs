//! A simulated bus: at most once, in no order. It drops, doubles, delays, loses connections with and without telling,
//! and forgets subscriptions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use switchboard::bus::{Bus, BusEvent, Cause, Hearing};
use switchboard::model::limits::BUS_EVENTS_MAX;
use switchboard::model::{NodeId, UserId};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::defects::Defect;
use super::dice::Dice;
use super::trace::Trace;
use super::weather::Sky;

/// What all nodes' buses are connected to.
pub struct Exchange {
    links: Mutex<Vec<Link>>,
    sky: Arc<Sky>,
    dice: Arc<Dice>,
    trace: Arc<Trace>,
    defect: Option<Defect>,
}

/// One node's connection.
struct Link {
    events: mpsc::Sender<BusEvent>,
    state: State,
    /// Counts connections: what was under way when one was lost is lost.
    connection: u64,
    wanted: BTreeSet<UserId>,
    in_force: BTreeSet<UserId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Up,
    /// Lost, and nobody noticed yet.
    Mute,
    Away,
    /// Its node was stopped.
    Dead,
}

/// One node's bus.
pub struct SimBus {
    exchange: Arc<Exchange>,
    link: usize,
}

impl Exchange {
    pub fn new(sky: Arc<Sky>, dice: Arc<Dice>, trace: Arc<Trace>, defect: Option<Defect>) -> Arc<Self> {
        Arc::new(Self { links: Mutex::default(), sky, dice, trace, defect })
    }

    /// A bus for a new node, and the end where its events come out.
    pub fn connect(self: &Arc<Self>) -> (Arc<SimBus>, mpsc::Receiver<BusEvent>) {
        let (events, receiver) = mpsc::channel(BUS_EVENTS_MAX);
        let link = Link { events, state: State::Up, connection: 0, wanted: BTreeSet::new(), in_force: BTreeSet::new() };
        let mut links = self.lock();
        links.push(link);
        (Arc::new(SimBus { exchange: self.clone(), link: links.len() - 1 }), receiver)
    }

    /// Lets connections and subscriptions be lost until all is calm; then all are good again, and each node is told, or
    /// none.
    pub async fn trouble(self: Arc<Self>) {
        let climate = &self.sky.climate.bus;
        tokio::join!(self.lose_connections(climate.outages), self.forget_subscriptions(climate.forgets));
    }

    /// All is good again. Where nobody is told, what was lost is lost until it is looked for.
    pub fn calm_down(&self) {
        let told = self.sky.climate.bus.ends_in_doubt;
        self.trace.say(|| format!("bus: calm, told: {told}"));
        for link in self.lock().iter_mut().filter(|link| link.state != State::Dead) {
            if told || link.state == State::Away {
                link.reconnect(Cause::Reconnected, self.defect);
            } else {
                link.come_up(self.defect);
            }
        }
    }

    async fn lose_connections(&self, mean: u64) {
        if mean == 0 {
            return;
        }
        while !self.sky.is_calm() {
            sleep(self.dice.about(mean)).await;
            let affected = self.affected();
            let blink = self.dice.is(0.4);
            self.change(&affected, |link| {
                link.connection += 1;
                link.state = State::Mute;
            });
            sleep(self.dice.millis(1, 2_500)).await;
            if !blink {
                self.change(&affected, |link| {
                    link.state = State::Away;
                    link.tell(BusEvent::Away, self.defect);
                });
                sleep(self.dice.millis(10, 15_000)).await;
            }
            if self.sky.is_calm() {
                return;
            }
            let cause = *self.dice.pick(&Cause::ALL);
            self.change(&affected, |link| link.reconnect(cause, self.defect));
        }
    }

    /// One node, or all.
    fn affected(&self) -> Vec<usize> {
        let links = self.lock();
        let alive: Vec<usize> = (0..links.len()).filter(|index| links[*index].state != State::Dead).collect();
        if alive.is_empty() || self.dice.is(0.3) { alive } else { vec![*self.dice.pick(&alive)] }
    }

    fn change(&self, which: &[usize], change: impl Fn(&mut Link)) {
        let mut links = self.lock();
        for index in which {
            if links[*index].state != State::Dead && !self.sky.is_calm() {
                change(&mut links[*index]);
                let state = links[*index].state;
                self.trace.say(|| format!("bus: link {index} is {state:?}"));
            }
        }
    }

    async fn forget_subscriptions(&self, mean: u64) {
        if mean == 0 {
            return;
        }
        while !self.sky.is_calm() {
            sleep(self.dice.about(mean)).await;
            if self.sky.is_calm() {
                return;
            }
            let mut links = self.lock();
            let alive: Vec<usize> = (0..links.len()).filter(|index| links[*index].state == State::Up).collect();
            if alive.is_empty() {
                continue;
            }
            let index = *self.dice.pick(&alive);
            let users: Vec<UserId> = links[index].in_force.iter().cloned().collect();
            if !users.is_empty() {
                let user = self.dice.pick(&users);
                links[index].in_force.remove(user);
                self.trace.say(|| format!("bus: link {index} forgot {user}"));
            }
        }
    }

    fn send(self: &Arc<Self>, to: usize, user: &UserId, payload: &Bytes) {
        let climate = &self.sky.climate.bus;
        let calm = self.sky.is_calm();
        let copies = match () {
            () if calm => 1,
            () if self.dice.is(climate.drops) => 0,
            () if self.dice.is(climate.doubles) => 2,
            () => 1,
        };
        let connection = self.lock()[to].connection;
        for _ in 0..copies {
            let delay = match () {
                () if calm => self.dice.millis(0, 2),
                () if self.dice.is(climate.stragglers) => self.dice.millis(100, 5_000),
                () => self.dice.millis(0, climate.delay),
            };
            let (exchange, user, payload) = (self.clone(), user.clone(), payload.clone());
            tokio::spawn(async move {
                sleep(delay).await;
                exchange.arrive(to, connection, user, payload);
            });
        }
    }

    fn arrive(&self, to: usize, connection: u64, user: UserId, payload: Bytes) {
        let mut links = self.lock();
        let link = &mut links[to];
        if link.state == State::Up && link.connection == connection && link.in_force.contains(&user) {
            link.tell(BusEvent::Message { user, payload }, self.defect);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap()
    }
}

impl Link {
    fn reconnect(&mut self, cause: Cause, defect: Option<Defect>) {
        self.come_up(defect);
        self.tell(BusEvent::Doubt(cause), defect);
    }

    fn come_up(&mut self, defect: Option<Defect>) {
        self.state = State::Up;
        if defect != Some(Defect::NeverSubscribes) {
            self.in_force = self.wanted.clone();
        }
    }

    fn tell(&mut self, event: BusEvent, defect: Option<Defect>) {
        if defect == Some(Defect::DeafToDoubt) && matches!(event, BusEvent::Doubt(_)) {
            return;
        }
        assert!(self.events.try_send(event).is_ok() || self.events.is_closed(), "delivery does not take its events");
    }
}

impl SimBus {
    /// The node is no more.
    pub fn kill(&self) {
        let link = &mut self.exchange.lock()[self.link];
        link.state = State::Dead;
        link.events = mpsc::channel(1).0;
    }

    fn state(&self) -> State {
        self.exchange.lock()[self.link].state
    }
}

#[async_trait]
impl Bus for SimBus {
    async fn publish(&self, user: &UserId, payload: Bytes) {
        if !self.exchange.sky.is_calm() && self.exchange.dice.is(0.1) {
            sleep(self.exchange.dice.millis(1, 50)).await;
        }
        match self.state() {
            State::Up => {
                let receivers: Vec<usize> = {
                    let links = self.exchange.lock();
                    (0..links.len()).filter(|to| links[*to].in_force.contains(user)).collect()
                };
                receivers.into_iter().for_each(|to| self.exchange.send(to, user, &payload));
            }
            State::Away => {
                let mut links = self.exchange.lock();
                let link = &mut links[self.link];
                if link.wanted.contains(user) {
                    link.tell(BusEvent::Message { user: user.clone(), payload }, None);
                }
            }
            State::Mute | State::Dead => {}
        }
    }

    async fn subscribe(&self, user: &UserId) {
        self.exchange.lock()[self.link].wanted.insert(user.clone());
        let calm = self.exchange.sky.is_calm();
        sleep(if calm { self.exchange.dice.millis(0, 2) } else { self.exchange.dice.millis(0, 100) }).await;
        let mut links = self.exchange.lock();
        let link = &mut links[self.link];
        if link.state == State::Up
            && link.wanted.contains(user)
            && self.exchange.defect != Some(Defect::NeverSubscribes)
        {
            link.in_force.insert(user.clone());
        }
    }

    async fn unsubscribe(&self, user: &UserId) {
        let link = &mut self.exchange.lock()[self.link];
        link.wanted.remove(user);
        link.in_force.remove(user);
    }

    /// Nothing that is simulated is told to all nodes.
    async fn broadcast(&self, _payload: Bytes) {}

    /// Nothing that is simulated speaks to one node alone.
    async fn send(&self, _to: NodeId, _frame: Bytes) {}

    async fn listen(&self, _node: NodeId) -> mpsc::Receiver<Bytes> {
        mpsc::channel(1).1
    }

    fn hearing(&self) -> Hearing {
        if self.state() == State::Up { Hearing::Well } else { Hearing::Away }
    }
}
