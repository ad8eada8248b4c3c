//! The bus of nodes that live in one process: the embedded node, and several nodes in one test.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::metrics::BusMetrics;
use super::outlet::Outlet;
use super::{Bus, BusEvent};
use crate::model::UserId;

/// What the nodes of one process share. Cheap to clone. It is never away, and nothing is ever lost on the way.
#[derive(Clone, Default)]
pub struct LocalHub(Arc<RwLock<Hub>>);

#[derive(Default)]
struct Hub {
    /// The nodes that ever joined. A place is empty once its node left, and not used again.
    nodes: Vec<Option<Outlet>>,
    /// The places of the nodes that subscribe to a user. Never an empty list.
    channels: HashMap<UserId, Vec<u32>>,
}

impl LocalHub {
    /// A node's own bus, and its events. The node leaves when its bus is dropped.
    #[must_use]
    pub fn join(&self) -> (LocalBus, mpsc::Receiver<BusEvent>) {
        let metrics = BusMetrics::new();
        let (outlet, events) = Outlet::new(metrics.clone());
        let mut hub = self.write();
        let node = hub.nodes.len() as u32;
        hub.nodes.push(Some(outlet));
        drop(hub);
        (LocalBus { hub: self.clone(), node, metrics }, events)
    }

    fn read(&self) -> RwLockReadGuard<'_, Hub> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Hub> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One node's bus. Publishing hands the event over at once.
pub struct LocalBus {
    hub: LocalHub,
    node: u32,
    metrics: BusMetrics,
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, user: &UserId, payload: Bytes) {
        self.metrics.publications.increment(1);
        let hub = self.hub.read();
        let Some(subscribers) = hub.channels.get(user) else { return };
        for outlet in subscribers.iter().filter_map(|&node| hub.nodes[node as usize].as_ref()) {
            outlet.message(user.clone(), payload.clone());
        }
    }

    async fn subscribe(&self, user: &UserId) {
        let mut hub = self.hub.write();
        let subscribers = hub.channels.entry(user.clone()).or_default();
        if !subscribers.contains(&self.node) {
            subscribers.push(self.node);
            self.metrics.subscriptions.increment(1.0);
        }
    }

    async fn unsubscribe(&self, user: &UserId) {
        let mut hub = self.hub.write();
        let Some(subscribers) = hub.channels.get_mut(user) else { return };
        let before = subscribers.len();
        subscribers.retain(|node| *node != self.node);
        let left = before - subscribers.len();
        if subscribers.is_empty() {
            hub.channels.remove(user);
        }
        self.metrics.subscriptions.decrement(left as f64);
    }
}

impl Drop for LocalBus {
    fn drop(&mut self) {
        let mut hub = self.hub.write();
        hub.nodes[self.node as usize] = None;
        let mut left = 0;
        hub.channels.retain(|_, subscribers| {
            let before = subscribers.len();
            subscribers.retain(|node| *node != self.node);
            left += before - subscribers.len();
            !subscribers.is_empty()
        });
        self.metrics.subscriptions.decrement(left as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_leaves_takes_its_subscriptions_along() {
        let hub = LocalHub::default();
        let (ann, (one, _one), (two, mut heard)) = ("ann".parse().unwrap(), hub.join(), hub.join());
        one.subscribe(&ann).await;
        two.subscribe(&ann).await;
        drop(one);
        two.publish(&ann, Bytes::from_static(b"hi")).await;
        assert!(heard.try_recv().is_ok());
        drop(two);
        assert!(hub.read().channels.is_empty());
        assert_eq!(heard.recv().await, None, "a bus that is gone has no events");
    }
}
