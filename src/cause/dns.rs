//! Causes of the `dns` stage.

use super::{Cause, Severity, fix, run};

/// The name does not exist.
pub static NXDOMAIN: Cause = Cause {
    code: "dns.nxdomain",
    severity: Severity::Fail,
    retryable: true,
    title: "The host name does not exist",
    summary: "The host name {name} does not exist.",
    meaning: "The name servers work and answer that there is no such name: a typing error, a name from another environment, a database that was deleted or not yet created, or a name that exists only inside a private network or VPN. Name servers that do not answer are `dns.timeout`, those that return an error `dns.server-failure`.",
    fixes: &[
        fix(
            "Compare {name?the name} letter by letter with the one from the provider or the server administrator.",
        ),
        fix(
            "If it exists only on a private network, connect to its VPN, use that network's name servers, or go through a bastion with --ssh, which resolves the name itself.",
        ),
        run("Look it up by hand:", "getent ahosts {name}"),
        fix("If it was created a moment ago, wait until its record is published."),
    ],
    seen_as: &[
        "could not translate host name",
        "Name or service not known",
        "nodename nor servname provided, or not known",
        "No such host is known.",
        "getaddrinfo ENOTFOUND",
        "[Errno -2]",
        "[Errno 8]",
        "java.net.UnknownHostException",
        "no such host",
        "{:error, :nxdomain}",
        "failed to lookup address information",
    ],
};

/// It exists only elsewhere.
pub static CONTAINER_NAME: Cause = Cause {
    code: "dns.container-name",
    severity: Severity::Fail,
    retryable: true,
    title: "The host name exists only inside a container or private network",
    summary: "The host name {name} does not exist here; names like it resolve only inside {inside}.",
    meaning: "Docker, Compose or a CI system gives names such as db or postgres to containers that share a network. A cluster or provider gives names such as *.svc.cluster.local or *.railway.internal to its own workloads. These names do not exist outside, nor in a container on another network. Any other name that does not exist is `dns.nxdomain`.",
    fixes: &[
        fix(
            "Run the client inside {inside?that network}, or use an address that works from outside it.",
        ),
        run(
            "For a container on this machine, publish its port and use localhost with the published port:",
            "docker ps --format '{{{{.Names}}}} {{{{.Ports}}}}'",
        ),
        fix(
            "If the client runs in a container too, put both on the same network: in the same compose file, or with docker network connect.",
        ),
    ],
    seen_as: &[
        "could not translate host name \"db\" to address",
        "could not translate host name \"postgres\" to address",
        "getaddrinfo ENOTFOUND db",
        "getaddrinfo ENOTFOUND postgres",
        "getaddrinfo EAI_AGAIN db",
        "getaddrinfo EAI_AGAIN postgres",
        "lookup db: no such host",
        "lookup postgres: no such host",
        ".railway.internal",
        ".svc.cluster.local",
        "host.docker.internal",
    ],
};

/// The name exists without an address.
pub static NO_ADDRESS: Cause = Cause {
    code: "dns.no-address",
    severity: Severity::Fail,
    retryable: false,
    title: "The host name exists, but has no address",
    summary: "The host name {name} exists, but has no address {records}.",
    meaning: "The name servers know the name, but it has only other records (mail, text, names below it). It may be the server's domain rather than the server, or a record whose address was removed. A name that does not exist at all is `dns.nxdomain`.",
    fixes: &[
        fix("Use the server's full name: {queried?this name} may be the domain it is in."),
        run(
            "Check which records exist:",
            "dig {queried} A; dig {queried} AAAA",
        ),
        fix("If the address was removed, have the A or AAAA record restored."),
    ],
    seen_as: &[
        "No address associated with hostname",
        "[Errno -5] No address associated with hostname",
        "getaddrinfo ENODATA",
        "EAI_NODATA",
        "The requested name is valid, but no data of the requested type was found",
    ],
};

/// SERVFAIL, REFUSED.
pub static SERVER_FAILURE: Cause = Cause {
    code: "dns.server-failure",
    severity: Severity::Fail,
    retryable: true,
    title: "The name servers return an error",
    summary: "The name servers cannot resolve {name}: {answers}.",
    meaning: "Whether the name exists is not known. SERVFAIL: the domain's own servers do not answer, or its DNSSEC signatures are wrong. REFUSED: the name servers do not serve this client or this domain. A referral: they answer for their own domains only. An answer that is too long for UDP: it needs TCP port 53, which does not answer. No answer at all is `dns.timeout`.",
    fixes: &[
        run("Query the name server itself:", "dig @{server} {name}"),
        fix("Try again in a minute: SERVFAIL often passes."),
        fix(
            "If it is REFUSED, this name server does not serve this machine or domain: correct /etc/resolv.conf, or the VPN's DNS settings.",
        ),
        fix(
            "If only this domain fails, tell the administrator of its name servers. If the answer is too long for UDP, allow TCP port 53 to the name server too.",
        ),
    ],
    seen_as: &[
        "Temporary failure in name resolution",
        "getaddrinfo EAI_AGAIN",
        "server misbehaving",
        "[Errno -3]",
        "SERVFAIL",
    ],
};

/// No answer.
pub static TIMEOUT: Cause = Cause {
    code: "dns.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "No name server answers",
    summary: "No name server answered for {queried} within {waited}: {answers}.",
    meaning: "Queries were sent and nothing came back: the name servers are down, a firewall drops port 53, or the VPN that leads to them is not connected. Whether the name exists is not known. A name server that refuses the packet or cannot be reached at all is `dns.no-resolver`.",
    fixes: &[
        run("Query the name server itself:", "dig @{server} {name}"),
        fix(
            "Connect the VPN or network that the name servers are on, or allow UDP and TCP port 53 to them.",
        ),
        fix("If their addresses are outdated, put the right ones into /etc/resolv.conf."),
    ],
    seen_as: &[
        "Temporary failure in name resolution",
        "getaddrinfo EAI_AGAIN",
        "i/o timeout",
        "[Errno -3]",
        "getaddrinfo ETIMEOUT",
    ],
};

/// No usable name server.
pub static NO_RESOLVER: Cause = Cause {
    code: "dns.no-resolver",
    severity: Severity::Fail,
    retryable: false,
    title: "There is no usable name server",
    summary: "There is no usable name server to resolve {name}: {answers}.",
    meaning: "/etc/resolv.conf names no name server, or every configured name server refuses queries or is unreachable, and the error comes at once. The problem is on this machine or in this container, not with the name. Name servers that do not answer are `dns.timeout`.",
    fixes: &[
        run(
            "Check which name servers are configured:",
            "cat /etc/resolv.conf",
        ),
        fix(
            "Start the local resolver if there should be one (systemctl status systemd-resolved, dnsmasq), or configure a name server that works.",
        ),
        fix("If the network or VPN is down, bring it up."),
        fix(
            "Without DNS, use the server's address instead of its name (hostaddr), or add the name to /etc/hosts.",
        ),
    ],
    seen_as: &[
        "Temporary failure in name resolution",
        "getaddrinfo EAI_AGAIN",
        "getaddrinfo ECONNREFUSED",
        "read: connection refused",
    ],
};

/// `/etc/hosts` wins over DNS.
pub static HOSTS_OVERRIDE: Cause = Cause {
    code: "dns.hosts-override",
    severity: Severity::Warn,
    retryable: false,
    title: "A local entry overrides DNS",
    summary: "{source} says that {name} is {addresses}, but DNS says {dns}; applications here use the former.",
    meaning: "This machine resolves the name from a local source, and the name servers have a different address for it. An entry that was added for a test or a tunnel and then forgotten leads to the wrong server once the real address changes. Other machines connect somewhere else.",
    fixes: &[
        run(
            "Check the entry, and remove it if it is outdated:",
            "grep -n -i -F {name} /etc/hosts",
        ),
        fix("If it is intended (a tunnel, a test), nothing is wrong."),
    ],
    seen_as: &[],
};

/// Name servers differ.
pub static DISAGREE: Cause = Cause {
    code: "dns.disagree",
    severity: Severity::Warn,
    retryable: false,
    title: "The name servers give different answers",
    summary: "The name servers disagree about {name}: {answers}.",
    meaning: "The answers of the configured name servers, asked twice, have nothing in common. Which answer an application gets depends on which server it queries first. Either one is stale, or one is for the private network and one for the public.",
    fixes: &[
        fix(
            "Configure only servers in /etc/resolv.conf that know the same names: all for the private network, or all public.",
        ),
        fix(
            "If the record was changed, wait until the stale server's cached copy expires (its TTL), or have it flushed.",
        ),
    ],
    seen_as: &[],
};

/// Only the system knows it.
pub static SYSTEM_ONLY: Cause = Cause {
    code: "dns.system-only",
    severity: Severity::Warn,
    retryable: false,
    title: "Only this machine knows the name",
    summary: "{name} resolves here through {source}, but the name servers {lack}: {answers}.",
    meaning: "The system resolver has an address, from /etc/hosts or another local source, and the name servers have none. It works here, but the same name fails on other machines, in containers, and in programs that query DNS themselves.",
    fixes: &[
        fix("If others need the name, have it added to DNS."),
        fix("If it is meant for this machine alone, nothing is wrong."),
    ],
    seen_as: &[],
};

/// Only the name servers know it.
pub static SERVER_ONLY: Cause = Cause {
    code: "dns.server-only",
    severity: Severity::Fail,
    retryable: false,
    title: "The name servers know the name, but the system resolver does not",
    summary: "The system resolver fails for {name} ({error}), but a name server knows it: {answers}.",
    meaning: "Applications use the system resolver (getaddrinfo), and it fails although a configured name server has the answer. Either /etc/nsswitch.conf does not use dns for hosts, a cache (nscd, systemd-resolved) keeps an old answer, or the name server that is queried first does not know the name, which ends the search.",
    fixes: &[
        run(
            "Add dns to the hosts line in /etc/nsswitch.conf (currently: {lacking?only local sources}):",
            "grep ^hosts: /etc/nsswitch.conf",
        ),
        run(
            "Clear the caches:",
            "resolvectl flush-caches; nscd -i hosts",
        ),
        fix("If the name servers differ, put one that knows the name first in /etc/resolv.conf."),
    ],
    seen_as: &["could not translate host name", "Name or service not known"],
};

/// It took long.
pub static SLOW: Cause = Cause {
    code: "dns.slow",
    severity: Severity::Warn,
    retryable: false,
    title: "Resolving the name is slow",
    summary: "Resolving {name} took {took}.",
    meaning: "Every new connection waits for this. Usually a name server in /etc/resolv.conf is dead and is queried first (5 s each time), a firewall drops the queries for IPv6 addresses, or many search domains are tried first.",
    fixes: &[
        fix("These did not answer: {silent}. Remove them from /etc/resolv.conf or repair them."),
        run(
            "Time each name server:",
            "dig @{server} {name} | grep 'Query time'",
        ),
        fix(
            "Write the name with a trailing dot, so that no search domain is tried (not with sslmode=verify-full, because the certificate has no such dot).",
        ),
    ],
    seen_as: &[],
};

/// Not a valid host name.
pub static INVALID_NAME: Cause = Cause {
    code: "dns.invalid-name",
    severity: Severity::Fail,
    retryable: false,
    title: "This is not a valid host name",
    summary: "{name} is not a valid host name: {flaw}.",
    meaning: "The text cannot be a host name or a valid address, so no resolver can resolve it: part of a URL or of a configuration ended up in the host, an address was mistyped, or part of a template is missing. A name that could exist but does not is `dns.nxdomain`.",
    fixes: &[
        fix("Use its ASCII form: {ascii}."),
        fix("Correct the host; the config stage shows where it comes from."),
    ],
    seen_as: &[
        "could not translate host name",
        "invalid domain name",
        "label too long",
    ],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "dns.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The dns stage failed in a way that dbdoctor does not recognise: {error}.",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &NXDOMAIN,
    &CONTAINER_NAME,
    &NO_ADDRESS,
    &SERVER_FAILURE,
    &TIMEOUT,
    &NO_RESOLVER,
    &HOSTS_OVERRIDE,
    &DISAGREE,
    &SYSTEM_ONLY,
    &SERVER_ONLY,
    &SLOW,
    &INVALID_NAME,
    &UNCLASSIFIED,
];
