//! `key`: the SSH private keys, read and judged as OpenSSH does.

use std::path::PathBuf;

use russh::keys::{Certificate, PrivateKey, PublicKey};

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::target::SshPlan;

/// The keys that can be offered, in order.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// One per usable file of any hop.
    pub keys: Vec<LoadedKey>,
}

/// A private key, or what is known of it while it is locked.
#[derive(Clone, Debug)]
pub struct LoadedKey {
    /// The file.
    pub path: PathBuf,
    /// The public half.
    pub public: PublicKey,
    /// The private half, unless it is locked (encrypted, no passphrase): then
    /// only an agent can sign with it.
    pub private: Option<PrivateKey>,
    /// The certificate beside it.
    pub certificate: Option<Certificate>,
}

/// Reads every key that the plan names. Whatever is wrong with one is
/// provisional: another key, the agent or a password may still be accepted.
pub async fn probe(plan: &SshPlan, ctx: &Ctx, record: &mut StageRecord) -> Keyring {
    let _ = (plan, ctx, record);
    todo!()
}
