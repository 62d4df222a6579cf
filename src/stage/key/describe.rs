//! What is observed about a key file, as facts and as one line.

use russh::keys::ssh_key::{Algorithm, HashAlg};
use russh::keys::{EcdsaCurve, PublicKey};
use serde_json::Value;

use super::examine::Examined;
use super::file::KeyFile;
use super::format::PrivateForm;
use super::{companions, decrypt, format};
use crate::config::NamedFile;

pub fn describe_file(found: &mut Examined, read: &KeyFile) {
    found.fact("mode", mode(read));
    found.fact(
        "owner",
        read.owner.clone().unwrap_or_else(|| read.uid.to_string()),
    );
    if let Some(link) = &read.link {
        found.fact("link", link.display().to_string());
    }
    let parents: Vec<String> = read
        .open_parents
        .iter()
        .map(|directory| directory.display().to_string())
        .collect();
    found.fact("writable_parents", parents);
}

pub fn mode(read: &KeyFile) -> String {
    format!("{:04o}", read.mode)
}

/// What stands in clear.
pub fn describe_key(found: &mut Examined, file: &NamedFile, content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    let Some(form) = format::first_private(&text) else {
        return;
    };
    let envelope = decrypt::envelope(content);
    found.fact("format", form.name());
    found.fact("encrypted", envelope.encrypted);
    found.fact(
        "cipher",
        envelope.cipher.clone().filter(|name| name != "none"),
    );
    found.fact("kdf", envelope.kdf.clone().filter(|name| name != "none"));
    found.fact("kdf_rounds", envelope.rounds);
    if let Some(public) = &envelope.public {
        describe_public(found, public);
    } else if let Some(name) = envelope.type_name.filter(|_| form == PrivateForm::OpenSsh) {
        found.fact("type", name);
    } else if let Some((_, public)) = companions::public(&file.path) {
        // A locked PEM key shows nothing of itself.
        if envelope.encrypted {
            describe_public(found, &public);
        }
    }
    found.summary = summary(found);
}

pub fn describe_public(found: &mut Examined, public: &PublicKey) {
    found.fact("type", type_name(public));
    found.fact("bits", bits(public));
    found.fact(
        "fingerprint",
        public.fingerprint(HashAlg::Sha256).to_string(),
    );
}

/// `Ed25519 SHA256:…, 0600, not encrypted`.
pub fn summary(found: &Examined) -> String {
    let text = |name: &str| found.facts.get(name).and_then(Value::as_str);
    let encrypted = found.facts.get("encrypted").and_then(Value::as_bool);
    let mut parts = vec![match (text("type"), text("fingerprint")) {
        (Some(name), Some(print)) => format!("{} {print}", pretty(name, found)),
        (Some(name), None) => name.to_owned(),
        _ => format!("{} key", text("format").unwrap_or("private")),
    }];
    parts.extend(text("mode").map(str::to_owned));
    parts.extend(encrypted.map(|yes| if yes { "encrypted" } else { "not encrypted" }.to_owned()));
    parts.join(", ")
}

/// `ssh-rsa` as people say it: `RSA 2048`.
pub fn pretty(name: &str, found: &Examined) -> String {
    let bits = found.facts.get("bits").and_then(Value::as_u64).unwrap_or(0);
    match name {
        "ssh-ed25519" => "Ed25519".to_owned(),
        "ssh-rsa" => format!("RSA {bits}"),
        "ssh-dss" => format!("DSA {bits}"),
        name if name.starts_with("ecdsa-sha2-") => format!("ECDSA {bits}"),
        name => name.to_owned(),
    }
}

/// SSH's name of a key's type.
pub fn type_name(public: &PublicKey) -> String {
    match public.algorithm() {
        Algorithm::Rsa { .. } => "ssh-rsa".to_owned(),
        other => other.to_string(),
    }
}

/// A key's size in bits, as `ssh-keygen -l` shows it.
pub fn bits(public: &PublicKey) -> Option<u32> {
    let data = public.key_data();
    match public.algorithm() {
        Algorithm::Rsa { .. } => data
            .rsa()
            .and_then(|rsa| rsa.n().as_positive_bytes())
            .map(super::blob::bits),
        Algorithm::Dsa => data
            .dsa()
            .and_then(|dsa| dsa.p().as_positive_bytes())
            .map(super::blob::bits),
        Algorithm::Ecdsa { curve } => Some(match curve {
            EcdsaCurve::NistP256 => 256,
            EcdsaCurve::NistP384 => 384,
            EcdsaCurve::NistP521 => 521,
        }),
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Some(256),
        _ => None,
    }
}
