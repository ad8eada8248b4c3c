//! A load balancer without affinity: it deals connections to the nodes, one by one.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Deals until it is dropped.
pub(crate) struct Dealer {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Dealer {
    /// Deals to these, in turns.
    pub(crate) async fn start(nodes: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            for node in nodes.into_iter().cycle() {
                let Ok((mut client, _)) = listener.accept().await else { return };
                tokio::spawn(async move {
                    // Either side may leave at any time.
                    let Ok(mut server) = TcpStream::connect(node).await else { return };
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
