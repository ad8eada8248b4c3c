//! Conversations: their messages at their places, their heads, and how far they were read.

use std::future::Future;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::ImportError;
use super::count::Counters;
use super::talk::{Marks, Parties};
use crate::model::limits::{IMPORT_PATIENCE, IMPORT_TALKS_AT_ONCE_MAX, STORE_PAUSE};
use crate::model::{ClientKey, Conversation, ConversationId, Message, NewMessage, Seq, StoreTime, UserId};
use crate::store::mongo::classic::OldMessage;
use crate::store::{Archive, Attempt, Outcome, Span, StoreError};

/// Where conversations go.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) store: Arc<dyn Archive>,
    /// When this import began, by the store's clock: nothing that it stores is newer.
    pub(super) began: StoreTime,
    pub(super) counters: Arc<Counters>,
}

/// Why a conversation is not imported (any further).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Foreign {
    /// Where something else was found than the import would have put there.
    at: Seq,
}

/// The messages of one conversation, in order.
pub(super) enum Pieces {
    /// All of them.
    Whole(Vec<OldMessage>),
    /// One piece after another.
    Coming(mpsc::Receiver<Vec<OldMessage>>),
}

impl Pieces {
    async fn next(&mut self) -> Option<Vec<OldMessage>> {
        match self {
            Self::Whole(messages) if messages.is_empty() => None,
            Self::Whole(messages) => Some(std::mem::take(messages)),
            Self::Coming(pieces) => pieces.recv().await,
        }
    }
}

/// A conversation whose messages are all there.
struct Placed {
    last: Message,
    read: Vec<(ConversationId, UserId, Seq)>,
}

impl Target {
    /// Adopts conversations (at most [`IMPORT_BATCH_MAX`](crate::model::limits::IMPORT_BATCH_MAX)): makes them exist, puts
    /// their messages to their places, some conversations at a time, and when all are there raises heads and cursors.
    pub(super) async fn adopt(self, talks: Vec<(Parties, Pieces)>) -> Result<(), ImportError> {
        let conversations: Vec<Conversation> = talks.iter().map(|(parties, _)| parties.conversation()).collect();
        patiently(|| self.store.open_all(&conversations)).await?;
        let place = |((parties, pieces), conversation)| self.clone().place(parties, pieces, conversation);
        let placing: Vec<_> = talks.into_iter().zip(conversations).map(place).collect();
        let placed: Vec<Option<Placed>> =
            futures_util::stream::iter(placing).buffer_unordered(IMPORT_TALKS_AT_ONCE_MAX).try_collect().await?;
        let (heads, read): (Vec<Message>, Vec<_>) =
            placed.into_iter().flatten().map(|Placed { last, read }| (last, read)).unzip();
        let read = read.concat();
        patiently(|| self.store.settle(&heads, self.began)).await?;
        patiently(|| self.store.advance_all(&read)).await?;
        self.counters.conversations(heads.len());
        Ok(())
    }

    /// Puts the messages of one conversation to their places, unless something else is there.
    async fn place(
        self,
        parties: Parties,
        mut pieces: Pieces,
        conversation: Conversation,
    ) -> Result<Option<Placed>, ImportError> {
        let mut place = Place { target: &self, conversation: conversation.id, next: Seq(1), end: Seq::ZERO };
        place.look_at_the_end().await?;
        let mut marks = Marks::default();
        let mut last = None;
        while let Some(piece) = pieces.next().await {
            piece.iter().for_each(|message| marks.note(&parties, message));
            match place.put(piece).await? {
                Ok(message) => last = message.or(last),
                Err(foreign) => {
                    self.refuse(&conversation, foreign, pieces).await;
                    return Ok(None);
                }
            }
        }
        let read = |member: &UserId| (conversation.id, member.clone(), marks.cursor(member));
        let read = conversation.members.iter().map(read).collect();
        Ok(last.map(|last| Placed { last, read }))
    }

    /// Leaves a conversation as it is, and lets the rest of it pass by.
    async fn refuse(&self, conversation: &Conversation, foreign: Foreign, mut pieces: Pieces) {
        if self.counters.refused() {
            let members: Vec<&str> = conversation.members.iter().map(UserId::as_str).collect();
            tracing::warn!(
                conversation = %conversation.id,
                "the conversation of {} is refused: its message {} was not put there by an import",
                members.join(" and "),
                foreign.at
            );
        }
        while let Some(piece) = pieces.next().await {
            self.counters.refused_messages(piece.len());
        }
    }
}

/// Where in a conversation the import is.
struct Place<'a> {
    target: &'a Target,
    conversation: ConversationId,
    /// The place of the next message.
    next: Seq,
    /// The last place that is known to be taken.
    end: Seq,
}

impl Place<'_> {
    async fn look_at_the_end(&mut self) -> Result<(), ImportError> {
        let tail = patiently(|| self.target.store.tail(self.conversation, None)).await?;
        self.end = tail.map_or(Seq::ZERO, |tail| tail.seq).max(self.end);
        Ok(())
    }

    /// Sees to it that these messages are at the next places; answers the last of them.
    async fn put(&mut self, piece: Vec<OldMessage>) -> Result<Result<Option<Message>, Foreign>, ImportError> {
        let numbered = (self.next.0..).map(Seq).zip(piece);
        let mut attempts: Vec<Attempt> = numbered.map(|(seq, old)| self.attempt(seq, old)).collect();
        let last = attempts.last().cloned();
        let counters = &self.target.counters;
        let mut patience = Patience::default();
        while let Some(first) = attempts.first() {
            if first.seq > self.end {
                let stored = self.store(&attempts, &mut patience).await?;
                counters.imported(stored);
                self.step(&mut attempts, stored);
                continue;
            }
            match self.compare(&attempts).await? {
                Ok(same) => {
                    counters.already(same);
                    self.step(&mut attempts, same);
                }
                Err(foreign) => {
                    counters.refused_messages(attempts.len());
                    return Ok(Err(foreign));
                }
            }
        }
        Ok(Ok(last.map(|attempt| attempt.message.at_seq(attempt.seq))))
    }

    fn attempt(&self, seq: Seq, old: OldMessage) -> Attempt {
        let OldMessage { id, sender, text, at, .. } = old;
        let key = ClientKey::imported(id);
        Attempt { message: NewMessage { conversation: self.conversation, id, sender, key, at, text, event: None }, seq }
    }

    /// Stores messages behind the end; answers how many. Where something is in the way, the end is found anew.
    async fn store(&mut self, attempts: &[Attempt], patience: &mut Patience) -> Result<usize, ImportError> {
        let outcomes = self.target.store.adopt_run(attempts.to_vec(), self.target.began).await;
        let stored = outcomes.iter().take_while(|outcome| **outcome == Outcome::Stored).count();
        let Some(outcome) = outcomes.into_iter().nth(stored) else { return Ok(stored) };
        if let Outcome::Refused(error) | Outcome::Unknown(error) = outcome {
            patience.bear(error).await?;
            self.look_at_the_end().await?;
        } else {
            // Somebody else was here: another import, or a living soul. Who, is seen by comparing.
            self.look_at_the_end().await?;
            if attempts.get(stored).is_some_and(|taken| taken.seq > self.end) {
                patience.bear(StoreError::Unavailable("a taken place cannot be read yet".to_owned())).await?;
            }
        }
        Ok(stored)
    }

    /// How many of these messages are at their places, up to the end of a page of the store; at least one, unless something
    /// else is where the first belongs.
    async fn compare(&self, attempts: &[Attempt]) -> Result<Result<usize, Foreign>, ImportError> {
        let before = Span::After(self.next.previous());
        let page = patiently(|| self.target.store.page(self.conversation, before, attempts.len())).await?;
        if page.is_empty() {
            return Err(StoreError::Broken(format!(
                "conversation {} lacks its message {}",
                self.conversation, self.next
            ))
            .into());
        }
        let is_there = |(found, attempt): &(&Message, &Attempt)| {
            let Attempt { message, seq } = attempt;
            (found.seq, found.id, &found.sender, &found.key) == (*seq, message.id, &message.sender, &message.key)
        };
        let there = page.iter().zip(attempts).take_while(is_there).count();
        Ok(if there > 0 { Ok(there) } else { Err(Foreign { at: self.next }) })
    }

    fn step(&mut self, attempts: &mut Vec<Attempt>, count: usize) {
        attempts.drain(..count);
        self.next = Seq(self.next.0 + count as u64);
        self.end = self.end.max(self.next.previous());
    }
}

/// How long a store that is away has been waited for.
#[derive(Debug, Default)]
struct Patience {
    until: Option<Instant>,
}

impl Patience {
    /// Waits a moment, unless it has taken too long already or waiting does not help.
    async fn bear(&mut self, error: StoreError) -> Result<(), ImportError> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + IMPORT_PATIENCE);
        if !matches!(error, StoreError::Unavailable(_)) || Instant::now() >= until {
            return Err(error.into());
        }
        tracing::debug!(%error, "the import waits for the store");
        sleep(STORE_PAUSE).await;
        Ok(())
    }
}

/// Asks until the store answers.
pub(super) async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, ImportError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut patience = Patience::default();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => patience.bear(error).await?,
        }
    }
}
