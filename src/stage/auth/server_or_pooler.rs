//! Who answers: PostgreSQL itself, or a pooler in front of it?
//!
//! A start-up message without a role is refused by both, at once and without
//! looking further, and only PostgreSQL names the routine that refuses. It
//! identifies nobody.

use std::time::Duration;

use crate::config::{Endpoint, SslNegotiation, Target};
use crate::ctx::Ctx;
use crate::stage::protocol::Attempt;
use crate::wire::Route;
use crate::wire::frames::{BoundsPhase, Frames, PROTOCOL_3_0, startup_message};
use crate::wire::server_error::ServerError;
use crate::wire::session::Session;

/// The longest look; it comes on top of a time that was used up already.
const LONGEST: Duration = Duration::from_secs(2);

/// Linux gives no process a higher number than this (`PID_MAX_LIMIT`).
const HIGHEST_PID: i32 = 1 << 22;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// A PostgreSQL server.
    Server,
    /// A pooler or proxy that speaks the protocol itself.
    Pooler,
}

/// The kind of attempt that brought this connection about.
pub fn same_attempt(encrypted: bool, target: &Target) -> Attempt {
    match (encrypted, target.tls.negotiation) {
        (false, _) => Attempt::Plain,
        (true, SslNegotiation::Direct) => Attempt::DirectTls,
        (true, SslNegotiation::Postgres) => Attempt::Tls,
    }
}

/// Asks on a second connection. `None` where that does not tell.
pub async fn ask(
    route: &Route,
    encrypted: bool,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> Option<Speaker> {
    let limit = ctx.limit().min(std::time::Instant::now() + LONGEST);
    let look = async {
        let attempt = same_attempt(encrypted, target);
        let wire = super::redial(route, attempt, target, endpoint, ctx).await?;
        let mut frames = Frames::new(wire);
        frames.send(&startup_message(PROTOCOL_3_0, &[])).await;
        let frame = frames.next(BoundsPhase::Authentication).await.ok()?;
        let error = ServerError::parse(&frame.body).filter(|_| frame.tag == b'E')?;
        Some(if error.is_from_postgres() {
            Speaker::Server
        } else {
            Speaker::Pooler
        })
    };
    ctx.until(limit, look).await.ok().flatten()
}

/// Whether this is PgBouncer's console, which takes no SQL.
pub fn is_console(session: &Session) -> bool {
    session
        .parameters
        .get("server_version")
        .is_some_and(|version| version.contains("bouncer"))
}

/// The weakest sign of a pooler; a stranger server may lack the key as well.
pub const NO_PROCESS_ID: &str = "the session has no process ID";

/// A pooler makes up the number that it gives as process id.
pub fn pooler_by_key(session: &Session) -> Option<&'static str> {
    if is_console(session) {
        return Some("PgBouncer's console");
    }
    match session.backend_pid {
        Some(pid) if (1..=HIGHEST_PID).contains(&pid) => None,
        Some(_) => Some("the session's process ID is not that of a real process"),
        None => Some(NO_PROCESS_ID),
    }
}
