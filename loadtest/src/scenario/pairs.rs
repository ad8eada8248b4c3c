//! People who talk in pairs, each of two on another node than the other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use switchboard::model::{Chance, SystemChance, UserId};

use super::reach;
use super::talk::Writer;
use crate::Fault;
use crate::client::{Beginning, Client, World};
use crate::judge::{Direction, Verdict, judge};

/// How long all clients together may take to connect without a single one getting in.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

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

/// Everybody, connected; partners are neighbours in the list.
pub(super) async fn gather(world: &Arc<World>, pairs: u64) -> Result<Vec<Writer>, Fault> {
    let run = SystemChance.bits() >> 32;
    let mut writers = Vec::new();
    for pair in 0..pairs {
        for side in 0..2 {
            let target = usize::try_from(pair + side)?;
            let beginning = Beginning::new(format!("{run:08x}-{pair}-{side}").parse()?, target);
            writers.push(Writer::new(Client::start(world.clone(), beginning)));
        }
    }
    reach("connected", &world.counters.connected, pairs * 2, CONNECT_PATIENCE).await?;
    Ok(writers)
}

/// Somebody of them.
pub(super) fn some(writers: &[Writer]) -> usize {
    usize::try_from(SystemChance.bits() % writers.len() as u64).unwrap_or(0)
}

/// The partner of somebody in the list.
pub(super) fn partner(writers: &[Writer], of: usize) -> UserId {
    writers[of ^ 1].client.user.clone()
}

/// Ends all, and judges what they saw.
pub(super) async fn account(writers: Vec<Writer>) -> Account {
    let users: Vec<_> = writers.iter().map(|writer| writer.client.user.clone()).collect();
    let direction = |(index, from): (usize, &UserId)| Direction { from: from.clone(), to: users[index ^ 1].clone() };
    let directions: Vec<_> = users.iter().enumerate().map(direction).collect();
    let mut testimonies = HashMap::new();
    let mut refusals = BTreeMap::new();
    let (mut reconnects, mut losses, mut in_flight_at_loss) = (0, 0, 0);
    for (user, writer) in users.iter().zip(writers) {
        let report = writer.client.finish().await;
        report.refusals.iter().for_each(|(code, times)| *refusals.entry(*code).or_default() += times);
        reconnects += report.connections.saturating_sub(1);
        losses += report.losses;
        in_flight_at_loss += report.in_flight_at_loss;
        testimonies.insert(user.clone(), report.testimony);
    }
    Account { verdict: judge(&directions, &testimonies), refusals, reconnects, losses, in_flight_at_loss }
}
