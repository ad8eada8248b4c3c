//! The presence of nodes that live in one process: the embedded node, and several nodes in one test.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::desk::Desk;
use super::{Lease, Leaving, Presence, PresenceEvent};
use crate::model::limits::{PRESENCE_BATCH_USERS_MAX, PRESENCE_EVENTS_MAX};
use crate::model::{Clock, Timestamp, UserId, Whereabouts};

/// What the nodes of one process share. Cheap to clone. It is never away, and nothing in it is ever lost.
#[derive(Clone, Default)]
pub struct LocalWorld(Arc<Mutex<Vec<Arc<Desk>>>>);

impl LocalWorld {
    /// A node's own presence, and its events. The node dies when it is dropped: its users are gone at once, unless it
    /// was withdrawn.
    #[must_use]
    pub fn join(&self, grace: Duration, clock: Arc<dyn Clock>) -> (LocalPresence, mpsc::Receiver<PresenceEvent>) {
        let desk = Arc::new(Desk::new(grace));
        desk.ledger().begin();
        let (sender, events) = mpsc::channel(PRESENCE_EVENTS_MAX);
        self.desks().push(desk.clone());
        let tasks = [tokio::spawn(desk.clone().keep(sender)), tokio::spawn(write(desk.clone()))];
        let tasks = tasks.map(AbortOnDropHandle::new);
        (LocalPresence { world: self.clone(), desk, grace, clock, tasks: Some(tasks) }, events)
    }

    fn desks(&self) -> MutexGuard<'_, Vec<Arc<Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node is no more. One of the others tells of those who were still there.
    fn strike(&self, desk: &Arc<Desk>, at: Timestamp) {
        let mut desks = self.desks();
        desks.retain(|other| !Arc::ptr_eq(other, desk));
        let still_there = desk.ledger().remains(at);
        desks.iter().for_each(|other| other.doubt());
        if let Some(first) = desks.first() {
            first.ledger().left_elsewhere(still_there);
        }
    }
}

/// Writing is nothing here: whoever asks reads the ledgers themselves.
async fn write(desk: Arc<Desk>) {
    loop {
        desk.rung().await;
        let mut ledger = desk.ledger();
        while ledger.has_unwritten() {
            let batch = ledger.next_batch(PRESENCE_BATCH_USERS_MAX);
            ledger.wrote(batch);
        }
    }
}

/// One node's presence.
pub struct LocalPresence {
    world: LocalWorld,
    desk: Arc<Desk>,
    grace: Duration,
    clock: Arc<dyn Clock>,
    tasks: Option<[AbortOnDropHandle<()>; 2]>,
}

#[async_trait]
impl Presence for LocalPresence {
    fn enter(&self, user: &UserId) {
        self.desk.enter(user);
    }

    fn leave(&self, user: &UserId, how: Leaving, at: Timestamp) {
        self.desk.leave(user, how, at);
    }

    async fn find(&self, users: &[UserId]) -> Vec<Whereabouts> {
        let desks = self.world.desks().clone();
        let mut found = vec![Whereabouts::Gone; users.len()];
        for desk in desks {
            let ledger = desk.ledger();
            for (user, place) in users.iter().zip(&mut found) {
                if ledger.has(user) {
                    *place = Whereabouts::Here;
                }
            }
        }
        found
    }

    async fn withdraw(&self, at: Timestamp) {
        self.desk.close(at);
    }

    fn lease(&self) -> Lease {
        Lease::Held
    }
}

impl Drop for LocalPresence {
    fn drop(&mut self) {
        let at = self.clock.now();
        let (world, desk, grace, tasks) = (self.world.clone(), self.desk.clone(), self.grace, self.tasks.take());
        match tokio::runtime::Handle::try_current() {
            // Who left with it is found for the time of grace, also when it is not there any more.
            Ok(runtime) if desk.is_closed() => drop(runtime.spawn(async move {
                tokio::time::sleep(grace).await;
                world.strike(&desk, at);
                drop(tasks);
            })),
            _ => world.strike(&desk, at),
        }
    }
}
