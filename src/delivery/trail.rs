//! What other nodes ask this one of messages, answered.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::bus::{Bus, Nodes};
use crate::model::{MessageId, NodeId};
use crate::telemetry::Trail;
use crate::wire::trail::Answer;

/// A question of another node, or of this one itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) message: MessageId,
    pub(super) asker: NodeId,
    pub(super) request: u64,
}

/// Answers questions until there are no more. This node has asked itself already.
pub(super) async fn answer(
    mut questions: mpsc::Receiver<Question>,
    trail: Arc<Trail>,
    nodes: Arc<Nodes>,
    bus: Arc<dyn Bus>,
) {
    let own = nodes.own();
    while let Some(Question { message, asker, request }) = questions.recv().await {
        if asker == own {
            continue;
        }
        let answer = Answer { request, node: own.0, known: trail.know(message) };
        if let Some(bytes) = answer.encode() {
            bus.send(asker, bytes).await;
        }
    }
}
