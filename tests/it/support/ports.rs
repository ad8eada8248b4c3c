//! Ports for servers of our own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Where Linux starts to take the ports of outgoing connections from. A server that is away for a while must not have
/// its port up there: a client that keeps dialling it may be given that very port, and then talks to itself.
const OUTGOING_FROM: u16 = 32_768;
const FIRST: u16 = 10_000;

/// A loopback port that nobody listens on now. Somebody may by the time it is used, so a caller tries again with
/// another when its server does not start.
pub(crate) fn free_port() -> u16 {
    let start = RandomState::new().build_hasher().finish();
    (0..1_000_u64)
        .map(|step| start.wrapping_add(step.wrapping_mul(7_919)))
        .map(|draw| FIRST + (draw % u64::from(OUTGOING_FROM - FIRST)) as u16)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("one of a thousand loopback ports is free")
}
