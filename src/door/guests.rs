//! Who has not shown a token yet, counted by address: one address alone cannot fill the house.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections without a token each address has. An address is in the table only while it has some, so the
/// table is never longer than the number of open connections.
#[derive(Debug)]
pub struct Guests {
    most: u32,
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

impl Guests {
    /// A table that admits at most `most` guests from one address.
    #[must_use]
    pub fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most, by_address: Mutex::default() })
    }

    /// Counts one more guest from `address`; `None` when it has as many as it may have.
    #[must_use]
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Unauthenticated> {
        let place = place_of(address);
        let mut by_address = self.lock();
        let count = by_address.entry(place).or_default();
        if *count >= self.most {
            if *count == 0 {
                by_address.remove(&place);
            }
            return None;
        }
        *count += 1;
        drop(by_address);
        Some(Unauthenticated { counted: AtomicBool::new(true), place, guests: Arc::clone(self) })
    }

    /// A guest who is not counted: somebody behind a trusted proxy that did not say who.
    #[must_use]
    pub fn admit_uncounted(self: &Arc<Self>, address: IpAddr) -> Unauthenticated {
        Unauthenticated { counted: AtomicBool::new(false), place: place_of(address), guests: Arc::clone(self) }
    }

    /// How many addresses have guests.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.lock().len()
    }

    fn leave(&self, place: IpAddr) {
        if let Entry::Occupied(mut count) = self.lock().entry(place) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One guest. Counts for its address until [`authenticated`](Self::authenticated) or until it is dropped.
///
/// The listener puts an `Arc` of it into the extensions of every request. It belongs to the connection, or, behind a
/// trusted proxy, to the request and to the WebSocket that the request becomes.
#[derive(Debug)]
pub struct Unauthenticated {
    counted: AtomicBool,
    place: IpAddr,
    guests: Arc<Guests>,
}

impl Unauthenticated {
    /// A token was accepted: this is no guest any longer. Saying so twice does no harm.
    pub fn authenticated(&self) {
        if self.counted.swap(false, Ordering::Relaxed) {
            self.guests.leave(self.place);
        }
    }
}

impl Drop for Unauthenticated {
    fn drop(&mut self) {
        self.authenticated();
    }
}

/// Whoever has one IPv6 address has the 2^64 of its network too, so they count as one.
fn place_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_guests_and_no_more() {
        let guests = Guests::new(2);
        let first = guests.admit(at("192.0.2.1")).unwrap();
        let second = guests.admit(at("::ffff:192.0.2.1")).unwrap();
        assert!(guests.admit(at("192.0.2.1")).is_none());
        let other = guests.admit(at("192.0.2.2")).unwrap();
        assert_eq!(guests.addresses(), 2);

        first.authenticated();
        first.authenticated();
        let third = guests.admit(at("192.0.2.1")).unwrap();
        assert!(guests.admit(at("192.0.2.1")).is_none());
        drop(first);
        assert!(guests.admit(at("192.0.2.1")).is_none(), "who has said their name is not counted off twice");
        drop((second, third, other));
        assert_eq!(guests.addresses(), 0);
    }

    #[test]
    fn a_v6_network_counts_as_one_address() {
        let guests = Guests::new(1);
        let one = guests.admit(at("2001:db8:1:2::1")).unwrap();
        assert!(guests.admit(at("2001:db8:1:2:ffff:ffff:ffff:ffff")).is_none());
        let next_network = guests.admit(at("2001:db8:1:3::1")).unwrap();
        drop((one, next_network));
        assert_eq!(guests.addresses(), 0);
    }

    #[test]
    fn the_uncounted_take_no_place() {
        let guests = Guests::new(1);
        let many = [(); 10].map(|()| guests.admit_uncounted(at("10.0.0.1")));
        many.iter().for_each(Unauthenticated::authenticated);
        let counted = guests.admit(at("10.0.0.1")).unwrap();
        drop(many);
        assert!(guests.admit(at("10.0.0.1")).is_none());
        drop(counted);
        assert_eq!(guests.addresses(), 0);
    }

    #[test]
    fn a_house_without_guests_keeps_no_table() {
        let guests = Guests::new(0);
        assert!(guests.admit(at("192.0.2.1")).is_none());
        assert_eq!(guests.addresses(), 0);
    }
}
