//! What the tests stand on: real servers, and a proxy that misbehaves on demand.

pub(crate) mod chaos;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod dealer;
pub(crate) mod ops;
pub(crate) mod page;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod resp;
pub(crate) mod services;
pub(crate) mod site;
