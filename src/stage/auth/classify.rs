//! From what ended a start-up to its cause: SQLSTATE and routine first, then
//! what was asked for and answered, words last. Pure.

use crate::cause::{self, Cause, auth, server};
use crate::finding::Finding;
use crate::wire::frames::ReadError;
use crate::wire::scram::ScramError;
use crate::wire::server_error::ServerError;
use crate::wire::startup::{Asked, Stop, Unbindable};

use super::situation::Situation;
use super::speaker::Speaker;
use super::wording::Message;
use super::{hba, pooler};

/// The finding for what ended a start-up.
pub fn stop(stop: &Stop, s: &Situation<'_>) -> Finding {
    match stop {
        Stop::Server(error) => said_no(error, s),
        Stop::Read(error) => read_failed(error, s),
        Stop::PasswordNeeded => password_missing(s),
        Stop::Forbidden => forbidden(s),
        Stop::CertificateNotUsed => {
            let why = if s.certificate_asked {
                "a connection without a client certificate"
            } else {
                "no client certificate"
            };
            s.finding(&auth::METHOD_REFUSED)
                .with("method", why)
                .with("rule", "sslcertmode=require")
        }
        Stop::Unbindable(why) => unbindable(*why, s),
        Stop::Stripped => s.finding(row("tls.intercepted")).with(
            "error",
            "the server offers channel binding, which it does only with TLS, and this connection has none: somebody in between took TLS away",
        ),
        Stop::Unserved => unserved(s),
        Stop::Scram(error) => scram(error, s),
        Stop::Unproven => s.finding(&auth::SERVER_UNPROVEN).with(
            "error",
            "it accepted the login before it had proved anything",
        ),
        Stop::Protocol(what) => s.finding(row("protocol.malformed")).with("error", what.as_str()),
    }
}

/// The row with this code, which other stages own.
fn row(code: &str) -> &'static Cause {
    cause::find(code).unwrap_or(&auth::UNCLASSIFIED)
}

// ---- The server's own words ----

/// An ErrorResponse. Before AuthenticationOk libpq tries the other encryption
/// where `sslmode` has one, and after 57P03 the next host.
fn said_no(error: &ServerError, s: &Situation<'_>) -> Finding {
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
            "read_client_first_message" | "read_client_final_message" => {
                s.finding(row("tls.intercepted"))
            }
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
        "08P01" if routine.starts_with("read_client_") => s.finding(row("tls.intercepted")),
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

fn client_certificate_required(s: &Situation<'_>) -> Finding {
    s.finding(row("tls.client.required"))
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
                None if s.certificate_sent => certificate(s),
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
        .with("hba_line", hba::line(s, our_address(s)))
}

/// Our address where the server cannot see another one.
fn our_address(s: &Situation<'_>) -> Option<std::net::IpAddr> {
    match s.route {
        crate::wire::Route::Direct(crate::wire::Address::Tcp(address))
            if address.ip().is_loopback() =>
        {
            Some(address.ip())
        }
        _ => None,
    }
}

fn certificate(s: &Situation<'_>) -> Finding {
    if !s.certificate_sent {
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

fn gss(s: &Situation<'_>, why: &str) -> Finding {
    let method = match s.exchange.asked {
        Some(Asked::Sspi) => "sspi",
        _ => "gss",
    };
    s.finding(&auth::GSS)
        .with("method", method)
        .with("why", why)
        .with("hba_line", hba::line(s, our_address(s)))
}

// ---- Passwords and proofs ----

fn password_wrong(s: &Situation<'_>) -> Finding {
    s.finding(&auth::PASSWORD_WRONG)
}

fn password_missing(s: &Situation<'_>) -> Finding {
    let escape = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let host = if s.is_unix() {
        "localhost".to_owned()
    } else {
        escape(if s.endpoint.host.is_empty() {
            "*"
        } else {
            &s.endpoint.host
        })
    };
    let line = format!(
        "{host}:{}:{}:{}:PASSWORD",
        s.endpoint.port,
        escape(s.database()),
        escape(&s.target.user)
    );
    s.finding(&auth::PASSWORD_MISSING)
        .with("sources", s.sources.to_vec())
        .with("passfile_line", line)
}

fn scram(error: &ScramError, s: &Situation<'_>) -> Finding {
    match error {
        ScramError::Signature => s
            .finding(&auth::SERVER_UNPROVEN)
            .with("error", "its signature in the SCRAM exchange is wrong"),
        ScramError::Nonce => s.finding(&auth::SERVER_UNPROVEN).with(
            "error",
            "its nonce in the SCRAM exchange does not continue ours",
        ),
        // RFC 5802, section 7, server-error-value.
        ScramError::Server(word) => match word.as_str() {
            "channel-bindings-dont-match" | "server-does-support-channel-binding" => {
                s.finding(row("tls.intercepted"))
            }
            "invalid-proof" | "unknown-user" => password_wrong(s),
            _ => s.finding(&auth::UNCLASSIFIED),
        }
        .with("error", format!("SCRAM error {word}")),
        ScramError::Malformed(what) => s.finding(row("protocol.malformed")).with("error", *what),
        ScramError::Local(what) => s.finding(&auth::UNCLASSIFIED).with("error", what.as_str()),
    }
}

fn forbidden(s: &Situation<'_>) -> Finding {
    let rule = match s.target.report.parameters.get("require_auth") {
        Some(parameter) => format!("require_auth={}", parameter.value),
        None => "require_auth".to_owned(),
    };
    let method = match &s.exchange.asked {
        None | Some(Asked::Nothing) => "no authentication at all".to_owned(),
        Some(Asked::Cleartext) => "a password in clear".to_owned(),
        Some(Asked::Md5) => "an MD5 password".to_owned(),
        Some(asked) => asked.name(),
    };
    s.finding(&auth::METHOD_REFUSED)
        .with("method", method)
        .with("rule", rule)
}

fn unbindable(why: Unbindable, s: &Situation<'_>) -> Finding {
    let asked = s.exchange.asked.as_ref().map(Asked::name);
    let why = match why {
        Unbindable::NoTls => "the connection is not encrypted".to_owned(),
        Unbindable::NotScram => match asked.as_deref() {
            None | Some("none") => {
                "the server lets the client in without authentication".to_owned()
            }
            Some(asked) => format!("the server asks for {asked}, which cannot be bound"),
        },
        Unbindable::NotOffered => "the server offers SCRAM without it".to_owned(),
        Unbindable::NoDigest => {
            "the signature of the server's certificate has no digest to bind to".to_owned()
        }
    };
    s.finding(row("tls.channel-binding"))
        .with("why", why.as_str())
        .with("error", why)
}

fn unserved(s: &Situation<'_>) -> Finding {
    match &s.exchange.asked {
        Some(Asked::Gss | Asked::Sspi | Asked::Other(2)) => gss(s, "dbdoctor does not speak"),
        _ => s
            .finding(&auth::METHOD_UNSUPPORTED)
            .with("hba_line", hba::line(s, our_address(s))),
    }
}

// ---- The connection's end ----

/// The start-up is not over and the time is. `speaker` is who answered a
/// second connection.
pub fn late(s: &Situation<'_>, speaker: Option<Speaker>) -> Finding {
    let elapsed = s.elapsed.as_millis() as u64;
    let pooler = speaker == Some(Speaker::Pooler);
    let finding = if s.exchange.authenticated {
        s.finding(if pooler {
            &cause::pooler::WAIT
        } else {
            &server::TIMEOUT
        })
        .with("how", "the role was let in and the session did not begin")
        .with("error", "the session did not begin")
    } else if pooler || s.exchange.proven {
        // PostgreSQL says yes as soon as it has proved itself; a pooler first
        // needs a server.
        let error = if s.exchange.answered {
            "the pooler took the password, and no server gave it a session"
        } else {
            "the pooler took the start-up message, and no server gave it a session"
        };
        s.finding(&cause::pooler::BACKEND).with("error", error)
    } else if s.exchange.answered {
        timeout(s, "no answer to what it had asked for")
    } else if s.encrypted || s.spoke_before || speaker.is_some() {
        timeout(s, "no answer to the start-up message")
    } else {
        s.finding(row("protocol.silent"))
            .with("error", "no answer to the start-up message")
    };
    finding
        .with("elapsed_ms", elapsed)
        .with("timeout_ms", elapsed)
        .then_next_host()
}

fn timeout(s: &Situation<'_>, how: &str) -> Finding {
    s.finding(&auth::TIMEOUT)
        .with("elapsed_ms", s.elapsed.as_millis() as u64)
        .with("how", how)
}

fn read_failed(error: &ReadError, s: &Situation<'_>) -> Finding {
    let text = error.to_string();
    match error {
        ReadError::OldError(message) => {
            let shape = Message::of(message);
            match shape.cause() {
                Some(cause) => in_words(cause, &shape, s),
                // The one error that a server of this century sends in that form.
                None => s.finding(&server::RESOURCES),
            }
        }
        ReadError::Alert(number, _) => alert(*number, s),
        ReadError::Stranger(bytes) => {
            let bytes = crate::text::clean_bytes(bytes);
            if s.exchange.replied {
                s.finding(row("protocol.malformed"))
            } else {
                s.finding(row("protocol.not-postgres")).with("bytes", bytes)
            }
        }
        ReadError::Malformed(..) => s.finding(row("protocol.malformed")),
        ReadError::Oversized(..) => s.finding(row("protocol.oversized")),
        ReadError::Closed | ReadError::Reset | ReadError::Io(..) => ended(error, s),
    }
    .with("error", text)
}

/// TLS 1.3 has the server look at the client's certificate after the
/// handshake (RFC 8446, section 6.2, for the numbers).
fn alert(number: i32, s: &Situation<'_>) -> Finding {
    match number {
        116 => client_certificate_required(s),
        40 if s.certificate_asked && !s.certificate_sent => client_certificate_required(s),
        42..=46 | 48 | 49 | 51 => s.finding(row("tls.client.rejected")),
        _ => s.finding(&auth::UNCLASSIFIED),
    }
    .with("alert", number)
}

/// The peer ended the connection.
fn ended(error: &ReadError, s: &Situation<'_>) -> Finding {
    let reset = *error == ReadError::Reset;
    if s.exchange.authenticated {
        return s.finding(&server::UNCLASSIFIED);
    }
    if !s.exchange.replied {
        let code = if reset {
            "protocol.reset"
        } else {
            "protocol.closed"
        };
        return s.finding(row(code));
    }
    // `authentication_timeout` counts whole seconds, and the server then
    // closes without a word.
    let seconds = s.elapsed.as_secs_f64();
    let past = seconds.fract();
    if !reset && seconds >= 0.95 && !(0.3..=0.95).contains(&past) {
        return timeout(s, "it closed the connection");
    }
    s.finding(&auth::UNCLASSIFIED)
}
