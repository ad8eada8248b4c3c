//! People who talk in pairs, each of two on another node than the other if there are several.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use switchboard::model::{ConversationId, UserId};

use super::reach;
use super::talk::Writer;
use super::talks::Talks;
use crate::Fault;
use crate::client::{Beginning, Client};
use crate::judge::{Device, Record, Verdict};
use crate::options::Common;
use crate::world::World;

/// How long all clients together may take to connect without a single one getting in.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Which targets the two of a pair use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    Across,
    Same,
    Any,
}

/// Who they are.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pub(super) pairs: u64,
    pub(super) placement: Placement,
    /// Devices of each: the first one writes.
    pub(super) devices: u32,
    /// Of 100, so many read slowly; what they are shown is accounted for by itself.
    pub(super) slow_percent: u64,
    /// Over how many conversations what they say is spread; 0: one for each pair.
    pub(super) conversations: u64,
    /// Whether each is visited in its turn, and not by chance.
    pub(super) in_turn: bool,
    /// Whether what the server has kept is judged in the end.
    pub(super) reads_back: bool,
}

/// All of them.
pub(super) struct Gathered {
    /// Partners are neighbours.
    pub(super) writers: Vec<Writer>,
    /// Their other devices.
    pub(super) screens: Vec<Client>,
    /// Who of the writers reads slowly.
    pub(super) slow: Vec<usize>,
    /// Who of the writers talks with whom.
    pub(super) talks: Talks,
}

/// What became of all of them.
pub(super) struct Account {
    pub(super) verdict: Verdict,
    /// How often each code came.
    pub(super) refusals: BTreeMap<&'static str, u64>,
    pub(super) reconnects: u64,
    /// Connections that were lost without the client's doing, and the sends that were in flight on them.
    pub(super) losses: u64,
    pub(super) in_flight_at_loss: u64,
}

impl FromStr for Placement {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "across" => Ok(Self::Across),
            "same" => Ok(Self::Same),
            "any" => Ok(Self::Any),
            _ => Err("--placement is across, same or any"),
        }
    }
}

impl Crowd {
    /// Pairs of people with one device each.
    pub(super) fn of(pairs: u64, placement: Placement) -> Self {
        Self {
            pairs: pairs.max(1),
            placement,
            devices: 1,
            slow_percent: 0,
            conversations: 0,
            in_turn: false,
            reads_back: false,
        }
    }

    /// Everybody of this part of the run, connected.
    pub(super) async fn gather(&self, common: &Common, world: &Arc<World>) -> Result<Gathered, Fault> {
        let here = (0..self.pairs).filter(|pair| common.shard.has(*pair)).count() as u64;
        let talks = Talks::among(here, common.shard.part(self.conversations), world.targets.len(), self.in_turn)?;
        let mut all = Gathered { writers: Vec::new(), screens: Vec::new(), slow: Vec::new(), talks };
        let mut dice = common.dice(2);
        for pair in (0..self.pairs).filter(|pair| common.shard.has(*pair)) {
            let users = [world.people.user(2 * pair)?, world.people.user(2 * pair + 1)?];
            for device in users.iter().flat_map(|user| self.devices_of(user)) {
                let side = u64::from(device.user == users[1]);
                let target = match self.placement {
                    Placement::Across => pair + side + u64::from(device.number) - 1,
                    Placement::Same => pair,
                    Placement::Any => dice.below(world.targets.len() as u64),
                };
                let is_writer = device.number == 1;
                let is_slow = is_writer && dice.below(100) < self.slow_percent;
                let beginning = Beginning { is_slow, ..Beginning::on(device, usize::try_from(target)?) };
                let client = Client::start(world.clone(), beginning);
                if is_slow {
                    all.slow.push(all.writers.len());
                }
                if is_writer { all.writers.push(Writer::new(client)) } else { all.screens.push(client) }
            }
        }
        for (conversation, one, other) in all.conversations() {
            let archive = self.reads_back.then(|| Device::archive(one.clone()));
            let devices = self.devices_of(one).chain(self.devices_of(other)).chain(archive).collect();
            world.witness.note(&Record::Room { conversation, devices, echoes: world.door.echoes() });
        }
        let count = all.writers.len() + all.screens.len();
        reach("connected", &world.counters.connected, u64::try_from(count)?, CONNECT_PATIENCE).await?;
        Ok(all)
    }

    fn devices_of(&self, user: &UserId) -> impl Iterator<Item = Device> + use<> {
        let user = user.clone();
        (1..=self.devices.max(1)).map(move |number| Device { user: user.clone(), number })
    }
}

impl Gathered {
    /// Every conversation, with the two who talk there.
    pub(super) fn conversations(&self) -> impl Iterator<Item = (ConversationId, &UserId, &UserId)> {
        self.talks.all().map(move |(one, other)| {
            let (one, other) = (&self.writers[one].client.user, &self.writers[other].client.user);
            (ConversationId::direct(one, other), one, other)
        })
    }
}

/// Ends all, and judges what they saw.
pub(super) async fn account(world: &World, writers: Vec<Writer>, screens: Vec<Client>) -> Result<Account, Fault> {
    let mut refusals = BTreeMap::new();
    let (mut reconnects, mut losses, mut in_flight_at_loss) = (0, 0, 0);
    for client in writers.into_iter().map(|writer| writer.client).chain(screens) {
        let report = client.finish().await;
        report.refusals.iter().for_each(|(code, times)| *refusals.entry(*code).or_default() += times);
        reconnects += report.connections.saturating_sub(1);
        losses += report.losses;
        in_flight_at_loss += report.in_flight_at_loss;
    }
    Ok(Account { verdict: world.witness.close()?, refusals, reconnects, losses, in_flight_at_loss })
}
