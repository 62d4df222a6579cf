//! `tunnel`: the forward from the last hop to the database.

use std::time::Instant;

use crate::cause;
use crate::config::{Endpoint, Place};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::{StageRecord, ms};
use crate::stage::Verdict;
use crate::stage::ssh::forward::{self, ForwardFailure, ForwardRequest};
use crate::stage::ssh::{Bastion, Session};
use crate::wire::{BoxIo, Reopen, Route, Stream};

/// Opens a `direct-tcpip` channel to the endpoint (to its `hostaddr` where it
/// has one), or `direct-streamlocal@openssh.com` for a socket directory.
/// A failure lets libpq's rule go on to the next host.
pub async fn probe(
    bastion: &Bastion,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Stream> {
    let (host, port) = seen_from_there(endpoint);
    record.fact("target", endpoint.label());
    record.fact("host", host.clone());
    if port != 0 {
        record.fact("port", port);
    }
    record.fact("via", bastion.label.clone());
    let first = bastion.last().is_some_and(Session::is_unused);
    let began = Instant::now();
    let limit = ctx.limit();
    let opened = open(bastion, endpoint, ctx, limit).await;
    let took = began.elapsed();
    record.fact("open_ms", ms(took));
    match opened {
        Ok(io) => {
            let via = bastion.last();
            if let Some(slow) = via.and_then(|via| via.slow_forward(&host, port, took, first)) {
                record.warn(slow);
            }
            record.summary = format!("{} reaches {}", bastion.label, endpoint.label());
            let route = Route::Tunnel {
                host: host.clone(),
                port,
                via: bastion.label.clone(),
                again: again(bastion, endpoint),
            };
            Ok(Stream::new(io, route, None))
        }
        Err(failure) => Err(explained(failure, bastion, endpoint, ctx, limit).await),
    }
}

/// The same forward once more, for those who look a second time.
fn again(bastion: &Bastion, endpoint: &Endpoint) -> Reopen {
    let (bastion, endpoint) = (bastion.clone(), endpoint.clone());
    Reopen::by(move |ctx| {
        let (bastion, endpoint) = (bastion.clone(), endpoint.clone());
        async move { open(&bastion, &endpoint, &ctx, ctx.limit()).await.ok() }
    })
}

/// Opens one forward to the endpoint.
///
/// # Errors
/// Why it did not open.
pub async fn open(
    bastion: &Bastion,
    endpoint: &Endpoint,
    ctx: &Ctx,
    limit: Instant,
) -> Result<BoxIo, ForwardFailure> {
    let Some(session) = bastion.last() else {
        return Err(ForwardFailure::Lost(
            crate::stage::ssh::client::SessionEnd::Closed,
        ));
    };
    match &endpoint.place {
        Place::Unix(path) => session.open_unix(&path.to_string_lossy(), ctx, limit).await,
        _ => {
            let (host, port) = seen_from_there(endpoint);
            session.open(&host, port, ctx, limit).await
        }
    }
}

/// The finding for a forward that did not open.
pub fn refused(failure: &ForwardFailure, bastion: &Bastion, endpoint: &Endpoint) -> Finding {
    let (host, port) = seen_from_there(endpoint);
    let Some(via) = bastion.last() else {
        return Finding::new(&cause::tunnel::LOST).with("via", bastion.label.clone());
    };
    let wanted = ForwardRequest {
        host: &host,
        port,
        via,
        next: None,
    };
    forward::finding(failure, &wanted)
}

/// The host and port that the last hop is told; port 0 for a socket's file.
fn seen_from_there(endpoint: &Endpoint) -> (String, u16) {
    match &endpoint.place {
        Place::Unix(path) => (path.to_string_lossy().into_owned(), 0),
        Place::Ip(ip, _) => (ip.to_string(), endpoint.port),
        Place::Name(name) => (name.clone(), endpoint.port),
    }
}

/// The finding, with what a look from this side adds.
async fn explained(
    failure: ForwardFailure,
    bastion: &Bastion,
    endpoint: &Endpoint,
    ctx: &Ctx,
    limit: Instant,
) -> Finding {
    let finding = refused(&failure, bastion, endpoint);
    if !std::ptr::eq(finding.cause, &cause::tunnel::TARGET_UNRESOLVED) {
        return finding;
    }
    let Place::Name(name) = &endpoint.place else {
        return finding;
    };
    // Only told when it costs nothing: the answer is at hand or it is left out.
    let looked_up = tokio::net::lookup_host((name.as_str(), endpoint.port));
    let soon = limit.min(Instant::now() + std::time::Duration::from_millis(500));
    match ctx.until(soon, looked_up).await {
        Ok(Ok(addresses)) => {
            let here: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            match here.first().cloned() {
                Some(first) => finding
                    .with("resolves_here", here)
                    .fix(
                        format!(
                            "The name resolves on this machine, to {first}, but not on {}. If that address is right from there too, set hostaddr={first}.",
                            bastion.label
                        ),
                        None,
                    ),
                None => finding,
            }
        }
        _ => finding,
    }
}
