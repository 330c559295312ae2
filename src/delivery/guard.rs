//! Where a webhook may go: not into our own network, unless the operator says so.
//!
//! Whoever may choose a webhook's address, or run its name server, could otherwise
//! make the daemon knock at doors that only it can reach: other pods, the kubelet,
//! the cloud's metadata. A name is checked when it is connected to, each time: the
//! connection goes to the very addresses that passed, so a name that changes its
//! mind in between gains nothing. An address in the URL itself never asks a
//! resolver and is checked apart; the URL parser has by then turned `0x7f.1` and
//! `2130706433` into what they are.

use crate::delivery::settings::Target;
use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use url::Host;

/// Asks for the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// The machine's own resolver.
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// How far away an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Somewhere in the world.
    Public,
    /// This machine or its own network: for the operator to allow.
    Private,
    /// Nowhere an endpoint can be: link-local, where clouds keep their metadata,
    /// multicast, reserved, and IPv6 that hides an IPv4 address.
    Never,
}

/// Networks of our own: loopback, RFC 1918, shared (RFC 6598).
const PRIVATE_V4: [(Ipv4Addr, u32); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The rest of IANA's special-purpose registry, and the metadata addresses of
/// clouds that lie outside of it: Azure's wire server, Alibaba's in 100.64/10.
const NEVER_V4: [(Ipv4Addr, u32); 12] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const PRIVATE_V6: [(Ipv6Addr, u32); 2] = [(Ipv6Addr::LOCALHOST, 128), (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)];

const NEVER_V6: [(Ipv6Addr, u32); 15] = [
    // AWS's metadata, inside fc00::/7.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128),
    (Ipv6Addr::UNSPECIFIED, 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// How far away `address` is; an IPv4 address written as IPv6 is what it is.
pub fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let within =
                |(network, bits): &(Ipv4Addr, u32)| (u32::from(address) ^ u32::from(*network)) >> (32 - bits) == 0;
            sort(NEVER_V4.iter().any(within), PRIVATE_V4.iter().any(within))
        }
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Reach::Private,
        IpAddr::V6(address) => {
            let within =
                |(network, bits): &(Ipv6Addr, u32)| (u128::from(address) ^ u128::from(*network)) >> (128 - bits) == 0;
            sort(NEVER_V6.iter().any(within), PRIVATE_V6.iter().any(within))
        }
    }
}

fn sort(never: bool, private: bool) -> Reach {
    match (never, private) {
        (true, _) => Reach::Never,
        (false, true) => Reach::Private,
        (false, false) => Reach::Public,
    }
}

/// An endpoint lies where it may not.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` is not to be connected to: it is {place}")]
pub(super) struct Blocked {
    host: String,
    place: &'static str,
}

/// What one endpoint may connect to; also the resolver of its client.
#[derive(Clone)]
pub(super) struct Guard {
    lookup: Lookup,
    allow_private: bool,
}

impl Guard {
    pub(super) fn new(lookup: Lookup, allow_private: bool) -> Self {
        Self { lookup, allow_private }
    }

    /// Whether `target` may be asked for at all: its host is a name, which is seen
    /// to later, or an address that is allowed.
    pub(super) fn admit(&self, target: &Target) -> Result<(), Blocked> {
        admit(target, self.allow_private)
    }

    fn passes(&self, address: IpAddr) -> Result<(), &'static str> {
        passes(address, self.allow_private)
    }
}

/// As [`Guard::admit`], for whoever has no resolver.
pub(super) fn admit(target: &Target, allow_private: bool) -> Result<(), Blocked> {
    let address = match target.url().host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(Blocked { host: String::new(), place: "nowhere" }),
    };
    passes(address, allow_private).map_err(|place| Blocked { host: address.to_string(), place })
}

fn passes(address: IpAddr, allow_private: bool) -> Result<(), &'static str> {
    match reach(address) {
        Reach::Public => Ok(()),
        Reach::Private if allow_private => Ok(()),
        Reach::Private => Err("on a private network, which `allow_private` would allow"),
        Reach::Never => Err("reserved, link-local or multicast"),
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = (guard.lookup)(host.clone()).await?;
            let mut refused = None;
            let mut passed = Vec::new();
            for address in found {
                match guard.passes(address) {
                    Ok(()) => passed.push(SocketAddr::new(address, 0)),
                    Err(place) => refused = Some(place),
                }
            }
            // Of mixed answers the allowed ones are used.
            if let (true, Some(place)) = (passed.is_empty(), refused) {
                return Err(Blocked { host, place }.into());
            }
            let addresses: Addrs = Box::new(passed.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expect: Reach, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(reach(address.parse().unwrap()), expect, "{address}");
        }
    }

    #[test]
    fn the_edges_of_every_network_are_on_their_side() {
        check(
            Reach::Public,
            &["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"],
        );
        check(Reach::Public, &["128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"]);
        check(Reach::Public, &["191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"]);
        check(Reach::Public, &["198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1", "::ffff:1.1.1.1"]);
        check(Reach::Private, &["10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1"]);
        check(Reach::Private, &["127.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"]);
        check(Reach::Private, &["::1", "fc00::1", "fdff::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3"]);
        check(Reach::Never, &["0.0.0.0", "0.255.255.255", "169.254.169.254", "192.0.0.8", "192.0.2.1", "192.88.99.1"]);
        check(Reach::Never, &["198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"]);
        check(Reach::Never, &["255.255.255.255", "100.100.100.200", "168.63.129.16", "::", "::127.0.0.1", "fe80::1"]);
        check(Reach::Never, &["febf::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "3fff::1"]);
        check(Reach::Never, &["64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "5f00::1", "::ffff:0:127.0.0.1"]);
        check(Reach::Never, &["fd00:ec2::254", "::ffff:169.254.169.254", "3ffe::1"]);
    }

    #[test]
    fn what_is_never_reached_no_operator_allows() {
        let admitted = |url: &str, allow| admit(&Target::parse(url).unwrap(), allow).is_ok();
        assert!(admitted("http://10.0.0.1/", true) && !admitted("http://10.0.0.1/", false));
        assert!(!admitted("http://169.254.169.254/", true));
        assert!(admitted("http://1.1.1.1/", false) && admitted("http://localhost/", false), "a name is seen to later");
    }
}
