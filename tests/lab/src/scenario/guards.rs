//! `--not-host`, where only a look-up shows that a host is a forbidden one: nobody is connected to.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::dns::{NAME, reachable};
use super::findings;
use crate::{Case, Dnsmasq, Expect, Fault, Lab, Need, Oracle, Peer, Scenario, SshRoute};

const NO_GUARDS: Oracle = Oracle::None("psql has no guards");
const NAMES: &[Need] = &[Need::Postgres, Need::Netns, Need::Dnsmasq];

/// What a case with a guard looks up, and where.
struct Lookup<'a> {
    host: &'a str,
    resolv: &'a str,
    /// Lines of dnsmasq; `{ip}` is the server's address.
    lines: &'a [&'a str],
    hosts: Option<&'a str>,
}

/// The name of the other scenarios, known to the one name server by these lines.
fn name<'a>(lines: &'a [&'a str]) -> Lookup<'a> {
    Lookup {
        host: NAME,
        resolv: "nameserver 127.0.0.1\n",
        lines,
        hosts: None,
    }
}

/// A server that works, on a name that is looked up, and a guard with this pattern (`{ip}` is
/// the server's address). Where it is to hit, it does so with `actual`, and nobody connects.
fn guarded(
    lab: &Lab,
    lookup: &Lookup,
    pattern: &str,
    actual: Option<&'static str>,
) -> Result<Case> {
    let (ns, door, conn) = reachable(lab)?;
    let ip = ns.host_ip();
    let filled = |text: &str| text.replace("{ip}", &ip);
    let lines: Vec<String> = lookup.lines.iter().map(|line| filled(line)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &lines)?;
    ns.resolv_conf(lookup.resolv)?;
    if let Some(hosts) = lookup.hosts {
        ns.hosts(&filled(hosts))?;
    }
    let door = Arc::new(door);
    let case = Case::check(conn.set("host", lookup.host))
        .password(lab.password())
        .args(&["--not-host", &filled(pattern), "--second-opinion"])
        .keep((server, Arc::clone(&door)))
        .netns(ns);
    Ok(case.assert(move |report| {
        let Some(actual) = actual else {
            return Ok(());
        };
        ensure!(door.connections() == 0, "it connected");
        let actual = actual.replace("{ip}", &ip);
        let finding = findings(report).find(|finding| finding["cause"] == "server.wrong-identity");
        let evidence = finding.map(|finding| finding["evidence"].clone());
        let evidence = evidence.unwrap_or_default();
        ensure!(evidence["actual"] == *actual, "{evidence}");
        Ok(())
    }))
}

/// How this stack of the second opinion fared.
fn second(report: &Value, stack: &str) -> Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .filter_map(|stage| stage["facts"]["second_opinion"].as_array())
        .flatten()
        .find(|row| row["stack"] == stack)
        .cloned()
        .unwrap_or_default()
}

/// Guards on names and addresses.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "guard-address",
        "the name leads into a forbidden network",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = name(&["host-record=db.corp.test,{ip}"]);
            guarded(lab, &lookup, "{ip}/24", Some("{ip}"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-address-second",
        "the second of a name's addresses is forbidden",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = name(&[
                "host-record=db.corp.test,{ip}",
                "host-record=db.corp.test,203.0.113.7",
            ]);
            guarded(lab, &lookup, "203.0.113.7", Some("203.0.113.7"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-address-mapped",
        "the name has the forbidden IPv4 address as an IPv6 address",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = name(&["address=/db.corp.test/::ffff:{ip}"]);
            guarded(lab, &lookup, "{ip}", Some("::ffff:{ip}"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-cname",
        "the name is an alias of a forbidden one",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = name(&[
                "cname=db.corp.test,db-1.prod.test",
                "host-record=db-1.prod.test,{ip}",
            ]);
            guarded(lab, &lookup, "*.PROD.test.", Some("db-1.prod.test"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-cname-between",
        "the name is an alias of a forbidden one, which is an alias itself",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = name(&[
                "cname=db.corp.test,orders.prod.test",
                "cname=orders.prod.test,ec2-1.cloud.test",
                "host-record=ec2-1.cloud.test,{ip}",
            ]);
            guarded(lab, &lookup, "*.prod.test", Some("orders.prod.test"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-search",
        "a short name that a search domain makes a forbidden one",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = Lookup {
                host: "db",
                resolv: "nameserver 127.0.0.1\nsearch other.test prod.test\n",
                ..name(&["host-record=db.prod.test,{ip}"])
            };
            guarded(lab, &lookup, "*.prod.test", Some("db.prod.test"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-hosts",
        "a nickname in /etc/hosts of a forbidden name",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let lookup = Lookup {
                hosts: Some("127.0.0.1 localhost\n{ip} db.prod.test db.corp.test\n"),
                ..name(&[])
            };
            guarded(lab, &lookup, "*.prod.test", Some("db.prod.test"))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-written",
        "the name is forbidden as it is written, and nobody is asked for it",
        Expect::Fail("server.wrong-identity"),
        NAMES,
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let server = Arc::new(Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?);
            let (door, asked) = (Arc::new(door), Arc::clone(&server));
            let silent = Arc::clone(&door);
            Ok(Case::check(conn.set("host", "DB.Corp.TEST."))
                .password(lab.password())
                .args(&["--not-host", "*.corp.test", "--second-opinion"])
                .keep((server, door))
                .netns(ns)
                .assert(move |_| {
                    ensure!(!asked.log().contains("query["), "{}", asked.log());
                    ensure!(silent.connections() == 0, "it connected");
                    Ok(())
                }))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-hop",
        "the SSH server's HostName is an alias of a forbidden name",
        Expect::Fail("server.wrong-identity"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let bastion = Arc::new(Peer::forward_on(&ns.host_ip(), "127.0.0.1:1", Fault::None)?);
            let record = format!("host-record=b-1.prod.test,{}", ns.host_ip());
            let lines = ["cname=bastion.corp.test,b-1.prod.test", &record];
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &lines)?;
            let config = format!(
                "Host jump\n HostName bastion.corp.test\n Port {}\n",
                bastion.port()
            );
            let config = lab.file("ssh_config", config, 0o600)?;
            let silent = Arc::clone(&bastion);
            Ok(
                Case::check(crate::Conn::new().set("host", "db").set("user", "app"))
                    .ssh(SshRoute::new("jump").config(config))
                    .args(&["--not-host", "*.prod.test", "--second-opinion"])
                    .keep((server, bastion))
                    .netns(ns)
                    .assert(move |_| {
                        ensure!(silent.connections() == 0, "it connected");
                        Ok(())
                    }),
            )
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-healthy",
        "aliases and addresses that no pattern forbids, whoever else is asked",
        Expect::Pass,
        NAMES,
        |lab| {
            let lookup = name(&[
                "cname=db.corp.test,db-1.staging.test",
                "host-record=db-1.staging.test,{ip}",
            ]);
            let case = guarded(lab, &lookup, "*.prod.test", None)?;
            Ok(case
                .args(&["--not-host", "192.168.0.0/16", "--expect-writable"])
                .assert(|report| {
                    for stack in ["native-tls", "psql"] {
                        let row = second(report, stack);
                        ensure!(row["outcome"] == "passed", "{row}");
                    }
                    Ok(())
                }))
        },
    ),
    Scenario::new(
        "guard-hop-healthy",
        "ssh would look the SSH server's name up by itself, and is not asked",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let known = std::fs::read_to_string(sshd.known_hosts())?;
            let known = lab.file(
                "known_hosts",
                known.replace("127.0.0.1", "localhost"),
                0o600,
            )?;
            let hop = sshd.destination().replace("127.0.0.1", "localhost");
            let route = SshRoute::new(&hop)
                .key(lab.client_key()?)
                .known_hosts(known);
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .ssh(route)
                .args(&["--not-host", "*.prod.test", "--second-opinion"])
                .assert(|report| {
                    for (stack, outcome) in [
                        ("libssh2", "passed"),
                        ("ssh", "skipped"),
                        ("native-tls", "passed"),
                        ("psql", "passed"),
                    ] {
                        let row = second(report, stack);
                        ensure!(row["outcome"] == outcome, "{row}");
                    }
                    Ok(())
                }))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-writable",
        "sessions are read-only by default, and --expect-writable",
        Expect::Fail("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app set default_transaction_read_only = on")
                .start()?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .arg("--expect-writable")
                .keep(pg))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "guard-writable-standby",
        "a standby, and --expect-writable",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().file("standby.signal", "").start()?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .arg("--expect-writable")
                .keep(pg))
        },
    )
    .oracle(NO_GUARDS),
];
