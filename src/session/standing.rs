//! What was decided about the session's user: read when it begins, and again whenever it may have changed.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::Services;
use super::live::Live;
use crate::delivery::Outbox;
use crate::model::limits::STORE_PAUSE;
use crate::model::{Code, Identity, Refusal, Standing};
use crate::store::StoreError;
use crate::wire::server::Fault;
use crate::wire::{Close, ServerFrame};

/// The reading of a live session's standing.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) under_way: Option<BoxFuture<'static, Result<Arc<Standing>, StoreError>>>,
    /// After the store did not answer: when to ask again.
    pub(super) again_at: Option<Instant>,
}

/// Learns what was decided about who comes. The session's channel is subscribed by now, so that whatever is decided
/// after this is announced to it.
///
/// # Errors
/// `forbidden` to the banned, `unauthorized` to the bearer of a revoked token, `unavailable` if the store does not
/// answer.
pub(super) async fn learn(services: &Services, who: &Identity, outbox: &Outbox) -> Result<(), Refusal> {
    let standing = services.chat.admit(who).await?;
    outbox.set_standing(standing);
    Ok(())
}

/// How a connection ends whose bearer was refused so.
pub(super) fn close_for(refusal: &Refusal) -> Close {
    match refusal.code {
        Code::Forbidden => Close::Forbidden,
        Code::Unauthorized => Close::Token,
        _ => Close::TryLater,
    }
}

impl Live {
    /// Starts to read the standing anew, if something may have been decided.
    pub(super) fn begin_reading_standing(&mut self, now: Instant) {
        if self.standing.under_way.is_some() {
            return;
        }
        let is_due = self.standing.again_at.is_some_and(|at| now >= at);
        // Taken before the read begins: what is decided meanwhile raises another doubt.
        if self.outbox.take_standing_doubt() || is_due {
            self.standing.again_at = None;
            let (services, user) = (self.services.clone(), self.identity.user.clone());
            self.standing.under_way = Some(Box::pin(async move { services.chat.standing(&user).await }));
        }
    }

    /// The standing was read, or not; answers how the connection ends, if it must.
    pub(super) fn on_standing(&mut self, read: Result<Arc<Standing>, StoreError>) -> Option<Close> {
        match read {
            Ok(standing) => {
                self.outbox.set_standing(standing.clone());
                let refusal = standing.refuses(&self.identity)?;
                self.services.metrics.refused(refusal.code);
                let close = close_for(&refusal);
                self.outbox.push(ServerFrame::Error(Fault::from(refusal)));
                Some(close)
            }
            Err(error) => {
                tracing::debug!(%error, "what was decided about a user could not be read yet");
                self.standing.again_at = Some(Instant::now() + STORE_PAUSE * 5);
                None
            }
        }
    }
}
