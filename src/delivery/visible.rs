//! Who is to be found on this node: users with a session that shows signs of life, and the team while an agent is there
//! who does not wish to appear offline.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outbox::Outbox;
use super::watchers::Watchers;
use crate::model::{Clock, UserId};
use crate::presence::{Leaving, Presence};

pub(super) struct Visible {
    state: Mutex<State>,
    presence: Arc<dyn Presence>,
    /// Asked for the wishes of this node's agents.
    watchers: Arc<Watchers>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    /// By user: sessions that show signs of life. Never 0.
    sessions: HashMap<UserId, u32>,
    agents: HashMap<UserId, Agent>,
    /// How many agents appear.
    appearing: usize,
}

#[derive(Default)]
struct Agent {
    /// Never 0.
    sessions: u32,
    /// Whether they wish to appear, as far as is known.
    appears: bool,
}

impl Visible {
    pub(super) fn new(presence: Arc<dyn Presence>, watchers: Arc<Watchers>, clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::default(), presence, watchers, clock }
    }

    /// A session is there. An agent counts for the team as soon as it is known that they wish to appear.
    pub(super) fn show(&self, outbox: &Outbox) {
        let user = outbox.user();
        let mut state = self.state();
        let sessions = state.sessions.entry(user.clone()).or_default();
        *sessions += 1;
        if *sessions == 1 {
            self.presence.enter(user);
        }
        if is_agent(outbox) {
            let agent = state.agents.entry(user.clone()).or_default();
            agent.sessions += 1;
            if agent.sessions == 1 {
                self.watchers.keep(user, true);
            }
        }
    }

    /// A session is not there any more.
    pub(super) fn hide(&self, outbox: &Outbox, how: Leaving) {
        let user = outbox.user();
        let mut state = self.state();
        if let Some(sessions) = state.sessions.get_mut(user) {
            *sessions -= 1;
            if *sessions == 0 {
                state.sessions.remove(user);
                self.presence.leave(user, how, self.clock.now());
            }
        }
        if is_agent(outbox)
            && let Some(agent) = state.agents.get_mut(user)
        {
            agent.sessions -= 1;
            if agent.sessions == 0 {
                let appeared = agent.appears;
                state.agents.remove(user);
                self.watchers.keep(user, false);
                if appeared {
                    self.count_agent(&mut state, false, how);
                }
            }
        }
    }

    /// What is known of the wishes of a user, who may be an agent of this node.
    pub(super) fn appears(&self, user: &UserId, appears: bool) {
        let mut state = self.state();
        let Some(agent) = state.agents.get_mut(user) else { return };
        if std::mem::replace(&mut agent.appears, appears) != appears {
            self.count_agent(&mut state, appears, Leaving::Vanished);
        }
    }

    fn count_agent(&self, state: &mut State, appears: bool, how: Leaving) {
        if appears {
            state.appearing += 1;
        } else {
            state.appearing -= 1;
        }
        match (state.appearing, appears) {
            (1, true) => self.presence.enter(&UserId::team()),
            (0, false) => self.presence.leave(&UserId::team(), how, self.clock.now()),
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_agent(outbox: &Outbox) -> bool {
    outbox.seats().iter().any(|seat| *seat == UserId::team())
}
