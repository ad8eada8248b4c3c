//! Who is there, where there is one node.

use std::sync::Arc;

use async_trait::async_trait;

use crate::chat::Attendance;
use crate::delivery::Delivery;
use crate::model::UserId;

/// Whoever is connected to this node.
pub(super) struct OnThisNode(pub(super) Arc<Delivery>);

#[async_trait]
impl Attendance for OnThisNode {
    async fn here(&self, agents: &[UserId]) -> Vec<Option<bool>> {
        agents.iter().map(|agent| Some(self.0.is_here(agent))).collect()
    }
}
