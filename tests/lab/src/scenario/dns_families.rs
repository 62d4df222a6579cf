//! Names whose IPv4 and IPv6 addresses are answered differently.
//!
//! musl 1.2.3 was tried on each of the errors here: it does not resolve the name, glibc does.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::dns::{NAME, Responder, quiet, reachable};
use crate::{Case, Conn, Dnsmasq, Expect, Lab, Need, Netns, Scenario};

/// An address of the IPv6 Internet.
const PUBLIC: &str = "2001:db8::7";

/// A reply to a question for addresses.
#[derive(Clone, Copy)]
enum Says {
    /// This one.
    Address(IpAddr),
    /// This response code, without records.
    Code(u8),
    /// Nothing.
    Nothing,
}

const NO_DATA: Says = Says::Code(0);
const SERVFAIL: Says = Says::Code(2);
const NXDOMAIN: Says = Says::Code(3);
const REFUSED: Says = Says::Code(5);

/// The reply to a question, by the kind of addresses that it is for.
fn reply(question: &[u8], ipv4: Says, ipv6: Says) -> Option<Vec<u8>> {
    // The name ends in a zero; the type and the class follow.
    let end = 12 + question.get(12..)?.iter().position(|b| *b == 0)? + 5;
    let for_ipv6 = question.get(end - 4..end - 2)? == [0, 28];
    let (code, address) = match if for_ipv6 { ipv6 } else { ipv4 } {
        Says::Nothing => return None,
        Says::Code(code) => (code, None),
        Says::Address(ip) => (0, Some(ip)),
    };
    let mut reply = question.get(..end)?.to_vec();
    let answers = u8::from(address.is_some());
    reply[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    let (kind, data) = match address {
        None => return Some(reply),
        Some(IpAddr::V4(ip)) => (1, ip.octets().to_vec()),
        Some(IpAddr::V6(ip)) => (28, ip.octets().to_vec()),
    };
    reply.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    reply.extend(data);
    Some(reply)
}

/// A name server on an address of this host.
fn server(ip: &str, ipv4: Says, ipv6: Says) -> Result<Responder> {
    Responder::start(ip, move |question| {
        reply(question, ipv4, ipv6).into_iter().collect()
    })
}

/// A case in which [`NAME`] has the address of a server, and this is the answer for the other
/// kind of addresses.
fn half(lab: &Lab, ipv6: Says) -> Result<Case> {
    let (ns, door, conn) = reachable(lab)?;
    let ip: Ipv4Addr = ns.host_ip().parse()?;
    let server = server(&ns.host_ip(), Says::Address(ip.into()), ipv6)?;
    ns.resolv_conf(&format!("nameserver {ip}\n"))?;
    Ok(quiet(Case::check(conn))
        .password(lab.password())
        .keep((server, door))
        .netns(ns))
}

/// The same with an error, which the report tells with both answers.
fn error(lab: &Lab, ipv6: Says, code: &'static str) -> Result<Case> {
    let case = half(lab, ipv6)?;
    Ok(case.assert(move |report| {
        let server = &name_servers(report)?[0];
        ensure!(
            server["ipv4"] == "addresses" && server["ipv6"] == code,
            "{server:#}"
        );
        let summary = report["verdict"]["summary"].as_str().unwrap_or_default();
        ensure!(
            summary.contains("IPv6") && summary.contains(code),
            "{summary}"
        );
        let dig = report["verdict"]["fixes"][0]["command"].as_str();
        ensure!(
            dig.is_some_and(|dig| dig.ends_with("db.corp.test AAAA")),
            "{dig:?}"
        );
        Ok(())
    }))
}

/// The answers of the name servers, from the facts.
fn name_servers(report: &Value) -> Result<&Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let dns = stages.iter().find(|stage| stage["stage"] == "dns");
    Ok(&dns.context("no stage dns")?["facts"]["lookups"][0]["name_servers"])
}

/// A server in a namespace with an address of the IPv6 Internet, and a name server with these
/// lines.
fn on_ipv6(lab: &Lab, lines: &[&str]) -> Result<(Netns, Case)> {
    let ns = lab.netns()?;
    ns.run(&[
        "ip",
        "-6",
        "addr",
        "add",
        &format!("{PUBLIC}/128"),
        "dev",
        "eth0",
        "nodad",
    ])?;
    let pg = lab.new_postgres().netns(&ns).listen("*");
    let pg = pg.hba("host all all all scram-sha-256").start()?;
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", lines)?;
    let conn = pg.conn().set("host", NAME);
    let case = quiet(Case::check(conn)).password(lab.password());
    Ok((ns, case.keep((server, pg))))
}

/// Names of two kinds of addresses.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "dns-half-nxdomain",
        "an IPv4 address, and NXDOMAIN for IPv6 addresses",
        Expect::Warn("dns.half-error"),
        &[Need::Postgres, Need::Netns],
        |lab| error(lab, NXDOMAIN, "NXDOMAIN"),
    ),
    Scenario::new(
        "dns-half-servfail",
        "an IPv4 address, and SERVFAIL for IPv6 addresses",
        Expect::Warn("dns.half-error"),
        &[Need::Postgres, Need::Netns],
        |lab| error(lab, SERVFAIL, "SERVFAIL"),
    ),
    Scenario::new(
        "dns-half-refused",
        "an IPv4 address, and REFUSED for IPv6 addresses",
        Expect::Warn("dns.half-error"),
        &[Need::Postgres, Need::Netns],
        |lab| error(lab, REFUSED, "REFUSED"),
    ),
    Scenario::new(
        "dns-half-not-implemented",
        "an IPv4 address, and NOTIMP for IPv6 addresses",
        Expect::Warn("dns.half-error"),
        &[Need::Postgres, Need::Netns],
        |lab| error(lab, Says::Code(4), "NOTIMP"),
    ),
    Scenario::new(
        "dns-half-healthy",
        "an IPv4 address, and an empty answer for IPv6 addresses",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let case = half(lab, NO_DATA)?.forbids("dns.half-error");
            Ok(case.forbids("dns.ipv6-only").assert(|report| {
                let server = &name_servers(report)?[0];
                let kinds = (&server["ipv4"], &server["ipv6"]);
                ensure!(
                    *kinds.0 == "addresses" && *kinds.1 == "no address",
                    "{server:#}"
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-half-second-server",
        "SERVFAIL for IPv6 addresses, for which another name server has an empty answer",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let ip: Ipv4Addr = ns.host_ip().parse()?;
            let first = server(&ns.host_ip(), Says::Address(ip.into()), SERVFAIL)?;
            let record = format!("host-record={NAME},{ip}");
            let second = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            ns.resolv_conf(&format!("nameserver {ip}\nnameserver 127.0.0.1\n"))?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .forbids("dns.half-error")
                .keep((first, second, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-half-hosts",
        "/etc/hosts has the name, whatever the name server answers",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let ip: Ipv4Addr = ns.host_ip().parse()?;
            let server = server(&ns.host_ip(), Says::Address(ip.into()), NXDOMAIN)?;
            ns.hosts(&format!("127.0.0.1 localhost\n{ip} {NAME}\n"))?;
            ns.resolv_conf(&format!("nameserver {ip}\n"))?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .forbids("dns.half-error")
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-half-both",
        "both questions get an error",
        Expect::Fail("dns.server-failure"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let server = server(&ns.host_ip(), SERVFAIL, REFUSED)?;
            ns.resolv_conf(&format!(
                "nameserver {}\noptions timeout:1 attempts:1\n",
                ns.host_ip()
            ))?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn)
                .forbids("dns.half-error")
                .keep(server)
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-half-both-absent",
        "both questions get NXDOMAIN",
        Expect::Fail("dns.nxdomain"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let server = server(&ns.host_ip(), NXDOMAIN, NXDOMAIN)?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn)
                .forbids("dns.half-error")
                .keep(server)
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-half-ipv4",
        "an IPv6 address, and NXDOMAIN for IPv4 addresses",
        Expect::Warn("dns.half-error"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns) = (lab.postgres()?, lab.netns()?);
            let door = crate::Peer::forward_on(&ns.host_ip6(), pg.addr(), crate::Fault::None)?;
            let ip: IpAddr = ns.host_ip6().parse()?;
            let server = server(&ns.host_ip(), NXDOMAIN, Says::Address(ip))?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            let conn = pg.conn().set("host", NAME).set("port", door.port());
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-half-silent",
        "an IPv6 question without any answer is slow, and no error",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let ip: Ipv4Addr = ns.host_ip().parse()?;
            let server = server(&ns.host_ip(), Says::Address(ip.into()), Says::Nothing)?;
            ns.resolv_conf(&format!("nameserver {ip}\noptions timeout:2 attempts:1\n"))?;
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("dns.half-error")
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-ipv6-only",
        "a name with a public IPv6 address alone, which is reached",
        Expect::Warn("dns.ipv6-only"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, case) = on_ipv6(lab, &[&format!("host-record={NAME},{PUBLIC}")])?;
            Ok(case.netns(ns))
        },
    ),
    Scenario::new(
        "dns-ipv6-too",
        "a name with addresses of both kinds",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let record = format!("host-record={NAME},127.0.0.1,{PUBLIC}");
            let (ns, case) = on_ipv6(lab, &[&record])?;
            Ok(case.forbids("dns.ipv6-only").netns(ns))
        },
    ),
    Scenario::new(
        "dns-ipv6-private",
        "a name with a private IPv6 address alone",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let record = format!("host-record={NAME},{}", ns.ip6());
            let pg = lab.new_postgres().netns(&ns).listen("*");
            let pg = pg.hba("host all all all scram-sha-256").start()?;
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            let conn = pg.conn().set("host", NAME);
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .forbids("dns.ipv6-only")
                .keep((server, pg))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-ipv6-no-route",
        "a name with a public IPv6 address alone, and no route to it",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| no_route(lab, NAME, "Use a name with an IPv4 address"),
    ),
    Scenario::new(
        "dns-ipv6-no-route-provider",
        "the same of a provider that has a pooler with an IPv4 address",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| no_route(lab, "db.abcdefghij.supabase.co", "pooler.supabase.com"),
    ),
];

/// A case with a name that has an IPv6 address to which there is no route.
fn no_route(lab: &Lab, name: &str, advice: &'static str) -> Result<Case> {
    let ns = lab.netns()?;
    let server = Dnsmasq::start(
        lab,
        &ns,
        "127.0.0.1",
        &[&format!("host-record={name},{PUBLIC}")],
    )?;
    let conn = Conn::new().set("host", name).set("user", "app");
    let case = Case::check(conn).keep(server).netns(ns);
    Ok(case.warns("dns.ipv6-only").assert(move |report| {
        let fix = report["verdict"]["fixes"][0]["text"].as_str();
        ensure!(fix.is_some_and(|fix| fix.contains(advice)), "{fix:?}");
        Ok(())
    }))
}
