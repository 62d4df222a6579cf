//! `key`: the SSH private keys, read and judged as OpenSSH does.
//!
//! What is proved: that each key file can be read, is a private key, is
//! guarded as OpenSSH demands, is undamaged, and opens with the passphrase at
//! hand. The rules are those of OpenSSH 9.2 (`authfile.c`, `sshkey.c`), so
//! that a key passes exactly where `ssh-keygen -y` prints its public half.
//!
//! - [`mod@file`]: reading, without ever hanging
//! - [`mod@format`]: what kind of text it is
//! - [`decrypt`], [`openssh_v1`], [`pem`]: opening it
//! - [`damage`]: what happened to one that is damaged
//! - [`companions`]: the public half and the certificate next to it
//! - [`examine`]: evidence to findings; [`private`]: those of a private key;
//!   [`describe`]: the facts
//! - [`library`]: which SSH libraries can read it
//! - [`version`]: which OpenSSH is installed

mod blob;
mod companions;
mod curve;
pub(crate) mod damage;
pub(crate) mod decrypt;
pub(super) mod describe;
mod examine;
mod file;
pub(crate) mod format;
mod library;
mod openssh_v1;
mod pem;
mod private;
#[cfg(test)]
mod tests;
pub(crate) mod version;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::encoding::Decode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{Certificate, PrivateKey, PublicKey};
use serde_json::{Map, Value};

use crate::cause::key as cause;
use crate::config::{NamedFile, SshPlan};
use crate::ctx::Ctx;
use crate::finding::Status;
use crate::report::StageRecord;
use crate::secret::{self, Secret};
use crate::stage::ssh::identities::AGENT_PATIENCE;
use crate::terminal::{self, Echo};
pub use describe::bits;
pub use examine::{Examined, shown_path};

/// The fewest bits of an RSA key that OpenSSH takes (`SSH_RSA_MINIMUM_MODULUS_SIZE`).
const RSA_MINIMUM: u32 = 1024;

/// How often a person is asked for a passphrase (`NumberOfPasswordPrompts`).
const PROMPTS: usize = 3;

/// The keys that can be offered, in order.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// One per usable file of any hop.
    pub keys: Vec<LoadedKey>,
}

impl Keyring {
    /// The key of a file.
    pub fn of(&self, path: &Path) -> Option<&LoadedKey> {
        self.keys.iter().find(|key| key.path == path)
    }
}

/// A private key, or what is known of it while it is locked.
#[derive(Clone, Debug)]
pub struct LoadedKey {
    /// The file.
    pub path: PathBuf,
    /// The public half.
    pub public: PublicKey,
    /// The private half, unless it is locked (encrypted, no passphrase) or
    /// not there (only the public half is): then only an agent can sign.
    pub private: Option<PrivateHalf>,
    /// Whether the file is a public key without a private one beside it: it
    /// names a key that only an agent has.
    pub names_agent_key: bool,
    /// The public key that OpenSSH offers for this file: what the `.pub`
    /// beside it says, even where it belongs to another key (then OpenSSH
    /// refuses to sign with the file and only an agent could), else `public`.
    pub offered: PublicKey,
    /// `KEY-cert.pub` beside it, whether or not it belongs to the key.
    /// OpenSSH looks at it only where no `CertificateFile` is named.
    pub certificate: Option<Certificate>,
}

/// A key that was opened.
#[derive(Clone, Debug)]
pub struct OpenedKey {
    /// The key; `None` for one that only OpenSSH itself can sign with.
    private: Option<PrivateHalf>,
    /// Its public half.
    public: PublicKey,
    /// The comment in the file.
    comment: Option<String>,
}

#[cfg(any(test, fuzzing))]
impl OpenedKey {
    /// The key itself.
    pub fn private(&self) -> Option<PrivateKey> {
        self.private.as_ref().and_then(PrivateHalf::open)
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// The private half of a key, as SSH encodes the pair: decoded only to sign, since the
/// library's key leaves copies of itself wherever it is moved.
#[derive(Clone, Debug)]
pub struct PrivateHalf(Secret);

impl PrivateHalf {
    /// The pair and its public half; `None` where it contradicts itself.
    fn of(encoded: &[u8]) -> Option<(Self, PublicKey)> {
        let public = keypair(encoded, "")?.public_key().clone();
        Some((Self(Secret::from_bytes(encoded.to_vec())), public))
    }

    /// The key to sign with.
    pub fn open(&self) -> Option<PrivateKey> {
        keypair(&self.0.expose_bytes(), "")
    }
}

/// Why OpenSSH would not open a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// It is not well formed.
    Format,
    /// It is encrypted and the passphrase, or none, does not open it.
    Passphrase,
    /// A type of key that is not supported.
    Type(String),
    /// An RSA key of so few bits.
    Short(u32),
    /// An unknown cipher or key derivation function.
    Cipher(String),
    /// Ed25519 in PKCS#8, which OpenSSH reads from 9.6 on; the installed
    /// version.
    NotYet(u32, u32),
}

/// Reads SSH's encoding of a key pair; `None` where it contradicts itself.
fn keypair(encoded: &[u8], comment: &str) -> Option<PrivateKey> {
    let padded = with_whole_scalar(encoded);
    let mut encoded = padded.as_deref().unwrap_or(encoded);
    let data = KeypairData::decode(&mut encoded).ok()?;
    PrivateKey::new(data, comment).ok()
}

/// An ECDSA pair with its private number as long as the curve's: an `mpint`
/// drops leading zeros, and the library takes no number below 32 bytes.
fn with_whole_scalar(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut blob = blob::Blob(encoded);
    let kind = blob.text().filter(|kind| kind.starts_with("ecdsa-sha2-"))?;
    let (curve, point, number) = (blob.string()?, blob.string()?, blob.number()?);
    let length = point.len().checked_sub(1)? / 2;
    let mut scalar = vec![0; length.checked_sub(number.len())?];
    scalar.extend(number);
    let mut whole = Vec::new();
    for part in [kind.as_bytes(), curve, point, &scalar] {
        blob::put_string(&mut whole, part);
    }
    Some(whole)
}

/// Reads every key that the plan names. Whatever is wrong with one is
/// provisional: another key, the agent or a password may still be accepted.
pub async fn probe(plan: &SshPlan, ctx: &Ctx, record: &mut StageRecord) -> Keyring {
    let files = files(plan);
    let agents: BTreeSet<PathBuf> = plan
        .hops
        .iter()
        .filter_map(|hop| hop.agent.clone())
        .collect();
    let (examined, held) = Examination {
        passphrase: plan.passphrase.as_ref(),
        agents: &agents,
        libraries: false,
        ctx,
    }
    .run(&files)
    .await;
    let usable = examined
        .iter()
        .any(|e| e.key.as_ref().is_some_and(|key| key.private.is_some()));
    let others = usable || !held.is_empty() || plan.password.is_some();
    tell(&examined, record);
    for (file, examined) in files.iter().zip(&examined) {
        for finding in &examined.findings {
            // Nobody asked for a default file: while there is something else
            // to offer, what is wrong with it is not worth a word.
            match finding.status {
                _ if !file.named && others => {}
                // What the file is for; `ssh` says what became of it.
                _ if finding.cause == &cause::PUBLIC && examined.names_agent_key() => {}
                Status::Fail => record.provisional(finding.clone()),
                _ if examined.offers_another(finding) => record.provisional(finding.clone()),
                _ => record.warn(finding.clone()),
            }
        }
    }
    Keyring {
        keys: examined.into_iter().filter_map(|e| e.key).collect(),
    }
}

/// The identity files of all hops, each once.
pub fn files(plan: &SshPlan) -> Vec<NamedFile> {
    let mut files: Vec<NamedFile> = Vec::new();
    for file in plan.hops.iter().flat_map(|hop| &hop.identity_files) {
        match files.iter_mut().find(|known| known.path == file.path) {
            Some(known) => known.named |= file.named,
            None => files.push(file.clone()),
        }
    }
    files
}

/// How key files are examined.
pub struct Examination<'a> {
    /// The passphrase at hand; an empty one means that there is none and that
    /// nobody is to be asked.
    pub passphrase: Option<&'a Secret>,
    /// The sockets of agents that may hold the keys.
    pub agents: &'a BTreeSet<PathBuf>,
    /// Whether to tell which SSH libraries read each key.
    pub libraries: bool,
    /// The limits.
    pub ctx: &'a Ctx,
}

impl Examination<'_> {
    /// Examines the files, one after the other, and asks the agents where a
    /// file alone does not do; what they hold is returned too.
    pub async fn run(&self, files: &[NamedFile]) -> (Vec<Examined>, Vec<PublicKey>) {
        let mut all = Vec::new();
        for file in files {
            all.push(self.one(file, self.passphrase).await);
        }
        if !all.is_empty() && all.iter().all(Examined::is_complete) {
            return (all, Vec::new());
        }
        let mut held = Vec::new();
        for agent in self.agents {
            held.extend(agent_keys(agent, self.ctx).await);
        }
        let ask_for = self.passphrase.is_none() && self.ctx.surroundings.interactive;
        for (file, examined) in files.iter().zip(&mut all) {
            let in_agent =
                |key: &LoadedKey| held.iter().any(|h| h.key_data() == key.offered.key_data());
            if examined.key.as_ref().is_some_and(in_agent) {
                examined.held_by_agent();
                continue;
            }
            for _ in 0..PROMPTS {
                if !(ask_for && examined.needs_passphrase) {
                    break;
                }
                let Some(typed) = ask(&file.path, self.ctx).await else {
                    break;
                };
                *examined = self.one(file, Some(&typed)).await;
            }
        }
        (all, held)
    }

    /// Examines one file on a thread of its own: key derivation takes the
    /// processor for as long as the key's maker wanted it to.
    async fn one(&self, file: &NamedFile, passphrase: Option<&Secret>) -> Examined {
        let (named, passphrase) = (file.clone(), passphrase.cloned());
        let (uid, libraries) = (self.ctx.surroundings.uid, self.libraries);
        let task = tokio::task::spawn_blocking(move || {
            secret::wiping(|| examine::examine(&named, passphrase.as_ref(), uid, libraries))
        });
        match self.ctx.until(self.ctx.deadline, task).await {
            Ok(Ok(examined)) => examined,
            Ok(Err(error)) => Examined::unclassified(file, &error.to_string()),
            Err(_) => Examined::unclassified(
                file,
                "deriving the key from the passphrase takes longer than this run is allowed to",
            ),
        }
    }
}

/// Asks for a passphrase on the terminal; `None` for an empty line.
async fn ask(path: &Path, ctx: &Ctx) -> Option<Secret> {
    let prompt = format!("Enter passphrase for key '{}': ", shown_path(path));
    let typed = terminal::ask(prompt, Echo::Off, ctx.deadline).await;
    typed.ok().filter(|typed| !typed.is_empty())
}

/// The keys that an agent holds; none where it cannot be asked.
pub async fn agent_keys(socket: &Path, ctx: &Ctx) -> Vec<PublicKey> {
    let asked = async {
        let mut agent = AgentClient::connect_uds(socket).await.ok()?;
        agent.request_identities().await.ok()
    };
    let limit = ctx.limit().min(Instant::now() + AGENT_PATIENCE);
    let identities = ctx.until(limit, asked).await.ok().flatten();
    let identities = identities.unwrap_or_default();
    identities
        .iter()
        .map(|identity| identity.public_key().into_owned())
        .collect()
}

/// Writes the facts: flat for one key, a list for several, and one line for
/// people.
pub fn tell(examined: &[Examined], record: &mut StageRecord) {
    let seen: Vec<&Examined> = examined.iter().filter(|e| !e.absent_default).collect();
    record.summary = match seen.as_slice() {
        [] => "no key file".to_owned(),
        [one] => one.summary.clone(),
        many => {
            let usable = many.iter().filter(|e| e.is_usable()).count();
            let first = many.iter().find(|e| e.is_usable()).unwrap_or(&many[0]);
            format!("{usable} of {} keys usable: {}", many.len(), first.summary)
        }
    };
    if let [one] = seen.as_slice() {
        for (name, value) in &one.facts {
            record.fact(name, value.clone());
        }
    } else {
        let keys: Vec<Value> = seen
            .iter()
            .map(|e| Value::Object(e.facts.clone()))
            .collect();
        record.fact("keys", keys);
    }
}

/// A table of facts.
type Facts = Map<String, Value>;
