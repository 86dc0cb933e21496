//! Internet addresses and networks, version 4 and 6 on one scale.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// All addresses that share their first `prefix` bits. Version 4 lies in `::ffff:0:0/96`, so both spellings are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    first: u128,
    prefix: u8,
}

const MAPPED: u128 = 0xffff << 32;

pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => MAPPED | u128::from(u32::from(v4)),
        IpAddr::V6(v6) => v6.into(),
    }
}

impl Network {
    /// Reads an address or `address/bits`; bits after the prefix are cleared.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let outside = if address.is_ipv4() { 96 } else { 0 };
        let prefix = match length {
            None => 128,
            Some(l) if l.is_empty() || l.len() > 3 || !l.bytes().all(|b| b.is_ascii_digit()) => {
                return None;
            }
            Some(l) => l
                .parse::<u8>()
                .ok()?
                .checked_add(outside)
                .filter(|bits| *bits <= 128)?,
        };
        Some(Network {
            first: bits(address) & mask(prefix),
            prefix,
        })
    }

    /// The bits of the one address in it, if it is a single one.
    pub(crate) fn only_address(self) -> Option<u128> {
        (self.prefix == 128).then_some(self.first)
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix) == self.first
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v6 = Ipv6Addr::from(self.first);
        let (address, prefix) = match v6.to_ipv4_mapped().filter(|_| self.prefix >= 96) {
            Some(v4) => (IpAddr::from(v4), self.prefix - 96),
            None => (IpAddr::from(v6), self.prefix),
        };
        write!(f, "{address}")?;
        if self.prefix == 128 {
            Ok(())
        } else {
            write!(f, "/{prefix}")
        }
    }
}

/// The address that a recorded location is, if it is one and not a place.
pub(crate) fn address_of(location: &str) -> Option<IpAddr> {
    location.parse().ok()
}

/// Whether `text` could be part of a written address.
pub(crate) fn looks_like_part(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_hexdigit() || b == b'.' || b == b':')
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn networks_print_as_they_are_read() {
        for (typed, printed) in [
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ] {
            let network = Network::parse(typed).expect(typed);
            assert_eq!(network.to_string(), printed);
            assert_eq!(Network::parse(printed), Some(network));
        }
        for wrong in [
            "10.1.2",
            "10.1.2.3/33",
            "::1/129",
            "10.1.2.3/",
            "10.1.2.3/+8",
            "acme",
            "",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses_in_both_spellings() {
        let network = Network::parse("10.0.0.0/8").expect("valid");
        assert!(network.contains(Ipv4Addr::new(10, 255, 0, 1).into()));
        assert!(network.contains("::ffff:10.2.3.4".parse().expect("valid")));
        assert!(!network.contains(Ipv4Addr::new(11, 0, 0, 1).into()));
        assert!(!network.contains("2001:db8::1".parse().expect("valid")));
    }
}
