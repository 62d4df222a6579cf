//! Nothing is wrong, and dbdoctor must say so.

use crate::{Case, Conn, Expect, Need, Scenario, free_port};

/// What connects.
pub const SCENARIOS: &[Scenario] =
    &[
        Scenario::new(
            "healthy-verify-full",
            "TLS verified in full, SCRAM",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let conn = lab.postgres()?.conn().set("sslmode", "verify-full");
                let conn = conn.set("sslrootcert", lab.ca_file().display());
                Ok(Case::check(conn)
                    .password(lab.password())
                    .forbids("tls.cert.expires-soon"))
            },
        ),
        Scenario::new(
            "healthy-channel-binding",
            "channel binding required",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let conn = lab
                    .postgres()?
                    .conn()
                    .set("sslmode", "require")
                    .set("channel_binding", "require");
                Ok(Case::check(conn).password(lab.password()))
            },
        ),
        Scenario::new(
            "healthy-url",
            "a URI with the password in it, sslmode=prefer",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let conn = lab.postgres()?.conn().set("password", lab.password());
                Ok(Case::target(conn.url()))
            },
        ),
        Scenario::new(
            "healthy-plain",
            "no TLS",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let conn = lab.postgres()?.conn().set("sslmode", "disable");
                Ok(Case::check(conn).password(lab.password()))
            },
        ),
        Scenario::new(
            "healthy-socket",
            "through the unix socket",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let pg = lab.postgres()?;
                let conn = pg.conn().set("host", pg.socket_dir().display());
                Ok(Case::check(conn).password(lab.password()))
            },
        ),
        Scenario::new(
            "healthy-environment",
            "everything from PG* variables",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let pg = lab.postgres()?;
                let case = Case::new("check")
                    .password(lab.password())
                    .env("PGHOST", pg.host());
                Ok(case
                    .env("PGPORT", pg.port())
                    .env("PGUSER", "app")
                    .env("PGDATABASE", "appdb"))
            },
        ),
        Scenario::new(
            "healthy-one-host-down",
            "two hosts, the first of which refuses",
            Expect::Pass,
            &[Need::Postgres],
            |lab| {
                let pg = lab.postgres()?;
                let conn = Conn::new().set("host", "127.0.0.1,127.0.0.1");
                let conn = conn.set("port", format!("{},{}", free_port(), pg.port()));
                Ok(Case::check(conn.set("user", "app").set("dbname", "appdb"))
                    .password(lab.password()))
            },
        ),
        Scenario::new(
            "healthy-ssh",
            "through an SSH server",
            Expect::Pass,
            &[Need::Postgres, Need::Sshd],
            |lab| {
                let case = Case::check(lab.postgres()?.conn()).password(lab.password());
                Ok(case.ssh(lab.sshd()?.route()))
            },
        ),
        Scenario::new(
            "healthy-ssh-jump",
            "through two SSH servers, TLS verified in full",
            Expect::Pass,
            &[Need::Postgres, Need::Sshd],
            |lab| {
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
        ),
    ];
