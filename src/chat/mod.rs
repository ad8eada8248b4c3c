//! The product's rules, one use case a file. What enters here was authenticated; what leaves was stored.
//!
//! The way of a message: [`send`](Chat::send) → its conversation's lane (`lane`) gives it a place, alone in a shared
//! bulk insert (`commit`) or in an ordered run → its members are told over the bus (`announce`) → the conversation's
//! head is raised (`heads`) → the sender gets the answer.

mod announce;
mod away;
mod commit;
mod conflict;
mod desk;
mod ends;
mod erase;
mod find;
mod gate;
mod groups;
mod heads;
mod history;
mod lane;
mod lanes;
mod list;
mod member;
mod metrics;
mod pace;
mod presence;
mod profile;
mod read;
mod receipts;
mod rights;
mod send;
mod standing;
mod team;
mod trail;
mod typing;
mod unread;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bus::{Bus, Hints, Nodes};
use crate::model::{Chance, Clock, Policy, Refusal};
use crate::presence::Presence;
use crate::store::{Memberships, StandingCache, Store, StoreClock, StoreError};
use crate::telemetry::{Traces, Trail};

pub use desk::Wish;
pub use ends::End;
pub use erase::{Erasable, Erased};
use find::Met;
pub use find::Wanted;
pub use gate::Gate;
pub use groups::Change;
pub use history::{Page, Want};
pub use list::Listing;
pub use member::Membership;
pub use receipts::Marks;
pub use rights::Rights;
pub use send::{Send, Sent, Target};
pub use standing::Revocation;
pub use trail::Way;
pub use unread::Unread;

/// Everything the use cases need, handed in by the composition root.
pub struct Ports {
    /// Where things are kept.
    pub store: Arc<dyn Store>,
    /// What time the store has.
    pub store_clock: Arc<StoreClock>,
    /// Who is in which conversation.
    pub memberships: Arc<Memberships>,
    /// What is known of users' standings.
    pub standings: Arc<StandingCache>,
    /// What users may do with each other.
    pub policy: Policy,
    /// How other nodes are told.
    pub bus: Arc<dyn Bus>,
    /// What the bus told of conversations.
    pub hints: Hints,
    /// Where users are.
    pub presence: Arc<dyn Presence>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// Which messages are traced.
    pub traces: Traces,
    /// What is remembered of messages.
    pub trail: Arc<Trail>,
    /// Which nodes there are.
    pub nodes: Arc<Nodes>,
}

/// The use cases. Cheap to share; one for each node.
pub struct Chat {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    traces: Traces,
    presence: Arc<dyn Presence>,
    memberships: Arc<Memberships>,
    standings: Arc<StandingCache>,
    rules: Arc<rights::Rules>,
    /// Who has come, and with which address: they need not be looked up again.
    met: Mutex<HashSet<Met>>,
    announcer: Arc<announce::Announcer>,
    desk: Arc<desk::Desk>,
    lanes: lanes::Lanes,
    asker: trail::Asker,
}

impl Chat {
    /// Starts the tasks that messages pass through. They end when the last `Chat` and the last lane are gone.
    #[must_use]
    pub fn start(ports: Ports) -> Self {
        let Ports {
            store,
            store_clock,
            memberships,
            standings,
            policy,
            bus,
            hints,
            presence,
            clock,
            chance,
            traces,
            trail,
            nodes,
        } = ports;
        let announcer = Arc::new(announce::Announcer::new(bus.clone(), hints.clone()));
        let asker = trail::Asker::new(trail.clone(), nodes, bus, chance.clone());
        let rules = Arc::new(rights::Rules { policy, standings: standings.clone() });
        let stages = metrics::Stages::new();
        let lanes = lanes::Lanes::new(lane::Parts {
            store: store.clone(),
            store_clock,
            memberships: memberships.clone(),
            rules: rules.clone(),
            announcer: announcer.clone(),
            hints,
            commit: commit::Commit::start(store.clone(), traces.clone()),
            heads: heads::Heads::start(store.clone(), stages.clone()),
            metrics: stages,
            traces: traces.clone(),
            trail,
            clock: clock.clone(),
        });
        let desk = Arc::new(desk::Desk::new(store.clone(), memberships.clone(), announcer.clone(), clock.clone()));
        let met = Mutex::default();
        Self {
            store,
            clock,
            chance,
            traces,
            presence,
            memberships,
            standings,
            rules,
            met,
            announcer,
            desk,
            lanes,
            asker,
        }
    }

    /// What users may do with each other here.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.rules.policy
    }
}

impl Chat {
    fn met(&self) -> MutexGuard<'_, HashSet<Met>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client is told when the store did not do something.
pub(crate) fn unavailable(error: &StoreError) -> Refusal {
    use crate::model::Code;
    match error {
        StoreError::Unavailable(_) => Refusal::new(Code::Unavailable, "the store does not answer now"),
        StoreError::Full(_) => {
            Refusal::new(Code::Unavailable, "the store is full").after(std::time::Duration::from_secs(30))
        }
        StoreError::Broken(_) => {
            Refusal::new(Code::Internal, "the store is broken").after(std::time::Duration::from_secs(30))
        }
    }
}
