//! Which nodes there are, as each tells all others now and then: only so that it can be said which of them did not answer.
//! Nothing that matters goes by it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::Bus;
use crate::model::NodeId;
use crate::model::limits::{NODE_SILENCE_MAX, NODE_TOLD_PERIOD, NODES_KNOWN_MAX};
use crate::wire::envelope::Envelope;

/// The nodes that this one has heard of lately.
pub struct Nodes {
    own: NodeId,
    label: String,
    others: Mutex<HashMap<NodeId, (String, Instant)>>,
    /// Told when there is a new one, which has not heard of this one yet.
    newcomer: Notify,
}

impl Nodes {
    /// As seen by the node `own`, which its operator calls `label`.
    #[must_use]
    pub fn new(own: NodeId, label: Option<String>) -> Self {
        Self { own, label: label.unwrap_or_else(|| own.to_string()), others: Mutex::default(), newcomer: Notify::new() }
    }

    /// This node.
    #[must_use]
    pub const fn own(&self) -> NodeId {
        self.own
    }

    /// What this node is called.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The others, with what they are called.
    #[must_use]
    pub fn others(&self) -> Vec<(NodeId, String)> {
        let mut others = self.lock();
        others.retain(|_, (_, heard)| heard.elapsed() < NODE_SILENCE_MAX);
        others.iter().map(|(node, (label, _))| (*node, label.clone())).collect()
    }

    /// A node has said that it is there, or that it leaves.
    pub fn heard(&self, node: NodeId, label: String, leaves: bool) {
        let mut others = self.lock();
        if leaves {
            others.remove(&node);
        } else if node != self.own && (others.len() < NODES_KNOWN_MAX || others.contains_key(&node)) {
            let is_new = others.insert(node, (label, Instant::now())).is_none();
            if is_new {
                self.newcomer.notify_one();
            }
        }
    }

    /// Tells the others that this node is there, for ever; a new one at once.
    pub async fn tell(self: Arc<Self>, bus: Arc<dyn Bus>) {
        loop {
            self.say(&*bus, false).await;
            tokio::select! {
                () = sleep(NODE_TOLD_PERIOD) => {}
                () = self.newcomer.notified() => {}
            }
        }
    }

    /// Tells them that it leaves.
    pub async fn leave(&self, bus: &dyn Bus) {
        self.say(bus, true).await;
    }

    async fn say(&self, bus: &dyn Bus, leaves: bool) {
        let envelope = Envelope::Node { node: self.own.0, label: self.label.clone(), leaves };
        bus.broadcast(envelope.encode()).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, (String, Instant)>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_is_known_until_it_leaves_or_is_silent() {
        let nodes = Nodes::new(NodeId(1), None);
        assert_eq!(nodes.label(), "0000000000000001");
        nodes.heard(NodeId(1), "myself".to_owned(), false);
        assert!(nodes.others().is_empty());
        nodes.heard(NodeId(2), "two".to_owned(), false);
        tokio::time::advance(NODE_SILENCE_MAX - Duration::from_secs(1)).await;
        nodes.heard(NodeId(3), "three".to_owned(), false);
        assert_eq!(nodes.others().len(), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(nodes.others(), [(NodeId(3), "three".to_owned())]);
        nodes.heard(NodeId(3), "three".to_owned(), true);
        assert!(nodes.others().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_are_known() {
        let nodes = Nodes::new(NodeId(0), None);
        for node in 1..=NODES_KNOWN_MAX as u64 + 5 {
            nodes.heard(NodeId(node), String::new(), false);
        }
        assert_eq!(nodes.others().len(), NODES_KNOWN_MAX);
    }
}
