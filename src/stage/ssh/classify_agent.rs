//! From what the agent did, or left undone, to the cause.

use super::agent::AgentTrouble;
use super::auth_log::{AuthTranscript, KeyOutcome};
use super::classify::about;
use super::identities::{Candidate, SigningKey};
use crate::cause;
use crate::config::Hop;
use crate::finding::Finding;

/// The server takes a key, and the agent does not do its part.
pub fn unsigned(hop: &Hop, story: &AuthTranscript) -> Option<Finding> {
    story.keys.iter().find_map(|(key, outcome)| match outcome {
        KeyOutcome::Unsigned(trouble) if !matches!(key.hand, SigningKey::Key(_)) => {
            let problem = format!("did not sign with it: {trouble}");
            let word = match trouble {
                AgentTrouble::Refused => "refusing",
                _ => "hung",
            };
            Some(fault(hop, Some(key), problem, word))
        }
        KeyOutcome::Locked if matches!(key.hand, SigningKey::AgentAlone) => {
            Some(without_key(hop, story, key))
        }
        _ => None,
    })
}

/// Nobody was let in, and the agent could have had the right key.
pub fn absent(hop: &Hop, story: &AuthTranscript) -> Option<Finding> {
    if let Some(trouble) = &story.trouble {
        return Some(unusable(hop, None, trouble));
    }
    (story.agent_keys == Some(0)).then(|| empty(hop, None))
}

/// The agent takes the question for its keys and does not answer: ssh waits
/// for it for ever, whatever else there is to offer.
pub fn mute(hop: &Hop, story: &AuthTranscript) -> Option<Finding> {
    let trouble = story.trouble.as_ref();
    let trouble = trouble.filter(|trouble| **trouble == AgentTrouble::Mute)?;
    Some(unusable(hop, None, trouble))
}

/// The key's file is a public key, so that its private half is in an agent,
/// and not in the one that was asked.
fn without_key(hop: &Hop, story: &AuthTranscript, key: &Candidate) -> Finding {
    match (&hop.agent, &story.trouble, story.agent_keys) {
        (None, ..) => fault(
            hop,
            Some(key),
            "that has its private key is not known: neither SSH_AUTH_SOCK nor IdentityAgent names one".to_owned(),
            "unnamed",
        ),
        (_, Some(trouble), _) => unusable(hop, Some(key), trouble),
        (.., Some(0)) => empty(hop, Some(key)),
        _ => fault(
            hop,
            Some(key),
            "does not have its private key".to_owned(),
            "lacking",
        ),
    }
}

fn unusable(hop: &Hop, key: Option<&Candidate>, trouble: &AgentTrouble) -> Finding {
    let word = match trouble {
        AgentTrouble::Unreachable(_) => "away",
        _ => "hung",
    };
    fault(hop, key, format!("cannot be used: {trouble}"), word)
}

fn empty(hop: &Hop, key: Option<&Candidate>) -> Finding {
    let problem = "has no keys or is locked".to_owned();
    fault(hop, key, problem, "lacking")
}

/// The socket under the name of what is wrong with it chooses the fixes.
fn fault(hop: &Hop, key: Option<&Candidate>, problem: String, word: &str) -> Finding {
    let socket = hop
        .agent
        .as_ref()
        .map(|socket| socket.display().to_string());
    let finding = about(&cause::ssh::AUTH_AGENT, hop).with("problem", problem);
    let finding = match socket {
        Some(socket) => finding.with("agent", socket.clone()).word(word, socket),
        None => finding.word(word, "no agent"),
    };
    match key {
        Some(key) => finding
            .with("key", key.label())
            .word("answer", format!("would accept {}", key.label())),
        None => finding,
    }
}
