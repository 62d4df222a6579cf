//! What authentication showed: every key with its outcome, what the server
//! would take next, how it ended.

use std::time::Duration;

use russh::keys::Algorithm;
use serde_json::{Value, json};

use super::agent::AgentTrouble;
use super::client::SessionEnd;
use super::identities::{Candidate, Credential};

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// The server let us in with it.
    Accepted,
    /// The server took it, and wants more.
    Partial,
    /// The server does not take it.
    Refused,
    /// The server would take it; the agent did not sign.
    Unsigned(AgentTrouble),
    /// The server would take it; its private half is locked.
    Locked,
    /// Not offered: the server's signature algorithms leave none for it.
    NoAlgorithm,
    /// The server would take it, but only with signatures that OpenSSH does
    /// not make for it.
    OnlyWith(&'static str),
    /// Not offered: an RSA key of fewer bits than the configuration demands.
    TooShort,
    /// Not offered before the session ended.
    Untried,
}

impl KeyOutcome {
    pub fn name(&self) -> &'static str {
        match self {
            KeyOutcome::Accepted => "accepted",
            KeyOutcome::Partial => "accepted, more wanted",
            KeyOutcome::Refused => "refused",
            KeyOutcome::Unsigned(_) => "accepted, not signed",
            KeyOutcome::Locked => "accepted, but locked",
            KeyOutcome::NoAlgorithm => "no common signature algorithm",
            KeyOutcome::TooShort => "too short to be offered",
            KeyOutcome::OnlyWith(_) => "known, other signature algorithm wanted",
            KeyOutcome::Untried => "not tried",
        }
    }
}

/// How the attempts ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthEnd {
    /// We are in.
    In,
    /// Nothing is left to try.
    Exhausted,
    /// The server ended the session.
    Ended(SessionEnd),
    /// The time was up.
    Late,
}

/// Everything that authentication showed.
#[derive(Debug)]
pub struct AuthTranscript {
    /// How it ended.
    pub ending: AuthEnd,
    /// Every key with what became of it, in order.
    pub keys: Vec<(Candidate, KeyOutcome)>,
    /// The methods that the server would take next, when it last said so.
    pub methods: Vec<&'static str>,
    /// The methods that were passed before the last step.
    pub passed: Vec<&'static str>,
    /// The method that let us in, or that was tried last.
    pub method: &'static str,
    /// Whether a password was sent and refused.
    pub password_refused: bool,
    /// Questions of the server that nobody could answer.
    pub questions: Vec<String>,
    /// Whether one of them came after an answer was given: that was not
    /// refused, as far as anybody can tell.
    pub asked_on: bool,
    /// Whether the password was answered by a message that is neither yes nor
    /// no, of which the library tells nothing: the request for a new password
    /// (RFC 4252, section 8).
    pub new_password: bool,
    /// What the server said beside its questions (RFC 4256, section 3.2).
    pub said: Vec<String>,
    /// What is wrong with the agent.
    pub trouble: Option<AgentTrouble>,
    /// How many keys the agent has.
    pub agent_keys: Option<usize>,
    /// The signature algorithms that the server announces (`server-sig-algs`), where it does and
    /// the list is complete.
    pub announced: Option<Vec<Algorithm>>,
    /// The keys that the server would take, and whose signature it refused.
    pub signed_in_vain: Vec<String>,
    /// Whether password methods were ruled out by a changed host key.
    pub keys_only: bool,
    /// How long a person was asked.
    pub asked: Duration,
}

impl AuthTranscript {
    /// For `facts`.
    pub fn fact(&self) -> Value {
        json!({
            "method": self.method,
            "passed": self.passed,
            "server_accepts": self.methods,
            "said": self.said,
            "keys": self.keys.iter().map(|(key, outcome)| key.fact(outcome.name())).collect::<Vec<_>>(),
            "server_sig_algs": self.announced.as_ref().map(|list| {
                list.iter().map(ToString::to_string).collect::<Vec<_>>()
            }),
            "agent_keys": self.agent_keys,
            "agent_trouble": self.trouble.as_ref().map(AgentTrouble::to_string),
        })
    }

    /// The certificate that the server accepted, where it was one.
    pub fn certificate(&self) -> Option<&Candidate> {
        let accepted = [KeyOutcome::Accepted, KeyOutcome::Partial];
        self.keys
            .iter()
            .find(|(_, outcome)| accepted.contains(outcome))
            .map(|(key, _)| key)
            .filter(|key| matches!(key.credential, Credential::Certificate(_)))
    }

    /// The keys with this outcome, as people call them.
    pub fn labels(&self, wanted: impl Fn(&KeyOutcome) -> bool) -> Vec<String> {
        self.keys
            .iter()
            .filter(|(_, outcome)| wanted(outcome))
            .map(|(key, _)| key.label())
            .collect()
    }
}
