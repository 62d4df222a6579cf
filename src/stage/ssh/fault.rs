//! From what was seen of a hop to the cause.

use std::io;
use std::time::Instant;

use russh::{AlgorithmKind, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::algorithms::{Allowed, ServerOffer};
use super::client::End;
use super::greeting::{Unheard, turned_away, who};
use super::host_key::moment;
use super::offer::{Candidate, Credential};
use super::story::{Ending, Outcome, Story};
use crate::cause::{self, Cause};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::target::{Hop, SshMethod};
use crate::text;
use crate::wire::Address;

/// A finding about a hop.
fn about(cause: &'static Cause, hop: &Hop) -> Finding {
    Finding::new(cause)
        .with("hop", hop.label())
        .with("host", hop.host.as_str())
        .with("port", hop.port)
        .with("user", hop.user.as_str())
}

/// What no other cause describes.
pub fn unclassified(hop: &Hop, error: &str) -> Finding {
    about(&cause::ssh::UNCLASSIFIED, hop).with("error", error)
}

/// A session that ended while something went through it.
pub fn lost(label: &str, end: &End) -> Finding {
    Finding::new(&cause::tunnel::LOST)
        .with("via", label)
        .with("error", end.words())
}

/// The agent takes the question and does not answer; we got in without it.
pub fn mute_agent(hop: &Hop) -> Finding {
    let finding = about(&cause::ssh::AUTH_AGENT_MUTE, hop);
    match &hop.agent {
        Some(socket) => finding.with("agent", socket.display().to_string()),
        None => finding,
    }
}

/// Something else answers.
pub fn foreign(hop: &Hop, bytes: &[u8], what: &str) -> Finding {
    let finding = about(&cause::ssh::NOT_SSH, hop).with("what", what);
    let shown = bytes.get(..bytes.len().min(120)).unwrap_or(bytes);
    match bytes {
        [] => finding,
        _ => finding.with("bytes", text::clean_bytes(shown)),
    }
}

/// There was no identification. `None` means that the time was up; `heard`
/// has what had come until then.
pub fn identification(hop: &Hop, unheard: Option<Unheard>, heard: &[u8], first: bool) -> Finding {
    let closed = |how: &str, bytes: &[u8]| {
        let finding = about(&cause::ssh::CLOSED, hop)
            .with("how", how)
            .with("error", how);
        match bytes {
            [] => finding,
            _ => finding.with("said", String::from_utf8_lossy(bytes).trim()),
        }
    };
    match unheard {
        None if heard.is_empty() => {
            let finding = about(&cause::ssh::SILENT, hop);
            finding.with("first_hop", (!first).then_some(false))
        }
        None if b"SSH-".starts_with(heard.get(..heard.len().min(4)).unwrap_or_default()) => {
            about(&cause::ssh::TIMEOUT, hop).with("while", "the identification")
        }
        None => foreign(hop, heard, who(heard)),
        Some(Unheard::Foreign(bytes)) => foreign(hop, &bytes, who(&bytes)),
        Some(Unheard::Closed(bytes)) if bytes.is_empty() || is_ours(&bytes) => {
            closed("closed", &bytes)
        }
        Some(Unheard::Broken(kind, bytes)) if bytes.is_empty() || is_ours(&bytes) => match kind {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => closed("reset", &bytes),
            kind => closed(&kind.to_string(), &bytes),
        },
        Some(Unheard::Closed(bytes) | Unheard::Broken(_, bytes)) => {
            foreign(hop, &bytes, who(&bytes))
        }
    }
}

/// Whether the bytes before the end are an SSH server's.
fn is_ours(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SSH-2") || turned_away(bytes)
}

/// Whether the end that closed without a word is PostgreSQL or its pooler,
/// which take an identification for a malformed packet. One look on a second
/// connection tells (PostgreSQL documentation, "SSL Session Encryption").
pub async fn is_postgres(address: &Address, ctx: &Ctx, limit: Instant) -> bool {
    let Address::Tcp(address) = address else {
        return false;
    };
    let soon = limit.min(Instant::now() + std::time::Duration::from_millis(500));
    let look = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await?;
        stream.read_u8().await
    };
    matches!(ctx.until(soon, look).await, Ok(Ok(b'S' | b'N')))
}

/// A step took too long.
pub fn stalled(hop: &Hop, during: &str, ctx: &Ctx) -> Finding {
    about(&cause::ssh::TIMEOUT, hop)
        .with("while", during)
        .with("timeout_s", ctx.timeout.as_secs_f64())
}

/// The SSH library agreed with the server on what ssh is not allowed to use
/// (it stands in for what the library lacks): ssh would have found nothing.
pub fn only_by_stand_in(
    hop: &Hop,
    allowed: &Allowed,
    offer: &ServerOffer,
    agreed: &[String; 4],
) -> Option<Finding> {
    let [kex, _, cipher, mac] = agreed;
    let aead = cipher.contains("gcm") || cipher.contains("poly1305");
    let none = Vec::new();
    let (kind, theirs) = match allowed.stand_ins(kex, mac) {
        (true, _) if !allowed.has_kex_of(&offer.kex) => (AlgorithmKind::Kex, &offer.kex),
        (_, true) if !aead && !allowed.has_mac_of(&offer.mac) => (AlgorithmKind::Mac, &offer.mac),
        _ => return None,
    };
    Some(algorithms(hop, allowed, &kind, &none, theirs))
}

/// The key exchange failed.
pub fn handshake(
    hop: &Hop,
    error: &Error,
    end: Option<End>,
    allowed: &Allowed,
    offer: Option<&ServerOffer>,
) -> Finding {
    let finding = match (error, end) {
        (Error::NoCommonAlgo { kind, ours, theirs }, _) => {
            algorithms(hop, allowed, kind, ours, theirs)
        }
        (_, Some(end @ End::Disconnected { .. })) => disconnected(hop, &end, "the key exchange"),
        (Error::HUP | Error::Disconnect, _) => disconnected(hop, &End::Closed, "the key exchange"),
        (Error::IO(error), _) => match error.kind() {
            io::ErrorKind::UnexpectedEof => disconnected(hop, &End::Closed, "the key exchange"),
            kind => disconnected(hop, &End::Broken(kind), "the key exchange"),
        },
        // The first line was an identification: OpenSSH reads longer ones
        // than the protocol allows, and any bytes in them.
        (Error::Version, _) => about(&cause::ssh::MALFORMED, hop)
            .with("while", "the identification")
            .with(
                "error",
                "its identification is longer than 255 characters or is not UTF-8 (RFC 4253, \
                 section 4.2); OpenSSH accepts that, other SSH libraries do not",
            ),
        (error, _) if violates(error) => about(&cause::ssh::MALFORMED, hop)
            .with("while", "the key exchange")
            .with("error", error.to_string()),
        (error, _) => unclassified(hop, &error.to_string()),
    };
    match offer {
        Some(offer) => finding
            .with("server_kex", offer.kex.clone())
            .with("server_host_keys", offer.host_key.clone())
            .with("server_ciphers", offer.cipher.clone())
            .with("server_macs", offer.mac.clone()),
        None => finding,
    }
}

/// Whether the library's complaint is about what the server sent.
pub fn violates(error: &Error) -> bool {
    matches!(
        error,
        Error::PacketSize(_)
            | Error::PacketAuth
            | Error::DecryptionError
            | Error::Kex
            | Error::KexInit
            | Error::Inconsistent
            | Error::IndexOutOfBounds
            | Error::WrongServerSig
            | Error::Signature(_)
            | Error::SshKey(_)
            | Error::SshEncoding(_)
            | Error::Utf8(_)
            | Error::Version
            | Error::UnknownAlgo
            | Error::StrictKeyExchangeViolation { .. }
    )
}

fn algorithms(
    hop: &Hop,
    allowed: &Allowed,
    kind: &AlgorithmKind,
    ours: &[String],
    theirs: &[String],
) -> Finding {
    let set = match kind {
        AlgorithmKind::Kex => ("KexAlgorithms", &hop.algorithms.kex),
        AlgorithmKind::Key => ("HostKeyAlgorithms", &hop.algorithms.host_key),
        AlgorithmKind::Cipher => ("Ciphers", &hop.algorithms.cipher),
        AlgorithmKind::Mac => ("MACs", &hop.algorithms.mac),
        AlgorithmKind::Compression => ("Compression", &None),
    };
    let side = match set {
        (keyword, Some(_)) => format!("the SSH configuration's {keyword}"),
        (_, None) => "OpenSSH's defaults".to_owned(),
    };
    let kind = match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "host key",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Mac => "MAC",
        AlgorithmKind::Compression => "compression",
    };
    let ours: Vec<String> = ours
        .iter()
        .filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"))
        .cloned()
        .collect();
    let theirs: Vec<String> = theirs
        .iter()
        .filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"))
        .cloned()
        .collect();
    // OpenSSH has one of them: the server is fine, and the gap is ours.
    let lacking = allowed.only_openssh(&theirs);
    let finding = match lacking.as_slice() {
        [] => about(&cause::ssh::ALGORITHMS, hop),
        lacking => about(&cause::ssh::UNSUPPORTED, hop).with("lacking", lacking.to_vec()),
    };
    finding
        .with("kind", kind)
        .with("side", side)
        .with("ours", ours)
        .with("theirs", theirs)
}

fn disconnected(hop: &Hop, end: &End, during: &str) -> Finding {
    let finding = match end {
        End::Violated(error) => about(&cause::ssh::MALFORMED, hop).with("error", error.as_str()),
        End::Error(error) => about(&cause::ssh::UNCLASSIFIED, hop).with("error", error.as_str()),
        _ => about(&cause::ssh::DISCONNECTED, hop).with("error", end.words()),
    };
    let finding = finding.with("while", during).with("words", end.words());
    match end {
        End::Disconnected { code, .. } => finding.with("code", *code),
        _ => finding,
    }
}

/// Nobody was let in.
pub fn authentication(hop: &Hop, story: &Story, banner: &str) -> Finding {
    let mut finding = match &story.ending {
        Ending::Late => about(&cause::ssh::TIMEOUT, hop).with("while", "authentication"),
        Ending::Ended(end) if too_many(story, end) => {
            about(&cause::ssh::AUTH_TOO_MANY, hop).with("words", end.words())
        }
        Ending::Ended(end) if says_too_many(end) && refused_any(story) => {
            refused(hop, story).with("words", end.words())
        }
        Ending::Ended(end) => disconnected(hop, end, "authentication"),
        Ending::Exhausted | Ending::In => refused(hop, story),
    };
    let offered = story.labels(|outcome| {
        !matches!(
            outcome,
            Outcome::Untried | Outcome::NoAlgorithm | Outcome::TooShort
        )
    });
    finding = finding
        .with("offered_count", offered.len())
        .with("offered", offered)
        .with("server_accepts", story.methods.clone());
    let untried = story.labels(|outcome| *outcome == Outcome::Untried);
    if !untried.is_empty() {
        finding = finding.with("not_tried", untried);
    }
    if !story.passed.is_empty() {
        finding = finding.with("passed", story.passed.clone());
    }
    if !banner.is_empty() {
        finding = finding.with("banner", banner);
    }
    if let Some(trouble) = &story.trouble {
        finding = finding.with("agent_trouble", trouble.to_string());
    }
    if let Some(path) = &hop.agent {
        finding = finding.with("agent", path.display().to_string());
    }
    if let Some(count) = story.agent_keys {
        finding = finding.with("agent_keys", count);
    }
    finding
}

fn refused_any(story: &Story) -> bool {
    story.password_refused
        || story
            .keys
            .iter()
            .any(|(_, outcome)| *outcome == Outcome::Refused)
}

/// Cut off for too many attempts (sshd_config(5), `MaxAuthTries`) while there
/// was more to try, or after more than one key.
fn too_many(story: &Story, end: &End) -> bool {
    let count = |wanted| story.keys.iter().filter(|(_, o)| *o == wanted).count();
    let (refused, untried) = (count(Outcome::Refused), count(Outcome::Untried));
    let said_so =
        says_too_many(end) || (matches!(end, End::Closed | End::Broken(_)) && refused > 4);
    said_so && refused > 0 && refused + untried > 1
}

/// sshd's own words, or the reason's number for it.
fn says_too_many(end: &End) -> bool {
    match end {
        End::Disconnected { code: 14, .. } => true,
        End::Disconnected { words, .. } => words.to_lowercase().contains("too many"),
        _ => false,
    }
}

/// The cause of a refusal, from what was tried and what was wanted.
fn refused(hop: &Hop, story: &Story) -> Finding {
    let any = |wanted: fn(&Outcome) -> bool| story.keys.iter().any(|(_, outcome)| wanted(outcome));
    if !story.passed.is_empty() {
        let keys_are_next = story.methods.contains(&"publickey");
        return match story.password_refused {
            true => about(&cause::ssh::AUTH_PASSWORD, hop),
            false if keys_are_next && any(|outcome| *outcome == Outcome::Refused) => {
                about(&cause::ssh::AUTH_PUBLICKEY, hop).with(
                    "why",
                    format!(
                        "after {} it takes none of the keys that were offered",
                        story.passed.join(" and ")
                    ),
                )
            }
            false => method(hop, story),
        };
    }
    if story.password_refused {
        return about(&cause::ssh::AUTH_PASSWORD, hop);
    }
    if !story.questions.is_empty() {
        return method(hop, story);
    }
    if let Some((key, Outcome::Unsigned(trouble))) = story
        .keys
        .iter()
        .find(|(_, outcome)| matches!(outcome, Outcome::Unsigned(_)))
    {
        return about(&cause::ssh::AUTH_AGENT, hop)
            .with("key", key.label())
            .with(
                "problem",
                format!("would not sign with the key that the server accepts: {trouble}"),
            );
    }
    if let Some((key, _)) = story
        .keys
        .iter()
        .find(|(_, outcome)| *outcome == Outcome::Locked)
    {
        return about(&cause::ssh::AUTH_PUBLICKEY, hop)
            .with(
                "why",
                "it would accept a key whose private half is locked or not at hand",
            )
            .with("locked", key.label());
    }
    if let Some((key, Outcome::OnlyWith(algorithm))) = story
        .keys
        .iter()
        .find(|(_, outcome)| matches!(outcome, Outcome::OnlyWith(_)))
    {
        return about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", key.label())
            .with("takes", *algorithm)
            .with(
                "reason",
                format!("knows this key, but takes only {algorithm} signatures by it"),
            );
    }
    let tried = any(|outcome| *outcome == Outcome::Refused);
    if !tried && any(|outcome| *outcome == Outcome::NoAlgorithm) {
        let keys = story.labels(|outcome| *outcome == Outcome::NoAlgorithm);
        if hop.algorithms.pubkey.is_some() {
            return about(&cause::ssh::AUTH_ALGORITHM, hop)
                .with("key", keys.join(", "))
                .with(
                    "reason",
                    "and PubkeyAcceptedAlgorithms of the SSH configuration agree on no signature algorithm",
                )
                .fix(
                    "Take PubkeyAcceptedAlgorithms out of the SSH configuration for this host, or begin its value with + to add to the defaults.",
                    None,
                );
        }
        return about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", keys.join(", "))
            .with("takes", "ssh-rsa (SHA-1)")
            .with("reason", "announces no SHA-2 signatures for RSA keys");
    }
    if !tried && any(|outcome| *outcome == Outcome::TooShort) {
        let keys = story.labels(|outcome| *outcome == Outcome::TooShort);
        let least = hop.least_rsa_bits;
        return about(&cause::ssh::AUTH_ALGORITHM, hop)
            .with("key", keys.join(", "))
            .with("least_bits", least)
            .with(
                "reason",
                format!("may be shown no RSA key of fewer than {least} bits (RequiredRSASize)"),
            )
            .fix(
                "If RequiredRSASize stands in the SSH configuration for this host, lower it; else use a longer key.",
                None,
            );
    }
    if tried {
        if let Some((key, fault)) = story.keys.iter().find_map(|(key, outcome)| {
            (*outcome == Outcome::Refused).then_some(())?;
            Some((key, certificate_fault(key, &hop.user)?))
        }) {
            return certificate(hop, key, fault);
        }
        if story.methods.is_empty() || story.methods.contains(&"publickey") {
            return about(&cause::ssh::AUTH_PUBLICKEY, hop)
                .with("why", "it takes none of the keys that were offered");
        }
        return method(hop, story);
    }
    let takes_keys = story.methods.contains(&"publickey");
    if takes_keys && let Some(trouble) = &story.trouble {
        return about(&cause::ssh::AUTH_AGENT, hop)
            .with("problem", format!("cannot be used: {trouble}"));
    }
    if takes_keys && story.agent_keys == Some(0) {
        return about(&cause::ssh::AUTH_AGENT, hop).with("problem", "has no keys, or is locked");
    }
    method(hop, story)
}

fn method(hop: &Hop, story: &Story) -> Finding {
    let wanted = match story.methods.as_slice() {
        [] => "something that it does not name (every method is switched off there)".to_owned(),
        methods => methods.join(" or "),
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
                "The SSH configuration switches {} off for this host: look at PreferredAuthentications, PubkeyAuthentication, PasswordAuthentication and KbdInteractiveAuthentication.",
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
            .with("withheld", "no password was sent, since the host key is wrong")
            .fix(
                "Settle the host key first: to a server with a wrong one no password is sent, whatever is set.",
                None,
            ),
    };
    match story.questions.as_slice() {
        [] => finding,
        questions => finding.with("questions", questions.to_vec()),
    }
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
        Some("names no user at all".to_owned())
    } else if !principals.iter().any(|principal| principal == user) {
        Some(format!("is for {}, not for {user}", principals.join(", ")))
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

fn certificate(hop: &Hop, key: &Candidate, fault: String) -> Finding {
    let finding = about(&cause::ssh::AUTH_CERTIFICATE, hop)
        .with("fault", fault)
        .with("key", key.label());
    match &key.credential {
        Credential::Certificate(certificate) => finding
            .with("key_id", certificate.key_id())
            .with("principals", certificate.valid_principals().to_vec())
            .with("valid_after", moment(certificate.valid_after()))
            .with("valid_before", moment(certificate.valid_before())),
        Credential::Key(_) => finding,
    }
}
