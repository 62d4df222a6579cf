//! Ends that cannot be reached, and ends that are reached by unusual ways.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use anyhow::{Result, ensure};

use crate::{
    Blackhole, Case, Conn, Expect, Fault, Lab, Need, Netns, Oracle, Peer, Postgres, Scenario,
    free_port,
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
    Scenario {
        name: "tcp-refused",
        about: "nothing listens",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::check(conn(free_port()))),
    },
    Scenario {
        name: "tcp-timeout",
        about: "no answer to SYN: the listener's queue is full",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| {
            let hole = Blackhole::new()?;
            Ok(Case::check(conn(hole.port())).keep(hole))
        },
    },
    Scenario {
        name: "tcp-dropped",
        about: "no answer to SYN: a firewall drops it on the way in",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 drop")?;
            Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
        },
    },
    Scenario {
        name: "tcp-rejected",
        about: "a firewall on the other end prohibits it",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 reject with icmpx admin-prohibited")?;
            Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
        },
    },
    Scenario {
        name: "tcp-unreachable",
        about: "no route to the network",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| Ok(Case::check(conn(5432).set("host", "192.0.2.1")).netns(lab.netns()?)),
    },
    Scenario {
        name: "tcp-socket-missing",
        about: "no unix socket in the directory",
        expect: Expect::Fail("tcp.socket-missing"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |lab| {
            Ok(Case::check(
                conn(5432).set("host", lab.dir("empty")?.display()),
            ))
        },
    },
    Scenario {
        name: "tcp-ipv6-first",
        about: "localhost is ::1 first, and the server listens on 127.0.0.1 alone",
        expect: Expect::Warn("tcp.ipv6-first"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-ipv6-healthy",
        about: "an IPv6 literal in a URI",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().listen("::1").start()?;
            Ok(Case::target(pg.conn().url())
                .password(lab.password())
                .keep(pg))
        },
    },
    Scenario {
        name: "tcp-refused-rst",
        about: "a firewall answers with a reset",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled(lab, "tcp dport 5432 reject with tcp reset"),
    },
    Scenario {
        name: "tcp-refused-icmp",
        about: "a firewall says that the port is unreachable",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled(lab, "tcp dport 5432 reject with icmp type port-unreachable"),
    },
    Scenario {
        name: "tcp-rejected-host",
        about: "a firewall prohibits the host",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled(lab, "tcp dport 5432 reject with icmp type host-prohibited"),
    },
    Scenario {
        name: "tcp-rejected-net",
        about: "a firewall prohibits the network",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled(lab, "tcp dport 5432 reject with icmp type net-prohibited"),
    },
    Scenario {
        name: "tcp-unreachable-host",
        about: "a router says that the host is unreachable",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled(lab, "tcp dport 5432 reject with icmp type host-unreachable"),
    },
    Scenario {
        name: "tcp-unreachable-net",
        about: "a router says that the network is unreachable",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled(lab, "tcp dport 5432 reject with icmp type net-unreachable"),
    },
    Scenario {
        name: "tcp-refused-ipv6",
        about: "a firewall answers with a reset over IPv6",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled6(lab, "tcp dport 5432 reject with tcp reset"),
    },
    Scenario {
        name: "tcp-rejected-ipv6",
        about: "a firewall prohibits it over IPv6",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            ruled6(
                lab,
                "tcp dport 5432 reject with icmpv6 type admin-prohibited",
            )
        },
    },
    Scenario {
        name: "tcp-rejected-policy",
        about: "a firewall's policy fails it over IPv6",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled6(lab, "tcp dport 5432 reject with icmpv6 type policy-fail"),
    },
    Scenario {
        name: "tcp-unreachable-ipv6",
        about: "a router has no route over IPv6",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled6(lab, "tcp dport 5432 reject with icmpv6 type no-route"),
    },
    Scenario {
        name: "tcp-dropped-ipv6",
        about: "a firewall drops it over IPv6",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| ruled6(lab, "tcp dport 5432 drop"),
    },
    Scenario {
        name: "tcp-rejected-here",
        about: "this machine's own firewall prohibits it",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.output("tcp dport 5432 reject with icmpx admin-prohibited")?;
            Ok(Case::check(conn(5432).set("host", ns.host_ip())).netns(ns))
        },
    },
    Scenario {
        name: "tcp-dropped-here",
        about: "this machine's own firewall drops it",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.output("tcp dport 5432 drop")?;
            Ok(Case::check(conn(5432).set("host", ns.host_ip())).netns(ns))
        },
    },
    Scenario {
        name: "tcp-rejected-route",
        about: "the route prohibits it",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| routed(lab, "prohibit"),
    },
    Scenario {
        name: "tcp-unreachable-route",
        about: "the route says unreachable",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| routed(lab, "unreachable"),
    },
    Scenario {
        name: "tcp-unreachable-blackhole",
        about: "the route is a black hole",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| routed(lab, "blackhole"),
    },
    Scenario {
        name: "tcp-unreachable-ipv6-only",
        about: "a name with an IPv6 address alone, and no route to it",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.hosts("127.0.0.1 localhost\n2001:db8::7 db.corp.test\n")?;
            let conn = conn(5432).set("host", "db.corp.test");
            Ok(Case::check(conn).forbids("dns.no-address").netns(ns))
        },
    },
    Scenario {
        name: "tcp-unreachable-no-ipv6",
        about: "::1 where IPv6 is switched off: nothing ran out",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.run(&["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])?;
            Ok(Case::check(conn(5432).set("host", "::1")).netns(ns))
        },
    },
    Scenario {
        name: "tcp-dual-without-route",
        about: "a name with both kinds of addresses, and no IPv6 route",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
            let (pg, ns, conn) = named(lab, "127.0.0.1", &["2001:db8::7", "127.0.0.1"])?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-dual-without-ipv6",
        about: "localhost is ::1 too, and IPv6 is switched off",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-several-healthy",
        about: "a name with three addresses that all work",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
            let all = ["127.0.0.1", "127.0.0.2", "::1"];
            let (pg, ns, conn) = named(lab, "*", &all)?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-partial",
        about: "one of two addresses refuses",
        expect: Expect::Warn("tcp.partial"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
            let (pg, ns, conn) = named(lab, "127.0.0.1", &["127.0.0.1", "127.0.0.2"])?;
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("tcp.ipv6-first")
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-partial-silent",
        about: "one of two addresses is a black hole",
        expect: Expect::Warn("tcp.partial"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Nft],
        setup: |lab| {
            let (pg, ns, conn) = named(lab, "*", &["127.0.0.1", "127.0.0.2"])?;
            ns.input(&format!("ip daddr 127.0.0.2 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-partial-first-silent",
        about: "the first of two addresses is a black hole",
        expect: Expect::Warn("tcp.partial"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Nft],
        setup: |lab| {
            let (pg, ns, conn) = named(lab, "*", &["127.0.0.1", "127.0.0.2"])?;
            ns.input(&format!("ip daddr 127.0.0.1 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-partial-ipv6-silent",
        about: "the IPv6 address comes first and is a black hole",
        expect: Expect::Warn("tcp.partial"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Nft],
        setup: |lab| {
            let (pg, ns, conn) = named(lab, "*", &["::1", "127.0.0.1"])?;
            ns.input(&format!("ip6 daddr ::1 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("tcp.ipv6-first")
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-ipv6-first-auth",
        about: "localhost is ::1 first, which refuses, and the password is wrong",
        expect: Expect::Fail("auth.password.wrong"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-hosts-first-dead",
        about: "two hosts, the first refuses",
        expect: Expect::Warn("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn();
            let port = conn.get("port").unwrap_or_default().to_owned();
            let conn = conn
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{},{port}", free_port()));
            Ok(Case::check(conn).password(lab.password()))
        },
    },
    Scenario {
        name: "tcp-hosts-second-dead",
        about: "two hosts, the second refuses",
        expect: Expect::Warn("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn();
            let port = conn.get("port").unwrap_or_default().to_owned();
            let conn = conn
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{port},{}", free_port()));
            Ok(Case::check(conn).password(lab.password()))
        },
    },
    Scenario {
        name: "tcp-hosts-same",
        about: "the same host twice",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn();
            let port = conn.get("port").unwrap_or_default().to_owned();
            let conn = conn
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{port},{port}"));
            Ok(quiet(Case::check(conn)).password(lab.password()))
        },
    },
    Scenario {
        name: "tcp-hosts-all-dead",
        about: "two hosts: a black hole and a refusal; the refusal is told at once",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| {
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
    },
    Scenario {
        name: "tcp-refused-elsewhere",
        about: "the server listens on another address of this machine",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-listener",
        about: "a forward on this machine: its process is named",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.postgres()?;
            let door = Peer::forward(pg.addr(), Fault::None)?;
            let conn = pg.conn().set("port", door.port());
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(door)
                .assert(|report| {
                    let listener = &report["stages"][3]["facts"]["listener"];
                    ensure!(listener["pid"] == std::process::id(), "{listener}");
                    Ok(())
                }))
        },
    },
    Scenario {
        name: "tcp-local-ports",
        about: "no local port is left",
        expect: Expect::Fail("tcp.local"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-retransmits",
        about: "the first packet is lost",
        expect: Expect::Warn("tcp.retransmits"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Nft],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-socket-healthy",
        about: "a unix socket",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-socket-abstract",
        about: "a unix socket in the abstract namespace, and nobody has it",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::check(conn(5432).set("host", "@dbdoctor-lab-nobody"))),
    },
    Scenario {
        name: "tcp-socket-stale",
        about: "a unix socket's file that its server left behind",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |lab| {
            let dir = lab.dir("stale")?;
            drop(UnixListener::bind(dir.join(".s.PGSQL.5432"))?);
            Ok(Case::check(conn(5432).set("host", dir.display())))
        },
    },
    Scenario {
        name: "tcp-socket-other-port",
        about: "the server's socket is there with another port",
        expect: Expect::Fail("tcp.socket-missing"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-socket-permission",
        about: "this user may not write to the unix socket",
        expect: Expect::Fail("tcp.socket-permission"),
        oracle: Oracle::Psql,
        needs: &[Need::Root],
        setup: |lab| {
            let dir = lab.dir("shut")?;
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755))?;
            let path = dir.join(".s.PGSQL.5432");
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
            let case = Case::check(conn(5432).set("host", dir.display()));
            Ok(case.run_as("nobody").keep(listener))
        },
    },
    Scenario {
        name: "tcp-socket-directory",
        about: "this user may not pass the unix socket's directory",
        expect: Expect::Fail("tcp.socket-permission"),
        oracle: Oracle::Psql,
        needs: &[Need::Root],
        setup: |lab| {
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
    },
    Scenario {
        name: "tcp-socket-path",
        about: "the unix socket's path is too long",
        expect: Expect::Fail("tcp.socket-path"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |lab| {
            let dir = lab.dir(&"long".repeat(25))?;
            Ok(Case::check(conn(5432).set("host", dir.display())))
        },
    },
];
