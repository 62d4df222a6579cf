//! Who answers, where it is not PostgreSQL as asked: named from its first
//! bytes, and by a short second connection.

pub mod commands;
pub mod identify;
pub mod proxy_header;
pub mod tls_probe;

use std::time::Duration;

use crate::config::Endpoint;
use crate::finding::Finding;
use crate::wire::Route;

/// The shortest silence that says something of a peer: in less time one that is merely slow,
/// or far away, has not answered either.
pub(crate) const TELLING: Duration = Duration::from_secs(1);

/// Adds who was spoken to.
pub(crate) fn describe(finding: Finding, endpoint: &Endpoint, route: &Route) -> Finding {
    let finding = finding
        .with("endpoint", endpoint.label())
        .with(
            "host",
            (!endpoint.host.is_empty()).then(|| endpoint.host.clone()),
        )
        .with("port", endpoint.port);
    match route {
        Route::Direct(address) => finding.with("address", address.to_string()),
        Route::Tunnel { via, .. } => finding.with("via", via.clone()),
        // SSH alone is carried by one.
        Route::Command(_) => finding,
    }
}

/// A duration in words: `5 s`, `450 ms`.
pub(crate) fn in_words(duration: Duration) -> String {
    match duration.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms if ms % 1000 < 50 => format!("{} s", ms / 1000),
        ms => format!("{:.1} s", ms as f64 / 1000.0),
    }
}

/// The direction in which a stall loses larger messages: ours, or the server's.
pub fn stall_direction(ours: bool) -> &'static str {
    match ours {
        true => "to the server",
        false => "from the server",
    }
}
