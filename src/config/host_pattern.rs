//! A pattern of `--not-host`, and the spellings that a host may have.
//!
//! A guard that matches too little is worse than none, so a pattern that can
//! never match is refused, and both sides are brought to one spelling before
//! they are compared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ipnet::IpNet;

use super::Place;
use super::ssh_config::pattern as glob;

/// A pattern that a host can match.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPattern {
    /// As it was given.
    text: String,
    form: Form,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// An address, or a network.
    Network(IpNet),
    /// Names or paths with `*` and `?`, in every spelling of theirs.
    Globs(Vec<String>),
}

/// Why a pattern can never match. The text is fixed, so that it cannot repeat
/// the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; a pattern is a host name with * and ? as wildcards, an IP address, a network such as 10.0.0.0/8, or a socket directory"
)]
pub struct Impossible(&'static str);

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Where no host can ever match it.
    pub fn parse(text: &str) -> Result<Self, Impossible> {
        let form = match text {
            "" => Err(Impossible("the pattern is empty (is a variable unset?)")),
            _ if text.trim() != text || text.chars().any(char::is_control) => {
                Err(Impossible("the pattern contains whitespace"))
            }
            _ if text.contains(',') => Err(Impossible(
                "the pattern contains a comma: repeat the flag for each pattern",
            )),
            _ if is_path(text) => Ok(Form::Globs(spellings_of_path(text))),
            _ if text.contains("://") => Err(Impossible("the pattern is a URL")),
            _ => match text.split_once('/') {
                Some((address, prefix)) => network(address, prefix),
                None => address_or_name(text),
            },
        }?;
        Ok(Self {
            text: text.to_owned(),
            form,
        })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether names can match it at all.
    pub fn takes_names(&self) -> bool {
        matches!(self.form, Form::Globs(_))
    }

    /// Whether it stands for this host: a name or an address as it is
    /// written, or a socket's path.
    pub fn matches(&self, host: &str) -> bool {
        let spellings = match is_path(host) {
            true => spellings_of_path(host),
            false => spellings_of_name(host),
        };
        self.matches_text(&spellings)
            || address(host.trim_end_matches('.')).is_some_and(|ip| self.matches_address(ip))
    }

    /// Whether it stands for this address.
    pub fn matches_address(&self, ip: IpAddr) -> bool {
        let spellings = spellings_of_address(ip);
        match &self.form {
            Form::Network(network) => spellings.iter().any(|ip| network.contains(ip)),
            Form::Globs(_) => {
                let mut texts: Vec<String> = spellings.iter().map(IpAddr::to_string).collect();
                if spellings.iter().any(IpAddr::is_loopback) {
                    texts.push("localhost".to_owned());
                }
                self.matches_text(&texts)
            }
        }
    }

    fn matches_text(&self, texts: &[String]) -> bool {
        match &self.form {
            Form::Network(_) => false,
            Form::Globs(globs) => globs
                .iter()
                .any(|pattern| texts.iter().any(|text| glob(pattern, text))),
        }
    }
}

/// The path of a unix socket, `@` being the abstract namespace.
fn is_path(text: &str) -> bool {
    text.starts_with(['/', '@'])
}

/// An address and a prefix length. What the address has past the prefix does
/// not count: the network around it is what a guard has to keep out.
fn network(address: &str, prefix: &str) -> Result<Form, Impossible> {
    const WRONG: Impossible =
        Impossible("a network is a full address, a slash and a prefix length");
    let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
    let ip: IpAddr = within_brackets(address).parse().map_err(|_| WRONG)?;
    let prefix: u8 = prefix.parse().ok().filter(|_| digits).ok_or(WRONG)?;
    // The first 96 bits only say that an IPv4 address follows.
    let (ip, prefix) = match embedded_ipv4(ip) {
        Some(ip) if prefix > 96 => (ip.into(), prefix - 96),
        _ => (ip, prefix),
    };
    let network = IpNet::new(ip, prefix).map_err(|_| WRONG)?;
    Ok(Form::Network(network.trunc()))
}

fn address_or_name(text: &str) -> Result<Form, Impossible> {
    if text.starts_with('[') && text.contains("]:") {
        return Err(Impossible(
            "the pattern contains a port: only hosts are compared",
        ));
    }
    let text = within_brackets(text).trim_end_matches('.');
    if let Some(ip) = address(text) {
        // The last spelling is the one that the others stand for.
        let ip = spellings_of_address(ip).pop().unwrap_or(ip);
        return Ok(Form::Network(ip.into()));
    }
    if text.contains(':') {
        return Err(Impossible(match text.matches(':').count() {
            1 => "the pattern contains a port: only hosts are compared",
            _ => "the pattern is not a valid IPv6 address (for wildcards in IPv6, use a network)",
        }));
    }
    if text.starts_with('.') || text.contains("..") || text.is_empty() {
        return Err(Impossible(
            "the name contains an empty label (for a whole domain, use *.example.com)",
        ));
    }
    let all = spellings_of_name(text);
    let in_a_name = |c: char| c.is_alphanumeric() || "-_.*?".contains(c);
    if !all.iter().any(|name| name.chars().all(in_a_name)) {
        return Err(Impossible(
            "the pattern contains a character not allowed in host names (* and ? are the only wildcards)",
        ));
    }
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(Impossible(
            "the pattern looks like an IP address but is not valid",
        ));
    }
    Ok(Form::Globs(all))
}

/// An IPv6 address without the brackets that URLs have around it.
fn within_brackets(text: &str) -> &str {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .filter(|inner| inner.contains(':'))
        .unwrap_or(text)
}

/// Reads an address in any spelling that getaddrinfo takes. The zone is left
/// out: here it need not be one of this machine.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    Place::address(text).map(|(ip, _)| ip)
}

/// An address, and those that it is another way to write.
fn spellings_of_address(ip: IpAddr) -> Vec<IpAddr> {
    let mut all = vec![ip];
    all.extend(embedded_ipv4(ip).map(IpAddr::V4));
    // A connection to the wildcard address goes to this machine.
    let last = all.last().copied().unwrap_or(ip);
    if last.is_unspecified() {
        all.push(match last {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    all
}

/// The IPv4 address that an IPv6 address stands for: mapped, "compatible", or
/// behind the well-known prefix of NAT64 (RFC 4291, 2.5.5; RFC 6052, 2.1).
fn embedded_ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else {
        return None;
    };
    let [.., a, b, c, d] = ip.octets();
    let low = Ipv4Addr::new(a, b, c, d);
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low),
        // ::1 and its neighbours are IPv6 addresses of their own.
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => Some(low),
        _ => None,
    }
}

/// A name in lower case, as people and as name servers write it (IDNA).
fn spellings_of_name(name: &str) -> Vec<String> {
    let name = name.trim_end_matches('.');
    let mut all = vec![name.to_lowercase()];
    if let (unicode, Ok(())) = idna::domain_to_unicode(name) {
        all.push(unicode);
    }
    all.extend(idna::domain_to_ascii(name));
    all.dedup();
    all
}

/// A path in lower case, without detours, and where its links lead.
fn spellings_of_path(path: &str) -> Vec<String> {
    if path.starts_with('@') {
        return vec![path.to_lowercase()];
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let plain = format!("/{}", parts.join("/"));
    let mut all = vec![plain.to_lowercase()];
    // Of a pattern, what comes before the first wildcard.
    for path in [Path::new(path), Path::new(&plain)] {
        let real = path.ancestors().find_map(|folder| {
            let rest = path.strip_prefix(folder).ok()?;
            Some(folder.canonicalize().ok()?.join(rest))
        });
        all.extend(real.map(|real| real.to_string_lossy().to_lowercase()));
    }
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        HostPattern::parse(pattern)
            .unwrap_or_else(|why| panic!("{pattern}: {why}"))
            .matches(host)
    }

    #[test]
    fn names_are_compared_in_every_spelling() {
        for (pattern, host) in [
            ("*.prod.test", "DB.Prod.Test"),
            ("*.prod.test.", "db.prod.test"),
            ("db.prod.test", "db.prod.test."),
            ("db?", "db1"),
            ("*", "db"),
            ("*a*b*", "xxaxxbxx"),
            ("ÄPFEL.test", "äpfel.test"),
            ("äpfel.test", "xn--pfel-koa.test"),
            ("xn--pfel-koa.test", "ÄPFEL.test"),
            ("*.äpfel.test", "db.XN--pfel-koa.test"),
            // Composed or not: two ways to write one letter.
            ("a\u{308}pfel.test", "äpfel.test"),
        ] {
            assert!(matches(pattern, host), "{pattern} {host}");
        }
        for (pattern, host) in [
            ("*.prod.test", "prod.test"),
            ("db", "db1"),
            ("db?", "db"),
            ("*a*b", "xxaxxbxx"),
            ("apfel.test", "äpfel.test"),
            ("10.0.?.5", "db.test"),
            ("db.1", "db.2"),
            ("10.0.0.0/8", "db.test"),
        ] {
            assert!(!matches(pattern, host), "{pattern} {host}");
        }
        assert!(!matches(&"*a".repeat(200), &"a".repeat(150)));
    }

    #[test]
    fn addresses_are_compared_in_every_spelling() {
        let spellings = [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0177.0.0.1",
            "0x7f.1",
            "0x7F000001",
            "127.0.0.1.",
            "::ffff:127.0.0.1",
            "::FFFF:7f00:1",
            "0:0:0:0:0:ffff:7f00:0001",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "0.0.0.0",
            "0",
            "::ffff:0.0.0.0",
        ];
        for pattern in spellings {
            for host in spellings {
                assert!(matches(pattern, host), "{pattern} {host}");
            }
        }
        for host in spellings {
            for pattern in ["127.0.0.*", "127.0.0.0/8", "127.9.9.9/8", "localhost"] {
                assert!(matches(pattern, host), "{pattern} {host}");
            }
            assert!(!matches("10.0.0.0/8", host), "{host}");
            assert!(!matches("127.0.0.2", host), "{host}");
        }
        for (pattern, host) in [
            ("[2001:db8::1]", "2001:DB8:0::1"),
            ("2001:db8::1", "2001:db8::1%eth7"),
            ("fe80::1%eth7", "fe80::1"),
            ("2001:db8::/32", "2001:db8:7::1"),
            ("[2001:db8::]/32", "2001:db8:7::1"),
            ("::/0", "2001:db8:7::1"),
            ("0.0.0.0/0", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3"),
            ("64:ff9b::a00:0/104", "10.1.2.3"),
            ("64:ff9b::/96", "64:ff9b::a00:1"),
            ("::", "::1"),
            ("::1", "::"),
            ("localhost", "::"),
        ] {
            assert!(matches(pattern, host), "{pattern} {host}");
        }
        for (pattern, host) in [
            ("2001:db8::/32", "2001:db9::1"),
            ("10.0.0.0/9", "10.128.0.1"),
            ("127.0.0.1", "::1"),
            ("::1", "127.0.0.1"),
            ("0.0.0.1", "::1"),
            ("localhost", "10.0.0.1"),
            ("::/0", "10.0.0.1"),
        ] {
            assert!(!matches(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn paths_are_compared_in_every_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
        let real = format!("{root}/real");
        for host in [
            format!("{root}/real//"),
            format!("{root}/./real"),
            format!("{root}/none/../real"),
            format!("{root}/link"),
            format!("{root}/link/../link/"),
        ] {
            assert!(matches(&real, &host), "{host}");
            assert!(matches(&host, &real), "{host}");
            assert!(matches(&format!("{root}/r*"), &host), "{host}");
            assert!(!matches(&format!("{root}/other"), &host), "{host}");
        }
        let socket = format!("{real}/.s.PGSQL.5432");
        assert!(matches(&format!("{root}/link/.s.*"), &socket));
        assert!(matches("@pg*", "@pgsocket"));
        assert!(!matches("pg*", "@pgsocket"));
    }

    #[test]
    fn what_can_never_match_is_refused() {
        for pattern in [
            "",
            " ",
            " db",
            "db\n",
            "a b",
            "a,b",
            "a, b",
            ".",
            "..",
            ".prod.test",
            "db..test",
            "db:5432",
            "db*:5432",
            "10.0.0.1:5432",
            "[::1]:5432",
            "[::1",
            "[10.0.0.1]",
            "2001:db8:*",
            "{a,b}",
            "{a}",
            "[p]rod*",
            "!x",
            "~db",
            "a\\*",
            "user@db",
            "%2Ftmp",
            "'db'",
            "postgres://db/x",
            "db/x",
            "10/8",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/255.0.0.0",
            "::/129",
            "10.0.0.256",
            "1.2.3.4.5",
        ] {
            let why = HostPattern::parse(pattern).map(|_| ()).unwrap_err();
            let why = why.to_string();
            assert!(why.contains("a pattern is a host name"), "{pattern}: {why}");
        }
    }
}
