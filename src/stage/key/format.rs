//! What kind of text a file holds, from its own words.

use openssl::pkey::PKey;
use openssl::x509::X509;
use russh::keys::{Certificate, PublicKey};

use super::openssh_v1;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFileKind {
    /// A private key of a form that OpenSSH reads.
    Private(PrivateForm),
    /// Something that may be shown to everybody, and what.
    Public(String),
    /// A PuTTY key: the version of its form, and the encryption it names.
    Ppk {
        /// 1, 2 or 3.
        version: u8,
        /// Whether a passphrase opens it.
        encrypted: bool,
    },
    /// A private key of a form that OpenSSH does not read, and which.
    Foreign(&'static str),
    /// Nothing that looks like a key.
    Other(&'static str),
}

/// The forms of private keys that OpenSSH reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateForm {
    /// `OPENSSH PRIVATE KEY`.
    OpenSsh,
    /// `RSA PRIVATE KEY`.
    Pkcs1,
    /// `EC PRIVATE KEY`.
    Sec1,
    /// `DSA PRIVATE KEY`.
    Dsa,
    /// `PRIVATE KEY`.
    Pkcs8,
    /// `ENCRYPTED PRIVATE KEY`.
    Pkcs8Encrypted,
}

impl PrivateForm {
    /// Every form.
    pub const ALL: [Self; 6] = [
        Self::OpenSsh,
        Self::Pkcs1,
        Self::Sec1,
        Self::Dsa,
        Self::Pkcs8,
        Self::Pkcs8Encrypted,
    ];

    /// What stands between `BEGIN` and the dashes.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenSsh => "OPENSSH PRIVATE KEY",
            Self::Pkcs1 => "RSA PRIVATE KEY",
            Self::Sec1 => "EC PRIVATE KEY",
            Self::Dsa => "DSA PRIVATE KEY",
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Pkcs8Encrypted => "ENCRYPTED PRIVATE KEY",
        }
    }

    /// What the form is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenSsh => "OpenSSH",
            Self::Pkcs1 => "PKCS#1",
            Self::Sec1 => "SEC1",
            Self::Dsa => "DSA PEM",
            Self::Pkcs8 | Self::Pkcs8Encrypted => "PKCS#8",
        }
    }
}

/// Types of SSH public keys, as they begin a line.
const TYPES: [&str; 12] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-",
    "sk-ssh-ed25519@",
    "sk-ecdsa-sha2-",
    "ssh-ed25519-cert-",
    "ssh-rsa-cert-",
    "ssh-dss-cert-",
    "rsa-sha2-",
    "ssh-xmss@",
    "ssh-ed448",
];

/// Tells what a text is. Only what is plainly there counts; what was damaged
/// is another file's business.
pub fn kind(content: &[u8]) -> KeyFileKind {
    let text = String::from_utf8_lossy(content);
    let text = text.trim_start_matches('\u{feff}');
    if let Some(ppk) = ppk(text) {
        return ppk;
    }
    let begins = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    if let Some(form) = first_private(text) {
        return KeyFileKind::Private(form);
    }
    if text.contains("PRIVATE KEY") {
        return match () {
            _ if begins("PGP PRIVATE KEY BLOCK") => KeyFileKind::Foreign("an OpenPGP key"),
            _ if text.contains("BEGIN SSH2 ENCRYPTED PRIVATE KEY") => {
                KeyFileKind::Foreign("a key from ssh.com's SSH or Tectia")
            }
            _ if text.starts_with("SSH PRIVATE KEY FILE FORMAT 1") => {
                KeyFileKind::Foreign("a key for version 1 of the SSH protocol")
            }
            _ => KeyFileKind::Other("a private key that was damaged"),
        };
    }
    if let Some(what) = public(content, text) {
        return KeyFileKind::Public(what);
    }
    if content.starts_with(&[0x30, 0x82]) || content.starts_with(&[0x30, 0x81]) {
        return der(content);
    }
    if text.starts_with("{") && text.contains("\"kty\"") {
        return KeyFileKind::Foreign("a JSON web key");
    }
    if text.starts_with("AGE-SECRET-KEY-") {
        return KeyFileKind::Foreign("an age key");
    }
    if content.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        return KeyFileKind::Foreign("a Java key store");
    }
    KeyFileKind::Other(instead(text))
}

/// What people put where a key belongs, if it is that.
fn instead(text: &str) -> &'static str {
    let text = text.trim().trim_matches(['"', '\'']);
    let one_line = !text.contains('\n') && text.len() < 500;
    match () {
        _ if text.is_empty() => "nothing but whitespace",
        _ if one_line && (text.starts_with(['$', '%']) || text.starts_with("{{")) => {
            "the name of a variable that was not replaced with its value"
        }
        _ if one_line && text.bytes().all(|b| b == b'*') => {
            "asterisks, which CI systems print instead of a secret"
        }
        _ if one_line && (text.starts_with('/') || text.starts_with("~/")) => {
            "a path instead of the content of that file"
        }
        _ if text.starts_with("SHA256:") || text.contains(" SHA256:") => "the fingerprint of a key",
        _ => "no key",
    }
}

/// The first header of a private key that OpenSSH knows.
pub fn first_private(text: &str) -> Option<PrivateForm> {
    PrivateForm::ALL
        .into_iter()
        .filter_map(|form| {
            let header = format!("-----BEGIN {}-----", form.label());
            text.find(&header).map(|at| (at, form))
        })
        .min_by_key(|(at, _)| *at)
        .map(|(_, form)| form)
}

fn ppk(text: &str) -> Option<KeyFileKind> {
    let (_, rest) = text.split_once("PuTTY-User-Key-File-")?;
    if text.contains("PRIVATE KEY-----") {
        return None;
    }
    Some(KeyFileKind::Ppk {
        version: rest
            .chars()
            .next()
            .and_then(|c| c.to_digit(10))
            .and_then(|v| u8::try_from(v).ok())
            .unwrap_or(0),
        encrypted: rest.contains("Encryption: ") && !rest.contains("Encryption: none"),
    })
}

/// What public thing it is, if one.
fn public(content: &[u8], text: &str) -> Option<String> {
    for (label, what) in [
        ("CERTIFICATE REQUEST", "a certificate request"),
        ("NEW CERTIFICATE REQUEST", "a certificate request"),
        ("TRUSTED CERTIFICATE", "an X.509 certificate"),
        ("X509 CERTIFICATE", "an X.509 certificate"),
        ("CERTIFICATE", "an X.509 certificate"),
        ("RSA PUBLIC KEY", "a public key in PEM format"),
        ("PUBLIC KEY", "a public key in PEM format"),
        ("PGP PUBLIC KEY BLOCK", "an OpenPGP public key"),
    ] {
        if text.contains(&format!("-----BEGIN {label}-----")) {
            return Some(what.to_owned());
        }
    }
    if text.contains("---- BEGIN SSH2 PUBLIC KEY ----") {
        return Some("a public key in RFC 4716 format".to_owned());
    }
    if X509::from_der(content).is_ok() {
        return Some("an X.509 certificate".to_owned());
    }
    if PKey::public_key_from_der(content).is_ok() {
        return Some("a public key in DER format".to_owned());
    }
    text.lines().take(1000).find_map(public_line)
}

/// What a line of SSH's own public form is: `ssh-ed25519 AAAA… comment`, with
/// or without options or host names before it.
fn public_line(line: &str) -> Option<String> {
    let line = line.trim().trim_matches(['"', '\'']);
    let words: Vec<&str> = line.split_whitespace().collect();
    // The encoding of a public key begins with the length of its type's name.
    let encoded = |word: &str| word.starts_with("AAAA") && word.len() > 40;
    for pair in words.windows(2) {
        let [name, data] = pair else { continue };
        if TYPES.iter().any(|known| name.starts_with(known)) && encoded(data) {
            return Some(match name.contains("-cert-") {
                true => format!("an OpenSSH certificate ({name})"),
                false => format!("a public key ({name})"),
            });
        }
    }
    match words.as_slice() {
        [data] if encoded(data) => {
            let decoded = openssh_v1::base64(data.as_bytes())?;
            let key = PublicKey::from_bytes(&decoded).ok()?;
            Some(format!("a public key ({})", key.algorithm()))
        }
        _ => None,
    }
}

/// What a binary ASN.1 structure is.
fn der(content: &[u8]) -> KeyFileKind {
    if PKey::private_key_from_der(content).is_ok() {
        return KeyFileKind::Foreign("a private key in binary DER format");
    }
    if openssl::pkcs12::Pkcs12::from_der(content).is_ok() {
        return KeyFileKind::Foreign("a PKCS#12 container");
    }
    KeyFileKind::Other("binary data")
}

/// Reads SSH's public form from a file's text, as OpenSSH reads a `.pub`: the
/// first line that is one.
pub fn read_public(text: &str) -> Option<PublicKey> {
    text.lines().find_map(|line| {
        let line = line.trim_start();
        match line.contains("-cert-v01@") {
            true => None,
            false => PublicKey::from_openssh(line).ok(),
        }
    })
}

/// Reads a certificate in SSH's own form.
pub fn read_certificate(text: &str) -> Option<Certificate> {
    text.lines()
        .find_map(|line| Certificate::from_openssh(line.trim()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_things_are_told_apart() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC0bZyIpt0X45GEzB/TeuwaalaoYlMF/NUd7cQYJvm1W lab\n";
        assert_eq!(
            kind(key.as_bytes()),
            KeyFileKind::Public("a public key (ssh-ed25519)".into())
        );
        let bare = key.split(' ').nth(1).unwrap();
        assert!(matches!(kind(bare.as_bytes()), KeyFileKind::Public(_)));
        for label in ["CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY"] {
            let pem = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
            assert!(
                matches!(kind(pem.as_bytes()), KeyFileKind::Public(_)),
                "{label}"
            );
        }
        assert!(matches!(kind(b"hello world"), KeyFileKind::Other(_)));
        assert!(matches!(kind(b""), KeyFileKind::Other(_)));
    }

    #[test]
    fn a_private_key_beside_a_certificate_is_private() {
        let text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
        assert_eq!(kind(text), KeyFileKind::Private(PrivateForm::Pkcs8));
    }

    #[test]
    fn putty_versions() {
        let text = b"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: aes256-cbc\r\n";
        assert_eq!(
            kind(text),
            KeyFileKind::Ppk {
                version: 3,
                encrypted: true
            }
        );
    }
}
