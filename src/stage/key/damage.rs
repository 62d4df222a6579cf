//! What happened to a private key that is damaged: found layer by layer, the
//! way it was done, so that undoing it gives the key back.
//!
//! First what was done to the whole text ([`encodings`]: encodings, escapes,
//! line ends), then to its frame and body ([`armor`]). Whether the repair is
//! right is proved by reading the repaired text.

mod armor;
mod base64;
mod encodings;
mod layout;

use std::path::Path;

use nix::unistd::AccessFlags;

use super::format::PrivateForm;
use super::{KeyRefusal, companions, decrypt, examine, openssh_v1};
use crate::cause::key as cause;
use crate::finding::Finding;
use crate::secret::Secret;
use crate::text;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamageStep {
    /// Its stable name.
    pub name: &'static str,
    /// What it is, in words.
    pub what: String,
    /// Where it was first seen.
    pub place: String,
}

impl DamageStep {
    fn new(name: &'static str, what: impl Into<String>, place: String) -> Self {
        Self {
            name,
            what: what.into(),
            place,
        }
    }
}

/// The damage that is found in a text, one piece after the other.
pub struct Notes<'a> {
    text: &'a str,
    steps: &'a mut Vec<DamageStep>,
}

impl Notes<'_> {
    fn add(&mut self, at: usize, name: &'static str, what: impl Into<String>) {
        let step = DamageStep::new(name, what, place(self.text, at));
        self.steps.push(step);
    }

    fn has(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step.name == name)
    }
}

/// A diagnosis.
#[derive(Clone, Debug)]
pub struct Damage {
    /// What happened, the outermost first.
    pub steps: Vec<DamageStep>,
    /// The text as it was, where it could be had back.
    pub repaired: Option<Secret>,
}

/// Line and byte of a position in a text.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    format!("line {line}, byte {}", at + 1)
}

/// Looks for damage; `None` where there is none, or no key to begin with.
pub fn diagnose(content: &[u8]) -> Option<Damage> {
    let mut steps = Vec::new();
    let text = encodings::decode_layers(content, &mut steps);
    let Some(framed) = armor::read(&text, &mut steps) else {
        // Layers around something that is no key say nothing about a key.
        return None;
    };
    let repaired = framed.rebuild();
    if !is_sound(repaired.as_bytes()) {
        steps.push(framed.loss());
        return Some(Damage {
            steps,
            repaired: None,
        });
    }
    (!steps.is_empty()).then_some(Damage {
        steps,
        repaired: Some(Secret::new(repaired)),
    })
}

/// The diagnosis of last resort, for a text with everything in its place that
/// OpenSSH still does not read: `None` where there is no key's worth of bytes.
pub fn altered(content: &[u8]) -> Option<Damage> {
    let text = String::from_utf8_lossy(content);
    let framed = armor::read(&text, &mut Vec::new())?;
    Some(Damage {
        steps: vec![framed.loss()],
        repaired: None,
    })
}

/// Whether a text holds a private key, locked or not.
fn is_sound(text: &[u8]) -> bool {
    let locked = decrypt::envelope(text).encrypted;
    match decrypt::open(text, "") {
        Ok(_) | Err(KeyRefusal::Type(_) | KeyRefusal::Short(_) | KeyRefusal::NotYet(..)) => true,
        Err(KeyRefusal::Passphrase) => locked && is_whole(text),
        Err(KeyRefusal::Format | KeyRefusal::Cipher(_)) => false,
    }
}

/// Whether a locked key has all its bytes.
fn is_whole(text: &[u8]) -> bool {
    match openssh_v1::decode(text) {
        Ok(decoded) => openssh_v1::Container::parse(&decoded).is_ok_and(|c| c.is_whole()),
        Err(_) => {
            let text = String::from_utf8_lossy(text);
            armor::read(&text, &mut Vec::new()).is_some_and(|framed| framed.is_whole_pem())
        }
    }
}

impl Damage {
    /// The names of what happened.
    pub fn names(&self) -> Vec<String> {
        self.steps.iter().map(|step| step.name.to_owned()).collect()
    }

    /// The same damage, to a text that did not prove to be the key.
    pub fn irreparable(mut self) -> Self {
        let lost = self.repaired.take();
        let lost = lost.and_then(|text| altered(&text.expose_bytes()));
        self.steps.extend(lost.into_iter().flat_map(|it| it.steps));
        self
    }

    /// The finding; `readable` says whether OpenSSH reads the file as it is,
    /// and `offered` whether it would read a repaired copy.
    pub fn finding(&self, path: &Path, readable: bool, offered: bool) -> Finding {
        let words: Vec<&str> = self.steps.iter().map(|step| step.what.as_str()).collect();
        let mut finding = Finding::new(&cause::MANGLED)
            .with("path", examine::shown_path(path))
            .with("damage", words.join("; "))
            .with("kinds", self.names())
            .with("where", self.steps.first().map(|step| step.place.clone()))
            .with("openssh_reads", readable)
            .with(
                "reading",
                match readable {
                    true => "OpenSSH still reads it, but other programs might not",
                    false => "OpenSSH does not read it",
                },
            );
        if readable {
            finding = finding.as_warning();
        }
        match (&self.repaired, paths_to_paste(path)) {
            (Some(_), _) if !offered => finding,
            (None, _) => finding.fix(
                "Get the key again from an undamaged copy; what is missing or changed cannot be restored.",
                None,
            ),
            (Some(_), Some((from, to))) => {
                finding.word("damaged_file", from).word("repaired_file", to)
            }
            (Some(_), None) => finding.fix(
                "Run dbdoctor key on the same key again with --repair FILE, which writes a repaired copy to FILE.",
                None,
            ),
        }
    }
}

/// The key's path and one for a repaired copy, for a command to paste: beside
/// the key, or in the working directory where nothing can be written there, as
/// in a mounted secret. `None` where a path would not lead there again: to a
/// pipe, or with characters that are not shown.
fn paths_to_paste(path: &Path) -> Option<(String, String)> {
    let is_ours_alone = ["/proc", "/dev/fd", "/dev/stdin"];
    if !path.is_file() || is_ours_alone.iter().any(|it| path.starts_with(it)) {
        return None;
    }
    let folder = match path.parent()? {
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let place = match nix::unistd::access(folder, AccessFlags::W_OK) {
        Ok(()) => path,
        Err(_) => Path::new(path.file_name()?),
    };
    let first = std::iter::once(".repaired".to_owned());
    let copy = first
        .chain((2..100).map(|number| format!(".repaired-{number}")))
        .map(|suffix| companions::with_suffix(place, &suffix))
        .find(|copy| copy.symlink_metadata().is_err())?;
    let pasted = |path: &Path| {
        let text = path.to_str().filter(|text| text::clean(text) == *text)?;
        Some(match text.starts_with('-') {
            true => format!("./{text}"),
            false => text.to_owned(),
        })
    };
    Some((pasted(path)?, pasted(&copy)?))
}

/// The form of a key's bytes, from their first fields.
fn form_of(bytes: &[u8]) -> Option<PrivateForm> {
    if bytes.starts_with(openssh_v1::MAGIC) {
        return Some(PrivateForm::OpenSsh);
    }
    // DER: SEQUENCE { INTEGER version, … } or SEQUENCE { SEQUENCE …, OCTET STRING }.
    let inner = der_content(bytes, 0x30)?.0;
    if inner.first() == Some(&0x30) {
        return Some(PrivateForm::Pkcs8Encrypted);
    }
    let (version, rest) = der_content(inner, 0x02)?;
    match (version, rest.first()?) {
        ([0], 0x30) => Some(PrivateForm::Pkcs8),
        ([1], 0x04) => Some(PrivateForm::Sec1),
        ([0], 0x02) => {
            // RSA goes on with the modulus and a small exponent; DSA with a
            // prime and another of at least 160 bits.
            let (_, rest) = der_content(rest, 0x02)?;
            let (second, _) = der_content(rest, 0x02)?;
            Some(match second.len() {
                0..20 => PrivateForm::Pkcs1,
                _ => PrivateForm::Dsa,
            })
        }
        _ => None,
    }
}

/// The content of a DER element, as far as it is there, and what follows it.
fn der_content(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, header) = der_length(bytes, tag)?;
    let rest = bytes.get(header..)?;
    Some(rest.split_at(length.min(rest.len())))
}

/// The claimed length of a DER element's content, and the size of what stands
/// before the content.
fn der_length(bytes: &[u8], tag: u8) -> Option<(usize, usize)> {
    if bytes.first() != Some(&tag) {
        return None;
    }
    match *bytes.get(1)? {
        short @ 0..=0x7f => Some((usize::from(short), 2)),
        long @ 0x81..=0x83 => {
            let count = usize::from(long & 0x7f);
            let digits = bytes.get(2..2 + count)?;
            let length = digits.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            Some((length, 2 + count))
        }
        _ => None,
    }
}
