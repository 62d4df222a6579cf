//! `tunnel`: the forward from the last hop to the database.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::stage::ssh::Bastion;
use crate::target::Endpoint;
use crate::wire::Stream;

/// Opens a `direct-tcpip` channel to the endpoint (to its `hostaddr` where it
/// has one), or `direct-streamlocal@openssh.com` for a socket directory.
/// A failure lets libpq's rule go on to the next host.
pub async fn probe(
    bastion: &Bastion,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Stream> {
    let _ = (bastion, endpoint, ctx, record);
    todo!()
}
