//! What clients do about TLS.

use super::{Other, about};
use crate::cause;
use crate::config::{Place, Target};
use crate::finding::Finding;
use crate::tap::conversation::{
    ClientHello, Encryption, EncryptionAnswer, EncryptionRequest, Phase, Side, TlsAlert,
};
use crate::tap::record::Record;
use crate::wire::tls::alert_name;

/// Whether a client asked for TLS.
fn asked(record: &Record) -> bool {
    let mut requests = record.conversation.encryption.iter();
    requests.any(|request| request.asked != Encryption::Gss)
}

/// Whether a request was answered by something other than yes.
fn is_refused(request: &EncryptionRequest) -> bool {
    use EncryptionAnswer::{Error, Refused};
    matches!(request.answer, Some(Refused | Error))
}

/// Whether it said who it is without encryption.
fn logs_in_unencrypted(record: &Record) -> bool {
    let conversation = &record.conversation;
    conversation.startup.is_some() && conversation.client_hello.is_none()
}

/// Logins of clients that never ask for TLS.
pub(super) fn not_asked(records: &[Record], other: Other<'_>) -> Option<Finding> {
    let plain = |record: &&Record| {
        record.refused.is_none() && logs_in_unencrypted(record) && !asked(record)
    };
    // The second attempt of `prefer` and the first of `allow` are no such client.
    let asks_elsewhere = |plain: &Record| {
        let same = |record: &&Record| record.is_of_same_client(plain);
        records.iter().filter(same).any(asked)
    };
    let first = records
        .iter()
        .filter(plain)
        .find(|record| !asks_elsewhere(record))?;
    let finding = Finding::new(&cause::tap::NO_TLS)
        .with("client", first.label())
        .with("connections", records.iter().filter(plain).count());
    Some(match other.target() {
        Some(target) => finding.with("endpoint", target.endpoints[0].label()),
        None => finding,
    })
}

/// Clients that leave because they cannot have TLS as they want it.
pub(super) fn denied(records: &[Record], target: &Target) -> Option<Finding> {
    let leaves = |record: &Record| {
        let conversation = &record.conversation;
        let over = record.refused.is_none() && record.end.is_some();
        let Some(last) = conversation.encryption.last() else {
            return false;
        };
        let nothing_else = conversation.startup.is_none() && conversation.server_hello.is_none();
        let is_denied = match last.asked {
            Encryption::Tls => is_refused(last),
            Encryption::DirectTls => {
                last.answer != Some(EncryptionAnswer::Accepted)
                    && conversation.alerts.is_empty()
                    && record.is_ended_by(Side::Server)
            }
            Encryption::Gss => false,
        };
        // `prefer` comes back without TLS.
        let comes_back = records.iter().any(|later| {
            later.began > record.began
                && later.client.ip() == record.client.ip()
                && logs_in_unencrypted(later)
        });
        over && nothing_else && is_denied && !comes_back
    };
    let (finding, first) = about(&cause::tap::TLS_DENIED, records, leaves)?;
    let is_direct = first.conversation.encryption.last()?.asked == Encryption::DirectTls;
    let finding = finding
        .with("endpoint", target.endpoints[0].label())
        .with("direct", is_direct);
    Some(match is_direct {
        true => finding
            .word(
                "how",
                "begins TLS without asking first, which the server does not support",
            )
            .fix_first(
                "Set sslnegotiation=postgres, or leave it out: direct TLS needs PostgreSQL 17, \
                 and few poolers know it.",
            ),
        false => finding.word("how", "insists on TLS, which the server refuses"),
    })
}

/// Clients that go on without TLS where they are refused it, on the same connection or on the
/// next.
pub(super) fn fallback(records: &[Record], other: Other<'_>) -> Option<Finding> {
    // TLS is never used on a unix socket, where the application's own way may lead.
    let is_unix = |target: &Target| matches!(target.endpoints[0].place, Place::Unix(_));
    if other.target().is_some_and(is_unix) {
        return None;
    }
    let goes_on = |record: &Record| {
        let mut requests = record.conversation.encryption.iter();
        logs_in_unencrypted(record)
            && requests.any(|it| it.asked != Encryption::Gss && is_refused(it))
    };
    about(&cause::tap::FALLBACK, records, goes_on).map(|(finding, _)| finding)
}

/// Clients that ask for TLS and, offered it, leave without having begun it.
pub(super) fn abandoned(records: &[Record]) -> Option<Finding> {
    let leaves = |record: &Record| {
        let conversation = &record.conversation;
        let accepted = |it: &EncryptionRequest| it.answer == Some(EncryptionAnswer::Accepted);
        conversation.encryption.last().is_some_and(accepted)
            && conversation.phase == Phase::Tls
            && conversation.client_hello.is_none()
            && record.is_ended_by(Side::Client)
    };
    about(&cause::tap::TLS_ABANDONED, records, leaves).map(|(finding, _)| finding)
}

/// Whether a client has seen a certificate and left without having taken it.
pub(super) fn refuses_certificate(record: &Record) -> bool {
    let conversation = &record.conversation;
    let has_seen_one = conversation
        .server_hello
        .is_some_and(|hello| !hello.is_retry);
    let is_silent = conversation.startup.is_none() && conversation.phase == Phase::Tls;
    let leaves = record.is_ended_by(Side::Client) && conversation.encrypted.is_none();
    has_seen_one && is_silent && (alert(record).is_some() || leaves)
}

/// The alert with which a client refused.
fn alert(record: &Record) -> Option<TlsAlert> {
    let mut alerts = record.conversation.alerts.iter();
    alerts
        .find(|alert| alert.from == Side::Client && !alert.is_warning)
        .copied()
}

/// The name of the server that a client asked for.
fn server_name(record: &Record) -> Option<String> {
    let hello: &ClientHello = record.conversation.client_hello.as_ref()?;
    hello.server_name.clone()
}

/// Clients that refuse the certificate. The stand-in's deserves it.
pub(super) fn refused_certificates(records: &[Record], other: Other<'_>) -> Option<Finding> {
    if matches!(other, Other::StandIn { is_untrusted: true }) {
        return None;
    }
    let (finding, first) = about(&cause::tap::CERTIFICATE, records, refuses_certificate)?;
    let number = alert(first).and_then(|alert| alert.number);
    let named = number.map(|alert| format!(", with TLS alert {alert} ({})", alert_name(alert)));
    let endpoint = match other.target() {
        Some(target) => target.endpoints[0].label(),
        None => "the stand-in".to_owned(),
    };
    Some(
        finding
            .with("server_name", server_name(first))
            .with("alert", number)
            .word("alert_name", named)
            .with("endpoint", endpoint),
    )
}

/// Clients that accept an untrusted certificate.
pub(super) fn unverified(records: &[Record], other: Other<'_>) -> Option<Finding> {
    if !matches!(other, Other::StandIn { is_untrusted: true }) {
        return None;
    }
    let takes = |record: &Record| {
        record.conversation.client_hello.is_some() && record.conversation.startup.is_some()
    };
    let (finding, first) = about(&cause::tap::UNVERIFIED, records, takes)?;
    Some(finding.with("server_name", server_name(first)))
}
