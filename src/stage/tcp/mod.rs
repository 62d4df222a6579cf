//! `tcp`: every address of every host, at once, in libpq's order of preference.
//!
//! All addresses are dialled together. The connection that is used is the one
//! libpq would end up with: the first in the order of hosts and, within a
//! host, of getaddrinfo that accepts. What comes after it is only looked at to
//! the side, by a handshake that is closed again without a byte.

mod advice;
mod classify;
mod dial;
mod dials;
mod field;

use serde_json::json;

use crate::cause;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::local;
use crate::report::{Stage, StageRecord, ms};
use crate::stage::dns::Resolved;
use crate::stage::{Aside, Note, Verdict};
use crate::target::{Destination, Keepalives};
use crate::wire::kernel;
use crate::wire::{Address, Stream};

use dial::knock;
use dials::Dials;
use field::{Field, Leader, State, Turn};

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
/// every address that has not failed. Hosts before it that failed are
/// provisional findings. Fails where nothing accepted.
pub async fn probe(
    destinations: &[Destination],
    resolved: &[Resolved],
    keepalives: &Keepalives,
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<Aside>,
) -> Verdict<Vec<Reached>> {
    let mut field = Field::new(destinations, resolved);
    let mut dials = Dials::new(*keepalives, ctx.clone());
    let (first, stream) = loop {
        dials.begin(&field.addresses);
        match field.leader() {
            Leader::Accepted(turn) => match dials.take(turn.at).await {
                Ok(stream) => break (turn, stream),
                Err(miss) => field.states[turn.at] = State::Missed(miss),
            },
            Leader::Undecided => match dials.next().await {
                Some((at, Ok(took))) => field.states[at] = State::Accepted(took),
                Some((at, Err(miss))) => field.states[at] = State::Missed(miss),
                None => return Err(field.none_works(record, ctx).await),
            },
            Leader::Nobody => return Err(field.none_works(record, ctx).await),
        }
    };

    let before: Vec<usize> = field.hosts().filter(|d| *d < first.destination).collect();
    for host in before {
        record.provisional(field.explained(host, ctx).await);
    }
    describe(&field, &field.addresses[first.at], &stream, record);
    let reached = field.from(first, stream);
    aside(field, first, dials, record, asides);
    Ok(reached)
}

/// Dials one address once more: for a retry, or when its turn comes.
pub async fn dial(address: &Address, keepalives: &Keepalives, ctx: &Ctx) -> Verdict<Stream> {
    match knock(address, keepalives, ctx.limit()).await.result {
        Ok(stream) => Ok(stream),
        Err(miss) => {
            let port = match address {
                Address::Tcp(to) => to.port(),
                Address::Unix(_) => 0,
            };
            let finding = classify::dead(&address.to_string(), port, &[(address, &miss)]);
            Err(advice::enrich(finding, Some(address), &ctx.environment).await)
        }
    }
}

/// The connection that is used: facts, the summary line, lost packets.
fn describe(field: &Field, address: &Address, stream: &Stream, record: &mut StageRecord) {
    record.fact("addresses", field.described());
    if let Some(socket) = &stream.socket {
        watch(address, socket, record);
    }
    record.summary = match field.addresses.len() {
        1 => format!("{address} open"),
        n => format!("{address} open, the first of {n} addresses that accepts"),
    };
}

/// Notes what the kernel knows about the connection by now, and lost packets.
/// Called once it is open, and again when the run is over.
pub fn watch(address: &Address, socket: &socket2::Socket, record: &mut StageRecord) {
    let to = match address {
        Address::Tcp(to) => to,
        Address::Unix(_) => {
            if let Some((pid, name)) = local::peer(socket) {
                record.fact("listener", json!({"pid": pid, "name": name}));
            }
            return;
        }
    };
    let Some(info) = kernel::tcp_info(socket) else {
        return;
    };
    record.fact("rtt_ms", ms(info.rtt));
    record.fact("mss", info.mss);
    record.fact("path_mtu", info.path_mtu);
    record.fact("retransmits", info.retransmits);
    if info.retransmits == 0 {
        return;
    }
    let code = cause::tcp::RETRANSMITS.code;
    record.findings.retain(|finding| finding.cause.code != code);
    record.warn(
        Finding::new(&cause::tcp::RETRANSMITS)
            .with("address", address.to_string())
            .with("ip", to.ip().to_string())
            .with("port", to.port())
            .with("retransmits", info.retransmits)
            .with("rtt_ms", ms(info.rtt)),
    );
}

/// What the addresses that are still out do, what it all means, and who it is
/// that accepted, where it is this machine.
fn aside(
    mut field: Field,
    first: Turn,
    mut dials: Dials,
    record: &mut StageRecord,
    asides: &mut Vec<Aside>,
) {
    dials.settle();
    let address = field.addresses[first.at].clone();
    if let Address::Tcp(to) = &address
        && local::is_local(to.ip())
    {
        asides.push(Aside {
            stage: Stage::Tcp,
            task: tokio::task::spawn_blocking(move || {
                let fact = advice::listener_fact(&address);
                fact.map(|fact| Note::Fact("listener", fact))
                    .into_iter()
                    .collect()
            }),
        });
    }
    if dials.pending() == 0 {
        for warning in field.warnings(first) {
            record.warn(warning);
        }
        return;
    }
    asides.push(Aside {
        stage: Stage::Tcp,
        task: tokio::spawn(async move {
            while let Some((at, outcome)) = dials.next().await {
                dials.settle();
                field.states[at] = match outcome {
                    Ok(took) => State::Accepted(took),
                    Err(miss) => State::Missed(miss),
                };
            }
            let mut notes = vec![Note::Fact("addresses", field.described())];
            notes.extend(field.warnings(first).into_iter().map(Note::Warn));
            notes
        }),
    });
}
