//! All addresses in libpq's order, what is known of each, and what follows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{self, InCluster};
use super::{Reached, advice, classify, slow};
use crate::cause;
use crate::config::{Destination, Hop, Keepalives, Place};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::{StageRecord, ms};
use crate::stage::dns::Resolved;
use crate::stage::hop;
use crate::wire::dial::{self, ConnectError};
use crate::wire::local_end::{BindFault, Unbound};
use crate::wire::{Address, Stream};

/// How long an address is waited for that did not accept from a local end of the
/// configuration's choice.
const LOOK: Duration = Duration::from_secs(1);

/// How many addresses are dialled in all; names with more exist to make trouble.
const MOST: usize = 64;

/// What is known of an address.
#[derive(Clone, Debug)]
pub enum CandidateState {
    /// Not dialled, or no answer yet.
    Unknown,
    /// It accepted, after this time.
    Accepted(Duration),
    /// It did not.
    Missed(ConnectError),
}

/// One entry of the list that libpq goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whose address it is.
    pub destination: usize,
    /// The address, by index; several turns may share one.
    pub at: usize,
}

/// Who is to be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Winner {
    /// This one: everything before it failed.
    Accepted(Candidate),
    /// It depends on what is not known yet.
    Undecided,
    /// Everything failed.
    Nobody,
}

/// All addresses in libpq's order and what is known of them.
pub struct Candidates {
    /// The hosts' names in sentences, with their ports.
    names: Vec<(String, u16)>,
    /// The SSH server that a host is, where it is one.
    hops: Vec<Option<Arc<Hop>>>,
    /// `connect_timeout`, where it is set.
    connect_timeout: Option<Duration>,
    turns: Vec<Candidate>,
    /// The addresses, each once.
    pub addresses: Vec<Address>,
    /// What is known of each.
    pub states: Vec<CandidateState>,
}

impl Candidates {
    pub fn new(
        destinations: &[Destination],
        resolved: &[Resolved],
        connect_timeout: Option<Duration>,
    ) -> Self {
        let mut field = Self {
            names: destinations.iter().map(named).collect(),
            hops: destinations.iter().map(|d| d.hop.clone()).collect(),
            connect_timeout,
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
                field.turns.push(Candidate { destination, at });
            }
        }
        field.states = vec![CandidateState::Unknown; field.addresses.len()];
        field
    }

    pub fn leader(&self) -> Winner {
        for turn in &self.turns {
            match self.states[turn.at] {
                CandidateState::Missed(_) => {}
                CandidateState::Accepted(_) => return Winner::Accepted(*turn),
                CandidateState::Unknown => return Winner::Undecided,
            }
        }
        Winner::Nobody
    }

    /// The hosts that have an address, in order.
    pub fn hosts(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.names.len()).filter(|host| self.turns.iter().any(|t| t.destination == *host))
    }

    fn of_host(&self, host: usize) -> impl Iterator<Item = usize> + '_ {
        self.turns
            .iter()
            .filter(move |turn| turn.destination == host)
            .map(|turn| turn.at)
    }

    fn misses(&self, host: usize) -> Vec<(&Address, &ConnectError)> {
        self.of_host(host)
            .filter_map(|at| match &self.states[at] {
                CandidateState::Missed(miss) => Some((&self.addresses[at], miss)),
                _ => None,
            })
            .collect()
    }

    /// The finding for a host of which every address failed.
    pub fn dead(&self, host: usize) -> Finding {
        self.dead_in(host, &InCluster::default())
    }

    /// The same, with what the cluster has to do with the address that decides.
    fn dead_in(&self, host: usize, cluster: &InCluster) -> Finding {
        let (name, port) = &self.names[host];
        let finding = classify::dead_in(name, *port, &self.misses(host), cluster);
        self.about(host, finding)
    }

    /// A finding about a host, for the kind of server that was meant.
    fn about(&self, host: usize, finding: Finding) -> Finding {
        match &self.hops[host] {
            Some(hop) => hop::dialled(finding, hop),
            None => finding,
        }
    }

    /// The verdict where nothing accepted: the first host's; the others' stand
    /// beside it.
    pub async fn none_works(&self, record: &mut StageRecord, ctx: &Ctx) -> Finding {
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
    pub async fn explained(&self, host: usize, ctx: &Ctx) -> Finding {
        let decisive = classify::decisive(&self.misses(host));
        let address = decisive.map(|(address, _)| address);
        if let Some((address, miss)) = decisive
            && let Some(finding) = self.only_from_there(host, address, miss, ctx).await
        {
            return finding;
        }
        let is_hop = self.hops[host].is_some();
        let cluster = match decisive {
            Some((Address::Tcp(to), miss)) => {
                let name = classify::machine(&self.names[host].0, to);
                cluster::look(&name, *to, miss, ctx).await
            }
            _ => InCluster::default(),
        };
        advice::enrich(self.dead_in(host, &cluster), address, is_hop).await
    }

    /// The finding where the address accepts, and not from the local end that the
    /// configuration sets.
    async fn only_from_there(
        &self,
        host: usize,
        address: &Address,
        miss: &ConnectError,
        ctx: &Ctx,
    ) -> Option<Finding> {
        let end = self.hops[host].as_ref()?.local_end.as_ref()?;
        if matches!(miss.why, dial::Why::Unbound(_)) {
            return None;
        }
        // With more time the first try might have got through too.
        if matches!(miss.why, dial::Why::Late) && ctx.timeout < LOOK {
            return None;
        }
        let limit = ctx.deadline.min(Instant::now() + LOOK);
        let stream = dial::knock(address, &Keepalives::OFF, None, limit)
            .await
            .result
            .ok()?;
        dial::close_socket(stream);
        let refused = ConnectError {
            why: Unbound::of(end, BindFault::Unanswered),
            ..miss.clone()
        };
        let (name, port) = &self.names[host];
        let finding = classify::dead(name, *port, &[(address, &refused)]);
        Some(self.about(host, finding.with("from_there", miss.text())))
    }

    /// The address to use and, after it, everything that has not failed.
    pub fn from(&self, first: Candidate, stream: Stream) -> Vec<Reached> {
        let mut stream = Some(stream);
        self.turns
            .iter()
            .skip_while(|turn| **turn != first)
            .filter(|turn| !matches!(self.states[turn.at], CandidateState::Missed(_)))
            .map(|turn| Reached {
                destination: turn.destination,
                address: self.addresses[turn.at].clone(),
                stream: stream.take(),
            })
            .collect()
    }

    /// The addresses in order, each once, for a report.
    pub fn described(&self) -> Value {
        let described = self.addresses.iter().zip(&self.states);
        described
            .map(|(address, state)| match state {
                CandidateState::Missed(miss) => classify::described(address, miss),
                CandidateState::Accepted(took) => json!({
                    "address": address.to_string(),
                    "outcome": "open",
                    "ms": ms(*took),
                    "errno": null,
                }),
                CandidateState::Unknown => json!({
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
    pub fn warnings(&self, first: Candidate) -> Vec<Finding> {
        let mut warnings = Vec::new();
        for host in self.hosts().filter(|host| *host >= first.destination) {
            let open: Vec<usize> = self
                .of_host(host)
                .filter(|at| matches!(self.states[*at], CandidateState::Accepted(_)))
                .collect();
            let known = self
                .of_host(host)
                .all(|at| !matches!(self.states[at], CandidateState::Unknown));
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
        let mut silent = Vec::new();
        let mut dead = Vec::new();
        for at in self.of_host(host) {
            before &= at != working;
            let CandidateState::Missed(miss) = &self.states[at] else {
                continue;
            };
            let (this, that) = (&self.addresses[at], &self.addresses[working]);
            // An address that this machine has no means to reach comes last in
            // getaddrinfo's order (RFC 6724, rule 1) and hurts nobody.
            if miss.other_family() || (!before && no_such_family(this, that, miss)) {
                continue;
            }
            if before && is_ipv6(this) && miss.why == dial::Why::Errno(libc::ECONNREFUSED) {
                ipv6_refused.push((at, miss));
            } else if before && slow::is_slow(miss) {
                silent.push((at, miss));
            } else {
                dead.push((at, miss));
            }
        }
        let (name, port) = &self.names[host];
        let finding = |row, dead: &[(usize, &ConnectError)]| {
            let text = |at: usize| self.addresses[at].to_string();
            let (first, miss) = dead.first()?;
            let names: Vec<String> = dead.iter().map(|(at, _)| text(*at)).collect();
            let ip = match &self.addresses[working] {
                Address::Tcp(to) => Some(to.ip().to_string()),
                Address::Unix(_) => None,
            };
            let finding = Finding::new(row)
                .with("host", name.clone())
                .with(
                    "name",
                    name.strip_suffix(&format!(":{port}"))
                        .unwrap_or(name)
                        .to_owned(),
                )
                .with("port", *port)
                .with("count", self.of_host(host).count())
                .with("dead", names)
                .with("first_dead", text(*first))
                .with("error", miss.text())
                .with("errno", miss.errno_name())
                .with("working", text(working))
                .with("working_ip", ip)
                .word("database_host", name.clone())
                .with("addresses", self.described_of(host));
            Some(self.about(host, finding))
        };
        let cost = self.cost(host, silent.iter().map(|(_, miss)| *miss));
        let (client, bound) = match self.hops[host] {
            Some(_) => ("ssh", "ConnectTimeout 3 in the SSH configuration"),
            None => ("libpq", "connect_timeout=3 in the target"),
        };
        const BOUND: Duration = Duration::from_secs(3);
        let limit = self.connect_timeout.filter(|_| self.hops[host].is_none());
        let unbounded = cost > BOUND && limit.is_none_or(|limit| limit > BOUND);
        let slow = finding(&cause::tcp::SLOW, &silent).map(|finding| {
            finding
                .with("took", slow::about(cost))
                .with("ms", ms(cost))
                .word("client", client)
                .word("bound", unbounded.then_some(bound))
        });
        // Where the IPv6 ones are all that is wrong, that is the whole story.
        [
            finding(&cause::tcp::IPV6_FIRST, &ipv6_refused),
            finding(&cause::tcp::PARTIAL, &dead),
            slow,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// How long a client waits for addresses of a host that do not answer.
    /// `connect_timeout` is libpq's, not that of ssh.
    fn cost<'a>(&self, host: usize, misses: impl Iterator<Item = &'a ConnectError>) -> Duration {
        let limit = self.connect_timeout.filter(|_| self.hops[host].is_none());
        misses.map(|miss| slow::cost(miss, limit)).sum()
    }

    /// The finding for a dead host before the one that works, with the time that
    /// it costs where it does not answer.
    pub fn with_cost(&self, finding: Finding, host: usize, first: Candidate) -> Finding {
        let misses = self.of_host(host).filter_map(|at| match &self.states[at] {
            CandidateState::Missed(miss) if slow::is_slow(miss) => Some(miss),
            _ => None,
        });
        let cost = self.cost(host, misses);
        if cost.is_zero() {
            return finding;
        }
        finding
            .with("cost", slow::about(cost))
            .with("next_host", self.names[first.destination].0.clone())
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
fn no_such_family(address: &Address, working: &Address, miss: &ConnectError) -> bool {
    let errnos = [libc::ENETUNREACH, libc::EADDRNOTAVAIL, libc::EAFNOSUPPORT];
    is_ipv6(address) != is_ipv6(working)
        && miss.icmp.is_none()
        && matches!(miss.why, dial::Why::Errno(errno) if errnos.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::local_end::{BoundBy, LocalEnd};

    fn miss(errno: i32) -> CandidateState {
        CandidateState::Missed(ConnectError {
            why: dial::Why::Errno(errno),
            icmp: None,
            took: Duration::from_millis(1),
            accepted_ago: None,
        })
    }

    const OPEN: CandidateState = CandidateState::Accepted(Duration::from_millis(1));

    /// Hosts `a`, `b`, … with these addresses.
    fn field(hosts: &[&[(&str, CandidateState)]]) -> Candidates {
        let destinations: Vec<Destination> = ('a'..)
            .take(hosts.len())
            .map(|name| Destination {
                place: Place::Name(name.to_string()),
                port: 5432,
                family: Default::default(),
                hop: None,
            })
            .collect();
        let address = |text: &str| {
            let ip: std::net::IpAddr = text.parse().unwrap();
            Address::Tcp((ip, 5432).into())
        };
        let resolved: Vec<Resolved> = hosts
            .iter()
            .map(|host| host.iter().map(|(ip, _)| address(ip)).collect())
            .collect();
        let mut field = Candidates::new(&destinations, &resolved, Some(Duration::from_secs(3)));
        for (ip, state) in hosts.iter().copied().flatten() {
            let at = field.addresses.iter().position(|a| *a == address(ip));
            field.states[at.unwrap()] = state.clone();
        }
        field
    }

    fn codes(field: &Candidates) -> Vec<&'static str> {
        let Winner::Accepted(first) = field.leader() else {
            return vec![];
        };
        let warnings = field.warnings(first);
        for warning in &warnings {
            let title = format!("{}.", warning.cause.title);
            assert_ne!(warning.summary(), title, "unfilled");
        }
        warnings.iter().map(|warning| warning.cause.code).collect()
    }

    #[test]
    fn the_first_in_order_leads_and_is_waited_for() {
        let refused = || miss(libc::ECONNREFUSED);
        let at = |hosts: &[&[(&str, CandidateState)]]| field(hosts).leader();
        let turn = |destination, at| Winner::Accepted(Candidate { destination, at });
        assert_eq!(
            at(&[&[("10.0.0.1", OPEN), ("10.0.0.2", CandidateState::Unknown)]]),
            turn(0, 0)
        );
        assert_eq!(
            at(&[&[("10.0.0.1", CandidateState::Unknown), ("10.0.0.2", OPEN)]]),
            Winner::Undecided
        );
        assert_eq!(
            at(&[&[("10.0.0.1", refused())], &[("10.0.0.2", OPEN)]]),
            turn(1, 1)
        );
        assert_eq!(at(&[&[], &[("10.0.0.2", OPEN)]]), turn(1, 0));
        assert_eq!(at(&[&[("10.0.0.1", refused())]]), Winner::Nobody);
    }

    #[test]
    fn dead_addresses_of_a_name_are_warnings() {
        let refused = || miss(libc::ECONNREFUSED);
        let none = || miss(libc::ENETUNREACH);
        let warned = |hosts: &[&[(&str, CandidateState)]]| codes(&field(hosts));
        assert_eq!(warned(&[&[("10.0.0.1", OPEN), ("::1", OPEN)]]), [""; 0]);
        assert_eq!(
            warned(&[&[("10.0.0.1", OPEN), ("10.0.0.2", refused())]]),
            ["tcp.partial"]
        );
        assert_eq!(
            warned(&[&[("::1", refused()), ("127.0.0.1", OPEN)]]),
            ["tcp.ipv6-first"]
        );
        assert_eq!(
            warned(&[&[("127.0.0.1", OPEN), ("::1", refused())]]),
            ["tcp.partial"]
        );
        // A family that this machine does not speak comes last and hurts nobody.
        assert_eq!(
            warned(&[&[("10.0.0.1", OPEN), ("2001:db8::1", none())]]),
            [""; 0]
        );
        assert_eq!(
            warned(&[&[("2001:db8::1", OPEN), ("10.0.0.1", none())]]),
            [""; 0]
        );
        assert_eq!(
            warned(&[&[("10.0.0.1", OPEN), ("10.0.0.2", none())]]),
            ["tcp.partial"]
        );
        assert_eq!(
            warned(&[&[("::1", refused()), ("10.0.0.1", OPEN), ("10.0.0.2", none())]]),
            ["tcp.ipv6-first", "tcp.partial"]
        );
        // One that does not answer costs time where it comes first.
        let late = || {
            CandidateState::Missed(ConnectError {
                why: dial::Why::Late,
                icmp: None,
                took: Duration::from_secs(3),
                accepted_ago: None,
            })
        };
        assert_eq!(
            warned(&[&[("::1", late()), ("10.0.0.1", OPEN), ("10.0.0.2", late())]]),
            ["tcp.partial", "tcp.slow"]
        );
        assert_eq!(
            warned(&[&[
                ("10.0.0.1", refused()),
                ("10.0.0.2", late()),
                ("10.0.0.3", OPEN)
            ]]),
            ["tcp.partial", "tcp.slow"]
        );
        // What is not known is not told.
        assert_eq!(
            warned(&[&[("10.0.0.1", OPEN), ("10.0.0.2", CandidateState::Unknown)]]),
            [""; 0]
        );
    }

    /// An address that BindAddress cannot be used for, by its family or at all.
    fn unbound(fault: BindFault) -> CandidateState {
        let end = LocalEnd {
            by: BoundBy::Address,
            value: "10.0.0.9".to_owned(),
            file: "~/.ssh/config".to_owned(),
            line: 3,
        };
        let CandidateState::Missed(miss) = miss(0) else {
            unreachable!()
        };
        CandidateState::Missed(ConnectError {
            why: Unbound::of(&end, fault),
            ..miss
        })
    }

    #[test]
    fn a_local_end_rules_out_the_other_family_and_says_nothing_about_the_rest() {
        let family = || unbound(BindFault::Family);
        let warned = |hosts: &[&[(&str, CandidateState)]]| codes(&field(hosts));
        assert_eq!(warned(&[&[("::1", family()), ("10.0.0.1", OPEN)]]), [""; 0]);
        let dead = |states: &[(&str, CandidateState)]| field(&[states]).dead(0);
        let refused = || miss(libc::ECONNREFUSED);
        let finding = dead(&[("::1", family()), ("10.0.0.1", refused())]);
        assert_eq!(finding.cause.code, "tcp.refused");
        let finding = dead(&[("::1", family())]);
        assert_eq!(finding.cause.code, "tcp.bind");
        assert!(finding.summary().contains("~/.ssh/config, line 3"));
        let foreign = unbound(BindFault::Refused(
            [10, 0, 0, 9].into(),
            libc::EADDRNOTAVAIL,
        ));
        let finding = dead(&[("::1", family()), ("10.0.0.1", foreign)]);
        assert_eq!(finding.evidence["errno"], "EADDRNOTAVAIL");
    }

    #[test]
    fn dead_hosts_behind_the_one_that_works_are_warnings() {
        let refused = || miss(libc::ECONNREFUSED);
        let hosts: &[&[(&str, CandidateState)]] =
            &[&[("10.0.0.1", OPEN)], &[("10.0.0.2", refused())]];
        assert_eq!(codes(&field(hosts)), ["tcp.refused"]);
    }

    #[test]
    fn an_address_of_two_hosts_is_looked_at_once() {
        let field = field(&[&[("10.0.0.1", OPEN)], &[("10.0.0.1", OPEN)]]);
        assert_eq!((field.addresses.len(), field.turns.len()), (1, 2));
    }
}
