//! The commands of publish and subscribe, on one server and on a cluster.
//!
//! The client library answers SUBSCRIBE before it is written, so only a barrier behind it tells that it was done. On a
//! cluster it takes the answer to SSUBSCRIBE for the answer to whatever was sent next when there is more than one
//! channel in it; with exactly one, its answer is its own.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, PubsubInterface};
use fred::types::config::Options;
use fred::types::{Message, Value};
use tokio::task::coop::unconstrained;
use tokio::time::timeout;

use super::channel;
use crate::bus::channel::Channel;
use crate::model::limits::REDIS_COMMAND_WAIT;
use crate::redis::{Lost, Session, patience};

/// Something on its way to a channel.
#[derive(Clone)]
pub(super) struct Publication {
    pub(super) channel: Channel,
    pub(super) payload: Bytes,
}

/// Subscribes to all of `channels` and waits until that is in force.
///
/// # Errors
/// When it is not known to be in force. The session is over then.
pub(super) async fn subscribe(session: &Session, channels: &[Channel]) -> Result<(), Lost> {
    if channels.is_empty() {
        return Ok(());
    }
    if session.is_clustered() {
        let client = session.client().with_options(&patience());
        let each = channels.iter().map(|channel| client.ssubscribe(channel::name(channel)));
        return session.answer(all(each)).await;
    }
    // In one pipeline nothing is read between the two, so that a refusal is taken for the answer to the ping. By
    // itself it would go unnoticed.
    let pipeline = session.client().pipeline().with_options(&patience());
    let subscribed = async {
        pipeline.subscribe(names(channels)).await?;
        pipeline.ping::<()>(None).await?;
        pipeline.last().await
    };
    session.answer(subscribed).await
}

/// Unsubscribes from all of `channels`.
///
/// # Errors
/// When the session is over.
pub(super) async fn unsubscribe(session: &Session, channels: &[Channel]) -> Result<(), Lost> {
    if channels.is_empty() {
        return Ok(());
    }
    let client = session.client().with_options(&patience());
    if session.is_clustered() {
        session.answer(all(channels.iter().map(|channel| client.sunsubscribe(channel::name(channel))))).await?;
        // An answer that says "not here, there" would be taken for the answer to the next command. Let that be a ping.
        return session.barrier().await;
    }
    session.answer(client.unsubscribe(names(channels))).await
}

/// Sends all of `commands`, in order, and then waits for all of them. Each is queued when it is first polled: here, one
/// after the other, where `join_all` may wait before it has polled the last. Ends with the first that fails.
async fn all(commands: impl Iterator<Item = impl Future<Output = Result<(), Error>>>) -> Result<(), Error> {
    let sent_and_answered = async {
        let mut waiting = Vec::new();
        for command in commands {
            let mut command = Box::pin(command);
            match poll_fn(|cx| Poll::Ready(command.as_mut().poll(cx))).await {
                Poll::Ready(answer) => answer?,
                Poll::Pending => waiting.push(command),
            }
        }
        for command in waiting {
            command.await?;
        }
        Ok(())
    };
    unconstrained(sent_and_answered).await
}

fn names(channels: &[Channel]) -> Vec<String> {
    channels.iter().map(channel::name).collect()
}

/// Publishes all of `batch`, in order: the first poll queues all of it.
///
/// They are commands of their own, which the client library writes together with whatever else waits; what it calls a
/// pipeline it flushes after each command. They are waited for together, under one timer.
///
/// # Errors
/// When any of it may not have been done; how much is unknown.
pub(super) async fn publish(session: &Session, batch: &[Publication]) -> Result<(), Error> {
    let client = session.client().with_options(&Options { timeout: Some(Duration::ZERO), ..Options::default() });
    let each = batch.iter().map(|Publication { channel, payload }| {
        let (name, payload) = (channel::name(channel), Value::Bytes(payload.clone()));
        let client = &client;
        async move {
            if session.is_clustered() {
                client.spublish(name, payload).await
            } else {
                client.publish(name, payload).await
            }
        }
    });
    match timeout(REDIS_COMMAND_WAIT, all(each)).await {
        Ok(published) => published,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "Redis did not answer in time")),
    }
}

/// What came on a channel of ours.
pub(super) fn received(message: Message) -> Option<Publication> {
    let channel = channel::parse(&message.channel)?;
    let payload = match message.value {
        Value::Bytes(bytes) => bytes,
        Value::String(text) => text.into_inner(),
        _ => return None,
    };
    Some(Publication { channel, payload })
}
