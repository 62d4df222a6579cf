//! Which keys are offered to a hop, in OpenSSH's order (sshconnect2.c,
//! `pubkey_prepare`), and who signs with each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, PublicKey};
use serde_json::{Value, json};

use super::agent::{Agent, AgentTrouble, Identity};
use super::algorithms::key_type;
use super::known_hosts::fingerprint;
use crate::config::Hop;
use crate::stage::key::{Keyring, PrivateHalf};

/// An agent answers at once or not at all (a confirmation by its user aside).
pub const AGENT_PATIENCE: Duration = Duration::from_secs(2);

/// What is offered.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A plain key.
    Key(PublicKey),
    /// A certificate.
    Certificate(Box<Certificate>),
}

impl Credential {
    /// The key, out of the certificate if it is one.
    pub fn public(&self) -> PublicKey {
        match self {
            Credential::Key(key) => key.clone(),
            Credential::Certificate(certificate) => certificate.public_key().clone().into(),
        }
    }

    /// As on the wire.
    pub fn blob(&self) -> Vec<u8> {
        match self {
            Credential::Key(key) => key.to_bytes(),
            Credential::Certificate(certificate) => certificate.to_bytes(),
        }
        .unwrap_or_default()
    }

    /// Whether signatures by it need a hash to be chosen.
    pub fn is_rsa(&self) -> bool {
        matches!(self.public().algorithm(), Algorithm::Rsa { .. })
    }
}

/// Who signs.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// We do.
    Key(PrivateHalf),
    /// The agent, with the key of this blob.
    Agent(Vec<u8>),
    /// Nobody: the private half is locked or elsewhere.
    Nobody,
    /// Nobody: the file is a public key, its private half belongs in an agent,
    /// and the agent does not have it or is not there.
    AgentAlone,
}

impl SigningKey {
    /// Whether there is somebody to ask for a signature.
    fn signs(&self) -> bool {
        matches!(self, SigningKey::Key(_) | SigningKey::Agent(_))
    }
}

/// A key to be offered.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What is shown to the server.
    pub credential: Credential,
    /// Who signs.
    pub hand: SigningKey,
    /// The file that names it.
    pub file: Option<PathBuf>,
}

impl Candidate {
    /// As people call it: `ED25519 SHA256:… (~/.ssh/id_ed25519, in the agent)`.
    pub fn label(&self) -> String {
        let public = self.credential.public();
        let kind = match self.credential {
            Credential::Key(_) => "",
            Credential::Certificate(_) => " certificate",
        };
        let mut places = Vec::new();
        places.extend(self.file.as_ref().map(|file| file.display().to_string()));
        match self.hand {
            SigningKey::Agent(_) => places.push("in the agent".to_owned()),
            SigningKey::Nobody | SigningKey::AgentAlone => {
                places.push("private key not available".to_owned());
            }
            SigningKey::Key(_) => {}
        }
        format!(
            "{}{kind} {} ({})",
            key_type(&public.algorithm()),
            fingerprint(&public),
            places.join(", ")
        )
    }

    /// For `facts`.
    pub fn fact(&self, outcome: &str) -> Value {
        let public = self.credential.public();
        json!({
            "type": key_type(&public.algorithm()),
            "fingerprint": fingerprint(&public),
            "certificate": matches!(self.credential, Credential::Certificate(_)),
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "agent": matches!(self.hand, SigningKey::Agent(_)),
            "outcome": outcome,
        })
    }
}

/// Everything that can be offered to a hop.
#[derive(Debug, Default)]
pub struct Identities {
    /// In order.
    pub candidates: Vec<Candidate>,
    /// The agent, where one is used and answers.
    pub agent: Option<Agent>,
    /// What is wrong with the agent, where one is to be used.
    pub trouble: Option<AgentTrouble>,
    /// How many keys the agent has.
    pub agent_keys: Option<usize>,
}

impl Identities {
    /// Puts together what the hop's settings name and its agent has.
    pub async fn gather(hop: &Hop, keyring: &Keyring, deadline: Instant) -> Self {
        let mut offer = Self::default();
        let limit = deadline.min(Instant::now() + AGENT_PATIENCE);
        let mut held = Vec::new();
        if let Some(socket) = &hop.agent {
            let asked = async {
                let mut agent = Agent::connect(socket).await?;
                let identities = agent.identities().await?;
                Ok((agent, identities))
            };
            match tokio::time::timeout_at(limit.into(), asked).await {
                Ok(Ok((agent, identities))) => {
                    offer.agent_keys = Some(identities.len());
                    offer.agent = Some(agent);
                    held = identities;
                }
                Ok(Err(trouble)) => offer.trouble = Some(trouble),
                Err(_) => {
                    offer.trouble = Some(AgentTrouble::Mute);
                }
            }
        }
        let files = hop.certificate_files.clone();
        let certificates = tokio::task::spawn_blocking(move || read_certificates(&files))
            .await
            .unwrap_or_default();
        offer.candidates = arrange(hop, keyring, certificates, held);
        offer
    }
}

/// OpenSSH's order: agent keys that match a named file, other agent keys
/// unless `IdentitiesOnly`, then the files.
fn arrange(
    hop: &Hop,
    keyring: &Keyring,
    certificates: Vec<(PathBuf, Certificate)>,
    held: Vec<Identity>,
) -> Vec<Candidate> {
    let mut files = Vec::new();
    for named in &hop.identity_files {
        for key in keyring.keys.iter().filter(|key| key.path == named.path) {
            files.push(Candidate {
                credential: Credential::Key(key.offered.clone()),
                hand: match &key.private {
                    // OpenSSH does not sign for another key's public half.
                    Some(private) if key.offered.key_data() == key.public.key_data() => {
                        SigningKey::Key(private.clone())
                    }
                    _ if key.names_agent_key => SigningKey::AgentAlone,
                    _ => SigningKey::Nobody,
                },
                file: Some(key.path.clone()),
            });
            // A certificate beside the key counts only where none is named
            // (ssh.c, `load_public_identity_files`).
            if let Some(certificate) = &key.certificate
                && hop.certificate_files.is_empty()
                && certificate.cert_type() == CertType::User
            {
                files.push(Candidate {
                    credential: Credential::Certificate(Box::new(certificate.clone())),
                    hand: SigningKey::Nobody,
                    file: Some(key.path.clone()),
                });
            }
        }
    }
    for (path, certificate) in certificates {
        files.push(Candidate {
            credential: Credential::Certificate(Box::new(certificate)),
            hand: SigningKey::Nobody,
            file: Some(path),
        });
    }
    let mut files = once_each(files);

    let mut first = Vec::new();
    let mut others = Vec::new();
    for identity in held {
        let credential = match identity {
            Identity::Key(key) => Credential::Key(key),
            Identity::Certificate(certificate) => Credential::Certificate(certificate),
        };
        let blob = credential.blob();
        let named = files
            .iter()
            .position(|candidate| candidate.credential.blob() == blob);
        match named {
            Some(at) => {
                let mut candidate = files.remove(at);
                candidate.hand = SigningKey::Agent(blob);
                first.push(candidate);
            }
            None if !hop.identities_only => others.push(Candidate {
                credential,
                hand: SigningKey::Agent(blob),
                file: None,
            }),
            None => {}
        }
    }
    let mut all: Vec<Candidate> = first.into_iter().chain(others).chain(files).collect();
    lend_hands(&mut all);
    all
}

/// The same key in several files counts once, where it can be signed with.
fn once_each(files: Vec<Candidate>) -> Vec<Candidate> {
    let mut unique: Vec<Candidate> = Vec::new();
    for candidate in files {
        let blob = candidate.credential.blob();
        match unique
            .iter_mut()
            .find(|known| known.credential.blob() == blob)
        {
            Some(known) if !known.hand.signs() => *known = candidate,
            Some(_) => {}
            None => unique.push(candidate),
        }
    }
    unique
}

/// A certificate from a file is signed for by its plain key
/// (sshconnect2.c, `sign_and_send_pubkey`).
fn lend_hands(all: &mut [Candidate]) {
    let hands: Vec<(Vec<u8>, SigningKey)> = all
        .iter()
        .filter(|candidate| matches!(candidate.credential, Credential::Key(_)))
        .filter(|candidate| !matches!(candidate.hand, SigningKey::Nobody))
        .map(|candidate| (candidate.credential.blob(), candidate.hand.clone()))
        .collect();
    for candidate in all {
        if let (Credential::Certificate(certificate), SigningKey::Nobody) =
            (&candidate.credential, &candidate.hand)
        {
            let plain = PublicKey::from(certificate.public_key().clone())
                .to_bytes()
                .unwrap_or_default();
            if let Some((_, hand)) = hands.iter().find(|(blob, _)| *blob == plain) {
                candidate.hand = hand.clone();
            }
        }
    }
}

/// The user certificates in the files; what cannot be read is left out.
fn read_certificates(files: &[PathBuf]) -> Vec<(PathBuf, Certificate)> {
    const LARGEST: u64 = 1 << 20;
    files
        .iter()
        .filter(|path| std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= LARGEST))
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            let certificate = Certificate::from_openssh(text.lines().next()?).ok()?;
            (certificate.cert_type() == CertType::User).then(|| (path.clone(), certificate))
        })
        .collect()
}
