//! What lies next to a key: the public half `KEY.pub` and the certificate
//! `KEY-cert.pub`, as OpenSSH looks for them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use russh::keys::{Certificate, PublicKey};

use super::{file, format};

/// `KEY.pub`, if there is one that can be read.
pub fn public(key: &Path) -> Option<(PathBuf, PublicKey)> {
    let path = with_suffix(key, ".pub");
    let text = text(&path)?;
    Some((path, format::read_public(&text)?))
}

/// `KEY-cert.pub`, if there is one that can be read.
pub fn certificate(key: &Path) -> Option<(PathBuf, Certificate)> {
    let path = with_suffix(key, "-cert.pub");
    let text = text(&path)?;
    Some((path, format::read_certificate(&text)?))
}

/// A name with something appended.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn text(path: &Path) -> Option<String> {
    let file = file::read(path).ok()?;
    Some(String::from_utf8_lossy(&file.content).into_owned())
}
