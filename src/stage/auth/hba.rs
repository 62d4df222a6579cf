//! pg_hba.conf: the line that would let this connection in, and whether only
//! the encryption stands in its way.

use std::net::IpAddr;

use crate::config::{Endpoint, Replication, Roots, SslCertMode, SslMode, Target};
use crate::ctx::Ctx;
use crate::message::Message;
use crate::stage::protocol::Attempt;
use crate::wire::Route;
use crate::wire::startup::{AuthRequest, Login, StartupEnd};

use super::context::LoginContext;

/// The client's address as the server sees it: the name in the message that is
/// an address. Other names may look like one, so ours are passed over unless
/// nothing else is there.
pub fn client_address(message: &Message, situation: &LoginContext<'_>) -> Option<IpAddr> {
    let address = |name: &str| {
        let name = name.split('%').next().unwrap_or_default();
        name.parse::<IpAddr>().ok()
    };
    let ours = [situation.target.user.as_str(), situation.database()];
    let mut found = message.names.iter().filter(|name| address(name).is_some());
    found
        .clone()
        .find(|name| !ours.contains(&name.as_str()))
        .or_else(|| found.next())
        .and_then(|name| address(name))
}

/// The line to add (PostgreSQL documentation, "The pg_hba.conf File").
pub fn line(situation: &LoginContext<'_>, client: Option<IpAddr>) -> Option<String> {
    if situation.is_unix() {
        let (database, user) = names(situation)?;
        return Some(format!("local {database} {user} scram-sha-256"));
    }
    entry(situation, client)
}

/// The line for an address, whatever our own transport is.
pub fn entry(situation: &LoginContext<'_>, client: Option<IpAddr>) -> Option<String> {
    let (database, user) = names(situation)?;
    let kind = if situation.is_encrypted() {
        "hostssl"
    } else {
        "host"
    };
    let address = cidr(client?);
    Some(format!("{kind} {database} {user} {address} scram-sha-256"))
}

/// An address as it stands in a line.
pub fn cidr(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => format!("{ip}/32"),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => format!("{ip}/32"),
            None => format!("{ip}/128"),
        },
    }
}

/// Database and role as they stand in a line; `None` where one would end the line in its
/// middle: a newline does so even between quotes, and what follows would be a rule of its own.
fn names(situation: &LoginContext<'_>) -> Option<(String, String)> {
    let (database, user) = (database(situation), &situation.target.user);
    if database.chars().chain(user.chars()).any(char::is_control) {
        return None;
    }
    let database = match database {
        REPLICATION if is_physical(situation) => REPLICATION.to_owned(),
        name => quoted(name),
    };
    Some((database, quoted(user)))
}

/// What pg_hba.conf calls the database of a physical replication connection.
const REPLICATION: &str = "replication";

/// The database as pg_hba.conf sees it.
pub fn database<'a>(situation: &LoginContext<'a>) -> &'a str {
    match is_physical(situation) {
        true => REPLICATION,
        false => situation.database(),
    }
}

/// Whether physical replication is asked for, which has no database.
fn is_physical(situation: &LoginContext<'_>) -> bool {
    situation.target.replication_mode() == Some(Replication::Physical)
}

/// A name as pg_hba.conf wants it: quoted where it would mean something else
/// or fall apart.
pub fn quoted(name: &str) -> String {
    let keyword = matches!(
        name,
        "all" | "sameuser" | "samerole" | "samegroup" | "replication"
    );
    let plain = !name.is_empty()
        && !keyword
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@'))
        && !name.starts_with('@');
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Whether the server would go on with the other encryption: a second
/// connection finds out, up to the server's first answer, and no password is
/// sent. `None` where it must not be tried: the target demands a verified
/// end, or there is no way to dial again.
pub async fn other_encryption_passes(
    route: &Route,
    encrypted: bool,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> Option<bool> {
    let attempt = match (encrypted, target.tls.mode) {
        // libpq tries the other one by itself under `allow` and `prefer`.
        (false, SslMode::Disable) => Attempt::Tls,
        // Without TLS, names would be sent to an unverified peer.
        (true, SslMode::Require) if !verifies(target) => Attempt::Plain,
        _ => return None,
    };
    let mut other = target.clone();
    other.tls.mode = SslMode::Prefer;
    other.tls.certificate_mode = SslCertMode::Disable;
    let limit = ctx.limit();
    let look = async {
        let wire = super::redial(route, attempt, &other, endpoint, ctx).await?;
        if attempt == Attempt::Tls && wire.tls.is_none() {
            return Some(false);
        }
        let mut login = Login::new(wire, super::rules(&other), None);
        match login.run().await {
            Err(StartupEnd::Server(error)) => {
                let asked = login.exchange.asked.as_ref();
                // A line matched, whatever came of it.
                let matched = asked.is_some_and(|asked| *asked != AuthRequest::Nothing)
                    || login.exchange.authenticated
                    || error.routine() == "auth_failed"
                    // Its demand for a client certificate quotes no name.
                    || (error.routine() == "ClientAuthentication"
                        && Message::of(&error.message).names.is_empty());
                Some(matched)
            }
            Err(StartupEnd::Read(_) | StartupEnd::Protocol(_)) => None,
            _ => Some(true),
        }
    };
    ctx.until(limit, look).await.ok().flatten()
}

/// Whether the target has the server's certificate verified.
fn verifies(target: &Target) -> bool {
    match &target.tls.roots {
        Roots::System | Roots::SystemAnd(_) | Roots::Mozilla(_) | Roots::Nobody => true,
        Roots::File(file) => file.path.exists(),
        Roots::Nowhere => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        assert_eq!(quoted("app_1"), "app_1");
        assert_eq!(quoted("all"), "\"all\"");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted("@file"), "\"@file\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("+group"), "\"+group\"");
    }
}
