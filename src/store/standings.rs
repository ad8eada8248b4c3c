//! What was decided about users, and for how long a node may go by what it read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Store, StoreError};
use crate::model::limits::{STANDING_AGE_MAX, STANDINGS_MAX};
use crate::model::{Ban, Revoked, Standing, Timestamp, UserId};

/// The decisions. Every write may be repeated freely.
#[async_trait]
pub trait Standings: Send + Sync + 'static {
    /// The standing of those of these users (at most
    /// [`USERS_PER_QUESTION_MAX`](crate::model::limits::USERS_PER_QUESTION_MAX)) about whom anything was decided, in
    /// any order.
    async fn standings(&self, users: &[UserId]) -> Result<Vec<(UserId, Standing)>, StoreError>;

    /// Bans somebody, or lets them come again.
    async fn ban(&self, user: &UserId, ban: Option<&Ban>) -> Result<(), StoreError>;

    /// Has tokens that were issued before this time not count. An earlier time than the one that holds changes nothing.
    async fn revoke_before(&self, user: &UserId, before: Timestamp) -> Result<(), StoreError>;

    /// Has one token not count, and forgets those that have expired by `now`. Answers whether it is kept: at most
    /// [`REVOKED_TOKENS_MAX`](crate::model::limits::REVOKED_TOKENS_MAX) are.
    async fn revoke_token(&self, user: &UserId, token: &Revoked, now: Timestamp) -> Result<bool, StoreError>;

    /// Has `user` block `other`, or not any more. Answers whether that holds now: at most
    /// [`BLOCKS_MAX`](crate::model::limits::BLOCKS_MAX) are blocked.
    async fn block(&self, user: &UserId, other: &UserId, active: bool) -> Result<bool, StoreError>;

    /// Remembers that somebody came as an agent.
    async fn note_agent(&self, user: &UserId) -> Result<(), StoreError>;
}

/// The standings that a node has read lately.
pub struct StandingCache {
    store: Arc<dyn Store>,
    /// The standing of nearly everybody, kept once.
    nothing: Arc<Standing>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    standings: HashMap<UserId, (Arc<Standing>, Instant)>,
    /// How often something was forgotten: what was read before that is not remembered.
    forgotten: u64,
}

impl StandingCache {
    /// A cache before this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, nothing: Arc::default(), known: Mutex::default() }
    }

    /// Somebody's standing, read now.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn fresh(&self, user: &UserId) -> Result<Arc<Standing>, StoreError> {
        let forgotten = self.lock().forgotten;
        let read = self.store.standings(std::slice::from_ref(user)).await?.pop();
        let standing = read.map_or_else(|| self.nothing.clone(), |(_, standing)| Arc::new(standing));
        let mut known = self.lock();
        if known.forgotten == forgotten {
            if known.standings.len() >= STANDINGS_MAX {
                known.standings.clear();
            }
            known.standings.insert(user.clone(), (standing.clone(), Instant::now()));
        }
        Ok(standing)
    }

    /// Somebody's standing, as it was at most [`STANDING_AGE_MAX`] ago.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn recent(&self, user: &UserId) -> Result<Arc<Standing>, StoreError> {
        let known = self.lock().standings.get(user).filter(|(_, read)| read.elapsed() < STANDING_AGE_MAX).cloned();
        match known {
            Some((standing, _)) => Ok(standing),
            None => self.fresh(user).await,
        }
    }

    /// Something was decided about somebody: what is known of them does not count any more.
    pub fn forget(&self, user: &UserId) {
        let mut known = self.lock();
        known.standings.remove(user);
        known.forgotten = known.forgotten.wrapping_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
