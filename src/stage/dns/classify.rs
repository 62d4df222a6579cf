//! From what the system resolver and the name servers said to a cause. Pure.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::name::{self, Inside};
use super::resolv::Resolv;
use super::servers::{Outcome, ServerAnswer};
use super::system::Eai;
use crate::cause::{self, Cause};
use crate::finding::Finding;
use crate::report::{Environment, ms};

/// This machine's own settings for names.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `resolv.conf`.
    pub resolv: Resolv,
    /// The text of `/etc/hosts`.
    pub hosts: String,
    /// The sources in `nsswitch.conf`.
    pub sources: Vec<String>,
    /// What compose files in the current directory call their containers, and
    /// the file that does.
    pub services: Vec<(String, String)>,
    /// Where dbdoctor runs.
    pub environment: Environment,
}

/// How the system resolver failed.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// With this error.
    Error(Eai),
    /// It was not back in time.
    Late,
}

/// What is known about a name that the system resolver does not resolve.
pub struct Failure<'a> {
    /// The name.
    pub name: &'a str,
    /// How the system resolver failed.
    pub refusal: &'a Refusal,
    /// How long it was waited for.
    pub waited: Duration,
    /// What each name server says.
    pub servers: &'a [ServerAnswer],
    /// This machine's settings.
    pub settings: &'a Settings,
}

impl Failure<'_> {
    /// The cause of the failure.
    pub fn classify(&self) -> &'static Cause {
        use cause::dns::*;
        if name::flaw(self.name).is_some() {
            return &INVALID_NAME;
        }
        let any = |test: fn(&ServerAnswer) -> bool| self.servers.iter().any(test);
        // A local firewall that drops our questions (EPERM) leaves open whether
        // there is a server.
        let all_unusable = self
            .servers
            .iter()
            .all(|s| matches!(s.outcome, Outcome::Unusable(errno) if errno != libc::EPERM));
        let code = match self.refusal {
            Refusal::Error(eai) => Some(eai.code),
            Refusal::Late => None,
        };
        let found = any(|s| s.outcome == Outcome::Addresses);
        let failed = any(|s| matches!(s.outcome, Outcome::Failed(_)));
        let inside = self.inside();
        match code {
            Some(libc::EAI_NONAME | libc::EAI_NODATA) if found => &SERVER_ONLY,
            Some(libc::EAI_NODATA) => &NO_ADDRESS,
            Some(libc::EAI_NONAME) if any(|s| s.outcome == Outcome::NoData) => &NO_ADDRESS,
            Some(libc::EAI_NONAME) => {
                let denied = any(|s| s.outcome == Outcome::NxDomain);
                match (inside, failed && !denied) {
                    (_, true) => &SERVER_FAILURE,
                    (Some(_), _) => &CONTAINER_NAME,
                    (None, _) => &NXDOMAIN,
                }
            }
            Some(libc::EAI_AGAIN | libc::EAI_FAIL) | None => {
                if matches!(inside, Some(Inside::Compose(_))) && !found {
                    // Whatever else is wrong here, it is a container's name.
                    &CONTAINER_NAME
                } else if found {
                    &SERVER_ONLY
                } else if failed {
                    &SERVER_FAILURE
                } else if any(|s| s.outcome == Outcome::NxDomain) {
                    match inside {
                        Some(_) => &CONTAINER_NAME,
                        None => &NXDOMAIN,
                    }
                } else if any(|s| s.outcome == Outcome::NoData) {
                    &NO_ADDRESS
                } else if all_unusable && !self.servers.is_empty() {
                    &NO_RESOLVER
                } else {
                    &TIMEOUT
                }
            }
            Some(_) => &UNCLASSIFIED,
        }
    }

    fn inside(&self) -> Option<Inside> {
        name::inside(self.name, &self.settings.services)
    }

    /// The finding, with everything that convinced us.
    pub fn finding(&self) -> Finding {
        let row = self.classify();
        let error = match self.refusal {
            Refusal::Error(eai) => eai.text.clone(),
            Refusal::Late => format!("no answer within {}", seconds(self.waited)),
        };
        let eai = match self.refusal {
            Refusal::Error(eai) => Some(eai),
            Refusal::Late => None,
        };
        let mut finding = Finding::new(row)
            .with("name", self.name)
            .with("error", error)
            .with("code", eai.map(Eai::name))
            .with(
                "errno",
                eai.and_then(|eai| eai.errno)
                    .map(|errno| format!("{:?}", nix::errno::Errno::from_raw(errno))),
            )
            .with("waited", seconds(self.waited))
            .with("answers", self.answers())
            .with("server", self.server())
            .with("sources", self.settings.sources.clone())
            .with("search", self.settings.resolv.search.clone())
            .with("tried", self.tried())
            .with("name_servers", described(self.servers));
        if row.code == cause::dns::INVALID_NAME.code {
            finding = finding
                .with("flaw", name::flaw(self.name))
                .with("ascii", name::ascii_form(self.name));
        }
        // A system resolver that only says "try again" may be right by then.
        if row.code == cause::dns::SERVER_ONLY.code {
            let temporary = !matches!(eai, Some(eai) if eai.code == libc::EAI_NONAME || eai.code == libc::EAI_NODATA);
            finding = finding.retryable(temporary);
        }
        if let Some(inside) = self.inside()
            && row.code == cause::dns::CONTAINER_NAME.code
        {
            finding = finding.with("inside", inside.place());
            finding = container_advice(finding, self.name, &inside, &self.settings.environment);
        } else {
            finding = advice(finding, self.name, row, &self.settings.environment);
        }
        finding
    }

    fn answers(&self) -> String {
        if self.settings.resolv.servers.is_empty() {
            return "/etc/resolv.conf names none, and nothing answers on this machine itself"
                .to_owned();
        }
        sentences(self.servers)
    }

    /// The server to ask by hand: one that failed, else the first.
    fn server(&self) -> Option<String> {
        let not_well = self.servers.iter().find(|s| !s.outcome.is_answer());
        not_well
            .or(self.servers.first())
            .map(|s| s.server.ip().to_string())
    }

    fn tried(&self) -> Vec<String> {
        let most = self.servers.iter().max_by_key(|s| s.tried.len());
        most.map(|s| s.tried.clone()).unwrap_or_default()
    }
}

/// What the servers say, in one sentence.
pub fn sentences(servers: &[ServerAnswer]) -> String {
    let all: Vec<String> = servers.iter().map(ServerAnswer::sentence).collect();
    all.join("; ")
}

/// The answers for a report.
pub fn described(servers: &[ServerAnswer]) -> Vec<Value> {
    servers
        .iter()
        .map(|s| {
            let texts = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>();
            json!({
                "server": s.server.ip().to_string(),
                "outcome": s.outcome.name(),
                "asked": s.asked,
                "addresses": texts(&s.addresses),
                "cnames": s.chain,
                "ttl": s.ttl,
                "ms": match s.outcome {
                    Outcome::Silent => None,
                    _ => Some(ms(s.took)),
                },
            })
        })
        .collect()
}

/// A duration as people say it.
pub fn seconds(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1_000 => format!("{ms} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

fn container_advice(
    finding: Finding,
    name: &str,
    inside: &Inside,
    environment: &Environment,
) -> Finding {
    if let Some(ci) = &environment.ci {
        return finding.fix(
            format!(
                "This runs in {ci}: the name of a service container resolves only where the job \
                 itself runs in a container on the same network; else publish the service's port \
                 and use localhost."
            ),
            None,
        );
    }
    match (inside, &environment.container) {
        (Inside::DockerHost, Some(_)) => finding.fix(
            format!(
                "On Linux the name has to be given to the container when it is started: \
                 --add-host={name}:host-gateway (extra_hosts in a compose file)."
            ),
            None,
        ),
        (Inside::DockerHost, None) => finding.fix(
            "This does not run in a container: use localhost in place of the name.",
            None,
        ),
        (Inside::Compose(file), None) => from_outside(finding, name, file),
        (Inside::Containers | Inside::Compose(_), Some(kind)) => {
            let finding = finding.fix(
                format!(
                    "This runs in a container ({kind}) that is not on the network of {name}: put \
                     both on one network, and check that {name} is up, since a stopped \
                     container's name vanishes."
                ),
                None,
            );
            match inside {
                Inside::Compose(file) => from_outside(finding, name, file),
                _ => finding,
            }
        }
        (Inside::Cluster, None) => finding.fix(
            "From outside of the cluster, forward the service's port and use localhost.",
            kubernetes_service(name).map(|(service, namespace)| {
                let namespace = namespace.map(|n| format!(" -n {n}")).unwrap_or_default();
                format!("kubectl port-forward{namespace} svc/{service} 5432:5432")
            }),
        ),
        (Inside::Provider(provider), _) => finding.fix(
            format!(
                "Outside of {provider}'s network use the public host name that its console \
                 shows, or its own tunnel or proxy."
            ),
            None,
        ),
        _ => finding,
    }
}

/// The way to a compose service from outside of its network.
fn from_outside(finding: Finding, name: &str, file: &str) -> Finding {
    finding.fix(
        format!(
            "{name} is a service in {file}; outside of its network use localhost with the port \
             that it publishes."
        ),
        shlex::try_quote(name)
            .ok()
            .map(|name| format!("docker compose port {name} 5432")),
    )
}

/// The service and namespace in a cluster's name, if they are safe to paste.
fn kubernetes_service(name: &str) -> Option<(&str, Option<&str>)> {
    let mut labels = name.split('.');
    let service = labels.next()?;
    let namespace = labels.next().filter(|label| *label != "svc");
    let safe = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    (safe(service) && namespace.is_none_or(safe)).then_some((service, namespace))
}

fn advice(finding: Finding, name: &str, row: &Cause, environment: &Environment) -> Finding {
    use cause::dns::*;
    if row.code == NXDOMAIN.code && name::is_localhost(name) {
        return finding.fix(
            "Use localhost: names that end in .localhost work in browsers, and the C library \
             looks them up like any other.",
            None,
        );
    }
    let no_answer = [TIMEOUT.code, NO_RESOLVER.code].contains(&row.code);
    match (&environment.container, environment.wsl) {
        (_, true) if no_answer || row.code == NXDOMAIN.code => finding.fix(
            "This runs in WSL, which copies the name server into /etc/resolv.conf when it starts; \
             after a VPN or network change run wsl --shutdown in Windows, or set dnsTunneling=true \
             in .wslconfig.",
            None,
        ),
        (Some(kind), _) if no_answer => finding.fix(
            format!(
                "This runs in a container ({kind}), whose name servers are given when it is \
                 started: check them there (docker run --dns, the cluster's CoreDNS)."
            ),
            None,
        ),
        _ => finding,
    }
}

/// Something about the answers that deserves a word although the name resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A local source overrides what DNS says.
    Override,
    /// The name servers do not know it.
    SystemOnly,
    /// The name servers differ.
    Disagree,
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
    let denied = servers
        .iter()
        .any(|s| s.outcome.is_answer() || matches!(s.outcome, Outcome::Failed(_)));
    if !dns.is_empty() {
        // Without a local source the difference is DNS's own, such as a name
        // whose address changes with every question.
        if disjoint(system, &dns) && local_source(name, system, settings).is_some() {
            odd.push(Oddity::Override);
        }
    } else if denied {
        odd.push(Oddity::SystemOnly);
    }
    odd
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
        return Some("/etc/hosts".to_owned());
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
    };
    Finding::new(row)
        .with("name", name)
        .with("source", source)
        .with("addresses", texts(system))
        .with("dns", texts(&dns))
        .with("answers", sentences(servers))
        .with("name_servers", described(servers))
}

/// The warning for a look-up that took too long; `took` is a lower bound where
/// the system resolver is not back yet.
pub fn slow(name: &str, took: Duration, back: bool, servers: &[ServerAnswer]) -> Finding {
    let silent: Vec<String> = servers
        .iter()
        .filter(|s| s.outcome == Outcome::Silent || s.half_silent)
        .map(|s| s.server.ip().to_string())
        .collect();
    let slowest = servers.iter().max_by_key(|s| s.took);
    let server = silent
        .first()
        .cloned()
        .or_else(|| slowest.map(|s| s.server.ip().to_string()));
    let text = match back {
        true => seconds(took),
        false => format!("more than {}", seconds(took)),
    };
    Finding::new(&cause::dns::SLOW)
        .with("name", name)
        .with("took", text)
        .with("ms", ms(took))
        .with("server", server)
        .with(
            "silent",
            match silent.is_empty() {
                true => Value::Null,
                false => silent.into(),
            },
        )
        .with("name_servers", described(servers))
}

/// Whether the servers' own slowness accounts for a system resolver that is
/// not back: one of them leaves questions unanswered, or took its time.
pub fn explains_delay(servers: &[ServerAnswer]) -> bool {
    servers.iter().any(|s| {
        s.outcome == Outcome::Silent || s.half_silent || s.took > Duration::from_millis(900)
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hickory_resolver::proto::op::ResponseCode;

    use super::super::servers::Code;
    use super::*;

    fn settings(hosts: &str, sources: &[&str]) -> Settings {
        Settings {
            resolv: Resolv::parse(
                "nameserver 10.0.0.1\nnameserver 10.0.0.2\n",
                "box",
                None,
                None,
            ),
            hosts: hosts.to_owned(),
            sources: sources.iter().map(|s| (*s).to_owned()).collect(),
            services: vec![("ledger".to_owned(), "compose.yaml".to_owned())],
            environment: Environment::default(),
        }
    }

    fn server(n: u8, outcome: Outcome, addresses: &[[u8; 4]]) -> ServerAnswer {
        ServerAnswer {
            server: SocketAddr::from(([10, 0, 0, n], 53)),
            outcome,
            asked: "x".to_owned(),
            tried: vec!["x".to_owned()],
            addresses: addresses.iter().map(|ip| IpAddr::from(*ip)).collect(),
            chain: Vec::new(),
            ttl: None,
            half_silent: false,
            took: Duration::from_millis(2),
        }
    }

    const SERVFAIL: Outcome = Outcome::Failed(Code::Rcode(ResponseCode::ServFail));
    const FORMERR: Outcome = Outcome::Failed(Code::Rcode(ResponseCode::FormErr));
    const SHUT: Outcome = Outcome::Unusable(libc::ECONNREFUSED);
    const DROPPED: Outcome = Outcome::Unusable(libc::EPERM);
    const NO_ROUTE: Outcome = Outcome::Unusable(libc::ENETUNREACH);
    use Outcome::{Addresses, NoData, NxDomain, Silent};

    fn classified(name: &str, code: Option<i32>, outcomes: &[Outcome]) -> &'static str {
        let refusal = match code {
            Some(code) => Refusal::Error(Eai {
                code,
                errno: None,
                text: "text".to_owned(),
            }),
            None => Refusal::Late,
        };
        let servers: Vec<ServerAnswer> = outcomes
            .iter()
            .zip(1..)
            .map(|(outcome, n)| match outcome {
                Addresses => server(n, Addresses, &[[10, 9, 9, n]]),
                outcome => server(n, *outcome, &[]),
            })
            .collect();
        let settings = settings("", &["files", "dns"]);
        let failure = Failure {
            name,
            refusal: &refusal,
            waited: Duration::from_secs(5),
            servers: &servers,
            settings: &settings,
        };
        let finding = failure.finding();
        assert_ne!(
            finding.summary(),
            format!("{}.", finding.cause.title),
            "unfilled"
        );
        assert!(!finding.fixes().is_empty());
        finding.cause.code
    }

    #[test]
    fn every_failure_has_its_cause() {
        use libc::{EAI_AGAIN, EAI_NODATA, EAI_NONAME, EAI_SYSTEM};
        for (name, code, outcomes, cause) in [
            ("db.test", Some(EAI_NONAME), &[NxDomain][..], "dns.nxdomain"),
            (
                "db.test",
                Some(EAI_NONAME),
                &[NxDomain, Silent],
                "dns.nxdomain",
            ),
            (
                "db.test",
                Some(EAI_NONAME),
                &[NxDomain, SERVFAIL],
                "dns.nxdomain",
            ),
            ("db.test", Some(EAI_NONAME), &[Silent], "dns.nxdomain"),
            ("db", Some(EAI_NONAME), &[NxDomain], "dns.container-name"),
            ("db", None, &[Silent, NxDomain], "dns.container-name"),
            ("db", Some(EAI_AGAIN), &[Silent], "dns.timeout"),
            ("db", Some(EAI_AGAIN), &[SERVFAIL], "dns.server-failure"),
            ("ledger", Some(EAI_AGAIN), &[SERVFAIL], "dns.container-name"),
            ("db.test", Some(EAI_NODATA), &[NoData], "dns.no-address"),
            (
                "db.test",
                Some(EAI_NONAME),
                &[FORMERR],
                "dns.server-failure",
            ),
            (
                "db.test",
                Some(EAI_AGAIN),
                &[SERVFAIL],
                "dns.server-failure",
            ),
            (
                "db.test",
                Some(EAI_AGAIN),
                &[Silent, SERVFAIL],
                "dns.server-failure",
            ),
            ("db.test", Some(EAI_AGAIN), &[Silent], "dns.timeout"),
            ("db.test", Some(EAI_AGAIN), &[Silent, SHUT], "dns.timeout"),
            ("db.test", Some(EAI_AGAIN), &[DROPPED], "dns.timeout"),
            ("db.test", None, &[Silent, Silent], "dns.timeout"),
            ("db.test", None, &[Silent, NxDomain], "dns.nxdomain"),
            ("db.test", None, &[Silent, NoData], "dns.no-address"),
            ("db.test", Some(EAI_AGAIN), &[SHUT], "dns.no-resolver"),
            (
                "db.test",
                Some(EAI_AGAIN),
                &[SHUT, NO_ROUTE],
                "dns.no-resolver",
            ),
            (
                "db.test",
                Some(EAI_NONAME),
                &[NxDomain, Addresses],
                "dns.server-only",
            ),
            ("db.test", Some(EAI_NONAME), &[Addresses], "dns.server-only"),
            (
                "10.0.0.256",
                Some(EAI_NONAME),
                &[NxDomain],
                "dns.invalid-name",
            ),
            ("a b", Some(EAI_AGAIN), &[Silent], "dns.invalid-name"),
            ("db.test", Some(EAI_SYSTEM), &[Silent], "dns.unclassified"),
        ] {
            assert_eq!(
                classified(name, code, outcomes),
                cause,
                "{name} {code:?} {outcomes:?}"
            );
        }
    }

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
        let says = |ip| server(1, Addresses, &[ip]);
        let no = server(1, NxDomain, &[]);
        let hosts = "10.0.0.7 db.test\n";
        let usual = ["files", "dns"];
        assert_eq!(
            odd(&[here], &[says([10, 0, 0, 8])], hosts, &usual),
            [Oddity::Override]
        );
        assert_eq!(odd(&[here], &[says(here)], hosts, &usual), []);
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
    fn warnings_have_their_sentences() {
        let settings = settings("10.0.0.7 db.test\n", &["files", "dns"]);
        let servers = [
            server(1, Addresses, &[[10, 0, 0, 8]]),
            server(2, NxDomain, &[]),
        ];
        let system = [IpAddr::from([10, 0, 0, 7])];
        for oddity in [Oddity::Override, Oddity::SystemOnly, Oddity::Disagree] {
            let finding = odd_finding(oddity, "db.test", &system, &servers, &settings);
            assert_ne!(finding.summary(), format!("{}.", finding.cause.title));
        }
        let finding = slow("db.test", Duration::from_secs(5), true, &servers);
        assert_eq!(finding.summary(), "Looking up db.test took 5.0 s.");
    }
}
