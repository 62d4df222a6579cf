//! The handshake itself: done as libpq does it, and everything kept that
//! tells why it failed.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use openssl::ssl::{Ssl, SslVerifyMode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_openssl::SslStream;

use crate::cause::tls as cause;
use crate::config::{Endpoint, Target, TlsSettings};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::{commands, describe};
use crate::report::{Presented, StageRecord, ms};
use crate::stage::Verdict;
use crate::stage::protocol::{Attempt, Greeted};
use crate::text::moment::rfc3339;
use crate::wire::tls::{name_text, sends_server_name};
use crate::wire::{Route, Stream, Tee, stranger};

use super::chain::ChainCheck;
use super::classify::{self, HandshakeEvidence, data_after_ssl_response};
use super::codes::{self, VerifyFault, VerifyRefusal};
use super::context::{TlsContext, prepare};
use super::failure::HandshakeFailure;
use super::names::{NameMatch, Names};
use super::{facts, failure};
use crate::wire::handshake_log::HandshakeLog;
use crate::wire::secured::{Encryption, Wire};
use crate::wire::waits::Awaited;

/// Shakes hands.
pub(super) async fn shake(
    greeted: Greeted,
    attempt: Attempt,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Wire> {
    let Greeted {
        stream, injected, ..
    } = greeted;
    let limit = ctx.limit();
    // libpq's failures before and in the handshake leave the other encryption
    // to be tried (`PQconnectPoll`, CONNECTION_SSL_STARTUP).
    let about = |finding: Finding| {
        let finding = finding.with("source", source_of_roots(target));
        describe(finding, endpoint, &stream.route)
    };
    let mut prepared = ready(&target.tls, limit)
        .await
        .map_err(|finding| about(finding).then_other_encryption())?;
    for warning in std::mem::take(&mut prepared.warnings) {
        record.warn(about(warning));
    }
    if attempt == Attempt::Tls && injected.is_empty() {
        let early = at_hand(&stream);
        if !early.is_empty() && !stranger::is_tls(&early) {
            let finding = describe(data_after_ssl_response(&early), endpoint, &stream.route);
            return Err(finding.then_other_encryption());
        }
    }

    let refusal = Arc::new(Mutex::new(None));
    let (ssl, tap) = connection(&prepared, target, endpoint, &refusal)
        .map_err(|error| describe(classify::unclassified(&error), endpoint, &stream.route))?;
    let server_name = ssl.1;
    let ssl = ssl.0;
    let begun = Instant::now();
    let Stream {
        io,
        log,
        route,
        socket,
    } = stream;
    let received_before = log.seen().received;
    tap.seen().timeline = log.timeline();
    let mut tls = SslStream::new(ssl, io)
        .map_err(|error| describe(classify::unclassified(&error), endpoint, &route))?;
    let outcome = ctx.until(limit, Pin::new(&mut tls).connect()).await;
    record.fact("handshake_ms", ms(begun.elapsed()));
    log.note_wait(Awaited::TlsHandshake);
    record.fact("server_name", server_name);

    let failure = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some((failure::classify(&error), failure::text(&error))),
        Err(_) => Some((HandshakeFailure::Late, "the handshake timed out".to_owned())),
    };
    let refusal = refusal
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .take();
    let judge = HandshakeEvidence {
        prepared: &prepared,
        target,
        endpoint,
        attempt,
        route: &route,
        ctx,
        tap: &tap,
        log: &log,
        socket: socket.as_deref(),
        received_before,
        waited: begun.elapsed(),
    };
    if !injected.is_empty() {
        // libpq shakes hands first and then refuses, for good; a handshake
        // that the injected bytes spoiled is refused for the same reason.
        return Err(describe(
            data_after_ssl_response(&injected),
            endpoint,
            &route,
        ));
    }
    if let Some((failure, error)) = failure {
        note_chain(&tap, endpoint, record);
        note_end(&tap, refusal.as_ref(), record);
        let finding = judge
            .failed(failure, &error, refusal, &mut tls, record)
            .await;
        return Err(describe(finding, endpoint, &route));
    }
    if attempt == Attempt::DirectTls
        && let Some(finding) = judge.without_alpn(&mut tls).await
    {
        return Err(describe(finding, endpoint, &route));
    }
    let encryption = observe(&tls, &tap, &prepared, target, (endpoint, &route), record);
    Ok(Wire {
        io: Box::new(tls),
        log,
        route,
        tls: Some(encryption),
        socket,
    })
}

/// What the files of the settings would do to a handshake, as warnings: nothing
/// is connected to.
pub async fn foresee(target: &Target, ctx: &Ctx) -> Vec<Finding> {
    let findings = match ready(&target.tls, ctx.limit()).await {
        Ok(prepared) => prepared.warnings,
        Err(finding) => vec![finding],
    };
    let source = source_of_roots(target);
    let about = |finding: Finding| finding.with("source", source.clone()).as_warning();
    findings.into_iter().map(about).collect()
}

/// Loads the files, beside everything else: a pipe among them may have a slow
/// writer. It is given up early enough to say so.
async fn ready(settings: &TlsSettings, limit: Instant) -> Verdict<TlsContext> {
    let now = Instant::now();
    let enough = now + limit.saturating_duration_since(now) * 4 / 5;
    let settings = settings.clone();
    let loading = tokio::task::spawn_blocking(move || prepare(&settings, enough));
    loading.await.unwrap_or_else(|error| {
        Err(Finding::new(&cause::UNCLASSIFIED).with("error", error.to_string()))
    })
}

/// Where `sslrootcert` was set, as it stands in a sentence.
fn source_of_roots(target: &Target) -> Option<String> {
    let origin = &target.report.parameters.get("sslrootcert")?.origin;
    let name = origin.name.clone().unwrap_or_else(|| origin.kind.clone());
    Some(match (&origin.file, origin.line) {
        (Some(file), Some(line)) => format!("{name} in {file} line {line}"),
        (Some(file), None) => format!("{name} in {file}"),
        (None, _) => name,
    })
}

/// What lies in the kernel's buffer before we have begun; it stays there.
fn at_hand(stream: &Stream) -> Vec<u8> {
    let mut bytes = [std::mem::MaybeUninit::uninit(); 64];
    let Some(socket) = &stream.socket else {
        return Vec::new();
    };
    match socket.recv_with_flags(&mut bytes, libc::MSG_PEEK | libc::MSG_DONTWAIT) {
        Ok(n) => filled(&bytes, n),
        Err(_) => Vec::new(),
    }
}

#[allow(unsafe_code)]
fn filled(bytes: &[std::mem::MaybeUninit<u8>], n: usize) -> Vec<u8> {
    bytes
        .iter()
        .take(n)
        // SAFETY: recv has filled the first `n` bytes.
        .map(|byte| unsafe { byte.assume_init() })
        .collect()
}

type Connection = ((Ssl, Option<String>), Arc<HandshakeLog>);

/// OpenSSL's connection: server name, tap, and the verification that stops
/// before anything that identifies the client is sent.
fn connection(
    prepared: &TlsContext,
    target: &Target,
    endpoint: &Endpoint,
    refusal: &Arc<Mutex<Option<VerifyRefusal>>>,
) -> Result<Connection, openssl::error::ErrorStack> {
    let mut ssl = Ssl::new(&prepared.context)?;
    let tap = HandshakeLog::attach(&mut ssl)?;
    let mut server_name = None;
    if target.tls.sni && sends_server_name(&endpoint.host) {
        ssl.set_hostname(&endpoint.host)?;
        server_name = Some(endpoint.host.clone());
    }
    if !prepared.verifies {
        ssl.set_verify(SslVerifyMode::NONE);
        return Ok(((ssl, server_name), tap));
    }
    let host = (target.checks_name()).then(|| endpoint.host.clone());
    let kept = Arc::clone(refusal);
    ssl.set_verify_callback(SslVerifyMode::PEER, move |good, context| {
        let mut good = good;
        // The server's own certificate comes last, once the chain holds.
        if good
            && context.error_depth() == 0
            && let (Some(host), Some(cert)) = (&host, context.current_cert())
            && Names::of(cert).cover(host) != NameMatch::Yes
        {
            context.set_error(codes::mismatch());
            good = false;
        }
        if !good {
            kept.lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .get_or_insert_with(|| VerifyRefusal::of(context));
        }
        good
    });
    Ok(((ssl, server_name), tap))
}

/// The presented chain, also as a fact.
fn note_chain(tap: &HandshakeLog, endpoint: &Endpoint, record: &mut StageRecord) {
    let sent = tap.chain();
    if sent.is_empty() {
        return;
    }
    let chain: Vec<Value> = sent.iter().map(|c| facts::certificate(c)).collect();
    record.fact("chain", chain);
    record.presented = Some(Presented {
        host: endpoint.host.clone(),
        sent,
        anchor: None,
    });
}

/// When the server's own certificate ends, or the one that ended before it, of a
/// handshake that failed.
fn note_end(tap: &HandshakeLog, refusal: Option<&VerifyRefusal>, record: &mut StageRecord) {
    let expired = refusal.filter(|refusal| codes::kind(refusal.code) == VerifyFault::Expired);
    let sent = tap.chain();
    let first = expired.and_then(|refusal| refusal.cert.as_ref());
    let ends = first
        .or(sent.first())
        .map(|cert| facts::moment(cert.not_after()));
    if let Some(end) = ends {
        record.fact("expires", end.map(rfc3339));
    }
}

/// Facts of a handshake that was completed, and the end that is near.
fn observe(
    tls: &SslStream<Tee>,
    tap: &Arc<HandshakeLog>,
    prepared: &TlsContext,
    target: &Target,
    (endpoint, route): (&Endpoint, &Route),
    record: &mut StageRecord,
) -> Encryption {
    let ssl = tls.ssl();
    let now = OffsetDateTime::now_utc();
    let cipher = ssl.current_cipher().map(|cipher| cipher.name());
    record.fact("version", ssl.version_str());
    record.fact("cipher", cipher);
    record.fact("group", facts::group(ssl));
    let alpn = ssl.selected_alpn_protocol().map(String::from_utf8_lossy);
    record.fact("alpn", alpn.map(|name| name.into_owned()));
    note_chain(tap, endpoint, record);
    let own = ssl.peer_certificate();
    let days_left = own
        .as_ref()
        .and_then(|cert| facts::moment(cert.not_after()))
        .map(|end| (end - now).whole_days());
    record.fact("days_left", days_left);
    record.fact("verified", verified(prepared, target));
    record.fact("verify_full", full(tap, prepared, target, endpoint, now));
    let (asked, authorities, sent) = {
        let seen = tap.seen();
        (
            seen.certificate_request.is_some(),
            seen.certificate_request.clone(),
            seen.certificate_sent == Some(true),
        )
    };
    record.fact("client_certificate_asked", asked);
    record.fact("client_certificate_sent", sent);
    record.fact("client_authorities", authorities);
    let client = prepared.client.as_ref();
    record.fact(
        "client_certificate",
        client.map(|client| name_text(client.cert.subject_name())),
    );

    // What libpq stands on: the verified chain, or the server's own
    // certificate where nothing is verified.
    let mut judged: Vec<_> = match (prepared.verifies, ssl.verified_chain()) {
        (true, Some(chain)) => chain.iter().map(ToOwned::to_owned).collect(),
        _ => own.iter().cloned().collect(),
    };
    judged.sort_by_key(|cert| facts::moment(cert.not_after()));
    let first = judged.first();
    let ends = first.and_then(|cert| Some((cert, facts::moment(cert.not_after())?)));
    record.fact("expires", ends.map(|(_, end)| rfc3339(end)));
    let thresholds = &target.guards.thresholds;
    let soon = thresholds.warn_cert_days;
    let soon = soon.max(thresholds.fail_cert_days.unwrap_or_default());
    if let Some((cert, end)) = ends
        && end - now <= time::Duration::days(soon.into())
        && (end > now || thresholds.expired_counts)
    {
        let depth = usize::from(
            own.as_ref()
                .is_some_and(|own| own.to_der().ok() != cert.to_der().ok()),
        );
        let chain = tap.chain();
        let trial = ChainCheck {
            chain: &chain,
            trusted: &prepared.trusted,
            now,
            host: None,
        };
        record.warn(match end > now {
            true => trial.ends_soon(cert, depth, end),
            false => trial.expired(cert, depth),
        });
    }
    if prepared.verifies
        && let Some(verified) = ssl.verified_chain()
    {
        if let Some(presented) = &mut record.presented {
            presented.anchor = verified.iter().last().map(ToOwned::to_owned);
        }
        let verified_name = target.checks_name();
        let check = ChainCheck {
            chain: &tap.chain(),
            trusted: &prepared.trusted,
            now,
            host: verified_name.then_some(endpoint.host.as_str()),
        };
        // It is told our root file.
        let s_client = match route {
            Route::Direct(_) => commands::s_client(target, endpoint, route),
            _ => None,
        };
        for finding in check.portability(verified, s_client.as_deref()) {
            record.warn(finding);
        }
    }
    record.summary = summary(ssl.version_str(), prepared, target, days_left);
    Encryption {
        end_point: own.as_ref().and_then(|cert| facts::end_point(cert)),
        client_certificate_sent: sent,
        client_certificate_asked: asked,
        client: prepared.client.clone(),
        subject: own
            .as_ref()
            .map(|cert| name_text(cert.subject_name()))
            .unwrap_or_default(),
        tap: Arc::clone(tap),
    }
}

/// How far the certificate was verified.
fn verified(prepared: &TlsContext, target: &Target) -> &'static str {
    match (prepared.verifies, target.checks_name()) {
        (true, true) => "chain and name",
        (true, _) => "chain",
        (false, _) => "nothing",
    }
}

fn summary(
    version: &str,
    prepared: &TlsContext,
    target: &Target,
    days_left: Option<i64>,
) -> String {
    let verified = match verified(prepared, target) {
        "chain and name" => "certificate and host name verified",
        "chain" => "certificate verified, host name not checked",
        _ => "certificate not verified",
    };
    match days_left {
        Some(days) if prepared.verifies && days >= 0 => {
            format!("{version}, {verified}, expires in {days} days")
        }
        Some(days) if days < 0 => format!("{version}, {verified} (expired)"),
        _ => format!("{version}, {verified}"),
    }
}

/// What `verify-full` would say with the same files where `sslmode` is weaker.
fn full(
    tap: &HandshakeLog,
    prepared: &TlsContext,
    target: &Target,
    endpoint: &Endpoint,
    now: OffsetDateTime,
) -> Value {
    if target.checks_name() {
        return json!({ "passes": true, "faults": [] });
    }
    let chain = tap.chain();
    let trial = ChainCheck {
        chain: &chain,
        trusted: &prepared.trusted,
        now,
        host: Some(&endpoint.host),
    };
    let mut faults = Vec::new();
    if !prepared.verifies {
        faults.push(crate::cause::tls::ROOT_MISSING.code.to_owned());
    }
    faults.extend(
        trial
            .plain_faults()
            .iter()
            .map(|finding| finding.cause.code.to_owned()),
    );
    json!({
        "passes": faults.is_empty(),
        "faults": faults,
    })
}
