//! Servers that do not let us in.

use crate::{Case, Expect, Need, Oracle, Scenario};

/// Authentication and authorisation.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "auth-password-wrong",
        about: "the password is another one",
        expect: Expect::Fail("auth.password.wrong"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| Ok(Case::check(lab.postgres()?.conn()).password("wr0ng-canary")),
    },
    Scenario {
        name: "auth-password-missing",
        about: "no password from anywhere",
        expect: Expect::Fail("auth.password.missing"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| Ok(Case::check(lab.postgres()?.conn())),
    },
    Scenario {
        name: "auth-hba-no-entry",
        about: "no line for this host in pg_hba.conf",
        expect: Expect::Fail("auth.hba.no-entry"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab
                .new_postgres()
                .hba("host all all 192.0.2.0/24 scram-sha-256")
                .start()?;
            let conn = pg.conn().set("sslmode", "disable");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "auth-role-missing",
        about: "no such role, and no password is asked for",
        expect: Expect::Fail("auth.role.missing"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().hba("host all all all trust").start()?;
            Ok(Case::check(pg.conn().set("user", "nobody")).keep(pg))
        },
    },
    Scenario {
        name: "auth-database-missing",
        about: "no such database",
        expect: Expect::Fail("auth.database.missing"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let conn = lab.postgres()?.conn().set("dbname", "orders");
            Ok(Case::check(conn).password(lab.password()))
        },
    },
    Scenario {
        name: "auth-peer",
        about: "peer authentication, and the system user has another name",
        expect: Expect::Fail("auth.peer"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().hba("local all all peer").start()?;
            Ok(Case::check(pg.conn().set("host", pg.socket_dir().display())).keep(pg))
        },
    },
    Scenario {
        name: "auth-hba-needs-tls",
        about: "pg_hba.conf takes TLS alone, and sslmode=disable",
        expect: Expect::Fail("auth.hba.needs-tls"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().tls(lab.issue(lab.cert())?);
            let pg = pg.hba("hostssl all all all scram-sha-256").start()?;
            let conn = pg.conn().set("sslmode", "disable");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
];
