//! `tls`: the handshake and the certificate, judged as libpq judges them.
//!
//! Proves that the connection is as encrypted as the target demands, and that
//! the server is who it claims to be as far as `sslmode` asks for it. The
//! chain is verified first and the name afterwards, both before the client's
//! certificate or anything else that identifies it is sent.

mod chain;
pub mod client;
mod client_alert;
mod codes;
pub mod context;
pub mod facts;
pub mod failure;
mod groups;
mod issuer;
pub mod names;
mod pem;
mod portability;
mod system_store;

mod classify;
mod handshake;

use crate::cause::tls as cause;
use crate::config::{Endpoint, SslMode, Target};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::stage::protocol::{Attempt, Greeted};
use crate::wire::Stream;

use crate::wire::secured::Wire;

pub use client_alert::{client_required, late_alert};
pub use handshake::foresee;

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
    match (attempt, greeted.tls) {
        (Attempt::Plain, _) => Ok(in_clear(greeted.stream)),
        (_, true) => handshake::shake(greeted, attempt, target, endpoint, ctx, record).await,
        (_, false) if !goes_on_in_clear(&greeted, target) && !greeted.injected.is_empty() => {
            Err(data_after_refusal(&greeted, endpoint))
        }
        // libpq goes on in clear on the same connection, but not where clear
        // was what just failed.
        (_, false) if target.tls.mode == SslMode::Prefer => {
            if !greeted.injected.is_empty() {
                record.warn(data_after_refusal(&greeted, endpoint));
            }
            record.skip("not offered by the server; unencrypted (sslmode=prefer)");
            let mut stream = greeted.stream;
            stream.io.unread(greeted.injected);
            Ok(in_clear(stream))
        }
        (_, false) => Err(crate::peer::describe(
            Finding::new(&cause::UNSUPPORTED).with("sslmode", target.tls.mode.as_str()),
            endpoint,
            &greeted.stream.route,
        )),
    }
}

/// Whether libpq goes on without TLS after an `N`: what came after it, it takes
/// for the answer to its start-up message.
fn goes_on_in_clear(greeted: &Greeted, target: &Target) -> bool {
    let first = greeted.injected.first();
    let may_be_an_answer = matches!(first, None | Some(b'R' | b'E' | b'v'));
    target.tls.mode == SslMode::Prefer && may_be_an_answer
}

/// Bytes after an `N`.
fn data_after_refusal(greeted: &Greeted, endpoint: &Endpoint) -> Finding {
    let finding =
        classify::data_after_ssl_response(&greeted.injected).with("answered", "refused TLS");
    crate::peer::describe(finding, endpoint, &greeted.stream.route)
}

/// The transport as it is.
fn in_clear(stream: Stream) -> Wire {
    Wire {
        io: Box::new(stream.io),
        log: stream.log,
        route: stream.route,
        tls: None,
        socket: stream.socket,
    }
}
