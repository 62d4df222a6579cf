//! The PROXY protocol on one side only: an end that serves only connections that
//! begin with its header, or one that is sent a header and does not know it.
//!
//! The header is in HAProxy's proxy-protocol.txt. The forms sent here tell no
//! address: version 1 with UNKNOWN (section 2.1), version 2 with LOCAL (2.2).

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::cause::{auth, protocol};
use crate::config::Keepalives;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::tls_probe::HOPELESS_HELLO;
use crate::wire::Route;
use crate::wire::first_reply::{self, Answer, Ending, Heard, SSL_REQUEST};

/// A version of the header that tells nothing of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The protocol's version, as it stands in evidence.
    pub version: u8,
    /// What a connection begins with.
    pub bytes: &'static [u8],
}

/// The versions in the order they are tried: most ends take both.
pub const HEADERS: [Header; 2] = [
    Header {
        version: 1,
        bytes: b"PROXY UNKNOWN\r\n",
    },
    Header {
        version: 2,
        bytes: b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    },
];

/// `protocol_violation`, which the poolers send too.
const PROTOCOL_VIOLATION: &str = "08P01";

/// How long one connection of it may take.
const LOOK: Duration = Duration::from_millis(1000);

/// The header that the end of a route waits for, where it answers a question
/// behind the header, and closes on the same question without it.
pub async fn expected(route: &Route, direct: bool, ctx: &Ctx) -> Option<Header> {
    let questions: &[&[u8]] = match direct {
        true => &[&SSL_REQUEST, &HOPELESS_HELLO],
        false => &[&SSL_REQUEST],
    };
    for question in questions {
        let [one, two] = HEADERS.map(|header| opens(route, header, question, ctx));
        let header = match tokio::join!(one, two) {
            (true, _) => HEADERS[0],
            (_, true) => HEADERS[1],
            _ => continue,
        };
        // One server of several may have been down, or busy for a moment. A silence counts
        // only where it was a whole look.
        let begun = Instant::now();
        let without = ask(route, question, ctx, LOOK).await;
        let told = without.ending != Ending::Silent || begun.elapsed() >= LOOK;
        return (told && !understood(&without)).then_some(header);
    }
    None
}

/// Whether a question is answered that follows this header.
async fn opens(route: &Route, header: Header, question: &[u8], ctx: &Ctx) -> bool {
    let bytes = [header.bytes, question].concat();
    understood(&ask(route, &bytes, ctx, LOOK).await)
}

/// Whether an answer is one to our question: PostgreSQL's to the request for
/// TLS, or a TLS server's alert.
fn understood(heard: &Heard) -> bool {
    match first_reply::classify(heard) {
        Answer::Tls { injected } | Answer::NoTls { injected } => injected.is_empty(),
        _ => matches!(heard.bytes.as_slice(), [0x15, 3, ..]),
    }
}

/// The finding, or that the server got other bytes before the client's: it
/// complains of the protocol, and does so too where nothing is sent to it.
pub async fn or_sent(finding: Finding, route: &Route, ctx: &Ctx) -> Finding {
    let complains = |code: &str| code == PROTOCOL_VIOLATION;
    let code = finding.evidence.get("sqlstate").and_then(Value::as_str);
    if !finding
        .cause
        .is_any(&[&protocol::ERROR_RESPONSE, &auth::UNCLASSIFIED])
        || !code.is_some_and(complains)
    {
        return finding;
    }
    let Some(heard) = unasked(route, ctx, LOOK).await else {
        return finding;
    };
    match first_reply::classify(&heard) {
        Answer::Error(error) if error.sqlstate.as_deref().is_some_and(complains) => {
            Finding::new(&protocol::PROXY_SENT)
                .with("message", error.message)
                .with("seen", "on a second connection, before anything was sent")
                .with_evidence_of(finding)
        }
        _ => finding,
    }
}

/// What a further connection says when nothing is sent on it; `None` where it
/// stays open and mute for so long. A server waits for its client's first
/// message, so one that closes or complains was sent something by somebody else,
/// or has nobody behind it.
pub async fn unasked(route: &Route, ctx: &Ctx, time: Duration) -> Option<Heard> {
    let heard = ask(route, &[], ctx, time).await;
    (heard.ending != Ending::Silent).then_some(heard)
}

/// What a further connection answers to these bytes.
async fn ask(route: &Route, bytes: &[u8], ctx: &Ctx, time: Duration) -> Heard {
    let limit = (Instant::now() + time).min(ctx.deadline);
    let ask = async {
        let mut stream = route.again(&Keepalives::OFF, ctx).await?;
        if !bytes.is_empty() {
            stream.io.write_all(bytes).await.ok()?;
            stream.io.flush().await.ok()?;
        }
        Some(Heard::listen(&mut stream.io, ctx, limit).await)
    };
    let heard = ctx.until(limit, ask).await.ok().flatten();
    heard.unwrap_or_else(|| Heard::nothing(Ending::Silent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> Heard {
        Heard {
            bytes: bytes.to_vec(),
            ending: Ending::Open,
        }
    }

    #[test]
    fn only_an_answer_to_the_question_counts() {
        assert!(understood(&heard(b"S")) && understood(&heard(b"N")));
        assert!(understood(&heard(&[0x15, 3, 3, 0, 2, 2, 40])));
        let error = b"E\0\0\0\x1dSFATAL\0C08P01\0Mno header\0\0";
        for other in [&error[..], b"SSH-2.0-x\r\n", b"HTTP/1.1 400 x\r\n", b""] {
            assert!(!understood(&heard(other)), "{other:?}");
        }
    }
}
