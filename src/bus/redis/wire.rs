//! The commands of publish and subscribe, on one server and on a cluster.
//!
//! The client library answers SUBSCRIBE before it is written, so only a barrier behind it tells that it was done. On a
//! cluster it takes the answer to SSUBSCRIBE for the answer to whatever was sent next when there is more than one
//! channel in it; with exactly one, its answer is its own.

use std::sync::Arc;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::PubsubInterface;
use fred::types::{Message, Value};
use futures_util::future::join_all;

use super::channel;
use crate::model::UserId;
use crate::redis::{Lost, Session};

/// Something on its way to a user's channel.
#[derive(Clone)]
pub(super) struct Publication {
    pub(super) user: UserId,
    pub(super) payload: Bytes,
}

/// Subscribes to all of `users` and waits until that is in force.
///
/// # Errors
/// When it is not known to be in force. The session is over then.
pub(super) async fn subscribe(session: &Session, users: &[UserId]) -> Result<(), Lost> {
    if users.is_empty() {
        return Ok(());
    }
    if !session.is_clustered() {
        return refused(session, session.client().subscribe(names(users)).await, Session::barrier(session)).await;
    }
    let each = users.iter().map(|user| session.client().ssubscribe(channel::name(user)));
    let all: Result<Vec<()>, Error> = join_all(each).await.into_iter().collect();
    refused(session, all.map(drop), async { Ok(()) }).await
}

/// Unsubscribes from all of `users`.
///
/// # Errors
/// When the session is over.
pub(super) async fn unsubscribe(session: &Session, users: &[UserId]) -> Result<(), Lost> {
    if users.is_empty() {
        return Ok(());
    }
    if !session.is_clustered() {
        return refused(session, session.client().unsubscribe(names(users)).await, async { Ok(()) }).await;
    }
    let each = users.iter().map(|user| session.client().sunsubscribe(channel::name(user)));
    let all: Result<Vec<()>, Error> = join_all(each).await.into_iter().collect();
    // An answer that says "not here, there" would be taken for the answer to the next command. Let that be a ping.
    refused(session, all.map(drop), session.barrier()).await
}

async fn refused(
    session: &Session,
    done: Result<(), Error>,
    then: impl Future<Output = Result<(), Lost>>,
) -> Result<(), Lost> {
    match done {
        Ok(()) => then.await,
        Err(error) => Err(session.end_because(error)),
    }
}

fn names(users: &[UserId]) -> Vec<String> {
    users.iter().map(channel::name).collect()
}

/// Publishes all of `batch`, in order.
///
/// # Errors
/// When any of it may not have been done; how much is unknown.
pub(super) async fn publish(session: &Arc<Session>, batch: &[Publication]) -> Result<(), Error> {
    let pipeline = Client::pipeline(session.client());
    for Publication { user, payload } in batch {
        let (name, payload) = (channel::name(user), Value::Bytes(payload.clone()));
        if session.is_clustered() {
            pipeline.spublish::<(), _, _>(name, payload).await?;
        } else {
            pipeline.publish::<(), _, _>(name, payload).await?;
        }
    }
    pipeline.all().await
}

/// What came on a channel of ours.
pub(super) fn received(message: Message) -> Option<Publication> {
    let user = channel::user(&message.channel)?;
    let payload = match message.value {
        Value::Bytes(bytes) => bytes,
        Value::String(text) => text.into_inner(),
        _ => return None,
    };
    Some(Publication { user, payload })
}
