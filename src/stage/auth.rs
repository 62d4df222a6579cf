//! `auth`: start-up, authentication, authorisation.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::stage::tls::Wire;
use crate::target::{Endpoint, Target};
use crate::wire::session::Session;

/// Logs in, up to ReadyForQuery.
pub async fn probe(
    wire: Wire,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Session> {
    let _ = (wire, target, endpoint, ctx, record);
    todo!()
}
