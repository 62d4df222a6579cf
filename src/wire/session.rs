//! A logged-in session: frames of the Postgres protocol, and simple queries.

use std::collections::BTreeMap;

use crate::stage::tls::Wire;

/// A session after ReadyForQuery.
pub struct Session {
    /// The transport.
    pub wire: Wire,
    /// What ParameterStatus messages told, by name.
    pub parameters: BTreeMap<String, String>,
    /// BackendKeyData's process id.
    pub backend_pid: Option<i32>,
}

impl Session {
    /// Ends the session in order.
    pub async fn close(self) {}
}
