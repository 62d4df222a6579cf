//! Search domains that lead a name to another machine, and those that do not.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::dns::quiet;
use super::findings;
use crate::{
    Case, CertSpec, Conn, Dnsmasq, Expect, Lab, Need, Netns, Postgres, Scenario, SshRoute, Tool,
    free_port,
};

/// The machine that is meant, and the one that a wildcard record names.
const RIGHT: &str = "10.244.0.7";
const WRONG: &str = "10.9.9.9";

/// The name that is looked up.
const NAME: &str = "db.example.test";

/// What Kubernetes writes for the namespace `app`, with a search domain of the node's.
const CLUSTER: &str = "search app.svc.cluster.local svc.cluster.local cluster.local corp.test\n\
                       options ndots:5 timeout:1 attempts:1\n";

/// [`NAME`], and a wildcard that leads all names in `corp.test` to the wrong machine.
const WILDCARD: &[&str] = &[
    "host-record=db.example.test,10.244.0.7",
    "address=/corp.test/10.9.9.9",
];

const NEEDS: &[Need] = &[Need::Postgres, Need::Netns, Need::Dnsmasq];

/// A namespace with both addresses and a name server with these lines.
fn named(lab: &Lab, resolv: &str, lines: &[&str]) -> Result<(Netns, Dnsmasq)> {
    let ns = lab.netns()?;
    for ip in [RIGHT, WRONG] {
        ns.run(&["ip", "addr", "add", &format!("{ip}/32"), "dev", "lo"])?;
    }
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", lines)?;
    ns.resolv_conf(&format!("nameserver 127.0.0.1\n{resolv}"))?;
    Ok((ns, server))
}

/// A server on one address of a namespace.
fn on(lab: &Lab, ns: &Netns, ip: &str) -> Result<Postgres> {
    lab.new_postgres()
        .netns(ns)
        .conf("listen_addresses", ip)
        .start()
}

/// Makes the server on an address have the port of another, as both have in the field.
pub(super) fn one_port(ns: &Netns, ip: &str, shown: u16, own: u16) -> Result<()> {
    ns.nft(&format!(
        "table ip nat {{ chain out {{ type nat hook output priority -100; \
         ip daddr {ip} tcp dport {shown} dnat to {ip}:{own}; }}; }}"
    ))
}

/// A server on the right machine alone.
fn right_alone(lab: &Lab, name: &str, resolv: &str, lines: &[&str]) -> Result<Case> {
    let (ns, server) = named(lab, resolv, lines)?;
    let pg = on(lab, &ns, RIGHT)?;
    let case = Case::check(pg.conn().set("host", name)).password(lab.password());
    Ok(case.keep((pg, server)).netns(ns))
}

/// A server on each machine; the wrong one knows another password.
fn both(lab: &Lab, conn: impl Fn(Conn) -> Conn) -> Result<Case> {
    let (ns, server) = named(lab, CLUSTER, WILDCARD)?;
    let right = lab
        .new_postgres()
        .netns(&ns)
        .conf("listen_addresses", RIGHT);
    let right = right
        .tls(lab.issue(CertSpec::server(NAME, &[NAME], &[]))?)
        .start()?;
    let wrong = lab
        .new_postgres()
        .netns(&ns)
        .conf("listen_addresses", WRONG);
    let wrong = wrong.tls(lab.issue(CertSpec::server(NAME, &[NAME], &[]))?);
    let wrong = wrong.sql("alter role app password 'another'").start()?;
    one_port(&ns, WRONG, right.port(), wrong.port())?;
    let conn = conn(right.conn().set("host", NAME));
    let case = Case::check(conn).password(lab.password());
    Ok(case.keep((right, wrong, server)).netns(ns))
}

/// What leads to the wrong machine is told, and what mends it comes first.
fn led(case: Case, command: &'static str) -> Case {
    case.warns("dns.search-domain")
        .forbids("dns.half-error")
        .assert(move |report| {
            let fix = &report["verdict"]["fixes"][0];
            let pasted = fix["command"].as_str().unwrap_or_default();
            ensure!(pasted.contains(command), "the first fix is {fix:#}");
            let fixes = report["verdict"]["fixes"].to_string();
            ensure!(
                fix["text"]
                    .as_str()
                    .is_some_and(|text| text.contains(RIGHT)),
                "{fix:#}"
            );
            ensure!(fixes.contains("Set ndots to 1"), "{fixes}");
            let finding = verdict(report)?;
            let earlier = &finding["evidence"]["led_by"][0];
            let summary = earlier["summary"].as_str().unwrap_or_default();
            ensure!(
                earlier["cause"] == "dns.search-domain"
                    && summary.contains("db.example.test.corp.test (10.9.9.9)"),
                "{finding:#}"
            );
            Ok(())
        })
}

/// The finding that is the verdict.
pub(super) fn verdict(report: &Value) -> Result<&Value> {
    findings(report)
        .find(|finding| finding["cause"] == report["verdict"]["cause"])
        .context("the verdict is no finding")
}

/// Nothing is odd about the name.
fn unsuspected(case: Case) -> Case {
    quiet(case).forbids("dns.search-domain")
}

/// Search domains.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "dns-search-refused",
        "a wildcard in a search domain leads to a machine without a server",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let case = right_alone(lab, NAME, CLUSTER, WILDCARD)?;
            Ok(led(case, "host=db.example.test."))
        },
    ),
    Scenario::new(
        "dns-search-password",
        "a wildcard in a search domain leads to a server with another password",
        Expect::Fail("auth.password.wrong"),
        NEEDS,
        |lab| Ok(led(both(lab, |conn| conn)?, "host=db.example.test.")),
    ),
    Scenario::new(
        "dns-search-verified",
        "the same, and verify-full takes no trailing dot",
        Expect::Fail("auth.password.wrong"),
        NEEDS,
        |lab| {
            let root = lab.ca_file();
            let case = both(lab, |conn| {
                let conn = conn.set("sslmode", "verify-full");
                conn.set("sslrootcert", root.display())
            })?;
            Ok(led(
                case,
                "RES_OPTIONS=ndots:1 psql 'host=db.example.test port=",
            ))
        },
    ),
    Scenario::new(
        "dns-search-other-server",
        "a wildcard in a search domain leads to a server that lets everyone in",
        Expect::Warn("dns.search-domain"),
        NEEDS,
        |lab| {
            let (ns, server) = named(lab, CLUSTER, WILDCARD)?;
            let pg = lab.new_postgres().netns(&ns).start()?;
            let case = Case::check(pg.conn().set("host", NAME)).password(lab.password());
            Ok(case.keep((pg, server)).netns(ns))
        },
    ),
    Scenario::new(
        "dns-search-record",
        "a record without its final dot in the zone file, which a search domain finds",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let lines = [
                WILDCARD[0],
                "host-record=db.example.test.corp.test,10.9.9.9",
            ];
            let case = right_alone(lab, NAME, CLUSTER, &lines)?;
            Ok(led(case, "host=db.example.test."))
        },
    ),
    Scenario::new(
        "dns-search-vpn",
        "the search domain of a VPN has a wildcard, and the local one the name",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let resolv = "search corp.test lan.test\noptions timeout:1 attempts:1\n";
            let lines = ["host-record=db.lan.test,10.244.0.7", WILDCARD[1]];
            let case = right_alone(lab, "db", resolv, &lines)?;
            Ok(case.warns("dns.search-domain").assert(|report| {
                let fix = report["verdict"]["fixes"][0]["command"].as_str();
                ensure!(
                    fix.is_some_and(|fix| fix.contains("host=db.lan.test. ")),
                    "{fix:?}"
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-search-hop",
        "a wildcard in a search domain leads to another SSH server's machine",
        Expect::Fail("tcp.refused"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq, Need::Sshd],
        |lab| {
            let (ns, server) = named(lab, CLUSTER, WILDCARD)?;
            let (login, port) = (format!("{}@{NAME}", lab.user()?), free_port());
            let route = SshRoute::new(&format!("{login}:{port}")).key(lab.client_key()?);
            let port = port.to_string();
            let ssh = Tool::new("ssh").args(["-o", "BatchMode=yes", "-p", &port, &login, "true"]);
            let case = Case::check(lab.postgres()?.conn()).ssh(route).asks(ssh);
            Ok(led_to_hop(case, &ns).keep(server).netns(ns))
        },
    ),
    Scenario::new(
        "dns-search-first-host",
        "a list of hosts: the first is led astray, the second has no server",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let (ns, server) = named(lab, CLUSTER, WILDCARD)?;
            let conn = Conn::new().set("host", format!("{NAME},{RIGHT}"));
            let case = Case::check(conn.set("port", free_port()).set("user", "app"));
            Ok(led(case, "host=db.example.test.").keep(server).netns(ns))
        },
    ),
    Scenario::new(
        "dns-search-other-host",
        "a list of hosts: the first refuses the password, and the second would be led astray",
        Expect::Fail("auth.password.wrong"),
        NEEDS,
        |lab| {
            let (ns, server) = named(lab, CLUSTER, WILDCARD)?;
            let pg = on(lab, &ns, RIGHT)?;
            let conn = pg.conn().set("host", format!("{RIGHT},{NAME}"));
            let case = Case::check(conn).password("wr0ng-pw");
            let case = case.warns("dns.search-domain").assert(|report| {
                let evidence = &verdict(report)?["evidence"];
                ensure!(evidence["led_by"].is_null(), "{evidence:#}");
                Ok(())
            });
            Ok(case.keep((pg, server)).netns(ns))
        },
    ),
    Scenario::new(
        "dns-search-dotted",
        "the same name with a trailing dot",
        Expect::Pass,
        NEEDS,
        |lab| {
            Ok(unsuspected(right_alone(
                lab,
                "db.example.test.",
                CLUSTER,
                WILDCARD,
            )?))
        },
    ),
    Scenario::new(
        "dns-search-ndots",
        "a name with as many dots as ndots is looked up as written first",
        Expect::Pass,
        NEEDS,
        |lab| {
            let resolv = "search corp.test\noptions ndots:2\n";
            Ok(unsuspected(right_alone(lab, NAME, resolv, WILDCARD)?))
        },
    ),
    Scenario::new(
        "dns-search-same",
        "the wildcard in the search domain leads to the same address",
        Expect::Pass,
        NEEDS,
        |lab| {
            let lines = [WILDCARD[0], "address=/corp.test/10.244.0.7"];
            let case = right_alone(lab, NAME, CLUSTER, &lines)?;
            Ok(unsuspected(case).forbids("dns.half-error"))
        },
    ),
    Scenario::new(
        "dns-search-service",
        "a Service by its short name, in a cluster whose node has a wildcard domain",
        Expect::Pass,
        NEEDS,
        |lab| {
            let lines = [
                "host-record=db.app.svc.cluster.local,10.244.0.7",
                WILDCARD[1],
            ];
            Ok(unsuspected(right_alone(lab, "db", CLUSTER, &lines)?))
        },
    ),
    Scenario::new(
        "dns-search-namespace",
        "a Service by its name and namespace, which is somebody's domain, too",
        Expect::Pass,
        NEEDS,
        |lab| {
            let lines = [
                "host-record=db.dev.svc.cluster.local,10.244.0.7",
                "host-record=db.dev,10.9.9.9",
            ];
            Ok(unsuspected(right_alone(lab, "db.dev", CLUSTER, &lines)?))
        },
    ),
    Scenario::new(
        "dns-search-alone",
        "a name that only a search domain has, with a wildcard",
        Expect::Pass,
        NEEDS,
        |lab| {
            let lines = ["address=/corp.test/10.244.0.7"];
            Ok(unsuspected(right_alone(lab, "pg.apps", CLUSTER, &lines)?))
        },
    ),
    Scenario::new(
        "dns-search-meant",
        "a record in the search domain, and a wildcard for the name as written",
        Expect::Pass,
        NEEDS,
        |lab| {
            let lines = [
                "host-record=db.eu.corp.test,10.244.0.7",
                "address=/eu/10.9.9.9",
            ];
            Ok(unsuspected(right_alone(lab, "db.eu", CLUSTER, &lines)?))
        },
    ),
];

/// What is told of an SSH server is for ssh, which connects to the right machine then.
fn led_to_hop(case: Case, ns: &Netns) -> Case {
    let ns = ns.name().to_owned();
    case.warns("dns.search-domain").assert(move |report| {
        let fix = &report["verdict"]["fixes"][0]["command"];
        let ssh = fix.as_str().and_then(|fix| fix.strip_prefix("ssh "));
        let script = format!(
            "ssh -v -o BatchMode=yes {}",
            ssh.with_context(|| format!("{fix}"))?
        );
        let done = Tool::new("sh")
            .args(["-c", &script])
            .netns(Some(ns.clone()));
        let done = done.run(Duration::from_secs(10))?;
        let connects = "Connecting to db.example.test. [10.244.0.7]";
        ensure!(done.stderr.contains(connects), "{script}: {}", done.stderr);
        Ok(())
    })
}
