//! Whether a certificate's names cover a host, by libpq's own rules
//! (PostgreSQL documentation, "Client Verification of Server Certificates").

use std::net::{Ipv4Addr, Ipv6Addr};

use openssl::nid::Nid;
use openssl::x509::X509Ref;

/// The names that a certificate carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Subject alternative names, in order.
    pub alternative: Vec<San>,
    /// The first common name of the subject, as the bytes stand there.
    pub common: Option<Vec<u8>>,
}

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum San {
    /// A DNS name.
    Dns(Vec<u8>),
    /// An address, four or sixteen bytes in a sound certificate.
    Ip(Vec<u8>),
    /// A name of another type, which plays no part.
    Other,
}

/// The outcome of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// A name covers the host.
    Yes,
    /// None does.
    No,
    /// There is no host name to compare: only `hostaddr` was given.
    NoHost,
    /// A name is broken: a null byte in it, an address of an odd length.
    Broken,
}

impl Names {
    /// Reads them from a certificate.
    pub fn of(cert: &X509Ref) -> Self {
        let alternative = cert.subject_alt_names().map(|names| {
            names
                .iter()
                .map(|name| match (name.dnsname(), name.ipaddress()) {
                    (Some(dns), _) => San::Dns(dns.as_bytes().to_vec()),
                    (_, Some(ip)) => San::Ip(ip.to_vec()),
                    _ => San::Other,
                })
                .collect()
        });
        let common = cert
            .subject_name()
            .entries_by_nid(Nid::COMMONNAME)
            .next()
            .map(|entry| entry.data().as_slice().to_vec());
        Self {
            alternative: alternative.unwrap_or_default(),
            common,
        }
    }

    /// Compares them with the `host` setting as libpq does: subject
    /// alternative names in order; the common name only where there is none of
    /// the host's own type (name or address).
    pub fn cover(&self, host: &str) -> NameMatch {
        if host.is_empty() {
            return NameMatch::NoHost;
        }
        let host_is_ip = is_ip_address(host);
        let mut check_common = true;
        for name in &self.alternative {
            let matched = match name {
                San::Dns(dns) => {
                    check_common &= host_is_ip;
                    dns_matches(dns, host)
                }
                San::Ip(ip) => {
                    check_common &= !host_is_ip;
                    ip_matches(ip, host)
                }
                San::Other => NameMatch::No,
            };
            if matched != NameMatch::No {
                return matched;
            }
        }
        match &self.common {
            Some(common) if check_common => dns_matches(common, host),
            _ => NameMatch::No,
        }
    }

    /// The names as people read them: the alternative ones, or the common name
    /// where there are none.
    pub fn shown(&self) -> Vec<String> {
        let alternative: Vec<String> = self
            .alternative
            .iter()
            .filter_map(|name| match name {
                San::Dns(dns) => Some(String::from_utf8_lossy(dns).into_owned()),
                San::Ip(ip) => Some(ip_text(ip)),
                San::Other => None,
            })
            .collect();
        match (&self.common, alternative.is_empty()) {
            (Some(common), true) => vec![String::from_utf8_lossy(common).into_owned()],
            _ => alternative,
        }
    }
}

fn ip_text(ip: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(ip) {
        return Ipv4Addr::from(v4).to_string();
    }
    match <[u8; 16]>::try_from(ip) {
        Ok(v6) => Ipv6Addr::from(v6).to_string(),
        Err(_) => format!("an address of {} bytes", ip.len()),
    }
}

fn dns_matches(name: &[u8], host: &str) -> NameMatch {
    if name.contains(&0) {
        return NameMatch::Broken;
    }
    let host = host.as_bytes();
    match name.eq_ignore_ascii_case(host) || wildcard_matches(name, host) {
        true => NameMatch::Yes,
        false => NameMatch::No,
    }
}

/// `*.` at the beginning, for exactly one label, and at least one letter after it.
fn wildcard_matches(pattern: &[u8], host: &[u8]) -> bool {
    let [b'*', tail @ ..] = pattern else {
        return false;
    };
    if tail.len() < 2 || tail.first() != Some(&b'.') || pattern.len() > host.len() {
        return false;
    }
    let Some((label, rest)) = host.split_at_checked(host.len() - tail.len()) else {
        return false;
    };
    rest.eq_ignore_ascii_case(tail) && !label.contains(&b'.')
}

fn ip_matches(ip: &[u8], host: &str) -> NameMatch {
    let matched = match ip.len() {
        4 => inet_aton(host).is_some_and(|v4| v4.octets() == ip),
        16 => host.parse::<Ipv6Addr>().is_ok_and(|v6| v6.octets() == ip),
        _ => return NameMatch::Broken,
    };
    match matched {
        true => NameMatch::Yes,
        false => NameMatch::No,
    }
}

/// Whether libpq takes the host for an address: everything `inet_aton` reads,
/// or an IPv6 address without a zone.
pub fn is_ip_address(host: &str) -> bool {
    inet_aton(host).is_some() || host.parse::<Ipv6Addr>().is_ok()
}

/// `inet_aton(3)`: one to four numbers, decimal, octal or hexadecimal, the
/// last one filling what is left.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    // What follows white space is not looked at.
    let text = text.split(|c: char| c.is_ascii_whitespace()).next()?;
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, front) = parts.split_last()?;
    if front.len() > 3 || front.iter().any(|&part| part > 255) {
        return None;
    }
    let bits_left = 32 - 8 * front.len() as u32;
    if u64::from(*last) >= 1u64 << bits_left {
        return None;
    }
    let high = front
        .iter()
        .enumerate()
        .fold(0u32, |sum, (n, part)| sum | part << (24 - 8 * n as u32));
    Some(Ipv4Addr::from(high | last))
}

/// A number as C writes it.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    match digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        true => u32::from_str_radix(digits, radix).ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dns: &[&str], ips: &[&[u8]], common: Option<&str>) -> Names {
        let dns = dns.iter().map(|n| San::Dns(n.as_bytes().to_vec()));
        let ips = ips.iter().map(|ip| San::Ip(ip.to_vec()));
        Names {
            alternative: dns.chain(ips).collect(),
            common: common.map(|c| c.as_bytes().to_vec()),
        }
    }

    #[test]
    fn names_and_the_common_name() {
        let both = names(&["db.test"], &[], Some("old.test"));
        assert_eq!(both.cover("DB.TEST"), NameMatch::Yes);
        assert_eq!(both.cover("old.test"), NameMatch::No);
        assert_eq!(
            names(&[], &[], Some("old.test")).cover("old.test"),
            NameMatch::Yes
        );
        // An address among the alternative names does not rule out the common name.
        let ip_only = names(&[], &[&[127, 0, 0, 1]], Some("db.test"));
        assert_eq!(ip_only.cover("db.test"), NameMatch::Yes);
        assert_eq!(Names::default().cover("db.test"), NameMatch::No);
        assert_eq!(both.cover(""), NameMatch::NoHost);
    }

    #[test]
    fn one_star_for_one_label() {
        let star = names(&["*.test"], &[], None);
        assert_eq!(star.cover("db.test"), NameMatch::Yes);
        assert_eq!(star.cover("a.b.test"), NameMatch::No);
        assert_eq!(star.cover("test"), NameMatch::No);
        assert_eq!(star.cover(".test"), NameMatch::No);
        assert_eq!(
            names(&["d*.test"], &[], None).cover("db.test"),
            NameMatch::No
        );
        assert_eq!(names(&["*"], &[], None).cover("db"), NameMatch::No);
        assert_eq!(names(&["*."], &[], None).cover("db."), NameMatch::No);
    }

    #[test]
    fn addresses() {
        let ip = names(&["db.test"], &[&[127, 0, 0, 1]], Some("127.0.0.2"));
        assert_eq!(ip.cover("127.0.0.1"), NameMatch::Yes);
        assert_eq!(ip.cover("127.1"), NameMatch::Yes);
        assert_eq!(ip.cover("127.0.0.2"), NameMatch::No);
        // Without an address among them, the common name counts, DNS names or not.
        let dns = names(&["db.test"], &[], Some("127.0.0.1"));
        assert_eq!(dns.cover("127.0.0.1"), NameMatch::Yes);
        // An address written as a DNS name.
        assert_eq!(
            names(&["127.0.0.1"], &[], None).cover("127.0.0.1"),
            NameMatch::Yes
        );
        let mut v6 = [0u8; 16];
        v6[15] = 1;
        assert_eq!(names(&[], &[&v6], None).cover("::1"), NameMatch::Yes);
        assert_eq!(names(&[], &[&v6], None).cover("0:0::1"), NameMatch::Yes);
    }

    #[test]
    fn broken_names_are_refused() {
        assert_eq!(
            names(&["db.test\0.evil"], &[], None).cover("db.test"),
            NameMatch::Broken
        );
        assert_eq!(
            names(&[], &[&[1, 2, 3]], None).cover("db.test"),
            NameMatch::Broken
        );
    }

    #[test]
    fn addresses_as_inet_aton_reads_them() {
        assert_eq!(inet_aton("1"), Some(Ipv4Addr::new(0, 0, 0, 1)));
        assert_eq!(inet_aton("0x7f.1"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(inet_aton("0177.0.0.1"), Some(Ipv4Addr::LOCALHOST));
        for not in ["", "a", "1.2.3.4.5", "256.1.1.1", "08", "1..2", "0x", "+1"] {
            assert_eq!(inet_aton(not), None, "{not}");
        }
    }
}
