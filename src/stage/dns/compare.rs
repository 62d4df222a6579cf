//! The system resolver's answer beside the name servers', and what is odd
//! about them although the name resolves. Pure.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::classify::{Settings, described, described_by_kind, sentences};
use super::name;
use super::servers::{AnswerKind, HalfError, ServerAnswer};
use crate::cause;
use crate::finding::Finding;
use crate::wire;

/// The local source that people edit.
const HOSTS: &str = "/etc/hosts";

/// Something about the answers that deserves a word although the name resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A local source overrides what DNS says.
    Override,
    /// The name servers do not know it.
    SystemOnly,
    /// The name servers differ.
    Disagree,
    /// One of them returns an error for one kind of addresses alone.
    HalfError,
    /// It has public IPv6 addresses, and no IPv4 address.
    Ipv6Only,
}

/// Compares the answers for a name. `system` is what the system resolver
/// gives, empty where it fails.
pub fn compare(
    name: &str,
    system: &[IpAddr],
    servers: &[ServerAnswer],
    settings: &Settings,
) -> Vec<Oddity> {
    let mut odd = Vec::new();
    if name::is_localhost(name) {
        return odd;
    }
    let disjoint = |a: &[IpAddr], b: &[IpAddr]| !a.iter().any(|ip| b.contains(ip));
    if disagree(servers) {
        odd.push(Oddity::Disagree);
    }
    if system.is_empty() {
        return odd;
    }
    let dns: Vec<IpAddr> = servers.iter().flat_map(|s| s.addresses.clone()).collect();
    let local = local_source(name, system, settings).is_some();
    // Where nothing local has the name, one of the servers had it: a failure to
    // tell us so proves nothing.
    let denied = servers
        .iter()
        .any(|s| s.outcome.is_answer() || local && matches!(s.outcome, AnswerKind::Failed(_)));
    if !dns.is_empty() {
        // Without a local source the difference is DNS's own, such as a name
        // whose address changes with every question. What a search domain has
        // says nothing of the name itself.
        let other_name = servers.iter().any(|s| s.is_of_other_name(name));
        if disjoint(system, &dns) && local && !other_name {
            odd.push(Oddity::Override);
        }
    } else if denied {
        odd.push(Oddity::SystemOnly);
    }
    if !local && half_error(servers).is_some() {
        odd.push(Oddity::HalfError);
    } else if !local && is_ipv6_only(system, servers) {
        odd.push(Oddity::Ipv6Only);
    }
    odd
}

/// The first server with an error for one kind of addresses that musl takes for
/// the whole name's. It asks all servers and waits for the first that says
/// something of the name: a failure matters where none does.
fn half_error(servers: &[ServerAnswer]) -> Option<(&ServerAnswer, HalfError)> {
    let kind = |server: &ServerAnswer, family| match family {
        "IPv6" => server.ipv6,
        _ => Some(server.ipv4),
    };
    servers
        .iter()
        .filter_map(|server| Some((server, server.half_error()?)))
        .find(|(_, error)| {
            let told = |s: &ServerAnswer| kind(s, error.family).is_some_and(AnswerKind::is_answer);
            error.kind == AnswerKind::NxDomain || !servers.iter().any(told)
        })
}

/// Whether that error is NXDOMAIN.
pub fn is_half_missing(servers: &[ServerAnswer]) -> bool {
    half_error(servers).is_some_and(|(_, error)| error.kind == AnswerKind::NxDomain)
}

/// Whether a name is for clients anywhere, and for those with IPv6 alone.
fn is_ipv6_only(system: &[IpAddr], servers: &[ServerAnswer]) -> bool {
    system.iter().all(wire::is_public_ipv6)
        && servers.iter().any(|s| s.ipv4 == AnswerKind::NoData)
        && !servers.iter().any(|s| s.ipv4 == AnswerKind::Addresses)
}

/// Whether name servers that answered have nothing in common.
fn disagree(servers: &[ServerAnswer]) -> bool {
    let answered: Vec<&ServerAnswer> = servers.iter().filter(|s| s.outcome.is_answer()).collect();
    answered.iter().enumerate().any(|(at, a)| {
        answered.iter().skip(at + 1).any(|b| {
            let shared = a.addresses.iter().any(|ip| b.addresses.contains(ip));
            let both_none = a.addresses.is_empty() && b.addresses.is_empty();
            !shared && !both_none
        })
    })
}

/// The local source that an answer comes from, as people know it.
pub fn local_source(name: &str, system: &[IpAddr], settings: &Settings) -> Option<String> {
    let entries = super::resolv::hosts_entries(&settings.hosts, name);
    if system.iter().any(|ip| entries.contains(ip)) {
        return Some(HOSTS.to_owned());
    }
    let others: Vec<&str> = settings
        .sources
        .iter()
        .map(String::as_str)
        .filter(|source| !matches!(*source, "files" | "dns"))
        .collect();
    match others.is_empty() {
        true => None,
        false => Some(format!("another local source ({})", others.join(", "))),
    }
}

/// The finding for an oddity.
pub fn odd_finding(
    oddity: Oddity,
    name: &str,
    system: &[IpAddr],
    servers: &[ServerAnswer],
    settings: &Settings,
) -> Finding {
    use cause::dns::*;
    let texts = |ips: &[IpAddr]| {
        let mut texts: Vec<String> = ips.iter().map(ToString::to_string).collect();
        texts.dedup();
        texts
    };
    let mut dns: Vec<IpAddr> = Vec::new();
    for ip in servers.iter().flat_map(|s| &s.addresses) {
        if !dns.contains(ip) {
            dns.push(*ip);
        }
    }
    let source =
        local_source(name, system, settings).unwrap_or_else(|| "the system resolver".to_owned());
    let row = match oddity {
        Oddity::Override => &HOSTS_OVERRIDE,
        Oddity::SystemOnly => &SYSTEM_ONLY,
        Oddity::Disagree => &DISAGREE,
        Oddity::HalfError => return half_error_finding(name, servers),
        Oddity::Ipv6Only => return ipv6_only_finding(name, &texts(system), servers),
    };
    let disagree = matches!(oddity, Oddity::Disagree);
    // What the system did not get, although a name server has it.
    let unused = servers.iter().map(|server| &server.addresses);
    let mut unused = unused.filter(|ips| !ips.iter().any(|ip| system.contains(ip)));
    let other = unused.find(|ips| !ips.is_empty() && !system.is_empty() && disagree);
    // Public names may have more addresses than one answer holds.
    let public = |ips: &[IpAddr]| ips.iter().all(|ip| !is_private(ip));
    let leads = match oddity {
        Oddity::Override => source == HOSTS && is_moved(system, &dns),
        _ => other.is_some_and(|other| !public(other) || !public(system)),
    };
    let finding = Finding::new(row)
        .with("name", name.to_owned())
        .with("other", other.map(|ips| texts(ips)))
        .with("source", (!disagree).then_some(source))
        .with("addresses", texts(system))
        .with("dns", (!disagree).then(|| texts(&dns)))
        .with("answers", sentences(servers))
        .word(
            "lack",
            match servers.iter().any(|s| s.outcome.is_answer()) {
                true => "do not know it",
                false => "return an error for it",
            },
        )
        .with("name_servers", described(servers));
    match leads {
        true => finding.leading(),
        false => finding,
    }
}

/// Whether a name that was given one address may have moved to another: both are of
/// the same network. A loopback address beside another is a tunnel, and a private one
/// beside a public one another way to the same server.
pub fn is_moved(given: &[IpAddr], dns: &[IpAddr]) -> bool {
    given
        .iter()
        .any(|one| dns.iter().any(|two| kind(one) == kind(two)))
}

/// The network that an address is of: whether it is an IPv6 address, one of this
/// machine, one of a private network.
fn kind(ip: &IpAddr) -> (bool, bool, bool) {
    (ip.is_ipv6(), ip.is_loopback(), is_private(ip))
}

fn is_private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared(*v4)
        }
        v6 => !wire::is_public_ipv6(v6),
    }
}

/// Whether an address is of the space that providers share (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xc0 == 64
}

fn half_error_finding(name: &str, servers: &[ServerAnswer]) -> Finding {
    let finding = Finding::new(&cause::dns::HALF_ERROR).with("name", name.to_owned());
    let Some((server, error)) = half_error(servers) else {
        return finding;
    };
    finding
        .with("server", server.server.ip().to_string())
        .with("asked", server.asked.clone())
        .with("records", error.records)
        .with("family", error.family)
        .word("node_family", if error.records == "A" { 6 } else { 4 })
        .with("code", error.kind.name())
        .with("answers", sentences(servers))
        .with("name_servers", described_by_kind(servers))
}

fn ipv6_only_finding(name: &str, addresses: &[String], servers: &[ServerAnswer]) -> Finding {
    Finding::new(&cause::dns::IPV6_ONLY)
        .with("name", name.to_owned())
        .with("addresses", addresses.to_vec())
        .with("name_servers", described_by_kind(servers))
}

/// Whether the servers' own slowness accounts for a system resolver that is
/// not back: one of them leaves questions unanswered, or took its time.
pub fn explains_delay(servers: &[ServerAnswer]) -> bool {
    servers.iter().any(|s| {
        s.outcome == AnswerKind::Silent || s.half_silent || s.took > Duration::from_millis(900)
    })
}

#[cfg(test)]
pub mod fixtures {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::super::compose;
    use super::super::resolv::Resolv;
    use super::*;
    use crate::report::Environment;

    pub fn settings(hosts: &str, sources: &[&str]) -> Settings {
        Settings {
            resolv: Resolv::parse(
                "nameserver 10.0.0.1\nnameserver 10.0.0.2\n",
                "box",
                None,
                None,
            ),
            unreadable: None,
            hosts: hosts.to_owned(),
            sources: sources.iter().map(|s| (*s).to_owned()).collect(),
            surroundings: Arc::default(),
            compose: compose::with(&[("ledger", "compose.yaml")]).into(),
            environment: Environment::default(),
            ports: BTreeMap::new(),
            hop: None,
            pod: None,
        }
    }

    pub fn server(n: u8, outcome: AnswerKind, addresses: &[[u8; 4]]) -> ServerAnswer {
        ServerAnswer {
            server: SocketAddr::from(([10, 0, 0, n], 53)),
            outcome,
            asked: "x".to_owned(),
            tried: vec!["x".to_owned()],
            addresses: addresses.iter().map(|ip| IpAddr::from(*ip)).collect(),
            chain: Vec::new(),
            ttl: None,
            ipv4: outcome,
            ipv6: Some(match outcome {
                AnswerKind::Addresses => AnswerKind::NoData,
                other => other,
            }),
            half_silent: false,
            no_ipv4_answer: false,
            took: Duration::from_millis(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::ResponseCode;

    use super::super::servers::Code;
    use super::fixtures::{server, settings};
    use super::*;

    const SERVFAIL: AnswerKind = AnswerKind::Failed(Code::Rcode(ResponseCode::ServFail));
    const SHUT: AnswerKind = AnswerKind::Unusable(libc::ECONNREFUSED);
    use AnswerKind::{Addresses, NoData, NxDomain, Silent};

    fn odd(
        system: &[[u8; 4]],
        servers: &[ServerAnswer],
        hosts: &str,
        sources: &[&str],
    ) -> Vec<Oddity> {
        let system: Vec<IpAddr> = system.iter().map(|ip| IpAddr::from(*ip)).collect();
        compare("db.test", &system, servers, &settings(hosts, sources))
    }

    #[test]
    fn local_sources_are_compared_with_dns() {
        let here = [10, 0, 0, 7];
        let asked = |asked: &str, ip| ServerAnswer {
            asked: asked.to_owned(),
            ..server(1, Addresses, &[ip])
        };
        let says = |ip| asked("db.test", ip);
        let no = server(1, NxDomain, &[]);
        let hosts = "10.0.0.7 db.test\n";
        let usual = ["files", "dns"];
        assert_eq!(
            odd(&[here], &[says([10, 0, 0, 8])], hosts, &usual),
            [Oddity::Override]
        );
        assert_eq!(odd(&[here], &[says(here)], hosts, &usual), []);
        // A search domain's wildcard says nothing of the name itself.
        let other_name = asked("db.test.corp.test", [10, 0, 0, 8]);
        assert_eq!(odd(&[here], &[other_name], hosts, &usual), []);
        assert_eq!(
            odd(&[here], std::slice::from_ref(&no), hosts, &usual),
            [Oddity::SystemOnly]
        );
        assert_eq!(
            odd(&[here], &[server(1, SERVFAIL, &[])], hosts, &usual),
            [Oddity::SystemOnly]
        );
        // Nobody to say otherwise.
        assert_eq!(odd(&[here], &[server(1, Silent, &[])], hosts, &usual), []);
        assert_eq!(odd(&[here], &[server(1, SHUT, &[])], hosts, &usual), []);
        // A name whose address changes with every question.
        assert_eq!(odd(&[here], &[says([10, 0, 0, 8])], "", &usual), []);
        assert_eq!(
            odd(&[here], &[says([10, 0, 0, 8])], "", &["files", "resolve"]),
            [Oddity::Override]
        );
        let settings = settings("127.0.0.1 localhost\n", &usual);
        assert_eq!(
            compare("localhost", &[[127, 0, 0, 1].into()], &[no], &settings),
            []
        );
    }

    #[test]
    fn servers_agree_when_they_share_an_address() {
        let a = server(1, Addresses, &[[10, 0, 0, 7], [10, 0, 0, 8]]);
        let b = server(2, Addresses, &[[10, 0, 0, 8]]);
        let c = server(2, Addresses, &[[10, 0, 0, 9]]);
        let no = server(2, NxDomain, &[]);
        let usual = ["files", "dns"];
        let system = [[10, 0, 0, 7]];
        assert_eq!(odd(&system, &[a.clone(), b], "", &usual), []);
        assert_eq!(
            odd(&system, &[a.clone(), c], "", &usual),
            [Oddity::Disagree]
        );
        assert_eq!(
            odd(&system, &[a.clone(), no], "", &usual),
            [Oddity::Disagree]
        );
        assert_eq!(
            odd(&system, &[a.clone(), server(2, Silent, &[])], "", &usual),
            []
        );
        assert_eq!(odd(&system, &[a, server(2, SERVFAIL, &[])], "", &usual), []);
    }

    #[test]
    fn an_error_for_one_kind_of_addresses_is_odd() {
        let half = |n, ipv4, ipv6| ServerAnswer {
            ipv4,
            ipv6: Some(ipv6),
            ..server(n, Addresses, &[[10, 0, 0, 7]])
        };
        let usual = ["files", "dns"];
        let system = [[10, 0, 0, 7]];
        const REFUSED: AnswerKind = AnswerKind::Failed(Code::Rcode(ResponseCode::Refused));
        let fine = || half(2, Addresses, NoData);
        for (servers, is_odd) in [
            (vec![half(1, Addresses, NxDomain)], true),
            (vec![half(1, Addresses, SERVFAIL)], true),
            (vec![half(1, Addresses, REFUSED)], true),
            (vec![half(1, NxDomain, Addresses)], true),
            (vec![half(1, Addresses, NxDomain), fine()], true),
            // Another server's answer is used in place of a failure.
            (vec![half(1, Addresses, SERVFAIL), fine()], false),
            (vec![fine()], false),
            (vec![half(1, Addresses, Addresses)], false),
            (vec![half(1, Addresses, Silent)], false),
            (vec![half(1, NoData, Addresses)], false),
        ] {
            let odd = odd(&system, &servers, "", &usual);
            assert_eq!(odd.contains(&Oddity::HalfError), is_odd, "{servers:?}");
        }
        let local = odd(
            &system,
            &[half(1, Addresses, NxDomain)],
            "10.0.0.7 db.test\n",
            &usual,
        );
        assert_eq!(local, []);
    }

    #[test]
    fn public_ipv6_addresses_alone_are_odd() {
        let only = |n| ServerAnswer {
            addresses: vec!["2a05:d014::7".parse().unwrap()],
            ipv4: NoData,
            ipv6: Some(Addresses),
            ..server(n, Addresses, &[])
        };
        let settings = settings("", &["files", "dns"]);
        let odd = |system: &[&str], servers: &[ServerAnswer]| {
            let system: Vec<IpAddr> = system.iter().map(|ip| ip.parse().unwrap()).collect();
            compare("db.test", &system, servers, &settings)
        };
        let public = "2a05:d014::7";
        assert_eq!(odd(&[public], &[only(1)]), [Oddity::Ipv6Only]);
        assert_eq!(odd(&[public, "10.0.0.7"], &[only(1)]), []);
        assert_eq!(odd(&["fd00::7"], &[only(1)]), []);
        let unknown = ServerAnswer {
            ipv4: Silent,
            ..only(1)
        };
        assert_eq!(odd(&[public], &[unknown]), []);
    }

    #[test]
    fn a_name_moves_within_its_network() {
        for (given, dns, moved) in [
            ("10.0.0.1", "10.0.0.2", true),
            ("10.0.0.1", "172.16.0.2", true),
            ("127.0.0.1", "127.0.0.2", true),
            ("203.0.113.1", "203.0.113.2", true),
            ("2001:db8::1", "2001:db8::2", true),
            ("100.64.0.1", "10.0.0.2", true),
            ("127.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "203.0.113.2", false),
            ("10.0.0.1", "fd00::1", false),
        ] {
            let (given, dns) = (given.parse().unwrap(), dns.parse().unwrap());
            assert_eq!(is_moved(&[given], &[dns]), moved, "{given} {dns}");
        }
    }

    #[test]
    fn warnings_have_their_sentences() {
        let settings = settings("10.0.0.7 db.test\n", &["files", "dns"]);
        let servers = [
            server(1, Addresses, &[[10, 0, 0, 8]]),
            server(2, NxDomain, &[]),
        ];
        let system = [IpAddr::from([10, 0, 0, 7])];
        let servers = [
            ServerAnswer {
                ipv6: Some(NxDomain),
                ..servers[0].clone()
            },
            servers[1].clone(),
        ];
        for oddity in [
            Oddity::Override,
            Oddity::SystemOnly,
            Oddity::Disagree,
            Oddity::HalfError,
            Oddity::Ipv6Only,
        ] {
            let finding = odd_finding(oddity, "db.test", &system, &servers, &settings);
            assert_ne!(finding.summary(), format!("{}.", finding.cause.title));
        }
    }
}
