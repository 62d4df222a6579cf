//! From what was seen of a hop to the cause.

use std::io;
use std::time::{Duration, Instant};

use russh::{AlgorithmKind, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Session;
use super::algorithms::{Allowed, ServerOffer};
use super::auth::asks_for_password;
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
use crate::wire::{Address, BoxIo, Route};

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

/// How long the second look may take.
const LOOK: Duration = Duration::from_secs(1);

/// The beginning of TLS (RFC 8446, section 4.1.2): versions 1.2 and 1.3, the
/// usual ciphers and groups, no name. It is only meant to be answered.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x6c\x01\x00\x00\x68\x03\x03\
    dbdoctor looks who is here today\x00\
    \x00\x0e\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x30\x00\x2f\x01\x00\
    \x00\x31\
    \x00\x2b\x00\x05\x04\x03\x04\x03\x03\
    \x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17\
    \x00\x0d\x00\x0e\x00\x0c\x04\x03\x08\x04\x08\x05\x08\x06\x04\x01\x05\x01\
    \x00\x0b\x00\x02\x01\x00\
    \x00\x33\x00\x02\x00\x00\
    ";

/// Who it is that closed without a word: PostgreSQL, its pooler and TLS
/// servers take an identification for a malformed packet. Second connections
/// tell, by what is said to a request for TLS, PostgreSQL's own (PostgreSQL
/// documentation, "SSL Session Encryption") and the plain one. A later hop is
/// reached through the session `before`.
pub async fn who_closed(
    route: &Route,
    before: Option<&Session>,
    ctx: &Ctx,
    limit: Instant,
) -> Option<&'static str> {
    let soon = limit.min(Instant::now() + LOOK);
    let look = |question: &'static [u8]| async move {
        let mut stream: BoxIo = match (route, before) {
            (Route::Direct(Address::Tcp(address)), _) => {
                Box::new(TcpStream::connect(address).await.ok()?)
            }
            (Route::Tunnel { host, port, .. }, Some(before)) => {
                before.open(host, *port, ctx, soon).await.ok()?
            }
            _ => return None,
        };
        stream.write_all(question).await.ok()?;
        stream.flush().await.ok()?;
        let mut answer = [0; 16];
        let n = stream.read(&mut answer).await.ok()?;
        Some(answer.get(..n)?.to_vec())
    };
    let (postgres, tls) = tokio::join!(
        ctx.until(soon, look(&[0, 0, 0, 8, 4, 210, 22, 47])),
        ctx.until(soon, look(CLIENT_HELLO)),
    );
    // One byte alone: an SSH server that is back again begins with an S too.
    match (
        postgres.ok().flatten().as_deref(),
        tls.ok().flatten().as_deref(),
    ) {
        (Some(b"S" | b"N"), _) => Some("PostgreSQL"),
        (_, Some([0x15 | 0x16, 3, ..])) => Some("a TLS server"),
        _ => None,
    }
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
    clear: &[u8],
) -> Finding {
    let finding = match (error, end) {
        (error, _)
            if violates(error)
                && let Some(words) = complaint(clear) =>
        {
            spoilt(hop, words)
        }
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

/// What sshd says in clear about an identification that it does not take
/// (kex.c, `kex_exchange_identification`), after its own and before any packet.
fn complaint(clear: &[u8]) -> Option<&'static str> {
    const WORDS: [&str; 3] = [
        "Invalid SSH identification string.",
        "Protocol major versions differ.",
        "Protocol mismatch.",
    ];
    let line = clear.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    // A part of it may be all that has come.
    let whole = |words: &&str| line.len() >= 4 && words.as_bytes().starts_with(line);
    WORDS.into_iter().find(whole)
}

/// The server got something else than our identification.
fn spoilt(hop: &Hop, words: &str) -> Finding {
    let words = format!("the server said \"{words}\"");
    about(&cause::ssh::DISCONNECTED, hop)
        .with("while", "the identification")
        .with("words", words.as_str())
        .with("error", words)
        .fix(
            "What reaches the server does not begin with our identification: something in between puts words of its own before it. A load balancer that sends the PROXY protocol is the usual one: take send-proxy (HAProxy), proxy_protocol (nginx) or the proxy protocol of the target group away for this server; sshd does not understand it.",
            None,
        )
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
        _ => about(&cause::ssh::DISCONNECTED, hop)
            .with("error", end.words())
            .with("peer", hop.host.as_str()),
    };
    let finding = finding.with("while", during).with("words", end.words());
    match end {
        End::Disconnected { code, .. } => finding.with("code", *code),
        _ => finding,
    }
}

/// Nobody was let in.
pub fn authentication(hop: &Hop, story: &Story, banner: &str, notice: &str) -> Finding {
    let mut finding = match &story.ending {
        Ending::Late => {
            let during = match story.said.last() {
                Some(words) => format!("authentication, after it said \"{words}\""),
                None => "authentication".to_owned(),
            };
            about(&cause::ssh::TIMEOUT, hop).with("while", during)
        }
        Ending::Ended(end) if too_many(story, end) => {
            about(&cause::ssh::AUTH_TOO_MANY, hop).with("words", end.words())
        }
        Ending::Ended(end) if says_too_many(end) && (refused_any(story) || story.asked_on) => {
            refused(hop, story).with("words", end.words())
        }
        Ending::Ended(End::Closed | End::Broken(_)) if !notice.is_empty() => {
            turned_out(hop, &format!("the server said \"{notice}\" and hung up"))
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
    if !notice.is_empty() {
        finding = finding.with("notice", notice);
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
    }
    finding
}

/// Turned out with a word about the account: sshd passes on what PAM says and
/// hangs up, also where the key or password was right (auth2.c,
/// `userauth_finish`).
fn turned_out(hop: &Hop, words: &str) -> Finding {
    about(&cause::ssh::DISCONNECTED, hop)
        .with("while", "authentication")
        .with("words", words)
        .with("error", words)
        .with("account", hop.user.as_str())
}

/// The password was refused.
fn password(hop: &Hop, story: &Story) -> Finding {
    let remark = match story.said.last() {
        Some(words) => format!(", and says \"{words}\""),
        None => String::new(),
    };
    let finding = about(&cause::ssh::AUTH_PASSWORD, hop).with("remark", remark);
    match story.said.is_empty() {
        true => finding,
        false => finding.fix(
            "The server's words may name the reason, and the password be right: an account that has expired or is locked is opened again by an administrator (chage -l USER, faillock --user USER); a request on a phone has to be confirmed by its owner.",
            None,
        ),
    }
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
            true => password(hop, story),
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
        return password(hop, story);
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
        _ if story.asked_on
            && let Some(question) = story.questions.first() =>
        {
            format!("an answer to \"{}\" after the password", question.trim())
        }
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
    let new_password = story.asked_on && story.questions.iter().any(|q| asks_for_password(q));
    let finding = match new_password {
        false => finding,
        true => finding.fix(
            "If the server wants the password changed, log in once by hand with ssh and change it, or have an administrator look with chage -l USER.",
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
