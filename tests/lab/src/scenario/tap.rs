//! What applications do wrong, seen by a tap between them and a server.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::findings;
use super::tunnel::spoilt;
use crate::{
    Case, Conn, Expect, Fault, IdleEnd, Lab, Need, Oracle, Peer, Scenario, Tool, free_port,
};

const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, &[Need::Postgres, Need::Python], setup).oracle(Oracle::None(
        "the application that is watched is no client of the target",
    ))
}

/// Applications that run once the tap listens, one after the other.
struct Applications(Option<JoinHandle<()>>);

impl Drop for Applications {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

/// Runs these at a tap's port, whatever becomes of them.
fn at(port: u16, tools: Vec<Tool>) -> Applications {
    let run = move || {
        let limit = Instant::now() + Duration::from_secs(20);
        while !listens(port) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        for tool in tools {
            let _ = tool.run(Duration::from_secs(15));
        }
    };
    Applications(Some(std::thread::spawn(run)))
}

/// Whether somebody listens there; to connect would be one connection more.
fn listens(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let wanted = format!("0100007F:{port:04X} 00000000:0000 0A");
    table.contains(&wanted)
}

/// A tap in front of a target, for so many connections.
fn tap(target: impl std::fmt::Display, connections: usize) -> (Case, u16) {
    let port = free_port();
    let case = Case::new("tap")
        .arg(target)
        .args(&["--listen"])
        .arg(port)
        .args(&["--for", "15s", "--connections"])
        .arg(connections);
    (case, port)
}

/// A stand-in.
fn stand_in(tls: &str, connections: usize) -> (Case, u16) {
    let port = free_port();
    let case = Case::new("tap")
        .args(&["--stand-in", "--tls", tls, "--listen"])
        .arg(port)
        .args(&["--for", "15s", "--connections"])
        .arg(connections);
    (case, port)
}

/// psql at a tap.
fn psql(lab: &Lab, port: u16, conn: &Conn, sql: &str) -> Tool {
    psql_with(lab.password(), port, conn, &[sql])
}

fn psql_with(password: &str, port: u16, conn: &Conn, sql: &[&str]) -> Tool {
    let conn = conn.clone().set("host", "127.0.0.1").set("port", port);
    let mut tool = Tool::new("psql")
        .env("PGPASSWORD", password)
        .args(["-XAtqw"]);
    for sql in sql {
        tool = tool.args(["-c", sql]);
    }
    tool.args(["-d"]).arg(conn)
}

fn python(port: u16, script: &str) -> Tool {
    Tool::new("/usr/bin/python3").args(["-c", script]).arg(port)
}

fn facts(report: &Value) -> &Value {
    let stages = report["stages"].as_array().map_or(&[][..], Vec::as_slice);
    let stage = stages.iter().find(|stage| stage["stage"] == "tap");
    stage.map_or(&Value::Null, |stage| &stage["facts"])
}

/// The lab's server, as it is reached without TLS.
fn plain(lab: &Lab) -> Result<Conn> {
    Ok(lab.postgres()?.conn().set("sslmode", "disable"))
}

/// psql once, with this password and these settings, at a tap in front of the lab's server.
fn once(lab: &Lab, password: &str, conn: &Conn, sql: &[&str]) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 1);
    let tools = vec![psql_with(password, port, conn, sql)];
    Ok(case.keep((at(port, tools), pg)))
}

fn healthy(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 2);
    let conn = pg.conn().set("sslmode", "require");
    let tools = vec![
        // Its process is looked up while it is connected.
        psql(
            lab,
            port,
            &conn,
            "select 'canary-row', 'canary-sql', pg_sleep(2)",
        ),
        psql(lab, port, &conn, "select 1"),
    ];
    Ok(case
        .assert(|report| {
            let facts = facts(report);
            ensure!(facts["connections_total"] == 2, "{facts:#}");
            let first = &facts["connections"][0];
            ensure!(first["encryption"][0]["answer"] == "accepted", "{first:#}");
            ensure!(first["process"]["name"] == "psql", "{first:#}");
            ensure!(!facts.to_string().contains("canary"), "{facts:#}");
            Ok(())
        })
        .keep((at(port, tools), pg)))
}

fn no_tls(lab: &Lab) -> Result<Case> {
    let sql = ["select 'canary-row', 'canary-sql'"];
    let case = once(lab, lab.password(), &plain(lab)?, &sql)?;
    Ok(case.assert(|report| {
        let facts = facts(report);
        let first = &facts["connections"][0];
        ensure!(first["startup"]["user"] == "app", "{first:#}");
        ensure!(first["statements"]["simple"] == 1, "{first:#}");
        ensure!(first["statements"]["rows"] == 1, "{first:#}");
        ensure!(
            first["authentication"]["mechanism"] == "SCRAM-SHA-256",
            "{first:#}"
        );
        ensure!(!facts.to_string().contains("canary"), "{facts:#}");
        Ok(())
    }))
}

fn wrong_password(lab: &Lab) -> Result<Case> {
    let case = once(lab, "canary-wrong", &plain(lab)?, &["select 1"])?;
    Ok(case.secret("canary-wrong").warns("tap.no-tls"))
}

fn default_database(lab: &Lab) -> Result<Case> {
    let conn = plain(lab)?.without("dbname");
    let case = once(lab, lab.password(), &conn, &["select 1"])?;
    Ok(case.assert(|report| {
        let finding = &report["verdict"];
        let first = finding["fixes"][0]["text"].as_str().unwrap_or_default();
        ensure!(first.starts_with("Name the database"), "{finding:#}");
        Ok(())
    }))
}

/// psql once, with these settings, at a tap in front of a PgBouncer without TLS.
fn at_pgbouncer(lab: &Lab, set: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.postgres()?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
        .start()?;
    let (case, port) = tap(bouncer.conn(), 1);
    let conn = set
        .iter()
        .fold(bouncer.conn(), |conn, (name, value)| conn.set(name, value));
    let tools = vec![psql(lab, port, &conn, "select 1")];
    Ok(case.keep((at(port, tools), bouncer, pg)))
}

fn refused_parameter(lab: &Lab) -> Result<Case> {
    let options = ("options", "-c search_path=app");
    at_pgbouncer(lab, &[("sslmode", "disable"), options])
}

fn no_password(lab: &Lab) -> Result<Case> {
    once(lab, "", &plain(lab)?, &["select 1"])
}

fn channel_binding(lab: &Lab) -> Result<Case> {
    let conn = plain(lab)?.set("channel_binding", "require");
    let case = once(lab, lab.password(), &conn, &["select 1"])?;
    Ok(case.assert(|report| {
        let finding = report["verdict"]["summary"].as_str().unwrap_or_default();
        ensure!(finding.contains("channel binding"), "{finding}");
        Ok(())
    }))
}

/// A pool without patience.
const STORM: &str = r#"
import psycopg2, sys, time
for _ in range(12):
    try:
        psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), dbname="appdb", user="app", password="canary-wrong", sslmode="disable")
    except psycopg2.OperationalError:
        time.sleep(0.05)
"#;

fn storm(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 12);
    Ok(case
        .warns("tap.storm")
        .keep((at(port, vec![python(port, STORM)]), pg)))
}

/// A program that connects for each query.
const CHURN: &str = r#"
import psycopg2, sys
for _ in range(25):
    c = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), dbname="appdb", user="app", sslmode="require")
    c.cursor().execute("select 1")
    c.close()
"#;

fn churn(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 25);
    let tool = python(port, CHURN).env("PGPASSWORD", lab.password());
    Ok(case.keep((at(port, vec![tool]), pg)))
}

/// An application that forks with an open connection, and uses it in both.
const FORK: &str = r#"
import os, psycopg2, sys, time
c = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), dbname="appdb", user="app", sslmode="require")
c.cursor().execute("select 1")
if os.fork() == 0:
    time.sleep(4)
    os._exit(0)
time.sleep(4)
os._exit(0)
"#;

fn forked(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 1);
    let tool = python(port, FORK).env("PGPASSWORD", lab.password());
    Ok(case.keep((at(port, vec![tool]), pg)))
}

fn idle(lab: &Lab, end: IdleEnd) -> Result<Case> {
    let (pg, conn) = (lab.postgres()?, plain(lab)?);
    let proxy = Peer::forward(pg.addr(), Fault::Idle(Duration::from_secs(3), end))?;
    let target = pg.conn().set("host", "127.0.0.1").set("port", proxy.port());
    let (case, port) = tap(target, 1);
    // psql has nothing to say while its shell sleeps.
    let tools = vec![psql_with(
        lab.password(),
        port,
        &conn,
        &["select 1", r"\! sleep 5"],
    )];
    Ok(case.keep((at(port, tools), proxy, pg)))
}

fn idle_timeout(lab: &Lab) -> Result<Case> {
    let sql = ["set idle_session_timeout = '2500ms'", r"\! sleep 4"];
    once(lab, lab.password(), &plain(lab)?, &sql)
}

fn terminated(lab: &Lab) -> Result<Case> {
    let sql = ["select pg_terminate_backend(pg_backend_pid())"];
    once(lab, lab.password(), &plain(lab)?, &sql)
}

/// A server that dies in the middle of a query.
fn dropped(lab: &Lab) -> Result<Case> {
    let (pg, conn) = (lab.postgres()?, plain(lab)?);
    let proxy = Peer::forward(pg.addr(), Fault::ResetAfter(60_000))?;
    let target = pg.conn().set("host", "127.0.0.1").set("port", proxy.port());
    let (case, port) = tap(target, 1);
    let tools = vec![psql(
        lab,
        port,
        &conn,
        "select repeat('x', 1000) from generate_series(1, 500)",
    )];
    Ok(case.keep((at(port, tools), proxy, pg)))
}

/// Ctrl-C in the middle of a statement.
const CANCEL: &str = r#"
import os, signal, subprocess, sys, time
conn = "host=127.0.0.1 port=%s dbname=appdb user=app sslmode=disable" % sys.argv[1]
p = subprocess.Popen(["psql", "-XAtqw", "-c", "select pg_sleep(20)", "-d", conn])
time.sleep(1.5)
p.send_signal(signal.SIGINT)
p.wait()
"#;

fn cancel(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 2);
    let tool = python(port, CANCEL).env("PGPASSWORD", lab.password());
    Ok(case.warns("tap.cancel").keep((at(port, vec![tool]), pg)))
}

fn verifies_nothing(lab: &Lab) -> Result<Case> {
    let (case, port) = stand_in("self-signed", 1);
    let conn = Conn::new()
        .set("user", "app")
        .set("dbname", "appdb")
        .set("sslmode", "require");
    let tools = vec![psql(lab, port, &conn, "select 1")];
    Ok(case
        .assert(|report| {
            let first = &facts(report)["connections"][0];
            let login = &first["authentication"];
            ensure!(login["mechanism"] == "SCRAM-SHA-256-PLUS", "{first:#}");
            ensure!(
                login["channel_binding"] == "tls-server-end-point",
                "{first:#}"
            );
            ensure!(first["startup"]["database"] == "appdb", "{first:#}");
            Ok(())
        })
        .keep(at(port, tools)))
}

fn verifies(lab: &Lab) -> Result<Case> {
    let (case, port) = stand_in("self-signed", 1);
    let conn = Conn::new()
        .set("user", "app")
        .set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display());
    let tools = vec![psql(lab, port, &conn, "select 1")];
    Ok(case.keep(at(port, tools)))
}

fn falls_back(lab: &Lab) -> Result<Case> {
    let (case, port) = stand_in("none", 1);
    let conn = Conn::new()
        .set("user", "app")
        .set("dbname", "appdb")
        .set("sslmode", "prefer");
    let tools = vec![psql(lab, port, &conn, "select 1")];
    Ok(case.keep(at(port, tools)))
}

fn refuses_certificate(lab: &Lab) -> Result<Case> {
    let other = lab.file("other-root.crt", self_signed(lab)?, 0o644)?;
    let conn = lab
        .postgres()?
        .conn()
        .set("sslmode", "verify-ca")
        .set("sslrootcert", other.display());
    once(lab, lab.password(), &conn, &["select 1"])
}

/// A root certificate that signed nothing.
fn self_signed(lab: &Lab) -> Result<Vec<u8>> {
    let folder: PathBuf = lab.dir("other-root")?;
    let (key, certificate) = (folder.join("key"), folder.join("crt"));
    Tool::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Other root",
        ])
        .args(["-keyout"])
        .arg(key.display())
        .args(["-out"])
        .arg(certificate.display())
        .succeed()?;
    Ok(std::fs::read(certificate)?)
}

fn before_tls(lab: &Lab) -> Result<Case> {
    let conn = lab
        .postgres()?
        .conn()
        .set("sslmode", "verify-full")
        .set("sslrootcert", "/nonexistent/root.crt");
    once(lab, lab.password(), &conn, &["select 1"])
}

fn not_postgres(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let (case, port) = tap(pg.conn(), 1);
    let mut script = String::new();
    write!(
        script,
        "import socket,sys\ns=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\n\
         s.sendall(b'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\ns.recv(100)\n"
    )?;
    Ok(case.keep((at(port, vec![python(port, &script)]), pg)))
}

/// Named statements behind a pooler in transaction mode that does not keep them.
const NAMED: &str = r#"
import asyncio, asyncpg, sys
async def main():
    how = dict(host="127.0.0.1", port=int(sys.argv[1]), user="app", database="appdb", ssl=False)
    a, b = await asyncpg.connect(**how), await asyncpg.connect(**how)
    for c in (a, b):
        try:
            await c.fetch("select $1::int", 1)
        except Exception as e:
            print(e)
    a.terminate()
    b.terminate()
asyncio.run(main())
"#;

fn named_statements(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
        .set("pool_mode", "transaction")
        .set("default_pool_size", 1)
        .start()?;
    let (case, port) = tap(bouncer.conn(), 2);
    let tool = python(port, NAMED).env("PGPASSWORD", lab.password());
    Ok(case.keep((at(port, vec![tool]), bouncer, pg)))
}

fn target_down(lab: &Lab) -> Result<Case> {
    let gone = free_port();
    let target = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", gone)
        .set("user", "app");
    let (case, port) = tap(target, 1);
    let conn = Conn::new()
        .set("user", "app")
        .set("dbname", "appdb")
        .set("sslmode", "disable");
    Ok(case.keep(at(port, vec![psql(lab, port, &conn, "select 1")])))
}

/// The SSH session ends in the middle of a query, and with it the tap.
fn tunnel_lost(lab: &Lab) -> Result<Case> {
    let port = free_port();
    let fault = Fault::Idle(Duration::from_secs(1), IdleEnd::Close);
    let case = spoilt(lab, fault)?.command("tap").args(&["--listen"]);
    let tools = vec![psql(lab, port, &plain(lab)?, "select pg_sleep(5)")];
    Ok(case
        .arg(port)
        .args(&["--for", "15s"])
        .keep(at(port, tools))
        .assert(|report| {
            let facts = facts(report);
            let end = &facts["connections"][0]["end"];
            ensure!(end["by"] == "tunnel", "{facts:#}");
            let lost = findings(report).filter(|it| it["cause"] == "tunnel.lost");
            ensure!(lost.count() == 1, "{report:#}");
            Ok(())
        }))
}

fn tls_denied(lab: &Lab) -> Result<Case> {
    at_pgbouncer(lab, &[("sslmode", "require")])
}

fn no_answer(lab: &Lab) -> Result<Case> {
    let silent = Peer::silent()?;
    let target = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", silent.port())
        .set("user", "app");
    let (case, port) = tap(target, 1);
    let conn = Conn::new()
        .set("user", "app")
        .set("sslmode", "disable")
        .set("connect_timeout", 3);
    Ok(case.keep((at(port, vec![psql(lab, port, &conn, "select 1")]), silent)))
}

fn nobody(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let case = Case::new("tap")
        .arg(pg.conn())
        .args(&["--listen", "0", "--for", "1s"]);
    Ok(case.keep(pg))
}

fn port_taken(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let case = Case::new("tap")
        .arg(pg.conn())
        .args(&["--listen"])
        .arg(pg.port());
    Ok(case.keep(pg))
}

fn exposed(lab: &Lab) -> Result<Case> {
    let pg = lab.postgres()?;
    let port = free_port();
    let case = Case::new("tap")
        .arg(pg.conn())
        .args(&["--listen"])
        .arg(format!("0.0.0.0:{port}"))
        .args(&["--for", "1s"]);
    Ok(case.keep(pg))
}

/// Applications through a tap.
pub const SCENARIOS: &[Scenario] = &[
    row("tap-healthy", "psql with TLS, twice", Expect::Pass, healthy),
    row(
        "tap-no-tls",
        "psql with sslmode=disable",
        Expect::Warn("tap.no-tls"),
        no_tls,
    ),
    row(
        "tap-password-wrong",
        "a wrong password",
        Expect::Warn("auth.password.wrong"),
        wrong_password,
    ),
    row(
        "tap-database-default",
        "no database named",
        Expect::Warn("auth.database.missing"),
        default_database,
    ),
    row(
        "tap-pooler-parameter",
        "a start-up parameter that PgBouncer refuses",
        Expect::Warn("pooler.parameter"),
        refused_parameter,
    ),
    row(
        "tap-no-password",
        "no password configured",
        Expect::Warn("tap.login-abandoned"),
        no_password,
    ),
    row(
        "tap-channel-binding",
        "channel binding required without TLS",
        Expect::Warn("tap.login-abandoned"),
        channel_binding,
    ),
    row(
        "tap-storm",
        "a pool that reconnects without a pause",
        Expect::Warn("auth.password.wrong"),
        storm,
    ),
    row(
        "tap-churn",
        "a connection for each query",
        Expect::Warn("tap.no-pool"),
        churn,
    ),
    row(
        "tap-fork",
        "a connection shared after a fork",
        Expect::Warn("client.shared-socket"),
        forked,
    ),
    row(
        "tap-idle-reset",
        "a proxy that resets idle connections",
        Expect::Warn("idle.reset"),
        |lab| idle(lab, IdleEnd::Reset),
    ),
    row(
        "tap-idle-close",
        "a proxy that closes idle connections",
        Expect::Warn("idle.closed"),
        |lab| idle(lab, IdleEnd::Close),
    ),
    row(
        "tap-idle-timeout",
        "idle_session_timeout",
        Expect::Warn("idle.server-timeout"),
        idle_timeout,
    ),
    row(
        "tap-terminated",
        "pg_terminate_backend",
        Expect::Warn("idle.terminated"),
        terminated,
    ),
    row(
        "tap-dropped",
        "a reset in the middle of rows",
        Expect::Warn("tap.dropped"),
        dropped,
    ),
    row(
        "tap-cancel",
        "Ctrl-C in psql",
        Expect::Warn("tap.no-tls"),
        cancel,
    ),
    row(
        "tap-unverified",
        "a client that takes any certificate",
        Expect::Warn("tap.unverified"),
        verifies_nothing,
    ),
    row(
        "tap-verified",
        "a client that verifies",
        Expect::Pass,
        verifies,
    ),
    row(
        "tap-fallback",
        "a client that goes on without TLS",
        Expect::Warn("tap.fallback"),
        falls_back,
    ),
    row(
        "tap-certificate",
        "a client without the right root certificate",
        Expect::Warn("tap.certificate"),
        refuses_certificate,
    ),
    row(
        "tap-before-tls",
        "a client whose root file is missing",
        Expect::Warn("tap.tls-abandoned"),
        before_tls,
    ),
    row(
        "tap-http",
        "a health check that sends HTTP",
        Expect::Warn("tap.not-postgres"),
        not_postgres,
    ),
    row(
        "tap-named-statements",
        "asyncpg behind transaction pooling",
        Expect::Warn("driver.statements"),
        named_statements,
    ),
    row(
        "tap-target-down",
        "a target that refuses connections",
        Expect::Warn("tcp.refused"),
        target_down,
    ),
    Scenario::new(
        "tap-tunnel-lost",
        "an SSH session that ends while the tap uses it",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        tunnel_lost,
    )
    .oracle(Oracle::None(
        "a tap that is held open has no end of its own",
    )),
    row(
        "tap-tls-denied",
        "TLS required of a server without it",
        Expect::Warn("tap.tls-denied"),
        tls_denied,
    ),
    row(
        "tap-no-answer",
        "a server that never answers",
        Expect::Warn("tap.no-answer"),
        no_answer,
    ),
    row(
        "tap-no-client",
        "nobody connects",
        Expect::Warn("tap.no-client"),
        nobody,
    ),
    row(
        "tap-port-taken",
        "a port that is in use",
        Expect::Fail("tap.listen"),
        port_taken,
    ),
    row(
        "tap-exposed",
        "a tap that other machines reach",
        Expect::Warn("tap.exposed"),
        exposed,
    ),
];
