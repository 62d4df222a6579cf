//! From what authentication showed to the cause.

use russh::keys::Algorithm;

use super::auth::asks_for_password;
use super::auth_log::{AuthEnd, AuthTranscript, KeyOutcome};
use super::banner;
use super::classify::{about, disconnected};
use super::classify_agent;
use super::client::SessionEnd;
use super::host_key::moment;
use super::identities::{Candidate, Credential, SigningKey};
use crate::cause;
use crate::config::{Hop, SshMethod};
use crate::finding::Finding;
use crate::stage::key::describe::type_name;

/// Nobody was let in.
pub fn authentication(hop: &Hop, story: &AuthTranscript, banner: &str, notice: &str) -> Finding {
    let mut finding = match &story.ending {
        AuthEnd::Late if story.new_password => method(hop, story),
        AuthEnd::Late => {
            let during = match story.said.last() {
                Some(words) => format!("authentication, after it said \"{words}\""),
                None => "authentication".to_owned(),
            };
            about(&cause::ssh::TIMEOUT, hop).with("while", during)
        }
        AuthEnd::Ended(end) if too_many(story, end) => {
            about(&cause::ssh::AUTH_TOO_MANY, hop).word("words", end.words())
        }
        AuthEnd::Ended(end) if says_too_many(end) && (refused_any(story) || story.asked_on) => {
            refused(hop, story).word("words", end.words())
        }
        AuthEnd::Ended(SessionEnd::Closed | SessionEnd::Broken(_)) if !notice.is_empty() => {
            turned_out(
                hop,
                &format!("the server said \"{notice}\" and closed the connection"),
            )
        }
        AuthEnd::Ended(end) => disconnected(hop, end, "authentication"),
        AuthEnd::Exhausted | AuthEnd::In => refused(hop, story),
    };
    let offered = story.labels(|outcome| {
        !matches!(
            outcome,
            KeyOutcome::Untried | KeyOutcome::NoAlgorithm | KeyOutcome::TooShort
        )
    });
    finding = finding
        .with("offered_count", offered.len())
        .with("offered", offered)
        .with("server_accepts", story.methods.clone());
    let untried = story.labels(|outcome| *outcome == KeyOutcome::Untried);
    if !untried.is_empty() {
        finding = finding.with("not_tried", untried);
    }
    if !story.passed.is_empty() {
        finding = finding.with("passed", story.passed.clone());
    }
    if !banner.is_empty() {
        finding = banner::reason(finding.with("banner", banner.to_owned()), banner);
    }
    if !notice.is_empty() {
        finding = finding.with("notice", notice.to_owned());
    }
    if !story.said.is_empty() {
        finding = finding.with("said", story.said.clone());
    }
    if let Some(trouble) = &story.trouble {
        finding = finding.with("agent_trouble", trouble.to_string());
    }
    if let Some(path) = &hop.agent {
        finding = finding.with("agent", path.display().to_string());
    }
    if let Some(count) = story.agent_keys {
        finding = finding.with("agent_keys", count);
        let lent = |key: &Candidate| matches!(key.hand, SigningKey::Agent(_));
        let used = story.keys.iter().filter(|(key, _)| lent(key)).count();
        let left_out = count.saturating_sub(used);
        if hop.identities_only
            && left_out > 0
            && story.methods.contains(&"publickey")
            && finding.cause != &cause::ssh::AUTH_AGENT
        {
            finding = finding.with("agent_keys_left_out", left_out).fix(
                "IdentitiesOnly in the SSH configuration excludes keys that the agent has: name the right key's file with IdentityFile or --ssh-key (its public key file is enough).",
                None,
            );
        }
    }
    if let Some(from) = story.keys.iter().find_map(|(key, outcome)| {
        let refused = *outcome == KeyOutcome::Refused;
        refused.then(|| bound_to(key)).flatten()
    }) {
        finding = finding
            .with("certificate_bound_to", from.clone())
            .fix(
                format!(
                    "The certificate is valid only from {from} (its source-address). If the server sees this machine at another address, that is the cause: connect through a host in that list, or have a certificate issued for this address.",
                ),
                None,
            );
    }
    finding
}

/// Turned out with a word about the account: sshd passes on what PAM says and
/// hangs up, also where the key or password was right (auth2.c,
/// `userauth_finish`).
fn turned_out(hop: &Hop, words: &str) -> Finding {
    about(&cause::ssh::DISCONNECTED, hop)
        .with("while", "authentication")
        .with("words", words.to_owned())
        .with("error", words.to_owned())
        .with("account", hop.user.clone())
}

/// The password was refused.
fn password(hop: &Hop, story: &AuthTranscript) -> Finding {
    let remark = match story.said.last() {
        Some(words) => format!(", and says \"{words}\""),
        None => String::new(),
    };
    let finding = about(&cause::ssh::AUTH_PASSWORD, hop).with("remark", remark);
    match story.said.is_empty() {
        true => finding,
        false => finding.fix(
            "Check the server's message in the evidence: the password may be right. Have an administrator unlock an expired or locked account (chage -l USER, faillock --user USER), or confirm the request on the phone.",
            None,
        ),
    }
}

fn refused_any(story: &AuthTranscript) -> bool {
    story.password_refused
        || story
            .keys
            .iter()
            .any(|(_, outcome)| *outcome == KeyOutcome::Refused)
}

/// Cut off for too many attempts (sshd_config(5), `MaxAuthTries`) while there
/// was more to try, or after more than one key.
fn too_many(story: &AuthTranscript, end: &SessionEnd) -> bool {
    let count = |wanted| story.keys.iter().filter(|(_, o)| *o == wanted).count();
    let (refused, untried) = (count(KeyOutcome::Refused), count(KeyOutcome::Untried));
    let said_so = says_too_many(end)
        || (matches!(end, SessionEnd::Closed | SessionEnd::Broken(_)) && refused > 4);
    said_so && refused > 0 && refused + untried > 1
}

/// sshd's own words, or the reason's number for it.
fn says_too_many(end: &SessionEnd) -> bool {
    match end {
        SessionEnd::Disconnected { code: 14, .. } => true,
        SessionEnd::Disconnected { words, .. } => words.to_lowercase().contains("too many"),
        _ => false,
    }
}

/// The cause of a refusal, from what was tried and what was wanted.
fn refused(hop: &Hop, story: &AuthTranscript) -> Finding {
    let any =
        |wanted: fn(&KeyOutcome) -> bool| story.keys.iter().any(|(_, outcome)| wanted(outcome));
    if !story.passed.is_empty() {
        let keys_are_next = story.methods.contains(&"publickey");
        return match story.password_refused {
            true => password(hop, story),
            false if keys_are_next && any(|outcome| *outcome == KeyOutcome::Refused) => {
                about(&cause::ssh::AUTH_PUBLICKEY, hop).with(
                    "why",
                    format!("after {} it rejected every key", story.passed.join(" and ")),
                )
            }
            false => method(hop, story),
        };
    }
    if story.password_refused {
        return password(hop, story);
    }
    if !story.questions.is_empty() {
        return method(hop, story);
    }
    if let Some(finding) = classify_agent::unsigned(hop, story) {
        return finding;
    }
    if let Some((key, KeyOutcome::Unsigned(trouble))) = story
        .keys
        .iter()
        .find(|(_, outcome)| matches!(outcome, KeyOutcome::Unsigned(_)))
    {
        return about(&cause::ssh::AUTH_PUBLICKEY, hop)
            .with("why", format!("it would accept a key, but {trouble}"))
            .with("key", key.label());
    }
    if let Some((key, _)) = story
        .keys
        .iter()
        .find(|(_, outcome)| *outcome == KeyOutcome::Locked)
    {
        return about(&cause::ssh::AUTH_PUBLICKEY, hop)
            .with(
                "why",
                "it would accept a key, but its private key is locked or not available",
            )
            .with("locked", key.label());
    }
    if let Some((key, KeyOutcome::OnlyWith(algorithm))) = story
        .keys
        .iter()
        .find(|(_, outcome)| matches!(outcome, KeyOutcome::OnlyWith(_)))
    {
        return about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", key.label())
            .with("accepts", *algorithm)
            .with(
                "reason",
                format!("knows this key, but accepts only {algorithm} signatures from it"),
            )
            .fix(
                format!(
                    "In the SSH configuration for this host, set PubkeyAcceptedAlgorithms {}.",
                    algorithm.split(' ').next().unwrap_or(algorithm)
                ),
                None,
            );
    }
    let takes_keys = story.methods.contains(&"publickey");
    if takes_keys && let Some(finding) = classify_agent::mute(hop, story) {
        return finding;
    }
    if let Some(finding) = left_out(hop, story) {
        return finding;
    }
    let tried = any(|outcome| *outcome == KeyOutcome::Refused);
    if !tried && any(|outcome| *outcome == KeyOutcome::NoAlgorithm) {
        let keys = story.labels(|outcome| *outcome == KeyOutcome::NoAlgorithm);
        if hop.algorithms.pubkey.is_some() {
            return about(&cause::ssh::AUTH_ALGORITHM, hop)
                .with("key", keys.join(", "))
                .with(
                    "reason",
                    "and PubkeyAcceptedAlgorithms in the SSH configuration have no signature algorithm in common",
                )
                .fix(
                    "Remove PubkeyAcceptedAlgorithms from the SSH configuration for this host, or start its value with + to add to the defaults.",
                    None,
                );
        }
        return about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", keys.join(", "))
            .with("accepts", "ssh-rsa (SHA-1)")
            .with("reason", "announces no SHA-2 signatures for RSA keys");
    }
    if !tried && any(|outcome| *outcome == KeyOutcome::TooShort) {
        let keys = story.labels(|outcome| *outcome == KeyOutcome::TooShort);
        let least = hop.least_rsa_bits;
        return about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", keys.join(", "))
            .with("least_bits", least)
            .with(
                "reason",
                format!("must not be offered RSA keys of fewer than {least} bits (RequiredRSASize in the SSH configuration)"),
            )
            .fix(
                "If RequiredRSASize is set in the SSH configuration for this host, lower it; otherwise use a longer key.",
                None,
            );
    }
    if tried {
        if let Some((key, fault)) = story.keys.iter().find_map(|(key, outcome)| {
            (*outcome == KeyOutcome::Refused).then_some(())?;
            Some((key, certificate_fault(key, &hop.user)?))
        }) {
            return certificate(hop, key, fault);
        }
        if story.methods.is_empty() || story.methods.contains(&"publickey") {
            if let Some(key) = story.signed_in_vain.first() {
                return signed_in_vain(hop, key);
            }
            return about(&cause::ssh::AUTH_PUBLICKEY, hop).with("why", "it rejected every key");
        }
        return method(hop, story);
    }
    if takes_keys && let Some(finding) = classify_agent::absent(hop, story) {
        return finding;
    }
    method(hop, story)
}

/// The server takes the key, and not what was signed with it.
fn signed_in_vain(hop: &Hop, key: &str) -> Finding {
    about(&cause::ssh::AUTH_PUBLICKEY, hop)
        .with("why", "it accepts the key, but refused the login after the signature")
        .with("key", key.to_owned())
        .fix(
            "The private key may not belong to the public key that the server knows, or its file is \
             damaged: get the key again, or create a new one. If ssh -v with the same key logs in \
             elsewhere, the account is closed instead: check it on the server (expired, locked, or \
             excluded by PAM).",
            None,
        )
}

/// Every key that was refused is of a type that the server does not announce.
fn left_out(hop: &Hop, story: &AuthTranscript) -> Option<Finding> {
    let announced = story.announced.as_ref().filter(|list| !list.is_empty())?;
    let takes = |key: &Candidate| {
        let wanted = key.credential.public().algorithm();
        let same = |algorithm: &Algorithm| match algorithm {
            Algorithm::Rsa { .. } => key.credential.is_rsa(),
            other => *other == wanted,
        };
        announced.iter().any(same)
    };
    let refused: Vec<&Candidate> = story
        .keys
        .iter()
        .filter(|(_, outcome)| matches!(outcome, KeyOutcome::Refused | KeyOutcome::NoAlgorithm))
        .map(|(key, _)| key)
        .collect();
    // A certificate's algorithm is another one, and is not told here.
    let plain = |key: &&Candidate| matches!(key.credential, Credential::Key(_));
    if refused.is_empty() || !refused.iter().all(plain) || refused.iter().any(|key| takes(key)) {
        return None;
    }
    let mut types: Vec<String> = Vec::new();
    for key in &refused {
        let name = type_name(&key.credential.public());
        if !types.contains(&name) {
            types.push(name);
        }
    }
    let labels: Vec<String> = refused.iter().map(|key| key.label()).collect();
    let names: Vec<String> = announced.iter().map(ToString::to_string).collect();
    let new_type = NEW_TYPES
        .into_iter()
        .find(|(_, prefix)| names.iter().any(|name| name.starts_with(prefix)))
        .map(|(new_type, _)| new_type);
    Some(
        about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", labels.join(", "))
            .with("accepts", names)
            .with("reason", format!("accepts no {} keys", types.join(" or ")))
            .word("new_type", new_type)
            .word(
                "lacking",
                refused[0].credential.public().algorithm().to_string(),
            ),
    )
}

/// What `ssh-keygen -t` makes, best first, with what its signatures are called.
const NEW_TYPES: [(&str, &str); 3] = [
    ("ed25519", "ssh-ed25519"),
    ("ecdsa", "ecdsa-sha2-nistp256"),
    ("rsa", "rsa-sha2-"),
];

fn method(hop: &Hop, story: &AuthTranscript) -> Finding {
    let quoted: Vec<String> = story
        .questions
        .iter()
        .map(|question| format!("\"{}\"", question.trim()))
        .collect();
    let answer = format!("an answer to {}", quoted.join(" and "));
    let wanted = match story.methods.as_slice() {
        _ if story.asked_on => format!("{answer} after the password"),
        _ if story.new_password => {
            "a new password (it seems so: it neither accepted nor rejected the old one)".to_owned()
        }
        ["publickey"] if story.passed.contains(&"publickey") => {
            "another key besides the one that it has accepted (publickey)".to_owned()
        }
        [] => "a method that it does not name (all methods are disabled there)".to_owned(),
        methods => {
            let asked = |method: &&'static str| match *method {
                "keyboard-interactive" if !quoted.is_empty() => answer.clone(),
                method => method.to_owned(),
            };
            let ways: Vec<String> = methods.iter().map(asked).collect();
            ways.join(" or ")
        }
    };
    let finding = about(&cause::ssh::AUTH_METHOD, hop).with("wanted", wanted);
    let off: Vec<&str> = SshMethod::ALL
        .into_iter()
        .filter(|method| !hop.methods.contains(method) && story.methods.contains(&method.name()))
        .map(SshMethod::name)
        .collect();
    let finding = match off.is_empty() {
        true => finding,
        false => finding.with("switched_off", off.join(", ")).fix(
            format!(
                "The SSH configuration disables {} for this host: check PreferredAuthentications, PubkeyAuthentication, PasswordAuthentication and KbdInteractiveAuthentication.",
                off.join(" and ")
            ),
            None,
        ),
    };
    let finding = match story.passed.as_slice() {
        [] => finding,
        passed => finding.with("after", passed.join(", ")),
    };
    let password = story.methods.iter().any(|method| *method != "publickey");
    let finding = match story.keys_only && password {
        false => finding,
        true => finding
            .with("withheld", "no password was sent, because the host key is wrong")
            .fix(
                "Resolve the host key problem first: no password is ever sent to a server with a wrong host key.",
                None,
            ),
    };
    let new_password = story.new_password
        || (story.asked_on && story.questions.iter().any(|q| asks_for_password(q)));
    let finding = match new_password {
        false => finding,
        true => finding.fix(
            "If the server asks for a new password, log in once by hand with ssh and change it, or have an administrator check chage -l USER.",
            None,
        ),
    };
    match story.questions.as_slice() {
        [] => finding,
        questions => finding.with("questions", questions.to_vec()),
    }
}

/// The addresses that a user certificate is bound to, if it is
/// (PROTOCOL.certkeys, `source-address`).
fn bound_to(key: &Candidate) -> Option<String> {
    let Credential::Certificate(certificate) = &key.credential else {
        return None;
    };
    let options = certificate.critical_options();
    let (_, addresses) = options.iter().find(|(name, _)| *name == "source-address")?;
    Some(addresses.to_string())
}

/// What is wrong with a user certificate, as far as it says itself
/// (sshkey.c, `sshkey_cert_check_authority`). That its principals do not name
/// the user is a fault only where the server has no list of its own.
fn certificate_fault(key: &Candidate, user: &str) -> Option<String> {
    let Credential::Certificate(certificate) = &key.credential else {
        return None;
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let principals = certificate.valid_principals();
    if now < certificate.valid_after() {
        Some(format!(
            "is not valid before {}",
            moment(certificate.valid_after())
        ))
    } else if now >= certificate.valid_before() {
        Some(format!("expired on {}", moment(certificate.valid_before())))
    } else if principals.is_empty() {
        Some("is not valid for any user".to_owned())
    } else if !principals.iter().any(|principal| principal == user) {
        Some(format!(
            "is valid for {}, not for {user}",
            principals.join(", ")
        ))
    } else {
        // sshd refuses what it does not know (auth-options.c, `cert_option_list`).
        let known = ["force-command", "source-address", "verify-required"];
        let options = certificate.critical_options();
        let unknown = options
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()));
        unknown.map(|(name, _)| format!("has a critical option that sshd does not know ({name})"))
    }
}

/// The file that the certificate is in: the named one, or what stands beside
/// the key (ssh_config(5), `IdentityFile`).
pub fn certificate_file(key: &Candidate) -> Option<String> {
    let file = key.file.as_ref()?.display().to_string();
    let beside = format!("{file}-cert.pub");
    let is_there = std::fs::exists(&beside).unwrap_or(false);
    Some(if is_there { beside } else { file })
}

fn certificate(hop: &Hop, key: &Candidate, fault: String) -> Finding {
    let finding = about(&cause::ssh::AUTH_CERTIFICATE, hop)
        .with("fault", fault)
        .with("certificate_file", certificate_file(key))
        .with("key", key.label());
    match &key.credential {
        Credential::Certificate(certificate) => finding
            .with("key_id", certificate.key_id().to_owned())
            .with("principals", certificate.valid_principals().to_vec())
            .with("valid_after", moment(certificate.valid_after()))
            .with("valid_before", moment(certificate.valid_before())),
        Credential::Key(_) => finding,
    }
}
