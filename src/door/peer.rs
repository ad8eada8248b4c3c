//! Whose request it is: the address at the other end of the connection, or the one that a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str;

use ipnet::IpNet;

use crate::model::limits::FORWARDED_HOPS_MAX;

/// The address a request counts for; the listener puts one into the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// The address nearest to us that is not one of our own proxies.
///
/// `forwarded_for` are the values of every `X-Forwarded-For` header, in the order in which they came. A proxy appends
/// the address it was called from, so the list is read from its end, and each entry is believed only because the
/// address after it is trusted. The first untrusted address is the answer. An entry that is no address ends the
/// reading, and so does the bound of [`FORWARDED_HOPS_MAX`]: then the last address reached is the answer.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> IpAddr {
    let mut nearest = peer.to_canonical();
    let hops = forwarded_for.rev().flat_map(|value| value.rsplit(|&byte| byte == b','));
    for hop in hops.take(FORWARDED_HOPS_MAX) {
        if !is_trusted(nearest, trusted) {
            break;
        }
        let Some(further) = parse_hop(hop) else { break };
        nearest = further;
    }
    nearest
}

/// Whether `address` is in one of the networks of `trusted`.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
        .or_else(|| bracketed().map(IpAddr::V6))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "203.0.113.7";
    const PROXY: &str = "10.0.0.1";

    #[test]
    fn only_what_a_trusted_proxy_says_is_believed() {
        let many_proxies = vec!["10.0.0.9"; 1_000].join(",");
        let many_spoofs = format!("{}{CLIENT}", "1.1.1.1,".repeat(1_000));
        let long_garbage = "x".repeat(16_000);
        let cases: &[(&str, &str, &[&str], &str)] = &[
            // what happens, peer, X-Forwarded-For, answer
            ("no proxy, no header", CLIENT, &[], CLIENT),
            ("no proxy, header spoofed", CLIENT, &["1.1.1.1"], CLIENT),
            ("no proxy, own proxy's address spoofed", CLIENT, &["10.0.0.1"], CLIENT),
            ("proxy, no header", PROXY, &[], PROXY),
            ("proxy", PROXY, &[CLIENT], CLIENT),
            ("leftmost spoofed", PROXY, &["1.1.1.1, 203.0.113.7"], CLIENT),
            ("leftmost spoofed as a proxy", PROXY, &["10.0.0.2, 203.0.113.7"], CLIENT),
            ("two proxies", PROXY, &["203.0.113.7, 10.0.0.2"], CLIENT),
            ("two proxies, leftmost spoofed", PROXY, &["1.1.1.1, 203.0.113.7, 10.0.0.2"], CLIENT),
            ("only proxies", PROXY, &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("spoofed header before the proxy's own", PROXY, &["1.1.1.1", CLIENT], CLIENT),
            ("three headers, two proxies", PROXY, &["1.1.1.1", CLIENT, "10.0.0.2"], CLIENT),
            ("headers with lists", PROXY, &["1.1.1.1, 2.2.2.2", "3.3.3.3, 203.0.113.7", "10.0.0.2, 10.0.0.3"], CLIENT),
            ("with a port", PROXY, &["203.0.113.7:4711"], CLIENT),
            ("with a port too high", PROXY, &["203.0.113.7:65536"], PROXY),
            ("IPv6", PROXY, &["2001:db8::7"], "2001:db8::7"),
            ("IPv6 in brackets", PROXY, &["[2001:db8::7]"], "2001:db8::7"),
            ("IPv6 in brackets with a port", PROXY, &["[2001:db8::7]:443"], "2001:db8::7"),
            ("IPv6 with one bracket", PROXY, &["[2001:db8::7"], PROXY),
            ("IPv4 in brackets", PROXY, &["[203.0.113.7]"], PROXY),
            ("IPv4 written as IPv6", PROXY, &["::ffff:203.0.113.7"], CLIENT),
            ("IPv4 proxy written as IPv6", PROXY, &["203.0.113.7, ::ffff:10.0.0.2"], CLIENT),
            ("peer written as IPv6", "::ffff:10.0.0.1", &[CLIENT], CLIENT),
            ("IPv6 proxy", "fd00::1", &[CLIENT], CLIENT),
            ("IPv6 neighbour of the proxy's network", "fd01::1", &[CLIENT], "fd01::1"),
            ("with a zone", PROXY, &["fe80::1%eth0"], PROXY),
            ("garbage", PROXY, &["203.0.113.7, garbage"], PROXY),
            ("garbage on the left is not reached", PROXY, &["garbage, 203.0.113.7"], CLIENT),
            ("garbage behind a proxy", PROXY, &["203.0.113.7, garbage, 10.0.0.2"], "10.0.0.2"),
            ("`unknown`", PROXY, &["203.0.113.7, unknown"], PROXY),
            ("a Unix socket", PROXY, &["203.0.113.7, unix:"], PROXY),
            ("a host name", PROXY, &["client.example"], PROXY),
            ("quoted", PROXY, &["\"203.0.113.7\""], PROXY),
            ("empty", PROXY, &[""], PROXY),
            ("empty item at the end", PROXY, &["203.0.113.7,"], PROXY),
            ("empty item in the middle", PROXY, &["203.0.113.7,,10.0.0.2"], "10.0.0.2"),
            ("empty item on the left is not reached", PROXY, &[",203.0.113.7"], CLIENT),
            ("empty last header", PROXY, &[CLIENT, ""], PROXY),
            ("blanks around it", PROXY, &["1.1.1.1 ,\t 203.0.113.7 \t"], CLIENT),
            ("blank inside", PROXY, &["203.0.113.7 10.0.0.2"], PROXY),
            ("octal", PROXY, &["0203.0.113.7"], PROXY),
            ("as a number", PROXY, &["3405803783"], PROXY),
            ("too few parts", PROXY, &["203.0.113"], PROXY),
            ("a network", PROXY, &["203.0.113.0/24"], PROXY),
            ("a thousand spoofed items", PROXY, &[&many_spoofs], CLIENT),
            ("a thousand proxies", PROXY, &[CLIENT, &many_proxies], "10.0.0.9"),
            ("16 kB of garbage", PROXY, &[&long_garbage], PROXY),
        ];
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/16"].map(|network| network.parse().unwrap()).into();
        for (what, peer, headers, answer) in cases {
            let headers = headers.iter().map(|value| value.as_bytes());
            let found = client_address(peer.parse().unwrap(), headers, &trusted);
            assert_eq!(found, answer.parse::<IpAddr>().unwrap(), "{what}");
        }
    }

    #[test]
    fn the_list_is_read_no_further_than_its_bound() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let behind = |proxies: usize| format!("{CLIENT}{}", ", 10.0.0.2".repeat(proxies));
        let found = |header: String| {
            client_address(PROXY.parse().unwrap(), [header.as_bytes()].into_iter(), &trusted).to_string()
        };
        assert_eq!(found(behind(FORWARDED_HOPS_MAX - 1)), CLIENT);
        assert_eq!(found(behind(FORWARDED_HOPS_MAX)), "10.0.0.2");
    }

    #[test]
    fn bytes_that_are_no_text_name_nobody() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for bytes in [&b"\xff\xfe"[..], b"203.0.113.7\0", b"\x80, \x80"] {
            assert_eq!(client_address(PROXY.parse().unwrap(), [bytes].into_iter(), &trusted).to_string(), PROXY);
        }
    }
}
