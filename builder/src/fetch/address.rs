//! Which addresses a stranger may send us to. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` belongs to the public Internet, so that a redirect may lead there.
///
/// Not public is what the registries of special-purpose addresses (RFC 6890) say is not globally reachable, and every
/// IPv6 form that carries such an IPv4 address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => is_public_v4(embedded),
            None => is_public_v6(address),
        },
    }
}

/// The address that a host is by its name alone, however it is written.
///
/// Besides the usual forms these are those that `inet_aton` takes, as most programs do that resolve names: one to four numbers, decimal,
/// octal (`0…`) or hexadecimal (`0x…`), of which the last one fills what is left. A dot at the end changes nothing.
pub(super) fn of_literal(host: &str) -> Option<IpAddr> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    host.parse().ok().or_else(|| by_numbers(host).map(IpAddr::V4))
}

fn by_numbers(host: &str) -> Option<Ipv4Addr> {
    let numbers = host.split('.').map(number).collect::<Option<Vec<_>>>()?;
    let (&last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|&number| number > 0xff) {
        return None;
    }
    let free = 32 - 8 * first.len();
    if u64::from(last) >> free != 0 {
        return None;
    }
    let above = first.iter().enumerate().map(|(place, number)| number << (24 - 8 * place));
    Some(Ipv4Addr::from(above.fold(last, |address, part| address | part)))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // A sign is none of these forms.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, radix).ok())?
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let protocol = (a, b, c) == (192, 0, 0);
    let benchmark = a == 198 && b & 0xfe == 18;
    let reserved = a == 0 || a >= 240 || shared || protocol || benchmark;
    let local = address.is_loopback() || address.is_private() || address.is_link_local();
    !(reserved || local || address.is_multicast() || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Global unicast is 2000::/3; 2001:db8::/32 is for documentation, 2001::/32 (Teredo) hides an IPv4 address.
    let [first, second, ..] = address.segments();
    first & 0xe000 == 0x2000 && !(first == 0x2001 && matches!(second, 0x0db8 | 0))
}

/// The IPv4 address in `::a.b.c.d`, `::ffff:a.b.c.d`, `64:ff9b::a.b.c.d` (NAT64) and `2002:a.b.c.d::` (6to4).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As inet_aton(3) of the GNU C library reads them.
    #[test]
    fn addresses_however_they_are_written() {
        let loopback =
            ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.1", "0177.0.0.01", "0x7F000001", "017700000001"];
        for host in loopback.into_iter().chain(["localhost", "LOCALHOST.", "x.localhost.", "127.0.0.1."]) {
            assert_eq!(of_literal(host), Some(IpAddr::from([127, 0, 0, 1])), "{host}");
        }
        assert_eq!(of_literal("10.0xffffff"), Some(IpAddr::from([10, 255, 255, 255])));
        assert_eq!(of_literal("1.2.258"), Some(IpAddr::from([1, 2, 1, 2])));
        assert_eq!(of_literal("::1"), Some("::1".parse().unwrap()));
        for host in ["example", "1.2.3.4.5", "256.1", "127.0x1000000", "4294967296", "+1", "1..2", "08", "0x", "", "."]
        {
            assert_eq!(of_literal(host), None, "{host}");
        }
    }

    #[test]
    fn addresses_by_kind() {
        let public = ["1.1.1.1", "93.184.216.34", "100.128.0.1", "2606:4700::1111", "2002:101:101::", "::ffff:1.1.1.1"];
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "198.18.0.1",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address} is public");
        }
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address} is not public");
        }
    }
}
