//! The names that are replaced, and the pseudonyms that they are given.

use std::collections::BTreeMap;
use std::net::IpAddr;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use crate::provider;

use super::words::{Rarity, is_common, rarity};

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A machine, by its name.
    Host,
    /// A machine, a network or an interface, by its number.
    Address,
    /// A role of the database, or a user of a machine.
    User,
    /// A database.
    Database,
    /// A schema.
    Schema,
    /// A file, a folder or a socket.
    Path,
    /// A connection service, or one of a cluster.
    Service,
    /// A cluster, a namespace or a pod.
    Cluster,
    /// An application.
    Application,
    /// A program, or the words of a command.
    Program,
    /// What a certificate says of its holder.
    Name,
    /// The digest of a key or certificate.
    Fingerprint,
    /// The number of a certificate.
    Serial,
    /// A public key.
    Key,
    /// The number of an account, a system or a resource.
    Id,
    /// What a setting holds.
    Value,
}

impl Kind {
    /// What its pseudonyms begin with.
    fn label(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::Address => "address",
            Kind::User => "user",
            Kind::Database => "database",
            Kind::Schema => "schema",
            Kind::Path => "path",
            Kind::Service => "service",
            Kind::Cluster => "cluster",
            Kind::Application => "application",
            Kind::Program => "program",
            Kind::Name => "name",
            Kind::Fingerprint => "fingerprint",
            Kind::Serial => "serial",
            Kind::Key => "key",
            Kind::Id => "id",
            Kind::Value => "value",
        }
    }

    const ALL: [Kind; 16] = [
        Kind::Host,
        Kind::Address,
        Kind::User,
        Kind::Database,
        Kind::Schema,
        Kind::Path,
        Kind::Service,
        Kind::Cluster,
        Kind::Application,
        Kind::Program,
        Kind::Name,
        Kind::Fingerprint,
        Kind::Serial,
        Kind::Key,
        Kind::Id,
        Kind::Value,
    ];

    /// A name in the one spelling that its pseudonym is given to.
    fn normal(self, name: &str) -> String {
        match self {
            Kind::Host => name.trim_end_matches('.').to_lowercase(),
            Kind::Address => match name.parse::<IpAddr>() {
                Ok(address) => address.to_canonical().to_string(),
                Err(_) => name.to_lowercase(),
            },
            Kind::Fingerprint | Kind::Serial => {
                let name = name
                    .trim_start_matches("SHA256:")
                    .trim_start_matches("MD5:");
                name.trim_end_matches(['=', '…']).to_owned()
            }
            Kind::Path => match name.len() {
                0 | 1 => name.to_owned(),
                _ => name.trim_end_matches('/').to_owned(),
            },
            _ => name.to_owned(),
        }
    }
}

/// The digits of a pseudonym that is derived by a salt.
const DIGITS: usize = 6;

/// The most bytes of a name that PostgreSQL keeps (`NAMEDATALEN`).
const IDENTIFIER: usize = 63;

/// A spelling of a known name, as it is looked for in texts.
#[derive(Clone, Debug)]
pub struct Spelling {
    /// With ASCII in small letters.
    pub text: String,
    /// What it is the name of: the first that it was known as.
    pub kind: Kind,
    /// The name itself.
    pub name: String,
    /// How it is told from other words.
    pub rarity: Rarity,
}

/// Every name that is replaced, and by what.
#[derive(Debug, Default)]
pub struct Names {
    salt: Option<String>,
    /// By kind and normal spelling.
    pseudonyms: BTreeMap<(Kind, String), String>,
    counts: BTreeMap<Kind, usize>,
    spellings: Vec<Spelling>,
    /// Names by their spelling in small letters, with all kinds they are known as.
    kinds: BTreeMap<String, Vec<Kind>>,
}

impl Names {
    /// Pseudonyms in the order they are met, or derived from the names by a salt.
    pub fn new(salt: Option<&str>) -> Self {
        Self {
            salt: salt.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Has a name replaced wherever it occurs.
    pub fn learn(&mut self, kind: Kind, name: &str) {
        let name = name.trim();
        if is_common(name) || self.is_pseudonym(name) || name.len() > 4_096 {
            return;
        }
        let kinds = self.kinds.entry(name.to_lowercase()).or_default();
        if kinds.contains(&kind) {
            return;
        }
        let is_new = kinds.is_empty();
        kinds.push(kind);
        if is_new {
            for spelling in spellings(name) {
                self.spellings.push(Spelling {
                    rarity: rarity(&spelling),
                    text: spelling.to_ascii_lowercase(),
                    kind,
                    name: name.to_owned(),
                });
            }
        }
    }

    /// All spellings of all known names.
    pub fn spellings(&self) -> &[Spelling] {
        &self.spellings
    }

    /// Whether it is a known name of this kind.
    pub fn knows(&self, kind: Kind, name: &str) -> bool {
        let kinds = self.kinds.get(&name.to_lowercase());
        kinds.is_some_and(|kinds| kinds.contains(&kind))
    }

    /// Whether it is a known name of any kind.
    pub fn knows_any(&self, name: &str) -> bool {
        self.kinds.contains_key(&name.to_lowercase())
    }

    /// The pseudonym of a name: always the same for the same name and kind.
    pub fn pseudonym(&mut self, kind: Kind, name: &str) -> String {
        if kind == Kind::Host
            && let Some(domain) = provider::domain(name)
            && let Some(own) = name.get(..name.trim_end_matches('.').len() - domain.len())
            && !own.is_empty()
        {
            // Whose it is stays, and which one it is does not.
            return format!("{}{domain}", self.pseudonym(kind, own));
        }
        let normal = kind.normal(name);
        if is_common(&normal) || self.is_pseudonym(&normal) {
            return name.to_owned();
        }
        let key = (kind, normal);
        if let Some(known) = self.pseudonyms.get(&key) {
            return known.clone();
        }
        let label = kind.label();
        let derived = self.salt.as_ref();
        let derived = derived.and_then(|salt| derive(salt, &key.1));
        let new = match derived {
            Some(digits) => format!("{label}-{digits}"),
            None => {
                let count = self.counts.entry(kind).or_default();
                *count += 1;
                format!("{label}-{count}")
            }
        };
        self.pseudonyms.insert(key, new.clone());
        new
    }

    /// Whether a text is one of the pseudonyms that were given out.
    pub fn is_pseudonym(&self, text: &str) -> bool {
        let Some((label, digits)) = text.rsplit_once('-') else {
            return false;
        };
        Kind::ALL.iter().any(|kind| kind.label() == label)
            && !digits.is_empty()
            && self.pseudonyms.values().any(|known| known == text)
    }
}

/// Digits that stand for a name under a salt, of whatever kind: that a database is
/// called as the user is stays visible. None where OpenSSL fails.
fn derive(salt: &str, name: &str) -> Option<String> {
    let key = PKey::hmac(salt.as_bytes()).ok()?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
    let digest = signer.sign_oneshot_to_vec(name.as_bytes()).ok()?;
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.get(..DIGITS).map(str::to_owned)
}

/// The spellings that a name may be repeated in: as it is, cut as PostgreSQL cuts
/// identifiers, as URLs, shells and SQL write it.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    let mut add = |text: String| {
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    };
    if name.len() > IDENTIFIER {
        let end = (0..=IDENTIFIER).rev().find(|at| name.is_char_boundary(*at));
        add(name[..end.unwrap_or_default()].to_owned());
    }
    for kept in ["", "/", "@:/"] {
        add(percent(name, kept));
    }
    add(name.replace('\'', "'\\''"));
    add(name.replace('\'', "'\"'\"'"));
    add(name.replace('\'', "''"));
    add(name.replace('"', "\"\""));
    add(name.replace('\\', "\\\\"));
    all
}

/// A text with percent signs, but for letters, digits and what is `kept`.
fn percent(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match char::from(byte) {
            c if c.is_ascii_alphanumeric() || "-._~".contains(c) || kept.contains(c) => out.push(c),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_pseudonym() {
        let mut names = Names::new(None);
        assert_eq!(names.pseudonym(Kind::Host, "db.okapi.test"), "host-1");
        assert_eq!(names.pseudonym(Kind::Host, "DB.okapi.test."), "host-1");
        assert_eq!(names.pseudonym(Kind::Host, "other.okapi.test"), "host-2");
        assert_eq!(names.pseudonym(Kind::User, "db.okapi.test"), "user-1");
        assert_eq!(names.pseudonym(Kind::Address, "192.0.2.1"), "address-1");
        assert_eq!(
            names.pseudonym(Kind::Address, "::ffff:192.0.2.1"),
            "address-1"
        );
        assert_eq!(names.pseudonym(Kind::User, "postgres"), "postgres");
        // What was replaced is left.
        assert_eq!(names.pseudonym(Kind::Host, "host-2"), "host-2");
        assert_eq!(names.pseudonym(Kind::Host, "host-9"), "host-3");
    }

    #[test]
    fn a_salt_decides_whatever_else_is_met() {
        let mut one = Names::new(Some("s"));
        let mut two = Names::new(Some("s"));
        let mut other = Names::new(Some("t"));
        two.pseudonym(Kind::Host, "first");
        let of = |names: &mut Names| names.pseudonym(Kind::Host, "db.okapi.test");
        let name = of(&mut one);
        assert_eq!(name, of(&mut two));
        assert_ne!(name, of(&mut other));
        assert_eq!(name.len(), "host-".len() + DIGITS);
    }
}
