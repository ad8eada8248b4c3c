//! Switchboard: a horizontally scaled chat cluster.
//!
//! The modules, lowest rank first. A module uses only modules of a lower rank than its own; `tests/shape.rs` reads
//! the ranks from here and keeps it so.

#![forbid(unsafe_code)]

// rank 0: the words
pub mod model;
// rank 1: bytes and strings to checked values
pub mod config;
pub mod wire;
// rank 2: tools
pub mod auth;
pub mod redis;
pub mod telemetry;
// rank 3: the ports, and what implements them
pub mod bus;
pub mod presence;
pub mod store;
// rank 4: the product's rules, the way out, the way in for old histories, and what operators do to a store
pub mod chat;
pub mod delivery;
pub mod import;
pub mod upkeep;
// rank 5: the life of one connection
pub mod session;
// rank 6: the ways in
pub mod door;
// rank 7: the composition root
pub mod node;
