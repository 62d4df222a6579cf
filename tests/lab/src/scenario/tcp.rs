//! Ends that cannot be reached, and ends that are reached by unusual ways.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use anyhow::{Result, ensure};

use crate::{
    Blackhole, Case, Conn, Expect, Fault, Lab, Need, Netns, Peer, Postgres, Scenario, free_port,
};

fn conn(port: u16) -> Conn {
    Conn::new()
        .set("host", "127.0.0.1")
        .set("port", port)
        .set("user", "app")
        .set("connect_timeout", 2)
}

/// Connects to the host's end of a namespace, whose rule for it is this. `{ip}` is its address.
fn ruled(lab: &Lab, rule: &str) -> Result<Case> {
    let ns = lab.netns()?;
    ns.input(&rule.replace("{ip}", &ns.ip()))?;
    Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
}

/// The same over IPv6.
fn ruled6(lab: &Lab, rule: &str) -> Result<Case> {
    let ns = lab.netns()?;
    ns.input(rule)?;
    Ok(Case::check(conn(5432).set("host", ns.ip6())).keep(ns))
}

/// Connects from inside a namespace that has this route to the network of the address.
fn routed(lab: &Lab, kind: &str) -> Result<Case> {
    let ns = lab.netns()?;
    ns.run(&["ip", "route", "add", kind, "192.0.2.0/24"])?;
    Ok(Case::check(conn(5432).set("host", "192.0.2.1")).netns(ns))
}

/// A server in a namespace of its own that listens on these addresses, and the name
/// `db.corp.test` for others.
fn named(lab: &Lab, listen: &str, addresses: &[&str]) -> Result<(Postgres, Netns, Conn)> {
    let ns = lab.netns()?;
    let pg = lab.new_postgres().netns(&ns);
    let pg = pg.conf("listen_addresses", listen).start()?;
    let mut hosts = "127.0.0.1 localhost\n".to_owned();
    for address in addresses {
        hosts.push_str(&format!("{address} db.corp.test\n"));
    }
    ns.hosts(&hosts)?;
    let conn = pg.conn().set("host", "db.corp.test");
    Ok((pg, ns, conn))
}

/// Every address works, and nothing is odd.
fn quiet(case: Case) -> Case {
    [
        "tcp.partial",
        "tcp.ipv6-first",
        "tcp.retransmits",
        "tcp.refused",
        "tcp.unreachable",
    ]
    .into_iter()
    .fold(case, Case::forbids)
}

/// Reachability.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tcp-refused",
        "nothing listens",
        Expect::Fail("tcp.refused"),
        &[],
        |_| Ok(Case::check(conn(free_port()))),
    ),
    Scenario::new(
        "tcp-timeout",
        "no answer to SYN: the listener's queue is full",
        Expect::Fail("tcp.timeout"),
        &[],
        |_| {
            let hole = Blackhole::new()?;
            Ok(Case::check(conn(hole.port())).keep(hole))
        },
    ),
    Scenario::new(
        "tcp-dropped",
        "no answer to SYN: a firewall drops it on the way in",
        Expect::Fail("tcp.timeout"),
        &[Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 drop")?;
            Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
        },
    ),
    Scenario::new(
        "tcp-rejected",
        "a firewall on the other end prohibits it",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 reject with icmpx admin-prohibited")?;
            Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
        },
    ),
    Scenario::new(
        "tcp-unreachable",
        "no route to the network",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns],
        |lab| Ok(Case::check(conn(5432).set("host", "192.0.2.1")).netns(lab.netns()?)),
    ),
    Scenario::new(
        "tcp-socket-missing",
        "no unix socket in the directory",
        Expect::Fail("tcp.socket-missing"),
        &[],
        |lab| {
            Ok(Case::check(
                conn(5432).set("host", lab.dir("empty")?.display()),
            ))
        },
    ),
    Scenario::new(
        "tcp-ipv6-first",
        "localhost is ::1 first, and the server listens on 127.0.0.1 alone",
        Expect::Warn("tcp.ipv6-first"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns) = (lab.new_postgres(), lab.netns()?);
            let pg = pg
                .netns(&ns)
                .conf("listen_addresses", "127.0.0.1")
                .start()?;
            let conn = pg.conn().set("host", "localhost");
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-ipv6-healthy",
        "an IPv6 literal in a URI",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().listen("::1").start()?;
            Ok(Case::target(pg.conn().url())
                .password(lab.password())
                .keep(pg))
        },
    ),
    Scenario::new(
        "tcp-refused-rst",
        "a firewall answers with a reset",
        Expect::Fail("tcp.refused"),
        &[Need::Nft],
        |lab| ruled(lab, "tcp dport 5432 reject with tcp reset"),
    ),
    Scenario::new(
        "tcp-rejected-port",
        "a firewall says that the port is unreachable, as iptables does by default",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| ruled(lab, "tcp dport 5432 reject with icmp type port-unreachable"),
    ),
    Scenario::new(
        "tcp-rejected-host",
        "a firewall prohibits the host",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| ruled(lab, "tcp dport 5432 reject with icmp type host-prohibited"),
    ),
    Scenario::new(
        "tcp-rejected-net",
        "a firewall prohibits the network",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| ruled(lab, "tcp dport 5432 reject with icmp type net-prohibited"),
    ),
    Scenario::new(
        "tcp-unreachable-host",
        "a router says that the host is unreachable",
        Expect::Fail("tcp.unreachable"),
        &[Need::Nft],
        |lab| ruled(lab, "tcp dport 5432 reject with icmp type host-unreachable"),
    ),
    Scenario::new(
        "tcp-unreachable-net",
        "a router says that the network is unreachable",
        Expect::Fail("tcp.unreachable"),
        &[Need::Nft],
        |lab| ruled(lab, "tcp dport 5432 reject with icmp type net-unreachable"),
    ),
    Scenario::new(
        "tcp-refused-ipv6",
        "a firewall answers with a reset over IPv6",
        Expect::Fail("tcp.refused"),
        &[Need::Nft],
        |lab| ruled6(lab, "tcp dport 5432 reject with tcp reset"),
    ),
    Scenario::new(
        "tcp-rejected-ipv6",
        "a firewall prohibits it over IPv6",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| {
            ruled6(
                lab,
                "tcp dport 5432 reject with icmpv6 type admin-prohibited",
            )
        },
    ),
    Scenario::new(
        "tcp-rejected-policy",
        "a firewall's policy fails it over IPv6",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| ruled6(lab, "tcp dport 5432 reject with icmpv6 type policy-fail"),
    ),
    Scenario::new(
        "tcp-unreachable-ipv6",
        "a router has no route over IPv6",
        Expect::Fail("tcp.unreachable"),
        &[Need::Nft],
        |lab| ruled6(lab, "tcp dport 5432 reject with icmpv6 type no-route"),
    ),
    Scenario::new(
        "tcp-dropped-ipv6",
        "a firewall drops it over IPv6",
        Expect::Fail("tcp.timeout"),
        &[Need::Nft],
        |lab| ruled6(lab, "tcp dport 5432 drop"),
    ),
    Scenario::new(
        "tcp-rejected-here",
        "this machine's own firewall prohibits it",
        Expect::Fail("tcp.rejected"),
        &[Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.output("tcp dport 5432 reject with icmpx admin-prohibited")?;
            Ok(Case::check(conn(5432).set("host", ns.host_ip())).netns(ns))
        },
    ),
    Scenario::new(
        "tcp-dropped-here",
        "this machine's own firewall drops it",
        Expect::Fail("tcp.timeout"),
        &[Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.output("tcp dport 5432 drop")?;
            Ok(Case::check(conn(5432).set("host", ns.host_ip())).netns(ns))
        },
    ),
    Scenario::new(
        "tcp-rejected-route",
        "the route prohibits it",
        Expect::Fail("tcp.rejected"),
        &[Need::Netns],
        |lab| routed(lab, "prohibit"),
    ),
    Scenario::new(
        "tcp-unreachable-route",
        "the route says unreachable",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns],
        |lab| routed(lab, "unreachable"),
    ),
    Scenario::new(
        "tcp-unreachable-blackhole",
        "the route is a black hole",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns],
        |lab| routed(lab, "blackhole"),
    ),
    Scenario::new(
        "tcp-unreachable-ipv6-only",
        "a name with an IPv6 address alone, and no route to it",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.hosts("127.0.0.1 localhost\n2001:db8::7 db.corp.test\n")?;
            let conn = conn(5432).set("host", "db.corp.test");
            Ok(Case::check(conn).forbids("dns.no-address").netns(ns))
        },
    ),
    Scenario::new(
        "tcp-unreachable-no-ipv6",
        "::1 where IPv6 is switched off: nothing ran out",
        Expect::Fail("tcp.unreachable"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.run(&["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])?;
            Ok(Case::check(conn(5432).set("host", "::1")).netns(ns))
        },
    ),
    Scenario::new(
        "tcp-dual-without-route",
        "a name with both kinds of addresses, and no IPv6 route",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns, conn) = named(lab, "127.0.0.1", &["2001:db8::7", "127.0.0.1"])?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-dual-without-ipv6",
        "localhost is ::1 too, and IPv6 is switched off",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.run(&["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])?;
            let pg = lab.new_postgres().netns(&ns);
            let pg = pg.conf("listen_addresses", "127.0.0.1").start()?;
            let conn = pg.conn().set("host", "localhost");
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-several-healthy",
        "a name with three addresses that all work",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let all = ["127.0.0.1", "127.0.0.2", "::1"];
            let (pg, ns, conn) = named(lab, "*", &all)?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-partial",
        "one of two addresses refuses",
        Expect::Warn("tcp.partial"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns, conn) = named(lab, "127.0.0.1", &["127.0.0.1", "127.0.0.2"])?;
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("tcp.ipv6-first")
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-partial-silent",
        "one of two addresses is a black hole",
        Expect::Warn("tcp.partial"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, "*", &["127.0.0.1", "127.0.0.2"])?;
            ns.input(&format!("ip daddr 127.0.0.2 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-partial-first-silent",
        "the first of two addresses is a black hole",
        Expect::Warn("tcp.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, "*", &["127.0.0.1", "127.0.0.2"])?;
            ns.input(&format!("ip daddr 127.0.0.1 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-partial-ipv6-silent",
        "the IPv6 address comes first and is a black hole",
        Expect::Warn("tcp.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, "*", &["::1", "127.0.0.1"])?;
            ns.input(&format!("ip6 daddr ::1 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("tcp.ipv6-first")
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-ipv6-first-auth",
        "localhost is ::1 first, which refuses, and the password is wrong",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns) = (lab.new_postgres(), lab.netns()?);
            let pg = pg
                .netns(&ns)
                .conf("listen_addresses", "127.0.0.1")
                .start()?;
            let conn = pg.conn().set("host", "localhost");
            Ok(Case::check(conn)
                .password("not-the-one-7f31")
                .warns("tcp.ipv6-first")
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-hosts-first-dead",
        "two hosts, the first refuses",
        Expect::Warn("tcp.refused"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn();
            let port = conn.get("port").unwrap_or_default().to_owned();
            let conn = conn
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{},{port}", free_port()));
            Ok(Case::check(conn).password(lab.password()))
        },
    ),
    Scenario::new(
        "tcp-hosts-second-dead",
        "two hosts, the second refuses",
        Expect::Warn("tcp.refused"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn();
            let port = conn.get("port").unwrap_or_default().to_owned();
            let conn = conn
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{port},{}", free_port()));
            Ok(Case::check(conn).password(lab.password()))
        },
    ),
    Scenario::new(
        "tcp-hosts-same",
        "the same host twice",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn();
            let port = conn.get("port").unwrap_or_default().to_owned();
            let conn = conn
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{port},{port}"));
            Ok(quiet(Case::check(conn)).password(lab.password()))
        },
    ),
    Scenario::new(
        "tcp-hosts-all-dead",
        "two hosts: a black hole and a refusal; the refusal is told at once",
        Expect::Fail("tcp.timeout"),
        &[],
        |_| {
            let hole = Blackhole::new()?;
            let ports = format!("{},{}", hole.port(), free_port());
            let conn = conn(1)
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", ports);
            Ok(Case::check(conn).keep(hole).assert(|report| {
                let tcp = &report["stages"][3];
                let second = &tcp["facts"]["addresses"][1];
                ensure!(second["outcome"] == "refused", "{second}");
                ensure!(
                    second["ms"].as_f64().unwrap_or(f64::MAX) < 500.0,
                    "{second}"
                );
                ensure!(tcp["findings"][1]["cause"] == "tcp.refused", "{tcp}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "tcp-refused-elsewhere",
        "the server listens on another address of this machine",
        Expect::Fail("tcp.refused"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns, conn) = named(lab, "127.0.0.1", &[])?;
            let conn = conn.set("host", ns.ip());
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns)
                .assert(|report| {
                    let fixes = report["verdict"]["fixes"].to_string();
                    ensure!(fixes.contains("listen_addresses"), "{fixes}");
                    let near = &report["stages"][3]["findings"][0]["evidence"]["listening"][0];
                    ensure!(near["name"] == "postgres", "{near}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tcp-listener",
        "a forward on this machine: its process is named",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let door = Peer::forward(pg.addr(), Fault::None)?;
            let conn = pg.conn().set("port", door.port());
            Ok(Case::check(conn)
                .arg("-v")
                .password(lab.password())
                .keep(door)
                .assert(|report| {
                    let listener = &report["stages"][3]["facts"]["listener"];
                    ensure!(listener["pid"] == std::process::id(), "{listener}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tcp-local-ports",
        "no local port is left",
        Expect::Fail("tcp.local"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let pg = lab.new_postgres().netns(&ns);
            let pg = pg.conf("listen_addresses", "127.0.0.1").start()?;
            // The only port that may be used is the one that the server holds.
            let range = format!("net.ipv4.ip_local_port_range={0} {0}", pg.port());
            ns.run(&["sysctl", "-qw", &range])?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-retransmits",
        "the first packet is lost",
        Expect::Warn("tcp.retransmits"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, "127.0.0.1", &["127.0.0.1"])?;
            let rule = format!(
                "tcp dport {} tcp flags & (syn | ack) == syn numgen inc mod 2 == 0 drop",
                pg.port()
            );
            ns.input(&rule)?;
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-socket-healthy",
        "a unix socket",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .assert(|report| {
                    let name = &report["stages"][3]["facts"]["listener"]["name"];
                    ensure!(name == "postgres", "{name}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tcp-socket-abstract",
        "a unix socket in the abstract namespace, and nobody has it",
        Expect::Fail("tcp.refused"),
        &[],
        |_| Ok(Case::check(conn(5432).set("host", "@dbdoctor-lab-nobody"))),
    ),
    Scenario::new(
        "tcp-socket-stale",
        "a unix socket's file that its server left behind",
        Expect::Fail("tcp.refused"),
        &[],
        |lab| {
            let dir = lab.dir("stale")?;
            drop(UnixListener::bind(dir.join(".s.PGSQL.5432"))?);
            Ok(Case::check(conn(5432).set("host", dir.display())))
        },
    ),
    Scenario::new(
        "tcp-socket-other-port",
        "the server's socket is there with another port",
        Expect::Fail("tcp.socket-missing"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let there = format!("{}/.s.PGSQL.{}", pg.socket_dir().display(), pg.port());
            let conn = pg
                .conn()
                .set("host", pg.socket_dir().display())
                .set("port", 1);
            Ok(Case::check(conn)
                .password(lab.password())
                .assert(move |report| {
                    let fixes = report["verdict"]["fixes"].to_string();
                    ensure!(fixes.contains(&there), "{fixes}");
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "tcp-socket-permission",
        "this user may not write to the unix socket",
        Expect::Fail("tcp.socket-permission"),
        &[Need::Root],
        |lab| {
            let dir = lab.dir("shut")?;
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755))?;
            let path = dir.join(".s.PGSQL.5432");
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
            let case = Case::check(conn(5432).set("host", dir.display()));
            Ok(case.run_as("nobody").keep(listener))
        },
    ),
    Scenario::new(
        "tcp-socket-directory",
        "this user may not pass the unix socket's directory",
        Expect::Fail("tcp.socket-permission"),
        &[Need::Root],
        |lab| {
            let dir = lab.dir("shut")?;
            let listener = UnixListener::bind(dir.join(".s.PGSQL.5432"))?;
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700))?;
            let shown = dir.display().to_string();
            let case = Case::check(conn(5432).set("host", &shown)).run_as("nobody");
            Ok(case.keep(listener).assert(move |report| {
                let by = &report["stages"][3]["findings"][0]["evidence"]["denied_by"];
                ensure!(by.to_string().contains(&shown), "{by}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "tcp-socket-path",
        "the unix socket's path is too long",
        Expect::Fail("tcp.socket-path"),
        &[],
        |lab| {
            let dir = lab.dir(&"long".repeat(25))?;
            Ok(Case::check(conn(5432).set("host", dir.display())))
        },
    ),
];
