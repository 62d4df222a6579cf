//! A name that leads to another server now, and an address of it that was kept.

use anyhow::{Result, ensure};

use super::dns::NAME;
use super::dns_odd::{self, ASKED, record, wire};
use super::dns_search::{one_port, verdict};
use crate::{Case, Conn, Dnsmasq, Expect, Lab, Need, Netns, Oracle, Postgres, Scenario};

/// Where the database was, and where it is.
const OLD: &str = "10.0.0.1";
const NEW: &str = "10.0.0.2";

const NEEDS: &[Need] = &[Need::Postgres, Need::Netns, Need::Dnsmasq];

/// A namespace with both addresses, and a name server that knows the new one.
fn moved(lab: &Lab) -> Result<(Netns, Dnsmasq)> {
    let ns = lab.netns()?;
    for ip in [OLD, NEW] {
        ns.run(&["ip", "addr", "add", &format!("{ip}/32"), "dev", "lo"])?;
    }
    let server = knows(lab, &ns, "127.0.0.1", NEW)?;
    Ok((ns, server))
}

/// A name server that has this address for [`NAME`].
fn knows(lab: &Lab, ns: &Netns, listen: &str, ip: &str) -> Result<Dnsmasq> {
    Dnsmasq::start(lab, ns, listen, &[&format!("host-record={NAME},{ip}")])
}

fn on(lab: &Lab, ns: &Netns, ip: &str) -> Result<Postgres> {
    lab.new_postgres()
        .netns(ns)
        .conf("listen_addresses", ip)
        .start()
}

/// How the server is asked for at an address, by hand.
fn at(pg: &Postgres, ip: &str) -> Conn {
    pg.conn().set("host", NAME).set("hostaddr", ip)
}

/// The server has moved, and it is asked for as the settings say.
fn after_move(lab: &Lab, conn: impl Fn(&Postgres) -> Conn) -> Result<(Netns, Case)> {
    let (ns, server) = moved(lab)?;
    let pg = on(lab, &ns, NEW)?;
    let case = Case::check(conn(&pg)).password(lab.password());
    Ok((ns, case.keep((pg, server))))
}

/// The old server is a standby now, and the new one the primary.
fn after_failover(lab: &Lab, conn: impl Fn(Conn) -> Conn) -> Result<(Netns, Case)> {
    let (ns, server) = moved(lab)?;
    let old = lab.new_postgres().netns(&ns).conf("listen_addresses", OLD);
    let old = old.file("standby.signal", "").start()?;
    let new = on(lab, &ns, NEW)?;
    one_port(&ns, NEW, old.port(), new.port())?;
    let case = Case::check(conn(old.conn().set("host", NAME))).password(lab.password());
    Ok((ns, case.keep((old, new, server))))
}

/// The failure is led by this warning, and this is in its first fix.
fn led(case: Case, warning: &'static str, command: &'static str) -> Case {
    case.warns(warning).assert(move |report| {
        let fix = &report["verdict"]["fixes"][0];
        let pasted = fix["command"].as_str().unwrap_or_default();
        let text = fix["text"].as_str().unwrap_or_default();
        ensure!(pasted.contains(command) && text.contains(NEW), "{fix:#}");
        let finding = verdict(report)?;
        ensure!(
            finding["evidence"]["led_by"][0]["cause"] == warning,
            "{finding:#}"
        );
        Ok(())
    })
}

/// The endpoint of an instance that was deleted.
const ENDPOINT: &str = "old.abc123.eu-west-1.rds.amazonaws.com";

/// A name server with an alias for [`ENDPOINT`], which does not exist any more.
fn aliased(lab: &Lab, options: &str) -> Result<Case> {
    let case = dns_odd::says(lab, options, |question, _| {
        let is_alias = question.whole[12..].starts_with(&wire(NAME));
        let alias = record(ASKED, 5, &wire(ENDPOINT));
        let answers = if is_alias { vec![alias] } else { Vec::new() };
        vec![question.reply([0x81, 0x83], &answers, &[])]
    })?;
    Ok(case.assert(|report| {
        let verdict = &report["verdict"];
        let summary = verdict["summary"].as_str().unwrap_or_default();
        ensure!(
            summary.contains(&format!("an alias for {ENDPOINT}")),
            "{summary}"
        );
        let fixes: Vec<&str> = (0..2)
            .filter_map(|n| verdict["fixes"][n]["text"].as_str())
            .collect();
        ensure!(
            fixes[0].contains("alias corrected") && fixes[1].contains("RDS console"),
            "{fixes:?}"
        );
        Ok(())
    }))
}

const HOSTADDR: &str = "dns.hostaddr-override";

/// Moved names.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "dns-failover-hostaddr",
        "hostaddr is the old address, where nothing listens any more",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let (ns, case) = after_move(lab, |pg| at(pg, OLD))?;
            Ok(led(case, HOSTADDR, "hostaddr=10.0.0.2").netns(ns))
        },
    ),
    Scenario::new(
        "dns-failover-standby",
        "hostaddr is the old address, where a standby is now",
        Expect::Fail("server.read-only"),
        NEEDS,
        |lab| {
            let (ns, case) = after_failover(lab, |conn| {
                let conn = conn.set("hostaddr", OLD);
                conn.set("target_session_attrs", "read-write")
            })?;
            Ok(led(case, HOSTADDR, "hostaddr=10.0.0.2").netns(ns))
        },
    ),
    Scenario::new(
        "dns-failover-role",
        "hostaddr is the old address, where a standby is now, and --expect-role primary",
        Expect::Fail("server.wrong-identity"),
        NEEDS,
        |lab| {
            let (ns, case) = after_failover(lab, |conn| conn.set("hostaddr", OLD))?;
            let case = case.args(&["--expect-role", "primary"]);
            Ok(led(case, HOSTADDR, "hostaddr=10.0.0.2").netns(ns))
        },
    )
    .oracle(Oracle::None("psql has no such guard")),
    Scenario::new(
        "dns-failover-hosts",
        "/etc/hosts has the old address, where a standby is now",
        Expect::Fail("server.read-only"),
        NEEDS,
        |lab| {
            let (ns, case) =
                after_failover(lab, |conn| conn.set("target_session_attrs", "primary"))?;
            ns.hosts(&format!("127.0.0.1 localhost\n{OLD} {NAME}\n"))?;
            Ok(led(case, "dns.hosts-override", "grep").netns(ns))
        },
    ),
    Scenario::new(
        "dns-failover-servers",
        "the first name server has the old address still",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let (ns, case) = after_move(lab, |pg| pg.conn().set("host", NAME))?;
            let old = knows(lab, &ns, "127.0.0.2", OLD)?;
            ns.resolv_conf("nameserver 127.0.0.2\nnameserver 127.0.0.1\n")?;
            Ok(led(case, "dns.disagree", "hostaddr=10.0.0.2")
                .keep(old)
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-failover-alias",
        "an alias for the endpoint of an RDS instance that was deleted",
        Expect::Fail("dns.nxdomain"),
        &[Need::Postgres, Need::Netns],
        |lab| aliased(lab, ""),
    ),
    Scenario::new(
        "dns-failover-alias-searched",
        "the same alias, and search domains that are tried before it",
        Expect::Fail("dns.nxdomain"),
        &[Need::Postgres, Need::Netns],
        |lab| aliased(lab, "ndots:5\nsearch svc.cluster.local corp.test"),
    ),
    Scenario::new(
        "dns-failover-unrelated",
        "hostaddr is the address that the name has, and the password is wrong",
        Expect::Fail("auth.password.wrong"),
        NEEDS,
        |lab| {
            let (ns, case) = after_move(lab, |pg| at(pg, NEW))?;
            let case = case.password("another");
            Ok(case.forbids(HOSTADDR).netns(ns))
        },
    ),
    Scenario::new(
        "dns-failover-tunnel",
        "hostaddr is this machine, where a tunnel is down",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let (ns, case) = after_move(lab, |pg| at(pg, "127.0.0.1"))?;
            Ok(case.forbids(HOSTADDR).netns(ns))
        },
    ),
    Scenario::new(
        "dns-failover-unasked",
        "hostaddr leads to a server, and nobody asks what the name is",
        Expect::Pass,
        NEEDS,
        |lab| {
            let (ns, server) = moved(lab)?;
            let pg = on(lab, &ns, OLD)?;
            let case = Case::check(at(&pg, OLD)).password(lab.password());
            let case = case.forbids(HOSTADDR).assert(move |_| {
                let log = server.log();
                ensure!(!log.contains("query["), "it was asked: {log}");
                Ok(())
            });
            Ok(case.keep(pg).netns(ns))
        },
    ),
];
