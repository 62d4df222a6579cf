//! `tcp`: every address of every host, at once, in libpq's order of preference.
//!
//! All addresses are dialled together. The connection that is used is the one
//! libpq would end up with: the first in the order of hosts and, within a
//! host, of getaddrinfo that accepts. What comes after it is only looked at to
//! the side, by a handshake that is closed again without a byte.

mod advice;
mod classify;
mod dial;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::cause;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::local;
use crate::report::{Stage, StageRecord, ms};
use crate::stage::dns::Resolved;
use crate::stage::{Aside, Note, Verdict};
use crate::target::{Destination, Keepalives, Place};
use crate::wire::kernel;
use crate::wire::{Address, Stream};

use dial::{Knock, Miss, hang_up, knock};

/// How many addresses are dialled at once.
const AT_ONCE: usize = 16;

/// How many addresses are dialled in all; names with more exist to make trouble.
const MOST: usize = 64;

/// An accepted connection that waited longer than this for an earlier address
/// is dialled anew: the peer may have its own ideas about silence.
const FRESH: Duration = Duration::from_secs(1);

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

/// What is known of an address.
#[derive(Clone, Debug)]
enum State {
    /// Not dialled, or no answer yet.
    Unknown,
    /// It accepted, after this time.
    Accepted(Duration),
    /// It did not.
    Missed(Miss),
}

/// One entry of the list that libpq goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    /// Whose address it is.
    destination: usize,
    /// The address, by index; several turns may share one.
    at: usize,
}

/// Who is to be used.
#[derive(Debug, PartialEq, Eq)]
enum Leader {
    /// This one: everything before it failed.
    Accepted(Turn),
    /// It depends on what is not known yet.
    Undecided,
    /// Everything failed.
    Nobody,
}

/// All addresses in libpq's order and what is known of them.
struct Field {
    /// The hosts' names in sentences, with their ports.
    names: Vec<(String, u16)>,
    turns: Vec<Turn>,
    addresses: Vec<Address>,
    states: Vec<State>,
}

impl Field {
    fn new(destinations: &[Destination], resolved: &[Resolved]) -> Self {
        let mut field = Self {
            names: destinations.iter().map(named).collect(),
            turns: Vec::new(),
            addresses: Vec::new(),
            states: Vec::new(),
        };
        for (destination, addresses) in resolved.iter().enumerate() {
            for address in addresses {
                let known = field.addresses.iter().position(|a| a == address);
                let at = match known {
                    Some(at) => at,
                    None if field.addresses.len() >= MOST => continue,
                    None => {
                        field.addresses.push(address.clone());
                        field.addresses.len() - 1
                    }
                };
                field.turns.push(Turn { destination, at });
            }
        }
        field.states = vec![State::Unknown; field.addresses.len()];
        field
    }

    fn leader(&self) -> Leader {
        for turn in &self.turns {
            match self.states[turn.at] {
                State::Missed(_) => {}
                State::Accepted(_) => return Leader::Accepted(*turn),
                State::Unknown => return Leader::Undecided,
            }
        }
        Leader::Nobody
    }

    /// The hosts that have an address, in order.
    fn hosts(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.names.len()).filter(|host| self.turns.iter().any(|t| t.destination == *host))
    }

    fn of_host(&self, host: usize) -> impl Iterator<Item = usize> + '_ {
        self.turns
            .iter()
            .filter(move |turn| turn.destination == host)
            .map(|turn| turn.at)
    }

    /// The finding for a host of which every address failed.
    fn dead(&self, host: usize) -> Finding {
        let misses: Vec<(&Address, &Miss)> = self
            .of_host(host)
            .filter_map(|at| match &self.states[at] {
                State::Missed(miss) => Some((&self.addresses[at], miss)),
                _ => None,
            })
            .collect();
        let (name, port) = &self.names[host];
        classify::dead(name, *port, &misses)
    }

    /// The verdict where nothing accepted: the first host's; the others' stand
    /// beside it.
    async fn none_works(&self, record: &mut StageRecord, ctx: &Ctx) -> Finding {
        record.fact("addresses", self.described());
        let mut hosts = self.hosts();
        let first = match hosts.next() {
            Some(host) => self.explained(host, ctx).await,
            None => classify::dead("", 0, &[]),
        };
        for host in hosts {
            record.provisional(self.explained(host, ctx).await);
        }
        first
    }

    /// [`Self::dead`], with what this machine knows about the first address.
    async fn explained(&self, host: usize, ctx: &Ctx) -> Finding {
        let address = self.of_host(host).next().map(|at| &self.addresses[at]);
        advice::enrich(self.dead(host), address, &ctx.environment).await
    }

    /// The address to use and, after it, everything that has not failed.
    fn from(&self, first: Turn, stream: Stream) -> Vec<Reached> {
        let mut stream = Some(stream);
        self.turns
            .iter()
            .skip_while(|turn| **turn != first)
            .filter(|turn| !matches!(self.states[turn.at], State::Missed(_)))
            .map(|turn| Reached {
                destination: turn.destination,
                address: self.addresses[turn.at].clone(),
                stream: stream.take(),
            })
            .collect()
    }

    /// The addresses in order, each once, for a report.
    fn described(&self) -> Value {
        let described = self.addresses.iter().zip(&self.states);
        described
            .map(|(address, state)| match state {
                State::Missed(miss) => classify::described(address, miss),
                State::Accepted(took) => json!({
                    "address": address.to_string(),
                    "outcome": "open",
                    "ms": ms(*took),
                    "errno": null,
                }),
                State::Unknown => json!({
                    "address": address.to_string(),
                    "outcome": "unknown",
                    "ms": null,
                    "errno": null,
                }),
            })
            .collect()
    }

    /// What a run that connected has to say about the addresses that did not:
    /// dead hosts after the one that is used, and dead addresses of hosts that
    /// work.
    fn warnings(&self, first: Turn) -> Vec<Finding> {
        let mut warnings = Vec::new();
        for host in self.hosts().filter(|host| *host >= first.destination) {
            let open: Vec<usize> = self
                .of_host(host)
                .filter(|at| matches!(self.states[*at], State::Accepted(_)))
                .collect();
            let known = self
                .of_host(host)
                .all(|at| !matches!(self.states[at], State::Unknown));
            match open.first() {
                None if known => warnings.push(self.dead(host)),
                None => {}
                Some(working) => warnings.extend(self.mixed(host, *working)),
            }
        }
        warnings
    }

    /// A host with a working address, and its dead ones.
    fn mixed(&self, host: usize, working: usize) -> Vec<Finding> {
        let mut before = true;
        let mut ipv6_refused = Vec::new();
        let mut dead = Vec::new();
        for at in self.of_host(host) {
            before &= at != working;
            let State::Missed(miss) = &self.states[at] else {
                continue;
            };
            let (this, that) = (&self.addresses[at], &self.addresses[working]);
            // An address that this machine has no means to reach comes last in
            // getaddrinfo's order (RFC 6724, rule 1) and hurts nobody.
            if !before && no_such_family(this, that, miss) {
                continue;
            }
            if before && is_ipv6(this) && miss.why == dial::Why::Errno(libc::ECONNREFUSED) {
                ipv6_refused.push((at, miss));
            } else {
                dead.push((at, miss));
            }
        }
        let (name, port) = &self.names[host];
        let finding = |row, dead: &[(usize, &Miss)]| {
            let text = |at: usize| self.addresses[at].to_string();
            let (first, miss) = dead.first()?;
            let names: Vec<String> = dead.iter().map(|(at, _)| text(*at)).collect();
            let ip = match &self.addresses[working] {
                Address::Tcp(to) => Some(to.ip().to_string()),
                Address::Unix(_) => None,
            };
            Some(
                Finding::new(row)
                    .with("host", name.as_str())
                    .with(
                        "name",
                        name.strip_suffix(&format!(":{port}")).unwrap_or(name),
                    )
                    .with("port", *port)
                    .with("count", self.of_host(host).count())
                    .with("dead", names)
                    .with("first_dead", text(*first))
                    .with("error", miss.text())
                    .with("errno", miss.errno_name())
                    .with("working", text(working))
                    .with("working_ip", ip)
                    .with("addresses", self.described_of(host)),
            )
        };
        // Where the IPv6 ones are all that is wrong, that is the whole story.
        [
            finding(&cause::tcp::IPV6_FIRST, &ipv6_refused),
            finding(&cause::tcp::PARTIAL, &dead),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn described_of(&self, host: usize) -> Value {
        let all = self.described();
        self.of_host(host)
            .filter_map(|at| all.get(at).cloned())
            .collect()
    }
}

/// The host's name in sentences, and its port.
fn named(destination: &Destination) -> (String, u16) {
    let port = destination.port;
    let name = match &destination.place {
        Place::Unix(path) => path.display().to_string(),
        Place::Ip(std::net::IpAddr::V6(ip), scope) => {
            std::net::SocketAddrV6::new(*ip, port, 0, *scope).to_string()
        }
        Place::Ip(ip, _) => std::net::SocketAddr::new(*ip, port).to_string(),
        Place::Name(name) => format!("{name}:{port}"),
    };
    (name, port)
}

fn is_ipv6(address: &Address) -> bool {
    matches!(address, Address::Tcp(to) if to.is_ipv6())
}

/// Whether an address failed only because this machine does not speak its
/// family, while one of the other family works.
fn no_such_family(address: &Address, working: &Address, miss: &Miss) -> bool {
    let errnos = [libc::ENETUNREACH, libc::EADDRNOTAVAIL, libc::EAFNOSUPPORT];
    is_ipv6(address) != is_ipv6(working)
        && miss.icmp.is_none()
        && matches!(miss.why, dial::Why::Errno(errno) if errnos.contains(&errno))
}

/// The dials that are out, and the connections that came of them.
struct Dials {
    keepalives: Keepalives,
    ctx: Ctx,
    /// How many addresses have been dialled.
    begun: usize,
    /// The addresses, known once dialling has begun.
    addresses: Arc<Vec<Address>>,
    tasks: JoinSet<(usize, Knock)>,
    /// Open connections, with the time they were opened.
    open: Vec<(usize, Stream, Instant)>,
}

impl Dials {
    fn new(keepalives: Keepalives, ctx: Ctx) -> Self {
        Self {
            keepalives,
            ctx,
            begun: 0,
            addresses: Arc::default(),
            tasks: JoinSet::new(),
            open: Vec::new(),
        }
    }

    /// Dials the next addresses, where those before them are all back and
    /// none is open.
    fn begin(&mut self, addresses: &[Address]) {
        if self.addresses.is_empty() {
            self.addresses = Arc::new(addresses.to_vec());
        }
        if !self.tasks.is_empty() || !self.open.is_empty() {
            return;
        }
        let limit = self.ctx.limit();
        for at in (self.begun..self.addresses.len()).take(AT_ONCE) {
            let (addresses, keepalives) = (Arc::clone(&self.addresses), self.keepalives);
            self.tasks
                .spawn(async move { (at, knock(&addresses[at], &keepalives, limit).await) });
            self.begun = at + 1;
        }
    }

    /// The next address that is back: the time it took to accept, or its miss.
    async fn next(&mut self) -> Option<(usize, Result<Duration, Miss>)> {
        let (at, knock) = self.tasks.join_next().await?.ok()?;
        Some(match knock.result {
            Ok(stream) => {
                self.open.push((at, stream, Instant::now()));
                (at, Ok(knock.took))
            }
            Err(miss) => (at, Err(miss)),
        })
    }

    /// The open connection of an address, dialled anew if it waited too long.
    async fn take(&mut self, at: usize) -> Result<Stream, Miss> {
        let held = self.open.iter().position(|(other, _, _)| *other == at);
        if let Some(held) = held {
            let (_, stream, since) = self.open.swap_remove(held);
            if since.elapsed() < FRESH {
                return Ok(stream);
            }
            hang_up(stream);
        }
        knock(&self.addresses[at], &self.keepalives, self.ctx.limit())
            .await
            .result
    }

    /// Hangs up on everything that is open: it was only a look.
    fn settle(&mut self) {
        for (_, stream, _) in self.open.drain(..) {
            hang_up(stream);
        }
    }

    fn pending(&self) -> usize {
        self.tasks.len()
    }
}
