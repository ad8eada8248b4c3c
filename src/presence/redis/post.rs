//! What the tasks of one node's presence share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::NodeId;
use crate::model::limits::{PRESENCE_DOUBT, PRESENCE_LEASE};
use crate::presence::desk::Desk;
use crate::redis::{Line, Session};

pub(super) struct Post {
    pub(super) line: Line,
    pub(super) desk: Arc<Desk>,
    state: Mutex<State>,
    /// Rung when somebody finds that this node's own lease is missing.
    pub(super) alarm: Notify,
}

#[derive(Default)]
struct State {
    /// As what this node is registered, and on which connection.
    registered: Option<(NodeId, Arc<Session>)>,
    /// When its lease was last renewed.
    renewed: Option<Instant>,
    /// Until when nobody may be called gone.
    doubt: Option<Instant>,
}

impl Post {
    pub(super) fn new(line: Line, desk: Arc<Desk>) -> Self {
        Self { line, desk, state: Mutex::default(), alarm: Notify::new() }
    }

    /// As what this node is registered, and on which connection.
    pub(super) fn registered(&self) -> Option<(NodeId, Arc<Session>)> {
        self.state().registered.clone()
    }

    pub(super) fn set_registered(&self, registered: Option<(NodeId, Arc<Session>)>) {
        self.state().registered = registered;
    }

    /// The lease was renewed; asked for at this time.
    pub(super) fn set_renewed(&self, at: Instant) {
        self.state().renewed = Some(at);
    }

    /// Whether this node is registered under a lease that holds.
    pub(super) fn is_vouched_for(&self) -> bool {
        let state = self.state();
        state.registered.is_some() && state.renewed.is_some_and(|at| at.elapsed() < PRESENCE_LEASE)
    }

    /// Something was lost: until others had time to notice and to register again, nobody is called gone.
    pub(super) fn begin_doubt(&self) {
        self.desk.metrics.doubts.increment(1);
        self.state().doubt = Some(Instant::now() + PRESENCE_DOUBT);
    }

    /// When doubt ends, if there is any.
    pub(super) fn doubt_ends(&self) -> Option<Instant> {
        self.state().doubt
    }

    pub(super) fn end_doubt(&self) {
        self.state().doubt = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
