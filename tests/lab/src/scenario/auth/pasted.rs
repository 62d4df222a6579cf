//! Refusals whose fixes are pasted commands: names to be quoted, settings to be kept, and servers
//! of their own, which the command changes.

use super::*;

/// What only this target has, and a client that forgets it does not get through.
fn particular(lab: &Lab, conn: Conn) -> Conn {
    conn.set("host", "db.test")
        .set("hostaddr", "127.0.0.1")
        .set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

/// Refusals whose fixes are pasted commands.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "auth-database-missing-quoted",
        "no such database, and a target that needs all of its settings",
        Expect::Fail("auth.database.missing"),
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?.start()?;
            let conn = particular(lab, pg.conn()).set("dbname", "Bob's orders");
            Ok(case(lab, conn).keep(pg))
        },
    ),
    Scenario::new(
        "auth-database-closed-quoted",
        "a database of an odd name that takes no connections",
        Expect::Fail("auth.database.closed"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres();
            let pg = pg.sql(r#"create database "Bob's $1" allow_connections false"#);
            let pg = pg.start()?;
            Ok(case(lab, pg.conn().set("dbname", "Bob's $1")).keep(pg))
        },
    ),
    Scenario::new(
        "auth-role-replication-quoted",
        "replication without the attribute, as a role of an odd name",
        Expect::Fail("auth.role.replication"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().hba("host all,replication all all trust");
            let pg = pg.sql(r#"create role "Bob's $1" login"#).start()?;
            let conn = pg.conn().set("user", "Bob's $1");
            Ok(Case::check(conn.set("replication", "true")).keep(pg))
        },
    ),
    Scenario::new(
        "auth-hba-no-entry-quoted",
        "no line for a role and a database of odd names, in a file without an end of line",
        Expect::Fail("auth.hba.no-entry"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres();
            let pg = pg.sql(r#"create role "Bob's $1" login superuser"#);
            let pg = pg.sql(r#"create database "all, of it""#).start()?;
            let hba = pg.data_dir().join("pg_hba.conf");
            std::fs::write(hba, "local all postgres trust\nhost all app all trust")?;
            pg.reload()?;
            pg.sql(r#"alter role "Bob's $1" password 'pw-canary'"#)?;
            let conn = pg.conn().set("user", "Bob's $1");
            let conn = conn.set("dbname", "all, of it");
            Ok(Case::check(conn).password("pw-canary").keep(pg))
        },
    ),
    Scenario::new(
        "auth-peer-nobody",
        "peer authentication, for a role that is a user of this machine",
        Expect::Fail("auth.peer"),
        &[Need::Postgres, Need::Root],
        |lab| {
            let pg = lab.new_postgres().hba("local all all peer");
            let pg = pg.sql("create role nobody login").start()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            let conn = conn
                .set("user", "nobody")
                .set("options", "-c work_mem=1234kB");
            Ok(Case::check(conn).keep(pg))
        },
    ),
    Scenario::new(
        "auth-password-missing-passfile",
        "PGPASSFILE names a file that ends in the middle of a line, of another server",
        Expect::Fail("auth.password.missing"),
        &[Need::Postgres],
        |lab| {
            let file = lab.file("passwords", "other.test:5432:*:*:x", 0o600)?;
            Ok(Case::check(lab.postgres()?.conn()).env("PGPASSFILE", file.display()))
        },
    ),
];
