//! A name that a search domain answered, beside what else the name stands for:
//! with `ndots` or a VPN's search list, and a wildcard record, a name leads to
//! another machine than it does elsewhere.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::classify::{Settings, described};
use super::lookup::{Asking, Lookup};
use super::resolv::{Resolv, hosts_entries};
use super::servers::{AnswerKind, ServerAnswer};
use crate::cause;
use crate::config::{Endpoint, Target, conninfo};
use crate::finding::{Finding, shown};
use crate::provider;
use crate::stage::hop;

/// A label that nobody gives to a machine: what answers it is a wildcard record.
const NOBODY: &str = "dbdoctor-wildcard-test";

/// What is known of a name that a search domain answered and that has addresses in
/// another way, too.
pub struct Searched {
    /// The warning that it leads to another machine that way.
    pub warning: Option<Finding>,
}

/// Whether a search domain leads a name to another machine than the name itself, or
/// than a search domain after it. `None` where nothing else has the name.
///
/// A record that somebody wrote for the name is the one that is meant, and a
/// wildcard's answer is chance, so it is asked which is which. `limit` bounds each of
/// the two rounds of questions. Nothing is asked where no search domain answered.
pub async fn searched(look: &Lookup, settings: &Settings, limit: Duration) -> Option<Searched> {
    let system = look.ips();
    let shared = |ips: &[IpAddr]| ips.iter().any(|ip| system.contains(ip));
    let name = look.name.as_str();
    if shared(&hosts_entries(&settings.hosts, name)) {
        return None;
    }
    let canonical = look.canonical.as_deref().unwrap_or_default();
    let answers = look.answers();
    let answered = answers
        .iter()
        .filter(|answer| answer.outcome == AnswerKind::Addresses)
        .find(|it| shared(&it.addresses) || canonical.eq_ignore_ascii_case(&it.asked))?;
    let domain = search_domain(name, &answered.asked)?;

    let later = after(&settings.resolv, name, &answered.asked);
    if later.is_empty() {
        return None;
    }
    let names = [later.as_slice(), &[neighbour(&answered.asked)]].concat();
    let mut found = ask(&names, settings, limit).await;
    let by_wildcard = found.pop().is_some_and(|ips| !ips.is_empty());
    let others: Vec<_> = later
        .iter()
        .zip(found)
        .filter(|(_, ips)| !ips.is_empty())
        .collect();
    let itself = others.iter().find(|(other, _)| *other == name);
    let (other, addresses) = itself.or(others.first())?;

    // Its addresses may change with every question.
    let again = ask(&[other.to_string(), neighbour(other)], settings, limit).await;
    let is_record = again.last().is_some_and(Vec::is_empty);
    let as_written = itself.is_some();
    let same = shared(addresses) || again.first().is_some_and(|ips| shared(ips));
    let unwanted = match as_written {
        _ if same => false,
        true => by_wildcard || is_record,
        false => by_wildcard && is_record,
    };
    let texts = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>();
    let finding = Finding::new(&cause::dns::SEARCH_DOMAIN)
        .with("name", name.to_owned())
        .with("answered_as", answered.asked.clone())
        .with("domain", domain.to_owned())
        .with("wildcard", by_wildcard)
        .with("addresses", texts(&system))
        .with("absolute", format!("{other}."))
        .with("absolute_addresses", texts(addresses))
        .with("ndots", settings.resolv.ndots)
        .with("name_servers", described(&answers))
        .word(
            "other",
            match as_written {
                true => "the absolute name".to_owned(),
                false => other.to_string(),
            },
        )
        .word(
            "record",
            match by_wildcard {
                true => format!("the wildcard record of {domain}"),
                false => format!("the record {}", answered.asked),
            },
        );
    let finding = match &settings.hop {
        Some(hop) => hop::dialled(finding, hop),
        None => finding,
    };
    // A name of two labels with a record of its own in the search domain is how
    // search domains are used; that it exists elsewhere may be chance.
    let leads = by_wildcard || name.matches('.').count() > 1;
    let warning = unwanted.then(|| match leads {
        true => finding.leading(),
        false => finding,
    });
    Some(Searched { warning })
}

/// Adds the commands that reach the machine that is hidden, with the target's other
/// settings. `verify-full` compares the certificate with the host as it is written,
/// with its trailing dot, and some providers tell their databases apart by it.
pub fn with_commands(finding: Finding, target: &Target, endpoint: &Endpoint) -> Finding {
    let Some(absolute) = finding.evidence.get("absolute").map(shown) else {
        return finding;
    };
    let host = endpoint.host.as_str();
    let literal = target.checks_name() || provider::named(host, &finding).is_some();
    let dotted = conninfo::of(target, endpoint, &[("host", &absolute)]);
    let same_name = absolute.strip_suffix('.') == Some(host);
    finding
        .word("absolute_conninfo", (!literal).then_some(dotted))
        .word(
            "conninfo",
            same_name.then(|| conninfo::of(target, endpoint, &[])),
        )
}

/// The search domain in a full name, where it is one that may be there by chance. A
/// Kubernetes cluster's domain of Services has no wildcards: `db.dev` there is the
/// Service `db` in the namespace `dev`, whoever has registered that name.
fn search_domain<'a>(name: &str, full: &'a str) -> Option<&'a str> {
    let domain = full.strip_prefix(name)?.strip_prefix('.')?;
    let of_services = domain.split('.').take(2).any(|label| label == "svc");
    (!of_services).then_some(domain)
}

/// The full names that are tried after this one. A name without a dot is not among
/// them: it is no full name, and to ask for it would tell the root servers the names
/// of a private network.
fn after(resolv: &Resolv, name: &str, full: &str) -> Vec<String> {
    let candidates = resolv.candidates(name).into_iter();
    let behind = candidates.skip_while(|candidate| candidate != full).skip(1);
    behind.filter(|candidate| candidate.contains('.')).collect()
}

/// A name beside this one that only a wildcard record answers.
fn neighbour(full: &str) -> String {
    let (_, parent) = full.split_once('.').unwrap_or_default();
    format!("{NOBODY}.{parent}")
}

/// What the name servers have for full names, all asked at once.
async fn ask(names: &[String], settings: &Settings, limit: Duration) -> Vec<Vec<IpAddr>> {
    let until = Instant::now() + limit;
    let begin = |name: &String| Asking::begin(&format!("{name}."), settings, Duration::ZERO, until);
    let mut asked: Vec<Asking> = names.iter().map(begin).collect();
    for asking in &mut asked {
        asking.wait(until).await;
    }
    let answers = asked
        .iter()
        .map(|asking| addresses(&asking.answers.so_far()));
    answers.collect()
}

/// The addresses of machines in some answers; not what stands for "no machine":
/// 0.0.0.0 of a filter, and 127.0.53.53 of a domain that warns of names used in
/// private (ICANN, Name Collision).
fn addresses(servers: &[ServerAnswer]) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = Vec::new();
    for ip in servers.iter().flat_map(|server| &server.addresses) {
        let none = ip.is_unspecified() || *ip == IpAddr::from([127, 0, 53, 53]);
        if !none && !all.contains(ip) {
            all.push(*ip);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::compare::fixtures::server;
    use super::*;

    #[test]
    fn what_comes_after_an_answer_is_asked_by_its_full_name() {
        let resolv = |text: &str| Resolv::parse(text, "box", None, None);
        let cluster = resolv("search app.svc.cluster.local corp.test lan.test\noptions ndots:5\n");
        let usual = resolv("search corp.test lan.test\n");
        for (resolv, name, full, later) in [
            (
                &cluster,
                "db.dev",
                "db.dev.corp.test",
                &["db.dev.lan.test", "db.dev"][..],
            ),
            (&cluster, "db.dev", "db.dev.lan.test", &["db.dev"]),
            (&cluster, "db.dev", "db.dev", &[]),
            (&cluster, "db.dev.", "db.dev", &[]),
            (&cluster, "db", "db.corp.test", &["db.lan.test"]),
            (&cluster, "db", "db.lan.test", &[]),
            // As it is written it was tried before, and does not exist.
            (&usual, "db.dev", "db.dev.corp.test", &["db.dev.lan.test"]),
        ] {
            assert_eq!(after(resolv, name, full), later, "{name} {full}");
        }
    }

    #[test]
    fn a_services_domain_answers_nothing_by_chance() {
        for (full, domain) in [
            ("db.dev.corp.test", Some("corp.test")),
            ("db.dev.cluster.local", Some("cluster.local")),
            ("db.dev.svc.cluster.local", None),
            ("db.dev.app.svc.cluster.local", None),
            ("db.dev", None),
        ] {
            assert_eq!(search_domain("db.dev", full), domain, "{full}");
        }
    }

    #[test]
    fn an_address_that_says_no_is_none() {
        let ips = [[0, 0, 0, 0], [127, 0, 53, 53], [10, 0, 0, 7], [10, 0, 0, 7]];
        let answer = server(1, AnswerKind::Addresses, &ips);
        assert_eq!(addresses(&[answer]), [IpAddr::from([10, 0, 0, 7])]);
        assert_eq!(neighbour("db.dev.test"), format!("{NOBODY}.dev.test"));
    }
}
