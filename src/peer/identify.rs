//! Naming an end that did not answer as a PostgreSQL server does. Only here
//! is more asked than a client would ask, since the run has failed already: a
//! line break on a silent connection, and a short look on a second one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::cause::{protocol as cause, tls as tls_cause};
use crate::config::Endpoint;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::listeners::{self, Listener};
use crate::peer::proxy_header;
use crate::peer::tls_probe::{self, TlsProbe};
use crate::wire::first_reply::{self, Answer, Ending, Heard};
use crate::wire::stranger::{self, PeerProtocol, Stranger};
use crate::wire::{Address, Route, Stream};

use super::{describe, in_words};

/// What the peer had been asked when it failed to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingRequest {
    /// SSLRequest.
    SslRequest,
    /// An unencrypted start-up message.
    StartUp,
    /// TLS from the first byte.
    ClientHello,
}

/// How long a silent peer may take to answer a line break.
const POKE: Duration = Duration::from_millis(250);

/// How long the probe on a second connection may take.
const LOOK: Duration = Duration::from_millis(1500);

/// When an end closes that does not wait for a client's first message.
const UNPROMPTED: &str = "before anything is sent";

/// How much longer than the first end a second one may take on which nothing is sent.
const UNASKED: Duration = Duration::from_millis(400);

/// Names the end that gave this first answer, or none. For `auth` and `tls`
/// it is the way to judge a first reply that no PostgreSQL server gives:
/// bytes of another protocol, an end, a reset, silence.
///
/// `io` is the connection that failed; `waited` the time since it was asked.
pub async fn identify(
    heard: &Heard,
    asked: PendingRequest,
    stream: Stream,
    endpoint: &Endpoint,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    let Stream { mut io, route, .. } = stream;
    unmask_on(heard, asked, Some(&mut io), &route, endpoint, waited, ctx).await
}

/// [`identify`] on any transport, or on one that is gone.
pub async fn unmask_on<S: AsyncRead + AsyncWrite + Unpin>(
    heard: &Heard,
    asked: PendingRequest,
    io: Option<&mut S>,
    route: &Route,
    endpoint: &Endpoint,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    let finding = match first_answer(heard, asked) {
        Answer::Stranger(stranger)
            if stranger.kind == PeerProtocol::Tls && asked != PendingRequest::ClientHello =>
        {
            match tls_probe::at(route, endpoint, ctx, LOOK).await {
                Some(look) => tls_server(&look),
                None => somebody(&stranger),
            }
        }
        Answer::Stranger(stranger) => somebody(&stranger),
        Answer::Oversized(length) => Finding::new(&cause::OVERSIZED)
            .with("length", length)
            .with("bytes", stranger::hex(&heard.bytes)),
        Answer::Nothing(ending) => {
            // Boxed: the looks to the side would otherwise take their place on the
            // stack of every login.
            Box::pin(nothing(ending, asked, io, route, endpoint, waited, ctx)).await
        }
        Answer::Tls { .. } | Answer::NoTls { .. } | Answer::Error(_) | Answer::Malformed => {
            Finding::new(&cause::MALFORMED)
                .with("received", what_came(&heard.bytes))
                .with("bytes", stranger::hex(&heard.bytes))
        }
    };
    let finding = describe(finding, endpoint, route);
    with_listener(finding, endpoint, route).await
}

/// What the first answer to this is.
fn first_answer(heard: &Heard, asked: PendingRequest) -> Answer {
    match asked {
        PendingRequest::SslRequest => first_reply::classify(heard),
        PendingRequest::StartUp | PendingRequest::ClientHello => {
            first_reply::classify_first_message(heard)
        }
    }
}

/// Who says this after its time; none where PostgreSQL may, which was only late then.
fn belated(bytes: Vec<u8>, asked: PendingRequest) -> Option<Stranger> {
    let heard = Heard {
        bytes,
        ending: Ending::Open,
    };
    match first_answer(&heard, asked) {
        Answer::Stranger(stranger) => Some(stranger),
        // A line of text that begins as a yes does.
        Answer::Tls { injected } if is_line(&injected) => stranger::recognise(&heard.bytes),
        _ => None,
    }
}

fn is_line(bytes: &[u8]) -> bool {
    let texty = |b: &u8| matches!(b, 0x20..=0x7e | b'\r' | b'\n' | b'\t');
    bytes.ends_with(b"\n") && bytes.iter().all(texty)
}

/// Adds the process of this machine that accepts there, if it is one: what
/// `localhost:15432` stands for decides whose fault an end or a silence is.
async fn with_listener(finding: Finding, endpoint: &Endpoint, route: &Route) -> Finding {
    let at = endpoint.label();
    let listener = match route {
        Route::Direct(Address::Tcp(address)) => listener(*address).await,
        _ => None,
    };
    let early = finding
        .evidence
        .get("closed")
        .is_some_and(|when| when == UNPROMPTED);
    let finding = finding.word("early", early.then_some(UNPROMPTED));
    let Some(listener) = listener else {
        return finding.word("who", at);
    };
    let finding = finding.with("listener", listener.to_json());
    let finding = match finding.cause == &cause::SILENT {
        true => with_accept_queue(finding, &listener).await,
        false => finding,
    };
    match &listener.name {
        Some(_) => finding.word("who", format!("{}, listening on {at},", listener.label())),
        None => finding.word("who", at),
    }
}

/// The process that listens at an address of this machine.
pub async fn listener(address: SocketAddr) -> Option<Listener> {
    let look = tokio::task::spawn_blocking(move || listeners::listener(address));
    look.await.ok().flatten()
}

/// Adds what waits to be accepted by a silent listener: a forward that serves one
/// connection at a time leaves the next one there.
pub async fn with_accept_queue(finding: Finding, listener: &Listener) -> Finding {
    let who = listener.label();
    let listener = listener.clone();
    let look = tokio::task::spawn_blocking(move || listeners::accept_queue(&listener));
    let Some(queue) = look.await.ok().flatten() else {
        return finding;
    };
    let finding = finding.with("not_accepted", queue.waiting);
    if queue.served.is_empty() {
        return finding.fix(
            format!("{who} does not accept connections: it hangs or is stopped. Restart it."),
            None,
        );
    }
    let served = queue.served.join(", ");
    finding.with("serves", queue.served).fix(
        format!(
            "{who} serves one connection at a time, and now that of {served}: close that client, or use a forward that serves several at once (socat: add fork to its TCP-LISTEN; SSM: update the agent)."
        ),
        None,
    )
}

/// The connection ended without an answer.
async fn nothing<S: AsyncRead + AsyncWrite + Unpin>(
    ending: Ending,
    asked: PendingRequest,
    io: Option<&mut S>,
    route: &Route,
    endpoint: &Endpoint,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    let cause = match ending {
        Ending::Silent | Ending::Open => return silent(asked, io, route, waited, ctx).await,
        Ending::Failed(kind) => {
            return Finding::new(&cause::UNCLASSIFIED)
                .with("error", std::io::Error::from(kind).to_string());
        }
        Ending::Closed => &cause::CLOSED,
        Ending::Reset => &cause::RESET,
    };
    if asked == PendingRequest::ClientHello {
        if let Some(answer) = tls_probe::asks_for_tls(route, ctx, LOOK).await {
            let offers = match answer {
                Answer::Tls { .. } => "offers TLS on the usual request",
                _ => "answers the usual request, without TLS",
            };
            return Finding::new(&tls_cause::DIRECT_UNSUPPORTED).with(
                "reason",
                format!("it closes the connection on direct TLS, but {offers}"),
            );
        }
    } else if let Some(look) = tls_probe::at(route, endpoint, ctx, LOOK).await {
        return tls_server(&look);
    }
    if let Some(finding) = header_expected(asked, route, ctx).await {
        return finding;
    }
    let time = (waited * 2 + UNASKED).min(LOOK);
    let unasked = proxy_header::unasked(route, ctx, time).await;
    let early = unasked.is_some_and(|heard| heard.bytes.is_empty());
    Finding::new(cause).with("closed", early.then_some(UNPROMPTED))
}

/// The end serves only connections that begin with a PROXY header.
async fn header_expected(asked: PendingRequest, route: &Route, ctx: &Ctx) -> Option<Finding> {
    let direct = asked == PendingRequest::ClientHello;
    let header = proxy_header::expected(route, direct, ctx).await?;
    Some(
        Finding::new(&cause::PROXY_EXPECTED)
            .with("proxy_protocol", header.version)
            .with(
                "seen",
                "a second connection that began with the header was answered",
            ),
    )
}

/// Silence: the end of a line makes servers speak that wait for one. It is
/// sent when the time is over, so that no PostgreSQL server that would have
/// answered ever sees it.
async fn silent<S: AsyncRead + AsyncWrite + Unpin>(
    asked: PendingRequest,
    io: Option<&mut S>,
    route: &Route,
    waited: Duration,
    ctx: &Ctx,
) -> Finding {
    // A PROXY header is longer than our first message: an end that reads all of
    // it before it looks waits for the rest.
    if let Some(finding) = header_expected(asked, route, ctx).await {
        return finding;
    }
    if asked != PendingRequest::ClientHello {
        let limit = (Instant::now() + POKE).min(ctx.deadline);
        let poked = async {
            let io = io?;
            io.write_all(b"\r\n\r\n").await.ok()?;
            io.flush().await.ok()?;
            let mut bytes = vec![0; 4096];
            let n = io.read(&mut bytes).await.ok()?;
            bytes.truncate(n);
            Some(bytes)
        };
        let (poked, asked_anew) = tokio::join!(
            ctx.until(limit, poked),
            ctx.until(limit, tls_probe::line(route, ctx))
        );
        let answers = [poked.ok().flatten(), asked_anew.ok().flatten()];
        let stranger = answers
            .into_iter()
            .flatten()
            .find_map(|bytes| belated(bytes, asked));
        if let Some(stranger) = stranger {
            return somebody(&stranger).with("seen", "after dbdoctor sent a line end");
        }
    }
    Finding::new(&cause::SILENT)
        .with("waited", in_words(waited))
        .then_next_host()
}

/// A TLS server instead of PostgreSQL.
fn tls_server(look: &TlsProbe) -> Finding {
    let authorities: Vec<String> = look.authorities.iter().take(10).cloned().collect();
    let authorities = (!authorities.is_empty()).then_some(authorities);
    if look.demands_certificate && look.alpn.as_deref() == Some("postgresql") {
        return Finding::new(&tls_cause::DIRECT_ONLY)
            .with("alpn", "postgresql")
            .with("tls_version", look.version.clone())
            .with("client_certificate", "required")
            .with("authorities", authorities)
            .fix(
                "It also requires a client certificate: with libpq 17 or later, set \
                 sslnegotiation=direct, sslmode=require, and sslcert and sslkey to a certificate \
                 that it accepts.",
                None,
            );
    }
    if look.demands_certificate {
        return Finding::new(&tls_cause::CLIENT_REQUIRED)
            .with(
                "why",
                "it speaks TLS from the first byte and requires the certificate before it shows \
                 what is behind it",
            )
            .with("tls_version", look.version.clone())
            .with("authorities", authorities)
            .fix(
                "If this is a port of a service mesh (Istio, Linkerd, Consul), connect from a \
                 workload that has a sidecar, or let the mesh accept unencrypted connections on \
                 that port (Istio: PeerAuthentication with mode PERMISSIVE).",
                None,
            )
            .fix(
                "If it is stunnel, HAProxy or nginx, connect through a TLS client on this machine \
                 (such as stunnel with client = yes) that has the certificate: libpq itself starts \
                 TLS this way only from version 17 on, with sslnegotiation=direct, and only if the \
                 proxy agrees to the protocol name \"postgresql\".",
                None,
            );
    }
    if look.alpn.as_deref() == Some("postgresql") {
        return Finding::new(&tls_cause::DIRECT_ONLY)
            .with("alpn", "postgresql")
            .with("tls_version", look.version.clone());
    }
    if look.postgres {
        return Finding::new(&tls_cause::DIRECT_ONLY)
            .with("tls_version", look.version.clone())
            .fix(
                "It agrees to no protocol name, without which libpq refuses direct TLS too: configure \
                 the proxy that terminates TLS there to accept \"postgresql\" (HAProxy: alpn postgresql \
                 on its bind line), or to pass TCP through.",
                None,
            );
    }
    let what = match look.http {
        true => "an HTTPS server",
        false => {
            "a TLS server that does not know the protocol name \"postgresql\" (probably HTTPS)"
        }
    };
    Finding::new(&cause::NOT_POSTGRES)
        .with("what", what)
        .with("kind", "https")
        .with("alpn", look.alpn.clone())
        .with("tls_version", look.version.clone())
}

/// A peer whose protocol was recognised.
fn somebody(stranger: &Stranger) -> Finding {
    let finding = Finding::new(&cause::NOT_POSTGRES)
        .with("what", stranger.kind.name())
        .with("kind", stranger.kind.id())
        .with("says", stranger.says.clone())
        .with("product", stranger.product);
    match stranger.kind {
        PeerProtocol::Ssh => finding.fix(
            "If this SSH server leads to the database, set --ssh to it and use the database as the target.",
            None,
        ),
        PeerProtocol::Http | PeerProtocol::HttpsExpected if stranger.product.is_none() => finding.fix(
            "If the address is right, the load balancer or ingress in front forwards only HTTP: PostgreSQL needs a TCP route.",
            None,
        ),
        _ => finding,
    }
}

/// A message in words.
fn what_came(bytes: &[u8]) -> String {
    let kind = match bytes.first() {
        Some(b'R') => "an authentication request",
        Some(b'E') => "an error without readable fields",
        Some(b'N') => "a notice, or \"no\" followed by more bytes",
        Some(b'S') => "a parameter, or \"yes\" followed by more bytes",
        Some(b'K') => "a cancellation key",
        Some(b'Z') => "\"ready for query\"",
        Some(b'v') => "a protocol negotiation",
        _ => "a part of a message",
    };
    format!("{kind} ({} bytes)", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_server_is_no_stranger() {
        let is_stranger = |bytes: &[u8]| belated(bytes.to_vec(), PendingRequest::SslRequest);
        // The last is a TLS alert, which complains of our line end.
        for said in [
            &b""[..],
            b"S",
            b"N",
            b"EFATAL:  no\n\0",
            b"SR\0\0\0\x08\0\0\0\0",
            b"S\x15\x03\x01\0\x02\x02\x0a",
        ] {
            assert_eq!(is_stranger(said), None, "{said:?}");
        }
        for said in [
            &b"-ERR what\r\n"[..],
            b"Syntax error\r\n",
            b"HTTP/1.1 400 x\r\n",
        ] {
            assert!(is_stranger(said).is_some(), "{said:?}");
        }
    }
}
