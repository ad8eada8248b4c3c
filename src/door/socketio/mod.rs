//! Socket.IO on top of an Engine.IO session: [`Connection`] knows what a client may say now, without I/O.

mod connection;

pub use connection::{Connection, INVALID_NAMESPACE, Input};
