//! Poolers and proxies in between.

use crate::{Case, Expect, HaProxy, Need, Oracle, Scenario, free_port};

/// Poolers.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "pooler-healthy",
        about: "through PgBouncer",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::PgBouncer],
        setup: |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .start()?;
            Ok(Case::check(bouncer.conn())
                .password(lab.password())
                .keep(bouncer))
        },
    },
    Scenario {
        name: "pooler-database",
        about: "PgBouncer does not know the database",
        expect: Expect::Fail("pooler.database"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::PgBouncer],
        setup: |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .start()?;
            let conn = bouncer.conn().set("dbname", "orders");
            Ok(Case::check(conn).password(lab.password()).keep(bouncer))
        },
    },
    Scenario {
        name: "pooler-haproxy-healthy",
        about: "through HAProxy",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::HaProxy],
        setup: |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "")?;
            let conn = pg.conn().set("port", proxy.port());
            Ok(Case::check(conn).password(lab.password()).keep(proxy))
        },
    },
    Scenario {
        name: "pooler-haproxy-backend-down",
        about: "HAProxy accepts, and its backend refuses",
        expect: Expect::Fail("protocol.closed"),
        oracle: Oracle::Psql,
        needs: &[Need::HaProxy],
        setup: |lab| {
            let proxy = HaProxy::tcp(lab, &format!("127.0.0.1:{}", free_port()), "retries 0")?;
            let conn = crate::Conn::new()
                .set("host", "127.0.0.1")
                .set("port", proxy.port());
            Ok(Case::check(conn.set("user", "app")).keep(proxy))
        },
    },
];
