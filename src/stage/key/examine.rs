//! From one file's evidence to its findings, in the order in which OpenSSH
//! would stop at them.

use std::path::Path;

use russh::keys::PublicKey;
use serde_json::{Value, json};

use super::describe::{describe_file, describe_public, mode};
use super::file::{KeyFile, Unread};
use super::format::KeyFileKind;
use super::private::private;
use super::{Facts, LoadedKey, companions, file, format};
use crate::cause::key as cause;
use crate::config::NamedFile;
use crate::finding::{Finding, Status};
use crate::secret::Secret;

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
    /// The key without its damage, where it is damaged and could be repaired.
    pub repaired: Option<Secret>,
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
        finding.cause == &cause::PAIR_MISMATCH && self.key.as_ref().is_some_and(differs)
    }

    /// Whether the file names a key that only an agent has.
    pub fn names_agent_key(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.names_agent_key)
    }

    /// Nothing is known but an error.
    pub fn unclassified(file: &NamedFile, error: &str) -> Self {
        let path = shown_path(&file.path);
        Self {
            summary: format!("{path} could not be examined"),
            findings: vec![
                Finding::new(&cause::UNCLASSIFIED)
                    .with("path", path)
                    .with("error", error.to_owned()),
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
            &cause::PASSPHRASE_MISSING,
            &cause::PASSPHRASE_WRONG,
            &cause::PUBLIC,
            &cause::MISSING,
            &cause::PAIR_MISMATCH,
            &cause::TYPE,
        ];
        self.findings.retain(|f| !f.cause.is_any(&idle));
        self.summary.push_str(", in the agent");
    }

    /// The repaired key was written there; what is said from now on is said of
    /// that copy, which only its owner can read.
    pub fn repaired_to(&mut self, copy: &Path) {
        let copy = shown_path(copy);
        self.fact("repaired_to", copy.clone());
        self.summary.push_str("; repaired copy written");
        for finding in &mut self.findings {
            let said = finding.clone();
            *finding = match finding.cause {
                it if it == &cause::MANGLED => said
                    .as_warning()
                    .without(&["damaged_file"])
                    .word("repaired_file", copy.clone())
                    .with("reading", format!("the repaired key was written to {copy}")),
                it if it.is_any(&[&cause::PERMISSIONS, &cause::OWNER]) => said.as_warning(),
                it if it.is_any(&[&cause::PASSPHRASE_MISSING, &cause::PASSPHRASE_WRONG]) => {
                    said.with("path", copy.clone())
                }
                _ => said,
            };
        }
    }

    /// A repair was asked for, and there is none to write.
    pub fn not_repaired(&mut self) {
        let damage = (self.findings.iter_mut()).find(|finding| finding.cause == &cause::MANGLED);
        if let Some(finding) = damage {
            let why = "it cannot be repaired to a key that OpenSSH reads, so nothing was written";
            *finding = finding.clone().with("reading", why);
        } else if self.key.is_some() || self.needs_passphrase {
            self.summary.push_str("; no repair needed, nothing written");
        } else {
            self.summary.push_str("; nothing written");
        }
    }

    /// Notes a finding.
    pub fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Notes a fact.
    pub fn fact(&mut self, name: &str, value: impl crate::finding::Observed) {
        self.facts.insert(name.to_owned(), value.into_shown());
    }
}

/// A path as it may be shown. Some people pass the key itself where its path
/// belongs; that must not be repeated.
pub fn shown_path(path: &Path) -> String {
    let text = path.display().to_string();
    // What is there is a path, however odd.
    match is_key_text(&text) && std::fs::symlink_metadata(path).is_err() {
        true => "the given path, which is the text of a key".to_owned(),
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
    found.fact("repaired_to", Value::Null);
    let read = match file::read(&file.path) {
        Ok(read) => read,
        Err(unread) => {
            not_read(&mut found, file, unread);
            return found;
        }
    };
    describe_file(&mut found, &read);
    match format::kind(&read.content) {
        KeyFileKind::Ppk { version, encrypted } => {
            found.summary = "a PuTTY key".to_owned();
            found.fact("format", format!("PuTTY version {version}"));
            found.fact("encrypted", encrypted);
            found.found(
                Finding::new(&cause::PPK)
                    .with("path", path.clone())
                    .with("version", version)
                    .with("encrypted", encrypted)
                    .with("converted", converted_name(&file.path)),
            );
            // It is a secret too, but OpenSSH does not use it with any mode.
            found
                .findings
                .extend(guard(&path, &read, uid).map(Finding::as_warning));
        }
        KeyFileKind::Foreign(what) => {
            found.summary = what.to_owned();
            found.fact("format", what);
            found.found(foreign(&path, what));
        }
        KeyFileKind::Private(_) | KeyFileKind::Other(_) => {
            private(&mut found, file, &read, passphrase, uid, libraries);
        }
        KeyFileKind::Public(what) => public_half(&mut found, file, &read, &what),
    }
    found
}

/// Where a converted copy would go: the name without `.ppk`.
fn converted_name(path: &Path) -> String {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("ppk") => {
            let bare = path.with_extension("");
            match bare.exists() {
                // Another key may lie there.
                true => companions::with_suffix(&bare, ".openssh")
                    .display()
                    .to_string(),
                false => bare.display().to_string(),
            }
        }
        _ => companions::with_suffix(path, ".openssh")
            .display()
            .to_string(),
    }
}

fn foreign(path: &str, what: &'static str) -> Finding {
    let finding = Finding::new(&cause::FORMAT)
        .with("path", path.to_owned())
        .with("what", what);
    let copy = format!("{path}.openssh");
    let quoted = |text: &str| shlex::try_quote(text).map(|q| q.into_owned()).ok();
    let (Some(from), Some(to)) = (quoted(path), quoted(&copy)) else {
        return finding;
    };
    match what {
        "a private key in binary DER format" => finding.fix(
            "Convert a copy to PEM:",
            Some(format!(
                "(umask 077; openssl pkey -inform DER -in {from} -out {to})"
            )),
        ),
        "a PKCS#12 container" => finding.fix(
            "Extract the private key from the container:",
            Some(format!(
                "(umask 077; openssl pkcs12 -in {from} -nocerts -noenc -out {to})"
            )),
        ),
        "a key from ssh.com's SSH or Tectia" => finding.fix(
            "Convert a copy (first remove a passphrase with the program that created the key):",
            Some(format!("(umask 077; ssh-keygen -i -f {from} > {to})")),
        ),
        _ => finding,
    }
}

/// The file gave nothing to look at.
fn not_read(found: &mut Examined, file: &NamedFile, unread: Unread) {
    let path = shown_path(&file.path);
    // An agent may hold the key whose public half lies there.
    found.key = companions::public(&file.path).map(|(_, public)| locked(&file.path, public));
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
            unreadable(&path, &error)
        }
        Unread::NotAFile(what) => {
            found.summary = format!("{path} is {what}");
            Finding::new(&cause::NOT_A_FILE).with("what", what)
        }
    };
    found.found(finding.with("path", path));
}

/// Only where a permission is missing, another owner and mode help.
fn unreadable(path: &str, error: &std::io::Error) -> Finding {
    let finding = Finding::new(&cause::UNREADABLE).with("error", error.to_string());
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => finding
            .with("reason", "this user is not allowed to read it")
            .with("closed_file", path.to_owned()),
        Some(libc::ELOOP) => finding
            .with("reason", "its symbolic links form a loop")
            .fix("Point the link at the file that has the key.", None),
        _ => finding.with("reason", "it cannot be read"),
    }
}

/// Why a path may lead nowhere.
fn missing_hint(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    if is_key_text(text) {
        return Some("the key itself was given instead of the path of its file".to_owned());
    }
    if text.starts_with('~') {
        return Some("the tilde was quoted, so the shell did not expand it".to_owned());
    }
    if text.trim() != text {
        return Some("the path begins or ends with a space".to_owned());
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty())?;
    (!parent.exists()).then(|| format!("{} does not exist either", parent.display()))
}

pub fn locked(path: &Path, public: PublicKey) -> LoadedKey {
    LoadedKey {
        path: path.to_owned(),
        offered: public.clone(),
        public,
        private: None,
        names_agent_key: false,
        certificate: companions::certificate(path).map(|(_, certificate)| certificate),
    }
}

fn public_half(found: &mut Examined, file: &NamedFile, read: &KeyFile, what: &str) {
    found.summary = format!("{what}, not a private key");
    found.fact("format", what.to_owned());
    // The private half usually has the same name without the ending.
    let sibling = file
        .path
        .to_str()
        .and_then(|path| path.strip_suffix("-cert.pub").or(path.strip_suffix(".pub")))
        .filter(|path| Path::new(path).is_file())
        .map(str::to_owned);
    let text = String::from_utf8_lossy(&read.content);
    if let Some(public) = format::read_public(&text) {
        describe_public(found, &public);
        found.key = Some(LoadedKey {
            names_agent_key: sibling.is_none(),
            ..locked(&file.path, public)
        });
    }
    found.found(
        Finding::new(&cause::PUBLIC)
            .with("path", shown_path(&file.path))
            .with("what", what.to_owned())
            .with("private", sibling),
    );
}

/// Owner and mode, as `sshkey_perm_ok` looks at them: the mode counts only
/// where the file is one's own. For private keys alone, whole or damaged: chmod
/// or chown on a file that was named by mistake may do harm.
pub fn guard(path: &str, read: &KeyFile, uid: u32) -> Option<Finding> {
    let owner = read.owner.clone().unwrap_or_else(|| read.uid.to_string());
    if read.uid != uid {
        return Some(
            Finding::new(&cause::OWNER)
                .with("path", path.to_owned())
                .with("owner", owner)
                .with("uid", read.uid)
                .with("our_uid", uid)
                .with("mode", mode(read)),
        );
    }
    (read.mode & 0o077 != 0).then(|| {
        Finding::new(&cause::PERMISSIONS)
            .with("path", path.to_owned())
            .with("mode", mode(read))
            .with("owner", owner)
            .word("who", who(read.mode))
    })
}

/// Whom the mode lets in.
fn who(mode: u32) -> &'static str {
    match (mode & 0o070 != 0, mode & 0o007 != 0) {
        (true, true) => "its group and others have",
        (true, false) => "its group has",
        _ => "others have",
    }
}
