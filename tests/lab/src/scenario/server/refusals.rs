//! What a server refuses for reasons of its own, after the password was right.

use super::*;
use crate::impostor::Client;

/// A server with a second database, which these statements of a superuser change.
fn other_database(lab: &Lab, language: Option<&str>, create: &str, then: &[&str]) -> Result<Case> {
    let server = match language {
        Some(language) => lab.new_postgres().language(language),
        None => lab.new_postgres(),
    };
    let pg = then.iter().fold(server.sql(create), |pg, sql| pg.sql(sql));
    let pg = pg.start()?;
    Ok(case(lab, pg.conn().set("dbname", "other")).keep(pg))
}

/// The database's locale is one that no machine has.
fn locale(lab: &Lab, language: Option<&str>, column: &str) -> Result<Case> {
    let set = format!("update pg_database set {column} = 'xx_XX.utf8' where datname = 'other'");
    let case = other_database(lab, language, "create database other", &[&set])?;
    Ok(case.assert(|report| {
        let text = report.to_string();
        ensure!(
            text.contains("\"locale\":\"xx_XX.utf8\""),
            "the locale is not named"
        );
        let command = report["verdict"]["fixes"][0]["command"]
            .as_str()
            .unwrap_or_default();
        let expected = "sudo localedef -i xx_XX -f UTF-8 xx_XX.utf8";
        ensure!(command == expected, "the first command is {command:?}");
        Ok(())
    }))
}

/// An end that lets everyone in and then says this.
fn after_login(
    say: impl Fn(&mut Client) -> std::io::Result<()> + Send + Sync + 'static,
) -> Result<Case> {
    let peer = impostor(move |client| {
        client.ask(impostor::OK, b"")?;
        say(client)
    })?;
    Ok(Case::check(at(&peer)).keep(peer))
}

/// The fields of an error with file and routine, as PostgreSQL sends them.
fn fields<'a>(
    code: &'a str,
    message: &'a str,
    file: &'a str,
    routine: &'a str,
) -> Vec<(char, &'a str)> {
    vec![
        ('S', "FATAL"),
        ('V', "FATAL"),
        ('C', code),
        ('M', message),
        ('F', file),
        ('L', "1"),
        ('R', routine),
    ]
}

/// The same with the line of the function that was running.
fn in_function(code: &'static str, message: &'static str, routine: &'static str) -> Result<Case> {
    after_login(move |client| {
        let mut error = fields(code, message, "x.c", routine);
        error.push(('W', "PL/pgSQL function guard() line 3 at RAISE"));
        client.error(&error)
    })
}

/// Refusals for the server's own reasons.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-locale",
        "the database's LC_COLLATE is not installed on the server",
        Expect::Fail("server.locale"),
        &[Need::Postgres],
        |lab| locale(lab, None, "datcollate"),
    ),
    Scenario::new(
        "server-locale-ctype",
        "the database's LC_CTYPE is not installed on the server",
        Expect::Fail("server.locale"),
        &[Need::Postgres],
        |lab| locale(lab, None, "datctype"),
    ),
    Scenario::new(
        "server-locale-german",
        "the same on a server that speaks German",
        Expect::Fail("server.locale"),
        &[Need::Postgres],
        |lab| locale(lab, Some("de"), "datcollate"),
    ),
    Scenario::new(
        "server-locale-icu",
        "the database's ICU locale cannot be opened",
        Expect::Fail("server.locale"),
        &[Need::Postgres],
        |lab| {
            let bad = "x".repeat(200);
            let set = format!(
                "update pg_database set datlocprovider = 'i', daticulocale = '{bad}' \
                 where datname = 'other'"
            );
            let case = other_database(lab, None, "create database other", &[&set])?;
            Ok(case.assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(
                    fixes.contains("ICU") && !fixes.contains("localedef"),
                    "ICU does not use localedef: {fixes}"
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "server-binary-upgrade",
        "the server runs for pg_upgrade, and the role is no superuser",
        Expect::Fail("server.binary-upgrade"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().arg("-b").start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-binary-upgrade-french",
        "the same on a server that speaks French",
        Expect::Fail("server.binary-upgrade"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().language("fr").arg("-b").start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-binary-upgrade-superuser",
        "the same, and a superuser",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().sql("alter role app superuser");
            let pg = pg.arg("-b").start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-damaged-tablespace",
        "the directory of the database's tablespace is gone",
        Expect::Fail("server.damaged"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().conf("allow_in_place_tablespaces", "on");
            let pg = pg.sql("create tablespace elsewhere location ''");
            let pg = pg
                .sql("create database other tablespace elsewhere")
                .start()?;
            let oid = pg.sql("select oid from pg_tablespace where spcname = 'elsewhere'")?;
            let directory = pg.data_dir().join("pg_tblspc").join(oid.trim());
            std::fs::rename(&directory, directory.with_extension("away"))?;
            Ok(case(lab, pg.conn().set("dbname", "other")).keep(pg))
        },
    ),
    Scenario::new(
        "server-login-trigger",
        "an event trigger on login raises an exception",
        Expect::Fail("server.login-trigger"),
        &[],
        |_| in_function("P0001", "no logins after ten", "exec_stmt_raise"),
    ),
    Scenario::new(
        "server-login-trigger-denied",
        "an event trigger on login writes to a table that the role may not write to",
        Expect::Fail("server.login-trigger"),
        &[],
        |_| {
            in_function(
                "42501",
                "permission denied for table audit",
                "aclcheck_error",
            )
        },
    ),
    Scenario::new(
        "server-login-trigger-standby",
        "an event trigger on login writes, and the server is a standby",
        Expect::Fail("server.login-trigger"),
        &[],
        |_| {
            let message = "cannot execute INSERT in a read-only transaction";
            in_function("25006", message, "PreventCommandIfReadOnly")
        },
    ),
    Scenario::new(
        "server-terminated-in-function",
        "the session is ended while an event trigger on login runs",
        Expect::Fail("idle.terminated"),
        &[],
        |_| {
            let message = "terminating connection due to administrator command";
            let case = in_function("57P01", message, "ProcessInterrupts")?;
            Ok(case.forbids("server.login-trigger"))
        },
    ),
    Scenario::new(
        "server-recovery-conflict",
        "a standby cancels the login, for its replay waits",
        Expect::Fail("server.recovery-conflict"),
        &[],
        |_| {
            after_login(|client| {
                client.error(&fields(
                    "40001",
                    "canceling statement due to conflict with recovery",
                    "postgres.c",
                    "ProcessInterrupts",
                ))
            })
        },
    ),
    Scenario::new(
        "server-internal",
        "the server's code rules out what it found",
        Expect::Fail("server.internal"),
        &[],
        |_| {
            after_login(|client| {
                let message = "cache lookup failed for database 5";
                client.error(&fields("XX000", message, "postinit.c", "CheckMyDatabase"))
            })
        },
    ),
    Scenario::new(
        "server-lock-timeout",
        "the login waited for a lock for longer than lock_timeout",
        Expect::Fail("server.timeout"),
        &[],
        |_| {
            after_login(|client| {
                let message = "canceling statement due to lock timeout";
                client.error(&fields("55P03", message, "postgres.c", "ProcessInterrupts"))
            })
        },
    ),
    Scenario::new(
        "protocol-altered",
        "the server finds the start-up message malformed",
        Expect::Fail("protocol.altered"),
        &[],
        |_| {
            let peer = impostor(|client| {
                let message = "invalid startup packet layout: expected terminator as last byte";
                client.error(&fields(
                    "08P01",
                    message,
                    "postmaster.c",
                    "ProcessStartupPacket",
                ))
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "protocol-altered-password",
        "something else than the password's message arrives at the server",
        Expect::Fail("protocol.altered"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive()?;
                let message = "expected password response, got message type 80";
                client.error(&fields("08P01", message, "auth.c", "recv_password_packet"))
            })?;
            Ok(case(lab, at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "auth-oauth",
        "the server's validator rejects the token that a proxy sent",
        Expect::Fail("auth.oauth"),
        &[],
        |_| {
            let peer = impostor(|client| {
                let message = "OAuth bearer authentication failed for user \"app\"";
                client.error(&fields("28000", message, "auth.c", "auth_failed"))
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "auth-bsd",
        "OpenBSD rejects the password of the system account",
        Expect::Fail("auth.bsd"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive()?;
                let message = "BSD authentication failed for user \"app\"";
                client.error(&fields("28000", message, "auth.c", "auth_failed"))
            })?;
            Ok(case(lab, at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "server-segment",
        "a segment of a Cloudberry cluster",
        Expect::Fail("server.segment"),
        &[],
        |_| {
            after_login(|client| {
                let message = "connections to primary segments are not allowed";
                let mut error = fields("57P03", message, "postinit.c", "InitPostgres");
                error.push((
                    'D',
                    "This database instance is running as a primary segment in a Cloudberry \
                     cluster and does not permit direct connections.",
                ));
                client.error(&error)
            })
        },
    ),
    Scenario::new(
        "server-maintenance",
        "a Greenplum cluster in maintenance mode",
        Expect::Fail("server.maintenance"),
        &[],
        |_| {
            after_login(|client| {
                let message = "maintenance mode: connected by superuser only";
                client.error(&fields("42501", message, "postinit.c", "InitPostgres"))
            })
        },
    ),
    Scenario::new(
        "auth-role-locked",
        "the role's account is locked by its profile",
        Expect::Fail("auth.role.locked"),
        &[],
        |_| {
            after_login(|client| {
                let message = "Can't login in role \"app\", the account is locking.";
                client.error(&fields("28000", message, "postinit.c", "InitPostgres"))
            })
        },
    ),
];
