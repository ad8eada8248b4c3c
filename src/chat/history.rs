//! Pages of a conversation's messages, for its members.

use super::{Chat, unavailable};
use crate::model::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_MAX};
use crate::model::{ConversationId, Identity, Message, Refusal, Seq};
use crate::store::Span;

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Which side of which place.
    pub span: Span,
    /// At most so many messages; at most [`PAGE_MESSAGES_MAX`] in any case, which is also the default.
    pub limit: Option<usize>,
}

impl Want {
    /// The newest page, or the one before or after a place, as clients ask for it. Both places at once mean `before`.
    #[must_use]
    pub fn of(conversation: ConversationId, before: Option<Seq>, after: Option<Seq>, limit: Option<usize>) -> Self {
        let span = match (before, after) {
            (None, Some(seq)) => Span::After(seq),
            (before, _) => Span::Before(before.unwrap_or(Seq(u64::MAX >> 1))),
        };
        Self { conversation, span, limit }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In ascending order, without a hole.
    pub messages: Vec<Message>,
    /// Whether there are, or may be, more on that side.
    pub more: bool,
}

impl Chat {
    /// A page of a conversation's messages.
    ///
    /// # Errors
    /// `forbidden` to others than its members, `unavailable` if the store does not answer.
    pub async fn history(&self, who: &Identity, want: Want) -> Result<Page, Refusal> {
        self.member(who, want.conversation).await?;
        let limit = want.limit.unwrap_or(PAGE_MESSAGES_MAX).clamp(1, PAGE_MESSAGES_MAX);
        let read = self.store.page(want.conversation, want.span, limit).await;
        let messages = read.map_err(|error| unavailable(&error))?;
        let more = match want.span {
            Span::Before(_) => messages.first().is_some_and(|first| first.seq > Seq(1)),
            Span::After(_) => is_full(&messages, limit),
        };
        Ok(Page { messages, more })
    }
}

pub(super) fn is_full(messages: &[Message], limit: usize) -> bool {
    messages.len() == limit || messages.iter().map(|message| message.text.len()).sum::<usize>() >= PAGE_BYTES_MAX
}
