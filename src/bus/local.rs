//! The bus of nodes that live in one process: the embedded node, and several nodes in one test.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::channel::Channel;
use super::metrics::BusMetrics;
use super::outlet::Outlet;
use super::{Bus, BusEvent, Hearing};
use crate::model::{NodeId, UserId};

/// What the nodes of one process share. Cheap to clone. It is never away, and nothing is ever lost on the way.
#[derive(Clone, Default)]
pub struct LocalHub(Arc<RwLock<Hub>>);

#[derive(Default)]
struct Hub {
    /// The nodes that ever joined. A place is empty once its node left, and not used again.
    nodes: Vec<Option<Outlet>>,
    /// The places of the nodes that subscribe to a channel. Never an empty list.
    channels: HashMap<Channel, Vec<u32>>,
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
        let bus = LocalBus { hub: self.clone(), node, metrics };
        bus.enter(Channel::Everyone);
        (bus, events)
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

impl LocalBus {
    fn hand_over(&self, channel: &Channel, payload: &Bytes) {
        self.metrics.publications.increment(1);
        let hub = self.hub.read();
        let Some(subscribers) = hub.channels.get(channel) else { return };
        for outlet in subscribers.iter().filter_map(|&node| hub.nodes[node as usize].as_ref()) {
            outlet.hand_over(channel.clone(), payload.clone());
        }
    }

    fn enter(&self, channel: Channel) {
        let mut hub = self.hub.write();
        let subscribers = hub.channels.entry(channel).or_default();
        if !subscribers.contains(&self.node) {
            subscribers.push(self.node);
            self.metrics.subscriptions.increment(1.0);
        }
    }

    fn strike(&self, channel: &Channel) {
        let mut hub = self.hub.write();
        let Some(subscribers) = hub.channels.get_mut(channel) else { return };
        let before = subscribers.len();
        subscribers.retain(|node| *node != self.node);
        let left = before - subscribers.len();
        if subscribers.is_empty() {
            hub.channels.remove(channel);
        }
        self.metrics.subscriptions.decrement(left as f64);
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, user: &UserId, payload: Bytes) {
        self.hand_over(&Channel::User(user.clone()), &payload);
    }

    async fn subscribe(&self, user: &UserId) {
        self.enter(Channel::User(user.clone()));
    }

    async fn unsubscribe(&self, user: &UserId) {
        self.strike(&Channel::User(user.clone()));
    }

    async fn send(&self, to: NodeId, frame: Bytes) {
        self.hand_over(&Channel::Node(to), &frame);
    }

    async fn broadcast(&self, payload: Bytes) {
        self.hand_over(&Channel::Everyone, &payload);
    }

    async fn listen(&self, node: NodeId) -> mpsc::Receiver<Bytes> {
        let frames = self.hub.read().nodes[self.node as usize].as_ref().map(Outlet::listen);
        self.enter(Channel::Node(node));
        frames.unwrap_or_else(|| mpsc::channel(1).1)
    }

    fn hearing(&self) -> Hearing {
        Hearing::Well
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
