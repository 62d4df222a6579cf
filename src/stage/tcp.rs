//! `tcp`: every address of every host, at once.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::dns::Resolved;
use crate::stage::{Aside, Verdict};
use crate::target::{Destination, Keepalives};
use crate::wire::{Address, Stream};

/// An address that accepted.
pub struct Reached {
    /// Which destination it belongs to, by index.
    pub destination: usize,
    /// The address.
    pub address: Address,
    /// The open connection; only the first in libpq's order keeps one, a later
    /// one is dialled again when its turn comes.
    pub stream: Option<Stream>,
}

/// Dials every address at once and returns as soon as the first in libpq's
/// order is certain; what later addresses do is an [`Aside`].
///
/// The result lists, in libpq's order, the address to use first and after it
/// every address that has not failed. Addresses before it that failed are
/// provisional findings. Fails where nothing accepted.
pub async fn probe(
    destinations: &[Destination],
    resolved: &[Resolved],
    keepalives: &Keepalives,
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<Aside>,
) -> Verdict<Vec<Reached>> {
    let _ = (destinations, resolved, keepalives, ctx, record, asides);
    todo!()
}

/// Dials one address once more: for a retry, or when its turn comes.
pub async fn dial(address: &Address, keepalives: &Keepalives, ctx: &Ctx) -> Verdict<Stream> {
    let _ = (address, keepalives, ctx);
    todo!()
}
