//! Retention by age: of each conversation, what is older is deleted from its beginning on. Places are never given again, so
//! the last message stays where it is, but without its words. Nothing is remembered: run again, it goes on where it was.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::UpkeepError;
use crate::model::limits::{PURGE_CONVERSATIONS, RESTORE_PATIENCE, STORE_PAUSE, UPKEEP_REPORT_PERIOD};
use crate::model::{ConversationId, Seq, StoreTime};
use crate::store::{Span, Store, StoreError};

/// What a purge did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Conversations that were looked at.
    pub conversations: u64,
    /// Those of them in which something was old.
    pub touched: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Last messages that were emptied.
    pub emptied: u64,
}

impl fmt::Display for Purged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, touched, deleted, emptied } = self;
        write!(
            f,
            "{conversations} conversations looked at, {touched} of them with old messages: {deleted} deleted, {emptied} \
             last ones emptied"
        )
    }
}

/// Deletes what the store took longer ago than `age`, also while nodes use it. If `dry`, it only counts. `report` is told
/// now and then how far it is.
///
/// # Errors
/// The store was away for too long, or is damaged. What was done is done.
pub async fn purge(
    store: &dyn Store,
    age: Duration,
    dry: bool,
    mut report: impl FnMut(Purged),
) -> Result<Purged, UpkeepError> {
    let before = patiently(async || store.now().await).await?.minus(age);
    let mut purged = Purged::default();
    let (mut after, mut reported) = (None, Instant::now());
    loop {
        let some = patiently(async || store.conversations_after(after, PURGE_CONVERSATIONS).await).await?;
        let Some(last) = some.last().copied() else { return Ok(purged) };
        after = Some(last);
        for conversation in some {
            purge_one(store, conversation, before, dry, &mut purged).await?;
            if reported.elapsed() >= UPKEEP_REPORT_PERIOD {
                reported = Instant::now();
                report(purged);
            }
        }
    }
}

async fn purge_one(
    store: &dyn Store,
    conversation: ConversationId,
    before: StoreTime,
    dry: bool,
    purged: &mut Purged,
) -> Result<(), StoreError> {
    purged.conversations += 1;
    let Some(old) = patiently(async || store.tail(conversation, Some(before)).await).await? else { return Ok(()) };
    let last = patiently(async || store.tail(conversation, None).await).await?;
    let last = last.map_or(old.seq, |last| last.seq);
    let first = patiently(async || store.page(conversation, Span::After(Seq::ZERO), 1).await).await?;
    let Some(first) = first.into_iter().next() else { return Ok(()) };
    let is_all_old = old.seq == last;
    let up_to = if is_all_old { old.seq.previous() } else { old.seq };
    let blanks = is_all_old && if first.seq == last { !first.text.is_empty() } else { true };
    if first.seq > up_to && !blanks {
        return Ok(());
    }
    purged.touched += 1;
    if dry {
        purged.deleted += (up_to.0 + 1).saturating_sub(first.seq.0);
        purged.emptied += u64::from(blanks && says_something(store, conversation, last).await?);
        return Ok(());
    }
    loop {
        let gone = patiently(async || store.purge(conversation, up_to).await).await?;
        purged.deleted += gone;
        if gone == 0 {
            break;
        }
    }
    if blanks {
        purged.emptied += u64::from(patiently(async || store.blank(conversation, last).await).await?);
    }
    Ok(())
}

async fn says_something(store: &dyn Store, conversation: ConversationId, seq: Seq) -> Result<bool, StoreError> {
    let page = patiently(async || store.page(conversation, Span::After(seq.previous()), 1).await).await?;
    Ok(page.first().is_some_and(|message| !message.text.is_empty()))
}

/// Asks again while the store is away, for a while.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let deadline = Instant::now() + RESTORE_PATIENCE;
    loop {
        match ask().await {
            Err(StoreError::Unavailable(_)) if Instant::now() < deadline => sleep(STORE_PAUSE).await,
            answer => return answer,
        }
    }
}
