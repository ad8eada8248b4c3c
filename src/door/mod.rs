//! The ways in.
//!
//! [`listener`] accepts connections and serves HTTP on them; every connection is a [`line`] with timeouts, every request
//! passes [`reception`] on its way to the router. [`upgrade`] makes a [`websocket`] of a connection, which is read
//! through [`metered`], so that a flood is slowed down ([`budget`]) before it costs anything. [`peer`] and [`guests`]
//! know who is at the other end, and how many of them have not said who they are.
//!
//! Behind them are the doors themselves: [`native`] for clients of the protocol, [`rest`] for backends, [`page`] for
//! people with a browser, and [`ops`] for operators, on a listener of its own.

pub mod budget;
pub mod engineio;
pub mod files;
pub mod guests;
mod line;
pub mod listener;
mod metered;
pub mod native;
pub mod ops;
pub mod origin;
pub mod page;
pub mod peer;
pub mod profile;
mod reception;
mod refuse;
pub mod rest;
pub mod socketio;
pub mod upgrade;
pub mod websocket;
