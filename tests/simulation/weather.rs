//! Which faults a seed's run has, and which of them are in force now.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::dice::Dice;

/// What a seed's run is like. Each seed has only some of the faults, so that the many do not hide the few.
#[derive(Debug, Clone)]
pub struct Climate {
    /// How long faults go on; after that all is calm.
    pub chaos: Duration,
    pub users: u64,
    pub devices_max: u64,
    pub bus: BusClimate,
    pub store: StoreClimate,
    pub clients: ClientClimate,
    /// Mean milliseconds between losses of a whole node; zero for none.
    pub kills: u64,
    /// Mean milliseconds between orderly restarts of a node; zero for none.
    pub drains: u64,
}

#[derive(Debug, Clone)]
pub struct BusClimate {
    pub drops: f64,
    pub doubles: f64,
    /// Milliseconds on the way, at most.
    pub delay: u64,
    /// How many publications take seconds.
    pub stragglers: f64,
    /// Mean milliseconds between losses of a node's connection; zero for none.
    pub outages: u64,
    /// Mean milliseconds between subscriptions that are lost without a word; zero for none.
    pub forgets: u64,
    /// Whether calm begins with a doubt on every node. If not, only audits find what was lost.
    pub ends_in_doubt: bool,
}

#[derive(Debug, Clone)]
pub struct StoreClimate {
    /// Milliseconds each way, at most.
    pub latency: u64,
    pub refusals: f64,
    pub unknowns: f64,
    /// Batches and runs of which only a part is done.
    pub partials: f64,
    pub read_failures: f64,
    pub raise_failures: f64,
    /// Mean milliseconds between times at which it is down, for all nodes or one; zero for none.
    pub outages: u64,
    /// Mean milliseconds between times at which heads cannot be raised; zero for none.
    pub head_outages: u64,
    /// Mean milliseconds between times at which it is slow; zero for none.
    pub slow_times: u64,
}

#[derive(Debug, Clone)]
pub struct ClientClimate {
    /// Mean milliseconds between lost connections; zero for none.
    pub cuts: u64,
    /// How many of those the server does not notice.
    pub half_open: f64,
    /// How many returns name only some of the cursors.
    pub few_cursors: f64,
    /// Mean milliseconds between times at which a client does not read; zero for none.
    pub stalls: u64,
    /// Mean milliseconds between things a device says.
    pub says: u64,
    /// How many of those are a burst of messages.
    pub bursts: f64,
    /// How many messages are of several kilobytes.
    pub big: f64,
    /// How many are to be stored right after what their writer saw, or not at all.
    pub exact: f64,
    /// Sends each session may make a second.
    pub rate: f64,
}

impl Climate {
    pub fn of(dice: &Dice) -> Self {
        let some = |likely: f64, low: u64, high: u64| if dice.is(likely) { dice.between(low, high) } else { 0 };
        let rate = |likely: f64, high: f64| if dice.is(likely) { dice.share() * high } else { 0.0 };
        let chaos = if dice.is(0.8) { dice.millis(15_000, 60_000) } else { dice.millis(60_000, 200_000) };
        Self {
            chaos,
            users: dice.between(2, 4),
            devices_max: dice.between(1, 3),
            bus: BusClimate {
                drops: rate(0.6, 0.3),
                doubles: rate(0.5, 0.3),
                delay: if dice.is(0.5) { dice.between(0, 3) } else { dice.between(5, 300) },
                stragglers: rate(0.3, 0.1),
                outages: some(0.5, 4_000, 30_000),
                forgets: some(0.3, 3_000, 20_000),
                ends_in_doubt: dice.is(0.5),
            },
            store: StoreClimate {
                latency: if dice.is(0.7) { dice.between(0, 10) } else { dice.between(10, 200) },
                refusals: rate(0.4, 0.15),
                unknowns: rate(0.5, 0.2),
                partials: rate(0.4, 0.3),
                read_failures: rate(0.4, 0.2),
                raise_failures: rate(0.4, 0.3),
                outages: some(0.4, 8_000, 30_000),
                head_outages: some(0.3, 8_000, 30_000),
                slow_times: some(0.3, 5_000, 30_000),
            },
            clients: ClientClimate {
                cuts: some(0.7, 3_000, 20_000),
                half_open: rate(0.4, 0.5),
                few_cursors: rate(0.6, 1.0),
                stalls: some(0.4, 4_000, 20_000),
                says: chaos.as_millis() as u64 / dice.between(8, 40),
                bursts: rate(0.5, 0.2),
                big: rate(0.3, 0.5),
                exact: rate(0.6, 0.8),
                rate: if dice.is(0.3) { 3.0 + dice.share() * 10.0 } else { 50.0 },
            },
            kills: some(0.3, 8_000, 30_000),
            drains: some(0.2, 10_000, 30_000),
        }
    }
}

/// The faults in force now.
pub struct Sky {
    pub climate: Climate,
    calm: AtomicBool,
    store_down: AtomicBool,
    store_slow: AtomicBool,
    heads_down: AtomicBool,
    /// Places whose node cannot reach the store.
    cut_off: Mutex<BTreeSet<usize>>,
}

impl Sky {
    pub fn new(climate: Climate) -> Self {
        Self {
            climate,
            calm: AtomicBool::new(false),
            store_down: AtomicBool::new(false),
            store_slow: AtomicBool::new(false),
            heads_down: AtomicBool::new(false),
            cut_off: Mutex::default(),
        }
    }

    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub fn store_is_down(&self, place: usize) -> bool {
        !self.is_calm() && (self.store_down.load(Ordering::Relaxed) || self.cut_off.lock().unwrap().contains(&place))
    }

    pub fn store_is_slow(&self) -> bool {
        !self.is_calm() && self.store_slow.load(Ordering::Relaxed)
    }

    pub fn heads_are_down(&self) -> bool {
        !self.is_calm() && self.heads_down.load(Ordering::Relaxed)
    }

    /// Lets the store's bad times come and go until all is calm.
    pub async fn trouble_the_store(&self, dice: &Dice, places: usize) {
        tokio::join!(
            self.spells(dice, self.climate.store.outages, |on| self.store_down.store(on, Ordering::Relaxed)),
            self.spells(dice, self.climate.store.slow_times, |on| self.store_slow.store(on, Ordering::Relaxed)),
            self.spells(dice, self.climate.store.head_outages, |on| self.heads_down.store(on, Ordering::Relaxed)),
            self.spells(dice, self.climate.store.outages, |on| {
                let mut cut_off = self.cut_off.lock().unwrap();
                cut_off.clear();
                if on {
                    cut_off.insert(dice.below(places as u64) as usize);
                }
            }),
        );
    }

    async fn spells(&self, dice: &Dice, mean: u64, switch: impl Fn(bool)) {
        if mean == 0 {
            return;
        }
        while !self.is_calm() {
            sleep(dice.about(mean)).await;
            switch(true);
            sleep(if dice.is(0.3) { dice.millis(5_000, 15_000) } else { dice.millis(50, 4_000) }).await;
            switch(false);
        }
    }
}
