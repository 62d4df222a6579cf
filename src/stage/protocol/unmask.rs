//! Naming an end that did not answer as a PostgreSQL server does. Only here
//! is more asked than a client would ask, since the run has failed already: a
//! line break on a silent connection, and a short look on a second one.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::cause::{protocol as cause, tls as tls_cause};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::stage::tls::look::{self, Look};
use crate::target::Endpoint;
use crate::wire::stranger::{self, Kind, Stranger};
use crate::wire::{Route, Stream};

use super::answer::{self, Answer, Ending, Heard};
use super::{describe, in_words};

/// What the peer had been asked when it failed to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SSLRequest.
    SslRequest,
    /// A start-up message in clear.
    StartUp,
    /// TLS from the first byte.
    ClientHello,
}

/// How long a silent end is given to answer a line break.
const POKE: Duration = Duration::from_millis(250);

/// How long the look on a second connection may take.
const LOOK: Duration = Duration::from_millis(1500);

/// Names the end that gave this first answer, or none. For `auth` and `tls`
/// it is the way to judge a first reply that no PostgreSQL server gives:
/// bytes of another protocol, an end, a reset, silence.
///
/// `io` is the connection that failed; `waited` the time since it was asked.
pub async fn unmask(
    heard: &Heard,
    asked: Asked,
    stream: Stream,
    endpoint: &Endpoint,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    let Stream { mut io, route, .. } = stream;
    unmask_on(heard, asked, &mut io, &route, endpoint, waited, ctx).await
}

/// [`unmask`] on any transport.
pub async fn unmask_on<S: AsyncRead + AsyncWrite + Unpin>(
    heard: &Heard,
    asked: Asked,
    io: &mut S,
    route: &Route,
    endpoint: &Endpoint,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    let answer = match asked {
        Asked::SslRequest => answer::classify(heard),
        Asked::StartUp | Asked::ClientHello => answer::classify_first_message(heard),
    };
    let finding = match answer {
        Answer::Stranger(stranger) if stranger.kind == Kind::Tls && asked != Asked::ClientHello => {
            match look::at(route, endpoint, ctx, LOOK).await {
                Some(look) => tls_server(&look),
                None => somebody(&stranger),
            }
        }
        Answer::Stranger(stranger) => somebody(&stranger),
        Answer::Oversized(length) => Finding::new(&cause::OVERSIZED)
            .with("length", length)
            .with("bytes", stranger::hex(head(&heard.bytes))),
        Answer::Nothing(ending) => nothing(ending, asked, io, route, endpoint, waited, ctx).await,
        Answer::Tls { .. } | Answer::NoTls | Answer::Error(_) | Answer::Malformed => {
            Finding::new(&cause::MALFORMED)
                .with("received", what_came(&heard.bytes))
                .with("bytes", stranger::hex(head(&heard.bytes)))
        }
    };
    describe(finding, endpoint, route)
}

/// An end without a word.
async fn nothing<S: AsyncRead + AsyncWrite + Unpin>(
    ending: Ending,
    asked: Asked,
    io: &mut S,
    route: &Route,
    endpoint: &Endpoint,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    let cause = match ending {
        Ending::Silent | Ending::Open => return silent(asked, io, waited, ctx).await,
        Ending::Failed(kind) => {
            return Finding::new(&cause::UNCLASSIFIED)
                .with("error", std::io::Error::from(kind).to_string());
        }
        Ending::Closed => &cause::CLOSED,
        Ending::Reset => &cause::RESET,
    };
    if asked == Asked::ClientHello {
        if let Some(answer) = look::asks_for_tls(route, ctx, LOOK).await {
            let offers = match answer {
                Answer::Tls { .. } => "it offers TLS in the usual way",
                _ => "it answers in the usual way, without TLS",
            };
            return Finding::new(&tls_cause::DIRECT_UNSUPPORTED)
                .with("reason", format!("it hangs up on it, and {offers}"));
        }
    } else if let Some(look) = look::at(route, endpoint, ctx, LOOK).await {
        return tls_server(&look);
    }
    Finding::new(cause).with("waited", in_words(waited))
}

/// Silence: a line break makes servers speak that wait for the end of a line.
/// It is sent when the time is over, so that no PostgreSQL server that would
/// have answered ever sees it.
async fn silent<S: AsyncRead + AsyncWrite + Unpin>(
    asked: Asked,
    io: &mut S,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    if asked != Asked::ClientHello {
        let poke = async {
            io.write_all(b"\r\n\r\n").await?;
            io.flush().await?;
            let mut bytes = vec![0; 4096];
            let n = io.read(&mut bytes).await?;
            bytes.truncate(n);
            Ok::<_, std::io::Error>(bytes)
        };
        let limit = (Instant::now() + POKE).min(ctx.deadline);
        if let Ok(Ok(bytes)) = ctx.until(limit, poke).await
            && let Some(stranger) = stranger::recognise(&bytes)
        {
            return somebody(&stranger).with("seen", "once a line break was sent");
        }
    }
    Finding::new(&cause::SILENT)
        .with("waited", in_words(waited))
        .then_next_host()
}

/// A TLS server in the place of PostgreSQL.
fn tls_server(look: &Look) -> Finding {
    if look.alpn.as_deref() == Some("postgresql") {
        return Finding::new(&tls_cause::DIRECT_ONLY)
            .with("alpn", "postgresql")
            .with("tls_version", look.version.clone());
    }
    let what = match look.http {
        true => "an HTTPS server",
        false => {
            "a TLS server that does not know the protocol name \"postgresql\" (HTTPS, most likely)"
        }
    };
    Finding::new(&cause::NOT_POSTGRES)
        .with("what", what)
        .with("kind", "https")
        .with("alpn", look.alpn.clone())
        .with("tls_version", look.version.clone())
}

/// Somebody who said who he is.
fn somebody(stranger: &Stranger) -> Finding {
    let finding = Finding::new(&cause::NOT_POSTGRES)
        .with("what", stranger.kind.name())
        .with("kind", stranger.kind.id())
        .with("says", stranger.says.clone());
    match stranger.kind {
        Kind::Ssh => finding.fix(
            "If this SSH server is the way to the database, give it as --ssh and the database as target.",
            None,
        ),
        Kind::Http | Kind::HttpsExpected => finding.fix(
            "If the address is right, the load balancer or ingress in front passes HTTP only: PostgreSQL needs a TCP route.",
            None,
        ),
        _ => finding,
    }
}

fn head(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len().min(16)).unwrap_or(bytes)
}

/// A message in words.
fn what_came(bytes: &[u8]) -> String {
    let kind = match bytes.first() {
        Some(b'R') => "an authentication request",
        Some(b'E') => "an error without readable fields",
        Some(b'N') => "a notice, or \"no\" with more behind it",
        Some(b'S') => "a parameter, or \"yes\" with more behind it",
        Some(b'K') => "a cancellation key",
        Some(b'Z') => "\"ready for query\"",
        Some(b'v') => "a protocol negotiation",
        _ => "a piece of a message",
    };
    format!("{kind} ({} bytes)", bytes.len())
}
