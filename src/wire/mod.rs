//! Bytes to frames and frames to bytes. No I/O, no state; every decoder here is fuzzed.
//!
//! To add a frame: a variant in [`client`] or [`server`], a row in `docs/protocol.md`, and an arm in `session`.

pub mod client;
mod close;
mod encoding;
pub mod engineio;
pub mod envelope;
pub mod relay;
mod seal;
pub mod server;
pub mod socketio;
pub mod trail;

pub use client::ClientFrame;
pub use close::Close;
pub use encoding::{DecodeError, Encoding, Form};
pub use seal::{SEAL_BYTES, Seal, Sealer};
pub use server::ServerFrame;
