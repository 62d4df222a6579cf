//! A certificate's names, and how Go, Node and pgjdbc compare them with the host's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openssl::nid::Nid;
use openssl::x509::X509Ref;

/// The names of a certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Whether there is a subject alternative name of any type.
    pub has_alternative: bool,
    pub dns: Vec<String>,
    pub ips: Vec<IpAddr>,
    /// All alternative names as Node shows them.
    pub shown: Vec<String>,
    /// The common names, in the order of the subject.
    pub common: Vec<String>,
}

impl Names {
    /// Reads them.
    pub fn of(cert: &X509Ref) -> Self {
        let mut names = Self::default();
        for name in cert.subject_alt_names().iter().flatten() {
            names.has_alternative = true;
            if let Some(dns) = name.dnsname() {
                names.shown.push(format!("DNS:{dns}"));
                names.dns.push(dns.to_owned());
            } else if let Some(ip) = name.ipaddress().and_then(address) {
                names.shown.push(format!("IP Address:{ip}"));
                names.ips.push(ip);
            } else if let Some(uri) = name.uri() {
                names.shown.push(format!("URI:{uri}"));
            } else if let Some(email) = name.email() {
                names.shown.push(format!("email:{email}"));
            }
        }
        names.common = cert
            .subject_name()
            .entries_by_nid(Nid::COMMONNAME)
            .map(|entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned())
            .collect();
        names
    }

    /// Whether the common name alone is the host's, where that is not looked at.
    pub fn only_common(&self, host: &str) -> bool {
        !self.has_alternative && self.common.iter().any(|name| by_labels(name, host))
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|v4| Ipv4Addr::from(v4).into());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|v6| Ipv6Addr::from(v6).into()))
        .ok()
}

fn joined<T: ToString>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(T::to_string).collect();
    all.join(", ")
}

/// Label by label, the first of which may be `*`: Go's comparison.
fn by_labels(pattern: &str, host: &str) -> bool {
    let labels = |name: &str| -> Vec<String> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name.split('.').map(str::to_owned).collect()
    };
    let (pattern, host) = (labels(pattern), labels(host));
    let is_same = |(at, (theirs, ours)): (usize, (&String, &String))| {
        theirs == ours || (at == 0 && theirs == "*")
    };
    pattern.len() == host.len()
        && !host.iter().any(String::is_empty)
        && pattern.iter().zip(&host).enumerate().all(is_same)
}

/// Go's `validHostname`.
fn is_valid_host(name: &str, is_pattern: bool) -> bool {
    let name = match is_pattern {
        true => name,
        false => name.strip_suffix('.').unwrap_or(name),
    };
    !name.is_empty()
        && name != "*"
        && name.split('.').enumerate().all(|(at, label)| {
            let is_star = is_pattern && at == 0 && label == "*";
            let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            is_star || !label.is_empty() && !label.starts_with('-') && label.chars().all(is_letter)
        })
}

/// What Go says (`Certificate.VerifyHostname`); none where a name fits.
pub(super) fn go(names: &Names, host: &str) -> Option<(&'static str, String)> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip: Option<IpAddr> = bare.unwrap_or(host).parse().ok();
    let fits = match ip {
        Some(ip) => names.ips.contains(&ip),
        None => names.dns.iter().any(|name| {
            match is_valid_host(host, false) && is_valid_host(name, true) {
                true => by_labels(name, host),
                false => !name.is_empty() && name != "." && name.eq_ignore_ascii_case(host),
            }
        }),
    };
    if fits {
        return None;
    }
    if names.only_common(host) {
        let text = "certificate relies on legacy Common Name field, use SANs instead";
        return Some(("common-name", text.to_owned()));
    }
    let valid = match ip {
        Some(_) if names.ips.is_empty() => {
            let text = format!(
                "cannot validate certificate for {host} because it doesn't contain any IP SANs"
            );
            return Some(("name", text));
        }
        Some(_) => joined(&names.ips),
        None => names.dns.join(", "),
    };
    let text = match valid.is_empty() {
        true => format!("certificate is not valid for any names, but wanted to match {host}"),
        false => format!("certificate is valid for {valid}, not {host}"),
    };
    Some(("name", text))
}

/// What Node says (`tls.checkServerIdentity`); none where a name fits.
pub(super) fn node(names: &Names, host: &str) -> Option<String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return (!names.ips.contains(&ip)).then(|| {
            format!(
                "IP: {host} is not in the cert's list: {}",
                joined(&names.ips)
            )
        });
    }
    // It makes every name absolute before it compares.
    let absolute = |name: &str| name.strip_suffix('.').unwrap_or(name).to_owned() + ".";
    let fits = |name: &String| node_fits(name, host);
    match (names.dns.is_empty(), names.common.as_slice()) {
        (false, _) => (!names.dns.iter().any(fits)).then(|| {
            format!(
                "Host: {} is not in the cert's altnames: {}",
                absolute(host),
                names.shown.join(", ")
            )
        }),
        (true, []) => Some("Cert does not contain a DNS name".to_owned()),
        (true, common) => (!common.iter().any(fits)).then(|| {
            format!(
                "Host: {} is not cert's CN: {}",
                absolute(host),
                common.join(",")
            )
        }),
    }
}

fn node_fits(pattern: &str, host: &str) -> bool {
    let labels = |name: &str| -> Vec<String> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name.split('.').map(str::to_owned).collect()
    };
    let (pattern, host) = (labels(pattern), labels(host));
    let is_graphic =
        |label: &String| !label.is_empty() && label.chars().all(|c| c.is_ascii_graphic());
    if pattern.len() != host.len() || !pattern.iter().all(is_graphic) || pattern[1..] != host[1..] {
        return false;
    }
    let parts: Vec<&str> = pattern[0].split('*').collect();
    match parts.as_slice() {
        [before, after] if !pattern[0].contains("xn--") => {
            pattern.len() > 2
                && before.len() + after.len() <= host[0].len()
                && host[0].starts_with(before)
                && host[0].ends_with(after)
        }
        _ => pattern[0] == host[0] && parts.len() == 1,
    }
}

/// Whether pgjdbc's `PGjdbcHostnameVerifier` accepts the host.
pub(super) fn pgjdbc(names: &Names, host: &str) -> bool {
    let ips: Vec<String> = names.ips.iter().map(IpAddr::to_string).collect();
    let fits = |name: &String| pgjdbc_fits(name, host);
    if names.dns.iter().chain(&ips).any(fits) {
        return true;
    }
    // The common name counts where no DNS name is there.
    names.dns.is_empty() && names.common.last().is_some_and(fits)
}

fn pgjdbc_fits(pattern: &str, host: &str) -> bool {
    match pattern.rfind('*') {
        None => pattern.eq_ignore_ascii_case(host),
        Some(0)
            if pattern.contains('.')
                && host.is_char_boundary(host.len().saturating_sub(pattern.len() - 1)) =>
        {
            let (label, rest) = host.split_at(host.len().saturating_sub(pattern.len() - 1));
            rest.eq_ignore_ascii_case(&pattern[1..]) && !label.contains('.')
        }
        Some(_) => false,
    }
}
