//! What the server says, in its own words and in other languages.

use super::*;

/// Whether a fix of the verdict has this line for pg_hba.conf.
fn adds(report: &Value, line: &str) -> Result<()> {
    let fixes = report["verdict"]["fixes"].to_string();
    ensure!(fixes.contains(line), "no fix has {line:?}: {fixes}");
    Ok(())
}

/// Faults whose error texts depend on the server's language: one list for each language.
macro_rules! spoken {
    ($suffix:literal, $language:expr) => {
        &[
            Scenario::new(
                concat!("auth-password-wrong", $suffix),
                "the password is another one",
                Expect::Fail("auth.password.wrong"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    Ok(Case::check(pg.conn()).password("wr0ng-canary").keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-password-role-missing", $suffix),
                "a password is asked for, and there is no such role",
                Expect::Fail("auth.password.wrong"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("user", "nobody");
                    Ok(Case::check(conn).password("wr0ng-canary").keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-password-expired", $suffix),
                "the right password, after its VALID UNTIL",
                Expect::Fail("auth.password.wrong"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .sql("alter role app valid until '2020-01-01'")
                        .start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-hba-no-entry", $suffix),
                "no line for this host in pg_hba.conf",
                Expect::Fail("auth.hba.no-entry"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all all 192.0.2.0/24 scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("sslmode", "disable");
                    let case = Case::check(conn).password(lab.password()).keep(pg);
                    Ok(case.assert(|report| adds(report, "host appdb app 127.0.0.1/32")))
                },
            ),
            Scenario::new(
                concat!("auth-hba-no-entry-tls", $suffix),
                "no line for this host in pg_hba.conf, with TLS or without",
                Expect::Fail("auth.hba.no-entry"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .hba("host all all 192.0.2.0/24 scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("sslmode", "require");
                    let case = Case::check(conn).password(lab.password()).keep(pg);
                    Ok(case.assert(|report| adds(report, "hostssl appdb app 127.0.0.1/32")))
                },
            ),
            Scenario::new(
                concat!("auth-hba-no-entry-replication", $suffix),
                "no line for replication in pg_hba.conf",
                Expect::Fail("auth.hba.no-entry"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all all all scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("replication", "true");
                    let case = Case::check(conn).password(lab.password()).keep(pg);
                    Ok(case.assert(|report| adds(report, "host replication app 127.0.0.1/32")))
                },
            ),
            Scenario::new(
                concat!("auth-hba-no-entry-socket", $suffix),
                "no line for the unix socket in pg_hba.conf",
                Expect::Fail("auth.hba.no-entry"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all all all scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("host", pg.socket_dir().display());
                    let case = Case::check(conn).password(lab.password()).keep(pg);
                    Ok(case.assert(|report| adds(report, "local appdb app scram-sha-256")))
                },
            ),
            Scenario::new(
                concat!("auth-hba-reject", $suffix),
                "pg_hba.conf rejects this role",
                Expect::Fail("auth.hba.reject"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all app all reject")
                        .hba("host all all all scram-sha-256")
                        .start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-hba-needs-tls", $suffix),
                "pg_hba.conf takes TLS alone, and sslmode=disable",
                Expect::Fail("auth.hba.needs-tls"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .hba("hostssl all all all scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("sslmode", "disable");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-hba-needs-tls-reject", $suffix),
                "pg_hba.conf rejects what is not encrypted, and sslmode=disable",
                Expect::Fail("auth.hba.needs-tls"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .hba("hostnossl all all all reject")
                        .hba("host all all all scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("sslmode", "disable");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-hba-needs-plain", $suffix),
                "pg_hba.conf takes no TLS, and sslmode=require",
                Expect::Fail("auth.hba.needs-plain"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .hba("hostnossl all all all scram-sha-256")
                        .start()?;
                    let conn = pg.conn().set("sslmode", "require");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-role-missing", $suffix),
                "no such role, and no password is asked for",
                Expect::Fail("auth.role.missing"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all all all trust")
                        .start()?;
                    Ok(Case::check(pg.conn().set("user", "nobody")).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-role-nologin", $suffix),
                "a group role, and no password is asked for",
                Expect::Fail("auth.role.nologin"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language).hba("host all all all trust");
                    let pg = pg.sql("create role staff").start()?;
                    Ok(Case::check(pg.conn().set("user", "staff")).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-role-nologin-password", $suffix),
                "a role without LOGIN, and its right password",
                Expect::Fail("auth.role.nologin"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .sql("alter role app nologin")
                        .start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-role-replication", $suffix),
                "replication without the attribute",
                Expect::Fail("auth.role.replication"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("replication", "true");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-database-missing", $suffix),
                "no such database",
                Expect::Fail("auth.database.missing"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("dbname", "orders");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-database-denied", $suffix),
                "no CONNECT privilege",
                Expect::Fail("auth.database.denied"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .sql("revoke connect on database postgres from public")
                        .start()?;
                    let conn = pg.conn().set("dbname", "postgres");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-database-closed", $suffix),
                "a database that takes no connections",
                Expect::Fail("auth.database.closed"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("dbname", "template0");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-peer", $suffix),
                "peer authentication, and the system user has another name",
                Expect::Fail("auth.peer"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language).hba("local all all peer").start()?;
                    Ok(Case::check(pg.conn().set("host", pg.socket_dir().display())).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-ident", $suffix),
                "ident authentication, and nobody answers on port 113",
                Expect::Fail("auth.ident"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all all all ident")
                        .start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-cert", $suffix),
                "the client certificate is another role's",
                Expect::Fail("auth.cert"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .conf("ssl_ca_file", lab.ca_file().display())
                        .hba("hostssl all all all cert")
                        .start()?;
                    let conn = with_certificate(lab, pg.conn(), "mallory")?;
                    Ok(Case::check(conn).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-cert-and-password", $suffix),
                "the right password, and the client certificate is another role's",
                Expect::Fail("auth.cert"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .conf("ssl_ca_file", lab.ca_file().display())
                        .hba("hostssl all all all scram-sha-256 clientcert=verify-full")
                        .start()?;
                    let conn = with_certificate(lab, pg.conn(), "mallory")?;
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-cert-missing", $suffix),
                "a client certificate is demanded, and there is none",
                Expect::Fail("tls.client.required"),
                &[Need::Postgres],
                |lab| {
                    let pg = with_tls(lab, $language)?
                        .conf("ssl_ca_file", lab.ca_file().display())
                        .hba("hostssl all all all scram-sha-256 clientcert=verify-ca")
                        .start()?;
                    let conn = pg.conn().set("sslmode", "require");
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-pam", $suffix),
                "PAM refuses",
                Expect::Fail("auth.pam"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .hba("host all all all pam pamservice=dbdoctor-lab")
                        .start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-ldap", $suffix),
                "the LDAP server refuses the connection",
                Expect::Fail("auth.ldap"),
                &[Need::Postgres],
                |lab| {
                    let port = free_port();
                    let line = format!(
                        "host all all all ldap ldapserver=127.0.0.1 ldapport={port} \
                         ldapprefix=\"cn=\" ldapsuffix=\", dc=lab\""
                    );
                    let pg = speaks(lab, $language).hba(&line).start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-radius", $suffix),
                "the RADIUS server refuses the connection",
                Expect::Fail("auth.radius"),
                &[Need::Postgres],
                |lab| {
                    let port = free_port();
                    let line = format!(
                        "host all all all radius radiusservers=127.0.0.1 radiusports={port} \
                         radiussecrets=secret"
                    );
                    let pg = speaks(lab, $language).hba(&line).start()?;
                    let conn = pg.conn().set("connect_timeout", 10);
                    Ok(Case::check(conn).password(lab.password()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("auth-gss", $suffix),
                "Kerberos is demanded",
                Expect::Fail("auth.gss"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language).hba("host all all all gss").start()?;
                    Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
                },
            ),
        ]
    };
}

/// In English.
pub const SPOKEN: &[Scenario] = spoken!("", None);
/// In German.
pub const GERMAN: &[Scenario] = spoken!("-de", Some("de"));
/// In French.
pub const FRENCH: &[Scenario] = spoken!("-fr", Some("fr"));
