//! What a writer is told whom others were faster than: what they wrote.

use std::sync::Arc;

use tokio::time::sleep;

use super::history::is_full;
use super::{Chat, Send};
use crate::model::limits::{CONFLICT_BYTES_MAX, PAGE_MESSAGES_MAX, STORE_PAUSE};
use crate::model::{ConversationId, Message, Refusal, Seq, Truth};
use crate::store::{Span, Store};

/// How often the store is asked for what they wrote; after that, the writer asks for it as history.
const LOOKS: u32 = 5;

/// Where a send might meet others.
pub(super) struct Conflicts {
    store: Arc<dyn Store>,
    conversation: ConversationId,
    after: Seq,
}

impl Conflicts {
    pub(super) fn of(chat: &Chat, send: &Send) -> Self {
        let after = send.exact.unwrap_or_default();
        Self { store: chat.store.clone(), conversation: send.conversation(), after }
    }

    /// The refusal with what came after the place that its writer saw.
    pub(super) async fn tell(self, refusal: Refusal) -> Refusal {
        for _ in 0..LOOKS {
            match self.store.page(self.conversation, Span::After(self.after), PAGE_MESSAGES_MAX).await {
                Ok(messages) if !messages.is_empty() => {
                    let more = is_full(&messages, PAGE_MESSAGES_MAX);
                    return refusal.with(cut(messages, more));
                }
                _ => sleep(STORE_PAUSE).await,
            }
        }
        refusal.with(Truth::Messages { messages: Vec::new(), more: true })
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
