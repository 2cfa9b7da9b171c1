//! Networks in CIDR form, as `10.1.0.0/16`: `outbound.allow`, `listen.trusted_proxies`, `apikey new --network`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 or IPv6 network. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) counts as the IPv4 address that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// The first address of the network.
    address: IpAddr,
    prefix: u8,
}

/// Says why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address in front of the slash.
    #[error("\"{0}\" is not a network; write an address or a network in CIDR form, as 10.1.0.0/16 or fd00::/8")]
    Address(String),
    /// The length of the prefix is not a number that fits the address.
    #[error("\"{text}\" has no prefix length between 0 and {longest} after the slash")]
    Prefix { text: String, longest: u8 },
    /// Bits are set behind the prefix, so that it is unclear which network is meant.
    #[error("\"{text}\" names an address inside a network; write {network} for the network or {address} for the one address")]
    HostBits { text: String, network: Network, address: Network },
}

impl Network {
    /// Reads `10.1.0.0/16`, `fd00::/8`, or a bare address, which is a network of one.
    ///
    /// # Errors
    /// Says what does not fit; names the network that was probably meant where bits are set behind the prefix.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let text = text.trim();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NetworkError::Address(text.to_owned()))?;
        let longest = width(written);
        let prefix = match prefix {
            None => longest,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or(NetworkError::Prefix { text: text.to_owned(), longest })?
            }
            Some(_) => return Err(NetworkError::Prefix { text: text.to_owned(), longest }),
        };
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8; a shorter prefix reaches beyond the mapped block and stays IPv6.
        let (address, prefix) = match written.to_canonical() {
            v4 @ IpAddr::V4(_) if written.is_ipv6() && prefix >= 96 => (v4, prefix - 96),
            _ => (written, prefix),
        };
        let network = Self { address: mask(address, prefix), prefix };
        if network.address != address {
            let address = Self { address, prefix: width(address) };
            return Err(NetworkError::HostBits { text: text.to_owned(), network, address });
        }
        Ok(network)
    }

    /// Whether the address lies in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        let within = |candidate: IpAddr| candidate.is_ipv4() == self.address.is_ipv4() && mask(candidate, self.prefix) == self.address;
        within(canonical) || within(address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.address) { write!(f, "{}", self.address) } else { write!(f, "{}/{}", self.address, self.prefix) }
    }
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

/// Bits of an address.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with everything behind the prefix zero.
fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & bits))
        }
        IpAddr::V6(v6) => {
            let bits = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        assert!(contains("10.1.0.0/16", "10.1.255.255"));
        assert!(!contains("10.1.0.0/16", "10.2.0.0"));
        assert!(contains("192.0.2.7", "192.0.2.7"));
        assert!(!contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(contains("::/0", "2001:db8::1"));
    }

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address_that_it_is() {
        assert!(contains("10.0.0.0/8", "::ffff:10.9.8.7"));
        assert!(contains("::ffff:10.0.0.0/104", "10.9.8.7"));
        assert!(!contains("::ffff:10.0.0.0/104", "11.9.8.7"));
        assert!(contains("::/80", "::ffff:10.9.8.7"));
    }

    #[test]
    fn a_text_that_is_no_network_is_refused_in_words() {
        assert!(matches!(Network::parse("example.com/8"), Err(NetworkError::Address(_))));
        assert!(matches!(Network::parse(""), Err(NetworkError::Address(_))));
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8"] {
            assert!(matches!(Network::parse(text), Err(NetworkError::Prefix { .. })), "{text}");
        }
        let error = Network::parse("10.1.2.3/8").unwrap_err();
        assert!(error.to_string().contains("write 10.0.0.0/8 for the network or 10.1.2.3 for the one address"), "{error}");
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["10.1.0.0/16", "fd00::/8", "192.0.2.7", "::1", "0.0.0.0/0"] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
    }
}
