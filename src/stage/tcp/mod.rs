//! `tcp`: every address of every host, at once, in libpq's order of preference.
//!
//! All addresses are dialled together. The connection that is used is the one
//! libpq would end up with: the first in the order of hosts and, within a
//! host, of getaddrinfo that accepts. What comes after it is only looked at to
//! the side, by a handshake that is closed again without a byte.

mod advice;
mod attempts;
mod candidates;
mod classify;
mod cluster;
mod slow;

use std::time::Duration;

use serde_json::json;

use crate::cause;
use crate::config::local_end::LocalEnd;
use crate::config::{Destination, Keepalives};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::listeners;
use crate::report::{Stage, StageRecord, ms};
use crate::stage::dns::Resolved;
use crate::stage::{BackgroundCheck, Observation, Verdict};
use crate::wire::tcp_info;
use crate::wire::{Address, Stream};

use crate::wire::dial::knock;
use attempts::Dials;
use candidates::{Candidate, CandidateState, Candidates, Winner};

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
/// order is certain; what later addresses do is an [`BackgroundCheck`].
///
/// The result lists, in libpq's order, the address to use first and after it
/// every address that has not failed. Hosts before it that failed are
/// provisional findings. Fails where nothing accepted. `connect_timeout` is what
/// bounds libpq's own attempts, where it is set.
pub async fn probe(
    destinations: &[Destination],
    resolved: &[Resolved],
    keepalives: &Keepalives,
    connect_timeout: Option<Duration>,
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<BackgroundCheck>,
) -> Verdict<Vec<Reached>> {
    let mut field = Candidates::new(destinations, resolved, connect_timeout);
    // An SSH server is alone in its list.
    let hop = destinations.first().and_then(|first| first.hop.as_ref());
    let local_end = hop.and_then(|hop| hop.local_end.clone());
    let mut dials = Dials::new(*keepalives, local_end, ctx.clone());
    let (first, stream) = loop {
        dials.begin(&field.addresses);
        match field.leader() {
            Winner::Accepted(turn) => match dials.take(turn.at).await {
                Ok(stream) => break (turn, stream),
                Err(miss) => field.states[turn.at] = CandidateState::Missed(miss),
            },
            Winner::Undecided => match dials.next().await {
                Some((at, Ok(took))) => field.states[at] = CandidateState::Accepted(took),
                Some((at, Err(miss))) => field.states[at] = CandidateState::Missed(miss),
                None => return Err(field.none_works(record, ctx).await),
            },
            Winner::Nobody => return Err(field.none_works(record, ctx).await),
        }
    };

    let before: Vec<usize> = field.hosts().filter(|d| *d < first.destination).collect();
    for host in before {
        let finding = field.explained(host, ctx).await;
        record.provisional(field.with_cost(finding, host, first));
    }
    describe(&field, &field.addresses[first.at], &stream, record);
    let reached = field.from(first, stream);
    aside(field, first, dials, record, asides);
    Ok(reached)
}

/// Dials one address once more: for a retry, or when its turn comes.
pub async fn dial(
    address: &Address,
    keepalives: &Keepalives,
    local_end: Option<&LocalEnd>,
    ctx: &Ctx,
) -> Verdict<Stream> {
    let limit = ctx.limit();
    match knock(address, keepalives, local_end, limit).await.result {
        Ok(stream) => Ok(stream),
        Err(miss) => {
            let port = match address {
                Address::Tcp(to) => to.port(),
                Address::Unix(_) => 0,
            };
            let finding = classify::dead(&address.to_string(), port, &[(address, &miss)]);
            Err(advice::enrich(finding, Some(address), false).await)
        }
    }
}

/// The connection that is used: facts, the summary line, lost packets.
fn describe(field: &Candidates, address: &Address, stream: &Stream, record: &mut StageRecord) {
    record.fact("addresses", field.described());
    if let Some(socket) = &stream.socket {
        watch(address, socket, record);
    }
    record.summary = match field.addresses.len() {
        1 => format!("{address} open"),
        n => format!("{address} open, the first of {n} addresses to accept"),
    };
}

/// Notes what the kernel knows about the connection by now, and lost packets.
/// Called once it is open, and again when the run is over.
pub fn watch(address: &Address, socket: &socket2::Socket, record: &mut StageRecord) {
    let to = match address {
        Address::Tcp(to) => to,
        Address::Unix(_) => {
            if let Some((pid, name)) = listeners::peer(socket) {
                record.fact("listener", json!({"pid": pid, "name": name}));
            }
            return;
        }
    };
    let Some(info) = tcp_info::tcp_info(socket) else {
        return;
    };
    record.fact("rtt_ms", ms(info.rtt));
    record.fact("mss", info.mss);
    record.fact("path_mtu", info.path_mtu);
    record.fact("retransmits", info.retransmits);
    // Nothing but SYN has been sent when it is first looked at.
    let before = record.facts.get("syn_retransmits").and_then(|n| n.as_u64());
    let syn = before.map_or(info.retransmits, |n| u32::try_from(n).unwrap_or(u32::MAX));
    record.fact("syn_retransmits", syn);
    let Some(lost) = lost(&info, syn, listeners::is_local(to.ip())) else {
        return;
    };
    record
        .findings
        .retain(|finding| finding.cause != &cause::tcp::RETRANSMITS);
    record.warn(
        Finding::new(&cause::tcp::RETRANSMITS)
            .with("address", address.to_string())
            .with("ip", to.ip().to_string())
            .with("port", to.port())
            .with("lost", lost)
            .word(
                "packets",
                match lost {
                    1 => "a packet".to_owned(),
                    n => format!("{n} packets"),
                },
            )
            .with("retransmits", info.retransmits)
            .with("syn_retransmits", syn)
            .with("spurious", info.spurious)
            .with("rtt_ms", ms(info.rtt)),
    );
}

/// How many packets were lost, as far as that is certain enough to warn. A
/// segment is also sent again where its acknowledgement is late, as it is on a
/// busy machine: the peer then says that it had it already (DSACK). A request
/// to connect is sent again only after a second without an answer.
fn lost(info: &tcp_info::TcpInfo, syn: u32, local: bool) -> Option<u32> {
    // Within one machine nothing gets lost, and a busy one is late.
    const FEW_WITHIN_A_MACHINE: u32 = 4;
    let data = info.retransmits.saturating_sub(syn);
    let data = data.saturating_sub(info.spurious);
    let certain = match (local, info.sack) {
        (true, _) => FEW_WITHIN_A_MACHINE,
        (false, true) => 1,
        (false, false) => 2,
    };
    let data = if data < certain { 0 } else { data };
    Some(syn.saturating_add(data)).filter(|lost| *lost > 0)
}

/// Finds the process that accepted, where the address is this machine's. It reads every
/// descriptor of every process in `/proc`: its cost grows with the machine.
pub fn find_listener(address: &Address) -> Option<BackgroundCheck> {
    let to = match address {
        Address::Tcp(to) if listeners::is_local(to.ip()) => *to,
        _ => return None,
    };
    Some(BackgroundCheck {
        stage: Stage::Tcp,
        task: tokio::task::spawn_blocking(move || {
            let found = listeners::listener(to).map(|one| one.to_json());
            let fact = found.map(|fact| Observation::Fact("listener", fact));
            fact.into_iter().collect()
        }),
    })
}

/// What the addresses that are still out do, and what it all means.
fn aside(
    mut field: Candidates,
    first: Candidate,
    mut dials: Dials,
    record: &mut StageRecord,
    asides: &mut Vec<BackgroundCheck>,
) {
    dials.settle();
    if dials.pending() == 0 {
        for warning in field.warnings(first) {
            record.warn(warning);
        }
        return;
    }
    asides.push(BackgroundCheck {
        stage: Stage::Tcp,
        task: tokio::spawn(async move {
            while let Some((at, outcome)) = dials.next().await {
                dials.settle();
                field.states[at] = match outcome {
                    Ok(took) => CandidateState::Accepted(took),
                    Err(miss) => CandidateState::Missed(miss),
                };
            }
            let mut notes = vec![Observation::Fact("addresses", field.described())];
            notes.extend(field.warnings(first).into_iter().map(Observation::Warn));
            notes
        }),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(retransmits: u32, spurious: u32, sack: bool) -> tcp_info::TcpInfo {
        tcp_info::TcpInfo {
            rtt: Duration::from_millis(1),
            retransmits,
            spurious,
            sack,
            path_mtu: 1500,
            mss: 1448,
            advertised_mss: 1448,
            received_mss: 536,
            unacked: 0,
            since_received: Duration::ZERO,
            bytes_received: 0,
            bytes_acked: 0,
            out_of_order: 0,
        }
    }

    #[test]
    fn a_late_acknowledgement_is_no_loss() {
        assert_eq!(lost(&info(0, 0, true), 0, false), None);
        assert_eq!(lost(&info(1, 1, true), 0, false), None);
        assert_eq!(lost(&info(2, 1, true), 0, false), Some(1));
        assert_eq!(lost(&info(1, 0, false), 0, false), None);
        assert_eq!(lost(&info(2, 0, false), 0, false), Some(2));
    }

    #[test]
    fn within_one_machine_only_much_is_loss() {
        assert_eq!(lost(&info(2, 0, true), 0, true), None);
        assert_eq!(lost(&info(5, 0, true), 0, true), Some(5));
        assert_eq!(lost(&info(1, 0, true), 1, true), Some(1));
        assert_eq!(lost(&info(3, 0, true), 1, true), Some(1));
    }
}
