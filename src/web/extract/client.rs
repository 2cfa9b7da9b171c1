//! The address of the person's browser, for throttles and the audit log. Guarded.
//!
//! Attack it stops: a forged `X-Forwarded-For` that dodges a throttle. The header counts only hop by hop from trusted proxies,
//! read from the right; it never decides a URL.

use std::net::IpAddr;

use crate::model::network::Network;

/// Finds the address: the peer, or what the nearest trusted proxies say of it.
pub fn address(peer: Option<IpAddr>, forwarded_for: Option<&str>, trusted: &[Network]) -> String {
    let Some(mut address) = peer.map(|peer| peer.to_canonical()) else { return "local".to_owned() };
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if is_trusted(address)
        && let Some(list) = forwarded_for
    {
        for hop in list.rsplit(',') {
            let Some(hop) = parse_hop(hop.trim()) else { break };
            address = hop;
            if !is_trusted(hop) {
                break;
            }
        }
    }
    address.to_string()
}

/// The `for` parameters of a Forwarded header (RFC 7239 4), in the form of X-Forwarded-For.
pub fn forwarded_for(header: &str) -> String {
    let hops: Vec<&str> = header
        .split(',')
        .map(|hop| {
            let named = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
            let value = named.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value);
            value.unwrap_or("?").trim_matches('"')
        })
        .collect();
    hops.join(",")
}

/// What a throttle counts by: an IPv6 subscriber has a whole /64.
pub fn throttle_key(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(hop, |(inside, _)| inside);
    bare.parse::<IpAddr>().or_else(|_| bare.rsplit_once(':').map_or(bare, |(host, _)| host).parse()).ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &[&str]) -> Vec<Network> {
        list.iter().map(|text| Network::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_stranger_cannot_choose_his_address() {
        let peer = Some("203.0.113.7".parse().unwrap());
        assert_eq!(address(peer, Some("1.2.3.4"), &networks(&["10.0.0.0/8"])), "203.0.113.7");
    }

    #[test]
    fn trusted_proxies_are_believed_hop_by_hop() {
        let peer = Some("10.0.0.1".parse().unwrap());
        let trusted = networks(&["10.0.0.0/8"]);
        assert_eq!(address(peer, Some("6.6.6.6, 198.51.100.4, 10.0.0.2"), &trusted), "198.51.100.4");
        assert_eq!(address(peer, Some("garbage"), &trusted), "10.0.0.1");
        assert_eq!(address(peer, Some("[2001:db8::1]:443"), &trusted), "2001:db8::1");
        assert_eq!(address(peer, None, &trusted), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_the_same_way() {
        let peer = Some("10.0.0.1".parse().unwrap());
        let trusted = networks(&["10.0.0.0/8"]);
        let header = "for=6.6.6.6, for=\"[2001:db8::1]:443\";proto=https, for=10.0.0.2;by=10.0.0.1";
        assert_eq!(address(peer, Some(&forwarded_for(header)), &trusted), "2001:db8::1");
        assert_eq!(address(peer, Some(&forwarded_for("for=_hidden")), &trusted), "10.0.0.1");
    }

    #[test]
    fn a_v6_subscriber_is_one_throttle() {
        assert_eq!(throttle_key("2001:db8:1:2:3:4:5:6"), throttle_key("2001:db8:1:2::9"));
        assert_eq!(throttle_key("192.0.2.1"), "192.0.2.1");
    }
}
