//! What a writer is told whom others were faster than: what they wrote.

use std::sync::Arc;

use tokio::time::sleep;

use super::history::is_full;
use super::{Chat, Send};
use crate::model::limits::{CONFLICT_BYTES_MAX, PAGE_MESSAGES_MAX, STORE_PAUSE};
use crate::model::{ConversationId, Message, Refusal, Seq, Truth, UserId};
use crate::store::{Memberships, Span, Store, StoreError};

/// How often the store is asked for what they wrote; after that, the writer asks for it as history.
const LOOKS: u32 = 5;

/// Where a send might meet others.
pub(super) struct Conflicts {
    store: Arc<dyn Store>,
    memberships: Arc<Memberships>,
    sender: UserId,
    conversation: ConversationId,
    after: Seq,
}

impl Conflicts {
    pub(super) fn of(chat: &Chat, send: &Send) -> Self {
        let after = send.exact.unwrap_or_default();
        let (memberships, sender) = (chat.memberships.clone(), send.sender.clone());
        Self { store: chat.store.clone(), memberships, sender, conversation: send.conversation(), after }
    }

    /// The refusal with what came after the place that its writer saw.
    pub(super) async fn tell(self, refusal: Refusal) -> Refusal {
        for _ in 0..LOOKS {
            match self.page().await {
                Ok(messages) if !messages.is_empty() => {
                    let more = is_full(&messages, PAGE_MESSAGES_MAX);
                    return refusal.with(cut(messages, more));
                }
                _ => sleep(STORE_PAUSE).await,
            }
        }
        refusal.with(Truth::Messages { messages: Vec::new(), more: true })
    }

    /// What came after the place; of a group, what its writer may see of that.
    async fn page(&self) -> Result<Vec<Message>, StoreError> {
        let seats = std::slice::from_ref(&self.sender);
        let is_group = self.memberships.get(self.conversation).await?.is_some_and(|talk| talk.group.is_some());
        if !is_group {
            return self.store.page(self.conversation, Span::After(self.after), PAGE_MESSAGES_MAX).await;
        }
        let after = self.after.max(self.memberships.guess(seats, self.conversation).after);
        let mut page = self.store.page(self.conversation, Span::After(after), PAGE_MESSAGES_MAX).await?;
        let range = self.memberships.range(seats, self.conversation, &page.iter().collect::<Vec<_>>()).await?;
        page.retain(|message| range.is_some_and(|range| range.shows(message.seq)));
        Ok(page)
    }
}

fn cut(mut messages: Vec<Message>, more: bool) -> Truth {
    let mut bytes = 0;
    let fits = |message: &&Message| {
        let room = bytes < CONFLICT_BYTES_MAX;
        bytes += message.text.len();
        room
    };
    let kept = messages.iter().take_while(fits).count();
    let more = more || kept < messages.len();
    messages.truncate(kept);
    Truth::Messages { messages, more }
}
