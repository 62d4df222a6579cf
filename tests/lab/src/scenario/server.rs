//! Servers that take no sessions now.

use crate::{Case, Expect, Need, Oracle, Scenario};

/// The server's state.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "server-connections-full",
        about: "max_connections sessions are open",
        expect: Expect::Fail("server.connections.full"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab
                .new_postgres()
                .conf("max_connections", 4)
                .conf("superuser_reserved_connections", 0);
            let pg = pg.start()?;
            let busy = pg.sessions(4)?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .keep((busy, pg)))
        },
    },
    Scenario {
        name: "server-connections-near-limit",
        about: "28 of 30 slots are taken",
        expect: Expect::Warn("server.connections.near-limit"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().conf("max_connections", 30);
            let pg = pg.conf("superuser_reserved_connections", 0).start()?;
            let busy = pg.sessions(28)?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .keep((busy, pg)))
        },
    },
    Scenario {
        name: "server-starting",
        about: "archive recovery waits for its first file",
        expect: Expect::Fail("server.starting"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab
                .new_postgres()
                .file("recovery.signal", "")
                .conf("restore_command", "sleep 1000");
            let pg = pg.never_ready().start()?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "server-no-hot-standby",
        about: "a standby that takes no sessions",
        expect: Expect::Fail("server.no-hot-standby"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab
                .new_postgres()
                .file("standby.signal", "")
                .conf("hot_standby", "off")
                .never_ready();
            let pg = pg.start()?;
            pg.wait_for_log("consistent recovery state reached")?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "server-standby-healthy",
        about: "a hot standby, and target_session_attrs=standby",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().file("standby.signal", "").start()?;
            let conn = pg.conn().set("target_session_attrs", "standby");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "server-read-only",
        about: "a hot standby, and target_session_attrs=read-write",
        expect: Expect::Fail("server.read-only"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().file("standby.signal", "").start()?;
            let conn = pg.conn().set("target_session_attrs", "read-write");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
];
