//! Every provider and pooler of the table, with the faults that are usual there. The rows are
//! `tests/data/providers.tsv`, whose head explains the columns.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::impostor::impostor_on;
use crate::process::Finished;
use crate::proxy::{Fault, Peer};
use crate::{
    Ca, Case, CertSpec, Conn, Dnsmasq, Expect, Lab, Need, Netns, Scenario, Tool, free_port,
};

/// A row of the table.
#[derive(Clone, Copy)]
struct Row {
    provider: &'static str,
    host: &'static str,
    user: &'static str,
    database: &'static str,
    fault: &'static str,
    says: &'static str,
    cause: &'static str,
    fix: &'static str,
}

/// The rows with one of these faults.
fn rows(faults: &[&str]) -> Result<Vec<Row>> {
    let table = include_str!("../../../data/providers.tsv").lines();
    let rows: Option<Vec<Row>> = table
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [provider, host, user, database, fault, says, cause, fix] = columns[..] else {
                return None;
            };
            Some(Row {
                provider,
                host,
                user,
                database,
                fault,
                says,
                cause,
                fix,
            })
        })
        .collect();
    let mut rows = rows.context("a row has another number of columns")?;
    rows.retain(|row| faults.contains(&row.fault));
    ensure!(!rows.is_empty(), "no row has a fault of {faults:?}");
    Ok(rows)
}

/// What only a server of one's own has.
const OWN_MACHINE: &[&str] = &[
    "in pg_hba.conf",
    "to pg_hba.conf",
    "hba_file",
    "postgresql.conf",
    "systemctl",
    "sudo",
    "ss -",
    "-U postgres",
    "On the server",
    "docker",
];

impl Row {
    fn conn(&self, port: u16) -> Conn {
        Conn::new()
            .set("host", self.host)
            .set("port", port)
            .set("user", self.user)
            .set("dbname", self.database)
            .set("connect_timeout", 2)
    }

    /// Holds a report to the row.
    fn judge(&self, report: &Value) -> Result<()> {
        let verdict = &report["verdict"];
        let code = verdict["cause"].as_str().unwrap_or_default();
        ensure!(code == self.cause, "{code} in place of {}", self.cause);
        let fixes = verdict["fixes"].as_array().context("no fixes")?;
        let first = fixes.first().and_then(|fix| fix["text"].as_str());
        let first = first.unwrap_or_default();
        ensure!(
            first.contains(self.fix),
            "{:?} is not in {first:?}",
            self.fix
        );
        let managed = !["PgBouncer", "Pgpool-II", "PgCat", "Odyssey"].contains(&self.provider);
        for words in OWN_MACHINE.iter().filter(|_| managed) {
            let all = serde_json::to_string(fixes)?;
            ensure!(!all.contains(words), "{words:?} in {all}");
        }
        Ok(())
    }

    /// Runs dbdoctor and psql inside this namespace.
    fn run(&self, netns: &str, dbdoctor: &Path, conn: &Conn) -> Result<()> {
        let run = |tool: Tool| -> Result<Finished> {
            let tool = tool
                .env("HOME", "/nonexistent")
                .env("PGPASSWORD", "a-password");
            tool.run(Duration::from_secs(40))
        };
        let target = conn.to_string();
        let inside = |program: &str| Tool::new(program).netns(Some(netns.to_owned()));
        let tool = inside(&dbdoctor.to_string_lossy());
        let report = run(tool.args(["check", "--format", "json", &target]))?;
        let report: Value = serde_json::from_str(&report.stdout)
            .with_context(|| format!("no report: {}", report.stderr))?;
        self.judge(&report)?;
        let psql = run(inside("psql").args(["-XAtqw", "-c", "select 1", "-d", &target]))?;
        ensure!(psql.status != Some(0), "psql connects");
        Ok(())
    }
}

/// A namespace whose name server knows the hosts of these rows by this address.
fn named(lab: &Lab, rows: &[Row], address: impl Fn(&Netns) -> String) -> Result<(Netns, Dnsmasq)> {
    let ns = lab.netns()?;
    let address = address(&ns);
    let hosts: BTreeMap<&str, ()> = rows.iter().map(|row| (row.host, ())).collect();
    let lines: Vec<String> = hosts
        .keys()
        .filter(|_| !address.is_empty())
        .map(|host| format!("host-record={host},{address}"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &lines)?;
    Ok((ns, server))
}

/// A case of the first row, which holds dbdoctor to all of them.
fn case<K: Send + 'static>(
    (ns, server): (Netns, Dnsmasq),
    ends: Vec<(Row, Conn)>,
    keep: K,
) -> Result<Case> {
    let (first, conn) = ends.first().context("no row")?.clone();
    let inside = ns.name().to_owned();
    let case = Case::check(conn).password("a-password").netns(ns);
    let case = case.keep((server, keep)).patience(15);
    Ok(case.assert_with(move |report, dbdoctor| {
        first.judge(report)?;
        let mut wrong = Vec::new();
        for some in ends[1..].chunks(6) {
            thread::scope(|scope| {
                let runs: Vec<_> = some
                    .iter()
                    .map(|(row, conn)| {
                        let inside = &inside;
                        (row, scope.spawn(move || row.run(inside, dbdoctor, conn)))
                    })
                    .collect();
                for (row, run) in runs {
                    match run.join() {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => wrong.push(format!(
                            "{}, {} {}: {error:#}",
                            row.provider, row.fault, row.says
                        )),
                        Err(_) => wrong.push(format!("{}: a panic", row.provider)),
                    }
                }
            });
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => bail!("{}", wrong.join("\n")),
        }
    }))
}

/// Rows whose fault is in the way: the name or the address.
fn on_the_way(lab: &Lab, fault: &str, address: impl Fn(&Netns) -> String) -> Result<Case> {
    let rows = rows(&[fault])?;
    let named = named(lab, &rows, address)?;
    let ends = rows
        .iter()
        .map(|row| (*row, row.conn(free_port())))
        .collect();
    case(named, ends, ())
}

/// Rows whose ends answer the start-up message.
fn answers(lab: &Lab) -> Result<Case> {
    let rows = rows(&["says", "server"])?;
    let named = named(lab, &rows, Netns::host_ip)?;
    let mut peers = Vec::new();
    let mut ends = Vec::new();
    for row in rows {
        let (sqlstate, message) = row.says.split_once(' ').context("no SQLSTATE")?;
        let peer = impostor_on(&named.0.host_ip(), move |client| {
            let mut fields = vec![('S', "FATAL"), ('C', sqlstate), ('M', message)];
            if row.fault == "server" {
                fields.extend([('V', "FATAL"), ('F', "auth.c"), ('R', "auth_failed")]);
            }
            client.error(&fields)
        })?;
        ends.push((row, row.conn(peer.port()).set("sslmode", "disable")));
        peers.push(peer);
    }
    case(named, ends, peers)
}

/// Rows whose ends show a certificate of an authority that the client does not know.
fn untrusted(lab: &Lab) -> Result<Case> {
    let rows = rows(&["untrusted"])?;
    let named = named(lab, &rows, Netns::host_ip)?;
    let hosts: Vec<&str> = rows.iter().map(|row| row.host).collect();
    let certificate =
        Ca::new("An authority of theirs")?.issue(&CertSpec::server(hosts[0], &hosts, &[]))?;
    let pg = lab.new_postgres().tls(certificate).start()?;
    let door = Peer::forward_on(&named.0.host_ip(), pg.addr(), Fault::None)?;
    let root = lab.ca_file().display().to_string();
    let ends = rows.iter().map(|row| {
        let conn = row.conn(door.port()).set("sslmode", "verify-full");
        (*row, conn.set("sslrootcert", &root))
    });
    let ends = ends.collect();
    case(named, ends, (pg, door))
}

/// Rows whose ends refuse TLS.
fn plain(lab: &Lab) -> Result<Case> {
    let rows = rows(&["plain"])?;
    let named = named(lab, &rows, Netns::host_ip)?;
    let peer = impostor_on(&named.0.host_ip(), |client| client.error(&[('S', "FATAL")]))?;
    let conn = |row: &Row| row.conn(peer.port()).set("sslmode", "require");
    let ends = rows.iter().map(|row| (*row, conn(row))).collect();
    case(named, ends, peer)
}

/// Rows whose ends accept and close.
fn closed(lab: &Lab) -> Result<Case> {
    let rows = rows(&["closed"])?;
    let named = named(lab, &rows, Netns::host_ip)?;
    let peer = Peer::script_on(&named.0.host_ip(), |stream| stream.close())?;
    let ends = rows
        .iter()
        .map(|row| (*row, row.conn(peer.port())))
        .collect();
    case(named, ends, peer)
}

/// The table, by fault.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "provider-rows-gone",
        "each provider: the name does not exist",
        Expect::Fail("dns.nxdomain"),
        &[Need::Dnsmasq, Need::Netns],
        |lab| on_the_way(lab, "gone", |_| String::new()),
    ),
    Scenario::new(
        "provider-rows-silent",
        "each provider: the address does not answer",
        Expect::Fail("tcp.timeout"),
        &[Need::Dnsmasq, Need::Netns],
        |lab| {
            on_the_way(lab, "silent", |ns| {
                let address = format!("{}9", ns.ip().trim_end_matches('2'));
                // An address of nobody's, so that no packet is answered.
                let neighbour = [
                    "ip",
                    "neigh",
                    "add",
                    &address,
                    "lladdr",
                    "02:00:00:00:00:09",
                ];
                let added =
                    ns.run(&[&neighbour[..], &["dev", "eth0", "nud", "permanent"]].concat());
                added.map(|_| address).unwrap_or_default()
            })
        },
    ),
    Scenario::new(
        "provider-rows-refused",
        "each provider: nothing listens",
        Expect::Fail("tcp.refused"),
        &[Need::Dnsmasq, Need::Netns],
        |lab| on_the_way(lab, "refused", Netns::host_ip),
    ),
    Scenario::new(
        "provider-rows-ipv6",
        "providers with IPv6 addresses only, and a network without IPv6",
        Expect::Fail("tcp.unreachable"),
        &[Need::Dnsmasq, Need::Netns],
        |lab| on_the_way(lab, "ipv6", |_| "2001:db8::7".to_owned()),
    ),
    Scenario::new(
        "provider-rows-closed",
        "providers whose proxies accept and close",
        Expect::Fail("protocol.closed"),
        &[Need::Dnsmasq, Need::Netns],
        closed,
    ),
    Scenario::new(
        "provider-rows-untrusted",
        "each provider: its authority is not known",
        Expect::Fail("tls.cert.unknown-ca"),
        &[Need::Postgres, Need::Dnsmasq, Need::Netns],
        untrusted,
    ),
    Scenario::new(
        "provider-rows-plain",
        "each provider: something else answers there, without TLS",
        Expect::Fail("tls.unsupported"),
        &[Need::Dnsmasq, Need::Netns],
        plain,
    ),
    Scenario::new(
        "provider-rows-answers",
        "each provider and pooler: its refusals in its own words",
        Expect::Fail("pooler.tenant"),
        &[Need::Dnsmasq, Need::Netns],
        answers,
    ),
];
