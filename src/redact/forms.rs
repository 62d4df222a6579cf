//! What is told by its form to be a name: addresses, host names, URLs, digests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::{Kind, Names};
use super::paths;
use super::words::{are_words, is_common, is_word};

/// A part of a text, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, in bytes.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What it is.
    pub what: What,
}

/// What a part of a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A name that is replaced.
    Name(Kind, String),
    /// What looks like a name and is none.
    Kept,
}

/// Finds what looks like a name, by one form.
type Find = fn(&Captures<'_>, &Names) -> Vec<Span>;

/// A form, and what to make of what has it. Of two that begin at the same place the
/// longer counts, and of two of one length the earlier here.
static FORMS: LazyLock<Vec<(Regex, Find)>> = LazyLock::new(|| {
    let forms: [(&str, Find); 19] = [
        (r"(?i)\b[a-z][a-z0-9+.\-]{1,40}://[^\s\x22'<>`«»“”]+", url),
        (
            r"(SHA256:[A-Za-z0-9+/]{6,43}=?…?|MD5(?::[0-9a-fA-F]{2}){16})",
            fingerprint,
        ),
        (r"\b(?:[0-9A-Fa-f]{2}:){6,}[0-9A-Fa-f]{2}\b", fingerprint),
        (r"\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b", mac),
        (
            r"\b(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{56}|[0-9a-fA-F]{64}|[0-9a-fA-F]{96})\b",
            fingerprint,
        ),
        (r"\bAAAA[A-Za-z0-9+/]{40,}={0,2}", key),
        (
            r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\barn:aws[a-z\-]*:[^\s\x22']+|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b[0-9]{12}\b|\b(?:db|cluster|proxy)-[A-Z0-9]{26}\b|\b(?:i|vpc|subnet|sg|eni|vpce|prx)-[0-9a-f]{8,17}\b",
            id,
        ),
        (
            r"(?P<user>[\w.+%\-]{1,128})@(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z][\w.\-]*|[0-9]{1,3}(?:\.[0-9]{1,3}){3})",
            at_host,
        ),
        (
            r"(?i)\b(?:pg)?(?P<name>host|hostaddr|user|username|dbname|database|service)=(?:'(?P<quoted>[^']*)'|(?P<value>[^\s'\x22&;,)]+))",
            setting,
        ),
        (
            r"\b(?:CN|O|OU|L|ST|DC|UID|emailAddress|serialNumber) ?= ?(?P<value>[^\s,;/()\x22']+)",
            attribute,
        ),
        (r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?", ipv4),
        (
            r"(?:^|[^\w:.])(?P<ip>[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.\-]+)?(?:/[0-9]{1,3})?)(?P<word>\w?)",
            ipv6,
        ),
        (r"(?:\*\.)?[\w\-]+(?:\.[\w\-]+)+\.?", host),
        (paths::FORM, paths::find),
        (r"'(?P<path>(?:~[\w.\-]*)?/[^'\n]*)'", paths::quoted),
        (r#""(?P<path>(?:~[\w.\-]*)?/[^"\n]*)""#, paths::quoted),
        (r"`(?P<path>(?:~[\w.\-]*)?/[^`\n]*)`", paths::quoted),
        (r"«(?P<path>(?:~[\w.\-]*)?/[^»\n]*)»", paths::quoted),
        (r"[“„](?P<path>(?:~[\w.\-]*)?/[^“”\n]*)[“”]", paths::quoted),
    ];
    let compiled = forms.into_iter();
    let compiled = compiled.filter_map(|(form, find)| Some((Regex::new(form).ok()?, find)));
    compiled.collect()
});

/// Every part of a text that looks like a name.
pub fn find(text: &str, names: &Names) -> Vec<Span> {
    let mut all = Vec::new();
    for (form, find) in FORMS.iter() {
        for found in form.captures_iter(text) {
            all.extend(find(&found, names));
        }
    }
    all
}

/// All of what was found, as one name.
fn whole(found: &Captures<'_>, kind: Kind) -> Vec<Span> {
    found.get(0).map(|it| named(it, kind)).into_iter().collect()
}

fn named(found: regex::Match<'_>, kind: Kind) -> Span {
    Span {
        from: found.start(),
        to: found.end(),
        what: What::Name(kind, found.as_str().to_owned()),
    }
}

fn kept(found: regex::Match<'_>) -> Span {
    Span {
        from: found.start(),
        to: found.end(),
        what: What::Kept,
    }
}

fn fingerprint(found: &Captures<'_>, _: &Names) -> Vec<Span> {
    whole(found, Kind::Fingerprint)
}

fn mac(found: &Captures<'_>, _: &Names) -> Vec<Span> {
    whole(found, Kind::Address)
}

fn key(found: &Captures<'_>, _: &Names) -> Vec<Span> {
    whole(found, Kind::Key)
}

fn id(found: &Captures<'_>, _: &Names) -> Vec<Span> {
    whole(found, Kind::Id)
}

/// Addresses that are the same for everybody: this machine, any, all, the
/// metadata services of clouds.
fn is_generic(address: IpAddr) -> bool {
    let metadata = [
        IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
        IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
        IpAddr::V4(Ipv4Addr::BROADCAST),
    ];
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || metadata.contains(&address)
}

/// The private networks as standards have them (RFC 1918, RFC 6598, RFC 4193).
const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fd00::/8",
    "fe80::/10",
    "2000::/3",
];

fn ipv4(found: &Captures<'_>, _: &Names) -> Vec<Span> {
    found.get(0).map(address).unwrap_or_default()
}

/// What a word goes on after is none: `std::fs::read`.
fn ipv6(found: &Captures<'_>, _: &Names) -> Vec<Span> {
    let goes_on = found.name("word").is_some_and(|word| !word.is_empty());
    let found = found.name("ip").filter(|_| !goes_on);
    found.map(address).unwrap_or_default()
}

/// An address, its network's length left as it is.
fn address(whole: regex::Match<'_>) -> Vec<Span> {
    if NETWORKS.contains(&whole.as_str()) {
        return vec![kept(whole)];
    }
    let text = whole.as_str().split('/').next().unwrap_or_default();
    // A colon before or behind it is of the sentence.
    let mut candidates = [
        text,
        text.trim_end_matches(':'),
        text.trim_end_matches(['.', ':']),
    ]
    .into_iter()
    .map(|text| (text, text.split('%').next().unwrap_or_default()));
    let parsed = candidates.find_map(|(text, bare)| Some((text, bare.parse::<IpAddr>().ok()?)));
    let Some((text, parsed)) = parsed else {
        return Vec::new();
    };
    if parsed == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return Vec::new();
    }
    vec![Span {
        from: whole.start(),
        to: whole.start() + text.len(),
        what: match is_generic(parsed) {
            true => What::Kept,
            false => What::Name(Kind::Address, text.to_owned()),
        },
    }]
}

/// What ends the names of files and modules, and no host's that has one dot.
const ENDINGS: &[&str] = &[
    "conf",
    "config",
    "cnf",
    "ini",
    "toml",
    "yml",
    "yaml",
    "json",
    "jsonc",
    "env",
    "properties",
    "key",
    "crt",
    "cer",
    "pem",
    "der",
    "p12",
    "pfx",
    "pk8",
    "jks",
    "crl",
    "csr",
    "pub",
    "ppk",
    "so",
    "dylib",
    "dll",
    "exe",
    "sh",
    "bash",
    "py",
    "rb",
    "js",
    "ts",
    "mjs",
    "go",
    "rs",
    "java",
    "jar",
    "php",
    "ex",
    "exs",
    "c",
    "h",
    "cs",
    "sql",
    "log",
    "txt",
    "md",
    "xml",
    "html",
    "service",
    "socket",
    "target",
    "tsv",
    "csv",
    "gz",
    "tar",
    "lock",
    "bak",
    "orig",
    "old",
    "sock",
    "pid",
];

/// Whether a text is a host name of several labels.
pub fn is_host(text: &str) -> bool {
    let bare = text.trim_start_matches("*.").trim_end_matches('.');
    let labels: Vec<&str> = bare.split('.').collect();
    let Some(last) = labels.last() else {
        return false;
    };
    let usual = |label: &&str| {
        !label.is_empty() && label.len() < 64 && !label.starts_with('-') && !label.ends_with('-')
    };
    // A number with dots is a version or an address.
    let is_top = last.len() > 1
        && (last.chars().all(char::is_alphabetic) || last.to_lowercase().starts_with("xn--"));
    let lower = last.to_lowercase();
    let is_file = labels.len() == 2 && ENDINGS.contains(&lower.as_str());
    labels.len() > 1 && labels.iter().all(usual) && is_top && !is_file
}

fn host(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let Some(whole) = found.get(0) else {
        return Vec::new();
    };
    host_at(whole.as_str(), whole.start(), names)
}

/// A host name at a place of a text, as what is replaced of it.
fn host_at(text: &str, start: usize, names: &Names) -> Vec<Span> {
    // The end of a sentence is no part of a name.
    let bare = text.trim_end_matches('.');
    let star = if bare.starts_with("*.") { 2 } else { 0 };
    let (from, to) = (start + star, start + bare.len());
    let name = &bare[star..];
    let known = names.knows(Kind::Host, name);
    if !known && (!is_host(bare) || is_word(name) || is_common(name)) {
        return Vec::new();
    }
    vec![Span {
        from,
        to,
        what: What::Name(Kind::Host, name.to_owned()),
    }]
}

/// `USER@HOST`; a driver and its version are written alike.
fn at_host(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let (Some(user), Some(host)) = (found.name("user"), found.name("host")) else {
        return Vec::new();
    };
    if crate::client::driver::names().contains(&user.as_str()) {
        return Vec::new();
    }
    // Who named an algorithm (RFC 4251, section 6).
    if ["openssh.com", "libssh.org", "lysator.liu.se", "ssh.com"].contains(&host.as_str()) {
        return found.get(0).map(kept).into_iter().collect();
    }
    let mut all = Vec::new();
    if !is_common(user.as_str()) {
        all.push(named(user, Kind::User));
    }
    all.extend(endpoint(host.as_str(), host.start(), names));
    all
}

/// A host by name or address, where nothing else can stand.
fn endpoint(text: &str, start: usize, names: &Names) -> Vec<Span> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let from = start + usize::from(text.starts_with('['));
    let bare = bare.trim_end_matches('.');
    let kind = match bare.split('%').next().unwrap_or_default().parse::<IpAddr>() {
        Ok(address) if is_generic(address) => return Vec::new(),
        Ok(_) => Kind::Address,
        Err(_) if bare.contains('.') && is_host(bare) => return host_at(bare, from, names),
        Err(_) => Kind::Host,
    };
    if is_common(bare) {
        return Vec::new();
    }
    vec![Span {
        from,
        to: from + bare.len(),
        what: What::Name(kind, bare.to_owned()),
    }]
}

/// A setting as a conninfo string, a URL or the environment has it.
fn setting(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let (Some(name), Some(value)) = (
        found.name("name"),
        found.name("quoted").or_else(|| found.name("value")),
    ) else {
        return Vec::new();
    };
    // A variable of a shell or of a template.
    if value.as_str().starts_with(['$', '{', '<', '%', '…']) {
        return Vec::new();
    }
    let kind = match name.as_str().to_lowercase().as_str() {
        "host" | "hostaddr" if value.as_str().starts_with('/') => {
            return paths::at(value.as_str(), value.start(), names);
        }
        "host" | "hostaddr" => return endpoint(value.as_str(), value.start(), names),
        "user" | "username" => Kind::User,
        "service" => Kind::Service,
        _ => Kind::Database,
    };
    match is_common(value.as_str()) {
        true => Vec::new(),
        false => vec![named(value, kind)],
    }
}

/// An attribute of a distinguished name.
fn attribute(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let Some(value) = found.name("value") else {
        return Vec::new();
    };
    let text = value.as_str().trim_end_matches(['.', ':']);
    match is_host(text) {
        true => host_at(text, value.start(), names),
        false if text.is_empty() || is_common(text) || text.parse::<IpAddr>().is_ok() => Vec::new(),
        false => vec![Span {
            from: value.start(),
            to: value.start() + text.len(),
            what: What::Name(Kind::Name, text.to_owned()),
        }],
    }
}

/// Where the sources of our knowledge are.
const DOCUMENTATION: &[&str] = &[
    "docs.python.org",
    "codeberg.org",
    "docs.rs",
    "github.com",
    "go.dev",
    "hexdocs.pm",
    "jdbc.postgresql.org",
    "nodejs.org",
    "openjdk.org",
    "pkg.go.dev",
    "www.npgsql.org",
    "www.openssl.org",
    "www.php.net",
    "www.postgresql.org",
    "www.prisma.io",
    "www.psycopg.org",
    "www.rfc-editor.org",
];

/// The parts of a URL that name somebody. Those of documentation stay.
fn url(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let Some(whole) = found.get(0) else {
        return Vec::new();
    };
    let text = whole.as_str();
    let Some((scheme, rest)) = text.split_once("://") else {
        return Vec::new();
    };
    let start = whole.start() + scheme.len() + 3;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let scheme = scheme.to_lowercase();
    let is_postgres = ["postgres", "postgis", "jdbc", "pg"]
        .iter()
        .any(|it| scheme.contains(it));
    let is_web = scheme.starts_with("http");
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (user, hosts),
        None => ("", authority),
    };
    let documented = is_word(hosts) || DOCUMENTATION.contains(&hosts);
    if is_web && user.is_empty() && documented && !names.knows(Kind::Host, hosts) {
        return vec![kept(whole)];
    }
    let mut all = vec![Span {
        from: whole.start(),
        to: start,
        what: What::Kept,
    }];
    let name = user.split(':').next().unwrap_or_default();
    if !is_common(name) {
        all.push(Span {
            from: start,
            to: start + name.len(),
            what: What::Name(Kind::User, decoded(name)),
        });
    }
    let mut at = start + authority.len() - hosts.len();
    for one in hosts.split(',') {
        let host = match one.find(']') {
            Some(end) => &one[..=end],
            None => one.split(':').next().unwrap_or_default(),
        };
        match host.contains('%') && !host.starts_with('[') {
            // A folder of sockets.
            true => all.push(Span {
                from: at,
                to: at + host.len(),
                what: match paths::is_standard(&decoded(host)) {
                    true => What::Kept,
                    false => What::Name(Kind::Path, decoded(host)),
                },
            }),
            false => all.extend(endpoint(host, at, names)),
        }
        at += one.len() + 1;
    }
    let database = path.trim_start_matches('/');
    let database = database
        .split(['?', '#', '/', ')', ']', ',', ';'])
        .next()
        .unwrap_or_default();
    let from = start + authority.len() + 1;
    if is_postgres && path.starts_with('/') && !is_common(database) {
        let database = database.trim_end_matches(['.', ':']);
        all.push(Span {
            from,
            to: from + database.len(),
            what: What::Name(Kind::Database, decoded(database)),
        });
    } else if is_web && path.len() > 1 {
        let rest = path[1..].trim_end_matches([')', '.', ',', ';', ':']);
        if !are_words(rest) {
            all.push(Span {
                from,
                to: from + rest.len(),
                what: What::Name(Kind::Path, rest.to_owned()),
            });
        }
    }
    all
}

/// A text without its percent signs.
pub fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(byte));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
