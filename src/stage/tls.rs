//! `tls`: the handshake and the certificate, judged as libpq judges them.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::stage::protocol::{Attempt, Greeted};
use crate::target::{Endpoint, Target};
use crate::wire::{BoxIo, Route, TeeLog};
use std::sync::Arc;

/// A transport that is as encrypted as it will get.
pub struct Wire {
    /// The bytes of the Postgres protocol.
    pub io: BoxIo,
    /// What was seen below TLS.
    pub log: Arc<TeeLog>,
    /// How it reaches the peer.
    pub route: Route,
    /// What TLS came to; none in clear.
    pub tls: Option<Encryption>,
    /// The socket itself, to ask the kernel about it.
    pub socket: Option<Arc<socket2::Socket>>,
}

/// What later stages need to know of TLS.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// `tls-server-end-point` channel-binding data (RFC 5929); none where the
    /// certificate's signature has no usable digest.
    pub end_point: Option<Vec<u8>>,
    /// Whether a client certificate was sent.
    pub client_certificate_sent: bool,
    /// Whether the server asked for one.
    pub client_certificate_asked: bool,
}

/// Shakes hands where the peer said yes, decides what a refusal means where it
/// said no.
pub async fn probe(
    greeted: Greeted,
    attempt: Attempt,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Wire> {
    let _ = (greeted, attempt, target, endpoint, ctx, record);
    todo!()
}
