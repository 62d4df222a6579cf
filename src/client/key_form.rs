//! The forms of a client's private key, which of them a driver reads, what it says of the
//! others, and the command that mends it: `knowledge/key-forms.toml`.

use std::path::Path;

use super::driver::Driver;
use super::range;
use super::version::Version;

include!(concat!(env!("OUT_DIR"), "/key_forms.rs"));

/// Whether a driver reads a form; the first row that fits counts.
#[derive(Debug)]
struct Row {
    drivers: &'static [&'static str],
    forms: &'static [&'static str],
    names: &'static [&'static str],
    password: Option<&'static str>,
    since: Option<&'static str>,
    until: Option<&'static str>,
    text: Option<&'static str>,
    remedy: Option<&'static str>,
    source: &'static str,
}

/// A driver that refuses a file which others may read.
#[derive(Debug)]
struct ModeRow {
    drivers: &'static [&'static str],
    since: Option<&'static str>,
    text: &'static str,
    source: &'static str,
}

/// What mends it.
#[derive(Debug)]
struct Remedy {
    name: &'static str,
    text: &'static str,
    command: &'static str,
    /// What the name of the new file ends in.
    ending: &'static str,
}

/// How a private key is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `BEGIN RSA PRIVATE KEY`
    Pkcs1,
    /// `BEGIN EC PRIVATE KEY`
    Sec1,
    /// `BEGIN PRIVATE KEY`
    Pkcs8,
    /// One of the first two with `Proc-Type: 4,ENCRYPTED`.
    PemEncrypted,
    /// `BEGIN ENCRYPTED PRIVATE KEY`
    Pkcs8Encrypted,
    /// PKCS#8 in DER.
    Pkcs8Der,
    /// PKCS#1 or SEC1 in DER.
    TraditionalDer,
    /// Encrypted PKCS#8 in DER, by a method older than PBES2.
    Pkcs8EncryptedDer,
    /// Encrypted PKCS#8 in DER, by PBES2.
    Pkcs8Pbes2Der,
    /// PKCS#12
    Pkcs12,
    /// `BEGIN OPENSSH PRIVATE KEY`
    OpenSsh,
}

impl Form {
    /// Its word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pkcs1 => "pkcs1",
            Self::Sec1 => "sec1",
            Self::Pkcs8 => "pkcs8",
            Self::PemEncrypted => "pem-encrypted",
            Self::Pkcs8Encrypted => "pkcs8-encrypted",
            Self::Pkcs8Der => "pkcs8-der",
            Self::TraditionalDer => "traditional-der",
            Self::Pkcs8EncryptedDer => "pkcs8-encrypted-der",
            Self::Pkcs8Pbes2Der => "pkcs8-encrypted-pbes2-der",
            Self::Pkcs12 => "pkcs12",
            Self::OpenSsh => "openssh",
        }
    }

    /// What it is called, as in "the key is ...".
    pub fn spoken(self) -> &'static str {
        match self {
            Self::Pkcs1 => "PKCS#1 in PEM (BEGIN RSA PRIVATE KEY)",
            Self::Sec1 => "SEC1 in PEM (BEGIN EC PRIVATE KEY)",
            Self::Pkcs8 => "PKCS#8 in PEM (BEGIN PRIVATE KEY)",
            Self::PemEncrypted => "encrypted PEM (Proc-Type: 4,ENCRYPTED)",
            Self::Pkcs8Encrypted => "encrypted PKCS#8 in PEM (BEGIN ENCRYPTED PRIVATE KEY)",
            Self::Pkcs8Der => "PKCS#8 in DER",
            Self::TraditionalDer => "PKCS#1 or SEC1 in DER",
            Self::Pkcs8EncryptedDer | Self::Pkcs8Pbes2Der => "encrypted PKCS#8 in DER",
            Self::Pkcs12 => "PKCS#12",
            Self::OpenSsh => "OpenSSH's own form (BEGIN OPENSSH PRIVATE KEY)",
        }
    }

    /// Reads the form of a key's file; none where it is none of these.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first() {
            Some(0x30) => Self::of_der(bytes),
            _ => Self::of_pem(&String::from_utf8_lossy(bytes)),
        }
    }

    fn of_pem(text: &str) -> Option<Self> {
        let (_, rest) = text
            .match_indices("-----BEGIN ")
            .map(|(at, begin)| text[at..].split_at(begin.len()))
            .find(|(_, rest)| {
                rest.split("-----")
                    .next()
                    .unwrap_or_default()
                    .ends_with("PRIVATE KEY")
            })?;
        let (label, body) = rest.split_once("-----")?;
        let is_encrypted = body
            .lines()
            .take(3)
            .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"));
        match label {
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" if is_encrypted => Some(Self::PemEncrypted),
            "RSA PRIVATE KEY" => Some(Self::Pkcs1),
            "EC PRIVATE KEY" => Some(Self::Sec1),
            "PRIVATE KEY" => Some(Self::Pkcs8),
            "ENCRYPTED PRIVATE KEY" => Some(Self::Pkcs8Encrypted),
            "OPENSSH PRIVATE KEY" => Some(Self::OpenSsh),
            _ => None,
        }
    }

    fn of_der(bytes: &[u8]) -> Option<Self> {
        const INTEGER: u8 = 2;
        const OCTETS: u8 = 4;
        const OBJECT: u8 = 6;
        const SEQUENCE: u8 = 0x30;
        // The object identifiers 1.2.840.113549.1.7.1 (data) and 1.2.840.113549.1.5.13.
        const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
        const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
        let (_, outer, _) = element(bytes)?;
        let (first, first_content, rest) = element(outer)?;
        let (second, second_content, _) = element(rest)?;
        let object = |content| {
            let (tag, object, _) = element(content)?;
            (tag == OBJECT).then_some(object)
        };
        match (first, second) {
            (INTEGER, INTEGER) | (INTEGER, OCTETS) => Some(Self::TraditionalDer),
            (INTEGER, SEQUENCE) if object(second_content) == Some(DATA) => Some(Self::Pkcs12),
            (INTEGER, SEQUENCE) => Some(Self::Pkcs8Der),
            (SEQUENCE, OCTETS) if object(first_content) == Some(PBES2) => Some(Self::Pkcs8Pbes2Der),
            (SEQUENCE, OCTETS) => Some(Self::Pkcs8EncryptedDer),
            _ => None,
        }
    }

    fn is_der(self) -> bool {
        matches!(
            self,
            Self::Pkcs8Der | Self::TraditionalDer | Self::Pkcs8EncryptedDer | Self::Pkcs8Pbes2Der
        )
    }
}

/// The tag and the content of a DER element, and what follows it. The last one may be cut.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at(length.min(rest.len()));
    Some((tag, content, rest))
}

/// The file of a client's key.
#[derive(Clone, Copy, Debug)]
pub struct KeyFile<'a> {
    /// As the driver is given it.
    pub path: &'a Path,
    /// How it is written.
    pub form: Form,
    /// Its mode, where that is known.
    pub mode: Option<u32>,
    /// Whether it is root's.
    pub is_roots: bool,
    /// Whether the driver is given a passphrase.
    pub has_password: bool,
}

/// Why a driver does not read a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRefusal {
    /// What it says.
    pub text: String,
    /// What to do, ending with a colon.
    pub remedy: &'static str,
    /// The command that does it.
    pub command: String,
    /// The file that the driver is to be given then.
    pub file: String,
    /// The first version that refuses it; none for all.
    pub since: Option<Version>,
    /// Where it was read, or `measured`.
    pub source: &'static str,
}

/// Whether anything is known of the keys that this driver reads.
pub fn is_known(driver: &Driver) -> bool {
    let name = driver.name();
    ROWS.iter().any(|row| row.drivers.contains(&name.as_str()))
}

/// Why this driver does not read this key; none where it does, or where nothing is known.
pub fn refusal(driver: &Driver, key: &KeyFile<'_>) -> Option<KeyRefusal> {
    let name = driver.name();
    let is_of = |drivers: &[&str]| drivers.contains(&name.as_str());
    let is_open = key.mode.is_some_and(|mode| match key.is_roots {
        true => mode & 0o037 != 0,
        false => mode & 0o077 != 0,
    });
    let mode = MODES
        .iter()
        .find(|row| is_open && is_of(row.drivers) && range::holds(driver.version, row.since, None));
    if let Some(row) = mode {
        return refused(key, row.text, "mode", row.since, row.source);
    }
    let file = key.path.to_string_lossy();
    let password = match key.has_password {
        true => "given",
        false => "none",
    };
    let row = ROWS.iter().find(|row| {
        is_of(row.drivers)
            && row
                .forms
                .iter()
                .any(|form| ["*", key.form.as_str()].contains(form))
            && (row.names.is_empty() || row.names.iter().any(|name| file.ends_with(name)))
            && row.password.is_none_or(|wanted| wanted == password)
            && range::holds(driver.version, row.since, row.until)
    })?;
    refused(key, row.text?, row.remedy?, row.since, row.source)
}

fn refused(
    key: &KeyFile<'_>,
    text: &str,
    remedy: &str,
    since: Option<&str>,
    source: &'static str,
) -> Option<KeyRefusal> {
    let remedy = REMEDIES.iter().find(|known| known.name == remedy)?;
    let path = key.path.to_string_lossy();
    let out = key.path.with_extension("");
    let out = out.to_string_lossy();
    let quoted =
        |text: &str| shlex::try_quote(text).map_or_else(|_| String::new(), |q| q.into_owned());
    let inform = if key.form.is_der() {
        "-inform DER "
    } else {
        ""
    };
    let file = match remedy.ending {
        "" => path.clone().into_owned(),
        ending => format!("{out}{ending}"),
    };
    let command = remedy
        .command
        .replace(&format!("{{out}}{}", remedy.ending), &quoted(&file))
        .replace("{inform}", inform)
        .replace("{key}", &quoted(&path));
    Some(KeyRefusal {
        text: text.replace("{key}", &path),
        remedy: remedy.text,
        command,
        file,
        since: since.and_then(Version::parse),
        source,
    })
}

#[cfg(test)]
mod tests;
