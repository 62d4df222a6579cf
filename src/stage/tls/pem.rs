//! The PEM files that settings name, held so that OpenSSL's own loaders can
//! take them: bounded in size and time, and read once, since a pipe
//! (`sslcert=/dev/fd/63`) has nothing for a second reader.

use std::path::{Path, PathBuf};
use std::time::Instant;

use openssl::x509::X509;

use crate::config::files::{self, Unreadable};
use crate::temporary::Nameless;

/// Many times the largest bundle of roots, in bytes.
const LARGEST: u64 = 16 << 20;

/// A file's bytes, and a name under which they can be read again.
pub struct PemFile {
    /// What is in it.
    pub bytes: Vec<u8>,
    name: PathBuf,
    /// What the name leads to, where it is not the file itself.
    _copy: Option<Nameless>,
}

impl PemFile {
    /// Reads a file, or a pipe until `limit`.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path, limit: Instant) -> Result<Self, Unreadable> {
        let bytes = files::read_until(path, LARGEST, limit)?;
        let copy = match path.is_file() {
            true => None,
            false => Some(Nameless::new(&bytes).map_err(|_| {
                Unreadable::because("is a pipe, and no temporary copy of it can be made")
            })?),
        };
        let name = copy.as_ref().map_or(path.to_owned(), Nameless::path);
        Ok(Self {
            bytes,
            name,
            _copy: copy,
        })
    }

    /// A name for OpenSSL to read.
    pub fn name(&self) -> &Path {
        &self.name
    }
}

/// The certificates in PEM text, as far as they can be read.
pub fn certificates(pem: &[u8]) -> Vec<X509> {
    X509::stack_from_pem(pem).unwrap_or_default()
}

/// Whether it is a certificate, but not in PEM.
pub fn is_der(bytes: &[u8]) -> bool {
    X509::from_der(bytes).is_ok()
}

/// What a file is that is no PEM certificate.
pub fn what_it_is(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return "it contains only whitespace".to_owned();
    }
    if is_der(bytes) {
        return "it is a DER certificate, and PEM is required".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    let label = text
        .split("-----BEGIN ")
        .nth(1)
        .and_then(|rest| rest.split("-----").next());
    match label {
        Some("CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE") => {
            "the certificate in it is damaged".to_owned()
        }
        Some(other) if other.len() < 40 => {
            format!("it contains another type of block ({other})")
        }
        Some(_) => "it is damaged".to_owned(),
        None if text.trim_start().starts_with("MII") => {
            "it is base64 without the BEGIN CERTIFICATE line".to_owned()
        }
        None => "there is no BEGIN CERTIFICATE line in it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_certificates_are_named() {
        assert_eq!(what_it_is(b""), "it is empty");
        assert!(what_it_is(b"-----BEGIN PRIVATE KEY-----\nx").contains("PRIVATE KEY"));
        assert!(what_it_is(b"hello").contains("no BEGIN CERTIFICATE"));
    }
}
