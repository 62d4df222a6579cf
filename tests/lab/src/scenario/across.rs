//! What crosses stages: tunnels with poolers, load balancers, TLS and password files.

use anyhow::{Result, ensure};

use crate::{Case, Conn, Expect, HaProxy, Lab, Need, Oracle, Scenario, free_port};

/// To this database through the shared SSH server.
fn through(lab: &Lab, conn: Conn) -> Result<Case> {
    let case = Case::check(conn).password(lab.password());
    Ok(case.ssh(lab.sshd()?.route()))
}

/// The shared database, and a way to name it that its certificate carries.
fn verified(lab: &Lab, host: &str) -> Result<Conn> {
    let conn = lab.postgres()?.conn().set("host", host);
    let conn = conn.set("sslmode", "verify-full");
    Ok(conn.set("sslrootcert", lab.ca_file().display()))
}

/// A load balancer before the shared database.
fn balanced(lab: &Lab, server: &str, bind: &str) -> Result<HaProxy> {
    HaProxy::start(
        lab,
        &format!(
            "defaults\n mode tcp\n timeout connect 2s\n timeout client 1m\n timeout server 1m\n\
             listen database\n bind 127.0.0.1:{{port}} {bind}\n server one {} {server}\n",
            lab.postgres()?.addr()
        ),
    )
}

/// To the database behind it, and what is said about it has these words.
fn behind(lab: &Lab, proxy: HaProxy) -> Case {
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", proxy.port())
        .set("user", "app")
        .set("dbname", "appdb");
    Case::check(conn).password(lab.password()).keep(proxy)
}

/// Nothing is found, not even a warning.
fn silent(case: Case) -> Case {
    case.assert(|report| {
        let verdict = &report["verdict"];
        ensure!(verdict["status"] == "pass", "{verdict}");
        Ok(())
    })
}

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];
const PROXY: &[Need] = &[Need::Postgres, Need::HaProxy];

/// The combinations.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "across-tunnel-verify-full",
        "the certificate's name in host, the address as the bastion reaches it in hostaddr",
        Expect::Pass,
        BOTH,
        |lab| {
            let conn = verified(lab, "db.test")?.set("hostaddr", "127.0.0.1");
            Ok(silent(through(lab, conn)?))
        },
    ),
    Scenario::new(
        "across-tunnel-wrong-name",
        "through a tunnel: a name that the certificate does not carry",
        Expect::Fail("tls.cert.hostname"),
        BOTH,
        |lab| {
            let conn = verified(lab, "other.test")?.set("hostaddr", "127.0.0.1");
            through(lab, conn)
        },
    ),
    Scenario::new(
        "across-tunnel-passfile",
        "through a tunnel: the password file has the database's own host and port",
        Expect::Pass,
        BOTH,
        |lab| {
            let pg = lab.postgres()?;
            let line = format!("db.test:{}:appdb:app:{}\n", pg.port(), lab.password());
            let file = lab.file("passfile", line, 0o600)?;
            let conn = verified(lab, "db.test")?.set("hostaddr", "127.0.0.1");
            let case = Case::check(conn.set("passfile", file.display()));
            Ok(silent(case.ssh(lab.sshd()?.route())))
        },
    )
    .oracle(Oracle::None(
        "ssh -L has another port, and a line of its own",
    )),
    Scenario::new(
        "across-tunnel-attrs",
        "through a tunnel: the first host is gone, the second is the primary",
        Expect::Warn("tunnel.target.refused"),
        BOTH,
        |lab| {
            let pg = lab.postgres()?;
            let ports = format!("{},{}", free_port(), pg.port());
            let conn = pg.conn().set("host", "127.0.0.1,127.0.0.1");
            let conn = conn.set("port", ports);
            through(lab, conn.set("target_session_attrs", "primary"))
        },
    )
    .oracle(Oracle::None("ssh -L leads to one host")),
    Scenario::new(
        "across-tunnel-attrs-unmet",
        "through a tunnel: a standby is asked for, and there is the primary alone",
        Expect::Fail("server.read-only"),
        BOTH,
        |lab| {
            let conn = lab.postgres()?.conn();
            through(lab, conn.set("target_session_attrs", "standby"))
        },
    ),
    Scenario::new(
        "across-tunnel-pooler",
        "through a tunnel: PgBouncer does not know the database",
        Expect::Fail("pooler.database"),
        &[Need::Postgres, Need::Sshd, Need::PgBouncer],
        |lab| {
            let bouncer = lab.new_pgbouncer();
            let bouncer = bouncer.database("other", lab.postgres()?.conn()).start()?;
            Ok(through(lab, bouncer.conn())?.keep(bouncer))
        },
    ),
    Scenario::new(
        "across-tunnel-socket-missing",
        "through a tunnel: no such socket on the bastion, which never says why",
        Expect::Fail("tunnel.target.failed"),
        BOTH,
        |lab| {
            let conn = lab.postgres()?.conn().set("host", "/nowhere");
            Ok(through(lab, conn)?.assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("ls -l /nowhere/.s.PGSQL"), "{fixes}");
                ensure!(!fixes.contains("nc -z"), "{fixes}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::None("ssh -W has no sockets at its far end")),
    Scenario::new(
        "across-tunnel-balancer-down",
        "through a tunnel: a load balancer whose one server is in maintenance",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres, Need::Sshd, Need::HaProxy],
        |lab| {
            let proxy = balanced(lab, "disabled", "")?;
            Ok(behind(lab, proxy).ssh(lab.sshd()?.route()))
        },
    ),
    Scenario::new(
        "across-jump-refused",
        "the second hop does not listen: the advice is not about a database",
        Expect::Fail("tunnel.target.refused"),
        BOTH,
        |lab| {
            let route = lab.sshd()?.route();
            let second = format!("{}@127.0.0.1:{}", lab.user()?, free_port());
            let case = Case::check(lab.postgres()?.conn()).ssh(route.then(&second));
            Ok(case.assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("the next SSH server"), "{fixes}");
                ensure!(!fixes.contains("PostgreSQL"), "{fixes}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "across-balancer-proxy-sent",
        "HAProxy sends the PROXY protocol to a server that does not take it",
        Expect::Fail("protocol.closed"),
        PROXY,
        |lab| Ok(behind(lab, balanced(lab, "send-proxy", "")?)),
    ),
    Scenario::new(
        "across-balancer-proxy-wanted",
        "HAProxy wants the PROXY protocol from us",
        Expect::Fail("protocol.proxy-expected"),
        PROXY,
        |lab| Ok(behind(lab, balanced(lab, "", "accept-proxy")?)),
    ),
    Scenario::new(
        "across-balancer-pooler",
        "HAProxy before PgBouncer, which rejects by its own rules",
        Expect::Fail("auth.hba.reject"),
        &[Need::Postgres, Need::HaProxy, Need::PgBouncer],
        |lab| {
            let rules = lab.file("hba", "host other all 127.0.0.1/32 md5\n", 0o644)?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", lab.postgres()?.conn().without("user"))
                .set("auth_type", "hba")
                .set("auth_hba_file", rules.display())
                .start()?;
            let proxy = HaProxy::tcp(lab, &format!("127.0.0.1:{}", bouncer.port()), "")?;
            Ok(behind(lab, proxy).keep(bouncer).assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("auth_hba_file"), "{fixes}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "across-allow-hostssl",
        "the server demands TLS, and sslmode=allow is for just that",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().tls(lab.issue(lab.cert())?);
            let pg = pg.hba("hostssl all all all scram-sha-256").start()?;
            let conn = pg.conn().set("sslmode", "allow");
            let case = Case::check(conn).password(lab.password());
            Ok(silent(case).keep(pg))
        },
    ),
    Scenario::new(
        "across-prefer-hostnossl",
        "the server refuses TLS, which sslmode=prefer tries first",
        Expect::Warn("auth.hba.needs-plain"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().tls(lab.issue(lab.cert())?);
            let pg = pg.hba("hostnossl all all all scram-sha-256").start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            Ok(case.keep(pg))
        },
    ),
];
