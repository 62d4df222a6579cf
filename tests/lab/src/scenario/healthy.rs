//! Nothing is wrong, and dbdoctor must say so.

use crate::{Case, Conn, Expect, Need, Oracle, Scenario, free_port};

/// What connects.
pub const SCENARIOS: &[Scenario] =
    &[
        Scenario {
            name: "healthy-verify-full",
            about: "TLS verified in full, SCRAM",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let conn = lab.postgres()?.conn().set("sslmode", "verify-full");
                let conn = conn.set("sslrootcert", lab.ca_file().display());
                Ok(Case::check(conn)
                    .password(lab.password())
                    .forbids("tls.cert.expires-soon"))
            },
        },
        Scenario {
            name: "healthy-channel-binding",
            about: "channel binding required",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let conn = lab
                    .postgres()?
                    .conn()
                    .set("sslmode", "require")
                    .set("channel_binding", "require");
                Ok(Case::check(conn).password(lab.password()))
            },
        },
        Scenario {
            name: "healthy-url",
            about: "a URI with the password in it, sslmode=prefer",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let conn = lab.postgres()?.conn().set("password", lab.password());
                Ok(Case::target(conn.url()))
            },
        },
        Scenario {
            name: "healthy-plain",
            about: "no TLS",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let conn = lab.postgres()?.conn().set("sslmode", "disable");
                Ok(Case::check(conn).password(lab.password()))
            },
        },
        Scenario {
            name: "healthy-socket",
            about: "through the unix socket",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let pg = lab.postgres()?;
                let conn = pg.conn().set("host", pg.socket_dir().display());
                Ok(Case::check(conn).password(lab.password()))
            },
        },
        Scenario {
            name: "healthy-environment",
            about: "everything from PG* variables",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let pg = lab.postgres()?;
                let case = Case::new("check")
                    .password(lab.password())
                    .env("PGHOST", pg.host());
                Ok(case
                    .env("PGPORT", pg.port())
                    .env("PGUSER", "app")
                    .env("PGDATABASE", "appdb"))
            },
        },
        Scenario {
            name: "healthy-one-host-down",
            about: "two hosts, the first of which refuses",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres],
            setup: |lab| {
                let pg = lab.postgres()?;
                let conn = Conn::new().set("host", "127.0.0.1,127.0.0.1");
                let conn = conn.set("port", format!("{},{}", free_port(), pg.port()));
                Ok(Case::check(conn.set("user", "app").set("dbname", "appdb"))
                    .password(lab.password()))
            },
        },
        Scenario {
            name: "healthy-ssh",
            about: "through an SSH server",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres, Need::Sshd],
            setup: |lab| {
                let case = Case::check(lab.postgres()?.conn()).password(lab.password());
                Ok(case.ssh(lab.sshd()?.route()))
            },
        },
        Scenario {
            name: "healthy-ssh-jump",
            about: "through two SSH servers, TLS verified in full",
            expect: Expect::Pass,
            oracle: Oracle::Psql,
            needs: &[Need::Postgres, Need::Sshd],
            setup: |lab| {
                let conn = lab.postgres()?.conn().set("sslmode", "verify-full");
                let conn = conn.set("sslrootcert", lab.ca_file().display());
                let (first, second) = (lab.sshd()?, lab.new_sshd().start()?);
                let mut known = std::fs::read_to_string(first.known_hosts())?;
                known += &std::fs::read_to_string(second.known_hosts())?;
                let route = first.route().then(&second.destination());
                let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
                Ok(Case::check(conn)
                    .password(lab.password())
                    .ssh(route)
                    .keep(second))
            },
        },
    ];
