//! What other nodes asked of one session. Each request is done once, however often it comes, and its answer is kept until
//! the next one of its kind.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::model::limits::RELAYED_DONE_MAX;
use crate::wire::relay::{Ask, Reply};

/// The requests of one session, by kind: polls, bodies and the rest each come one after another.
#[derive(Debug, Default)]
pub(super) struct Relayed(Mutex<[Kind; 3]>);

#[derive(Debug, Default)]
struct Kind {
    last: Option<Last>,
    /// Those before it, the oldest first.
    done: VecDeque<u64>,
}

#[derive(Debug)]
struct Last {
    id: u64,
    /// `None` while it is being worked on.
    reply: Option<Arc<Reply>>,
    task: Option<AbortHandle>,
}

/// What is to be done about a request that came.
#[derive(Debug, PartialEq)]
pub(super) enum Known {
    /// It is new.
    New,
    /// It is being worked on.
    Running,
    /// This is its answer.
    Answered(Arc<Reply>),
    /// Its answer was received long ago.
    Past,
}

const POLL: usize = 0;

fn kind_of(ask: &Ask) -> usize {
    match ask {
        Ask::Poll(_) => POLL,
        Ask::Post(..) => 1,
        Ask::Probe | Ask::Upgrade => 2,
    }
}

impl Relayed {
    /// Notes that a request came.
    pub(super) fn note(&self, id: u64, ask: &Ask) -> Known {
        let kind = &mut self.lock()[kind_of(ask)];
        match &kind.last {
            Some(last) if last.id == id => return last.reply.clone().map_or(Known::Running, Known::Answered),
            _ if kind.done.contains(&id) => return Known::Past,
            _ => {}
        }
        if let Some(before) = kind.last.replace(Last { id, reply: None, task: None }) {
            kind.done.push_back(before.id);
            if kind.done.len() > RELAYED_DONE_MAX {
                kind.done.pop_front();
            }
        }
        Known::New
    }

    /// The task that works on a request, so that it can be given up.
    pub(super) fn begun(&self, id: u64, task: AbortHandle) {
        if let Some(last) = self.lock().iter_mut().filter_map(|kind| kind.last.as_mut()).find(|last| last.id == id) {
            last.task = Some(task);
        }
    }

    /// Keeps an answer.
    pub(super) fn answered(&self, id: u64, reply: &Arc<Reply>) {
        if let Some(last) = self.lock().iter_mut().filter_map(|kind| kind.last.as_mut()).find(|last| last.id == id) {
            last.reply = Some(Arc::clone(reply));
            last.task = None;
        }
    }

    /// Gives up a request whose client has vanished. Whether it is the last poll: what that got, or would get, is lost.
    pub(super) fn cancel(&self, id: u64) -> bool {
        let mut kinds = self.lock();
        let at = kinds.iter().position(|kind| kind.last.as_ref().is_some_and(|last| last.id == id));
        let task = at.and_then(|at| kinds[at].last.as_mut()?.task.take());
        drop(kinds);
        if let Some(task) = task {
            task.abort();
        }
        at == Some(POLL)
    }

    /// Whether this is a poll that waits.
    pub(super) fn is_running(&self, id: u64) -> bool {
        self.lock()[POLL].last.as_ref().is_some_and(|last| last.id == id && last.reply.is_none())
    }

    fn lock(&self) -> MutexGuard<'_, [Kind; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::relay::Via;

    #[test]
    fn a_request_is_new_once() {
        let (relayed, poll) = (Relayed::default(), Ask::Poll(Via::Http));
        assert_eq!(relayed.note(1, &poll), Known::New);
        assert_eq!(relayed.note(1, &poll), Known::Running);
        assert_eq!(relayed.note(2, &Ask::Probe), Known::New, "of another kind");
        let reply = Arc::new(Reply::TooLong);
        relayed.answered(1, &reply);
        assert_eq!(relayed.note(1, &poll), Known::Answered(reply));
        assert_eq!(relayed.note(3, &poll), Known::New);
        assert_eq!(relayed.note(1, &poll), Known::Past, "late, and not to be done again");
        for id in 4..4 + RELAYED_DONE_MAX as u64 {
            assert_eq!(relayed.note(id, &poll), Known::New);
        }
        assert_eq!(relayed.note(1, &poll), Known::New, "memory has an end");
    }
}
