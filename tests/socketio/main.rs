//! The Engine.IO and Socket.IO doors from outside, over real connections: what the official suites of both protocols ask,
//! and what they do not.

#![expect(clippy::unwrap_used, reason = "what a test makes itself is as it made it, or the test has failed")]

mod cases;
mod cluster;
#[path = "../../examples/socketio_echo/engine.rs"]
mod engine;
mod engine_suite;
mod malformed;
mod sessions;
#[path = "../../examples/socketio_echo/socket.rs"]
mod socket;
mod socket_suite;
mod support;
