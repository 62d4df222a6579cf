//! `server`: the state and the limits of the server that answered.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::target::{Endpoint, Target};
use crate::wire::session::Session;

/// Asks for the server's facts in one query, and checks
/// `target_session_attrs` and the guards on them.
pub async fn probe(
    session: &mut Session,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<()> {
    let _ = (session, target, endpoint, ctx, record);
    todo!()
}
