//! Pages of a conversation's messages, for its members.

use super::member::not_yours;
use super::{Chat, unavailable};
use crate::model::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_MAX};
use crate::model::{ConversationId, Identity, Message, Range, Refusal, Seq, UserId};
use crate::store::{Span, StoreError};

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
    /// A page of a conversation's messages: of a group, of those that they may see. Who has left one may still see what
    /// they saw.
    ///
    /// # Errors
    /// `forbidden` to others than its members, `unavailable` if the store does not answer.
    pub async fn history(&self, who: &Identity, want: Want) -> Result<Page, Refusal> {
        let known = self.memberships.get(want.conversation).await.map_err(|error| unavailable(&error))?;
        if known.is_some_and(|talk| talk.group.is_some()) {
            let page = self.part_of_group(&who.seats(), want).await.map_err(|error| unavailable(&error))?;
            return page.ok_or_else(not_yours);
        }
        self.member(who, want.conversation).await?;
        let limit = want.limit.unwrap_or(PAGE_MESSAGES_MAX).clamp(1, PAGE_MESSAGES_MAX);
        let read = self.store.page(want.conversation, want.span, limit).await;
        let messages = read.map_err(|error| unavailable(&error))?;
        let more = match want.span {
            // What is not kept any more is not more: then the page is cut short by where the history begins.
            Span::Before(_) => is_full(&messages, limit) && messages.first().is_some_and(|first| first.seq > Seq(1)),
            Span::After(_) => is_full(&messages, limit),
        };
        Ok(Page { messages, more })
    }

    /// A page of what they may see of a group; none for strangers. What they may see is only certain for messages that
    /// were read: where it was guessed wrong, the page is read again.
    async fn part_of_group(&self, seats: &[UserId], want: Want) -> Result<Option<Page>, StoreError> {
        let limit = want.limit.unwrap_or(PAGE_MESSAGES_MAX).clamp(1, PAGE_MESSAGES_MAX);
        let mut range = self.memberships.guess(seats, want.conversation);
        for _ in 0..GUESSES {
            let read = self.store.page(want.conversation, within(want.span, range), limit).await?;
            let messages: Vec<&Message> = read.iter().collect();
            let Some(certain) = self.memberships.range(seats, want.conversation, &messages).await? else {
                return Ok(None);
            };
            if certain == range {
                let is_whole = is_full(&read, limit);
                let read: Vec<Message> = read.into_iter().filter(|message| range.shows(message.seq)).collect();
                let more = match want.span {
                    Span::Before(_) => is_whole && read.first().is_some_and(|first| first.seq > range.after.next()),
                    Span::After(_) => is_full(&read, limit) && read.last().map(|last| last.seq) != range.until,
                };
                return Ok(Some(Page { messages: read, more }));
            }
            range = certain;
        }
        Err(StoreError::Unavailable("the group changes too fast".to_owned()))
    }
}

/// How often what somebody may see is guessed before giving up: once, once for what the store says, and once for a
/// change just then.
const GUESSES: usize = 4;

/// The part of a span that lies in a range. A page that begins after the range is empty.
fn within(span: Span, range: Range) -> Span {
    match span {
        Span::Before(seq) => Span::Before(range.until.map_or(seq, |until| seq.min(until.next()))),
        Span::After(seq) => Span::After(seq.max(range.after)),
    }
}

pub(super) fn is_full(messages: &[Message], limit: usize) -> bool {
    messages.len() == limit || messages.iter().map(|message| message.text.len()).sum::<usize>() >= PAGE_BYTES_MAX
}
