//! The presence over Redis. Each node has one registration, a hash of its users, which counts while its lease in a common
//! sorted set holds. A user costs a write when their first connection begins and when the last one ends; a node costs a
//! beat every [`PRESENCE_BEAT`](crate::model::limits::PRESENCE_BEAT).

mod finder;
mod post;
mod registrar;
mod scripts;
mod sweeper;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use self::post::Post;
use self::registrar::{Registrar, Withdrawal};
use super::desk::Desk;
use super::{Lease, Leaving, Presence, PresenceEvent};
use crate::model::limits::{PRESENCE_EVENTS_MAX, REDIS_COMMAND_WAIT};
use crate::model::{Chance, Clock, Timestamp, UserId, Whereabouts};
use crate::redis::Line;

/// One node's presence over Redis. Dropping it is dying: its users are gone when its lease ends.
pub struct RedisPresence {
    post: Arc<Post>,
    withdrawals: mpsc::Sender<Withdrawal>,
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl RedisPresence {
    /// Starts a presence on `line`, which should be its own, so that messages never wait for it. It does not wait for
    /// Redis: without it, nobody knows of others who is there.
    #[must_use]
    pub fn start(
        line: Line,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        grace: Duration,
    ) -> (Self, mpsc::Receiver<PresenceEvent>) {
        let (sender, events) = mpsc::channel(PRESENCE_EVENTS_MAX);
        let (withdrawals, asked) = mpsc::channel(1);
        let (dead, found_dead) = watch::channel(Vec::new());
        let post = Arc::new(Post::new(line, Arc::new(Desk::new(grace))));
        let registrar = Registrar::new(post.clone(), (clock, chance), grace, dead);
        let tasks = [
            tokio::spawn(registrar.run(asked)),
            tokio::spawn(post.desk.clone().keep(sender)),
            tokio::spawn(sweeper::run(post.clone(), found_dead)),
        ];
        (Self { post, withdrawals, _tasks: tasks.map(AbortOnDropHandle::new) }, events)
    }
}

#[async_trait]
impl Presence for RedisPresence {
    fn enter(&self, user: &UserId) {
        self.post.desk.enter(user);
    }

    fn leave(&self, user: &UserId, how: Leaving, at: Timestamp) {
        self.post.desk.leave(user, how, at);
    }

    async fn find(&self, users: &[UserId]) -> Vec<Whereabouts> {
        self.post.find(users).await
    }

    async fn withdraw(&self, at: Timestamp) {
        self.post.desk.close(at);
        let (done, withdrawn) = oneshot::channel();
        if self.withdrawals.try_send(done).is_ok() {
            // Late or not at all, the lease ends by itself.
            drop(timeout(REDIS_COMMAND_WAIT, withdrawn).await);
        }
    }

    fn lease(&self) -> Lease {
        if self.post.is_vouched_for() { Lease::Held } else { Lease::Missing }
    }
}
