//! The load generator against real nodes: over every door, and through proxies that do damage. It must say so, and it must
//! not say so otherwise.

mod doors;
mod faults;
mod scenarios;
mod shape;
mod support;
