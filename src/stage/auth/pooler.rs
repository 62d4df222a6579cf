//! Poolers and proxies that speak in place of the server.
//!
//! They send no routine, hardly ever a fitting SQLSTATE, and always English,
//! so their words are what there is to go by. Where one quotes the server's
//! own error, that error's cause is the verdict.

use crate::cause::{Cause, auth, pooler, server};
use crate::finding::Finding;
use crate::peer::in_words;
use crate::wire::server_error::ServerError;

use super::context::LoginContext;
use super::finding::{dress, of_server};
use super::hba;
use super::wording::Message;

/// A pooler's text, the make it is known from, and what it stands for.
struct Saying(&'static str, &'static str, &'static Cause);

const PGBOUNCER: &str = "PgBouncer";
const SUPAVISOR: &str = "Supavisor";
const NEON: &str = "Neon's proxy";
const RDS: &str = "RDS Proxy";
const ODYSSEY: &str = "Odyssey";
const PGCAT: &str = "PgCat";
const PGPOOL: &str = "Pgpool-II";

/// What poolers say, in lower case with quoted names as `"`; the first that is
/// found counts.
const SAYINGS: &[Saying] = &[
    // PgBouncer: disconnect_client() in its source.
    Saying("no such database", PGBOUNCER, &pooler::DATABASE),
    Saying("database \" is disabled", PGBOUNCER, &pooler::DATABASE),
    Saying(
        "database does not allow connections",
        PGBOUNCER,
        &pooler::DATABASE,
    ),
    Saying("no such user", PGBOUNCER, &pooler::USER),
    Saying("\" authentication failed", PGBOUNCER, &pooler::USER),
    Saying("no username supplied", PGBOUNCER, &pooler::USER),
    Saying("unix socket login rejected", PGBOUNCER, &auth::PEER),
    Saying("login rejected", PGBOUNCER, &auth::HBA_REJECT),
    Saying("ssl required", PGBOUNCER, &auth::HBA_NEEDS_TLS),
    Saying(
        "sasl authentication failed",
        PGBOUNCER,
        &auth::PASSWORD_WRONG,
    ),
    Saying(
        "password authentication failed",
        PGBOUNCER,
        &auth::PASSWORD_WRONG,
    ),
    Saying("auth failed", PGBOUNCER, &auth::PASSWORD_WRONG),
    Saying(
        "empty password returned by client",
        PGBOUNCER,
        &auth::PASSWORD_WRONG,
    ),
    Saying("certificate authentication failed", PGBOUNCER, &auth::CERT),
    Saying("tls certificate name mismatch", PGBOUNCER, &auth::CERT),
    Saying("pam authentication failed", PGBOUNCER, &auth::PAM),
    Saying("ldap authentication failed", PGBOUNCER, &auth::LDAP),
    Saying("no more connections allowed", PGBOUNCER, &pooler::FULL),
    Saying("client connections exceeded", PGBOUNCER, &pooler::FULL),
    Saying("bouncer resources exhaustion", PGBOUNCER, &pooler::FULL),
    Saying(
        "unsupported startup parameter",
        PGBOUNCER,
        &pooler::PARAMETER,
    ),
    Saying(
        "unsupported options startup parameter",
        PGBOUNCER,
        &pooler::PARAMETER,
    ),
    // The server behind refuses a value that the client began with.
    Saying("invalid server parameter", PGBOUNCER, &pooler::PARAMETER),
    Saying("query_wait_timeout", PGBOUNCER, &pooler::WAIT),
    Saying("(server down)", PGBOUNCER, &pooler::BACKEND),
    Saying("client_login_timeout", PGBOUNCER, &auth::TIMEOUT),
    Saying("query_timeout", PGBOUNCER, &server::TIMEOUT),
    Saying("server login has been failing", PGBOUNCER, &pooler::BACKEND),
    Saying("server login failed", PGBOUNCER, &pooler::BACKEND),
    Saying("server conn crashed", PGBOUNCER, &pooler::BACKEND),
    Saying("server dns lookup failed", PGBOUNCER, &pooler::BACKEND),
    Saying("server shutting down", PGBOUNCER, &pooler::BACKEND),
    Saying("pooler is shutting down", PGBOUNCER, &pooler::BACKEND),
    Saying(
        "pgbouncer cannot connect to server",
        PGBOUNCER,
        &pooler::BACKEND,
    ),
    Saying("server refused ssl", PGBOUNCER, &pooler::BACKEND),
    Saying("tls startup failed", PGBOUNCER, &pooler::BACKEND),
    Saying("connect failed", PGBOUNCER, &pooler::BACKEND),
    Saying("connect timeout", PGBOUNCER, &pooler::BACKEND),
    Saying("bouncer config error", PGBOUNCER, &pooler::BACKEND),
    // Supavisor, by the word in parentheses, else by its text.
    Saying("(enotfound)", SUPAVISOR, &pooler::TENANT),
    Saying("(enoidentifier)", SUPAVISOR, &pooler::TENANT),
    Saying("tenant or user not found", SUPAVISOR, &pooler::TENANT),
    Saying("(emaxconnsession)", SUPAVISOR, &pooler::FULL),
    Saying("(emaxclientconn)", SUPAVISOR, &pooler::FULL),
    Saying("(ecircuitbreaker)", SUPAVISOR, &pooler::FULL),
    Saying("max client connections reached", SUPAVISOR, &pooler::FULL),
    Saying("max clients reached", SUPAVISOR, &pooler::FULL),
    Saying("(edbhandlerexited)", SUPAVISOR, &pooler::BACKEND),
    Saying("(echeckoutretries)", SUPAVISOR, &pooler::BACKEND),
    Saying("(echeckouttimeout)", SUPAVISOR, &pooler::WAIT),
    Saying("unable to check out", SUPAVISOR, &pooler::WAIT),
    Saying("failed to connect to database", SUPAVISOR, &pooler::BACKEND),
    Saying(
        "internal error (authenticated)",
        SUPAVISOR,
        &pooler::BACKEND,
    ),
    Saying(
        "authentication did not complete within",
        SUPAVISOR,
        &auth::TIMEOUT,
    ),
    Saying(
        "ssl connection is required",
        SUPAVISOR,
        &auth::HBA_NEEDS_TLS,
    ),
    // Neon.
    Saying("endpoint id is not specified", NEON, &pooler::SNI),
    Saying("inconsistent project name", NEON, &pooler::SNI),
    Saying("couldn't connect to compute node", NEON, &pooler::BACKEND),
    Saying("compute time quota", NEON, &pooler::TENANT),
    Saying("connection not allowed for branch", NEON, &pooler::TENANT),
    Saying("endpoint could not be found", NEON, &pooler::TENANT),
    Saying("project not found", NEON, &pooler::TENANT),
    Saying("allow_list", NEON, &auth::HBA_NO_ENTRY),
    Saying("connection is insecure", NEON, &auth::HBA_NEEDS_TLS),
    // RDS Proxy.
    Saying("requires tls connections", RDS, &auth::HBA_NEEDS_TLS),
    Saying("rds proxy has no credentials", RDS, &pooler::USER),
    Saying(
        "password that was provided for the role",
        RDS,
        &auth::PASSWORD_WRONG,
    ),
    Saying("rds proxy supports only", RDS, &auth::METHOD_UNSUPPORTED),
    Saying("couldn't connect to database", RDS, &pooler::BACKEND),
    // Odyssey, PgCat, Pgpool-II.
    Saying(": route for", ODYSSEY, &pooler::DATABASE),
    Saying("no pool configured for database", PGCAT, &pooler::DATABASE),
    Saying("allserversdown", PGCAT, &pooler::BACKEND),
    Saying(
        "could not get connection from the pool",
        PGCAT,
        &pooler::BACKEND,
    ),
    Saying("all backend nodes are down", PGPOOL, &pooler::BACKEND),
    // Others.
    Saying(
        "ssl connection required",
        "CockroachDB, or a proxy",
        &auth::HBA_NEEDS_TLS,
    ),
    Saying(
        "host_based_authentication.configuration entry",
        "CockroachDB",
        &auth::HBA_NO_ENTRY,
    ),
    Saying(
        "requires connecting via",
        "a proxy of many hosts",
        &pooler::SNI,
    ),
    Saying(
        "ssl/tls connection required",
        "a proxy",
        &auth::HBA_NEEDS_TLS,
    ),
    Saying("ssl/tls required", "a proxy", &auth::HBA_NEEDS_TLS),
    // Short enough to be part of others, so the last.
    Saying("not allowed", PGBOUNCER, &pooler::USER),
];

/// What servers say that SQLSTATE or routine tells apart when they speak for
/// themselves, in the same form.
const SERVERS: &[(&str, &Cause)] = &[
    ("could not access file", &server::LIBRARY),
    ("could not load library", &server::LIBRARY),
    ("is not a valid data directory", &server::DAMAGED),
    ("invalid value for parameter \"", &server::OPTION),
    ("unrecognized configuration parameter \"", &server::OPTION),
    ("conversion between", &server::OPTION),
    (
        "cannot connect to invalid database \"",
        &auth::DATABASE_CLOSED,
    ),
];

/// What the words of a server stand for.
fn of_words(message: &Message) -> Option<&'static Cause> {
    let known = || {
        SERVERS
            .iter()
            .find(|(text, _)| message.shape.contains(text))
    };
    message.cause().or_else(|| known().map(|(_, cause)| *cause))
}

/// The finding for an error that a pooler raised or quotes; none where a
/// PostgreSQL server speaks for itself.
pub fn cause(error: &ServerError, s: &LoginContext<'_>) -> Option<Finding> {
    if error.is_from_postgres() {
        return None;
    }
    let quoted = quoted(&error.message);
    let message = Message::of(quoted.unwrap_or(&error.message));
    if quoted.is_some() {
        // The server's words without its codes.
        let finding = match of_words(&message) {
            Some(cause) => of_backend(cause, &message, s),
            None => s.finding(&pooler::BACKEND),
        };
        return Some(
            finding
                .with("password_from", "the pooler's own configuration")
                .with("pooler", PGBOUNCER)
                .with("quoted", quoted.map(str::to_owned))
                .with("error", quoted.map(str::to_owned)),
        );
    }
    let said = SAYINGS
        .iter()
        .find(|saying| message.shape.contains(saying.0));
    let known = of_words(&message);
    let passed_on = match is_of_a_server(&error.code) {
        true => "a pooler that passes on the server's error",
        // It gives this code to whatever it says.
        false => PGBOUNCER,
    };
    // PgBouncer's own refusals contain no names, so with a name these are
    // the server's words, and the password is the one PgBouncer has for it.
    let of_server_behind = |cause: &Cause| match cause.code {
        "auth.password.wrong" => {
            s.exchange.proven || !message.names.is_empty() || !s.exchange.password_used
        }
        "auth.cert" | "auth.pam" | "auth.ldap" => !message.names.is_empty(),
        _ => false,
    };
    match (said, known) {
        (Some(Saying(_, make, cause)), _) if error.code == "08P01" && of_server_behind(cause) => {
            Some(
                of_backend(cause, &message, s)
                    .with("password_from", "the pooler's own configuration")
                    .with("pooler", *make),
            )
        }
        (Some(Saying(_, make, cause)), _)
            if error.code == "08P01" || cause.code.starts_with("pooler.") =>
        {
            Some(of_pooler(cause, &message, s).with("pooler", *make))
        }
        (_, Some(cause)) => Some(of_backend(cause, &message, s).with("pooler", passed_on)),
        (Some(Saying(_, make, cause)), None) => {
            Some(of_pooler(cause, &message, s).with("pooler", *make))
        }
        (None, None) if is_of_a_server(&error.code) => {
            Some(of_server(error, &message, s).with("pooler", passed_on))
        }
        (None, None) => None,
    }
}

/// The server's error in PgBouncer's `server login has been failing, cached
/// error: … (server_login_retry)`.
fn quoted(message: &str) -> Option<&str> {
    let (_, inner) = message.split_once("cached error: ")?;
    let inner = inner.strip_suffix("(server_login_retry)").unwrap_or(inner);
    Some(inner.trim())
}

/// An SQLSTATE that poolers do not make up.
fn is_of_a_server(code: &str) -> bool {
    !code.is_empty() && !matches!(code, "08P01" | "XX000" | "08006" | "08000" | "08004")
}

/// What the server says to the pooler: the role, the database and the address
/// in it are those of the pooler's way in, which need not be ours.
fn of_backend(cause: &'static Cause, message: &Message, s: &LoginContext<'_>) -> Finding {
    let mut target = s.target.clone();
    let mut client = None;
    match (cause.code, message.names.as_slice()) {
        ("auth.hba.no-entry" | "auth.hba.reject", [host, user, rest @ ..]) => {
            client = host.parse().ok();
            target.user.clone_from(user);
            if let [database, ..] = rest {
                target.dbname.clone_from(database);
            }
        }
        (code, [database, ..]) if code.starts_with("auth.database") => {
            target.dbname.clone_from(database);
        }
        (code, [user]) if code.starts_with("auth.") || code.ends_with(".role") => {
            target.user.clone_from(user);
        }
        _ => {}
    }
    let setting = (cause.code == "server.option").then(|| message.names.first().cloned());
    let behind = LoginContext {
        target: &target,
        tls: None,
        os_user: Some("of the pooler"),
        ..s.clone()
    };
    let finding = dress(cause, message, &behind)
        .with(
            "endpoint",
            format!("{} (behind the pooler)", s.endpoint.label()),
        )
        .with("hba_line", hba::entry(&behind, client))
        .with("parameter", setting.flatten())
        .with(
            "socket",
            (cause.code == "auth.peer").then_some("the pooler's unix socket"),
        )
        .with("encryption", "through the pooler")
        .with(
            "why",
            (cause.code == "tls.client.required").then_some("the pooler has none to send"),
        )
        .without(&["host", "port"])
        .fix(
            format!(
                "The pooler logs in to the server with its own settings: first check its entry for \
                 database {} ([databases] of PgBouncer, and its server_tls_… settings).",
                s.database()
            ),
            None,
        );
    // Our own password was accepted already, or not asked for.
    if s.exchange.proven || s.exchange.authenticated || !s.exchange.answered {
        finding.with("password_from", "the pooler's own configuration")
    } else {
        finding
    }
}

/// PgBouncer's DISABLE, in the words of its versions.
fn is_switched_off(message: &Message) -> bool {
    message.shape.contains("disabled") || message.shape.contains("does not allow")
}

fn of_pooler(cause: &'static Cause, message: &Message, s: &LoginContext<'_>) -> Finding {
    let finding = dress(cause, message, s);
    match cause.code {
        // It says no more where no line matches.
        "auth.hba.reject" => finding.fix(
            "The rules are the pooler's own: check its auth_hba_file (auth_type=hba) from the top. \
             Either a `reject` line matches or no line does; the pooler does not say which. RELOAD it \
             after a change.",
            None,
        ),
        // It passes these on, and the server refused a value.
        "pooler.parameter" if message.shape.contains("invalid server") => {
            let encoding = s.target.client_encoding.as_ref().map(|_| "client_encoding");
            let others = s.target.environment_options.iter().map(|(name, _)| *name);
            let sent: Vec<&str> = encoding.into_iter().chain(others).collect();
            finding.with(
                "parameter",
                match sent.as_slice() {
                    [] => "client_encoding, DateStyle or TimeZone".to_owned(),
                    sent => sent.join(" or "),
                },
            )
        }
        "pooler.parameter" => {
            let named = message.shape.rsplit_once(": ").map(|(_, name)| name);
            let parameter = named.unwrap_or("options").to_owned();
            finding
                .with("parameter", parameter.clone())
                .with("ignorable", parameter)
        }
        "pooler.database" if is_switched_off(message) => finding
            .with("refuses", "has disabled")
            .with("enable", format!("enable {}", s.database())),
        "pooler.database" => finding.with("refuses", "does not know"),
        "pooler.user" if message.shape == "not allowed" => {
            finding.with("refuses", "does not open its console to").fix(
                "Add the user to admin_users or stats_users of PgBouncer, or connect to another \
                 database than pgbouncer.",
                None,
            )
        }
        "pooler.user" => finding.with("refuses", "does not know"),
        "auth.password.wrong" => finding.fix(
            "The pooler itself checks the password, against its auth_file (userlist.txt) or the result \
             of its auth_query: correct it there if the password was changed on the server.",
            None,
        ),
        "auth.timeout" => finding
            .with("waited", in_words(s.elapsed))
            .with("elapsed_ms", s.elapsed.as_millis() as u64)
            .with("how", "the pooler gave up"),
        "server.timeout" => finding
            .with("waited", in_words(s.elapsed))
            .with("timeout_ms", s.elapsed.as_millis() as u64)
            .with("how", "the pooler cancelled it"),
        _ => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cached_error_is_taken_out() {
        assert_eq!(
            quoted(
                "server login has been failing, cached error: connect failed (server_login_retry)"
            ),
            Some("connect failed")
        );
        assert_eq!(quoted("connect failed"), None);
    }

    #[test]
    fn sayings_are_in_the_form_of_a_shape() {
        for Saying(text, _, _) in SAYINGS {
            let shape = Message::of(&text.replace('"', "\"x\"")).shape;
            assert_eq!(&shape, text);
        }
    }
}
