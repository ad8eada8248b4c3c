//! A line to Redis that is kept up.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{Dialer, RedisSettings, Session};
use crate::model::Chance;

/// A line for commands: always the session that lives now, if one does. Cheap to clone; dropping the last one hangs up.
#[derive(Clone)]
pub struct Line {
    session: watch::Receiver<Option<Arc<Session>>>,
    _keeper: Arc<AbortOnDropHandle<()>>,
}

impl Line {
    /// Starts to connect, and to connect again whenever the connection is lost. Does not wait for Redis.
    #[must_use]
    pub fn start(settings: RedisSettings, chance: Arc<dyn Chance>) -> Self {
        let (shown, session) = watch::channel(None);
        // Nothing is published to a client that only sends commands.
        let dialer = Dialer::new(settings, chance, 16);
        let keeper = tokio::spawn(keep(dialer, shown));
        Self { session, _keeper: Arc::new(AbortOnDropHandle::new(keeper)) }
    }

    /// The session that lives now. None while Redis is away.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.borrow().clone()
    }

    /// Waits until this session lives no more.
    pub(crate) async fn lost(&self, session: &Arc<Session>) {
        let mut shown = self.session.clone();
        let is_it = |now: &Option<Arc<Session>>| now.as_ref().is_some_and(|now| Arc::ptr_eq(now, session));
        // An error says that the keeper has ended, and the session with it.
        drop(shown.wait_for(|now| !is_it(now)).await);
    }

    /// Waits for a session.
    pub(crate) async fn up(&self) -> Arc<Session> {
        let mut session = self.session.clone();
        loop {
            if let Some(session) = session.borrow_and_update().clone() {
                return session;
            }
            if session.changed().await.is_err() {
                // The keeper lives as long as this line.
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn keep(mut dialer: Dialer, shown: watch::Sender<Option<Arc<Session>>>) {
    let name = "switchboard_redis_ping_seconds";
    metrics::describe_histogram!(name, metrics::Unit::Seconds, "Time that Redis took to answer a ping, by connection");
    let latency = metrics::histogram!(name, "line" => "commands");
    loop {
        let session = Arc::new(dialer.dial().await);
        shown.send_replace(Some(Arc::clone(&session)));
        let lost = session.watch(&latency).await;
        shown.send_replace(None);
        tracing::warn!(%lost, "lost the command connection to Redis; connecting again");
    }
}
