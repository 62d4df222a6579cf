//! Commands to paste that go where the run went: what `psql` and `openssl
//! s_client` must be told. Over SSH there are none, since this machine cannot
//! go there by itself.

use crate::config::{Endpoint, SslNegotiation, Target, conninfo};
use crate::wire::tls::sends_server_name;
use crate::wire::{Address, Route};

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
