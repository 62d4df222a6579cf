//! Poolers and proxies in between.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::impostor::impostor;
use crate::{Case, Conn, Expect, HaProxy, Lab, Need, Oracle, PgBouncer, PgBouncerBuilder};
use crate::{Postgres, Scenario, free_port};

/// A PgBouncer in front of this server.
fn before<'a>(lab: &'a Lab, pg: &Postgres) -> PgBouncerBuilder<'a> {
    lab.new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
}

/// A case with the lab's password.
fn case(lab: &Lab, conn: Conn) -> Case {
    Case::check(conn).password(lab.password())
}

/// Whether the facts of `server` say that a pooler answers.
fn knows_pooler(case: Case) -> Case {
    case.assert(|report| {
        let stages = report["stages"].as_array();
        let server = stages.and_then(|all| all.iter().find(|s| s["stage"] == "server"));
        let facts = server.map(|server| &server["facts"]);
        ensure!(
            facts.is_some_and(|facts| facts["pooler"] == true),
            "it does not say that a pooler answers: {facts:?}"
        );
        Ok(())
    })
}

/// A session through the pooler, which holds a server connection until it is dropped.
fn holds(lab: &Lab, bouncer: &PgBouncer) -> Result<crate::process::Service> {
    let log = lab.dir("holder")?.join("log");
    let conn = bouncer.conn().set("password", lab.password());
    let tool = crate::Tool::new("psql").args(["-XAtqw", "-d"]).arg(conn);
    let tool = tool.args([
        "-c",
        "begin",
        "-c",
        r"\warn at rest",
        "-c",
        "select pg_sleep(3600)",
    ]);
    let holder = tool.serve(log, "TERM")?;
    holder.wait_ready(|| holder.log().contains("at rest"))?;
    Ok(holder)
}

/// Uses the pooler, well or not.
fn uses(bouncer: &PgBouncer, lab: &Lab) -> Result<()> {
    let conn = bouncer.conn().set("password", lab.password());
    crate::Tool::new("psql")
        .args(["-XAtqw", "-c", "select 1", "-d"])
        .arg(conn.set("connect_timeout", 3))
        .run(Duration::from_secs(5))?;
    Ok(())
}

/// A pooler whose server refuses the log-in in this way, from the beginning.
fn failing(lab: &Lab, pg: Postgres) -> Result<Case> {
    let bouncer = before(lab, &pg).set("server_login_retry", 1).start()?;
    Ok(case(lab, bouncer.conn()).keep((bouncer, pg)))
}

/// A pooler that is refused by the server for a reason of its own entry for `appdb`; it passes
/// each error on as it comes, and the words must be told with the names of that entry.
fn entered(lab: &Lab, entry: Conn, told: &'static str) -> Result<Case> {
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", entry)
        .set("server_login_retry", 0)
        .set("server_tls_sslmode", "prefer")
        .start()?;
    let case = case(lab, bouncer.conn()).keep(bouncer);
    Ok(case.assert(move |report| {
        let verdict = &report["verdict"];
        let summary = verdict["summary"].as_str().unwrap_or_default();
        ensure!(summary.contains(told), "{summary}");
        let first = verdict["fixes"][0]["text"].as_str().unwrap_or_default();
        ensure!(first.contains("its entry for database appdb"), "{first}");
        Ok(())
    }))
}

/// A pooler whose server worked, until this was done to it.
fn failed(lab: &Lab, pg: Postgres, fault: impl Fn(&Postgres) -> Result<()>) -> Result<Case> {
    let bouncer = before(lab, &pg).start()?;
    uses(&bouncer, lab)?;
    fault(&pg)?;
    uses(&bouncer, lab)?;
    uses(&bouncer, lab)?;
    Ok(case(lab, bouncer.conn()).keep((bouncer, pg)))
}

/// A pooler whose server never answers.
fn silent(lab: &Lab, auth_type: &str) -> Result<Case> {
    let peer = crate::Peer::silent()?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", format!("host=127.0.0.1 port={}", peer.port()))
        .set("auth_type", auth_type)
        .start()?;
    let case = case(lab, bouncer.conn()).args(&["--timeout", "2s"]);
    Ok(case.patience(4).keep((peer, bouncer)))
}

/// A provider's proxy that answers the start-up message with this error.
fn provider(sqlstate: &'static str, message: &'static str) -> Result<Case> {
    let peer = impostor(move |client| {
        client.error(&[
            ('S', "FATAL"),
            ('V', "FATAL"),
            ('C', sqlstate),
            ('M', message),
        ])
    })?;
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", peer.port())
        .set("user", "app")
        .set("dbname", "appdb");
    Ok(Case::check(conn).keep(peer))
}

/// The texts of providers' proxies.
macro_rules! provider {
    ($name:literal, $sqlstate:literal, $message:literal, $cause:literal) => {
        Scenario::new(
            concat!("pooler-", $name),
            $message,
            Expect::Fail($cause),
            &[],
            |_| provider($sqlstate, $message),
        )
    };
}

/// Poolers.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "pooler-healthy",
        "through PgBouncer",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            Ok(knows_pooler(case(lab, bouncer.conn()).keep(bouncer)))
        },
    ),
    Scenario::new(
        "pooler-healthy-transaction",
        "through PgBouncer in transaction mode, with TLS",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("pool_mode", "transaction")
                .tls(lab.issue(lab.cert())?)
                .start()?;
            let conn = bouncer.conn().set("sslmode", "require");
            Ok(knows_pooler(case(lab, conn).keep(bouncer)))
        },
    ),
    Scenario::new(
        "pooler-healthy-statement",
        "through PgBouncer in statement mode, as a read-write target",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("pool_mode", "statement")
                .start()?;
            let conn = bouncer.conn().set("target_session_attrs", "read-write");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-console",
        "PgBouncer's own console, which takes no SQL",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("admin_users", "app")
                .start()?;
            let conn = bouncer.conn().set("dbname", "pgbouncer");
            let psql = crate::Tool::new("psql").args(["-XAtw", "-c", "show version", "-d"]);
            let psql = psql.arg(&conn);
            Ok(case(lab, conn).asks(psql).keep(bouncer))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "pooler-console-denied",
        "PgBouncer's own console, for a user who may not",
        Expect::Fail("pooler.user"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            let conn = bouncer.conn().set("dbname", "pgbouncer");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-database",
        "PgBouncer does not know the database",
        Expect::Fail("pooler.database"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            let conn = bouncer.conn().set("dbname", "orders");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-user",
        "PgBouncer does not know the user, and asks for no password",
        Expect::Fail("pooler.user"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("auth_type", "trust")
                .start()?;
            let conn = bouncer.conn().set("user", "nobody");
            Ok(Case::check(conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-user-scram",
        "PgBouncer does not know the user, and asks for a password all the same",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            let conn = bouncer.conn().set("user", "nobody");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-password-wrong",
        "a password that PgBouncer does not accept",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            Ok(Case::check(bouncer.conn())
                .password("wr0ng-canary")
                .keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-password-wrong-md5",
        "a password that PgBouncer does not accept, as MD5",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("auth_type", "md5")
                .start()?;
            Ok(Case::check(bouncer.conn())
                .password("wr0ng-canary")
                .keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-tls",
        "PgBouncer demands TLS, and sslmode=disable",
        Expect::Fail("auth.hba.needs-tls"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .tls(lab.issue(lab.cert())?)
                .set("client_tls_sslmode", "require")
                .start()?;
            let conn = bouncer.conn().set("sslmode", "disable");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-hba-reject",
        "PgBouncer's own pg_hba.conf rejects",
        Expect::Fail("auth.hba.reject"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let hba = lab.file("hba", "host all all 0.0.0.0/0 reject\n", 0o644)?;
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("auth_type", "hba")
                .set("auth_hba_file", hba.display())
                .start()?;
            Ok(case(lab, bouncer.conn()).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-full",
        "max_client_conn clients are connected",
        Expect::Fail("pooler.full"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("max_client_conn", 1)
                .start()?;
            let holder = holds(lab, &bouncer)?;
            Ok(case(lab, bouncer.conn()).keep((holder, bouncer)))
        },
    ),
    Scenario::new(
        "pooler-parameter",
        "PgBouncer takes no options",
        Expect::Fail("pooler.parameter"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            let conn = bouncer.conn().set("options", "-c geqo=off");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-wait",
        "the pool is used up, and PgBouncer says so after a second",
        Expect::Fail("pooler.wait"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("default_pool_size", 1)
                .set("query_wait_timeout", 1)
                .start()?;
            let holder = holds(lab, &bouncer)?;
            Ok(case(lab, bouncer.conn()).keep((holder, bouncer)))
        },
    ),
    Scenario::new(
        "pooler-wait-silent",
        "the pool is used up, and PgBouncer waits longer than we do",
        Expect::Fail("pooler.wait"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref())
                .set("default_pool_size", 1)
                .start()?;
            let holder = holds(lab, &bouncer)?;
            let case = case(lab, bouncer.conn()).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep((holder, bouncer)))
        },
    ),
    Scenario::new(
        "pooler-backend-refuses",
        "nothing listens where PgBouncer's server should be",
        Expect::Fail("pooler.backend"),
        &[Need::PgBouncer],
        |lab| {
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", format!("host=127.0.0.1 port={}", free_port()))
                .start()?;
            Ok(case(lab, bouncer.conn()).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-backend-cold",
        "the same, and it has not noticed yet",
        Expect::Fail("pooler.backend"),
        &[Need::PgBouncer],
        |lab| {
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", format!("host=127.0.0.1 port={}", free_port()))
                .start()?;
            Ok(case(lab, bouncer.conn()).patience(8).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-backend-unresolved",
        "PgBouncer cannot resolve its server's name",
        Expect::Fail("pooler.backend"),
        &[Need::PgBouncer],
        |lab| {
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", "host=no-such-host.invalid")
                .start()?;
            Ok(case(lab, bouncer.conn()).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-backend-database",
        "the database that PgBouncer asks its server for does not exist",
        Expect::Fail("auth.database.missing"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user").set("dbname", "gone"))
                .set("server_login_retry", 1)
                .start()?;
            Ok(case(lab, bouncer.conn()).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-backend-password",
        "the server does not accept PgBouncer's password",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app password 'another'")
                .start()?;
            // The password that is refused is PgBouncer's and not the client's.
            Ok(failing(lab, pg)?.assert(|report| {
                let summary = report["verdict"]["summary"].as_str().unwrap_or_default();
                ensure!(summary.contains("the pooler's own"), "{summary}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "pooler-parameter-value",
        "PgBouncer takes a time zone that its server does not know",
        Expect::Fail("pooler.parameter"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let bouncer = before(lab, lab.postgres()?.as_ref()).start()?;
            let case = case(lab, bouncer.conn()).env("PGTZ", "Mars/Olympus");
            Ok(case.keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-backend-library",
        "the server behind PgBouncer cannot load a library",
        Expect::Fail("server.library"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let set = "alter role app set session_preload_libraries = 'not_installed'";
            failing(lab, lab.new_postgres().sql(set).start()?)
        },
    ),
    provider!(
        "odyssey-database",
        "08P01",
        "odyssey: c1234: route for 'appdb.app' is not found",
        "pooler.database"
    ),
    provider!(
        "pgcat-database",
        "58000",
        "No pool configured for database: \"appdb\", user: \"app\"",
        "pooler.database"
    ),
    provider!(
        "pgcat-backend",
        "58000",
        "could not get connection from the pool - AllServersDown",
        "pooler.backend"
    ),
    provider!(
        "pgpool-backend",
        "XX000",
        "all backend nodes are down, pgpool requires at least one valid node",
        "pooler.backend"
    ),
    Scenario::new(
        "pooler-backend-hba-german",
        "the server has no pg_hba.conf line for PgBouncer, and says so in German",
        Expect::Fail("auth.hba.no-entry"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            failing(
                lab,
                lab.new_postgres()
                    .language("de")
                    .hba("host all all 192.0.2.0/24 scram-sha-256")
                    .start()?,
            )
        },
    ),
    Scenario::new(
        "pooler-backend-role",
        "the role may not log in on PgBouncer's server",
        Expect::Fail("auth.role.nologin"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            failing(
                lab,
                lab.new_postgres().sql("alter role app nologin").start()?,
            )
        },
    ),
    Scenario::new(
        "pooler-backend-full",
        "the server behind PgBouncer has no slot left",
        Expect::Fail("server.connections.full"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("max_connections", 4)
                .conf("superuser_reserved_connections", 0)
                .start()?;
            let busy = pg.sessions(4)?;
            Ok(failing(lab, pg)?.keep(busy))
        },
    ),
    Scenario::new(
        "pooler-entry-database",
        "PgBouncer's entry names a database that its server lacks",
        Expect::Fail("auth.database.missing"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let entry = pg.conn().without("user").set("dbname", "gone");
            entered(lab, entry, "Database gone does not exist")
        },
    ),
    Scenario::new(
        "pooler-entry-nologin",
        "PgBouncer's entry names a role that may not log in",
        Expect::Fail("auth.role.nologin"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("create role inner_role nologin password 'x'")
                .start()?;
            let entry = pg.conn().set("user", "inner_role").set("password", "x");
            Ok(entered(lab, entry, "Role inner_role exists")?.keep(pg))
        },
    ),
    Scenario::new(
        "pooler-entry-hba",
        "PgBouncer's entry names a role that pg_hba.conf rejects",
        Expect::Fail("auth.hba.reject"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("create role inner_role login password 'x'")
                .hba("host all inner_role all reject")
                .hba("host all all all scram-sha-256")
                .start()?;
            let entry = pg.conn().set("user", "inner_role").set("password", "x");
            Ok(entered(lab, entry, "matches role inner_role")?.keep(pg))
        },
    ),
    Scenario::new(
        "pooler-entry-option",
        "PgBouncer's entry sets a time zone that its server does not know",
        Expect::Fail("server.option"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let entry = pg.conn().without("user").set("timezone", "Mars");
            entered(lab, entry, "TimeZone")
        },
    ),
    Scenario::new(
        "pooler-backend-starting",
        "the server behind PgBouncer is starting up, and says so in French",
        Expect::Fail("server.starting"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab
                .new_postgres()
                .language("fr")
                .file("recovery.signal", "")
                .conf("restore_command", "sleep 1000");
            failing(lab, pg.never_ready().start()?)
        },
    ),
    Scenario::new(
        "pooler-cached-refused",
        "PgBouncer's server worked and was stopped",
        Expect::Fail("pooler.backend"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            failed(lab, lab.new_postgres().start()?, |pg| {
                pg.stop();
                Ok(())
            })
        },
    ),
    Scenario::new(
        "pooler-cached-role",
        "PgBouncer's role worked and may no longer log in; 1.18 does not quote the server",
        Expect::Fail("pooler.backend"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            failed(lab, lab.new_postgres().start()?, |pg| {
                pg.sql("alter role app nologin")?;
                let end = "select pg_terminate_backend(pid) from pg_stat_activity \
                           where usename = 'app'";
                pg.sql(end).map(drop)
            })
        },
    ),
    Scenario::new(
        "pooler-backend-silent",
        "PgBouncer's server never answers",
        Expect::Fail("pooler.backend"),
        &[Need::PgBouncer],
        |lab| silent(lab, "scram-sha-256"),
    ),
    Scenario::new(
        "pooler-backend-silent-md5",
        "the same, with an MD5 password",
        Expect::Fail("pooler.backend"),
        &[Need::PgBouncer],
        |lab| silent(lab, "md5"),
    ),
    Scenario::new(
        "pooler-backend-silent-trust",
        "the same, with no password asked for",
        Expect::Fail("pooler.backend"),
        &[Need::PgBouncer],
        |lab| silent(lab, "trust"),
    ),
    Scenario::new(
        "pooler-haproxy-healthy",
        "through HAProxy",
        Expect::Pass,
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "")?;
            let conn = pg.conn().set("port", proxy.port());
            Ok(Case::check(conn).password(lab.password()).keep(proxy))
        },
    ),
    Scenario::new(
        "pooler-haproxy-backend-down",
        "HAProxy accepts, and its backend refuses",
        Expect::Fail("protocol.closed"),
        &[Need::HaProxy],
        |lab| {
            let proxy = HaProxy::tcp(lab, &format!("127.0.0.1:{}", free_port()), "retries 0")?;
            let conn = crate::Conn::new()
                .set("host", "127.0.0.1")
                .set("port", proxy.port());
            Ok(Case::check(conn.set("user", "app")).keep(proxy))
        },
    ),
    provider!(
        "supavisor-tenant",
        "XX000",
        "Tenant or user not found",
        "pooler.tenant"
    ),
    provider!(
        "supavisor-tenant-word",
        "XX000",
        "(ENOTFOUND) tenant/user app.abcdef not found",
        "pooler.tenant"
    ),
    provider!(
        "supavisor-identifier",
        "XX000",
        "(ENOIDENTIFIER) no tenant identifier provided (external_id or sni_hostname required)",
        "pooler.tenant"
    ),
    provider!(
        "supavisor-full",
        "XX000",
        "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
        "pooler.full"
    ),
    provider!(
        "supavisor-full-old",
        "XX000",
        "Max client connections reached",
        "pooler.full"
    ),
    provider!(
        "supavisor-blocked",
        "XX000",
        "(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked",
        "auth.password.wrong"
    ),
    provider!(
        "supavisor-backend",
        "XX000",
        "Failed to connect to database: {:error, :nxdomain}",
        "pooler.backend"
    ),
    provider!(
        "neon-sni",
        "08P01",
        "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass the endpoint ID (first part of the domain name) as a parameter: '?options=endpoint%3D<endpoint-id>'. See more at https://neon.tech/sni",
        "pooler.sni"
    ),
    provider!(
        "neon-backend",
        "08006",
        "Couldn't connect to compute node",
        "pooler.backend"
    ),
    provider!(
        "neon-tls",
        "28000",
        "connection is insecure (try using `sslmode=require`)",
        "auth.hba.needs-tls"
    ),
    provider!(
        "rds-tls",
        "28000",
        "This RDS Proxy requires TLS connections",
        "auth.hba.needs-tls"
    ),
    provider!(
        "rds-user",
        "28P01",
        "This RDS proxy has no credentials for the role app. Check the credentials for this role and try again.",
        "pooler.user"
    ),
    provider!(
        "rds-password",
        "28P01",
        "The password that was provided for the role app is wrong.",
        "auth.password.wrong"
    ),
    provider!(
        "host-by-name",
        "28000",
        "this server requires connecting via orders.db.test",
        "pooler.sni"
    ),
];
