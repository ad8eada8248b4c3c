//! Who is connected to this node, and what of it others can find. No I/O: an implementation asks what is to be written
//! and says when it was.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Changes, Leaving};
use crate::model::{Timestamp, UserId};

/// How a user stands on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Connected.
    Here,
    /// Not any more, since a wall-clock time, but still to be found until a moment.
    Leaving { since: Timestamp, until: Instant },
    /// Not to be found any more, as soon as that is written.
    Gone { since: Timestamp },
}

#[derive(Debug)]
struct Entry {
    standing: Standing,
    /// Whether others can find an entry of this user, as far as is known.
    is_written: bool,
    /// Whether others should be told, once it is written.
    is_news: bool,
}

/// The ledger of one node.
#[derive(Debug)]
pub(super) struct Ledger {
    grace: Duration,
    /// Whether anything that was written may be there: only then is it to be written that somebody is gone.
    is_kept: bool,
    users: HashMap<UserId, Entry>,
    written: usize,
    unwritten: HashSet<UserId>,
    /// Who is leaving and until when; who came back or left again since stands here once more.
    leaving: VecDeque<(Instant, UserId)>,
    changes: Changes,
}

impl Ledger {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            is_kept: false,
            users: HashMap::new(),
            written: 0,
            unwritten: HashSet::new(),
            leaving: VecDeque::new(),
            changes: Changes::default(),
        }
    }

    /// A user's first connection. Answers whether there is something to write.
    pub(super) fn enter(&mut self, user: &UserId) -> bool {
        let fresh = || Entry { standing: Standing::Here, is_written: false, is_news: true };
        match self.users.get_mut(user) {
            None => {
                self.users.insert(user.clone(), fresh());
            }
            Some(entry) if entry.standing == Standing::Here => return false,
            Some(entry) => {
                // Who was gone and is back before it was written was never away.
                entry.is_news &= !entry.is_written;
                entry.standing = Standing::Here;
            }
        }
        self.unwritten.insert(user.clone());
        true
    }

    /// A user's last connection ended. Answers whether there is something to write.
    pub(super) fn leave(&mut self, user: &UserId, how: Leaving, at: Timestamp, now: Instant) -> bool {
        let Some(entry) = self.users.get_mut(user).filter(|entry| entry.standing == Standing::Here) else {
            return false;
        };
        if how == Leaving::Vanished || self.grace.is_zero() {
            self.be_gone(user.clone(), at);
        } else {
            let until = now + self.grace;
            entry.standing = Standing::Leaving { since: at, until };
            self.leaving.push_back((until, user.clone()));
            self.unwritten.insert(user.clone());
        }
        true
    }

    fn be_gone(&mut self, user: UserId, since: Timestamp) {
        if !self.is_kept {
            self.users.remove(&user);
            self.unwritten.remove(&user);
            self.changes.left.push((user, since));
        } else if let Some(entry) = self.users.get_mut(&user) {
            entry.standing = Standing::Gone { since };
            entry.is_news = true;
            self.unwritten.insert(user);
        }
    }

    /// Everybody leaves. Answers whether there is something to write.
    pub(super) fn leave_all(&mut self, at: Timestamp, now: Instant) -> bool {
        let here = self.users.iter().filter(|(_, entry)| entry.standing == Standing::Here);
        let here: Vec<UserId> = here.map(|(user, _)| user.clone()).collect();
        let left = here.iter().filter(|user| self.leave(user, Leaving::Closed, at, now));
        left.count() > 0
    }

    /// Who was still to be found here when the node died at a time, and since when they are gone.
    pub(super) fn remains(&self, died: Timestamp) -> Vec<(UserId, Timestamp)> {
        let remains = self.users.iter().map(|(user, entry)| match entry.standing {
            Standing::Here => (user.clone(), died),
            Standing::Leaving { since, .. } | Standing::Gone { since } => (user.clone(), since),
        });
        remains.collect()
    }

    /// Those whose grace is over are gone. Answers whether there is something to write.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let mut any = false;
        while self.leaving.front().is_some_and(|(until, _)| *until <= now) {
            let Some((due, user)) = self.leaving.pop_front() else { break };
            if let Some(Standing::Leaving { since, until }) = self.users.get(&user).map(|entry| entry.standing)
                && until == due
            {
                self.be_gone(user, since);
                any = true;
            }
        }
        if self.leaving.is_empty() && self.leaving.capacity() > 1_024 {
            self.leaving = VecDeque::new();
        }
        any
    }

    /// Whether a user is to be found here.
    pub(super) fn has(&self, user: &UserId) -> bool {
        self.users.get(user).is_some_and(|entry| !matches!(entry.standing, Standing::Gone { .. }))
    }

    /// Whether something is to be written.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// How many entries others can find, if everything was kept that was written.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Some of what is to be written. It counts as under way: the caller ends it with [`wrote`](Self::wrote), or with
    /// [`lost`](Self::lost).
    pub(super) fn next_batch(&mut self, most: usize) -> Vec<(UserId, Standing)> {
        let users: Vec<UserId> = self.unwritten.iter().take(most).cloned().collect();
        for user in &users {
            self.unwritten.remove(user);
        }
        if self.unwritten.is_empty() && self.unwritten.capacity() > 1_024 {
            self.unwritten = HashSet::new();
        }
        let standing = |user: UserId| self.users.get(&user).map(|entry| (user, entry.standing));
        users.into_iter().filter_map(standing).collect()
    }

    /// This was written, and whoever asks finds it.
    pub(super) fn wrote(&mut self, batch: Vec<(UserId, Standing)>) {
        for (user, standing) in batch {
            let Some(entry) = self.users.get_mut(&user) else { continue };
            let is_found = !matches!(standing, Standing::Gone { .. });
            match (entry.is_written, is_found) {
                (false, true) => self.written += 1,
                (true, false) => self.written -= 1,
                _ => {}
            }
            entry.is_written = is_found;
            let is_news = std::mem::take(&mut entry.is_news);
            match standing {
                Standing::Gone { since } if is_news => self.changes.left.push((user.clone(), since)),
                _ if is_news => self.changes.came.push(user.clone()),
                _ => {}
            }
            match (entry.standing, is_found) {
                (Standing::Gone { .. }, false) => {
                    self.users.remove(&user);
                }
                // Both changed while it was under way: what is written next is news again.
                (Standing::Gone { .. }, true) | (_, false) => entry.is_news = true,
                _ => {}
            }
        }
    }

    /// From now on, what is written is kept.
    pub(super) fn begin(&mut self) {
        self.is_kept = true;
    }

    /// Whether this was written is not known: what holds by then is written again.
    pub(super) fn unsure(&mut self, batch: Vec<(UserId, Standing)>) {
        self.unwritten.extend(batch.into_iter().map(|(user, _)| user));
    }

    /// Nothing of what was written counts any more, and nothing is kept until the next [`begin`](Self::begin), when all
    /// is to be written again. Who is gone need not be.
    pub(super) fn lost(&mut self) {
        self.is_kept = false;
        self.written = 0;
        let changes = &mut self.changes;
        self.users.retain(|user, entry| {
            entry.is_written = false;
            if let Standing::Gone { since } = entry.standing {
                changes.left.push((user.clone(), since));
                return false;
            }
            true
        });
        self.unwritten = self.users.keys().cloned().collect();
    }

    /// Somebody was found to have left a node that died.
    pub(super) fn left_elsewhere(&mut self, left: impl IntoIterator<Item = (UserId, Timestamp)>) {
        self.changes.left.extend(left);
    }

    /// What others should be told.
    pub(super) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);
    const AT: Timestamp = Timestamp(1_000);

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(GRACE);
        ledger.begin();
        ledger
    }

    fn write(ledger: &mut Ledger) -> Vec<(UserId, Standing)> {
        let batch = ledger.next_batch(500);
        ledger.wrote(batch.clone());
        batch
    }

    fn came(names: &[&str]) -> Changes {
        Changes { came: names.iter().map(|name| user(name)).collect(), left: Vec::new() }
    }

    fn left(names: &[&str]) -> Changes {
        Changes { came: Vec::new(), left: names.iter().map(|name| (user(name), AT)).collect() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_is_written_and_never_told() {
        let (mut ledger, ann, now) = (ledger(), user("ann"), Instant::now());
        assert!(ledger.enter(&ann));
        assert!(!ledger.enter(&ann), "twice is once");
        assert!(ledger.take_changes().is_empty(), "not before it is written");
        write(&mut ledger);
        assert_eq!(ledger.take_changes(), came(&["ann"]));
        assert!(ledger.leave(&ann, Leaving::Closed, AT, now));
        assert_eq!(write(&mut ledger), [(ann.clone(), Standing::Leaving { since: AT, until: now + GRACE })]);
        assert!(!ledger.expire(now + GRACE - Duration::from_millis(1)));
        assert!(ledger.enter(&ann));
        assert_eq!(write(&mut ledger), [(ann.clone(), Standing::Here)]);
        assert!(!ledger.expire(now + 2 * GRACE), "the grace of before is over with it");
        assert!(ledger.take_changes().is_empty());
        assert_eq!(ledger.written(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_away_is_gone_after_the_grace_and_who_vanishes_at_once() {
        let (mut ledger, now) = (ledger(), Instant::now());
        for name in ["ann", "bob"] {
            ledger.enter(&user(name));
        }
        write(&mut ledger);
        ledger.take_changes();
        ledger.leave(&user("ann"), Leaving::Closed, AT, now);
        ledger.leave(&user("bob"), Leaving::Vanished, AT, now);
        write(&mut ledger);
        assert_eq!(ledger.take_changes(), left(&["bob"]));
        assert_eq!((ledger.has(&user("ann")), ledger.has(&user("bob")), ledger.written()), (true, false, 1));
        assert!(ledger.expire(now + GRACE));
        assert!(ledger.take_changes().is_empty(), "not before it is written");
        write(&mut ledger);
        assert_eq!(ledger.take_changes(), left(&["ann"]));
        assert_eq!(ledger.written(), 0);
        assert!(!ledger.leave(&user("ann"), Leaving::Closed, AT, now), "who is not here cannot leave");
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_while_it_is_being_written_is_written_again() {
        let (mut ledger, ann, now) = (ledger(), user("ann"), Instant::now());
        ledger.enter(&ann);
        let batch = ledger.next_batch(500);
        ledger.leave(&ann, Leaving::Vanished, AT, now);
        ledger.wrote(batch);
        assert_eq!((ledger.take_changes(), ledger.written()), (came(&["ann"]), 1));
        let batch = ledger.next_batch(500);
        ledger.enter(&ann);
        ledger.wrote(batch);
        assert_eq!((ledger.take_changes(), ledger.written()), (Changes::default(), 0));
        write(&mut ledger);
        assert_eq!((ledger.take_changes(), ledger.written()), (came(&["ann"]), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_loss_all_are_written_again_and_nobody_is_told_who_knows() {
        let (mut ledger, now) = (ledger(), Instant::now());
        for name in ["ann", "bob", "eve"] {
            ledger.enter(&user(name));
        }
        write(&mut ledger);
        ledger.take_changes();
        ledger.leave(&user("ann"), Leaving::Closed, AT, now);
        ledger.leave(&user("bob"), Leaving::Vanished, AT, now);
        ledger.lost();
        assert_eq!((ledger.take_changes(), ledger.written()), (left(&["bob"]), 0));
        ledger.begin();
        assert_eq!(write(&mut ledger).len(), 2);
        assert_eq!((ledger.take_changes(), ledger.written()), (Changes::default(), 2));
        ledger.lost();
        ledger.leave(&user("eve"), Leaving::Vanished, AT, now);
        assert_eq!(ledger.take_changes(), left(&["eve"]), "with nothing written, nothing is to be");
        ledger.begin();
        assert_eq!(write(&mut ledger).len(), 1);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Enter(u8),
        Leave(u8),
        Vanish(u8),
        Wait(u8),
        Begin,
        End,
        Lose,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..4_u8).prop_map(Step::Enter),
            (0..4_u8).prop_map(Step::Leave),
            (0..4_u8).prop_map(Step::Vanish),
            (1..8_u8).prop_map(Step::Wait),
            Just(Step::Begin),
            Just(Step::End),
            Just(Step::Lose),
        ]
    }

    proptest! {
        /// Whatever happens: once all is written, what others find is who is here, and whoever asked about each when they
        /// were last told to has found that.
        #[test]
        fn what_others_find_and_were_told_is_who_is_here(steps in proptest::collection::vec(step(), 0..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).enable_time().build();
            runtime.unwrap().block_on(async {
                let mut ledger = ledger();
                let mut found: HashSet<UserId> = HashSet::new();
                let mut told: HashSet<UserId> = HashSet::new();
                let mut under_way: Option<Vec<(UserId, Standing)>> = None;
                let name = |number: u8| user(&format!("u{number}"));
                let write = |found: &mut HashSet<UserId>, batch: &[(UserId, Standing)]| {
                    for (user, standing) in batch {
                        match standing {
                            Standing::Gone { .. } => { found.remove(user); }
                            _ => { found.insert(user.clone()); }
                        }
                    }
                };
                // Whoever is told that somebody came or left asks about them.
                let listen = |told: &mut HashSet<UserId>, found: &HashSet<UserId>, ledger: &mut Ledger| {
                    let Changes { came, left } = ledger.take_changes();
                    for user in left.into_iter().map(|(user, _)| user).chain(came) {
                        if found.contains(&user) { told.insert(user); } else { told.remove(&user); }
                    }
                };
                for step in steps {
                    match step {
                        Step::Enter(n) => { ledger.enter(&name(n)); }
                        Step::Leave(n) => { ledger.leave(&name(n), Leaving::Closed, AT, Instant::now()); }
                        Step::Vanish(n) => { ledger.leave(&name(n), Leaving::Vanished, AT, Instant::now()); }
                        Step::Wait(seconds) => {
                            tokio::time::advance(Duration::from_secs(seconds.into())).await;
                            ledger.expire(Instant::now());
                        }
                        Step::Begin => if under_way.is_none() { under_way = Some(ledger.next_batch(2)); },
                        Step::End => if let Some(batch) = under_way.take() {
                            write(&mut found, &batch);
                            ledger.wrote(batch);
                            prop_assert_eq!(found.len(), ledger.written());
                            listen(&mut told, &found, &mut ledger);
                        },
                        Step::Lose => {
                            under_way = None;
                            found.clear();
                            ledger.lost();
                            ledger.begin();
                            // A doubt follows every loss: whoever was told asks again.
                            listen(&mut told, &found, &mut ledger);
                        }
                    }
                }
                if let Some(batch) = under_way {
                    write(&mut found, &batch);
                    ledger.wrote(batch);
                }
                while ledger.has_unwritten() {
                    let batch = ledger.next_batch(2);
                    write(&mut found, &batch);
                    ledger.wrote(batch);
                }
                listen(&mut told, &found, &mut ledger);
                let here: HashSet<UserId> = (0..4).map(name).filter(|user| ledger.has(user)).collect();
                prop_assert_eq!(&found, &here);
                prop_assert_eq!(told, here);
                Ok(())
            })?;
        }
    }
}
