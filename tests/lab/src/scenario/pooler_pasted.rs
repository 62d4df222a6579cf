//! Poolers whose console is part of the fix: it needs all of the target's settings, too.

use anyhow::Result;

use crate::process::{Service, Tool};
use crate::{Case, Conn, Expect, Lab, Need, PgBouncer, PgBouncerBuilder, Scenario};

/// A PgBouncer with an administrator whose password is the lab's, too.
fn administered(lab: &Lab) -> Result<PgBouncerBuilder<'_>> {
    let target = lab.postgres()?.conn().without("user");
    let bouncer = lab.new_pgbouncer().database("appdb", target);
    let bouncer = bouncer.tls(lab.issue(lab.cert())?);
    let bouncer = bouncer.set("client_tls_sslmode", "require");
    let bouncer = bouncer.user("pgbouncer", lab.password());
    Ok(bouncer.set("admin_users", "pgbouncer"))
}

/// The way to it, where a client that forgets a setting does not get through.
fn particular(lab: &Lab, bouncer: &PgBouncer) -> Conn {
    bouncer
        .conn()
        .set("host", "db.test")
        .set("hostaddr", "127.0.0.1")
        .set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

fn psql(lab: &Lab, conn: Conn) -> Tool {
    let tool = Tool::new("psql").args(["-XAtqw", "-d"]).arg(conn);
    tool.env("PGPASSWORD", lab.password())
}

/// A session that holds the only server connection.
fn holds(lab: &Lab, conn: Conn) -> Result<Service> {
    let script = "begin;\n\\warn at rest\nselect pg_sleep(3600);\n";
    let script = lab.file("script.sql", script, 0o644)?;
    let holder = psql(lab, conn).arg("-f").arg(script.display());
    let holder = holder.serve(lab.dir("holder")?.join("log"), "TERM")?;
    holder.wait_ready(|| holder.log().contains("at rest"))?;
    Ok(holder)
}

const BOUNCER: &[Need] = &[Need::Postgres, Need::PgBouncer];

/// Poolers whose console is part of the fix.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "pooler-database-console",
        "PgBouncer does not know the database, and has an administrator",
        Expect::Fail("pooler.database"),
        BOUNCER,
        |lab| {
            let bouncer = administered(lab)?.start()?;
            let conn = particular(lab, &bouncer).set("dbname", "orders");
            Ok(Case::check(conn).password(lab.password()).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-database-switched-off",
        "PgBouncer's administrator has disabled the database",
        Expect::Fail("pooler.database"),
        BOUNCER,
        |lab| {
            let bouncer = administered(lab)?.start()?;
            let conn = particular(lab, &bouncer);
            let console = conn
                .clone()
                .set("user", "pgbouncer")
                .set("dbname", "pgbouncer");
            psql(lab, console).args(["-c", "disable appdb"]).succeed()?;
            Ok(Case::check(conn).password(lab.password()).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-wait-console",
        "the pool is used up, and PgBouncer has an administrator",
        Expect::Fail("pooler.wait"),
        BOUNCER,
        |lab| {
            let bouncer = administered(lab)?
                .set("default_pool_size", 1)
                .set("query_wait_timeout", 1)
                .start()?;
            let conn = particular(lab, &bouncer);
            let holder = holds(lab, conn.clone())?;
            let case = Case::check(conn).password(lab.password());
            Ok(case.keep((holder, bouncer)))
        },
    ),
];
