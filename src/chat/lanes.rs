//! One lane for each conversation that is being written to on this node, made when needed, gone when idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::lane::{Lane, Parts, Pending};
use super::metrics::Waiting;
use crate::model::limits::LANE_SENDS_MAX;
use crate::model::{Code, ConversationId, Refusal};

type Doors = Mutex<HashMap<ConversationId, mpsc::Sender<Pending>>>;

/// The lanes of this node.
pub(super) struct Lanes {
    parts: Arc<Parts>,
    doors: Arc<Doors>,
}

impl Lanes {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), doors: Arc::default() }
    }

    /// Counts a send among those that wait, as long as this is kept.
    pub(super) fn waits(&self) -> Waiting {
        self.parts.metrics.waits()
    }

    /// Puts a send into its conversation's lane, behind those that came before it. It is answered through its reply,
    /// at once with `busy` when [`LANE_SENDS_MAX`] wait there already.
    pub(super) fn push(&self, pending: Pending) {
        let conversation = pending.new.conversation;
        let mut doors = lock(&self.doors);
        let door = doors.entry(conversation).or_insert_with(|| self.start_lane(conversation));
        let refused = match door.try_send(pending) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(pending)) => pending,
            // Its task died by a defect: the next send gets a new one.
            Err(mpsc::error::TrySendError::Closed(pending)) => {
                doors.remove(&conversation);
                pending
            }
        };
        drop(doors);
        refused.refuse(Refusal::new(Code::Busy, "too many messages wait in this conversation"));
    }

    fn start_lane(&self, conversation: ConversationId) -> mpsc::Sender<Pending> {
        let (sender, receiver) = mpsc::channel(LANE_SENDS_MAX);
        let lane = Lane::new(conversation, self.parts.clone(), receiver);
        let doors = self.doors.clone();
        tokio::spawn(lane.run(move |inbox| retire(&doors, conversation, inbox)));
        sender
    }
}

/// Takes an idle lane out of the list, unless something was put into it just now. Sends are put in under the same
/// lock, so that there are never two lanes for one conversation.
fn retire(doors: &Doors, conversation: ConversationId, inbox: &mpsc::Receiver<Pending>) -> bool {
    let mut doors = lock(doors);
    let idle = inbox.is_empty();
    if idle {
        doors.remove(&conversation);
    }
    idle
}

fn lock(doors: &Doors) -> MutexGuard<'_, HashMap<ConversationId, mpsc::Sender<Pending>>> {
    doors.lock().unwrap_or_else(PoisonError::into_inner)
}
