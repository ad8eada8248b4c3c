//! Connections to Redis, Redis Cluster, or what Redis Sentinel says is the master.
//!
//! The client library's own reconnection is switched off: it hides when a connection was lost, keeps dead connections
//! of a cluster alive, and does not notice a partition that swallows packets. Here, a [`Session`] is one life of a
//! connection (on a cluster: of one to each master). Whatever goes wrong ends it, and a new one is dialled.

mod dialer;
mod line;
mod session;
mod settings;

pub(crate) use dialer::Dialer;
pub use line::Line;
pub(crate) use session::{Lost, Session, patience};
pub use settings::{RedisSettings, RedisUrlError};
