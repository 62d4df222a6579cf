//! States whose fixes are pasted commands.

use super::*;

/// States whose fixes are pasted commands.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-option-of-role",
        "a setting with a bad value, which is set for the role as well",
        Expect::Fail("server.option"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres();
            let pg = pg
                .sql("alter role app set statement_timeout = '7s'")
                .start()?;
            let conn = pg.conn().set("options", "-c statement_timeout=soon");
            Ok(case(lab, conn).keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-particular",
        "a standby, target_session_attrs=read-write, and a target that needs all of its settings",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().tls(lab.issue(lab.cert())?);
            let pg = pg.hba("hostssl all all all scram-sha-256");
            let pg = pg.file("standby.signal", "").start()?;
            let conn = pg
                .conn()
                .set("host", "db.test")
                .set("hostaddr", "127.0.0.1")
                .set("sslmode", "verify-full")
                .set("sslrootcert", lab.ca_file().display());
            Ok(case(lab, conn.set("target_session_attrs", "read-write")).keep(pg))
        },
    ),
];
