//! Commands to paste that go where the run went: what `psql` and `openssl
//! s_client` must be told. Behind an SSH server psql cannot go there by itself.

use std::net::IpAddr;

use crate::config::{Endpoint, SslNegotiation, Target, conninfo, host_port};
use crate::finding::Finding;
use crate::wire::tls::sends_server_name;
use crate::wire::{Address, Route};

/// The words that [`with_conninfo`] adds.
pub const WORDS: [&str; 5] = [
    "conninfo",
    "any_session",
    "maintenance",
    "console",
    "superuser",
];

/// Adds the connection strings for commands that log in to the same server: with
/// the target's settings, in an ordinary session on whatever server it is, in
/// the database `postgres`, on PgBouncer's console, and as the superuser.
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
        replacing(&[&ORDINARY[..], &SUPERUSER].concat()),
    ];
    let words = WORDS.into_iter().zip(values);
    let finding = words.fold(finding, |finding, (name, value)| finding.word(name, value));
    match route {
        // psql runs on the server's machine, where its socket is.
        Route::Tunnel {
            host, port, via, ..
        } => {
            let port = port.to_string();
            let words = ["-p", &port, "-U", "postgres", "-d", "postgres"];
            let loopback =
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
            let machine = if loopback { via } else { host };
            finding
                .word("superuser", words.map(str::to_owned).to_vec())
                .word("superuser_on", format!("on {machine}"))
        }
        _ => finding,
    }
}

/// What is left out for a session that is not picky.
const ORDINARY: [(&str, &str); 2] = [("replication", ""), ("target_session_attrs", "")];

/// What the superuser logs in with: no certificate or role of the target's.
const SUPERUSER: [(&str, &str); 5] = [
    ("user", "postgres"),
    ("dbname", "postgres"),
    ("sslcert", ""),
    ("sslkey", ""),
    ("options", ""),
];

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

/// `openssl s_client` as it is shown what the run was: by the same negotiation,
/// at the same address, for the same name. Behind an SSH server it runs there.
pub fn s_client(target: &Target, endpoint: &Endpoint, route: &Route) -> Option<Vec<String>> {
    let (mut words, address) = match route {
        Route::Direct(Address::Tcp(address)) => (Vec::new(), address.to_string()),
        Route::Tunnel { host, port, .. } => (on_hop(target, host)?, host_port(host, *port)),
        _ => return None,
    };
    let mut more = vec!["openssl", "s_client"];
    more.extend(match target.tls.negotiation {
        SslNegotiation::Direct => ["-alpn", "postgresql"],
        SslNegotiation::Postgres => ["-starttls", "postgres"],
    });
    more.extend(["-connect", &address]);
    if target.tls.sni && sends_server_name(&endpoint.host) {
        more.extend(["-servername", &endpoint.host]);
    }
    words.extend(more.into_iter().map(str::to_owned));
    Some(words)
}

/// The words before a command that runs on the one SSH server of the way, where
/// `host` passes its shell as it is. The jumps of a longer way would not get our
/// keys from ssh's command line.
fn on_hop(target: &Target, host: &str) -> Option<Vec<String>> {
    let [hop] = target.ssh.as_ref()?.hops.as_slice() else {
        return None;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    let mut words = hop.ssh_words();
    words.extend(["-p".to_owned(), hop.port.to_string()]);
    words.extend(["-l".to_owned(), hop.user.clone(), hop.written.host.clone()]);
    host.chars().all(plain).then_some(words)
}
