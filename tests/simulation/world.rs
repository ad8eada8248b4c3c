//! One run: three nodes made of the production parts, clients, and the weather.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard::bus::{Hints, Nodes};
use switchboard::chat::{self, Chat};
use switchboard::delivery::{self, Delivery};
use switchboard::model::{Clock, NodeId, Policy, Timestamp, UserId};
use switchboard::presence::local::LocalWorld;
use switchboard::session::{self, Admission, Paces, Rate, Services};
use switchboard::store::{Memberships, StandingCache, Store, StoreClock};
use switchboard::telemetry::{Memory, Traces, Trail};
use switchboard::wire::{Encoding, Sealer};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::bus::{Exchange, SimBus};
use super::client::Client;
use super::defects::Defect;
use super::device::Device;
use super::dice::Dice;
use super::journal::Journal;
use super::socket::{ClientEnd, connection};
use super::store::{Shared, SimStore};
use super::tokens;
use super::trace::Trace;
use super::weather::{Climate, Sky};

/// How many nodes there are.
const PLACES: usize = 3;

/// How long clients have to finish what they began in bad times.
const SETTLE: Duration = Duration::from_secs(20);
/// How long sessions have to become whole after a doubt.
const REST: Duration = Duration::from_secs(10);
/// How long all is quiet: more than two audits.
const QUIET: Duration = Duration::from_secs(100);
/// How long a message may take when all is well.
const LAST_WORD_WAIT: Duration = Duration::from_secs(5);

/// Everything of one run.
pub struct World {
    pub sky: Arc<Sky>,
    pub store: Arc<Shared>,
    pub journal: Arc<Journal>,
    trace: Arc<Trace>,
    exchange: Arc<Exchange>,
    presence: LocalWorld,
    dice: Arc<Dice>,
    nodes: Mutex<Vec<Option<Node>>>,
    defect: Option<Defect>,
}

/// One run of one node.
#[derive(Clone)]
struct Node {
    services: Arc<Services>,
    bus: Arc<SimBus>,
    alive: Arc<AtomicBool>,
    stopped: CancellationToken,
}

/// A wall clock that is wrong.
struct WrongClock {
    began: Instant,
    at: u64,
}

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.at + self.began.elapsed().as_millis() as u64)
    }
}

impl World {
    /// A world in which nothing happens yet.
    pub fn new(seed: u64, trace: Arc<Trace>, defect: Option<Defect>) -> Arc<Self> {
        let dice = Dice::new(seed);
        let climate = Climate::of(&dice);
        trace.say(|| format!("{climate:#?}"));
        let sky = Arc::new(Sky::new(climate));
        let exchange = Exchange::new(sky.clone(), dice.fork(1), trace.clone(), defect);
        let store = Shared::new();
        store.lock().keys_may_repeat = defect == Some(Defect::KeysRepeat);
        Arc::new(Self {
            sky,
            store,
            journal: Arc::new(Journal::new(trace.clone())),
            trace,
            exchange,
            presence: LocalWorld::default(),
            dice: dice.fork(2),
            nodes: Mutex::new(vec![None; PLACES]),
            defect,
        })
    }

    pub fn is_calm(&self) -> bool {
        self.sky.is_calm()
    }

    /// Runs nodes, clients and weather until all has been calm for long. `at_rest` is called some time after the bus
    /// has come to rest, `at_end` after a long quiet time, and once more after somebody said one last word to everybody.
    pub async fn run(self: &Arc<Self>, at_rest: impl Fn(&Self), at_end: impl Fn(&Self)) {
        for place in 0..PLACES {
            self.start_node(place).await;
        }
        self.start_clients(Instant::now() + self.sky.climate.chaos + SETTLE + REST + QUIET);
        let weather = {
            let (world, dice) = (self.clone(), self.dice.fork(3));
            tokio::spawn(async move { world.sky.trouble_the_store(&dice, PLACES).await })
        };
        let bus = tokio::spawn(self.exchange.clone().trouble());
        for place in 0..PLACES {
            let (world, dice) = (self.clone(), self.dice.fork(100 + place as u64));
            tokio::spawn(async move { world.trouble_node(place, &dice).await });
        }
        sleep(self.sky.climate.chaos).await;
        self.sky.calm_down();
        self.trace.say(|| "calm".to_owned());
        sleep(SETTLE).await;
        self.exchange.calm_down();
        sleep(REST).await;
        at_rest(self);
        sleep(QUIET).await;
        at_end(self);
        sleep(LAST_WORD_WAIT).await;
        at_end(self);
        drop((weather, bus));
    }

    /// A new connection to one of the nodes that run. `None`: it was refused.
    pub fn connect(&self, dice: &Dice, encoding: Encoding) -> Option<ClientEnd> {
        let place = dice.below(PLACES as u64) as usize;
        let node = self.nodes.lock().unwrap()[place].clone()?;
        let (mut server, client) = connection(dice.between(2_000, 60_000) as usize, encoding);
        tokio::spawn(async move {
            let how = tokio::select! {
                biased;
                () = node.stopped.cancelled() => None,
                how = session::run(&node.services, &mut server) => how,
            };
            server.close(how);
        });
        Some(client)
    }

    async fn start_node(self: &Arc<Self>, place: usize) {
        let dice = self.dice.fork(10 + place as u64);
        let alive = Arc::new(AtomicBool::new(true));
        let store: Arc<dyn Store> = Arc::new(SimStore {
            shared: self.store.clone(),
            sky: self.sky.clone(),
            dice: dice.fork(1),
            trace: self.trace.clone(),
            defect: self.defect,
            place,
            alive: alive.clone(),
        });
        let store_clock = loop {
            match StoreClock::set_by(&*store).await {
                Ok(clock) => break Arc::new(clock),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        };
        tokio::spawn(store_clock.clone().keep(store.clone()));
        let (bus, events) = self.exchange.connect();
        let skew = dice.between(0, 7_200_000);
        let clock = Arc::new(WrongClock { began: Instant::now(), at: 1_750_000_000_000 - 3_600_000 + skew });
        let memberships = Arc::new(Memberships::new(store.clone()));
        let standings = Arc::new(StandingCache::new(store.clone()));
        let (presence, comings_and_goings) = self.presence.join(Duration::from_secs(5), clock.clone());
        let presence = Arc::new(presence);
        let trail = Arc::new(Trail::new(Duration::from_secs(900), clock.clone()));
        let nodes = Arc::new(Nodes::new(NodeId(place as u64), None));
        let hints = Hints::new(Sealer::new("secret", store.generation()));
        let chat = Arc::new(Chat::start(chat::Ports {
            store: store.clone(),
            store_clock: store_clock.clone(),
            memberships: memberships.clone(),
            standings: standings.clone(),
            policy: Policy::Open,
            bus: bus.clone(),
            hints: hints.clone(),
            presence: presence.clone(),
            clock: clock.clone(),
            chance: dice.clone(),
            traces: Traces::off(),
            trail: trail.clone(),
            nodes: nodes.clone(),
        }));
        let bus_of_delivery = bus.clone();
        let ports = delivery::Ports {
            store,
            store_clock,
            memberships,
            standings,
            bus: bus_of_delivery,
            hints,
            presence,
            clock: clock.clone(),
            traces: Traces::off(),
            trail,
            nodes,
        };
        let services = Arc::new(Services {
            chat,
            delivery: Arc::new(Delivery::start(ports, events, comings_and_goings)),
            verifier: Arc::new(tokens::verifier()),
            clock,
            chance: dice,
            admission: Admission::new(1_000_000, Memory::boundless()),
            sends: Rate { per_second: self.sky.climate.clients.rate, burst: 2.0 * self.sky.climate.clients.rate },
            service_sends: Rate { per_second: 1.0, burst: 1.0 },
            finds: Arc::new(Paces::new(Rate { per_second: 1.0, burst: 1.0 })),
            drain: CancellationToken::new(),
            drain_spread: Duration::from_secs(2),
            metrics: session::Metrics::new(),
        });
        self.trace.say(|| format!("node {place} starts"));
        self.nodes.lock().unwrap()[place] = Some(Node { services, bus, alive, stopped: CancellationToken::new() });
    }

    fn start_clients(self: &Arc<Self>, last_word_at: Instant) {
        let climate = &self.sky.climate;
        let users: Vec<UserId> = (0..climate.users).map(|n| format!("u{n}").parse().unwrap()).collect();
        self.write_history(&users);
        for user in &users {
            for number in 0..self.dice.between(1, climate.devices_max) {
                let name = format!("{user}{}", char::from(b'a' + number as u8));
                let dice = self.dice.fork(1_000 + number);
                let encoding = *dice.pick(&Encoding::ALL);
                let mut device = Device::new(name, user.clone(), encoding, self.journal.clone());
                device.keeps_heads_to_itself = self.defect == Some(Defect::ComparesNothing);
                // All are there when the weather settles: who came only then could not be judged.
                let late = |dice: &Dice| dice.about(climate.chaos.as_millis() as u64 / 3).min(climate.chaos);
                let comes_at = if dice.is(0.7) { Duration::ZERO } else { late(&dice) };
                let says_at = Instant::now() + comes_at + dice.about(climate.clients.says);
                let client = Client {
                    world: self.clone(),
                    device,
                    dice,
                    friends: users.clone(),
                    says_at,
                    // Only one speaks: who speaks also reads up.
                    last_word_at: (number == 0 && *user == users[0]).then_some(last_word_at),
                };
                tokio::spawn(async move {
                    sleep(comes_at).await;
                    client.live().await;
                });
            }
        }
    }

    /// Some conversations have a past.
    fn write_history(&self, users: &[UserId]) {
        for one in users {
            for other in users.iter().filter(|other| one <= *other) {
                if self.dice.is(0.5) {
                    self.store.lock().write_history(one, other, self.dice.between(1, 30), &self.dice);
                }
            }
        }
    }

    /// Kills a node, or has it leave in order, now and then; another starts in its place.
    async fn trouble_node(self: &Arc<Self>, place: usize, dice: &Dice) {
        let climate = &self.sky.climate;
        let kind = match (climate.kills, climate.drains) {
            (0, 0) => return,
            (kills, 0) => (kills, true),
            (0, drains) => (drains, false),
            (kills, drains) => (kills.min(drains), dice.is(0.5)),
        };
        let (mean, kills) = kind;
        loop {
            sleep(dice.about(mean)).await;
            if self.is_calm() {
                return;
            }
            let Some(node) = self.nodes.lock().unwrap()[place].take() else { return };
            if kills {
                self.trace.say(|| format!("node {place} is killed"));
            } else {
                self.trace.say(|| format!("node {place} drains"));
                node.services.drain.cancel();
                sleep(Duration::from_secs(15)).await;
            }
            node.alive.store(false, Ordering::Relaxed);
            node.bus.kill();
            node.stopped.cancel();
            sleep(dice.millis(10, 4_000)).await;
            self.start_node(place).await;
        }
    }
}
