//! A query that is not answered: is it the server, or a path that loses
//! larger packets? A second session tells: small messages first, then a large
//! one in both directions.

use std::time::{Duration, Instant};

use crate::config::{Endpoint, Target};
use crate::ctx::Ctx;
use crate::stage::auth;
use crate::wire::Route;
use crate::wire::session::QueryError;

/// Longer than a packet of any usual path.
const LARGE: usize = 6_000;

/// How soon a server that works answers a small message.
const SOON: Duration = Duration::from_secs(3);

/// What the second session shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondSession {
    /// Small and large messages are answered.
    Works,
    /// Small ones are, large ones are not.
    Stalls,
    /// Not even small ones, or there is no second session.
    Unknown,
}

/// Opens a second session and looks.
pub async fn look(
    route: &Route,
    encrypted: bool,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> SecondSession {
    let limit = ctx.limit().min(Instant::now() + SOON);
    let again = auth::again(route, encrypted, target, endpoint, ctx);
    let Ok(Some(mut second)) = ctx.until(limit, again).await else {
        return SecondSession::Unknown;
    };
    if second.query_until("SELECT 1", limit, ctx).await.is_err() {
        return SecondSession::Unknown;
    }
    let large = format!("SELECT '{}'", "x".repeat(LARGE));
    let seen = match second.simple_query(&large, ctx).await {
        Ok(_) => SecondSession::Works,
        Err(QueryError::Late) => SecondSession::Stalls,
        Err(_) => SecondSession::Unknown,
    };
    second.close().await;
    seen
}
