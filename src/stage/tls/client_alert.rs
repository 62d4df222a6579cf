//! What a server says about the client's certificate, by alerts during the
//! handshake or after it.

use time::OffsetDateTime;

use crate::cause::tls as cause;
use crate::config::{Endpoint, SslCertMode, Target};
use crate::finding::Finding;
use crate::peer::describe;
use crate::text::moment::date;
use crate::wire::Route;
use crate::wire::tls::name_text;

use crate::wire::handshake_log::HandshakeLog;
use crate::wire::secured::ClientCertificate;
use crate::wire::secured::Encryption;
use crate::wire::tls::alert_name;

use super::facts;

/// Whether an alert is about the client's certificate: `true` for one that was
/// sent and refused, `false` for one that was wanted and not sent.
pub(super) fn about_client(alert: u8, asked: bool, sent: Option<bool>) -> Option<bool> {
    match (alert, sent) {
        // certificate_required
        (116, _) => Some(false),
        // bad_certificate, unsupported, revoked, expired, unknown; unknown_ca,
        // access_denied, decrypt_error
        (42..=46 | 48 | 49 | 51, Some(true)) => Some(true),
        (40 | 42..=46 | 49, Some(false)) if asked => Some(false),
        _ => None,
    }
}

/// `tls.client.rejected`.
pub(super) fn rejected(
    alert: u8,
    client: Option<&ClientCertificate>,
    tap: &HandshakeLog,
) -> Finding {
    let reason = match alert {
        43 => "it is not a client certificate, or of an unsupported type",
        44 => "it has been revoked",
        45 => "it has expired or is not valid yet",
        48 => "the server does not know its issuer",
        51 => "the client's proof that it has the key is invalid",
        49 => "the server denies access with it",
        _ => "the server considers it invalid",
    };
    let out_of_date = client.and_then(|client| out_of_date(client, OffsetDateTime::now_utc()));
    let finding = Finding::new(&cause::CLIENT_REJECTED)
        .with("alert", alert)
        .with("alert_name", alert_name(alert));
    let finding = match out_of_date {
        Some(why) => finding.with("reason", why),
        None => finding
            .with("reason", reason)
            .with("authorities", authorities(tap)),
    };
    match client {
        Some(client) => finding
            .with("certificate", name_text(client.cert.subject_name()))
            .with("issuer", name_text(client.cert.issuer_name()))
            .with("file", client.file.display().to_string())
            .with(
                "not_after",
                facts::moment(client.cert.not_after()).map(date),
            ),
        None => finding,
    }
}

/// Which of its dates rules a certificate out, by our clock.
fn out_of_date(client: &ClientCertificate, now: OffsetDateTime) -> Option<String> {
    let (from, to) = (client.cert.not_before(), client.cert.not_after());
    let (from, to) = (facts::moment(from)?, facts::moment(to)?);
    if to < now {
        Some(format!("it expired on {}", date(to)))
    } else if now < from {
        Some(format!("it is not valid until {}", date(from)))
    } else {
        None
    }
}

/// `tls.client.required`.
pub(super) fn required(at_hand: bool, target: &Target, tap: &HandshakeLog) -> Finding {
    let why = match (&target.tls.certificate, target.tls.certificate_mode) {
        (_, SslCertMode::Disable) => "sslcertmode=disable".to_owned(),
        _ if at_hand => "the configured one was not sent".to_owned(),
        (Some(file), _) => format!("{} does not exist", file.path.display()),
        (None, _) => "none is configured, and there is no home directory to look in".to_owned(),
    };
    Finding::new(&cause::CLIENT_REQUIRED)
        .with("why", why)
        .word("default_files", DEFAULT_FILES)
        .with("authorities", authorities(tap))
}

/// Where libpq looks for a certificate and its key by itself.
const DEFAULT_FILES: &str = "~/.postgresql/postgresql.crt and postgresql.key";

fn authorities(tap: &HandshakeLog) -> Option<Vec<String>> {
    let seen = tap.seen();
    let authorities = seen.certificate_request.as_ref()?;
    (!authorities.is_empty()).then(|| authorities.iter().take(10).cloned().collect())
}

/// The alert that came after the handshake, if one did: under TLS 1.3 a
/// client certificate that the server wants or refuses is told only then,
/// while the first reply to the start-up message is waited for. For `auth`,
/// when that reply is an end or an error.
pub fn late_alert(
    tls: &Encryption,
    target: &Target,
    endpoint: &Endpoint,
    route: &Route,
) -> Option<Finding> {
    let (alert, sent) = {
        let seen = tls.tap.seen();
        let (level, alert) = *seen.alerts.last()?;
        // close_notify is an end, and no reason.
        if alert == 0 || (level != 2 && alert != 116) {
            return None;
        }
        (alert, seen.certificate_sent)
    };
    let finding = match about_client(alert, tls.client_certificate_asked, sent) {
        Some(true) => rejected(alert, tls.client.as_ref(), &tls.tap),
        Some(false) => required(tls.client.is_some(), target, &tls.tap),
        None => Finding::new(&cause::UNCLASSIFIED)
            .with("error", format!("TLS alert {alert}: {}", alert_name(alert))),
    };
    let finding = finding
        .with("alert", alert)
        .with("alert_name", alert_name(alert))
        .with("seen", "after the handshake");
    Some(describe(finding, endpoint, route))
}

/// The finding for a server that says in its own words, during start-up, that
/// it wants a client certificate (SQLSTATE 28000 behind `clientcert`).
pub fn client_required(
    tls: Option<&Encryption>,
    target: &Target,
    endpoint: &Endpoint,
    route: &Route,
) -> Finding {
    let finding = match tls {
        Some(tls) => required(tls.client.is_some(), target, &tls.tap),
        None => Finding::new(&cause::CLIENT_REQUIRED)
            .with("why", "the connection is not encrypted")
            .word("default_files", DEFAULT_FILES),
    };
    describe(finding, endpoint, route)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_about_the_client_s_certificate() {
        // TLS 1.3 has an alert of its own; before, a failed handshake says it.
        assert_eq!(about_client(116, true, Some(false)), Some(false));
        assert_eq!(about_client(40, true, Some(false)), Some(false));
        assert_eq!(about_client(40, false, None), None);
        assert_eq!(about_client(48, true, Some(true)), Some(true));
        assert_eq!(about_client(48, false, None), None);
    }
}
