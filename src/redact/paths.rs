//! File names: which name somebody's file, and which are the same for everybody.

use regex::Captures;

use super::forms::{Span, What};
use super::names::{Kind, Names};
use super::words::are_words;

/// A file name in a text: absolute, of a home, or of Windows.
pub const FORM: &str = r#"(?:^|[\s=(,;>\[{:|"'`«“])(?P<path>(?:~[\w.\-]*)?/[^\s"'`«»“”<>|;,(){}\[\]]*|[A-Za-z]:[\\/][^\s"'<>|;,]+|\\\\[\w.$\-]+\\[^\s"'<>|;,]+)"#;

/// The files that programs look for by these names, below whatever folder.
const NAMES: &[&str] = &[
    ".pgpass",
    ".pg_service.conf",
    "pg_service.conf",
    ".postgresql",
    ".postgresql/postgresql.crt",
    ".postgresql/postgresql.key",
    ".postgresql/root.crt",
    ".postgresql/root.crl",
    ".ssh",
    ".ssh/config",
    ".ssh/known_hosts",
    ".ssh/known_hosts2",
    ".ssh/authorized_keys",
    ".ssh/agent.sock",
    ".ssh/id_rsa",
    ".ssh/id_dsa",
    ".ssh/id_ecdsa",
    ".ssh/id_ecdsa_sk",
    ".ssh/id_ed25519",
    ".ssh/id_ed25519_sk",
    ".env",
    ".env.local",
    "postgresql.conf",
    "postgresql.auto.conf",
    "pg_hba.conf",
    "pg_ident.conf",
    "pgbouncer.ini",
    "userlist.txt",
    "postmaster.pid",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
    "server.crt",
    "server.key",
];

/// What may stand behind the name of a key.
const COMPANIONS: &[&str] = &["-cert.pub", ".pub"];

/// The folders that every system has.
const SYSTEM: &[&str] = &[
    "/etc/",
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib64/",
    "/dev/",
    "/proc/",
    "/sys/",
    "/run/",
    "/var/run/",
    "/var/lib/",
    "/var/log/",
];

/// Names within them that are in no text of the catalogue.
const PLACES: &[&str] = &[
    "/",
    "/nonexistent",
    "/tmp",
    "/etc",
    "/usr",
    "/var",
    "/run",
    "/dev",
    "/proc",
    "/sys",
    "/root",
    "/home",
    "/var/run/postgresql",
    "/run/postgresql",
    "/var/lib/postgresql",
    "/var/lib/pgsql",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/passwd",
    "/etc/ssh",
    "/etc/ssh/ssh_config",
    "/etc/ssh/sshd_config",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/crypto-policies",
    "/etc/postgresql-common",
    "/usr/lib/ssl/certs",
    "/usr/lib/ssl/cert.pem",
    "/usr/bin/ssh",
    "/usr/bin/psql",
    "/bin/sh",
    "/bin/bash",
    "/dev/null",
    "/dev/tty",
    "/dev/stdin",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/var/run/secrets/kubernetes.io/serviceaccount",
];

/// Whether a file has this name everywhere.
pub fn is_standard(path: &str) -> bool {
    let path = match path.len() {
        0 | 1 => path,
        _ => path.trim_end_matches('/'),
    };
    if PLACES.contains(&path)
        || is_known_name(path)
        || socket(path).is_some_and(|folder| PLACES.contains(&folder))
    {
        return true;
    }
    if let Some(name) = path.strip_prefix("~/") {
        return is_known_name(name);
    }
    path == "~" || SYSTEM.iter().any(|folder| path.starts_with(folder)) && are_words(path)
}

/// The folder of one of PostgreSQL's sockets.
fn socket(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let port = name.strip_prefix(".s.PGSQL.")?;
    let port = port.strip_suffix(".lock").unwrap_or(port);
    port.chars().all(|c| c.is_ascii_digit()).then_some(folder)
}

fn is_known_name(name: &str) -> bool {
    let companions = COMPANIONS.iter();
    let mut bare = companions.filter_map(|ending| name.strip_suffix(ending));
    NAMES.contains(&name) || bare.any(|name| NAMES.contains(&name))
}

/// How much of a path names somebody's folder: what follows it is a name that
/// programs look for.
pub fn named_part(path: &str) -> &str {
    if let Some(folder) = socket(path) {
        return folder;
    }
    let mut slashes = path.match_indices('/');
    let known = slashes.find(|(at, _)| is_known_name(&path[at + 1..]));
    match known {
        Some((at, _)) if at > 0 => &path[..at],
        _ => path,
    }
}

/// A file name that was found by [`FORM`], as what is replaced of it.
pub fn find(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let Some(path) = found.name("path") else {
        return Vec::new();
    };
    // The end of a sentence, or of a name with a line (`FILE:12`); a backslash may
    // be a shell's, for what follows.
    let mut text = path
        .as_str()
        .trim_end_matches(['.', ':', '!', '?', '…', '\\']);
    if let Some((name, line)) = text.rsplit_once(':')
        && line.chars().all(|c| c.is_ascii_digit())
    {
        text = name;
    }
    at(text, path.start(), names)
}

/// A file name within quotes, which may have blanks.
pub fn quoted(found: &Captures<'_>, names: &Names) -> Vec<Span> {
    let path = found.name("path");
    path.map(|path| at(path.as_str(), path.start(), names))
        .unwrap_or_default()
}

/// A path at a place of a text.
pub fn at(text: &str, start: usize, names: &Names) -> Vec<Span> {
    let is_of_target = || {
        let mut parts = text.split('/').filter(|part| !part.is_empty());
        parts.any(|part| names.knows_any(part)) || names.knows(Kind::Path, text)
    };
    let standard = is_standard(text) && !is_of_target();
    if text.len() < 2 || standard {
        return vec![Span {
            from: start,
            to: start + text.len(),
            what: What::Kept,
        }];
    }
    let named = named_part(text);
    let mut all = vec![Span {
        from: start,
        to: start + named.len(),
        what: What::Name(Kind::Path, named.to_owned()),
    }];
    if named.len() < text.len() {
        all.push(Span {
            from: start + named.len(),
            to: start + text.len(),
            what: What::Kept,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_has_is_told_from_what_is_somebodys() {
        for path in [
            "~/.pgpass",
            "~/.ssh/id_ed25519-cert.pub",
            "/etc/resolv.conf",
            "/var/run/postgresql/.s.PGSQL.5432",
            "/dev/null",
        ] {
            assert!(is_standard(path), "{path}");
        }
        for path in [
            "/srv/okapi/ca.crt",
            "~/okapi.pem",
            "/home/zebra/.pgpass",
            "/etc/okapi/ca.crt",
        ] {
            assert!(!is_standard(path), "{path}");
        }
        assert_eq!(named_part("/home/zebra/.ssh/id_rsa"), "/home/zebra");
        assert_eq!(named_part("/srv/okapi/.s.PGSQL.5432"), "/srv/okapi");
        assert_eq!(named_part("/srv/okapi/ca.crt"), "/srv/okapi/ca.crt");
    }
}
