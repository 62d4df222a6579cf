//! What clients do about TLS.

use super::Other;
use crate::cause;
use crate::config::{Place, Target};
use crate::finding::Finding;
use crate::forward::Closer;
use crate::tap::conversation::{
    Encryption, EncryptionAnswer, EncryptionRequest, Phase, Side, TlsAlert,
};
use crate::tap::facts;
use crate::tap::record::Record;
use crate::wire::tls::alert_name;

/// Whether a client asked for TLS.
fn asked(record: &Record) -> bool {
    let mut requests = record.conversation.encryption.iter();
    requests.any(|request| request.asked != Encryption::Gss)
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
    let others_ask = |plain: &Record| {
        let same = |record: &&Record| facts::process(record) == facts::process(plain);
        records.iter().filter(same).any(asked)
    };
    let first = records
        .iter()
        .filter(plain)
        .find(|record| !others_ask(record))?;
    let finding = Finding::new(&cause::tap::NO_TLS)
        .with("client", facts::process(first))
        .with("connections", records.iter().filter(plain).count());
    Some(match other {
        Other::Target(target) => finding.with("endpoint", target.endpoints[0].label()),
        Other::StandIn { .. } => finding,
    })
}

/// Clients that leave because they cannot have TLS as they want it.
pub(super) fn denied(records: &[Record], target: &Target) -> Option<Finding> {
    let leaves = |record: &&Record| {
        let conversation = &record.conversation;
        let over = record.refused.is_none() && record.end.is_some();
        let Some(last) = conversation.encryption.last() else {
            return false;
        };
        let nothing_else = conversation.startup.is_none() && conversation.server_hello.is_none();
        let is_denied = match (last.asked, last.answer) {
            (Encryption::Tls, Some(EncryptionAnswer::Refused | EncryptionAnswer::Error)) => true,
            (Encryption::DirectTls, answer) => {
                answer.is_none_or(|it| it != EncryptionAnswer::Accepted)
                    && conversation.alerts.is_empty()
                    && record
                        .end
                        .is_some_and(|(end, _)| end.by == Closer::Side(Side::Server))
            }
            _ => false,
        };
        // `prefer` comes back without TLS.
        let comes_back = records.iter().any(|later| {
            later.began > record.began
                && later.client.ip() == record.client.ip()
                && logs_in_unencrypted(later)
        });
        over && nothing_else && is_denied && !comes_back
    };
    let first = records.iter().find(leaves)?;
    let is_direct = first.conversation.encryption.last()?.asked == Encryption::DirectTls;
    let finding = Finding::new(&cause::tap::TLS_DENIED)
        .with("client", facts::process(first))
        .with("endpoint", target.endpoints[0].label())
        .with("direct", is_direct)
        .with("connections", records.iter().filter(leaves).count());
    Some(match is_direct {
        true => finding
            .word("how", "begins TLS without asking first, which the server does not support")
            .fix_first("Set sslnegotiation=postgres, or leave it out: direct TLS needs PostgreSQL 17, and few poolers know it."),
        false => finding.word("how", "insists on TLS, which the server refuses"),
    })
}

/// Clients that go on without TLS where they are refused it, on the same connection or on the
/// next.
pub(super) fn fallback(records: &[Record], other: Other<'_>) -> Option<Finding> {
    // TLS is never used on a unix socket, where the application's own way may lead.
    if let Other::Target(target) = other
        && matches!(target.endpoints[0].place, Place::Unix(_))
    {
        return None;
    }
    let refused = |record: &Record| {
        let mut requests = record.conversation.encryption.iter();
        requests.any(|it| {
            it.asked != Encryption::Gss
                && matches!(
                    it.answer,
                    Some(EncryptionAnswer::Refused | EncryptionAnswer::Error)
                )
        })
    };
    let goes_on = |record: &&Record| refused(record) && logs_in_unencrypted(record);
    let first = records.iter().find(goes_on)?;
    Some(
        Finding::new(&cause::tap::FALLBACK)
            .with("client", facts::process(first))
            .with("connections", records.iter().filter(goes_on).count()),
    )
}

/// Clients that ask for TLS and, offered it, leave without having begun it.
pub(super) fn abandoned(records: &[Record]) -> Option<Finding> {
    let leaves = |record: &&Record| {
        let conversation = &record.conversation;
        let accepted = |it: &EncryptionRequest| it.answer == Some(EncryptionAnswer::Accepted);
        conversation.encryption.last().is_some_and(accepted)
            && conversation.phase == Phase::Tls
            && conversation.client_hello.is_none()
            && record
                .end
                .is_some_and(|(end, _)| end.by == Closer::Side(Side::Client))
    };
    let first = records.iter().find(leaves)?;
    Some(
        Finding::new(&cause::tap::TLS_ABANDONED)
            .with("client", facts::process(first))
            .with("connections", records.iter().filter(leaves).count()),
    )
}

/// Whether a client has seen a certificate and left without having taken it.
pub(super) fn refuses_certificate(record: &Record) -> bool {
    let conversation = &record.conversation;
    let ended_it = record
        .end
        .is_some_and(|(end, _)| end.by == Closer::Side(Side::Client));
    match conversation.server_hello {
        None => false,
        Some(hello) if hello.is_retry => false,
        Some(_) => {
            let silent = conversation.startup.is_none() && conversation.phase == Phase::Tls;
            silent && (alert(record).is_some() || ended_it && conversation.encrypted.is_none())
        }
    }
}

/// The alert with which a client refused.
fn alert(record: &Record) -> Option<TlsAlert> {
    let mut alerts = record.conversation.alerts.iter();
    alerts
        .find(|alert| alert.from == Side::Client && !alert.is_warning)
        .copied()
}

/// Clients that refuse the certificate. The stand-in's deserves it.
pub(super) fn refused_certificates(records: &[Record], other: Other<'_>) -> Option<Finding> {
    if matches!(other, Other::StandIn { is_untrusted: true }) {
        return None;
    }
    let refuses = |record: &&Record| refuses_certificate(record);
    let first = records.iter().find(refuses)?;
    let number = alert(first).and_then(|alert| alert.number);
    let hello = first.conversation.client_hello.as_ref();
    let finding = Finding::new(&cause::tap::CERTIFICATE)
        .with("client", facts::process(first))
        .with("connections", records.iter().filter(refuses).count())
        .with(
            "server_name",
            hello.and_then(|hello| hello.server_name.clone()),
        )
        .with("alert", number)
        .word(
            "alert_name",
            number.map(|alert| format!(", with TLS alert {alert} ({})", alert_name(alert))),
        );
    Some(match other {
        Other::Target(target) => finding.with("endpoint", target.endpoints[0].label()),
        Other::StandIn { .. } => finding.with("endpoint", "the stand-in"),
    })
}

/// Clients that accept an untrusted certificate.
pub(super) fn unverified(records: &[Record], other: Other<'_>) -> Option<Finding> {
    if !matches!(other, Other::StandIn { is_untrusted: true }) {
        return None;
    }
    let takes = |record: &&Record| {
        record.conversation.client_hello.is_some() && record.conversation.startup.is_some()
    };
    let first = records.iter().find(takes)?;
    let hello = first.conversation.client_hello.as_ref();
    Some(
        Finding::new(&cause::tap::UNVERIFIED)
            .with("client", facts::process(first))
            .with(
                "server_name",
                hello.and_then(|hello| hello.server_name.clone()),
            )
            .with("connections", records.iter().filter(takes).count()),
    )
}
