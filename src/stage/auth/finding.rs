//! Findings with what their sentences and fixes need: who, where, and the
//! line to add to pg_hba.conf.

use openssl::nid::Nid;

use crate::cause::{Cause, auth, idle, server, tls};
use crate::finding::{Composed, Finding};
use crate::message::Message;
use crate::peer::{commands, in_words};
use crate::wire::server_error::ServerError;
use crate::wire::startup::AuthRequest;

use super::context::LoginContext;
use super::{classify, hba, locale, pooler, refusal};

/// An ErrorResponse. Before AuthenticationOk libpq tries the other encryption
/// where `sslmode` has one, and after 57P03 the next host.
pub fn said_no(error: &ServerError, s: &LoginContext<'_>) -> Finding {
    let finding = match pooler::cause(error, s) {
        Some(finding) => finding,
        None => of_server(error, &Message::of(&error.message), s),
    };
    let mut finding = describe(finding, error);
    if s.exchange.authenticated && finding.cause == &auth::UNCLASSIFIED {
        finding.cause = &server::UNCLASSIFIED;
    }
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
pub fn session_error(error: &ServerError, s: &LoginContext<'_>) -> Finding {
    said_no(error, s)
}

/// By SQLSTATE and routine.
pub fn of_server(error: &ServerError, message: &Message, s: &LoginContext<'_>) -> Finding {
    let seen = refusal::RefusalContext {
        exchange: s.exchange,
        unix: s.is_unix(),
        certificate_sent: s.certificate_sent(),
        replication: s.target.replication.is_some(),
    };
    let cause = refusal::cause(error, message, seen).unwrap_or(&auth::UNCLASSIFIED);
    let finding = dress(cause, message, s);
    match cause {
        _ if cause == &server::OPTION => finding.with("parameter", parameter(error, message)),
        _ if cause == &auth::DATABASE_CLOSED && error.routine() == "InitPostgres" => finding
            .with(
                "why",
                "a DROP DATABASE was interrupted and left it unusable",
            )
            .fix(
                "Finish dropping it as its owner or a superuser, then recreate it:",
                shlex::try_quote(s.database())
                    .map(|name| format!("dropdb -U postgres {name}"))
                    .ok(),
            )
            .off_page(),
        _ if cause == &server::LOCALE => locale::describe(finding, error, message),
        // A lock, or a limit of its own.
        _ if cause == &server::TIMEOUT && error.code != "57014" => {
            finding.with("how", error.message.clone())
        }
        _ => finding,
    }
}

/// The setting that is refused: the function that checks it is called after it
/// (`check_role`), others name it in the message.
fn parameter(error: &ServerError, message: &Message) -> Option<String> {
    let own = match error.routine() {
        "check_XactIsoLevel" => Some("transaction_isolation"),
        "check_XactReadOnly" | "check_transaction_read_only" => Some("transaction_read_only"),
        "check_XactDeferrable" => Some("transaction_deferrable"),
        routine => routine.strip_prefix("check_"),
    };
    // What else a check of a value says names anything (`permission denied to set role "x"`).
    let named = error.routine() != "call_string_check_hook" || error.code == "22023";
    own.map(str::to_owned)
        .or_else(|| message.names.first().filter(|_| named).cloned())
}

/// Adds the error's fields as evidence.
fn describe(finding: Finding, error: &ServerError) -> Finding {
    let explained = finding.evidence.contains_key("error");
    let finding = finding
        .with("severity", error.severity.clone())
        .with("sqlstate", error.code.clone())
        .with("message", error.message.clone())
        .with("detail", error.detail.clone())
        .with("hint", error.hint.clone())
        .with("context", error.context.clone())
        .with("routine", error.routine.clone());
    if explained {
        return finding;
    }
    let error = match &error.detail {
        // "Does not exist" is the message; that its files are gone, the detail.
        Some(detail) if finding.cause == &server::DAMAGED => detail,
        _ => &error.message,
    };
    finding.with("error", error.trim_end_matches('.').to_owned())
}

/// The finding of a cause, with the values that its row shows.
pub fn dress(cause: &'static Cause, message: &Message, s: &LoginContext<'_>) -> Finding {
    match cause {
        _ if cause.is_any(&[&auth::HBA_NO_ENTRY, &auth::HBA_REJECT]) => {
            let client = hba::client_address(message, s);
            let shown = match client {
                Some(ip) => ip.to_string(),
                None if s.is_unix() => "the unix socket".to_owned(),
                None => "this address".to_owned(),
            };
            s.finding(cause)
                .with("database", hba::database(s).to_owned())
                .with("client", shown)
                .word("hba_line", hba::line(s, client).map(Composed))
        }
        _ if cause == &auth::PEER => s
            .finding(cause)
            .with("socket", "this unix socket")
            .with("os_user", s.os_user.map(str::to_owned))
            .word("system_user", system_user(&s.target.user))
            .word("hba_line", hba::line(s, None).map(Composed)),
        _ if cause.is_any(&[&auth::IDENT, &auth::METHOD_UNSUPPORTED]) => s
            .finding(cause)
            .word("hba_line", hba::line(s, s.our_address()).map(Composed)),
        _ if cause == &auth::CERT => certificate(s),
        _ if cause == &auth::GSS => gss(s, "failed"),
        _ if cause == &auth::TIMEOUT => timeout(s, "the server cancelled the authentication"),
        _ if cause == &server::TIMEOUT => s
            .finding(cause)
            .with("waited", in_words(s.elapsed))
            .with("timeout_ms", s.elapsed.as_millis() as u64)
            .with("how", "the server cancelled the query"),
        _ if cause == &idle::SERVER_TIMEOUT => s
            .finding(cause)
            .with("after", "after a moment")
            .word("words", "before the first query (idle_session_timeout)")
            .with("setting", "idle_session_timeout"),
        _ if cause == &auth::DATABASE_CLOSED => {
            s.finding(cause).with("why", "ALLOW_CONNECTIONS is false")
        }
        _ if cause == &tls::INTERCEPTED => intercepted(s),
        _ if cause == &tls::CHANNEL_BINDING => classify::channel_binding(
            "the server cannot compute the hash of its certificate".to_owned(),
            s,
        ),
        _ if cause == &auth::PASSWORD_MISSING => classify::password_missing(s),
        _ => s.finding(cause),
    }
}

fn certificate(s: &LoginContext<'_>) -> Finding {
    let note = if s.exchange.proven {
        "; the password was right"
    } else {
        ""
    };
    let file = s.target.tls.certificate.as_ref();
    let file = file.map(|file| file.path.display().to_string());
    let finding = s.finding(&auth::CERT).with("certificate_note", note);
    match common_name(s).is_some_and(|name| name == s.target.user) {
        true => finding.with("certificate_file", file).fix(
            format!(
                "Its CN is already {}, so the matching line of pg_hba.conf has a map= that does not map \
                 this name to the role (pg_ident.conf), or it compares the distinguished name \
                 (clientname=DN).",
                s.target.user
            ),
            None,
        ),
        false => finding.with("certificate", file),
    }
}

/// The common name of the certificate that was sent.
fn common_name(s: &LoginContext<'_>) -> Option<String> {
    let client = s.tls?.client.as_ref()?;
    let mut names = client.cert.subject_name().entries_by_nid(Nid::COMMONNAME);
    names.next()?.data().to_string().ok()
}

/// The name, where it is a user's of this machine.
fn system_user(name: &str) -> Option<String> {
    let user = nix::unistd::User::from_name(name).ok()??;
    Some(user.name)
}

/// Kerberos, and why it does not go on.
pub fn gss(s: &LoginContext<'_>, why: &str) -> Finding {
    let method = match s.exchange.asked {
        Some(AuthRequest::Sspi) => "sspi",
        _ => "gss",
    };
    s.finding(&auth::GSS)
        .with("method", method)
        .with("why", why.to_owned())
        .word("hba_line", hba::line(s, s.our_address()).map(Composed))
}

/// Authentication took too long.
pub fn timeout(s: &LoginContext<'_>, how: &str) -> Finding {
    s.finding(&auth::TIMEOUT)
        .with("waited", in_words(s.elapsed))
        .with("elapsed_ms", s.elapsed.as_millis() as u64)
        .with("how", how.to_owned())
}

/// TLS is terminated between client and server.
pub fn intercepted(s: &LoginContext<'_>) -> Finding {
    let subject = match s.tls {
        Some(tls) if !tls.subject.is_empty() => tls.subject.as_str(),
        Some(_) => "without a subject",
        None => "none, TLS was removed in transit",
    };
    s.finding(&tls::INTERCEPTED)
        .with("subject", subject.to_owned())
        .word(
            "s_client",
            commands::s_client(s.target, s.endpoint, s.route),
        )
}
