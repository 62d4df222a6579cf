//! `known_hosts`, read as OpenSSH reads it (sshd(8), "SSH_KNOWN_HOSTS FILE
//! FORMAT"; hostfile.c). Never written.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use openssl::base64;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;

use crate::config::ssh_config::pattern_list;

/// No known_hosts file is read beyond this.
const LARGEST: u64 = 64 << 20;

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A key of the host.
    Plain,
    /// `@cert-authority`: a key that signs the host's certificate.
    Authority,
    /// `@revoked`: a key that must never be accepted.
    Revoked,
}

/// A line that applies to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHostsLine {
    /// Where it stands.
    pub source: Source,
    /// The line there, from 1.
    pub number: usize,
    /// What it is for.
    pub marker: Marker,
    /// The key's type.
    pub key_type: String,
    /// The key, as on the wire.
    pub key: Vec<u8>,
    /// Its fingerprint.
    pub fingerprint: String,
}

impl KnownHostsLine {
    /// `FILE:LINE`.
    pub fn place(&self) -> String {
        match &self.source {
            Source::File(file) => format!("{}:{}", file.display(), self.number),
            printed => format!("{printed}, line {} of its output", self.number),
        }
    }

    /// The file that it stands in.
    pub fn file(&self) -> Option<&Path> {
        match &self.source {
            Source::File(file) => Some(file),
            Source::Command { .. } => None,
        }
    }
}

/// Where lines of known_hosts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// What `KnownHostsCommand` prints, by where the configuration names it.
    Command {
        /// The configuration's file.
        file: String,
        /// The line in it, from 1.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Command { file, line } => write!(f, "KnownHostsCommand ({file}, line {line})"),
        }
    }
}

/// The content of the files that may know a host.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pages: Vec<(PathBuf, Vec<u8>)>,
}

impl Book {
    /// Reads the files; those that are missing or cannot be read count as empty.
    pub fn read<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let pages = files
            .into_iter()
            .filter_map(|path| Some((path.clone(), content(path)?)))
            .collect();
        Self { pages }
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.pages.iter().map(|(path, _)| path.as_path())
    }

    /// The files that were read, with their content.
    pub fn pages(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.pages
            .iter()
            .map(|(path, content)| (path.as_path(), content.as_slice()))
    }

    /// The lines that apply to a name, in order. Malformed ones are skipped.
    pub fn lines(&self, name: &str) -> Vec<KnownHostsLine> {
        let of = |(path, content): (&Path, &[u8])| {
            lines_of(&Source::File(path.to_owned()), content, name)
        };
        self.pages().flat_map(of).collect()
    }
}

/// The lines of a text that apply to a name.
pub fn lines_of(source: &Source, content: &[u8], name: &str) -> Vec<KnownHostsLine> {
    let name = name.to_lowercase();
    let mut lines = Vec::new();
    for (at, text) in content.split(|byte| *byte == b'\n').enumerate() {
        if let Some((marker, public)) = applies(&line(text), &name)
            && let Ok(key) = public.to_bytes()
        {
            lines.push(KnownHostsLine {
                source: source.clone(),
                number: at + 1,
                marker,
                key_type: super::algorithms::key_type(&public.algorithm()),
                key,
                fingerprint: fingerprint(&public),
            });
        }
    }
    lines
}

/// A key's fingerprint as OpenSSH prints it: `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(russh::keys::HashAlg::Sha256).to_string()
}

/// How known_hosts calls a host: with its port where that is not 22
/// (misc.c, `put_host_port`).
pub fn host_port(host: &str, port: u16) -> String {
    match port {
        22 => host.to_owned(),
        port => format!("[{host}]:{port}"),
    }
}

fn content(path: &Path) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A line as OpenSSH reads it: as far as the first NUL byte.
pub fn line(bytes: &[u8]) -> Cow<'_, str> {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text)
}

/// The marker and key of a line, if it is well formed and names the host.
pub fn applies(line: &str, host: &str) -> Option<(Marker, PublicKey)> {
    const BLANK: [char; 2] = [' ', '\t'];
    let mut rest = line.trim_start_matches(BLANK);
    if rest.is_empty() || rest.starts_with('#') {
        return None;
    }
    let mut marker = Marker::Plain;
    if rest.starts_with('@') {
        let (word, after) = rest.split_once(BLANK)?;
        marker = match word {
            "@cert-authority" => Marker::Authority,
            "@revoked" => Marker::Revoked,
            _ => return None,
        };
        rest = after.trim_start_matches(BLANK);
        if rest.starts_with('@') {
            return None;
        }
    }
    let (hosts, rest) = rest.split_once(BLANK)?;
    if !names(hosts, host) {
        return None;
    }
    let mut words = rest.split(BLANK).filter(|word| !word.is_empty());
    Some((marker, public_key(words.next()?, words.next()?)?))
}

/// The key of a line. Its base64 may have white space other than blanks in it,
/// and the name of a signature stands for the type `ssh-rsa` (sshkey.c,
/// `sshkey_read`).
pub fn public_key(key_type: &str, key: &str) -> Option<PublicKey> {
    let key_type = match key_type {
        "rsa-sha2-256" | "rsa-sha2-512" => "ssh-rsa",
        other => other,
    };
    let key: String = key.split(['\r', '\x0b', '\x0c']).collect();
    let public = PublicKey::from_openssh(&format!("{key_type} {key}")).ok()?;
    match public.key_data() {
        KeyData::Other(_) | KeyData::Certificate(_) => None,
        _ => Some(public),
    }
}

/// Whether a line's first field names the host, hashed or as patterns.
pub fn names(field: &str, host: &str) -> bool {
    match field.strip_prefix('|') {
        Some(hashed) => matches_hash(hashed, host).unwrap_or(false),
        None => pattern_list(&field.to_lowercase(), host),
    }
}

/// `|1|SALT|HASH`: HMAC-SHA1 of the name (hostfile.c, `host_hash`).
fn matches_hash(hashed: &str, host: &str) -> Option<bool> {
    let (salt, hash) = hashed.strip_prefix("1|")?.split_once('|')?;
    let salt = base64::decode_block(salt).ok()?;
    let hash = base64::decode_block(hash).ok()?;
    let key = PKey::hmac(&salt).ok()?;
    let mut signer = Signer::new(MessageDigest::sha1(), &key).ok()?;
    let found = signer.sign_oneshot_to_vec(host.as_bytes()).ok()?;
    Some(found == hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn found(line: &str, host: &str) -> bool {
        applies(line, host).is_some()
    }

    #[test]
    fn patterns_negations_and_ports() {
        assert!(found(&format!("db.test {KEY} comment here"), "db.test"));
        assert!(found(&format!("  *.test\t{KEY}"), "db.test"));
        assert!(found(
            &format!("[127.0.0.1]:2222 {KEY}"),
            "[127.0.0.1]:2222"
        ));
        assert!(!found(&format!("*.test,!db.test {KEY}"), "db.test"));
        assert!(found(&format!("!other.test,*.test {KEY}"), "db.test"));
        assert!(!found(&format!("# db.test {KEY}"), "db.test"));
        assert!(!found("db.test ssh-ed25519 AAAA", "db.test"));
        assert!(!found("db.test", "db.test"));
        assert!(!found(&format!("@unknown db.test {KEY}"), "db.test"));
        assert!(!found(
            &format!("@revoked @cert-authority db.test {KEY}"),
            "db.test"
        ));
        assert!(found(&format!("@revoked * {KEY}"), "db.test"));
    }

    #[test]
    fn white_space_within_a_key_and_what_follows_a_nul_do_not_count() {
        let (begin, end) = KEY.split_at(40);
        for space in ['\r', '\x0b', '\x0c'] {
            assert!(found(
                &format!("db.test {begin}{space}{end}{space}"),
                "db.test"
            ));
        }
        assert!(found(
            &line(format!("db.test {KEY}\0?").as_bytes()),
            "db.test"
        ));
        assert!(!found(
            &line(format!("db.test\0 {KEY}").as_bytes()),
            "db.test"
        ));
    }

    #[test]
    fn a_hashed_name_is_recognised() {
        // ssh-keygen -H over "db.test"
        let salt = [7u8; 20];
        let key = PKey::hmac(&salt).unwrap();
        let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
        let hash = signer.sign_oneshot_to_vec(b"db.test").unwrap();
        let line = format!(
            "|1|{}|{} {KEY}",
            base64::encode_block(&salt),
            base64::encode_block(&hash)
        );
        assert!(found(&line, "db.test"));
        assert!(!found(&line, "db2.test"));
        assert!(!found(&format!("|1|x {KEY}"), "db.test"));
        assert!(!found(&format!("|2|{} {KEY}", "x"), "db.test"));
    }
}
