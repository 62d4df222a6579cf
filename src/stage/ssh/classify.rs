//! From what was seen of a hop, up to the login, to the cause.

use std::io;
use std::time::{Duration, Instant};

use russh::{AlgorithmKind, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Session;
use super::algorithms::{Allowed, ServerOffer};
use super::client::SessionEnd;
use super::identification::{Unheard, turned_away, who};
use crate::cause::{self, Cause};
use crate::config::{Hop, Keepalives};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::proxy_header;
use crate::text;
use crate::wire::{BoxIo, Route, dial};

/// A finding about a hop.
pub(super) fn about(cause: &'static Cause, hop: &Hop) -> Finding {
    Finding::new(cause)
        .with("hop", hop.label())
        .with("host", hop.host.clone())
        .with("port", hop.port)
        .with("user", hop.user.clone())
        .word("ssh", hop.ssh_words())
        .word("forward", hop.forward.clone())
        .word("destination", hop.written.host.clone())
        .word("ssh_args", hop.ssh_args())
        .word("port_source", hop.port_source.to_string())
}

/// What no other cause describes.
pub fn unclassified(hop: &Hop, error: &str) -> Finding {
    about(&cause::ssh::UNCLASSIFIED, hop).with("error", error.to_owned())
}

/// A session that ended while something went through it.
pub fn lost(hop: &Hop, end: &SessionEnd) -> Finding {
    if end.is_explained() {
        return disconnected(hop, end, "a connection through it");
    }
    Finding::new(&cause::tunnel::LOST)
        .with("via", hop.label())
        .with("bastion", hop.label())
        .with("when", "while it was in use")
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
    let finding = about(&cause::ssh::NOT_SSH, hop).with("what", what.to_owned());
    match bytes {
        [] => finding,
        _ => finding.with("bytes", text::clean_first_bytes(bytes, 120)),
    }
}

/// There was no identification. `None` means that the time was up; `heard`
/// has what had come until then.
pub fn identification(hop: &Hop, unheard: Option<Unheard>, heard: &[u8], first: bool) -> Finding {
    let closed = |how: &str, bytes: &[u8]| {
        let finding = about(&cause::ssh::CLOSED, hop)
            .with("how", how.to_owned())
            .with("error", how.to_owned());
        match bytes {
            [] => finding,
            _ => finding.with("said", text::clean_part(&String::from_utf8_lossy(bytes))),
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
pub(super) fn is_ours(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SSH-2") || turned_away(bytes)
}

/// How long the second look may take.
const LOOK: Duration = Duration::from_millis(1500);

/// How long an end must say nothing that waits for a PROXY header.
const MUTE: Duration = Duration::from_millis(500);

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
    (hop, before): (&Hop, Option<&Session>),
    ctx: &Ctx,
    limit: Instant,
) -> SecondLook {
    let soon = limit.min(Instant::now() + LOOK);
    let look = |question: &'static [u8]| async move {
        let ask = async {
            let mut stream: BoxIo = match (route, before) {
                (Route::Direct(address), _) => {
                    let local_end = hop.local_end.as_ref();
                    let knock = dial::knock(address, &Keepalives::OFF, local_end, soon);
                    Box::new(knock.await.result.ok()?.io)
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
        ctx.until(soon, ask).await.ok().flatten()
    };
    let (postgres, tls) = tokio::join!(look(&[0, 0, 0, 8, 4, 210, 22, 47]), look(CLIENT_HELLO),);
    let answers = [postgres, tls];
    // One byte alone: an SSH server that is back again begins with an S too.
    let who = match (answers[0].as_deref(), answers[1].as_deref()) {
        (Some(b"S" | b"N"), _) => Some("PostgreSQL"),
        (_, Some([0x15 | 0x16, 3, ..])) => Some("a TLS server"),
        _ => None,
    };
    let greeted = answers.iter().flatten().filter(|a| a.starts_with(b"SSH-"));
    let greeted = greeted.count();
    let proxy_header = match (who, greeted) {
        (None, 0) => {
            let [one, two] = proxy_header::HEADERS;
            let (first, second) = tokio::join!(look(one.bytes), look(two.bytes));
            let tried = [(one, first), (two, second)];
            let greeted = tried
                .into_iter()
                .find(|(_, answer)| answer.as_ref().is_some_and(|a| a.starts_with(b"SSH-")));
            match greeted {
                // A server that turns away some, or greets without a header, does
                // so where nothing is sent; one that waits for a header is mute.
                Some((header, _)) => {
                    let mute = tokio::time::timeout(MUTE, look(&[])).await;
                    mute.is_err().then_some(header.version)
                }
                None => None,
            }
        }
        _ => None,
    };
    SecondLook {
        who,
        greeted,
        proxy_header,
    }
}

/// What further connections showed after one was closed without a word.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecondLook {
    /// Who it is, where it is no SSH server.
    pub who: Option<&'static str>,
    /// The version of the PROXY header that an SSH server waited for.
    pub proxy_header: Option<u8>,
    /// How many an SSH server greeted.
    greeted: usize,
}

impl SecondLook {
    /// How many connections are made, with the first.
    const CONNECTIONS: usize = 3;

    /// The finding with what orders its fixes: whether all connections fail
    /// alike, or only some.
    pub fn described(self, finding: Finding) -> Finding {
        match self.greeted {
            0 => finding.with("closed", format!("all {}", Self::CONNECTIONS)),
            greeted => finding.with("greeted", format!("{greeted} of {}", Self::CONNECTIONS)),
        }
    }
}

/// An SSH server greets only connections that begin with a PROXY header.
pub fn behind_proxy_header(hop: &Hop, version: u8) -> Finding {
    about(&cause::ssh::PROXY_EXPECTED, hop)
        .with("proxy_protocol", version)
        .with(
            "seen",
            "a second connection that began with the header was greeted",
        )
}

/// A step took too long.
pub fn stalled(hop: &Hop, during: &str, ctx: &Ctx) -> Finding {
    about(&cause::ssh::TIMEOUT, hop)
        .with("while", during.to_owned())
        .with("timeout_s", ctx.timeout.as_secs_f64())
}

/// The SSH library agreed with the server on what ssh is not allowed to use
/// (it stands in for what the library lacks): ssh would have found nothing.
pub fn only_after_hostkey_override(
    hop: &Hop,
    allowed: &Allowed,
    offer: &ServerOffer,
    agreed: &[String; 4],
) -> Option<Finding> {
    let [kex, _, cipher, mac] = agreed;
    let aead = cipher.contains("gcm") || cipher.contains("poly1305");
    let none = Vec::new();
    let (kind, theirs) = match allowed.stand_ins(kex, cipher, mac) {
        (true, ..) if !allowed.has_kex_of(&offer.kex) => (AlgorithmKind::Kex, &offer.kex),
        (_, true, _) if !allowed.has_cipher_of(&offer.cipher) => {
            (AlgorithmKind::Cipher, &offer.cipher)
        }
        (.., true) if !aead && !allowed.has_mac_of(&offer.mac) => (AlgorithmKind::Mac, &offer.mac),
        _ => return None,
    };
    Some(algorithms(hop, allowed, &kind, &none, theirs))
}

/// The key exchange failed.
pub fn handshake(
    hop: &Hop,
    error: &Error,
    end: Option<SessionEnd>,
    allowed: &Allowed,
    offer: Option<&ServerOffer>,
    clear: &[u8],
) -> Finding {
    let finding = match (error, end) {
        _ if let Some(words) = complaint(clear) => spoilt(hop, words),
        (Error::NoCommonAlgo { kind, ours, theirs }, _) => {
            algorithms(hop, allowed, kind, ours, theirs)
        }
        (_, Some(end @ SessionEnd::Disconnected { .. })) => {
            disconnected(hop, &end, "the key exchange")
        }
        (Error::HUP | Error::Disconnect, _) => {
            disconnected(hop, &SessionEnd::Closed, "the key exchange")
        }
        (Error::IO(error), _) => match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                disconnected(hop, &SessionEnd::Closed, "the key exchange")
            }
            kind => disconnected(hop, &SessionEnd::Broken(kind), "the key exchange"),
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
        .with("words", words.clone())
        .with("error", words)
        .fix(
            "A device on the way sends data to the server before this client's identification, usually a load balancer with the PROXY protocol, which sshd does not understand. Remove send-proxy (HAProxy), proxy_protocol (nginx) or the target group's proxy protocol setting for this server.",
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

/// The session ended before anybody was logged in, or with the server's reason.
pub(super) fn disconnected(hop: &Hop, end: &SessionEnd, during: &str) -> Finding {
    let finding = match end {
        SessionEnd::Violated(error) => {
            about(&cause::ssh::MALFORMED, hop).with("error", error.clone())
        }
        SessionEnd::Error(_) | SessionEnd::NotText => {
            about(&cause::ssh::UNCLASSIFIED, hop).with("error", end.words())
        }
        _ => about(&cause::ssh::DISCONNECTED, hop)
            .with("error", end.words())
            .with("peer", hop.host.clone()),
    };
    let finding = finding
        .with("while", during.to_owned())
        .word("words", end.words());
    match end {
        SessionEnd::Disconnected { code, .. } => finding.with("code", *code),
        _ => finding,
    }
}
