//! From an ErrorResponse to its cause: SQLSTATE and routine first, then what
//! was asked for and answered, words last. Pure.

use crate::cause::{Cause, auth, server, tls};
use crate::finding::Finding;
use crate::wire::server_error::ServerError;
use crate::wire::startup::Asked;

use super::classify::{password_wrong, timeout, unserved};
use super::situation::Situation;
use super::wording::Message;
use super::{hba, pooler};

/// An ErrorResponse. Before AuthenticationOk libpq tries the other encryption
/// where `sslmode` has one, and after 57P03 the next host.
pub fn said_no(error: &ServerError, s: &Situation<'_>) -> Finding {
    let finding = match pooler::cause(error, s) {
        Some(finding) => finding,
        None => {
            let message = Message::of(&error.message);
            by_code(error, &message, s)
        }
    };
    let mut finding = describe(finding, error);
    if !s.exchange.authenticated {
        finding = finding.then_other_encryption();
    }
    if error.code == "57P03" {
        finding = finding.then_next_host();
    }
    finding
}

/// An error that ends a session after its start-up. Where nothing else is
/// known of it, it is the server's.
pub fn session_error(error: &ServerError, s: &Situation<'_>) -> Finding {
    let mut finding = said_no(error, s);
    if finding.cause.code == auth::UNCLASSIFIED.code {
        finding.cause = &server::UNCLASSIFIED;
    }
    finding
}

/// Adds the error's fields as evidence.
pub fn describe(finding: Finding, error: &ServerError) -> Finding {
    let known = |name: &str| finding.evidence.contains_key(name);
    let error_known = known("error");
    let finding = finding
        .with("severity", error.severity.as_str())
        .with("sqlstate", error.code.as_str())
        .with("message", error.message.as_str())
        .with("detail", error.detail.clone())
        .with("hint", error.hint.clone())
        .with("routine", error.routine.clone());
    if error_known {
        finding
    } else {
        finding.with("error", error.message.as_str())
    }
}

/// By SQLSTATE and routine (PostgreSQL's source: `ClientAuthentication`,
/// `auth_failed`, `InitializeSessionUserId`, `InitPostgres`,
/// `CheckMyDatabase`, `InitProcess`, `ProcessStartupPacket`).
pub fn by_code(error: &ServerError, message: &Message, s: &Situation<'_>) -> Finding {
    let routine = error.routine();
    match error.code.as_str() {
        // The password was proven right; `clientcert=verify-full` comes after it.
        "28P01" if s.exchange.proven && error.is_from_postgres() => certificate(s),
        "28P01" => password_wrong(s),
        "28000" => match routine {
            "ClientAuthentication" => hba_said_no(message, s),
            "auth_failed" => method_failed(message, s),
            "InitializeSessionUserId" | "InitializeSessionUserIdStandalone" => role(message, s),
            // A server rejects our channel binding, or our claim that it has none.
            "read_client_first_message" | "read_client_final_message" => intercepted(s),
            _ => invalid_authorization(message, s),
        },
        "3D000" => s.finding(&auth::DATABASE_MISSING),
        "55000" if routine == "CheckMyDatabase" || !error.is_from_postgres() => {
            s.finding(&auth::DATABASE_CLOSED)
        }
        "42501" => match routine {
            "CheckMyDatabase" => s.finding(&auth::DATABASE_DENIED),
            "InitPostgres" if s.target.replication.is_some() => s.finding(&auth::ROLE_REPLICATION),
            _ => match message.among(&[&auth::DATABASE_DENIED, &auth::ROLE_REPLICATION]) {
                Some(cause) => s.finding(cause),
                None => option(message, s),
            },
        },
        "57P03" => s.finding(cannot_connect_now(error, message)),
        "57P01" | "57P02" => s.finding(&server::STOPPING),
        "57014" => timeout(s, "it cancelled the authentication"),
        "57P05" | "57P04" => s.finding(&server::STOPPING),
        "53300" => s.finding(too_many(routine, message)),
        "53000" | "53100" | "53200" | "53400" => s.finding(&server::RESOURCES),
        code if matches!(code, "58030" | "XX000" | "54000" | "58P01") && exhausted(message) => {
            s.finding(&server::RESOURCES)
        }
        // Settings are applied after the role is known; `replication` before.
        "22023" | "42704" | "42602" | "42601" | "55P02" | "0A000" | "22P02" | "22021" | "22P05"
            if s.exchange.authenticated || names_replication(message, s) =>
        {
            option(message, s)
        }
        "08P01" if routine.starts_with("read_client_") => intercepted(s),
        _ => match message.cause() {
            Some(cause) if !error.is_from_postgres() => in_words(cause, message, s),
            _ => s.finding(&auth::UNCLASSIFIED),
        },
    }
}

/// The finding for a cause that only words tell: some have more to say.
pub fn in_words(cause: &'static Cause, message: &Message, s: &Situation<'_>) -> Finding {
    match cause.code {
        "auth.hba.no-entry" | "auth.hba.reject" => hba_finding(cause, message, s),
        "auth.password.wrong" => password_wrong(s),
        "auth.peer" => peer(s),
        "auth.cert" => certificate(s),
        "auth.gss" => gss(s, "did not succeed"),
        _ => s.finding(cause),
    }
}

fn names_replication(message: &Message, s: &Situation<'_>) -> bool {
    s.target.replication.is_some() && message.names.iter().any(|name| name == "replication")
}

fn option(message: &Message, s: &Situation<'_>) -> Finding {
    s.finding(&server::OPTION)
        .with("parameter", message.names.first().cloned())
}

/// The system's words for a lack, which PostgreSQL quotes as `%m`.
fn exhausted(message: &Message) -> bool {
    message.among(&[&server::RESOURCES]).is_some()
}

/// 53300: each limit is checked in a place of its own.
fn too_many(routine: &str, message: &Message) -> &'static Cause {
    match routine {
        "InitializeSessionUserId" => &server::CONNECTIONS_ROLE,
        "CheckMyDatabase" => &server::CONNECTIONS_DATABASE,
        "InitPostgres" => &server::CONNECTIONS_RESERVED,
        "InitProcess" | "ProcessStartupPacket" | "BackendInitialize" => &server::CONNECTIONS_FULL,
        _ => message
            .among(&[
                &server::CONNECTIONS_ROLE,
                &server::CONNECTIONS_DATABASE,
                &server::CONNECTIONS_RESERVED,
                &server::CONNECTIONS_FULL,
            ])
            .unwrap_or(&server::CONNECTIONS_FULL),
    }
}

/// 57P03: all its states come from one routine. A DETAIL is sent only by a
/// standby that is not consistent or has hot standby off.
fn cannot_connect_now(error: &ServerError, message: &Message) -> &'static Cause {
    let states: [&'static Cause; 4] = [
        &server::STARTING,
        &server::STOPPING,
        &server::RECOVERING,
        &server::NO_HOT_STANDBY,
    ];
    match message.among(&states) {
        Some(cause) => cause,
        None if error.detail.is_some() => &server::RECOVERING,
        None => &server::STARTING,
    }
}

// ---- 28000 ----

/// `ClientAuthentication`: pg_hba.conf. Its two refusals quote the host, the
/// role and (but for replication) the database; the lack of a client
/// certificate quotes nothing.
fn hba_said_no(message: &Message, s: &Situation<'_>) -> Finding {
    if message.names.is_empty() {
        return client_certificate_required(s);
    }
    let cause = message
        .among(&[&auth::HBA_REJECT, &auth::HBA_NO_ENTRY])
        .unwrap_or(&auth::HBA_NO_ENTRY);
    hba_finding(cause, message, s)
}

fn hba_finding(cause: &'static Cause, message: &Message, s: &Situation<'_>) -> Finding {
    let client = hba::client_address(message, s);
    let shown = match client {
        Some(ip) => ip.to_string(),
        None if s.is_unix() => "the unix socket".to_owned(),
        None => "this address".to_owned(),
    };
    s.finding(cause)
        .with("client", shown)
        .with("hba_line", hba::line(s, client))
}

pub fn client_certificate_required(s: &Situation<'_>) -> Finding {
    s.finding(&tls::CLIENT_REQUIRED)
}

/// `auth_failed` with 28000: every method but those with a password of the
/// server's own. The method is told by what was asked for.
fn method_failed(message: &Message, s: &Situation<'_>) -> Finding {
    let told = |causes: &[&'static Cause]| message.among(causes);
    match &s.exchange.asked {
        Some(Asked::Gss | Asked::Sspi) => gss(s, "did not succeed"),
        Some(Asked::Cleartext) => {
            match told(&[&auth::PAM, &auth::LDAP, &auth::RADIUS, &auth::CERT]) {
                Some(cause) if cause.code == auth::CERT.code => certificate(s),
                Some(cause) => s.finding(cause),
                None => password_wrong(s),
            }
        }
        Some(Asked::Sasl(_) | Asked::Md5) => certificate(s),
        Some(Asked::Other(_)) => unserved(s),
        None | Some(Asked::Nothing) => {
            match told(&[
                &auth::PEER,
                &auth::IDENT,
                &auth::CERT,
                &auth::HBA_REJECT,
                &auth::GSS,
            ]) {
                Some(cause) if cause.code == auth::PEER.code => peer(s),
                Some(cause) if cause.code == auth::CERT.code => certificate(s),
                Some(cause) if cause.code == auth::IDENT.code => ident(s),
                Some(cause) if cause.code == auth::GSS.code => gss(s, "did not succeed"),
                Some(cause) => hba_finding(cause, message, s),
                None if s.is_unix() => peer(s),
                None if s.certificate_sent() => certificate(s),
                None => ident(s),
            }
        }
    }
}

/// `InitializeSessionUserId`: the role is missing or has no LOGIN. After a
/// password of the server's own was accepted, it exists.
fn role(message: &Message, s: &Situation<'_>) -> Finding {
    let own_password = matches!(s.exchange.asked, Some(Asked::Sasl(_) | Asked::Md5));
    match message.among(&[&auth::ROLE_MISSING, &auth::ROLE_NOLOGIN]) {
        Some(cause) => s.finding(cause),
        None if own_password => s.finding(&auth::ROLE_NOLOGIN),
        None => s.finding(&auth::ROLE_MISSING),
    }
}

/// 28000 from elsewhere: another make of server, or one that sends no routine.
fn invalid_authorization(message: &Message, s: &Situation<'_>) -> Finding {
    match message.cause() {
        Some(cause) => in_words(cause, message, s),
        None => s.finding(&auth::UNCLASSIFIED),
    }
}

fn peer(s: &Situation<'_>) -> Finding {
    s.finding(&auth::PEER)
        .with("os_user", s.os_user)
        .with("hba_line", hba::line(s, None))
}

fn ident(s: &Situation<'_>) -> Finding {
    s.finding(&auth::IDENT)
        .with("hba_line", hba::line(s, s.our_address()))
}

pub fn certificate(s: &Situation<'_>) -> Finding {
    if !s.certificate_sent() {
        return client_certificate_required(s);
    }
    let note = if s.exchange.proven {
        "; the password was right"
    } else {
        ""
    };
    let file = s.target.tls.certificate.as_ref();
    s.finding(&auth::CERT).with("certificate_note", note).with(
        "certificate",
        file.map(|file| file.path.display().to_string()),
    )
}

pub fn gss(s: &Situation<'_>, why: &str) -> Finding {
    let method = match s.exchange.asked {
        Some(Asked::Sspi) => "sspi",
        _ => "gss",
    };
    s.finding(&auth::GSS)
        .with("method", method)
        .with("why", why)
        .with("hba_line", hba::line(s, s.our_address()))
}

/// Somebody ends TLS in between.
pub fn intercepted(s: &Situation<'_>) -> Finding {
    let subject = match s.tls {
        Some(tls) if !tls.subject.is_empty() => tls.subject.as_str(),
        Some(_) => "without a name",
        None => "none, TLS was taken away on the way",
    };
    s.finding(&tls::INTERCEPTED)
        .with("subject", subject)
        .with("connect", s.endpoint.label())
}
