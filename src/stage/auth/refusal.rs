//! From an ErrorResponse to its cause: SQLSTATE and routine first, then what
//! was asked for and answered, words last. Pure.
//!
//! The routines are those of PostgreSQL's source: `ClientAuthentication` and
//! `auth_failed` (pg_hba.conf and its methods), `InitializeSessionUserId` (the
//! role), `InitPostgres` and `CheckMyDatabase` (the database and the limits),
//! `InitProcess` and `ProcessStartupPacket` (whether there is room at all).
//! They are the same in every language.

use crate::cause::{Cause, auth, idle, protocol, server, tls};
use crate::message::Message;
use crate::wire::server_error::ServerError;
use crate::wire::startup::{AuthRequest, Exchange};

use super::routine;

/// What is known beside the error itself.
#[derive(Clone, Copy, Debug)]
pub struct RefusalContext<'a> {
    /// What was seen of the start-up.
    pub exchange: &'a Exchange,
    /// Whether the way is a unix socket.
    pub unix: bool,
    /// Whether a client certificate was sent.
    pub certificate_sent: bool,
    /// Whether the target asks for a replication session.
    pub replication: bool,
}

/// The cause of an ErrorResponse; none where it is not known.
pub fn cause(
    error: &ServerError,
    message: &Message,
    seen: RefusalContext<'_>,
) -> Option<&'static Cause> {
    let routine = error.routine();
    let authenticated = seen.exchange.authenticated;
    // Before all else: the lack may show anywhere.
    if is_lack(error, message) {
        return Some(&server::RESOURCES);
    }
    if let Some(cause) = own_files(error, message).or_else(|| of_routine(error, seen)) {
        return Some(cause);
    }
    Some(match error.code.as_str() {
        // The password was proven right; `clientcert=verify-full` comes after it.
        "28P01" if seen.exchange.proven && error.is_from_postgres() => certificate(seen),
        "28P01" => &auth::PASSWORD_WRONG,
        "28000" => match routine {
            "ClientAuthentication" => hba(message),
            "auth_failed" => method(message, seen),
            "InitializeSessionUserId" => role(message, seen),
            // It rejects our channel binding, or our claim that it has none.
            "read_client_first_message" | "read_client_final_message" => &tls::INTERCEPTED,
            // The start-up message had a user.
            "ProcessStartupPacket" => &protocol::ALTERED,
            _ => return message.cause(),
        },
        "08P01" if routine.starts_with("read_client_") => &tls::INTERCEPTED,
        // Others of its kin refuse with it what they have words for.
        "08P01" if error.is_from_postgres() => message
            .cause()
            .or_else(|| message.of_pooler().map(|(_, cause)| cause))
            .unwrap_or(&protocol::ALTERED),
        "3D000" => &auth::DATABASE_MISSING,
        // `InitPostgres` for one whose DROP DATABASE was interrupted.
        "55000"
            if matches!(routine, "CheckMyDatabase" | "InitPostgres")
                || !error.is_from_postgres() =>
        {
            &auth::DATABASE_CLOSED
        }
        "42501" => match routine {
            "CheckMyDatabase" => &auth::DATABASE_DENIED,
            "InitPostgres" => init_postgres(message, seen),
            _ => message
                .among(&[&auth::DATABASE_DENIED, &auth::ROLE_REPLICATION])
                .unwrap_or(&server::OPTION),
        },
        "57P03" => cannot_connect_now(error, message),
        "57P01" => &server::STOPPING,
        // Another of its processes crashed, and it starts itself anew.
        "57P02" => &server::RECOVERING,
        "57P04" => &auth::DATABASE_MISSING,
        "57P05" => &idle::SERVER_TIMEOUT,
        "57014" if authenticated => &server::TIMEOUT,
        "57014" => &auth::TIMEOUT,
        // It waited for a lock on its catalogues, or for longer than it may.
        "55P03" | "40P01" | "25P04" if error.is_from_postgres() => &server::TIMEOUT,
        "40001"
            if matches!(
                routine,
                "ProcessInterrupts" | "ProcessRecoveryConflictInterrupt"
            ) =>
        {
            &server::RECOVERY_CONFLICT
        }
        "53300" => too_many(routine, message, seen.replication),
        // Its own files of settings.
        "F0000" => &server::CONFIG,
        "53000" | "53100" | "53200" | "53400" => &server::RESOURCES,
        // Nobody but a function that runs at login raises it.
        "P0001" => &server::LOGIN_TRIGGER,
        "54000" => message.among(&[&server::RESOURCES])?,
        // Settings are applied once the role is known; `replication` before.
        "22023" | "42704" | "42602" | "42601" | "55P02" | "0A000" | "22P02" | "22021" | "22P05"
        | "25001"
            if authenticated || (seen.replication && is_named(message, "replication")) =>
        {
            &server::OPTION
        }
        "0A000" if routine == "ProcessStartupPacket" => &auth::PROTOCOL_VERSION,
        _ if !error.is_from_postgres() => return message.cause(),
        "0A000" if routine.starts_with("read_client_") || routine == "oauth_exchange" => {
            &protocol::ALTERED
        }
        "XX000" => internal(error, message),
        _ => return None,
    })
}

/// Memory, disk, descriptors and processes, by code or by the operating
/// system's words.
fn is_lack(error: &ServerError, message: &Message) -> bool {
    match error.code.as_str() {
        "53000" | "53100" | "53200" | "53400" => true,
        "58030" | "58P01" | "XX000" | "42501" => message.among(&[&server::RESOURCES]).is_some(),
        _ => false,
    }
}

/// What the routine alone tells, or that a function was running.
fn of_routine(error: &ServerError, seen: RefusalContext<'_>) -> Option<&'static Cause> {
    let cause = routine::cause(error);
    let own = |cause: &Cause| {
        let own = [
            &server::LIBRARY,
            &server::LOCALE,
            &server::DAMAGED,
            &server::RESOURCES,
        ];
        cause.is_any(&own)
    };
    match cause {
        Some(cause) if own(cause) => Some(cause),
        // No other error of a login has a CONTEXT: it names the function's line.
        // 57P01 and its like end a session wherever it is.
        _ if seen.exchange.authenticated
            && error.context.is_some()
            && error.is_from_postgres()
            && !error.code.starts_with("57P") =>
        {
            Some(&server::LOGIN_TRIGGER)
        }
        cause => cause,
    }
}

/// XX000: PostgreSQL's own code for "this cannot be". The locale is the one that
/// it gives a HINT for.
fn internal(error: &ServerError, message: &Message) -> &'static Cause {
    match error.routine() {
        "CheckMyDatabase" if error.hint.is_some() => &server::LOCALE,
        "read_client_final_message" => &tls::CHANNEL_BINDING,
        // As Windows says it: `could not fork` and the like have no code.
        _ => message
            .among(&[&server::LOCALE, &server::LIBRARY])
            .unwrap_or(&server::INTERNAL),
    }
}

/// 42501 of `InitPostgres`: who may come in at all. From 15 on, there is no
/// refusal of its own during a shutdown.
fn init_postgres(message: &Message, seen: RefusalContext<'_>) -> &'static Cause {
    let otherwise: &'static Cause = match seen.replication {
        true => &auth::ROLE_REPLICATION,
        false => &server::BINARY_UPGRADE,
    };
    let known: [&'static Cause; 4] = [
        &server::MAINTENANCE,
        &auth::ROLE_REPLICATION,
        &server::STOPPING,
        &server::BINARY_UPGRADE,
    ];
    message.among(&known).unwrap_or(otherwise)
}

/// What the server needs of its own machine for every session: its files, and
/// the libraries that it is told to load.
fn own_files(error: &ServerError, message: &Message) -> Option<&'static Cause> {
    if !error.is_from_postgres() {
        // Passed on by a pooler, without the routine.
        let about_files = matches!(error.code.as_str(), "58P01" | "58030" | "XX001" | "XX002");
        let library = message.relayed() == Some(&server::LIBRARY);
        return about_files.then_some(if library {
            &server::LIBRARY
        } else {
            &server::DAMAGED
        });
    }
    match error.code.as_str() {
        "58P01" | "58030" | "XX001" | "XX002" => match routine::cause(error) {
            Some(cause) => Some(cause),
            None => Some(&server::DAMAGED),
        },
        // A directory that it may not read; its other refusals name nothing.
        "42501" | "42809" if error.routine() == "InitPostgres" && !message.names.is_empty() => {
            Some(&server::DAMAGED)
        }
        // The database is known, and its directory is not there.
        "3D000" => {
            let detail = error.detail.as_deref().unwrap_or_default();
            let names_a_file = detail.contains("base/") || detail.contains("pg_tblspc/");
            names_a_file.then_some(&server::DAMAGED)
        }
        _ => None,
    }
}

fn is_named(message: &Message, name: &str) -> bool {
    message.names.iter().any(|n| n == name)
}

/// 53300: each limit is checked in a place of its own.
fn too_many(routine: &str, message: &Message, replication: bool) -> &'static Cause {
    match routine {
        "InitializeSessionUserId" => &server::CONNECTIONS_ROLE,
        // They have places of their own, from 12 on before all others.
        "InitProcess" | "InitWalSenderSlot" if replication => message
            .among(&[&server::REPLICATION_SENDERS, &server::CONNECTIONS_FULL])
            .unwrap_or(&server::REPLICATION_SENDERS),
        "CheckMyDatabase" => &server::CONNECTIONS_DATABASE,
        "InitPostgres" => &server::CONNECTIONS_RESERVED,
        "InitProcess" | "ProcessStartupPacket" | "BackendInitialize" => &server::CONNECTIONS_FULL,
        _ => message
            .among(&[
                &server::CONNECTIONS_ROLE,
                &server::CONNECTIONS_DATABASE,
                &server::CONNECTIONS_RESERVED,
                &server::REPLICATION_SENDERS,
                &server::CONNECTIONS_FULL,
            ])
            .unwrap_or(&server::CONNECTIONS_FULL),
    }
}

/// 57P03: all its states come from one routine. A DETAIL is sent only by a
/// standby that is not consistent or has hot standby off.
fn cannot_connect_now(error: &ServerError, message: &Message) -> &'static Cause {
    let states: [&'static Cause; 5] = [
        &server::SEGMENT,
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

/// `ClientAuthentication`: pg_hba.conf. Its two refusals quote the host, the
/// role and (but for replication) the database; the lack of a client
/// certificate quotes nothing.
fn hba(message: &Message) -> &'static Cause {
    if message.names.is_empty() {
        return &tls::CLIENT_REQUIRED;
    }
    message
        .among(&[&auth::HBA_REJECT, &auth::HBA_NO_ENTRY])
        .unwrap_or(&auth::HBA_NO_ENTRY)
}

/// `auth_failed` with 28000: every method but those with a password of the
/// server's own. The method is told by what was asked for.
fn method(message: &Message, seen: RefusalContext<'_>) -> &'static Cause {
    let told = |causes: &[&'static Cause]| message.among(causes);
    let cause = match &seen.exchange.asked {
        Some(AuthRequest::Gss | AuthRequest::Sspi) => &auth::GSS,
        Some(AuthRequest::Cleartext) => told(&[
            &auth::PAM,
            &auth::LDAP,
            &auth::RADIUS,
            &auth::BSD,
            &auth::CERT,
        ])
        .unwrap_or(&auth::PASSWORD_WRONG),
        Some(AuthRequest::Sasl(list)) if list.iter().any(|m| m == "OAUTHBEARER") => &auth::OAUTH,
        Some(AuthRequest::Sasl(_) | AuthRequest::Md5) => &auth::CERT,
        Some(AuthRequest::Other(_)) => &auth::METHOD_UNSUPPORTED,
        None | Some(AuthRequest::Nothing) => told(&[
            &auth::PEER,
            &auth::IDENT,
            &auth::CERT,
            &auth::HBA_REJECT,
            &auth::GSS,
            &auth::OAUTH,
        ])
        .unwrap_or(match seen {
            RefusalContext { unix: true, .. } => &auth::PEER,
            RefusalContext {
                certificate_sent: true,
                ..
            } => &auth::CERT,
            _ => &auth::IDENT,
        }),
    };
    if cause == &auth::CERT {
        certificate(seen)
    } else {
        cause
    }
}

/// The certificate does not fit, or is missing.
fn certificate(seen: RefusalContext<'_>) -> &'static Cause {
    if seen.certificate_sent {
        &auth::CERT
    } else {
        &tls::CLIENT_REQUIRED
    }
}

/// `InitializeSessionUserId`: the role is missing or has no LOGIN. After a
/// password of the server's own was accepted, it exists.
fn role(message: &Message, seen: RefusalContext<'_>) -> &'static Cause {
    let own_password = matches!(
        seen.exchange.asked,
        Some(AuthRequest::Sasl(_) | AuthRequest::Md5)
    );
    message
        .among(&[&auth::ROLE_MISSING, &auth::ROLE_NOLOGIN])
        .unwrap_or(if own_password {
            &auth::ROLE_NOLOGIN
        } else {
            &auth::ROLE_MISSING
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, routine: &str, message: &str) -> ServerError {
        ServerError {
            severity: "FATAL".to_owned(),
            severity_is_fixed: true,
            code: code.to_owned(),
            message: message.to_owned(),
            file: (!routine.is_empty()).then(|| "x.c".to_owned()),
            routine: (!routine.is_empty()).then(|| routine.to_owned()),
            ..ServerError::default()
        }
    }

    fn code_after(
        exchange: &Exchange,
        code: &str,
        routine: &str,
        message: &str,
    ) -> Option<&'static str> {
        let seen = RefusalContext {
            exchange,
            unix: false,
            certificate_sent: false,
            replication: false,
        };
        let error = error(code, routine, message);
        cause(&error, &Message::of(message), seen).map(|cause| cause.code)
    }

    fn code(code: &str, routine: &str, message: &str) -> Option<&'static str> {
        code_after(&Exchange::default(), code, routine, message)
    }

    #[test]
    fn routines_tell_where_no_known_language_does() {
        for (sqlstate, routine, message, expected) in [
            ("28P01", "auth_failed", "nuqneH", "auth.password.wrong"),
            (
                "28000",
                "ClientAuthentication",
                "nuqneH",
                "tls.client.required",
            ),
            (
                "28000",
                "ClientAuthentication",
                "\"::1\" \"a\"",
                "auth.hba.no-entry",
            ),
            ("28000", "auth_failed", "nuqneH \"a\"", "auth.ident"),
            (
                "28000",
                "InitializeSessionUserId",
                "\"a\"",
                "auth.role.missing",
            ),
            ("28000", "read_client_final_message", "x", "tls.intercepted"),
            ("3D000", "InitPostgres", "x", "auth.database.missing"),
            ("42501", "CheckMyDatabase", "x", "auth.database.denied"),
            ("55000", "CheckMyDatabase", "x", "auth.database.closed"),
            ("53300", "InitProcess", "x", "server.connections.full"),
            ("53300", "InitPostgres", "x", "server.connections.reserved"),
            (
                "53300",
                "CheckMyDatabase",
                "x",
                "server.connections.database",
            ),
            (
                "53300",
                "InitializeSessionUserId",
                "x",
                "server.connections.role",
            ),
            ("57P03", "ProcessStartupPacket", "x", "server.starting"),
            ("57P01", "ProcessInterrupts", "x", "server.stopping"),
            ("53100", "mdextend", "x", "server.resources"),
        ] {
            assert_eq!(
                code(sqlstate, routine, message),
                Some(expected),
                "{routine}"
            );
        }
    }

    #[test]
    fn what_came_before_tells_too() {
        let after = |asked, proven, authenticated| Exchange {
            asked: Some(asked),
            proven,
            authenticated,
            ..Exchange::default()
        };
        let scram = || AuthRequest::Sasl(vec!["SCRAM-SHA-256".to_owned()]);
        // A proven password, and no: the certificate that should have come with it.
        let proven = after(scram(), true, false);
        assert_eq!(
            code_after(&proven, "28P01", "auth_failed", "x"),
            Some("tls.client.required")
        );
        // From a pooler it is the password of its own connection.
        assert_eq!(
            code_after(&proven, "28P01", "", "x"),
            Some("auth.password.wrong")
        );
        let inside = after(scram(), true, true);
        assert_eq!(
            code_after(&inside, "28000", "InitializeSessionUserId", "\"a\""),
            Some("auth.role.nologin")
        );
        assert_eq!(
            code_after(&inside, "22023", "parse_and_validate_value", "\"a\""),
            Some("server.option")
        );
        let gss = after(AuthRequest::Gss, false, false);
        assert_eq!(
            code_after(&gss, "28000", "auth_failed", "\"a\""),
            Some("auth.gss")
        );
    }

    #[test]
    fn words_tell_the_states_of_a_server_apart() {
        for (message, expected) in [
            ("the database system is starting up", "server.starting"),
            ("das Datenbanksystem fährt herunter", "server.stopping"),
            (
                "le système de bases de données est en cours de restauration",
                "server.recovering",
            ),
            (
                "система БД не принимает подключения",
                "server.no-hot-standby",
            ),
            (
                "система БД ещё не принимает подключения",
                "server.recovering",
            ),
        ] {
            assert_eq!(
                code("57P03", "ProcessStartupPacket", message),
                Some(expected)
            );
        }
    }

    #[test]
    fn the_unknown_stays_unknown() {
        assert_eq!(code("39000", "x", "something odd"), None);
        assert_eq!(code("28000", "x", "something odd"), None);
        // It says itself that it does not know.
        assert_eq!(code("XX000", "x", "something odd"), Some("server.internal"));
        assert_eq!(code("XX000", "", "something odd"), None);
        assert_eq!(code("", "", ""), None);
    }
}
