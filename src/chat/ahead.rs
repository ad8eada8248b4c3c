//! How far conversations have come by what other nodes wrote: their heads, read for many lanes at once.
//!
//! A head never leads: what it says is stored for good. So it is where a lane looks when the bus says that others wrote: one
//! small read among many is far cheaper than a failed insert and a search for the end.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::pace::Pace;
use crate::model::ConversationId;
use crate::model::limits::{ATTEMPTS_WAITING_MAX, CURSORS_MAX};
use crate::store::{Store, StoreError, Tail};

/// The way to the shared reads.
#[derive(Clone)]
pub(super) struct Ahead(mpsc::Sender<Question>);

struct Question {
    conversation: ConversationId,
    reply: oneshot::Sender<Result<Option<Tail>, StoreError>>,
}

impl Ahead {
    /// Starts the reader. It ends with the last `Ahead`.
    pub(super) fn start(store: Arc<dyn Store>) -> Self {
        let (sender, receiver) = mpsc::channel(ATTEMPTS_WAITING_MAX);
        tokio::spawn(answer(store, receiver));
        Self(sender)
    }

    /// Where the conversation goes to at least; nothing if it does not exist.
    pub(super) async fn head(&self, conversation: ConversationId) -> Result<Option<Tail>, StoreError> {
        let stopping = |what: &str| StoreError::Unavailable(what.to_owned());
        let (reply, answer) = oneshot::channel();
        if self.0.send(Question { conversation, reply }).await.is_err() {
            return Err(stopping("the node is stopping"));
        }
        answer.await.unwrap_or_else(|_| Err(stopping("the read was given up")))
    }
}

/// A question that comes alone is asked at once; others gather, and go together.
async fn answer(store: Arc<dyn Store>, mut questions: mpsc::Receiver<Question>) {
    let mut asked = Vec::new();
    let mut pace = Pace::new(store.pace());
    while questions.recv_many(&mut asked, CURSORS_MAX).await > 0 {
        pace.gather(&mut questions, &mut asked, CURSORS_MAX).await;
        let ids: Vec<_> = asked.iter().map(|question| question.conversation).collect();
        let heads = store.heads(&ids).await.map(HashMap::<_, _>::from_iter);
        for Question { conversation, reply } in asked.drain(..) {
            let head = heads.as_ref().map(|heads| heads.get(&conversation).copied());
            // A lane that no longer waits has been stopped with its node.
            let _ = reply.send(head.map_err(StoreError::clone));
        }
    }
}
