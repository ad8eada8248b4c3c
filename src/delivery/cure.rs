//! The cure for doubt: ask the store where there was activity, and let the sessions want it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::metrics::{Gap, Metrics};
use super::registry::{Registry, SHARDS};
use crate::model::limits::{AS_OF_MARGIN, AUDIT_PERIOD, NEWCOMERS_PERIOD, USERS_PER_QUESTION_MAX};
use crate::model::{Activity, Clock, Kind, Standing, StoreTime, UserId};
use crate::store::{Since, Store, StoreClock, StoreError};

/// A session that was whole at its user's last audit knows everything that the store took up to this long after it,
/// less the margin: the next audit, which would find what is missing, must come within this time.
pub(super) const SURE_AFTER_AUDIT: Duration = Duration::from_secs(50);

/// Rows of one answer.
const ACTIVITIES_MAX: usize = 1_000;

#[derive(Clone)]
pub(super) struct Cure {
    store: Arc<dyn Store>,
    store_clock: Arc<StoreClock>,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Cure {
    pub(super) fn new(
        store: Arc<dyn Store>,
        store_clock: Arc<StoreClock>,
        registry: Arc<Registry>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        Self { store, store_clock, registry, clock, metrics }
    }

    /// Asks about every connected user, for this reason. Answers whether the store answered about all.
    pub(super) async fn everybody(&self, why: Gap) -> bool {
        let began = Instant::now();
        let mut whole = true;
        for shard in 0..SHARDS {
            whole &= self.shard(shard, why).await;
        }
        self.metrics.cure_seconds.record(began.elapsed());
        whole
    }

    /// Asks about all users again and again, a shard at a time: within [`AUDIT_PERIOD`] everybody was asked about.
    pub(super) async fn audit(self) {
        let pause = AUDIT_PERIOD / u32::try_from(SHARDS).unwrap_or(1);
        for shard in (0..SHARDS).cycle() {
            tokio::time::sleep(pause).await;
            self.shard(shard, Gap::Audit).await;
            if shard + 1 == SHARDS {
                self.metrics.audit_completed.set(self.clock.now().0 as f64 / 1_000.0);
            }
        }
    }

    /// Asks about those who have come a moment after they did: what was told on the bus just before, and had not raised its
    /// head yet when they asked for what they missed, is found by then.
    pub(super) async fn look_after_newcomers(self) {
        let mut newcomers = Vec::new();
        loop {
            tokio::time::sleep(NEWCOMERS_PERIOD).await;
            self.all(&newcomers, Gap::Audit).await;
            newcomers = self.registry.take_newcomers();
        }
    }

    async fn shard(&self, shard: usize, why: Gap) -> bool {
        self.all(&self.registry.users(shard), why).await
    }

    async fn all(&self, users: &[(UserId, StoreTime)], why: Gap) -> bool {
        let mut whole = true;
        for users in users.chunks(USERS_PER_QUESTION_MAX) {
            if let Err(error) = self.some(users, why).await {
                self.metrics.cure_failures.increment(1);
                tracing::warn!(%error, "the store did not say where there was activity; it is asked again");
                whole = false;
            }
        }
        whole
    }

    async fn some(&self, users: &[(UserId, StoreTime)], why: Gap) -> Result<(), StoreError> {
        // Taken before the question, so that nothing falls between this answer and the next question.
        let asked_at = self.store_clock.now();
        let oldest = users.iter().map(|(_, audited)| *audited).min().unwrap_or(asked_at);
        let users: Vec<UserId> = users.iter().map(|(user, _)| user.clone()).collect();
        let asked: HashSet<&UserId> = users.iter().collect();
        let mut since = Since { at: oldest.minus(AS_OF_MARGIN), after: None };
        loop {
            let active = self.store.active(&users, since, ACTIVITIES_MAX).await?;
            active.iter().for_each(|activity| self.tell(&asked, activity, why));
            match active.last() {
                Some(last) if active.len() == ACTIVITIES_MAX => {
                    since = Since { at: last.activity, after: Some(last.conversation.id) };
                }
                _ => break,
            }
        }
        self.metrics.audited.increment(users.len() as u64);
        self.registry.set_audited(&users, asked_at);
        self.compare_standings(&users).await
    }

    /// Lets those sessions read anew about whose users something else was decided than they know.
    async fn compare_standings(&self, users: &[UserId]) -> Result<(), StoreError> {
        let decided: HashMap<UserId, Standing> = self.store.standings(users).await?.into_iter().collect();
        let nothing = Standing::default();
        for user in users {
            let standing = decided.get(user).unwrap_or(&nothing);
            // An agent is addressed as the team, too, but stands for themselves.
            self.registry.each_session(user, |outbox| {
                if outbox.user() == user {
                    outbox.compare_standing(standing);
                }
            });
        }
        Ok(())
    }

    fn tell(&self, asked: &HashSet<&UserId>, activity: &Activity, why: Gap) {
        let group = activity.conversation.kind == Kind::Group;
        for member in activity.conversation.members.iter().filter(|member| asked.contains(member)) {
            self.registry.each_session(member, |outbox| {
                if outbox.want(activity.conversation.id, activity.last_seq, group) {
                    self.metrics.found.increment(1);
                    self.metrics.gap(why);
                }
            });
        }
    }
}
