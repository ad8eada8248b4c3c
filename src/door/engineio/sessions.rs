//! The polled sessions of a node, found by their ids.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::polling::Polled;
use crate::door::guests::{Guests, Unauthenticated};
use crate::wire::engineio::Sid;

/// The table. A session is in it from its first answer until its task ends or it has become a WebSocket.
#[derive(Debug)]
pub struct Sessions {
    most: usize,
    guests: Arc<Guests>,
    by_sid: Mutex<HashMap<Sid, Arc<Polled>>>,
    open: Gauge,
    refused: Counter,
}

impl Sessions {
    /// A table for at most `most` sessions, of which at most `guests_per_address_max` strangers from one address.
    #[must_use]
    pub fn new(most: usize, guests_per_address_max: u32) -> Arc<Self> {
        describe_gauge!("switchboard_polling_sessions", "Socket.IO sessions of this node that poll");
        describe_counter!("switchboard_polling_sessions_refused_total", "Socket.IO sessions refused for want of room");
        Arc::new(Self {
            most,
            guests: Guests::new(guests_per_address_max),
            by_sid: Mutex::default(),
            open: gauge!("switchboard_polling_sessions"),
            refused: counter!("switchboard_polling_sessions_refused_total"),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A place for one more stranger from this address; `None` when it, or the table, is full.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Unauthenticated> {
        let guest = if self.len() < self.most { self.guests.admit(address) } else { None };
        if guest.is_none() {
            self.refused.increment(1);
        }
        guest
    }

    pub(super) fn insert(self: &Arc<Self>, session: Arc<Polled>) -> Registered {
        if let Entry::Vacant(place) = self.lock().entry(session.sid) {
            place.insert(Arc::clone(&session));
            self.open.increment(1.0);
        }
        Registered { sessions: Arc::clone(self), session }
    }

    pub(super) fn get(&self, sid: &Sid) -> Option<Arc<Polled>> {
        self.lock().get(sid).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Arc<Polled>>> {
        self.by_sid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session, in the table until this is dropped; then it has ended.
#[derive(Debug)]
pub(super) struct Registered {
    sessions: Arc<Sessions>,
    pub(super) session: Arc<Polled>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.session.abandon();
        let mut by_sid = self.sessions.lock();
        if by_sid.remove(&self.session.sid).is_some() {
            self.sessions.open.decrement(1.0);
        }
        if by_sid.capacity() > 64 && by_sid.len() < by_sid.capacity() / 8 {
            by_sid.shrink_to_fit();
        }
    }
}
