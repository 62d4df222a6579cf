//! Several servers behind one address.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::findings;
use super::stress::facts;
use crate::{Case, Expect, HaProxy, Lab, Need, Oracle, Postgres, Scenario};

const NOBODY: Oracle = Oracle::None("a single attempt of another client proves nothing");

fn primary(lab: &Lab, name: &str) -> Result<Postgres> {
    lab.new_postgres().conf("cluster_name", name).start()
}

fn standby(lab: &Lab, name: &str) -> Result<Postgres> {
    let pg = lab.new_postgres().conf("cluster_name", name);
    pg.file("standby.signal", "").start()
}

/// Ten attempts at a balancer that turns between both.
fn balanced(lab: &Lab, one: Postgres, two: Postgres) -> Result<Case> {
    let lines = format!("balance roundrobin\n server two {}", two.addr());
    let proxy = HaProxy::tcp(lab, &one.addr(), &lines)?;
    let conn = one.conn().set("port", proxy.port());
    let case = Case::check(conn).password(lab.password());
    Ok(case
        .command("stress")
        .args(&["--attempts", "10"])
        .keep((one, two, proxy)))
}

/// The finding is there, and what differs is this.
fn differ(what: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let finding = findings(report).find(|finding| finding["cause"] == "server.several");
        let finding = finding.context("no server.several")?;
        ensure!(finding["evidence"]["differ_in"] == what, "{finding}");
        Ok(())
    }
}

/// So many servers answered, and every attempt is one of theirs.
fn servers(count: usize) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let servers = &facts(report)?["servers"];
        let rows = servers.as_array().context("no servers")?;
        ensure!(rows.len() == count, "{servers}");
        let all: u64 = rows.iter().filter_map(|row| row["attempts"].as_u64()).sum();
        ensure!(facts(report)?["attempts"] == all, "{servers}");
        Ok(())
    }
}

/// Which servers answer.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "stress-servers-roles",
        "a balancer turns between a primary and a standby",
        Expect::Warn("server.several"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let case = balanced(lab, primary(lab, "pg1")?, standby(lab, "pg2")?)?;
            Ok(case
                .assert(servers(2))
                .assert(differ("role"))
                .assert(|report| {
                    let summary = report["verdict"]["summary"].as_str().context("none")?;
                    for words in ["2 servers answer", "pg1 (primary) 5", "pg2 (standby) 5"] {
                        ensure!(summary.contains(words), "{summary}");
                    }
                    let first = report["verdict"]["fixes"][0]["text"].to_string();
                    ensure!(first.contains("read-write address"), "{first}");
                    Ok(())
                }))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-expected-role",
        "the same with --expect-role primary: the first fix is about the balancer",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let case = balanced(lab, standby(lab, "pg2")?, primary(lab, "pg1")?)?;
            Ok(case
                .args(&["--expect-role", "primary"])
                .warns("server.several")
                .assert(servers(2))
                .assert(|report| {
                    let facts = facts(report)?;
                    ensure!(facts["attempts"] == 10, "{}", facts["stopped"]);
                    let first = report["verdict"]["fixes"][0]["text"].to_string();
                    ensure!(first.contains("balancer"), "{first}");
                    Ok(())
                }))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-wanted",
        "the same with target_session_attrs=read-write: libpq tries an address once",
        Expect::Fail("server.read-only"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let (one, two) = (primary(lab, "pg1")?, standby(lab, "pg2")?);
            let lines = format!("balance roundrobin\n server two {}", two.addr());
            let proxy = HaProxy::tcp(lab, &one.addr(), &lines)?;
            let conn = one.conn().set("port", proxy.port());
            let conn = conn.set("target_session_attrs", "read-write");
            let case = Case::check(conn).password(lab.password());
            Ok(case
                .command("stress")
                .args(&["--attempts", "10"])
                .warns("server.several")
                .assert(servers(2))
                .assert(|report| {
                    let first = report["verdict"]["fixes"][0]["text"].to_string();
                    ensure!(first.contains("balancer"), "{first}");
                    Ok(())
                })
                .keep((one, two, proxy)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-readers",
        "two standbys behind an address for reads are what it is for",
        Expect::Pass,
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let case = balanced(lab, standby(lab, "pg2")?, standby(lab, "pg3")?)?;
            Ok(case.assert(servers(2)).forbids("server.several"))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-primaries",
        "two primaries that were copies of one: each takes writes that the other does not get",
        Expect::Warn("server.several"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            // Patroni gives all members the name of the cluster.
            let case = balanced(lab, primary(lab, "orders")?, primary(lab, "orders")?)?;
            Ok(case
                .assert(servers(2))
                .assert(differ("started_at"))
                .assert(|report| {
                    let summary = report["verdict"]["summary"].as_str().context("none")?;
                    ensure!(summary.contains("orders at 127.0.0.1:"), "{summary}");
                    Ok(())
                }))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-clusters",
        "two primaries of two clusters",
        Expect::Warn("server.several"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let other = lab.new_postgres().own_cluster().start()?;
            let case = balanced(lab, primary(lab, "pg1")?, other)?;
            Ok(case.assert(servers(2)).assert(differ("system_identifier")))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-random",
        "load_balance_hosts=random: every connection may come to either of both",
        Expect::Warn("server.several"),
        &[Need::Postgres],
        |lab| {
            let (one, two) = (primary(lab, "pg1")?, standby(lab, "pg2")?);
            let conn = one
                .conn()
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", format!("{},{}", one.port(), two.port()))
                .set("load_balance_hosts", "random");
            let case = Case::check(conn).password(lab.password());
            Ok(case
                .command("stress")
                .args(&["--attempts", "10"])
                .assert(servers(2))
                .assert(differ("role"))
                .keep((one, two)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-servers-name",
        "a name has the addresses of a primary and of a standby",
        Expect::Warn("server.several"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.hosts("127.0.0.1 localhost\n127.0.0.1 db.test\n127.0.0.3 db.test\n")?;
            let builder = |name, address| {
                let pg = lab.new_postgres().netns(&ns).conf("cluster_name", name);
                pg.conf("listen_addresses", address)
            };
            let one = builder("pg1", "127.0.0.1").start()?;
            let two = builder("pg2", "127.0.0.3").file("standby.signal", "");
            let two = two.conf("port", one.port()).never_ready().start()?;
            two.wait_for_log("ready to accept read-only connections")?;
            let conn = one.conn().set("host", "db.test");
            let case = Case::check(conn).password(lab.password());
            Ok(case
                .command("stress")
                .args(&["--attempts", "10"])
                .assert(servers(2))
                .assert(differ("role"))
                .keep((one, two))
                .netns(ns))
        },
    )
    .oracle(NOBODY),
];
