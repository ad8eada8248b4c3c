//! Who is in which conversation, and what of it they may see: read through the store, and remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{Store, StoreError};
use crate::model::limits::{MEMBERSHIP_AGE_MAX, MEMBERSHIPS_MAX};
use crate::model::{Conversation, ConversationId, Group, Kind, Message, Range, Seq, Summary, UserId};

/// A conversation, as it was read.
#[derive(Debug, Clone)]
pub struct Talk {
    /// The conversation and its members.
    pub conversation: Arc<Conversation>,
    /// What a group is besides.
    pub group: Option<Arc<Group>>,
    /// Up to here at least, every event has taken effect in it.
    pub head: Seq,
}

impl Talk {
    /// A conversation whose members its id says.
    #[must_use]
    pub fn of(conversation: Conversation) -> Self {
        Self { conversation: conversation.into(), group: None, head: Seq::ZERO }
    }

    /// What one of these seats may see of it; none for strangers.
    #[must_use]
    pub fn range(&self, seats: &[UserId]) -> Option<Range> {
        match &self.group {
            Some(group) => seats.iter().find_map(|seat| group.range(seat)),
            None => seats.iter().any(|seat| self.conversation.has(seat)).then_some(Range::ALL),
        }
    }

    /// As which of these seats somebody is in it now.
    #[must_use]
    pub fn seat(&self, seats: &[UserId]) -> Option<UserId> {
        seats.iter().find(|seat| self.conversation.has(seat)).cloned()
    }

    /// Whether what it says holds for this message: all events up to it have taken effect.
    fn covers(&self, message: &Message) -> bool {
        message.seq <= self.head && self.reflects(message)
    }

    /// Whether the event of this message, if it has one, has taken effect.
    #[must_use]
    pub fn reflects(&self, message: &Message) -> bool {
        match (&message.event, &self.group) {
            (Some(event), Some(group)) => group.reflects(message.seq, event),
            _ => true,
        }
    }
}

impl From<Summary> for Talk {
    fn from(summary: Summary) -> Self {
        let Summary { conversation, group, last_seq, .. } = summary;
        Self { conversation: conversation.into(), group: group.map(Arc::new), head: last_seq }
    }
}

/// The remembered conversations. Who is in a direct or a support conversation never changes. Groups are remembered for
/// [`MEMBERSHIP_AGE_MAX`]; where messages are to be shown, by place: what was read when the head was there holds up to there.
///
/// That rests on two promises: a head is raised over an event only after it took effect, and a lane writes nothing behind
/// an event before that.
pub struct Memberships {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<ConversationId, (Talk, Instant)>>,
}

impl Memberships {
    /// An empty memory.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The conversation, or nothing where there is none.
    ///
    /// # Errors
    /// If it is not remembered and the store does not answer.
    pub async fn get(&self, id: ConversationId) -> Result<Option<Talk>, StoreError> {
        match self.known(id) {
            Some(talk) => Ok(Some(talk)),
            None => self.read(id).await,
        }
    }

    /// The same, as it is now.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn read(&self, id: ConversationId) -> Result<Option<Talk>, StoreError> {
        let found = self.store.get(&[id]).await?.pop();
        Ok(found.map(|summary| self.remember(summary.into())))
    }

    /// A conversation whose members its id says, made to exist if it does not.
    ///
    /// # Errors
    /// If it is not remembered and the store does not answer.
    pub async fn open(&self, conversation: &Conversation) -> Result<Talk, StoreError> {
        if let Some((known, _)) = self.lock().get(&conversation.id) {
            return Ok(known.clone());
        }
        self.store.open(conversation).await?;
        Ok(self.remember(Talk::of(conversation.clone())))
    }

    /// The same, of one that exists.
    #[must_use]
    pub fn existing(&self, conversation: &Conversation) -> Talk {
        if let Some((known, _)) = self.lock().get(&conversation.id) {
            return known.clone();
        }
        self.remember(Talk::of(conversation.clone()))
    }

    /// Whether it is remembered here, and lately read.
    #[must_use]
    pub fn known(&self, id: ConversationId) -> Option<Talk> {
        let known = self.lock();
        let (talk, read) = known.get(&id)?;
        let is_fresh = talk.conversation.kind != Kind::Group || read.elapsed() < MEMBERSHIP_AGE_MAX;
        is_fresh.then(|| talk.clone())
    }

    /// Forgets it: it has changed.
    pub fn forget(&self, id: ConversationId) {
        self.lock().remove(&id);
    }

    /// Where somebody's part of a group may begin and end, as was last known here. Not to be relied on: it spares reads.
    #[must_use]
    pub fn guess(&self, seats: &[UserId], group: ConversationId) -> Range {
        let known = self.lock();
        known.get(&group).and_then(|(talk, _)| talk.range(seats)).unwrap_or(Range::ALL)
    }

    /// What one of these seats may see of a group, as far as these messages of it go (ascending): exactly. None for
    /// strangers. An event among them that has not taken effect, because the node that wrote it died, does so now.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn range(
        &self,
        seats: &[UserId],
        group: ConversationId,
        messages: &[&Message],
    ) -> Result<Option<Range>, StoreError> {
        let known = self.lock().get(&group).map(|(talk, _)| talk.clone());
        let talk = match known {
            Some(talk) if !messages.is_empty() && messages.iter().all(|message| talk.covers(message)) => Some(talk),
            _ => self.reflect(group, messages).await?,
        };
        Ok(talk.and_then(|talk| talk.range(seats)))
    }

    /// The group as it is now, after these messages of it (ascending) took effect if they had not.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn reflect(&self, group: ConversationId, messages: &[&Message]) -> Result<Option<Talk>, StoreError> {
        let Some(talk) = self.read(group).await? else { return Ok(None) };
        let missing: Vec<&Message> = messages.iter().filter(|message| !talk.reflects(message)).copied().collect();
        if missing.is_empty() {
            return Ok(Some(talk));
        }
        for event in missing {
            tracing::info!(conversation = %group, seq = %event.seq, "an event that had not taken effect does so now");
            self.store.apply(event).await?;
        }
        self.read(group).await
    }

    fn remember(&self, talk: Talk) -> Talk {
        let mut known = self.lock();
        if known.len() >= MEMBERSHIPS_MAX {
            known.clear();
        }
        known.insert(talk.conversation.id, (talk.clone(), Instant::now()));
        talk
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, (Talk, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
