//! Which addresses we may speak to. The attack: metadata or a redirect that names our own network, so that we fetch for
//! a stranger what only we can reach (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::model::network::Network;

/// Why an address is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPublic {
    Loopback,
    Private,
    LinkLocal,
    CloudMetadata,
    SharedByCarrier,
    Multicast,
    Reserved,
}

impl NotPublic {
    /// What kind of address it is, for the sentence "… is a ….".
    pub fn words(self) -> &'static str {
        match self {
            Self::Loopback => "loopback address",
            Self::Private => "private address",
            Self::LinkLocal => "link-local address",
            Self::CloudMetadata => "address of a cloud's metadata service",
            Self::SharedByCarrier => "shared address of a carrier's network",
            Self::Multicast => "multicast address",
            Self::Reserved => "reserved address",
        }
    }
}

/// The networks that the operator allows although they are not public (`outbound.allow`).
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allow: Vec<Network>,
}

impl AddressPolicy {
    /// Public addresses, and those in `allow`.
    pub fn new(allow: Vec<Network>) -> Self {
        Self { allow }
    }

    /// Whether we may connect to the address; says what it is otherwise.
    pub fn judge(&self, address: IpAddr) -> Result<(), NotPublic> {
        match not_public(address) {
            Some(_) if self.allow.iter().any(|network| network.contains(address)) => Ok(()),
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Judges a URL's host before any resolver is asked: the URL parser has turned every spelling of an IP address
    /// (decimal, octal, hexadecimal, short, full-width) into the address, and HTTP clients never ask a resolver for those.
    /// A name says nothing yet, apart from `localhost`, which no resolver may redefine (RFC 6761 6.3).
    pub fn judge_host(&self, url: &Url) -> Result<(), NotPublic> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.judge(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.judge(IpAddr::V6(address)),
            Some(Host::Domain(name)) if is_localhost(name) => {
                self.judge(IpAddr::V4(Ipv4Addr::LOCALHOST)).or_else(|why| self.judge(IpAddr::V6(Ipv6Addr::LOCALHOST)).map_err(|_| why))
            }
            Some(Host::Domain(_)) => Ok(()),
            None => Err(NotPublic::Reserved),
        }
    }
}

/// Whether the host is `localhost` or a loopback address: plain http to it leaves the machine by no wire.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => is_localhost(name),
        None => false,
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    // The URL parser has lower-cased it.
    name == "localhost" || name.ends_with(".localhost")
}

/// What keeps an address from being public; `None` if it is.
fn not_public(address: IpAddr) -> Option<NotPublic> {
    match address {
        IpAddr::V4(v4) => v4_not_public(v4),
        IpAddr::V6(v6) => v6_not_public(v6),
    }
}

/// By the IANA registry of special-purpose addresses (RFC 6890): what is not globally reachable is not public.
fn v4_not_public(address: Ipv4Addr) -> Option<NotPublic> {
    match address.octets() {
        // Amazon, Google, Azure, DigitalOcean, OpenStack; Azure's WireServer; Alibaba; Oracle.
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Some(NotPublic::CloudMetadata),
        [127, ..] => Some(NotPublic::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(NotPublic::Private),
        [169, 254, ..] => Some(NotPublic::LinkLocal),
        [100, 64..=127, ..] => Some(NotPublic::SharedByCarrier),
        [224..=239, ..] => Some(NotPublic::Multicast),
        // "This network", protocol assignments, documentation, 6to4 relays, benchmarking, the future and broadcast.
        [0, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => {
            Some(NotPublic::Reserved)
        }
        _ => None,
    }
}

/// Only global unicast (2000::/3) is public, and an address that carries an IPv4 address is as public as that one.
fn v6_not_public(address: Ipv6Addr) -> Option<NotPublic> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(NotPublic::Loopback),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(NotPublic::Reserved),
        // IPv4-mapped, and NAT64 by the well-known prefix (RFC 6052): they lead to the IPv4 address.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => v4_not_public(v4(high, low)),
        // 6to4 (RFC 3056) carries the address of the relay that we would reach.
        [0x2002, high, low, ..] => v4_not_public(v4(high, low)),
        // Amazon's metadata service over IPv6.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Some(NotPublic::CloudMetadata),
        [0xfc00..=0xfdff, ..] => Some(NotPublic::Private),
        [0xfe80..=0xfebf, ..] => Some(NotPublic::LinkLocal),
        // Site-local is deprecated (RFC 3879), but still routed in places.
        [0xfec0..=0xfeff, ..] => Some(NotPublic::Private),
        [0xff00..=0xffff, ..] => Some(NotPublic::Multicast),
        // Protocol assignments with Teredo and ORCHID (2001::/23), documentation.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Some(NotPublic::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(NotPublic::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(url: &str) -> Result<(), NotPublic> {
        AddressPolicy::default().judge_host(&Url::parse(url).unwrap())
    }

    #[test]
    fn loopback_is_recognised_in_every_spelling() {
        for spelling in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "127.255.255.254",
            "１２７.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "ⓛocalhost",
        ] {
            assert_eq!(host(&format!("https://{spelling}/")), Err(NotPublic::Loopback), "{spelling}");
        }
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_with_what_they_are() {
        for (address, why) in [
            ("0.0.0.0", NotPublic::Reserved),
            ("10.0.0.1", NotPublic::Private),
            ("172.16.0.1", NotPublic::Private),
            ("172.31.255.255", NotPublic::Private),
            ("192.168.1.1", NotPublic::Private),
            ("169.254.169.254", NotPublic::CloudMetadata),
            ("168.63.129.16", NotPublic::CloudMetadata),
            ("100.100.100.200", NotPublic::CloudMetadata),
            ("169.254.1.1", NotPublic::LinkLocal),
            ("100.64.0.1", NotPublic::SharedByCarrier),
            ("224.0.0.1", NotPublic::Multicast),
            ("255.255.255.255", NotPublic::Reserved),
            ("240.0.0.1", NotPublic::Reserved),
            ("198.18.0.1", NotPublic::Reserved),
            ("192.0.2.1", NotPublic::Reserved),
            ("::", NotPublic::Reserved),
            ("::7f00:1", NotPublic::Reserved),
            ("fd00:ec2::254", NotPublic::CloudMetadata),
            ("fd12::1", NotPublic::Private),
            ("fec0::1", NotPublic::Private),
            ("fe80::1", NotPublic::LinkLocal),
            ("ff02::1", NotPublic::Multicast),
            ("::ffff:169.254.169.254", NotPublic::CloudMetadata),
            ("64:ff9b::10.0.0.1", NotPublic::Private),
            ("64:ff9b:1::1", NotPublic::Reserved),
            ("2002:a00:1::1", NotPublic::Private),
            ("2001::1", NotPublic::Reserved),
            ("2001:db8::1", NotPublic::Reserved),
            ("100::1", NotPublic::Reserved),
        ] {
            assert_eq!(AddressPolicy::default().judge(address.parse().unwrap()), Err(why), "{address}");
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        for address in ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1"] {
            assert_eq!(AddressPolicy::default().judge(address.parse().unwrap()), Ok(()), "{address}");
        }
        assert_eq!(host("https://sp.example.com/"), Ok(()));
        assert_eq!(host("https://localhost.example.com/"), Ok(()));
    }

    #[test]
    fn an_allowed_network_opens_only_itself() {
        let policy = AddressPolicy::new(vec![Network::parse("127.0.0.0/8").unwrap(), Network::parse("10.1.0.0/16").unwrap()]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3"] {
            assert_eq!(policy.judge(address.parse().unwrap()), Ok(()), "{address}");
        }
        for address in ["10.2.0.1", "169.254.169.254", "::1"] {
            assert!(policy.judge(address.parse().unwrap()).is_err(), "{address}");
        }
        assert_eq!(policy.judge_host(&Url::parse("https://localhost/").unwrap()), Ok(()));
    }

    proptest! {
        #[test]
        fn no_spelling_of_an_address_is_judged_otherwise_than_the_address(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            let expected = AddressPolicy::default().judge(IpAddr::V4(address));
            let [a, b, c, d] = address.octets();
            let spellings = [
                address.to_string(),
                format!("{address}."),
                bits.to_string(),
                format!("{bits:#x}"),
                format!("0{bits:o}"),
                format!("{a:#x}.{b}.0{c:o}.{d}"),
                format!("{a}.{}", bits & 0x00ff_ffff),
                format!("{a}.{b}.{}", bits & 0xffff),
                format!("[::ffff:{address}]"),
                format!("[64:ff9b::{address}]"),
                format!("[2002:{:x}:{:x}::1]", bits >> 16, bits & 0xffff),
            ];
            for spelling in spellings {
                prop_assert_eq!(host(&format!("https://{spelling}/")), expected, "{}", spelling);
            }
        }
    }
}
