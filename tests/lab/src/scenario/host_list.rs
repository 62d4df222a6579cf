//! Host lists with entries of several kinds, some of which can be no host: libpq
//! finds no address for those and tries the next.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Lab, Need, Scenario, free_port};

/// The shared server's host and socket directory, in place of `HOST` and `SOCKET`.
fn list(lab: &Lab, hosts: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let socket = pg.socket_dir().display().to_string();
    let hosts = hosts
        .replace("SOCKET", &socket)
        .replace("HOST", "127.0.0.1");
    let conn = pg.conn().set("host", &hosts);
    let case = Case::check(conn).password(lab.password());
    Ok(case.assert(move |report| holds(report, "host", &hosts)))
}

/// The report holds the setting as libpq does.
fn holds(report: &Value, name: &str, held: &str) -> Result<()> {
    let value = &report["target"]["parameters"][name]["value"];
    ensure!(value == held, "{name} is {value}");
    Ok(())
}

/// What connects, and what does not.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "config-hosts-dead-then-refused",
        "a host where nothing listens, then one that refuses the password",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let ports = format!("{},{}", free_port(), pg.port());
            let conn = pg
                .conn()
                .set("host", "127.0.0.1,127.0.0.1")
                .set("port", ports);
            let case = Case::check(conn)
                .password("not this one")
                .warns("tcp.refused");
            Ok(case.assert(|report| {
                ensure!(
                    report["verdict"]["retryable"] == false,
                    "{}",
                    report["verdict"]
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "config-hosts-unknown-then-refused",
        "a host name that does not exist, then a server without the database",
        Expect::Fail("auth.database.missing"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("host", "nope.invalid,127.0.0.1");
            Ok(Case::check(conn.set("dbname", "nowhere")).password(lab.password()))
        },
    ),
    Scenario::new(
        "config-hosts-brackets-alone",
        "an address in brackets, and a port of its own",
        Expect::Fail("config.url.in-host"),
        &[Need::Postgres],
        |lab| {
            let case = list(lab, "[HOST]")?;
            Ok(case.assert(|report| {
                let fix = report["verdict"]["fixes"][0]["text"].to_string();
                ensure!(fix.contains("127.0.0.1") && !fix.contains("5432"), "{fix}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "config-hosts-brackets-last",
        "an address, a socket directory and a name in brackets",
        Expect::Warn("config.url.in-host"),
        &[Need::Postgres],
        |lab| list(lab, "HOST,SOCKET,[x]"),
    ),
    Scenario::new(
        "config-hosts-brackets-first",
        "an address in brackets, then the server",
        Expect::Warn("config.url.in-host"),
        &[Need::Postgres],
        |lab| list(lab, "[::1],HOST"),
    ),
    Scenario::new(
        "config-hosts-path-and-port",
        "a path, a host with a port, then the server's socket",
        Expect::Warn("config.url.in-host"),
        &[Need::Postgres],
        |lab| list(lab, "a/b,HOST:1,SOCKET"),
    ),
    Scenario::new(
        "config-hosts-template",
        "a template that was never filled in, then the server",
        Expect::Warn("config.url.placeholder"),
        &[Need::Postgres],
        |lab| list(lab, "${DB_HOST},HOST"),
    ),
    Scenario::new(
        "config-hosts-sockets",
        "two socket directories, the first of them empty",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let case = list(lab, "/nonexistent,SOCKET")?;
            Ok(case.forbids("config.url.in-host"))
        },
    ),
    Scenario::new(
        "config-hosts-none",
        "no entry of the list can be a host",
        Expect::Fail("config.url.in-host"),
        &[Need::Postgres],
        |lab| list(lab, "[x],a/b"),
    ),
];
