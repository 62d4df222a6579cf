//! The SSH agent, over its socket (draft-miller-ssh-agent, sections 4.4 and
//! 4.5): which keys it has, and signatures by them. Keys of unknown types are
//! skipped, every answer is bounded.

use std::io;
use std::path::Path;

use russh::keys::ssh_encoding::Decode;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg, PublicKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::algorithms::{put_string, take_string};

/// The longest answer (OpenSSH: `AGENT_MAX_LEN`).
const LONGEST: usize = 256 * 1024;
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// What stands between us and the agent's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentTrouble {
    /// Its socket does not connect.
    Unreachable(io::ErrorKind),
    /// It answers "failure".
    Refused,
    /// It takes the question and does not answer.
    Mute,
    /// It broke off, or its answer makes no sense.
    Broken(String),
}

impl std::fmt::Display for AgentTrouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AgentTrouble::Unreachable(io::ErrorKind::NotFound) => {
                f.write_str("its socket does not exist")
            }
            AgentTrouble::Unreachable(io::ErrorKind::ConnectionRefused) => {
                f.write_str("nothing is listening on its socket")
            }
            AgentTrouble::Unreachable(kind) => {
                write!(f, "its socket does not accept connections ({kind})")
            }
            AgentTrouble::Refused => f.write_str("it refused"),
            AgentTrouble::Mute => f.write_str("it does not answer"),
            AgentTrouble::Broken(what) => f.write_str(what),
        }
    }
}

/// A key in the agent.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A plain key.
    Key(PublicKey),
    /// A certificate.
    Certificate(Box<Certificate>),
}

/// An agent that answers.
#[derive(Debug)]
pub struct Agent {
    stream: UnixStream,
}

impl Agent {
    /// Connects to an agent's socket.
    ///
    /// # Errors
    /// Where nobody is there.
    pub async fn connect(socket: &Path) -> Result<Self, AgentTrouble> {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(|error| AgentTrouble::Unreachable(error.kind()))?;
        Ok(Self { stream })
    }

    /// The keys it has, in its order.
    ///
    /// # Errors
    /// Where it refuses (it is locked) or does not speak the protocol.
    pub async fn identities(&mut self) -> Result<Vec<Identity>, AgentTrouble> {
        let answer = self.ask(&[REQUEST_IDENTITIES]).await?;
        let garbled = || AgentTrouble::Broken("its list of keys is malformed".to_owned());
        let mut rest = answer_body(&answer, IDENTITIES_ANSWER)?;
        let (count, after) = rest.split_first_chunk::<4>().ok_or_else(garbled)?;
        rest = after;
        let mut found = Vec::new();
        for _ in 0..u32::from_be_bytes(*count) {
            let blob = take_string(&mut rest).ok_or_else(garbled)?;
            take_string(&mut rest).ok_or_else(garbled)?;
            found.extend(identity(blob));
        }
        Ok(found)
    }

    /// A signature by the key with this blob, as it goes on the wire. The hash
    /// is for RSA keys.
    ///
    /// # Errors
    /// Where it refuses, or signs with something else.
    pub async fn sign(
        &mut self,
        blob: &[u8],
        hash: Option<HashAlg>,
        data: &[u8],
    ) -> Result<Vec<u8>, AgentTrouble> {
        let (flags, algorithm): (u32, &[u8]) = match hash {
            Some(HashAlg::Sha256) => (2, b"rsa-sha2-256"),
            Some(HashAlg::Sha512) => (4, b"rsa-sha2-512"),
            _ => (0, b""),
        };
        let mut request = vec![SIGN_REQUEST];
        put_string(&mut request, blob);
        put_string(&mut request, data);
        request.extend_from_slice(&flags.to_be_bytes());
        let answer = self.ask(&request).await?;
        let garbled = || AgentTrouble::Broken("its signature is malformed".to_owned());
        let mut rest = answer_body(&answer, SIGN_RESPONSE)?;
        let signature = take_string(&mut rest).ok_or_else(garbled)?;
        let name = take_string(&mut &*signature).ok_or_else(garbled)?;
        if flags != 0 && name != algorithm {
            return Err(AgentTrouble::Broken(format!(
                "it signs only with {}",
                String::from_utf8_lossy(name)
            )));
        }
        Ok(signature.to_vec())
    }

    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, AgentTrouble> {
        let broken = |error: io::Error| {
            AgentTrouble::Broken(format!("the connection to it broke ({})", error.kind()))
        };
        let mut packet = Vec::new();
        put_string(&mut packet, request);
        self.stream.write_all(&packet).await.map_err(broken)?;
        let length = self.stream.read_u32().await.map_err(broken)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length == 0 || length > LONGEST {
            return Err(AgentTrouble::Broken("it is not an SSH agent".to_owned()));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(broken)?;
        Ok(answer)
    }
}

fn answer_body(answer: &[u8], expected: u8) -> Result<&[u8], AgentTrouble> {
    match answer.split_first() {
        Some((&kind, rest)) if kind == expected => Ok(rest),
        // 5, and what older and commercial agents say (ssh_agent_fail in authfd.c).
        Some((&(FAILURE | 30 | 102), _)) => Err(AgentTrouble::Refused),
        _ => Err(AgentTrouble::Broken("it is not an SSH agent".to_owned())),
    }
}

fn identity(blob: &[u8]) -> Option<Identity> {
    if let Ok(certificate) = Certificate::from_bytes(blob) {
        return Some(Identity::Certificate(Box::new(certificate)));
    }
    match KeyData::decode(&mut &*blob).ok()? {
        KeyData::Other(_) | KeyData::Certificate(_) => None,
        key => Some(Identity::Key(key.into())),
    }
}
