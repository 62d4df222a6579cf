//! Poolers and proxies that speak in place of the server.
//!
//! They send no routine, hardly ever a fitting SQLSTATE, and always English,
//! so their words are what there is to go by. Where one quotes the server's
//! own error, that error's cause is the verdict.

use crate::cause::{Cause, auth, family, pooler, server, tls};
use crate::finding::Finding;
use crate::message::Message;
use crate::peer::{commands, in_words};
use crate::wire::server_error::ServerError;

use super::context::LoginContext;
use super::finding::{dress, of_server};
use super::hba;

const PGBOUNCER: &str = "PgBouncer";
const ODYSSEY: &str = "Odyssey";

/// The finding for an error that a pooler raised or quotes; none where a
/// PostgreSQL server speaks for itself.
pub fn cause(error: &ServerError, s: &LoginContext<'_>) -> Option<Finding> {
    if error.is_from_postgres() {
        return None;
    }
    // DETAIL and HINT name the cause where the message only says that something failed.
    let further = [&error.detail, &error.hint].into_iter().flatten();
    for text in further {
        let message = Message::of(text);
        if let Some((make, cause)) = message.of_pooler() {
            let finding = of_pooler(cause, &message, s).with("error", text.clone());
            return Some(finding.with("pooler", make));
        }
    }
    let quoted = quoted(&error.message);
    let message = Message::of(quoted.unwrap_or(&error.message));
    let said = message.of_pooler();
    if quoted.is_some() {
        let finding = match (said, message.relayed()) {
            // What the pooler itself could not do about its login.
            (Some((_, cause)), _) if cause.is_of(family::POOLER) => of_pooler(cause, &message, s),
            // The server's words without its codes.
            (_, Some(cause)) => of_backend(cause, &message, s),
            (_, None) => s.finding(&pooler::BACKEND),
        };
        return Some(
            finding
                .with("password_from", "the pooler's own configuration")
                .with("pooler", PGBOUNCER)
                .with("quoted", quoted.map(str::to_owned))
                .with("error", quoted.map(str::to_owned)),
        );
    }
    let known = message.relayed();
    let passed_on = match is_of_a_server(&error.code) {
        // It puts its name before the server's errors, too.
        _ if error.message.starts_with("odyssey: ") => ODYSSEY,
        true => "a pooler that passes on the server's error",
        // It gives this code to whatever it says.
        false => PGBOUNCER,
    };
    // PgBouncer's own refusals contain no names, so with a name these are
    // the server's words, and the password is the one PgBouncer has for it.
    let of_server_behind = |cause: &Cause| {
        let named = !message.names.is_empty();
        match *cause == auth::PASSWORD_WRONG {
            true => s.exchange.proven || named || !s.exchange.password_used,
            false => named && cause.is_any(&[&auth::CERT, &auth::PAM, &auth::LDAP]),
        }
    };
    match (said, known) {
        (Some((make, cause)), _) if error.code == "08P01" && of_server_behind(cause) => Some(
            of_backend(cause, &message, s)
                .with("password_from", "the pooler's own configuration")
                .with("pooler", make),
        ),
        (Some((make, cause)), _) if error.code == "08P01" || cause.is_of(family::POOLER) => {
            Some(of_pooler(cause, &message, s).with("pooler", make))
        }
        (_, Some(cause)) => Some(of_backend(cause, &message, s).with("pooler", passed_on)),
        (Some((make, cause)), None) => Some(of_pooler(cause, &message, s).with("pooler", make)),
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
    match message.names.as_slice() {
        [host, user, rest @ ..] if cause.is_any(&[&auth::HBA_NO_ENTRY, &auth::HBA_REJECT]) => {
            client = host.parse().ok();
            target.user.clone_from(user);
            if let [database, ..] = rest {
                target.dbname.clone_from(database);
            }
        }
        [database, ..] if cause.is_of(family::AUTH_DATABASE) => {
            target.dbname.clone_from(database);
        }
        [user] if cause.is_of(family::AUTH) || *cause == server::CONNECTIONS_ROLE => {
            target.user.clone_from(user);
        }
        _ => {}
    }
    let setting = (*cause == server::OPTION).then(|| message.names.first().cloned());
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
        .word("hba_line", hba::entry(&behind, client))
        .with("parameter", setting.flatten())
        .with(
            "socket",
            (*cause == auth::PEER).then_some("the pooler's unix socket"),
        )
        .with("encryption", "through the pooler")
        .with(
            "why",
            (*cause == tls::CLIENT_REQUIRED).then_some("the pooler has none to send"),
        )
        .without(&["host", "port"])
        .without(&commands::WORDS)
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
    if *cause == auth::HBA_REJECT {
        // It says no more where no line matches.
        finding.fix(
            "The rules are the pooler's own: check its auth_hba_file (auth_type=hba) from the top. \
             Either a `reject` line matches or no line does; the pooler does not say which. RELOAD it \
             after a change.",
            None,
        )
    } else if *cause == pooler::PARAMETER && message.shape.contains("invalid server") {
        // It passes these on, and the server refused a value.
        let encoding = s.target.client_encoding.as_ref().map(|_| "client_encoding");
        let others = s
            .target
            .environment_options
            .iter()
            .map(|(name, _)| name.as_str());
        let sent: Vec<&str> = encoding.into_iter().chain(others).collect();
        finding.with(
            "parameter",
            match sent.as_slice() {
                [] => "client_encoding, DateStyle or TimeZone".to_owned(),
                sent => sent.join(" or "),
            },
        )
    } else if *cause == pooler::PARAMETER {
        let named = message.shape.rsplit_once(": ").map(|(_, name)| name);
        let parameter = named.unwrap_or("options").to_owned();
        finding
            .with("parameter", parameter.clone())
            .with("ignorable", parameter)
    } else if *cause == pooler::DATABASE && is_switched_off(message) {
        finding
            .with("refuses", "has disabled")
            .word("enable", format!("enable {}", s.database()))
    } else if *cause == pooler::USER && message.shape == "not allowed" {
        finding.with("refuses", "does not open its console to").fix(
            "Add the user to admin_users or stats_users of PgBouncer, or connect to another \
             database than pgbouncer.",
            None,
        )
    } else if *cause == pooler::USER && message.shape == "bouncer config error" {
        finding.with("refuses", "cannot look up").fix(
            format!(
                "Run PgBouncer's auth_query by hand as its auth_user, with {} for $1, in auth_dbname (or, \
                 without that setting, in the database of the entry for {}): the error it gives is the \
                 cause. Usually the function or table is missing there, auth_user has no right to it, or \
                 it does not return the two columns user name and secret.",
                s.target.user,
                s.database()
            ),
            None,
        )
        .fix(
            "As an administrator of PgBouncer, show its auth_query, auth_user and auth_dbname:",
            console(s, "show config"),
        )
    } else if *cause == pooler::FULL && message.shape.contains("max_client_conn") {
        finding.fix(
            "As an administrator of PgBouncer, list its clients by user, application, address and \
             state (the limit does not apply to its console), and make the largest pool smaller:",
            console(s, "show clients"),
        )
    } else if cause.is_any(&[&pooler::DATABASE, &pooler::USER]) {
        finding.with("refuses", "does not know")
    } else if *cause == auth::PASSWORD_WRONG {
        finding.fix(
            "The pooler itself checks the password, against its auth_file (userlist.txt) or the result \
             of its auth_query: correct it there if the password was changed on the server.",
            None,
        )
    } else if *cause == auth::TIMEOUT {
        finding
            .with("waited", in_words(s.elapsed))
            .with("elapsed_ms", s.elapsed.as_millis() as u64)
            .with("how", "the pooler gave up")
    } else if *cause == server::TIMEOUT {
        finding
            .with("waited", in_words(s.elapsed))
            .with("timeout_ms", s.elapsed.as_millis() as u64)
            .with("how", "the pooler cancelled it")
    } else {
        finding
    }
}

/// The command that shows this on PgBouncer's console.
fn console(s: &LoginContext<'_>, show: &str) -> Option<String> {
    let conninfo = commands::console(s.target, s.endpoint, s.route)?;
    shlex::try_join(["psql", &conninfo, "-c", show]).ok()
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
}
