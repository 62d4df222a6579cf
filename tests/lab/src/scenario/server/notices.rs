//! What a server says beside letting the client in.

use super::*;
use crate::scenario::findings;

/// The notices of a stage.
fn notices<'a>(report: &'a Value, stage: &str) -> Result<&'a Vec<Value>> {
    let stages = report["stages"].as_array().context("no stages")?;
    let stage = stages.iter().find(|one| one["stage"] == stage);
    let facts = &stage.context("no such stage")?["facts"];
    facts["notice_fields"].as_array().context("no notices")
}

/// Whether the verdict's first fix has this command.
fn first_command(report: &Value, expected: &str) -> Result<()> {
    let command = report["verdict"]["fixes"][0]["command"].as_str();
    let command = command.unwrap_or_default();
    ensure!(
        command.starts_with(expected),
        "the first command is {command:?}"
    );
    Ok(())
}

/// A database that was created with this version of its collation.
fn collation(lab: &Lab, language: Option<&str>, create: &str) -> Result<Case> {
    let server = match language {
        Some(language) => lab.new_postgres().language(language),
        None => lab.new_postgres(),
    };
    let old = "update pg_database set datcollversion = '2.28' where datname = 'other'";
    let pg = server.sql(create).sql(old).start()?;
    Ok(case(lab, pg.conn().set("dbname", "other")).keep(pg))
}

/// ICU's collations have versions on every machine.
const ICU: &str = "create database other template template0 locale_provider icu icu_locale 'en'";

/// A setting of the role that cannot be applied any more.
fn role_setting(lab: &Lab, sql: &[&str], parameter: &'static str) -> Result<Case> {
    let pg = sql.iter().fold(lab.new_postgres(), |pg, sql| pg.sql(sql));
    let pg = pg.start()?;
    let as_superuser = format!(
        "psql 'host=127.0.0.1 port={} dbname=postgres user=postgres' -c '\\drds'",
        pg.port()
    );
    let case = case(lab, pg.conn()).keep(pg);
    Ok(case.assert(move |report| {
        let named = format!("\"parameter\":\"{parameter}\"");
        ensure!(
            report.to_string().contains(&named),
            "{parameter} is not named"
        );
        first_command(report, &as_superuser)
    }))
}

/// A notice with file and routine.
pub(super) fn fields<'a>(
    severity: &'a str,
    code: &'a str,
    message: &'a str,
) -> [(char, &'a str); 8] {
    [
        ('S', severity),
        ('V', severity),
        ('C', code),
        ('M', message),
        ('H', "Tell the operator."),
        ('F', "pl_exec.c"),
        ('L', "3923"),
        ('R', "exec_stmt_raise"),
    ]
}

/// Notices of a login.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-collation",
        "the database was built with another version of its collation",
        Expect::Warn("server.collation"),
        &[Need::Postgres],
        |lab| {
            Ok(collation(lab, None, ICU)?.assert(|report| {
                let notice = &notices(report, "auth")?[0];
                ensure!(notice["severity"] == "WARNING" && notice["sqlstate"] == "01000");
                ensure!(
                    notice["detail"]
                        .as_str()
                        .is_some_and(|text| text.contains("2.28"))
                );
                ensure!(notice["hint"].is_string(), "no hint");
                first_command(report, "reindexdb -U postgres -d other && ")
            }))
        },
    ),
    Scenario::new(
        "server-collation-german",
        "the same on a server that speaks German",
        Expect::Warn("server.collation"),
        &[Need::Postgres],
        |lab| {
            Ok(collation(lab, Some("de"), ICU)?
                .assert(|report| first_command(report, "reindexdb -U postgres -d other && ")))
        },
    ),
    Scenario::new(
        "server-collation-unknown",
        "a version was recorded, and the library has none for this locale",
        Expect::Warn("server.collation"),
        &[Need::Postgres],
        |lab| {
            Ok(
                collation(lab, None, "create database other")?.assert(|report| {
                    first_command(report, "reindexdb -U postgres -e -d other")?;
                    let fixes = report["verdict"]["fixes"].to_string();
                    ensure!(
                        !fixes.contains("refresh"),
                        "there is nothing to refresh to: {fixes}"
                    );
                    Ok(())
                }),
            )
        },
    ),
    Scenario::new(
        "server-setting-invalid",
        "a setting of the role names a search configuration that does not exist",
        Expect::Warn("server.setting.invalid"),
        &[Need::Postgres],
        |lab| {
            let set = "alter role app set default_text_search_config = 'gone'";
            role_setting(lab, &[set], "default_text_search_config")
        },
    ),
    Scenario::new(
        "server-setting-invalid-database",
        "a setting of the database names a tablespace that does not exist",
        Expect::Warn("server.setting.invalid"),
        &[Need::Postgres],
        |lab| {
            let set = "alter database appdb set default_tablespace = 'gone'";
            role_setting(lab, &[set], "default_tablespace")
        },
    ),
    Scenario::new(
        "server-setting-valid",
        "a setting of the role that can be applied",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let set = "alter role app set default_text_search_config = 'simple'";
            let pg = lab.new_postgres().sql(set).start()?;
            let case = case(lab, pg.conn()).keep(pg);
            Ok(case
                .forbids("server.setting.invalid")
                .forbids("server.notice"))
        },
    ),
    Scenario::new(
        "server-notice",
        "a function that runs at login warns, once in two copies",
        Expect::Warn("server.notice"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                let text = "maintenance at \x1b[31mten\x1b[0m";
                client.notice(&fields("WARNING", "01000", text))?;
                client.notice(&fields("WARNING", "01000", text))?;
                client.serve()
            })?;
            Ok(Case::check(at(&peer)).keep(peer).assert(|report| {
                let found = notices(report, "auth")?;
                ensure!(found.len() == 2, "{} notices", found.len());
                let text = report.to_string();
                ensure!(!text.contains("\\u001b"), "an escape sequence is kept");
                let warned = findings(report).filter(|one| one["cause"] == "server.notice");
                ensure!(warned.count() == 1, "it is not told once");
                let advice = report["verdict"]["fixes"][0]["text"].as_str();
                ensure!(advice.unwrap_or_default().contains("Tell the operator."));
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "server-notice-mere",
        "a function that runs at login says what is no warning",
        Expect::Pass,
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                for severity in ["NOTICE", "INFO", "LOG"] {
                    client.notice(&fields(severity, "00000", "welcome"))?;
                }
                client.serve()
            })?;
            let case = Case::check(at(&peer)).keep(peer).forbids("server.notice");
            Ok(case.assert(|report| {
                let found = notices(report, "auth")?;
                ensure!(found.len() == 3, "{} notices", found.len());
                ensure!(found[0]["severity"] == "NOTICE" && found[0]["message"] == "welcome");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "server-notice-endless",
        "a hundred warnings at login, all of them different",
        Expect::Warn("server.notice"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                for n in 0..100 {
                    let text = format!("warning {n} {}", "x".repeat(9000));
                    client.notice(&fields("WARNING", "01000", &text))?;
                }
                client.serve()
            })?;
            Ok(Case::check(at(&peer)).keep(peer).assert(|report| {
                ensure!(
                    notices(report, "auth")?.len() == 16,
                    "not the first 16 of them"
                );
                let length = report.to_string().len();
                ensure!(length < 120_000, "the report has {length} bytes");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "server-notice-query",
        "a warning in the answer to a query",
        Expect::Warn("server.notice"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                while let Ok((b'Q', _)) = client.receive() {
                    client.notice(&fields("WARNING", "01000", "the plan is old"))?;
                    client.send(
                        b'T',
                        b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0",
                    )?;
                    client.send(b'D', b"\0\x01\0\0\0\x011")?;
                    client.send(b'C', b"SELECT 1\0")?;
                    client.send(b'Z', b"I")?;
                }
                Ok(())
            })?;
            Ok(Case::check(at(&peer)).keep(peer).assert(|report| {
                let notice = &notices(report, "server")?[0];
                ensure!(notice["message"] == "the plan is old", "{notice}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "server-notice-before-refusal",
        "a function warns, and the login is refused",
        Expect::Fail("server.internal"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.notice(&fields("WARNING", "01000", "something is odd"))?;
                let error = fields("FATAL", "XX000", "cache lookup failed for database 5");
                client.error(&error)
            })?;
            Ok(Case::check(at(&peer)).keep(peer).warns("server.notice"))
        },
    ),
];
