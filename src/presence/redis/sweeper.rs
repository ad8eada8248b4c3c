//! Sweeps up after dead nodes: finds out who was still there, and takes away what they registered.

use std::sync::Arc;

use fred::error::Error;
use tokio::sync::watch;

use super::post::Post;
use super::scripts;
use crate::model::limits::PRESENCE_LEASE;
use crate::model::{NodeId, Timestamp, UserId, Whereabouts};
use crate::redis::Session;

/// Registrations whose lease ended, and when.
pub(super) type Dead = Vec<(NodeId, Timestamp)>;

/// Sweeps whenever there are dead, if no other node does.
pub(super) async fn run(post: Arc<Post>, mut dead: watch::Receiver<Dead>) {
    while dead.changed().await.is_ok() {
        let dead = dead.borrow_and_update().clone();
        let Some((own, session)) = post.registered() else { continue };
        if let Err(error) = sweep(&post, &session, own, dead).await {
            tracing::debug!(%error, "what a dead node left behind is swept up later");
        }
    }
}

async fn sweep(post: &Post, session: &Session, own: NodeId, dead: Dead) -> Result<(), Error> {
    if dead.is_empty() || !scripts::may_sweep(session, own).await? {
        return Ok(());
    }
    for (registration, died) in dead {
        if post.doubt_ends().is_some() {
            break; // it may be back in a moment
        }
        sweep_one(post, session, registration, died).await?;
        post.desk.metrics.swept.increment(1);
        tracing::info!(%registration, "a node that was connected to Redis is dead; its users are gone from there");
    }
    scripts::swept(session).await
}

/// A registration whose lease ended is never used again: a node that comes back registers anew. So nothing here can
/// collide with it.
async fn sweep_one(post: &Post, session: &Session, registration: NodeId, died: Timestamp) -> Result<(), Error> {
    // The last sign of life was when the lease was renewed.
    let last_beat = Timestamp(died.0.saturating_sub(PRESENCE_LEASE.as_millis() as u64));
    let mut from = Some("0".to_owned());
    while let Some(page) = from {
        let (users, next) = scripts::remains(session, registration, &page).await?;
        let whereabouts = post.find(&users.iter().map(|(user, _)| user.clone()).collect::<Vec<UserId>>()).await;
        let gone = users.into_iter().zip(whereabouts).filter(|(_, found)| *found != Whereabouts::Here);
        let left = gone.map(|((user, since), _)| (user, since.unwrap_or(last_beat)));
        post.desk.ledger().left_elsewhere(left);
        from = next;
    }
    scripts::remove(session, registration).await?;
    scripts::strike(session, registration).await
}
