//! From what the system resolver and the name servers said to a cause. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};

use super::compose::Compose;
use super::name::{self, Inside};
use super::resolv::Resolv;
use super::servers::{AnswerKind, Code, ServerAnswer};
use super::system::Eai;
use super::{advice, cluster};
use crate::cause::{self, Cause};
use crate::config::Hop;
use crate::finding::Finding;
use crate::kubernetes::Pod;
use crate::report::{Environment, ms};
use crate::stage::hop;
use crate::system::System;
use crate::wire::dial::errno_name;

/// This machine's own settings for names.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `resolv.conf`.
    pub resolv: Resolv,
    /// Why `resolv.conf` cannot be read, although it is there.
    pub unreadable: Option<String>,
    /// The text of `/etc/hosts`.
    pub hosts: String,
    /// The sources in `nsswitch.conf`.
    pub sources: Vec<String>,
    /// The outside world.
    pub surroundings: Arc<System>,
    /// The compose project here; read where a name does not resolve.
    pub compose: OnceLock<Compose>,
    /// Where dbdoctor runs.
    pub environment: Environment,
    /// The ports that the names are looked up for.
    pub ports: BTreeMap<String, u16>,
    /// The SSH server that is looked up, where it is one.
    pub hop: Option<Arc<Hop>>,
    /// The pod that this is, in Kubernetes.
    pub pod: Option<Pod>,
}

/// How the system resolver failed.
#[derive(Clone, Debug)]
pub enum ResolverRefusal {
    /// With this error.
    Error(Eai),
    /// It was not back in time.
    Late,
}

/// What is known about a name that the system resolver does not resolve.
pub struct ResolverFailure<'a> {
    /// The name.
    pub name: &'a str,
    /// How the system resolver failed.
    pub refusal: &'a ResolverRefusal,
    /// How long it was waited for.
    pub waited: Duration,
    /// What each name server says.
    pub servers: &'a [ServerAnswer],
    /// This machine's settings.
    pub settings: &'a Settings,
    /// Whether the cluster's DNS says that there is no Service of that name.
    pub no_service: bool,
    /// Whether the time was up before all name servers had theirs.
    pub cut: bool,
}

impl ResolverFailure<'_> {
    /// The cause of the failure.
    pub fn classify(&self) -> &'static Cause {
        let row = self.classify_anywhere();
        if self.cut && self.rests_on_answers(row) {
            return &cause::dns::TIMEOUT;
        }
        // A short name ends as itself, which servers outside of the cluster may refuse.
        let absent = row.is_any(&[&cause::dns::CONTAINER_NAME, &cause::dns::NXDOMAIN])
            || (self.no_service && row == &cause::dns::SERVER_FAILURE);
        // A name in --ssh may be an alias of the configuration.
        let absent = absent && self.settings.hop.is_none();
        let pod = self.settings.pod.as_ref().filter(|_| absent);
        pod.and_then(|pod| cluster::cause_of(pod, self.name))
            .unwrap_or(row)
    }

    /// The cause, wherever this runs.
    fn classify_anywhere(&self) -> &'static Cause {
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
            .all(|s| matches!(s.outcome, AnswerKind::Unusable(errno) if errno != libc::EPERM));
        let code = match self.refusal {
            ResolverRefusal::Error(eai) => Some(eai.code),
            ResolverRefusal::Late => None,
        };
        let found = any(|s| s.outcome == AnswerKind::Addresses);
        let failed = any(|s| matches!(s.outcome, AnswerKind::Failed(_)));
        // Its only addresses came without an answer for IPv4, and the C library
        // waited for that one.
        let half = found && !any(ServerAnswer::settles);
        let inside = self.inside();
        match code {
            // No source that could be used.
            Some(libc::EAI_SYSTEM) if found && !self.asks_dns() => &SERVER_ONLY,
            Some(libc::EAI_NONAME | libc::EAI_NODATA) if found => &SERVER_ONLY,
            // The C library takes a referral for an answer without addresses.
            Some(libc::EAI_NODATA)
                if !self.servers.is_empty()
                    && self
                        .servers
                        .iter()
                        .all(|s| s.outcome == AnswerKind::Failed(Code::Referral)) =>
            {
                &SERVER_FAILURE
            }
            Some(libc::EAI_NODATA) => &NO_ADDRESS,
            Some(libc::EAI_NONAME) if any(|s| s.outcome == AnswerKind::NoData) => &NO_ADDRESS,
            Some(libc::EAI_NONAME) => {
                let denied = any(|s| s.outcome == AnswerKind::NxDomain);
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
                } else if half {
                    &TIMEOUT
                } else if found {
                    &SERVER_ONLY
                } else if failed {
                    &SERVER_FAILURE
                } else if any(|s| s.outcome == AnswerKind::NxDomain) {
                    match inside {
                        Some(_) => &CONTAINER_NAME,
                        None => &NXDOMAIN,
                    }
                } else if any(|s| s.outcome == AnswerKind::NoData) {
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

    /// Whether an answer that did not come in time could have made another cause of this one.
    fn rests_on_answers(&self, row: &Cause) -> bool {
        use cause::dns::*;
        let is_late = matches!(self.refusal, ResolverRefusal::Late);
        match row {
            row if *row == CONTAINER_NAME => !matches!(self.inside(), Some(Inside::Compose(_))),
            // The system resolver may have come to it.
            row if *row == SERVER_ONLY => is_late,
            row => row.is_any(&[&NXDOMAIN, &NO_ADDRESS, &SERVER_FAILURE]),
        }
    }

    /// Whether the system resolver comes to a name server at all.
    fn asks_dns(&self) -> bool {
        let sources = &self.settings.sources;
        sources
            .iter()
            .any(|source| matches!(source.as_str(), "dns" | "resolve"))
    }

    fn inside(&self) -> Option<Inside> {
        let service = self.compose().service(self.name, self.port());
        name::inside(self.name, service.map(|service| service.file.as_str()))
    }

    fn compose(&self) -> &Compose {
        let surroundings = &self.settings.surroundings;
        let compose = &self.settings.compose;
        compose.get_or_init(|| Compose::read(surroundings))
    }

    /// The port that was to be reached.
    fn port(&self) -> u16 {
        match &self.settings.hop {
            Some(hop) => hop.port,
            None => self.settings.ports.get(self.name).copied().unwrap_or(5432),
        }
    }

    /// The finding, with everything that convinced us.
    pub fn finding(&self) -> Finding {
        let row = self.classify();
        let error = match self.refusal {
            ResolverRefusal::Error(eai) => eai.text.clone(),
            ResolverRefusal::Late => format!("no answer within {}", seconds(self.waited)),
        };
        let eai = match self.refusal {
            ResolverRefusal::Error(eai) => Some(eai),
            ResolverRefusal::Late => None,
        };
        let mut finding = Finding::new(row)
            .with("name", self.name.to_owned())
            .with("error", error)
            .with("code", eai.map(Eai::name))
            .with("errno", eai.and_then(|eai| eai.errno).map(errno_name))
            .with("waited", seconds(self.waited))
            .with("answers", self.answers())
            .with("server", self.server())
            .with("sources", self.settings.sources.clone())
            .with("lacking", (!self.asks_dns()).then(|| self.lacking()))
            .with("search", self.settings.resolv.search.clone())
            .with("tried", self.tried())
            .with("name_servers", described(self.servers))
            .word("port", self.port())
            .word("database_host", self.name.to_owned());
        if let Some(hop) = &self.settings.hop {
            finding = hop::dialled(finding, hop);
            // Neither a domain nor a HostName: perhaps an alias without a block.
            let bare = hop.written.host.eq_ignore_ascii_case(&hop.host) && !hop.host.contains('.');
            finding = finding.word("ssh_alias", bare.then(|| hop.written.host.clone()));
        }
        if row == &cause::dns::NO_ADDRESS {
            finding = finding
                .with("queried", self.name.to_owned())
                .with("records", "(neither an A nor an AAAA record)");
        }
        if row == &cause::dns::TIMEOUT {
            let half = self
                .servers
                .iter()
                .any(|s| s.outcome == AnswerKind::Addresses);
            let queried = match half {
                true => format!("the IPv4 addresses of {}", self.name),
                false => self.name.to_owned(),
            };
            finding = finding.with("queried", queried);
        }
        if row == &cause::dns::INVALID_NAME {
            finding = finding
                .with("flaw", name::flaw(self.name))
                .with("ascii", name::ascii_form(self.name));
        }
        // A system resolver that only says "try again" may be right by then.
        if row == &cause::dns::SERVER_ONLY {
            let temporary = !matches!(eai, Some(eai) if eai.code == libc::EAI_NONAME || eai.code == libc::EAI_NODATA);
            finding = finding.retryable(temporary);
            if temporary {
                finding = finding.fix(
                    "Try again: the system resolver reported a temporary failure, for example a lost packet. If it happens again, that name server is overloaded or its packets get lost.",
                    None,
                );
            }
        }
        finding = self.of_alias(finding, row);
        if row == &cause::dns::NO_RESOLVER && self.settings.unreadable.is_some() {
            finding = finding.fix(
                "Make the file readable for every user (it holds no secret):",
                Some("sudo chmod a+r /etc/resolv.conf".to_owned()),
            );
        }
        if let Some(inside) = self.inside()
            && row == &cause::dns::CONTAINER_NAME
        {
            finding = finding.with("inside", inside.place());
            let unreached = advice::Unreached {
                name: self.name,
                port: self.port(),
                is_hop: self.settings.hop.is_some(),
                inside: &inside,
                compose: self.compose(),
                environment: &self.settings.environment,
            };
            finding = unreached.advise(finding);
        } else {
            finding = advice::advice(finding, self.name, row);
        }
        finding
    }

    /// An alias that leads nowhere is mended where the alias is written.
    fn of_alias(&self, finding: Finding, row: &Cause) -> Finding {
        use cause::dns::*;
        if !row.is_any(&[&NXDOMAIN, &NO_ADDRESS]) {
            return finding;
        }
        let chain = self.servers.iter().map(|s| (&s.asked, &s.chain));
        let Some((asked, chain)) = chain.max_by_key(|(_, chain)| chain.len()) else {
            return finding;
        };
        let Some(last) = chain.last() else {
            return finding;
        };
        let circle = last == asked || chain.iter().filter(|name| *name == last).count() > 1;
        let lacks = match row == &NXDOMAIN {
            true => "does not exist",
            false => "has none",
        };
        let finding = finding.with("alias", chain.clone());
        match circle {
            true => finding
                .fix_first(format!(
                    "{asked} is an alias (CNAME record) in a loop through {last}: have the record corrected."
                ))
                .word("through", format!(": it is an alias in a loop through {last}")),
            false => finding
                .fix_first(format!(
                    "{asked} is an alias (CNAME record) for {last}, which has no address: have {last} restored, or the alias corrected."
                ))
                .with("alias_end", last.clone())
                .word("through", format!(": it is an alias for {last}, which {lacks}")),
        }
    }

    fn answers(&self) -> String {
        if let Some(why) = &self.settings.unreadable {
            return format!(
                "/etc/resolv.conf cannot be read ({why}), and no name server answers on this machine"
            );
        }
        if self.settings.resolv.servers.is_empty() {
            return "/etc/resolv.conf names none, and no name server answers on this machine"
                .to_owned();
        }
        sentences(self.servers)
    }

    /// The server to ask by hand: one that failed, else the first.
    fn server(&self) -> Option<String> {
        let not_well = self
            .servers
            .iter()
            .find(|s| !s.outcome.is_answer() || s.half_silent);
        not_well
            .or(self.servers.first())
            .map(|s| s.server.ip().to_string())
    }

    /// What hosts are looked up in where that is not DNS.
    fn lacking(&self) -> String {
        match self.settings.sources.is_empty() {
            true => "nothing".to_owned(),
            false => self.settings.sources.join(" and "),
        }
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
                    AnswerKind::Silent => None,
                    _ => Some(ms(s.took)),
                },
            })
        })
        .collect()
}

/// The same, with what each kind of addresses comes to.
pub fn described_by_kind(servers: &[ServerAnswer]) -> Vec<Value> {
    let mut all = described(servers);
    for (described, server) in all.iter_mut().zip(servers) {
        described["ipv4"] = server.ipv4.name().into();
        described["ipv6"] = server.ipv6.map(AnswerKind::name).into();
    }
    all
}

/// A duration as people say it.
pub fn seconds(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1_000 => format!("{ms} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::ResponseCode;

    use super::super::compare::fixtures::{server, settings};
    use super::super::servers::Code;
    use super::*;

    const SERVFAIL: AnswerKind = AnswerKind::Failed(Code::Rcode(ResponseCode::ServFail));
    const FORMERR: AnswerKind = AnswerKind::Failed(Code::Rcode(ResponseCode::FormErr));
    const SHUT: AnswerKind = AnswerKind::Unusable(libc::ECONNREFUSED);
    const DROPPED: AnswerKind = AnswerKind::Unusable(libc::EPERM);
    const NO_ROUTE: AnswerKind = AnswerKind::Unusable(libc::ENETUNREACH);
    use AnswerKind::{Addresses, NoData, NxDomain, Silent};

    fn classified(name: &str, code: Option<i32>, outcomes: &[AnswerKind]) -> &'static str {
        let refusal = match code {
            Some(code) => ResolverRefusal::Error(Eai {
                code,
                errno: None,
                text: "text".to_owned(),
            }),
            None => ResolverRefusal::Late,
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
        let failure = ResolverFailure {
            name,
            refusal: &refusal,
            waited: Duration::from_secs(5),
            servers: &servers,
            settings: &settings,
            no_service: false,
            cut: false,
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
    fn half_an_answer_and_no_source() {
        let mut half = server(1, Addresses, &[]);
        half.addresses = vec!["::1".parse().unwrap()];
        half.half_silent = true;
        half.no_ipv4_answer = true;
        let eai = |code| {
            ResolverRefusal::Error(Eai {
                code,
                errno: None,
                text: "text".to_owned(),
            })
        };
        let whole = || server(2, Addresses, &[[10, 9, 9, 2]]);
        let usual: &[&str] = &["files", "dns"];
        for (refusal, servers, sources, cause) in [
            (
                eai(libc::EAI_AGAIN),
                vec![half.clone()],
                usual,
                "dns.timeout",
            ),
            (
                ResolverRefusal::Late,
                vec![half.clone()],
                usual,
                "dns.timeout",
            ),
            (
                ResolverRefusal::Late,
                vec![half, whole()],
                usual,
                "dns.server-only",
            ),
            (eai(libc::EAI_SYSTEM), vec![whole()], &[], "dns.server-only"),
            (
                eai(libc::EAI_SYSTEM),
                vec![whole()],
                &["nosuch"],
                "dns.server-only",
            ),
            (
                eai(libc::EAI_SYSTEM),
                vec![whole()],
                usual,
                "dns.unclassified",
            ),
        ] {
            let settings = settings("", sources);
            let failure = ResolverFailure {
                name: "db.test",
                refusal: &refusal,
                waited: Duration::from_secs(5),
                servers: &servers,
                settings: &settings,
                no_service: false,
                cut: false,
            };
            let finding = failure.finding();
            assert_eq!(finding.cause.code, cause, "{refusal:?} {servers:?}");
            // Only where dns is not asked is it to be asked.
            let advised = finding
                .fixes()
                .iter()
                .any(|fix| fix.text.contains("nsswitch"));
            assert_eq!(
                advised,
                cause == "dns.server-only" && !failure.asks_dns(),
                "{:?}",
                finding.fixes()
            );
        }
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

    #[test]
    fn what_has_not_come_in_time_denies_no_name() {
        let eai = |code| {
            ResolverRefusal::Error(Eai {
                code,
                errno: None,
                text: "text".to_owned(),
            })
        };
        let silent = [server(1, Silent, &[])];
        let settings = settings("", &["files", "dns"]);
        let cause = |refusal: &ResolverRefusal, cut| {
            let failure = ResolverFailure {
                name: "db.test",
                refusal,
                waited: Duration::from_millis(3),
                servers: &silent,
                settings: &settings,
                no_service: false,
                cut,
            };
            failure.classify().code
        };
        for (code, known) in [
            (libc::EAI_NONAME, "dns.nxdomain"),
            (libc::EAI_NODATA, "dns.no-address"),
        ] {
            assert_eq!(cause(&eai(code), false), known);
            assert_eq!(cause(&eai(code), true), "dns.timeout");
        }
    }
}
