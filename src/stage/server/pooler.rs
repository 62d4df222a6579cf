//! Whether a pooler answers, which, and in which mode it is: from what the session has
//! shown, without asking for more.

use crate::client::pooler::{Pooler, product};
use crate::config::Endpoint;
use crate::stage::auth::server_or_pooler::{is_console, pooler_by_key};
use crate::wire::session::Session;

use super::facts::Facts;

/// A pooler that answers.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Which, and in which mode.
    pub pooler: Pooler,
    /// What it was told by.
    pub sign: &'static str,
}

impl Seen {
    /// Looks at the host's name, the order of the parameters, and the process id.
    pub(super) fn of(session: &Session, facts: &Facts, endpoint: &Endpoint) -> Option<Self> {
        let placed = Pooler::at(&endpoint.host, endpoint.port);
        let ordered = Pooler::of_parameters(&session.reported);
        let console = is_console(session).then(|| Pooler {
            product: product("PgBouncer"),
            mode: None,
        });
        let sign = match sign(session, facts) {
            Some(sign) => sign,
            None if ordered.is_some() => "the order of the parameters that it reports",
            None if placed.is_some() => "the host's name and port",
            None => return None,
        };
        let unknown = Pooler {
            product: None,
            mode: None,
        };
        Some(Self {
            pooler: placed.or(console).or(ordered).unwrap_or(unknown),
            sign,
        })
    }
}

/// What the session's key says.
fn sign(session: &Session, facts: &Facts) -> Option<&'static str> {
    let is_other = facts
        .integer("pid")
        .zip(session.backend_pid)
        .is_some_and(|(theirs, ours)| theirs != i64::from(ours));
    match is_other {
        true => Some("the session's process ID differs from the server's"),
        false => pooler_by_key(session),
    }
}
