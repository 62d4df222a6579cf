//! `dns`: names to addresses, as applications get them, beside what each name
//! server says for itself.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::{Aside, Verdict};
use crate::target::Destination;
use crate::wire::Address;

/// What became of one destination: its addresses in getaddrinfo's order;
/// empty where it could not be resolved (a provisional finding says why).
pub type Resolved = Vec<Address>;

/// Resolves all destinations at once. Fails where none has an address; the
/// comparison with the name servers is an [`Aside`].
pub async fn probe(
    destinations: &[Destination],
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<Aside>,
) -> Verdict<Vec<Resolved>> {
    let _ = (destinations, ctx, record, asides);
    todo!()
}
