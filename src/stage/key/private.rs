//! A private key, whole or damaged: opened, and judged as OpenSSH judges it.

use std::path::PathBuf;

use russh::keys::PublicKey;
use russh::keys::ssh_key::{Algorithm, HashAlg};

use super::damage::Damage;
use super::describe::{bits, describe_key, describe_public, summary, type_name};
use super::examine::{Examined, guard, locked, shown_path};
use super::file::KeyFile;
use super::format::KeyFileKind;
use super::{KeyRefusal, LoadedKey, OpenedKey, companions, damage, decrypt, format, library};
use crate::cause::key as cause;
use crate::config::NamedFile;
use crate::finding::Finding;
use crate::secret::Secret;

/// RSA keys with fewer bits than this are weak.
const RSA_STRONG: u32 = 2048;

/// A private key, whole or damaged, or nothing that was recognised.
pub fn private(
    found: &mut Examined,
    file: &NamedFile,
    read: &KeyFile,
    passphrase: Option<&Secret>,
    uid: u32,
    tell_libraries: bool,
) {
    let path = shown_path(&file.path);
    let given = passphrase.map(Secret::expose).unwrap_or_default();
    let given = given.as_str();
    let opened = open_as_asked(&read.content, given);
    let readable = !matches!(opened, Err(KeyRefusal::Format));
    let (damage, beneath) = damage_of(&read.content, given, &opened);
    let repaired = damage.as_ref().and_then(|it| it.repaired.clone());
    // What is underneath the damage is told from the repaired text.
    let exposed = repaired.as_ref().map(Secret::expose_bytes);
    let (content, opened) = match (&exposed, beneath) {
        (Some(repaired), Some(beneath)) if !readable => (repaired.as_slice(), beneath),
        _ => (read.content.as_slice(), opened),
    };
    // What OpenSSH does not read, of whatever version, is no repair.
    let is_of_use = matches!(
        opened,
        Ok(_) | Err(KeyRefusal::Passphrase | KeyRefusal::NotYet(..))
    );
    found.repaired = repaired.clone().filter(|_| is_of_use);
    describe_key(found, file, content);
    if damage.is_some() || readable {
        found.findings.extend(guard(&path, read, uid));
    }
    if let Some(damage) = &damage {
        found.fact("damage", damage.names());
        found.found(damage.finding(&file.path, readable, is_of_use));
    }
    match opened {
        Ok(opened) => {
            if tell_libraries {
                libraries(found, content, given, &opened);
            }
            accept(found, file, opened, readable);
        }
        Err(refusal) => refused(found, file, content, given, refusal, damage.is_some()),
    }
    if found.summary.is_empty() {
        found.summary = format!("{path} is not a private key");
    }
}

/// What happened to the text, and what opening the repaired one gives, where
/// it was repaired. A repair is kept where it proves right: the passphrase at
/// hand may show that the key is lost all the same, and what OpenSSH reads as
/// it is must still be the same key.
fn damage_of(
    content: &[u8],
    given: &str,
    opened: &Result<OpenedKey, KeyRefusal>,
) -> (Option<Damage>, Option<Result<OpenedKey, KeyRefusal>>) {
    let diagnosed = damage::diagnose(content);
    let damage = match opened {
        Err(KeyRefusal::Format) => diagnosed.or_else(|| damage::altered(content)),
        _ => diagnosed,
    };
    let Some(repaired) = damage.as_ref().and_then(|it| it.repaired.as_ref()) else {
        return (damage, None);
    };
    let beneath = open_as_asked(&repaired.expose_bytes(), given);
    let proved = match (opened, &beneath) {
        (_, Err(KeyRefusal::Format)) => false,
        (Err(KeyRefusal::Format), _) => true,
        (Ok(before), Ok(after)) => before.public.key_data() == after.public.key_data(),
        (Err(before), Err(after)) => before == after,
        _ => false,
    };
    match proved {
        true => (damage, Some(beneath)),
        false => (damage.map(Damage::irreparable), None),
    }
}

/// Which libraries can read it, for those who ask.
fn libraries(found: &mut Examined, content: &[u8], given: &str, opened: &OpenedKey) {
    let text = String::from_utf8_lossy(content);
    let Some(form) = format::first_private(&text) else {
        return;
    };
    let table = library::table(&library::Key {
        form,
        envelope: &decrypt::envelope(content),
        type_name: &type_name(&opened.public),
        content,
        passphrase: given,
    });
    found.fact("libraries", table);
}

/// First without a passphrase, then with it, as OpenSSH does.
fn open_as_asked(content: &[u8], passphrase: &str) -> Result<OpenedKey, KeyRefusal> {
    match decrypt::open(content, "") {
        Err(KeyRefusal::Passphrase) if !passphrase.is_empty() => decrypt::open(content, passphrase),
        outcome => outcome,
    }
}

/// The key opened: what remains is its kind, its strength and its companions.
fn accept(found: &mut Examined, file: &NamedFile, opened: OpenedKey, readable: bool) {
    let path = shown_path(&file.path);
    describe_public(found, &opened.public);
    let comment = opened.comment.clone().filter(|comment| !comment.is_empty());
    found.fact("comment", comment);
    found.summary = summary(found);
    let name = type_name(&opened.public);
    match opened.public.algorithm() {
        Algorithm::Dsa => found.found(
            of_type(&path, "DSA")
                .with("why", "OpenSSH does not offer DSA keys since 7.0 unless configured to, and removed them in 10.0"),
        ),
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => found.found(
            of_type(&path, &name)
                .with("why", "the secret is inside a security key: this file cannot sign without the device and a touch on it")
                .with("device", true),
        ),
        Algorithm::Rsa { .. } => {
            if let Some(bits) = bits(&opened.public).filter(|bits| *bits < RSA_STRONG) {
                found.found(
                    Finding::new(&cause::WEAK)
                        .with("path", path.clone())
                        .with("bits", bits)
                        .as_warning(),
                );
            }
        }
        _ => {}
    }
    let offered = companions(found, file, &opened.public);
    let is_dsa = opened.public.algorithm() == Algorithm::Dsa;
    if readable && !is_dsa {
        // ssh offers the public half of a key that it refuses to open; only an
        // agent could then sign.
        found.key = Some(LoadedKey {
            path: file.path.clone(),
            public: opened.public,
            private: opened.private.filter(|_| found.is_usable()),
            names_agent_key: false,
            offered,
            certificate: companions::certificate(&file.path).map(|(_, certificate)| certificate),
        });
    }
}

fn of_type(path: &str, name: &str) -> Finding {
    Finding::new(&cause::TYPE)
        .with("path", path.to_owned())
        .with("type", name.to_owned())
}

/// Compares the key with the `.pub` and the certificate beside it; returns
/// the public key that OpenSSH offers for the file.
fn companions(found: &mut Examined, file: &NamedFile, own: &PublicKey) -> PublicKey {
    let mismatch = |beside: &PathBuf, other: String| {
        Finding::new(&cause::PAIR_MISMATCH)
            .with("path", shown_path(&file.path))
            .with("beside", beside.display().to_string())
            .with("key", own.fingerprint(HashAlg::Sha256).to_string())
            .with("other", other)
            .as_warning()
    };
    let mut offered = own.clone();
    if let Some((path, public)) = companions::public(&file.path)
        && public.key_data() != own.key_data()
    {
        let print = public.fingerprint(HashAlg::Sha256).to_string();
        let written = path.display().to_string();
        found.found(mismatch(&path, print).with("public_half", written));
        offered = public;
    }
    if let Some((path, certificate)) = companions::certificate(&file.path) {
        found.fact("certificate", path.display().to_string());
        if certificate.public_key() != own.key_data() {
            let print = certificate
                .public_key()
                .fingerprint(HashAlg::Sha256)
                .to_string();
            found.found(mismatch(&path, print));
        }
    }
    offered
}

/// The key did not open.
fn refused(
    found: &mut Examined,
    file: &NamedFile,
    content: &[u8],
    given: &str,
    refusal: KeyRefusal,
    damaged: bool,
) {
    let path = shown_path(&file.path);
    match refusal {
        KeyRefusal::Passphrase => {
            let public = decrypt::envelope(content).public;
            let public =
                public.or_else(|| companions::public(&file.path).map(|(_, public)| public));
            if let Some(public) = public {
                let offered = companions(found, file, &public);
                if !damaged {
                    found.key = Some(LoadedKey {
                        offered,
                        ..locked(&file.path, public)
                    });
                }
            }
            found.needs_passphrase = true;
            let finding = if given.is_empty() {
                Finding::new(&cause::PASSPHRASE_MISSING)
            } else {
                Finding::new(&cause::PASSPHRASE_WRONG).with("hint", trimmed_opens(content, given))
            };
            found.found(finding.with("path", path));
        }
        KeyRefusal::Short(bits) => {
            found.fact("bits", bits);
            found.summary = format!("an RSA key of {bits} bits");
            found.found(
                Finding::new(&cause::WEAK)
                    .with("path", path)
                    .with("bits", bits)
                    .as_failure(),
            );
        }
        KeyRefusal::Type(name) => {
            found.fact("type", name.clone());
            found.summary = format!("a key of type {name}");
            let why = "no SSH server or library supports this type";
            found.found(of_type(&path, &name).with("why", why));
        }
        KeyRefusal::Cipher(name) => {
            found.found(Finding::new(&cause::FORMAT).with("path", path).with(
                "what",
                format!("encrypted with {name}, which OpenSSH does not know"),
            ));
        }
        KeyRefusal::NotYet(major, minor) => {
            found.fact("type", "ssh-ed25519");
            found.summary = "an Ed25519 key in PKCS#8 format".to_owned();
            let what = format!(
                "an Ed25519 key in PKCS#8 format, which OpenSSH reads since 9.6, and this is {major}.{minor}"
            );
            found.found(
                Finding::new(&cause::FORMAT)
                    .with("path", path.clone())
                    .with("what", what)
                    .fix(
                        "Convert it to OpenSSH's format with Python's cryptography package (or with ssh-keygen -p 9.6 or later):",
                        to_openssh(&path),
                    ),
            );
        }
        KeyRefusal::Format if damaged => {}
        KeyRefusal::Format => {
            let what = match format::kind(content) {
                KeyFileKind::Other("binary data") => "binary data that is not a key",
                KeyFileKind::Private(_) => "marked as a private key, but its content is not one",
                KeyFileKind::Other(what) if what != "no key" => what,
                _ => "another kind of file",
            };
            found.found(
                Finding::new(&cause::FORMAT)
                    .with("path", path)
                    .with("what", what),
            );
        }
    }
}

/// The command that converts a PEM key where `ssh-keygen` cannot read it.
fn to_openssh(path: &str) -> Option<String> {
    let program = "import sys; from cryptography.hazmat.primitives import serialization as s; \
        k = s.load_pem_private_key(open(sys.argv[1], \"rb\").read(), None); \
        open(sys.argv[2], \"wb\").write(k.private_bytes(s.Encoding.PEM, \
        s.PrivateFormat.OpenSSH, s.NoEncryption()))";
    let copy = format!("{path}.openssh");
    let (from, to) = (shlex::try_quote(path).ok()?, shlex::try_quote(&copy).ok()?);
    Some(format!("(umask 077; python3 -c '{program}' {from} {to})"))
}

/// A passphrase read from a file often brings its line break along.
fn trimmed_opens(content: &[u8], given: &str) -> Option<&'static str> {
    let trimmed = given.trim().trim_matches(['"', '\'']);
    let differs = trimmed != given && !trimmed.is_empty();
    (differs && decrypt::open(content, trimmed).is_ok()).then_some(
        "without the surrounding whitespace or quotes, the same passphrase decrypts the key",
    )
}
