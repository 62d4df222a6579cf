//! From one file's evidence to its findings, in the order in which OpenSSH
//! would stop at them.

use std::path::{Path, PathBuf};

use russh::keys::ssh_key::{Algorithm, HashAlg};
use russh::keys::{EcdsaCurve, PublicKey};
use serde_json::{Value, json};

use super::file::{KeyFile, Unread};
use super::format::{Kind, PrivateForm};
use super::{Facts, LoadedKey, Opened, Refusal, beside, file, format, library, mangled, open};
use crate::cause::key as cause;
use crate::finding::{Finding, Status};
use crate::secret::Secret;
use crate::target::NamedFile;

/// RSA keys with fewer bits than this are weak.
const RSA_STRONG: u32 = 2048;

/// What became of one file.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What was observed.
    pub facts: Facts,
    /// What is wrong, in the order in which OpenSSH would stop at it.
    pub findings: Vec<Finding>,
    /// The key, where something can be offered.
    pub key: Option<LoadedKey>,
    /// Whether another passphrase would help.
    pub needs_passphrase: bool,
    /// Whether it is a default file that does not exist.
    pub absent_default: bool,
    /// One line for people.
    pub summary: String,
}

impl Examined {
    /// Whether the file can be used to sign.
    pub fn is_usable(&self) -> bool {
        self.findings.iter().all(|f| f.status != Status::Fail)
    }

    /// Whether the file needs nothing else, an agent in particular.
    pub fn is_complete(&self) -> bool {
        self.absent_default
            || (self.is_usable()
                && (self.key.as_ref())
                    .is_some_and(|key| key.private.is_some() && key.offered == key.public))
    }

    /// Whether the finding keeps ssh from using the key: it offers what the
    /// `.pub` says, and then finds that the key is another.
    pub fn offers_another(&self, finding: &Finding) -> bool {
        let differs = |key: &LoadedKey| key.offered.key_data() != key.public.key_data();
        finding.cause.code == cause::PAIR_MISMATCH.code && self.key.as_ref().is_some_and(differs)
    }

    /// Nothing is known but an error.
    pub fn unclassified(file: &NamedFile, error: &str) -> Self {
        let path = shown_path(&file.path);
        Self {
            summary: format!("{path} could not be examined"),
            findings: vec![
                Finding::new(&cause::UNCLASSIFIED)
                    .with("path", path)
                    .with("error", error),
            ],
            ..Self::default()
        }
    }

    /// An agent holds the key, so that nobody needs to open the file: OpenSSH
    /// offers it from there.
    pub fn held_by_agent(&mut self) {
        self.facts.insert("agent".to_owned(), json!(true));
        self.needs_passphrase = false;
        let idle = [
            cause::PASSPHRASE_MISSING.code,
            cause::PASSPHRASE_WRONG.code,
            cause::PUBLIC.code,
            cause::MISSING.code,
            cause::PAIR_MISMATCH.code,
            cause::TYPE.code,
        ];
        self.findings.retain(|f| !idle.contains(&f.cause.code));
        self.summary.push_str(", in the agent");
    }

    fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts
            .insert(name.to_owned(), crate::finding::cleaned(value.into()));
    }
}

/// A path as it may be shown. Some people pass the key itself where its path
/// belongs; that must not be repeated.
pub fn shown_path(path: &Path) -> String {
    let text = path.display().to_string();
    match is_key_text(&text) {
        true => "the path given, which is the text of a key".to_owned(),
        false => text,
    }
}

fn is_key_text(text: &str) -> bool {
    // `-----BEGIN`, and what base64 makes of it and of OpenSSH's magic.
    let tells = ["BEGIN", "PRIVATE KEY", "LS0tLS1C", "b3BlbnNzaC1r"];
    text.contains('\n') || text.len() > 1024 || tells.iter().any(|tell| text.contains(tell))
}

/// Reads and judges one file. `uid` is whose eyes OpenSSH would look with.
pub fn examine(
    file: &NamedFile,
    passphrase: Option<&Secret>,
    uid: u32,
    libraries: bool,
) -> Examined {
    let mut found = Examined::default();
    let path = shown_path(&file.path);
    found.fact("path", path.clone());
    let read = match file::read(&file.path) {
        Ok(read) => read,
        Err(unread) => {
            not_read(&mut found, file, unread);
            return found;
        }
    };
    describe_file(&mut found, &read);
    let kind = format::kind(&read.content);
    if let Kind::Public(what) = &kind {
        public_half(&mut found, file, &read, what);
        return found;
    }
    guarded(&mut found, &path, &read, uid);
    match kind {
        Kind::Ppk { version, encrypted } => {
            found.summary = "a PuTTY key".to_owned();
            found.fact("format", format!("PuTTY version {version}"));
            found.fact("encrypted", encrypted);
            found.found(
                Finding::new(&cause::PPK)
                    .with("path", path)
                    .with("version", version)
                    .with("encrypted", encrypted)
                    .with("converted", converted_name(&file.path)),
            );
        }
        Kind::Foreign(what) => {
            found.summary = what.to_owned();
            found.fact("format", what);
            found.found(foreign(&path, what));
        }
        Kind::Private(_) | Kind::Other(_) => {
            private(&mut found, file, &read, passphrase, libraries);
        }
        Kind::Public(_) => {}
    }
    found
}

/// Where a converted copy would go: the name without `.ppk`.
fn converted_name(path: &Path) -> String {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("ppk") => {
            path.with_extension("").display().to_string()
        }
        _ => beside::with_suffix(path, ".openssh").display().to_string(),
    }
}

fn foreign(path: &str, what: &'static str) -> Finding {
    let finding = Finding::new(&cause::FORMAT)
        .with("path", path)
        .with("what", what);
    let copy = format!("{path}.openssh");
    let quoted = |text: &str| shlex::try_quote(text).map(|q| q.into_owned()).ok();
    let (Some(from), Some(to)) = (quoted(path), quoted(&copy)) else {
        return finding;
    };
    match what {
        "a private key in binary DER form" => finding.fix(
            "Convert a copy to PEM.",
            Some(format!(
                "(umask 077; openssl pkey -inform DER -in {from} -out {to})"
            )),
        ),
        "a PKCS#12 container" => finding.fix(
            "Take the private key out of the container.",
            Some(format!(
                "(umask 077; openssl pkcs12 -in {from} -nocerts -noenc -out {to})"
            )),
        ),
        "a key of ssh.com's SSH, or of Tectia" => finding.fix(
            "Convert a copy; a passphrase must be taken off first with the program that made it.",
            Some(format!("(umask 077; ssh-keygen -i -f {from} > {to})")),
        ),
        _ => finding,
    }
}

/// The file gave nothing to look at.
fn not_read(found: &mut Examined, file: &NamedFile, unread: Unread) {
    let path = shown_path(&file.path);
    // An agent may hold the key whose public half lies there.
    found.key = beside::public(&file.path).map(|(_, public)| locked(&file.path, public));
    let finding = match unread {
        Unread::Missing(error, link) => {
            found.summary = format!("{path} does not exist");
            found.absent_default = !file.named && found.key.is_none();
            if !file.named {
                return;
            }
            Finding::new(&cause::MISSING)
                .with("error", error.to_string())
                .with("link", link.map(|to| to.display().to_string()))
                .with("hint", missing_hint(&file.path))
        }
        Unread::Unreadable(error) => {
            found.summary = format!("{path} cannot be read");
            Finding::new(&cause::UNREADABLE).with("error", error.to_string())
        }
        Unread::NotAFile(what) => {
            found.summary = format!("{path} is {what}");
            Finding::new(&cause::NOT_A_FILE).with("what", what)
        }
    };
    found.found(finding.with("path", path));
}

/// Why a path may lead nowhere.
fn missing_hint(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    if is_key_text(text) {
        return Some("the text of a key was given where the path of its file belongs".to_owned());
    }
    if text.starts_with('~') {
        return Some("the tilde was quoted, so that the shell did not replace it".to_owned());
    }
    if text.trim() != text {
        return Some("the path begins or ends with a space".to_owned());
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty())?;
    (!parent.exists()).then(|| format!("{} does not exist either", parent.display()))
}

fn locked(path: &Path, public: PublicKey) -> LoadedKey {
    LoadedKey {
        path: path.to_owned(),
        offered: public.clone(),
        public,
        private: None,
        certificate: beside::certificate(path).map(|(_, certificate)| certificate),
    }
}

fn describe_file(found: &mut Examined, read: &KeyFile) {
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

fn mode(read: &KeyFile) -> String {
    format!("{:04o}", read.mode)
}

fn public_half(found: &mut Examined, file: &NamedFile, read: &KeyFile, what: &str) {
    found.summary = format!("{what}, not a private key");
    found.fact("format", what);
    let text = String::from_utf8_lossy(&read.content);
    if let Some(public) = format::read_public(&text) {
        describe_public(found, &public);
        found.key = Some(locked(&file.path, public));
    }
    // The private half usually has the same name without the ending.
    let sibling = file
        .path
        .to_str()
        .and_then(|path| path.strip_suffix("-cert.pub").or(path.strip_suffix(".pub")))
        .filter(|path| Path::new(path).is_file())
        .map(str::to_owned);
    found.found(
        Finding::new(&cause::PUBLIC)
            .with("path", shown_path(&file.path))
            .with("what", what)
            .with("private", sibling),
    );
}

/// Owner and mode, as `sshkey_perm_ok` looks at them: the mode counts only
/// where the file is one's own.
fn guarded(found: &mut Examined, path: &str, read: &KeyFile, uid: u32) {
    let owner = read.owner.clone().unwrap_or_else(|| read.uid.to_string());
    if read.uid != uid {
        found.found(
            Finding::new(&cause::OWNER)
                .with("path", path)
                .with("owner", owner)
                .with("uid", read.uid)
                .with("our_uid", uid)
                .with("mode", mode(read))
                .as_warning(),
        );
    } else if read.mode & 0o077 != 0 {
        found.found(
            Finding::new(&cause::PERMISSIONS)
                .with("path", path)
                .with("mode", mode(read))
                .with("owner", owner)
                .with("who", who(read.mode)),
        );
    }
}

/// Whom the mode lets in.
fn who(mode: u32) -> &'static str {
    match (mode & 0o070 != 0, mode & 0o007 != 0) {
        (true, true) => "its group and others have",
        (true, false) => "its group has",
        _ => "others have",
    }
}

/// A private key, whole or damaged, or nothing that was recognised.
fn private(
    found: &mut Examined,
    file: &NamedFile,
    read: &KeyFile,
    passphrase: Option<&Secret>,
    tell_libraries: bool,
) {
    let path = shown_path(&file.path);
    let given = passphrase.map(Secret::expose).unwrap_or_default();
    let damage = mangled::diagnose(&read.content);
    let opened = open_as_asked(&read.content, given);
    let damage = match &opened {
        Err(Refusal::Format) => damage.or_else(|| mangled::altered(&read.content)),
        _ => damage,
    };
    let repaired = match (&opened, &damage) {
        (Err(Refusal::Format), Some(damage)) => damage.repaired.as_deref(),
        _ => None,
    };
    // What is underneath the damage is told from the repaired text.
    let content = repaired.unwrap_or(&read.content);
    let readable = !matches!(opened, Err(Refusal::Format));
    describe_key(found, file, content);
    if let Some(damage) = &damage {
        found.fact("damage", damage.names());
        found.found(damage.finding(&file.path, readable));
    }
    let opened = match repaired {
        Some(repaired) => open_as_asked(repaired, given),
        None => opened,
    };
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

/// Which libraries can read it, for those who ask.
fn libraries(found: &mut Examined, content: &[u8], given: &str, opened: &Opened) {
    let text = String::from_utf8_lossy(content);
    let Some(form) = format::first_private(&text) else {
        return;
    };
    let table = library::table(&library::Key {
        form,
        envelope: &open::envelope(content),
        type_name: &type_name(&opened.public),
        content,
        passphrase: given,
    });
    found.fact("libraries", table);
}

/// First without a passphrase, then with it, as OpenSSH does.
fn open_as_asked(content: &[u8], passphrase: &str) -> Result<Opened, Refusal> {
    match open::open(content, "") {
        Err(Refusal::Passphrase) if !passphrase.is_empty() => open::open(content, passphrase),
        outcome => outcome,
    }
}

/// What stands in clear.
fn describe_key(found: &mut Examined, file: &NamedFile, content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    let Some(form) = format::first_private(&text) else {
        return;
    };
    let envelope = open::envelope(content);
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
    } else if let Some((_, public)) = beside::public(&file.path) {
        // A locked PEM key shows nothing of itself.
        if envelope.encrypted {
            describe_public(found, &public);
        }
    }
    found.summary = summary(found);
}

fn describe_public(found: &mut Examined, public: &PublicKey) {
    found.fact("type", type_name(public));
    found.fact("bits", bits(public));
    found.fact(
        "fingerprint",
        public.fingerprint(HashAlg::Sha256).to_string(),
    );
}

/// `Ed25519 SHA256:…, 0600, not encrypted`.
fn summary(found: &Examined) -> String {
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
fn pretty(name: &str, found: &Examined) -> String {
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

/// The key opened: what remains is its kind, its strength and its companions.
fn accept(found: &mut Examined, file: &NamedFile, opened: Opened, readable: bool) {
    let path = shown_path(&file.path);
    describe_public(found, &opened.public);
    let comment = opened.comment.clone().filter(|comment| !comment.is_empty());
    found.fact("comment", comment);
    found.summary = summary(found);
    let name = type_name(&opened.public);
    match opened.public.algorithm() {
        Algorithm::Dsa => found.found(
            of_type(&path, "DSA")
                .with("why", "OpenSSH has not offered DSA keys since 7.0 unless it is told to, and no longer knows them from 10.0 on"),
        ),
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => found.found(
            of_type(&path, &name)
                .with("why", "the secret is inside a security key: without the device, and a touch of it, this file signs nothing")
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
            offered,
            certificate: beside::certificate(&file.path).map(|(_, certificate)| certificate),
        });
    }
}

fn of_type(path: &str, name: &str) -> Finding {
    Finding::new(&cause::TYPE)
        .with("path", path)
        .with("type", name)
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
    if let Some((path, public)) = beside::public(&file.path)
        && public.key_data() != own.key_data()
    {
        let print = public.fingerprint(HashAlg::Sha256).to_string();
        found.found(mismatch(&path, print));
        offered = public;
    }
    if let Some((path, certificate)) = beside::certificate(&file.path) {
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
    refusal: Refusal,
    damaged: bool,
) {
    let path = shown_path(&file.path);
    match refusal {
        Refusal::Passphrase => {
            let public = open::envelope(content).public;
            let public = public.or_else(|| beside::public(&file.path).map(|(_, public)| public));
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
        Refusal::Short(bits) => {
            found.fact("bits", bits);
            found.summary = format!("an RSA key of {bits} bits");
            found.found(
                Finding::new(&cause::WEAK)
                    .with("path", path)
                    .with("bits", bits)
                    .as_failure(),
            );
        }
        Refusal::Type(name) => {
            found.fact("type", name.clone());
            found.summary = format!("a key of type {name}");
            let why = "no SSH server or library takes keys of this type";
            found.found(of_type(&path, &name).with("why", why));
        }
        Refusal::Cipher(name) => {
            found.found(Finding::new(&cause::FORMAT).with("path", path).with(
                "what",
                format!("encrypted with {name}, which OpenSSH does not know"),
            ));
        }
        Refusal::NotYet(major, minor) => {
            found.fact("type", "ssh-ed25519");
            found.summary = "an Ed25519 key in PKCS#8 form".to_owned();
            let what = format!(
                "an Ed25519 key in PKCS#8 form, which OpenSSH reads from version 9.6 on, and this is {major}.{minor}"
            );
            found.found(
                Finding::new(&cause::FORMAT)
                    .with("path", path.clone())
                    .with("what", what)
                    .fix(
                        "Write it in OpenSSH's format, with Python's cryptography package or with a newer ssh-keygen -p.",
                        to_openssh(&path),
                    ),
            );
        }
        Refusal::Format if damaged => {}
        Refusal::Format => {
            let what = match format::kind(content) {
                Kind::Other("binary data") => "binary data that is no key",
                Kind::Private(_) => "marked as a private key, and what is inside is none",
                Kind::Other(what) if what != "no key" => what,
                _ => "no private key in any form that OpenSSH knows",
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
    (differs && open::open(content, trimmed).is_ok())
        .then_some("without the white space or quotes around it, the same passphrase opens the key")
}
