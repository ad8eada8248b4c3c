//! Requests between nodes, carried by the bus: on the channel of the node that is to hear them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::relay::{Carrier, Relay};
use crate::bus::Bus;
use crate::model::NodeId;

/// The bus as a carrier.
pub struct BusCarrier(pub Arc<dyn Bus>);

impl Carrier for BusCarrier {
    fn send(&self, to: NodeId, frame: Bytes) {
        // Done at the first try, or there is no room in the bus's queue, and the frame is sent again later.
        let _ = self.0.send(to, frame).now_or_never();
    }
}

/// Hands `relay` what other nodes send to `node` and `taken` has not taken, until the bus is gone. Ready for that when this
/// returns.
pub async fn listen<Taken: Fn(&[u8]) -> bool + Send + 'static>(
    relay: Arc<Relay>,
    taken: Taken,
    node: NodeId,
    bus: &Arc<dyn Bus>,
) -> impl Future<Output = ()> + Send + use<Taken> {
    let mut frames = bus.listen(node).await;
    async move {
        while let Some(frame) = frames.recv().await {
            if !taken(&frame) {
                relay.receive(&frame);
            }
        }
    }
}
