//! `GET /messages/{id}/trace`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, NoMessageThere};
use super::input::OfMessage;
use super::problem::Problem;
use crate::chat;
use crate::model::{self, MessageId, Timestamp};

/// The way of a message. Times are milliseconds since 1970-01-01 UTC, each by the clock of the node where it happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Trace {
    /// Which message.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    id: MessageId,
    /// Its conversation.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    conversation: model::ConversationId,
    /// Its place there.
    #[schema(value_type = u64, minimum = 1)]
    seq: model::Seq,
    /// When it was accepted.
    #[schema(value_type = u64)]
    accepted: Timestamp,
    /// How it was stored and announced; absent where no node that answered remembers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sending: Option<Sending>,
    /// Whether that was forgotten: every node has answered, and none remembers it.
    forgotten: bool,
    /// The nodes that it came to, in the order in which it did.
    nodes: Vec<Taking>,
    /// The nodes that did not answer in time: what happened there is not known.
    silent: Vec<String>,
    /// How many members it is for, besides its sender.
    members: usize,
    /// To how many of them it was delivered, as their devices say.
    delivered: usize,
    /// How many of them have read it.
    read: usize,
}

/// What happened on the node of the sender.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Sending {
    /// What that node is called.
    node: String,
    /// When it knew that the store has the message for good.
    #[schema(value_type = u64)]
    committed: Timestamp,
    /// When it had told every member's channel.
    #[schema(value_type = u64)]
    published: Timestamp,
}

/// What happened on a node with sockets of members.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Taking {
    /// What that node is called.
    node: String,
    /// When the message came there.
    #[schema(value_type = u64)]
    received: Timestamp,
    /// Whether some of its sockets had missed it, and it was read from the store for them.
    repaired: bool,
    /// To how many sockets it was written; other devices of its sender are among them.
    devices: u32,
    /// When to the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    first_written: Option<Timestamp>,
    /// When to the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    last_written: Option<Timestamp>,
}

impl Trace {
    fn of(id: MessageId, way: chat::Way) -> Self {
        let chat::Way { about, sending, nodes, silent, members, delivered, read } = way;
        let forgotten = sending.is_none() && silent.is_empty();
        let sending =
            sending.map(|(node, sending)| Sending { node, committed: sending.committed, published: sending.published });
        let taking = |(node, taking): (String, crate::wire::trail::Taking)| Taking {
            node,
            received: taking.received,
            repaired: taking.repaired,
            devices: taking.sockets,
            first_written: taking.written.map(|(first, _)| first),
            last_written: taking.written.map(|(_, last)| last),
        };
        let nodes = nodes.into_iter().map(taking).collect();
        let (conversation, seq, accepted) = (about.conversation, about.seq, about.accepted);
        Self { id, conversation, seq, accepted, sending, forgotten, nodes, silent, members, delivered, read }
    }
}

/// Where a message is
///
/// For its sender and for agents, for as long as nodes remember it (a quarter of an hour, unless configured otherwise): when
/// it was accepted, stored and announced, which nodes it came to, to how many devices it was written there, and how many of its
/// receivers have it and have read it. Of what nobody remembers any more, and of messages of others, the answer is 404.
#[utoipa::path(get, path = "/messages/{id}/trace", tag = "messages",
    params(("id" = String, Path, description = "Which message")),
    responses((status = 200, description = "What is known of it", body = Trace), AskFailures, NoMessageThere))]
pub(super) async fn trace(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfMessage(id): OfMessage,
) -> Result<Json<Trace>, Problem> {
    api.trails.take(&who.user, Instant::now())?;
    match api.chat.way(&who, id).await? {
        Some(way) => Ok(Json(Trace::of(id, way))),
        None => Err(Problem::not_found("no such message of yours, or it was forgotten")),
    }
}
