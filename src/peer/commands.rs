//! Commands to paste that go where the run went: what `psql` and `openssl
//! s_client` must be told. Over SSH there are none, since this machine cannot
//! go there by itself.

use crate::config::{Endpoint, SslNegotiation, Target, conninfo};
use crate::finding::Finding;
use crate::wire::tls::sends_server_name;
use crate::wire::{Address, Route};

/// The words that [`with_conninfo`] adds.
pub const WORDS: [&str; 4] = ["conninfo", "any_session", "maintenance", "console"];

/// Adds the connection strings for commands that log in to the same server: with
/// the target's settings, in an ordinary session on whatever server it is, in
/// the database `postgres`, and on PgBouncer's console.
pub fn with_conninfo(
    finding: Finding,
    target: &Target,
    endpoint: &Endpoint,
    route: &Route,
) -> Finding {
    let replacing = |replaced: &[(&str, &str)]| conninfo(target, endpoint, route, replaced);
    let values = [
        replacing(&[]),
        replacing(&ORDINARY),
        replacing(&[&ORDINARY, &[("dbname", "postgres")][..]].concat()),
        console(target, endpoint, route),
    ];
    let words = WORDS.into_iter().zip(values);
    words.fold(finding, |finding, (name, value)| finding.word(name, value))
}

/// What is left out for a session that is not picky.
const ORDINARY: [(&str, &str); 2] = [("replication", ""), ("target_session_attrs", "")];

/// The connection string of PgBouncer's console at the same address.
pub fn console(target: &Target, endpoint: &Endpoint, route: &Route) -> Option<String> {
    let administrator = [("user", "pgbouncer"), ("dbname", "pgbouncer")];
    let replaced = [ORDINARY, administrator].concat();
    conninfo(target, endpoint, route, &replaced)
}

/// The target's settings as a connection string of libpq, without its secrets.
/// Some of them are replaced, or left out where the replacement is empty.
pub fn conninfo(
    target: &Target,
    endpoint: &Endpoint,
    route: &Route,
    replaced: &[(&str, &str)],
) -> Option<String> {
    let direct = matches!(route, Route::Direct(_));
    direct.then(|| conninfo::of(target, endpoint, replaced))
}

/// The arguments with which `openssl s_client` is shown what the run was: by
/// the same negotiation, at the same address, for the same name.
pub fn s_client(target: &Target, endpoint: &Endpoint, route: &Route) -> Option<Vec<String>> {
    let Route::Direct(Address::Tcp(address)) = route else {
        return None;
    };
    let address = address.to_string();
    let mut words = match target.tls.negotiation {
        SslNegotiation::Direct => vec!["-alpn", "postgresql"],
        SslNegotiation::Postgres => vec!["-starttls", "postgres"],
    };
    words.extend(["-connect", &address]);
    if target.tls.sni && sends_server_name(&endpoint.host) {
        words.extend(["-servername", &endpoint.host]);
    }
    Some(words.into_iter().map(str::to_owned).collect())
}
