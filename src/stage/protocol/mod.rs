//! `protocol`: who answers. SSLRequest, where TLS may be used, and the peer's
//! first byte.
//!
//! Proves that whoever accepted the connection speaks PostgreSQL's protocol,
//! and learns whether it offers TLS. What answers in another tongue is named;
//! what hangs up or keeps silent is told apart.

use std::time::Instant;

use tokio::io::AsyncWriteExt;

use crate::cause::{Cause, protocol as cause, server};
use crate::config::Endpoint;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::{StageRecord, ms};
use crate::stage::Verdict;
use crate::wire::Stream;
use crate::wire::waits::Awaited;

use crate::peer::describe;
use crate::peer::identify::{PendingRequest, identify};
use crate::peer::proxy_header;
use crate::wire::first_reply::{self, Answer, Ending, Heard, SSL_REQUEST};

/// The encryption that one attempt uses; `sslmode` decides which attempts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// No SSLRequest: the start-up message is sent unencrypted.
    Plain,
    /// SSLRequest, then TLS if the server says `S`.
    Tls,
    /// TLS from the first byte.
    DirectTls,
}

impl Attempt {
    /// The attempt's name in evidence.
    pub fn name(self) -> &'static str {
        match self {
            Attempt::Plain => "unencrypted",
            Attempt::Tls => "TLS",
            Attempt::DirectTls => "direct TLS",
        }
    }
}

/// A peer that is ready for the next step.
pub struct Greeted {
    /// The transport, with everything the peer said so far consumed.
    pub stream: Stream,
    /// Whether TLS comes next.
    pub tls: bool,
    /// Unencrypted bytes after the answer. After an `S` libpq shakes
    /// hands all the same and then refuses; after an `N` it takes them for the
    /// answer to the start-up message. `tls` does as libpq does.
    pub injected: Vec<u8>,
}

/// Asks for TLS where the attempt wants it. For [`Attempt::Plain`] and
/// [`Attempt::DirectTls`] nothing is sent: the peer's first byte is then seen
/// by `auth` or `tls`, which use [`identify()`] on it.
///
/// An `N` is not a failure here; `tls` decides what `sslmode` makes of it.
pub async fn probe(
    mut stream: Stream,
    attempt: Attempt,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Greeted> {
    let greeted = |stream, tls, injected| Greeted {
        stream,
        tls,
        injected,
    };
    match attempt {
        Attempt::Plain => {
            record.summary = "TLS not requested".to_owned();
            return Ok(greeted(stream, false, Vec::new()));
        }
        Attempt::DirectTls => {
            record.summary = "direct TLS (from the first byte)".to_owned();
            return Ok(greeted(stream, true, Vec::new()));
        }
        Attempt::Tls => {}
    }

    let limit = ctx.limit();
    let begun = Instant::now();
    let heard = match ctx.until(limit, ask(&mut stream)).await {
        Ok(()) => Heard::listen(&mut stream.io, ctx, limit).await,
        Err(_) => Heard::nothing(Ending::Silent),
    };
    stream.log.note_wait(Awaited::TlsOffer);
    note(&stream, &heard, begun, record);
    match first_reply::classify(&heard) {
        Answer::Tls { injected } => {
            record.summary = "PostgreSQL, TLS available".to_owned();
            Ok(greeted(stream, true, injected))
        }
        Answer::NoTls { injected } => {
            record.summary = "PostgreSQL, TLS not available".to_owned();
            Ok(greeted(stream, false, injected))
        }
        Answer::Error(error) => {
            let finding = refused(&error);
            let finding = Box::pin(proxy_header::or_sent(finding, &stream.route, ctx)).await;
            Err(describe(finding, endpoint, &stream.route))
        }
        _ => Err(identify(
            &heard,
            PendingRequest::SslRequest,
            stream,
            endpoint,
            begun.elapsed(),
            ctx,
        )
        .await),
    }
}

/// Sends SSLRequest. A failure to write is seen again when the answer is read.
async fn ask(stream: &mut Stream) {
    let _ = stream.io.write_all(&SSL_REQUEST).await;
    let _ = stream.io.flush().await;
}

/// Facts about the first answer.
fn note(stream: &Stream, heard: &Heard, begun: Instant, record: &mut StageRecord) {
    record.fact(
        "answer",
        match heard.bytes.first() {
            Some(b'S') => "S",
            Some(b'N') => "N",
            Some(b'E') => "E",
            Some(_) => "other",
            None => "none",
        },
    );
    let offered = match heard.bytes.as_slice() {
        [b'S', ..] => Some(true),
        [b'N', ..] => Some(false),
        _ => None,
    };
    record.fact("tls_offered", offered);
    let first_byte = stream.log.seen().first_byte_at;
    let took = first_byte.map(|at| at.saturating_duration_since(begun));
    record.fact("answer_ms", took.map(ms));
}

/// An ErrorResponse in answer to SSLRequest. libpq 17 fails on it without a
/// word of it; the code says what kind of end would say such a thing, and the
/// text is told as what it is: said by somebody unproven.
fn refused(error: &first_reply::ErrorText) -> Finding {
    let told: Option<&'static Cause> = match error.sqlstate.as_deref() {
        Some("57P03") => Some(&server::STARTING),
        Some("57P01") => Some(&server::STOPPING),
        Some("57P02") => Some(&server::RECOVERING),
        Some("53300") => Some(&server::CONNECTIONS_FULL),
        Some("53000" | "53100" | "53200" | "53400") => Some(&server::RESOURCES),
        _ => None,
    };
    // The old form, a bare text, is what the postmaster itself sends where it
    // cannot fork (`report_fork_failure_to_client`)
    // (a server before 7.4 says its severity first, and speaks of anything).
    let is_ancient = crate::wire::first_reply::is_ancient(&error.message);
    let old_form = (error.old_form && !is_ancient).then_some(&server::RESOURCES);
    let cause = told.or(old_form).unwrap_or(&cause::ERROR_RESPONSE);
    Finding::new(cause)
        .with("error", error.message.clone())
        .with("message", error.message.clone())
        .with("sqlstate", error.sqlstate.clone())
        .with("severity", error.severity.clone())
        .with(
            "seen",
            "in reply to the request for TLS, before any verification",
        )
}
