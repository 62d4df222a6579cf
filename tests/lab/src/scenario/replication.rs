//! Targets that ask for replication, and servers on which it would not work.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::postgres::bin_dir;
use crate::{Case, Conn, Expect, Lab, Need, Oracle, PostgresBuilder, Scenario, Tool};

/// A case with the lab's password.
fn case(lab: &Lab, conn: Conn) -> Case {
    Case::check(conn).password(lab.password())
}

/// A server whose role `app` may replicate.
fn server(lab: &Lab) -> PostgresBuilder<'_> {
    lab.new_postgres().sql("alter role app replication")
}

/// The same for logical decoding.
fn logical(lab: &Lab) -> PostgresBuilder<'_> {
    server(lab).conf("wal_level", "logical")
}

/// psql with a command of the replication protocol: a physical walsender takes no SQL.
fn asks_walsender(case: Case, conn: &Conn) -> Case {
    let psql = Tool::new("psql").args(["-XAtw", "-c", "IDENTIFY_SYSTEM", "-d"]);
    case.asks(psql.arg(conn))
}

/// The facts about replication.
fn facts(report: &Value) -> Result<&Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let server = stages.iter().find(|stage| stage["stage"] == "server");
    Ok(&server.context("no stage server")?["facts"]["replication"])
}

/// Whether a fact, by its path, has this value.
fn fact(path: &'static str, value: Value) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        let found = facts.pointer(path).context("no such fact")?;
        ensure!(*found == value, "{path}: {found} in {facts}");
        Ok(())
    }
}

/// Whether the first fix has these words.
fn first_fix(words: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let fix = report["verdict"]["fixes"][0]["text"].as_str();
        let fix = fix.unwrap_or_default();
        ensure!(fix.contains(words), "{fix}");
        Ok(())
    }
}

/// Replication as a purpose.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "replication-physical-healthy",
        "a physical replication session, which takes no SQL",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).start()?;
            let conn = pg.conn().set("replication", "yes");
            let case = asks_walsender(case(lab, conn.clone()), &conn);
            Ok(case
                .assert(fact("/mode", "physical".into()))
                .assert(fact("/wal_level", "replica".into()))
                .assert(fact("/senders/max", 10.into()))
                .assert(fact("/slots/used", Value::Null))
                .keep(pg))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "replication-logical-healthy",
        "a logical replication session, which takes SQL",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = logical(lab).start()?;
            let conn = pg.conn().set("replication", "database");
            Ok(case(lab, conn)
                .assert(fact("/mode", "logical".into()))
                .assert(fact("/walsender", true.into()))
                .assert(fact("/role_may", true.into()))
                .assert(fact("/senders/used", 1.into()))
                .assert(fact("/slots/used", 0.into()))
                .keep(pg))
        },
    ),
    Scenario::new(
        "replication-off",
        "replication=off asks for an ordinary session",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("replication", "off");
            Ok(case(lab, conn).assert(|report| {
                ensure!(facts(report)?.is_null(), "{}", facts(report)?);
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "replication-wal-level",
        "logical replication where wal_level is replica",
        Expect::Warn("server.replication.wal-level"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).start()?;
            let conn = pg.conn().set("replication", "database");
            Ok(case(lab, conn)
                .assert(fact("/wal_level", "replica".into()))
                .keep(pg))
        },
    ),
    Scenario::new(
        "replication-wal-level-jdbc",
        "the same as Debezium's driver writes it",
        Expect::Warn("server.replication.wal-level"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).start()?;
            let port = pg.port();
            let url = format!(
                "jdbc:postgresql://127.0.0.1:{port}/appdb?user=app&password={}&\
                 replication=database&preferQueryMode=simple",
                lab.password()
            );
            let asked = pg.conn().set("replication", "database");
            Ok(Case::target(url)
                .password(lab.password())
                .secret(lab.password())
                .asks_psql(asked)
                .keep(pg))
        },
    ),
    Scenario::new(
        "replication-wal-level-rds",
        "the same on a server of Amazon RDS, where wal_level cannot be set",
        Expect::Warn("server.replication.wal-level"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).start()?;
            let host = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com";
            let conn = pg.conn().set("host", host).set("hostaddr", "127.0.0.1");
            Ok(case(lab, conn.set("replication", "database"))
                .assert(first_fix("rds.logical_replication = 1"))
                .keep(pg))
        },
    ),
    Scenario::new(
        "replication-standby",
        "logical replication from a standby, which this version does not decode",
        Expect::Warn("server.replication.standby"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("wal_level", "logical")
                .file("standby.signal", "")
                .hba("host all all all trust")
                .start()?;
            let conn = pg.conn().set("replication", "database");
            Ok(case(lab, conn.set("user", "postgres")).keep(pg))
        },
    ),
    Scenario::new(
        "replication-standby-physical",
        "a standby serves physical replication",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .file("standby.signal", "")
                .hba("host all,replication all all trust")
                .start()?;
            let conn = pg.conn().set("replication", "1").set("user", "postgres");
            let case = asks_walsender(case(lab, conn.clone()), &conn);
            Ok(case.keep(pg))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "replication-slots",
        "every slot is taken, one of them by a client that is gone",
        Expect::Warn("server.replication.slots"),
        &[Need::Postgres],
        |lab| {
            let pg = logical(lab)
                .conf("max_replication_slots", 2)
                .sql("select pg_create_physical_replication_slot('gone')")
                .sql("select pg_create_logical_replication_slot('debezium', 'pgoutput')")
                .start()?;
            let conn = pg.conn().set("replication", "database");
            Ok(case(lab, conn)
                .assert(fact("/slots/inactive", 2.into()))
                .keep(pg))
        },
    ),
    Scenario::new(
        "replication-slots-none",
        "a base backup of a server without slots",
        Expect::Warn("server.replication.slots"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).conf("max_replication_slots", 0).start()?;
            let conn = pg.conn().set("replication", "on");
            let case = asks_walsender(case(lab, conn.clone()), &conn);
            Ok(case.keep(pg))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "replication-slots-one-left",
        "one slot is free",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = logical(lab)
                .conf("max_replication_slots", 2)
                .sql("select pg_create_logical_replication_slot('debezium', 'pgoutput')")
                .start()?;
            let conn = pg.conn().set("replication", "database");
            Ok(case(lab, conn).forbids("server.replication.slots").keep(pg))
        },
    ),
    Scenario::new(
        "server-wal-senders",
        "replication is asked for, and is turned off",
        Expect::Fail("server.replication.senders"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab)
                .conf("max_wal_senders", 0)
                .conf("wal_level", "minimal")
                .hba("host replication all all scram-sha-256")
                .hba("host all all all scram-sha-256")
                .start()?;
            let conn = pg.conn().set("replication", "true");
            Ok(case(lab, conn).keep(pg).assert(|report| {
                let summary = report["verdict"]["summary"].as_str().unwrap_or_default();
                ensure!(summary.contains("max_wal_senders"), "{summary}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "replication-senders-taken",
        "the only WAL sender is taken",
        Expect::Fail("server.replication.senders"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).conf("max_wal_senders", 1).start()?;
            let conn = pg.conn().set("replication", "database");
            let program = bin_dir().context("no server is installed")?;
            let receiver = Tool::new(program.join("pg_receivewal").to_string_lossy())
                .args(["--no-loop", "-w", "-v", "-D"])
                .arg(lab.dir("wal")?.display())
                .arg("-d")
                .arg(pg.conn().set("password", lab.password()))
                .serve(lab.dir("receiver")?.join("log"), "INT")?;
            receiver.wait_ready(|| receiver.log().contains("starting log streaming"))?;
            Ok(case(lab, conn).keep(receiver).keep(pg))
        },
    ),
    Scenario::new(
        "replication-role-database",
        "logical replication by a role without the attribute",
        Expect::Fail("auth.role.replication"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("replication", "database");
            Ok(case(lab, conn))
        },
    ),
    Scenario::new(
        "replication-hba-all-physical",
        "a line for all databases is none for physical replication",
        Expect::Fail("auth.hba.no-entry"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab).hba("host all all all scram-sha-256").start()?;
            let conn = pg.conn().set("replication", "true");
            Ok(case(lab, conn).keep(pg).assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(
                    fixes.contains("host replication app 127.0.0.1/32"),
                    "{fixes}"
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "replication-hba-all-logical",
        "a line for all databases is one for logical replication",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = logical(lab).hba("host all all all scram-sha-256").start()?;
            Ok(case(lab, pg.conn().set("replication", "database")).keep(pg))
        },
    ),
    Scenario::new(
        "replication-hba-word-logical",
        "a line for replication is none for logical replication",
        Expect::Fail("auth.hba.no-entry"),
        &[Need::Postgres],
        |lab| {
            let pg = logical(lab).hba("host replication all all scram-sha-256");
            let pg = pg.start()?;
            let conn = pg.conn().set("replication", "database");
            Ok(case(lab, conn).keep(pg).assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("host appdb app 127.0.0.1/32"), "{fixes}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "pooler-replication",
        "PgBouncer, which refuses replication",
        Expect::Fail("pooler.replication"),
        &[Need::PgBouncer, Need::Postgres],
        |lab| {
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", lab.postgres()?.conn().without("user"));
            let bouncer = bouncer.start()?;
            let conn = bouncer.conn().set("replication", "database");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-replication-physical",
        "the same of physical replication",
        Expect::Fail("pooler.replication"),
        &[Need::PgBouncer, Need::Postgres],
        |lab| {
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", lab.postgres()?.conn().without("user"));
            let bouncer = bouncer.start()?;
            let conn = bouncer.conn().set("replication", "true");
            Ok(case(lab, conn).keep(bouncer))
        },
    ),
    Scenario::new(
        "pooler-replication-ignored",
        "PgBouncer drops the parameter, and the session is an ordinary one",
        Expect::Warn("pooler.replication"),
        &[Need::PgBouncer, Need::Postgres],
        |lab| {
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", lab.postgres()?.conn().without("user"));
            let bouncer = bouncer.set("ignore_startup_parameters", "replication");
            let bouncer = bouncer.start()?;
            let conn = bouncer.conn().set("replication", "true");
            Ok(case(lab, conn)
                .assert(fact("/walsender", false.into()))
                .assert(fact("/role_may", Value::Null))
                .keep(bouncer))
        },
    ),
];
