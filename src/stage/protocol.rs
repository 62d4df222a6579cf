//! `protocol`: who answers. SSLRequest, where TLS may be used, and the peer's
//! first byte.

use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::target::Endpoint;
use crate::wire::Stream;

/// The encryption that one attempt uses; `sslmode` decides which attempts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// No SSLRequest: the start-up message goes in clear.
    Plain,
    /// SSLRequest, then TLS if the server says `S`.
    Tls,
    /// TLS from the first byte.
    DirectTls,
}

impl Attempt {
    /// The attempt's name in evidence.
    pub fn name(self) -> &'static str {
        match self {
            Attempt::Plain => "in clear",
            Attempt::Tls => "TLS",
            Attempt::DirectTls => "direct TLS",
        }
    }
}

/// A peer that is ready for the next step.
pub struct Greeted {
    /// The transport, with everything the peer said so far consumed.
    pub stream: Stream,
    /// Whether TLS comes next.
    pub tls: bool,
}

/// Asks for TLS where the attempt wants it. For [`Attempt::Plain`] and
/// [`Attempt::DirectTls`] nothing is sent: the peer's first byte is then seen
/// by `auth` or `tls`, which use [`stranger`] on it.
///
/// An `N` is not a failure here; `tls` decides what `sslmode` makes of it.
pub async fn probe(
    stream: Stream,
    attempt: Attempt,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Greeted> {
    let _ = (stream, attempt, endpoint, ctx, record);
    todo!()
}
