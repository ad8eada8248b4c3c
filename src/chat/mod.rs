//! The product's rules, one use case a file. What enters here was authenticated; what leaves was stored.
//!
//! The way of a message: [`send`](Chat::send) → its conversation's lane (`lane`) gives it a place, alone in a shared
//! bulk insert (`commit`) or in an ordered run → its members are told over the bus (`announce`) → the conversation's
//! head is raised (`heads`) → the sender gets the answer.

mod announce;
mod commit;
mod ends;
mod gate;
mod groups;
mod heads;
mod history;
mod lane;
mod lanes;
mod list;
mod member;
mod metrics;
mod profile;
mod read;
mod receipts;
mod send;
mod team;
mod typing;
mod unread;

use std::sync::Arc;

use crate::bus::Bus;
use crate::model::{Chance, Clock, Refusal};
use crate::store::{Memberships, Store, StoreClock, StoreError};

pub use ends::End;
pub use gate::Gate;
pub use groups::Change;
pub use history::{Page, Want};
pub use list::Listing;
pub use member::Membership;
pub use send::{Send, Sent, Target};
pub use unread::Unread;

/// Everything the use cases need, handed in by the composition root.
pub struct Ports {
    /// Where things are kept.
    pub store: Arc<dyn Store>,
    /// What time the store has.
    pub store_clock: Arc<StoreClock>,
    /// Who is in which conversation.
    pub memberships: Arc<Memberships>,
    /// How other nodes are told.
    pub bus: Arc<dyn Bus>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
}

/// The use cases. Cheap to share; one for each node.
pub struct Chat {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    memberships: Arc<Memberships>,
    announcer: Arc<announce::Announcer>,
    lanes: lanes::Lanes,
}

impl Chat {
    /// Starts the tasks that messages pass through. They end when the last `Chat` and the last lane are gone.
    #[must_use]
    pub fn start(ports: Ports) -> Self {
        let Ports { store, store_clock, memberships, bus, clock, chance } = ports;
        let announcer = Arc::new(announce::Announcer::new(bus));
        let stages = metrics::Stages::new();
        let lanes = lanes::Lanes::new(lane::Parts {
            store: store.clone(),
            store_clock,
            memberships: memberships.clone(),
            announcer: announcer.clone(),
            commit: commit::Commit::start(store.clone()),
            heads: heads::Heads::start(store.clone(), stages.clone()),
            metrics: stages,
        });
        Self { store, clock, chance, memberships, announcer, lanes }
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
