//! A short look on a second connection, to learn what an end is that has
//! already failed: does it speak TLS from the first byte, and which protocol
//! does it expect inside? Nothing that identifies anybody is sent.

use std::pin::Pin;
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_openssl::SslStream;

use crate::config::{Endpoint, Keepalives};
use crate::ctx::Ctx;
use crate::wire::first_reply::{self, Answer, Ending, Heard, SSL_REQUEST};
use crate::wire::handshake_log::HandshakeLog;
use crate::wire::stranger::{self, PeerProtocol};
use crate::wire::tls::{ALPN, Alert, received_alert, sends_server_name};
use crate::wire::{Route, Stream};

/// What the look showed: a TLS server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsProbe {
    /// The protocol name it agreed to.
    pub alpn: Option<String>,
    /// The TLS version.
    pub version: Option<String>,
    /// Whether HTTP is spoken inside.
    pub http: bool,
    /// Whether PostgreSQL is, though it agreed to no protocol name.
    pub postgres: bool,
    /// Whether it wants a client certificate before it says anything of what
    /// is inside.
    pub demands_certificate: bool,
    /// The authorities that it names for one.
    pub authorities: Vec<String>,
}

/// Opens the same way again.
async fn again(route: &Route, ctx: &Ctx) -> Option<Stream> {
    route.again(&Keepalives::OFF, ctx).await
}

/// Speaks TLS to the end from the first byte; none where it does not answer in TLS.
pub async fn at(route: &Route, endpoint: &Endpoint, ctx: &Ctx, time: Duration) -> Option<TlsProbe> {
    let limit = (Instant::now() + time).min(ctx.deadline);
    ctx.until(limit, greet(route, endpoint, ctx)).await.ok()?
}

async fn greet(route: &Route, endpoint: &Endpoint, ctx: &Ctx) -> Option<TlsProbe> {
    let mut context = SslContext::builder(SslMethod::tls_client()).ok()?;
    context.set_verify(SslVerifyMode::NONE);
    context.set_security_level(0);
    context.set_min_proto_version(Some(SslVersion::TLS1)).ok()?;
    context.set_alpn_protos(ALPN).ok()?;
    let mut ssl = Ssl::new(&context.build()).ok()?;
    if sends_server_name(&endpoint.host) {
        ssl.set_hostname(&endpoint.host).ok()?;
    }
    let tap = HandshakeLog::attach(&mut ssl).ok()?;
    let stream = again(route, ctx).await?;
    tap.seen().timeline = stream.log.timeline();
    let mut stream = SslStream::new(ssl, stream.io).ok()?;
    if let Err(error) = Pin::new(&mut stream).connect().await {
        // A TLS server that knows other protocol names only (RFC 7301, 3.2).
        let named = received_alert(&error) == Some(Alert::NO_APPLICATION_PROTOCOL);
        let authorities = tap.seen().certificate_request.clone();
        return match authorities {
            // Before TLS 1.3 the handshake itself fails for want of a certificate.
            Some(authorities) if !named => Some(TlsProbe {
                version: Some(stream.ssl().version_str().to_owned()),
                demands_certificate: true,
                authorities,
                ..TlsProbe::default()
            }),
            _ => named.then(TlsProbe::default),
        };
    }
    let alpn = stream
        .ssl()
        .selected_alpn_protocol()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let version = stream.ssl().version_str().to_owned();
    let mut look = TlsProbe {
        alpn,
        version: Some(version),
        ..TlsProbe::default()
    };
    let asked = tap.seen().certificate_request.clone();
    if look.alpn.is_none() || asked.is_some() {
        // PostgreSQL answers by one byte; a web server complains, or waits
        // for the end of a line.
        let (answer, ended) = exchange(&mut stream, &SSL_REQUEST).await;
        // Under TLS 1.3 the want of a certificate shows only now: as an alert,
        // or as an end where the server looks at it by itself (nginx does).
        if let Some(authorities) = asked.filter(|_| answer.is_empty() && ended) {
            look.demands_certificate = true;
            look.authorities = authorities;
            return Some(look);
        }
        look.postgres = matches!(answer.as_slice(), b"S" | b"N");
        look.http = is_http(&answer) || (answer.is_empty() && speaks_http(&mut stream).await);
    }
    Some(look)
}

/// Whether a web server is inside.
pub async fn speaks_http<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S) -> bool {
    is_http(&answer_to(io, b"GET / HTTP/1.0\r\n\r\n").await)
}

fn is_http(bytes: &[u8]) -> bool {
    stranger::recognise(bytes).is_some_and(|stranger| stranger.kind == PeerProtocol::Http)
}

/// What is said to a question, in a moment; nothing where nothing is.
async fn answer_to<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, question: &[u8]) -> Vec<u8> {
    exchange(io, question).await.0
}

/// [`answer_to`], and whether the connection ended with it or failed.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut S,
    question: &[u8],
) -> (Vec<u8>, bool) {
    let exchange = async {
        io.write_all(question).await?;
        io.flush().await?;
        let mut bytes = vec![0; 512];
        let n = io.read(&mut bytes).await?;
        bytes.truncate(n);
        Ok::<_, std::io::Error>(bytes)
    };
    match tokio::time::timeout(Duration::from_millis(300), exchange).await {
        Ok(Ok(bytes)) => {
            let ended = bytes.is_empty();
            (bytes, ended)
        }
        Ok(Err(_)) => (Vec::new(), true),
        Err(_) => (Vec::new(), false),
    }
}

/// What a second connection answers to a line of text; a web server's request,
/// which makes other servers that read lines complain in their own words.
pub async fn line(route: &Route, ctx: &Ctx) -> Option<Vec<u8>> {
    let mut stream = again(route, ctx).await?;
    stream.io.write_all(b"GET / HTTP/1.0\r\n\r\n").await.ok()?;
    stream.io.flush().await.ok()?;
    let mut bytes = vec![0; 4096];
    let n = stream.io.read(&mut bytes).await.ok()?;
    bytes.truncate(n);
    Some(bytes)
}

/// Asks for TLS in PostgreSQL's way on a second connection; none where the
/// answer is not PostgreSQL's.
pub async fn asks_for_tls(route: &Route, ctx: &Ctx, time: Duration) -> Option<Answer> {
    let limit = (Instant::now() + time).min(ctx.deadline);
    let ask = async {
        let mut stream = again(route, ctx).await?;
        stream.io.write_all(&SSL_REQUEST).await.ok()?;
        stream.io.flush().await.ok()?;
        Some(Heard::listen(&mut stream.io, ctx, limit).await)
    };
    let heard = ctx
        .until(limit, ask)
        .await
        .ok()
        .flatten()
        .unwrap_or_else(|| Heard::nothing(Ending::Silent));
    match first_reply::classify(&heard) {
        answer @ (Answer::Tls { .. } | Answer::NoTls { .. }) => Some(answer),
        _ => None,
    }
}

/// What a second connection sends after its yes to TLS while we send nothing:
/// a server waits for the client there.
pub async fn unasked(route: &Route, ctx: &Ctx, time: Duration) -> Option<Vec<u8>> {
    let limit = (Instant::now() + time).min(ctx.deadline);
    let listen = async {
        let mut stream = again(route, ctx).await?;
        stream.io.write_all(&SSL_REQUEST).await.ok()?;
        stream.io.flush().await.ok()?;
        let mut bytes = Vec::new();
        while bytes.len() < 2 {
            let n = stream.io.read_buf(&mut bytes).await.ok()?;
            if n == 0 {
                return None;
            }
        }
        Some(bytes)
    };
    let bytes = ctx.until(limit, listen).await.ok().flatten()?;
    match bytes.as_slice() {
        [b'S', behind @ ..] if !behind.is_empty() => Some(behind.to_vec()),
        _ => None,
    }
}

/// How TLS is begun on a connection: after SSLRequest, or at once.
async fn ready(route: &Route, direct: bool, ctx: &Ctx, limit: Instant) -> Option<Stream> {
    let mut stream = again(route, ctx).await?;
    if !direct {
        stream.io.write_all(&SSL_REQUEST).await.ok()?;
        stream.io.flush().await.ok()?;
        let heard = Heard::listen(&mut stream.io, ctx, limit).await;
        if heard.bytes != b"S" {
            return None;
        }
    }
    Some(stream)
}

/// Whether a question with a short answer is answered: a ClientHello that no
/// server can agree to, to which TLS answers with an alert of seven bytes.
pub async fn answers_briefly(route: &Route, direct: bool, ctx: &Ctx, time: Duration) -> bool {
    let limit = (Instant::now() + time).min(ctx.deadline);
    let ask = async {
        let mut stream = ready(route, direct, ctx, limit).await?;
        stream.io.write_all(&HOPELESS_HELLO).await.ok()?;
        stream.io.flush().await.ok()?;
        let mut bytes = [0; 64];
        let n = stream.io.read(&mut bytes).await.ok()?;
        (n > 0).then_some(())
    };
    matches!(ctx.until(limit, ask).await, Ok(Some(())))
}

/// A TLS 1.2 ClientHello (RFC 5246, 7.4.1.2) whose only cipher is one that
/// does not exist (0xfa 0xfa, reserved by RFC 8701).
pub const HOPELESS_HELLO: [u8; 50] = {
    let mut hello = [0u8; 50];
    let head = [
        0x16, 0x03, 0x01, 0x00, 0x2d, // a handshake record of 45 bytes
        0x01, 0x00, 0x00, 0x29, // a ClientHello of 41 bytes
        0x03, 0x03, // TLS 1.2
    ];
    let mut n = 0;
    while n < head.len() {
        hello[n] = head[n];
        n += 1;
    }
    // 32 bytes of random, all zero; an empty session; one cipher; no compression.
    let tail = [0x00, 0x00, 0x02, 0xfa, 0xfa, 0x01, 0x00];
    let mut n = 0;
    while n < tail.len() {
        hello[43 + n] = tail[n];
        n += 1;
    }
    hello
};

/// What the server agrees to when it is asked for one version at a time and
/// everything else is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allows {
    /// The versions, oldest first.
    pub versions: Vec<&'static str>,
    /// A cipher it takes, and its version.
    pub cipher: Option<String>,
}

/// Asks the server for each version in turn.
pub async fn allows(
    route: &Route,
    direct: bool,
    endpoint: &Endpoint,
    ctx: &Ctx,
    time: Duration,
) -> Allows {
    const VERSIONS: [(SslVersion, u16, &str); 4] = [
        (SslVersion::TLS1, 0x0301, "TLSv1"),
        (SslVersion::TLS1_1, 0x0302, "TLSv1.1"),
        (SslVersion::TLS1_2, 0x0303, "TLSv1.2"),
        (SslVersion::TLS1_3, 0x0304, "TLSv1.3"),
    ];
    let limit = (Instant::now() + time).min(ctx.deadline);
    let mut out = Allows::default();
    for (version, number, name) in VERSIONS {
        let asked = ctx.until(
            limit,
            takes(route, direct, endpoint, ctx, limit, (version, number)),
        );
        if let Ok(Some(cipher)) = asked.await {
            out.versions.push(name);
            out.cipher = cipher.or(out.cipher);
        }
    }
    out
}

/// Whether the server agrees to this version, and the cipher it picks. A
/// handshake counts once the server has chosen.
async fn takes(
    route: &Route,
    direct: bool,
    endpoint: &Endpoint,
    ctx: &Ctx,
    limit: Instant,
    (version, number): (SslVersion, u16),
) -> Option<Option<String>> {
    let mut context = SslContext::builder(SslMethod::tls_client()).ok()?;
    context.set_verify(SslVerifyMode::NONE);
    context.set_security_level(0);
    context
        .set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        .ok()?;
    context.set_min_proto_version(Some(version)).ok()?;
    context.set_max_proto_version(Some(version)).ok()?;
    context.set_alpn_protos(ALPN).ok()?;
    let mut ssl = Ssl::new(&context.build()).ok()?;
    if sends_server_name(&endpoint.host) {
        ssl.set_hostname(&endpoint.host).ok()?;
    }
    let tap = HandshakeLog::attach(&mut ssl).ok()?;
    let stream = ready(route, direct, ctx, limit).await?;
    tap.seen().timeline = stream.log.timeline();
    let mut stream = SslStream::new(ssl, stream.io).ok()?;
    let done = Pin::new(&mut stream).connect().await;
    // A server that knows only older versions answers with one of those.
    let chosen = tap
        .seen()
        .server_hello
        .is_some_and(|(chosen, _)| chosen == number);
    let cipher = stream
        .ssl()
        .current_cipher()
        .map(|cipher| cipher.name().to_owned());
    match done {
        Ok(()) => Some(cipher),
        Err(_) => chosen.then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hopeless_hello_has_the_length_it_says() {
        let record = usize::from(u16::from_be_bytes([HOPELESS_HELLO[3], HOPELESS_HELLO[4]]));
        assert_eq!(record, HOPELESS_HELLO.len() - 5);
        assert_eq!(usize::from(HOPELESS_HELLO[8]), record - 4);
    }
}
