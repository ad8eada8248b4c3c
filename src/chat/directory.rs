//! Who is in which conversation, remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::unavailable;
use crate::model::limits::{MEMBERSHIP_AGE_MAX, MEMBERSHIPS_MAX};
use crate::model::{Code, Conversation, ConversationId, Kind, Refusal, UserId};
use crate::store::{Store, StoreError};

/// Somebody's place in a conversation.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// As whom they are in it: themselves, or the team.
    pub seat: UserId,
}

/// The remembered memberships. Those of direct conversations never change; others are read again after
/// [`MEMBERSHIP_AGE_MAX`].
pub(super) struct Directory {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<ConversationId, Known>>,
}

struct Known {
    conversation: Arc<Conversation>,
    read: Instant,
}

impl Known {
    fn is_fresh(&self) -> bool {
        match self.conversation.kind {
            Kind::Direct | Kind::Support => true,
            #[expect(unreachable_patterns, reason = "kinds whose members change come later")]
            _ => self.read.elapsed() < MEMBERSHIP_AGE_MAX,
        }
    }
}

impl Directory {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The conversation, or nothing where there is none.
    pub(super) async fn get(&self, id: ConversationId) -> Result<Option<Arc<Conversation>>, StoreError> {
        match self.known(id) {
            Some(conversation) => Ok(Some(conversation)),
            None => self.read(id).await,
        }
    }

    /// The conversation, made to exist if it does not.
    pub(super) async fn open(&self, conversation: &Conversation) -> Result<Arc<Conversation>, StoreError> {
        if let Some(known) = self.lock().get(&conversation.id) {
            return Ok(known.conversation.clone());
        }
        self.store.open(conversation).await?;
        Ok(self.remember(conversation.clone()))
    }

    /// The conversation, and as which of these seats they are in it. A stranger is answered after a read in any case: otherwise how long it
    /// takes would tell whether two people have a conversation that is remembered here.
    pub(super) async fn member(&self, seats: &[UserId], id: ConversationId) -> Result<Membership, Refusal> {
        let theirs = |conversation: Arc<Conversation>| {
            let seat = seats.iter().find(|seat| conversation.has(seat))?.clone();
            Some(Membership { conversation, seat })
        };
        if let Some(membership) = self.known(id).and_then(theirs) {
            return Ok(membership);
        }
        let conversation = self.read(id).await.map_err(|error| unavailable(&error))?;
        conversation.and_then(theirs).ok_or_else(not_yours)
    }

    fn known(&self, id: ConversationId) -> Option<Arc<Conversation>> {
        self.lock().get(&id).filter(|known| known.is_fresh()).map(|known| known.conversation.clone())
    }

    async fn read(&self, id: ConversationId) -> Result<Option<Arc<Conversation>>, StoreError> {
        let found = self.store.get(&[id]).await?.pop();
        Ok(found.map(|summary| self.remember(summary.conversation)))
    }

    fn remember(&self, conversation: Conversation) -> Arc<Conversation> {
        let conversation = Arc::new(conversation);
        let mut known = self.lock();
        if known.len() >= MEMBERSHIPS_MAX {
            known.clear();
        }
        known.insert(conversation.id, Known { conversation: conversation.clone(), read: Instant::now() });
        conversation
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one answer to those outside a conversation, whether it exists or not.
pub(super) fn not_yours() -> Refusal {
    Refusal::new(Code::Forbidden, "no such conversation of yours")
}
