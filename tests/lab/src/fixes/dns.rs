//! Of the dns pages.

use super::{CONNECTED, Excuse, FixRun, KUBECTL, SELECT, Then};

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "dns.hosts-override",
        "grep",
        "dns-hosts-override",
        Then::Prints("2:10.200."),
    ),
    FixRun::new(
        "dns.hostaddr-override",
        "psql",
        "dns-failover-hostaddr",
        CONNECTED,
    )
    .typing(SELECT),
    FixRun::new(
        "dns.hosts-override",
        "psql",
        "dns-failover-hosts",
        CONNECTED,
    )
    .typing(SELECT),
    FixRun::new("dns.disagree", "psql", "dns-failover-servers", CONNECTED).typing(SELECT),
    FixRun::new(
        "dns.search-domain",
        "psql",
        "dns-search-password",
        CONNECTED,
    )
    .typing(SELECT),
    FixRun::new(
        "dns.search-domain",
        "RES_OPTIONS=",
        "dns-search-verified",
        CONNECTED,
    )
    .typing(SELECT),
    FixRun::new(
        "dns.no-resolver",
        "cat",
        "dns-no-resolver",
        Then::Prints("nameserver 127.0.0.1"),
    ),
    FixRun::new("dns.nxdomain", "getent", "dns-nxdomain", Then::FindsNothing),
    FixRun::new(
        "dns.server-only",
        "grep",
        "dns-server-only",
        Then::Prints("hosts: files"),
    ),
];

/// The lab's resolvers are real, but its tools are those of a small machine.
const DIG: &str = "dig is not among the programs that the tests install";

pub(super) const NOT_RUN: &[Excuse] = &[
    (
        "dns.container-name",
        "docker ps",
        "needs Docker, which the tests do not start",
    ),
    (
        "dns.container-name",
        "psql",
        "the scenarios dns-compose-port and others paste it",
    ),
    (
        "dns.container-name",
        "{compose",
        "needs Docker, which the tests do not start",
    ),
    ("dns.pod-resolver", "kubectl", KUBECTL),
    ("dns.service-name", "kubectl", KUBECTL),
    ("dns.half-error", "dig", DIG),
    ("dns.ipv6-only", "dig", DIG),
    ("dns.no-address", "dig", DIG),
    (
        "dns.search-domain",
        "ssh",
        "the scenario dns-search-hop pastes it",
    ),
    ("dns.server-failure", "dig", DIG),
    (
        "dns.server-only",
        "resolvectl",
        "clears the machine's caches, and the tests' machines have none",
    ),
    ("dns.slow", "dig", DIG),
    (
        "dns.slow",
        "RES_OPTIONS=",
        "the scenarios dns-slow-query-for-ipv6 and dns-slow-search-domain paste it",
    ),
    (
        "dns.slow",
        "getent -s",
        "no fault of the lab leaves the source open",
    ),
    ("dns.timeout", "dig", DIG),
];
