//! Who on this node watches whom, and what they were told.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::Gauge;
use tokio::sync::{Notify, watch};

use super::outbox::Outbox;
use crate::model::{Presence, Seen, UserId};
use crate::wire::ServerFrame;

pub(super) struct Watchers {
    state: Mutex<State>,
    /// Rung when there is somebody to ask about.
    bell: Notify,
    /// Moves on with every answer.
    answers: watch::Sender<u64>,
    watched: Gauge,
}

#[derive(Default)]
struct State {
    watched: HashMap<UserId, Watched>,
    sessions: HashMap<SessionKey, Session>,
    /// Of those who are watched, the ones to be asked about.
    doubtful: HashSet<UserId>,
}

/// Which session: the address of its outbox, which it has for as long as it is here.
type SessionKey = usize;

#[derive(Default)]
struct Watched {
    /// What there is to see, if anybody could ever say.
    presence: Option<Presence>,
    /// Whether they were asked about.
    is_asked: bool,
    by: HashSet<SessionKey>,
    /// Whether this node itself wants to know, since they are one of its agents.
    by_node: bool,
}

struct Session {
    outbox: Arc<Outbox>,
    users: Vec<UserId>,
    /// Whether it got its answer: changes are told after that.
    is_answered: bool,
}

fn key(outbox: &Arc<Outbox>) -> SessionKey {
    Arc::as_ptr(outbox).addr()
}

/// What a session is told of these: of those who are hidden from its user, what it would be told of somebody who never
/// came.
fn as_shown(outbox: &Outbox, mut users: Vec<Seen>) -> ServerFrame {
    let standing = outbox.standing();
    for seen in users.iter_mut().filter(|seen| standing.hides(&seen.user)) {
        seen.presence = Presence::default();
    }
    ServerFrame::Presence { users }
}

impl Watchers {
    pub(super) fn new(watched: Gauge) -> Self {
        Self { state: Mutex::default(), bell: Notify::new(), answers: watch::Sender::new(0), watched }
    }

    /// Sets whom a session watches, all of them.
    pub(super) fn watch(&self, outbox: &Arc<Outbox>, users: Vec<UserId>) {
        let mut state = self.state();
        let key = key(outbox);
        for user in &users {
            state.watched.entry(user.clone()).or_default().by.insert(key);
        }
        let wanted: HashSet<&UserId> = users.iter().collect();
        let before = state.sessions.remove(&key).map(|session| session.users).unwrap_or_default();
        for user in before.iter().filter(|user| !wanted.contains(user)) {
            state.unwatch(user, key);
        }
        let unknown = |user: &&UserId| state.watched.get(*user).is_some_and(|watched| !watched.is_asked);
        let unknown: Vec<UserId> = users.iter().filter(unknown).cloned().collect();
        state.doubtful.extend(unknown);
        if !users.is_empty() {
            state.sessions.insert(key, Session { outbox: outbox.clone(), users, is_answered: false });
        }
        self.changed(&state);
    }

    /// Waits until everybody whom a session watches was asked about.
    pub(super) async fn asked(&self, outbox: &Arc<Outbox>) {
        let mut answers = self.answers.subscribe();
        while !self.state().is_asked(key(outbox)) {
            if answers.changed().await.is_err() {
                return;
            }
        }
    }

    /// Answers a session that set whom it watches: with these, of whom those it may not watch are as if offline. Whatever
    /// changes from now on is told behind that.
    pub(super) fn answer(&self, outbox: &Arc<Outbox>, users: Vec<UserId>) {
        let mut state = self.state();
        let presence = |user: &UserId| {
            let watched = state.watched.get(user).filter(|watched| watched.by.contains(&key(outbox)));
            watched.and_then(|watched| watched.presence).unwrap_or_default()
        };
        let seen: Vec<Seen> = users.into_iter().map(|user| Seen { presence: presence(&user), user }).collect();
        outbox.push(as_shown(outbox, seen));
        if let Some(session) = state.sessions.get_mut(&key(outbox)) {
            session.is_answered = true;
        }
    }

    /// Tells a session once more of all whom it watches, since it had no room for some change.
    pub(super) fn tell_again(&self, outbox: &Arc<Outbox>) {
        let state = self.state();
        let Some(session) = state.sessions.get(&key(outbox)).filter(|session| session.is_answered) else { return };
        let seen = |user: &UserId| {
            let presence = state.watched.get(user).and_then(|watched| watched.presence).unwrap_or_default();
            Seen { user: user.clone(), presence }
        };
        outbox.push(as_shown(outbox, session.users.iter().map(seen).collect()));
    }

    /// A session is gone.
    pub(super) fn leave(&self, outbox: &Arc<Outbox>) {
        let mut state = self.state();
        let Some(session) = state.sessions.remove(&key(outbox)) else { return };
        for user in &session.users {
            state.unwatch(user, key(outbox));
        }
        self.changed(&state);
    }

    /// This node wants to know of one of its agents, or not any more.
    pub(super) fn keep(&self, agent: &UserId, wanted: bool) {
        let mut state = self.state();
        let watched = state.watched.entry(agent.clone()).or_default();
        watched.by_node = wanted;
        if wanted {
            state.doubtful.insert(agent.clone());
        } else {
            state.forget_unwatched(agent);
        }
        self.changed(&state);
    }

    /// These may have come or gone.
    pub(super) fn doubt(&self, users: Vec<UserId>) {
        let mut state = self.state();
        let State { watched, doubtful, .. } = &mut *state;
        doubtful.extend(users.into_iter().filter(|user| watched.contains_key(user)));
        self.changed(&state);
    }

    /// Anybody may have come or gone.
    pub(super) fn doubt_all(&self) {
        let mut state = self.state();
        let State { watched, doubtful, .. } = &mut *state;
        doubtful.extend(watched.keys().cloned());
        self.changed(&state);
    }

    fn changed(&self, state: &State) {
        self.watched.set(state.watched.len() as f64);
        if !state.doubtful.is_empty() {
            self.bell.notify_one();
        }
    }

    /// Waits until there is somebody to ask about.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Some of those to be asked about.
    pub(super) fn to_ask(&self, most: usize) -> Vec<UserId> {
        let mut state = self.state();
        let some: Vec<UserId> = state.doubtful.iter().take(most).cloned().collect();
        if some.len() == state.doubtful.len() {
            state.doubtful = HashSet::new();
        } else {
            for user in &some {
                state.doubtful.remove(user);
            }
        }
        some
    }

    /// What there is to see of users, or nothing where nobody can say; then what was known holds. Tells every session
    /// that watches one of whom there is news.
    pub(super) fn found(&self, answers: Vec<(UserId, Option<Presence>)>) {
        let mut state = self.state();
        let mut news: HashMap<SessionKey, Vec<Seen>> = HashMap::new();
        for (user, presence) in answers {
            let Some(watched) = state.watched.get_mut(&user) else { continue };
            watched.is_asked = true;
            let Some(presence) = presence.filter(|presence| watched.presence != Some(*presence)) else { continue };
            watched.presence = Some(presence);
            for by in &watched.by {
                news.entry(*by).or_default().push(Seen { user: user.clone(), presence });
            }
        }
        // Under the lock, so that nobody is told something older behind it.
        for (key, users) in news {
            if let Some(session) = state.sessions.get(&key).filter(|session| session.is_answered) {
                session.outbox.push_presence(as_shown(&session.outbox, users));
            }
        }
        drop(state);
        self.answers.send_modify(|answers| *answers += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_asked(&self, key: SessionKey) -> bool {
        let is_asked = |user| self.watched.get(user).is_none_or(|watched: &Watched| watched.is_asked);
        self.sessions.get(&key).is_none_or(|session| session.users.iter().all(is_asked))
    }

    fn unwatch(&mut self, user: &UserId, key: SessionKey) {
        if let Some(watched) = self.watched.get_mut(user) {
            watched.by.remove(&key);
        }
        self.forget_unwatched(user);
    }

    fn forget_unwatched(&mut self, user: &UserId) {
        if self.watched.get(user).is_some_and(|watched| watched.by.is_empty() && !watched.by_node) {
            self.watched.remove(user);
            self.doubtful.remove(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Item;
    use crate::model::{AsOf, Generation, StoreTime, Timestamp};

    const ONLINE: Presence = Presence { online: true, last_seen: None };
    const OFFLINE: Presence = Presence { online: false, last_seen: Some(Timestamp(7)) };

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    fn outbox() -> Arc<Outbox> {
        let as_of = AsOf { generation: Generation(1), at: StoreTime(0) };
        let outbox = Outbox::new(vec![user("me")], as_of, StoreTime(0));
        outbox.open(ServerFrame::Resumed { continued: 0 });
        let _ = outbox.pop();
        Arc::new(outbox)
    }

    fn watchers() -> Watchers {
        Watchers::new(metrics::gauge!("test"))
    }

    fn told(outbox: &Outbox) -> Vec<(String, bool)> {
        let Some(Item::Answer(frame)) = outbox.pop() else { return Vec::new() };
        let ServerFrame::Presence { users } = *frame else { panic!("{frame:?}") };
        let mut told: Vec<_> = users.iter().map(|seen| (seen.user.to_string(), seen.presence.online)).collect();
        told.sort();
        told
    }

    fn of(user: &str, online: bool) -> (String, bool) {
        (user.to_owned(), online)
    }

    #[tokio::test]
    async fn a_session_is_answered_first_and_then_told_what_changes() {
        let (watchers, me) = (watchers(), outbox());
        watchers.watch(&me, vec![user("ann"), user("bob")]);
        let mut asked = watchers.to_ask(10);
        asked.sort();
        assert_eq!(asked, [user("ann"), user("bob")]);
        watchers.found(vec![(user("ann"), Some(ONLINE)), (user("bob"), None)]);
        watchers.asked(&me).await;
        assert_eq!(told(&me), [], "not before its answer");
        watchers.answer(&me, vec![user("ann"), user("bob"), user("stranger")]);
        assert_eq!(told(&me), [of("ann", true), of("bob", false), of("stranger", false)]);
        watchers.found(vec![(user("ann"), Some(ONLINE)), (user("stranger"), Some(ONLINE))]);
        assert_eq!(told(&me), [], "no news, and nothing of strangers");
        watchers.found(vec![(user("ann"), None), (user("bob"), Some(ONLINE))]);
        assert_eq!(told(&me), [of("bob", true)], "where nobody can say, nothing changes");
        watchers.doubt(vec![user("ann"), user("stranger")]);
        assert_eq!(watchers.to_ask(10), [user("ann")]);
        watchers.watch(&me, vec![user("bob")]);
        assert_eq!(watchers.to_ask(10), [], "who is known need not be asked about");
        watchers.answer(&me, vec![user("bob")]);
        assert_eq!(told(&me), [of("bob", true)]);
        watchers.leave(&me);
        assert!(watchers.state().watched.is_empty() && watchers.state().sessions.is_empty());
    }

    #[tokio::test]
    async fn what_found_no_room_is_told_later_and_whole() {
        let (watchers, me) = (watchers(), outbox());
        watchers.watch(&me, vec![user("ann"), user("bob")]);
        watchers.found(vec![(user("ann"), Some(ONLINE)), (user("bob"), Some(ONLINE))]);
        watchers.answer(&me, Vec::new());
        while !me.is_full() {
            me.push(ServerFrame::Resumed { continued: 1 });
        }
        watchers.found(vec![(user("ann"), Some(OFFLINE))]);
        assert!(!me.takes_owed_presence(), "there is no room yet");
        while me.pop().is_some() {}
        watchers.found(vec![(user("bob"), Some(OFFLINE))]);
        assert_eq!(told(&me), [], "what is owed comes first");
        assert!(me.takes_owed_presence() && !me.takes_owed_presence());
        watchers.tell_again(&me);
        assert_eq!(told(&me), [of("ann", false), of("bob", false)]);
        watchers.found(vec![(user("ann"), Some(ONLINE))]);
        assert_eq!(told(&me), [of("ann", true)]);
    }
}
