//! Primaries whose sessions a setting makes read-only, and who may write at all.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{answered, both, case, facts, standby};
use crate::{Case, Expect, Lab, Need, Oracle, Postgres, Scenario, finding};

const DRIVER: Oracle = Oracle::None("a driver's spelling, which psql does not read");
const NO_GUARDS: Oracle = Oracle::None("psql has no guards");

/// A primary after this SQL.
fn after(lab: &Lab, sql: &str) -> Result<Postgres> {
    lab.new_postgres().sql(sql).start()
}

/// The setting is found with this source, and the first fix holds these words, in its
/// text or its command.
fn set(source: &'static str, words: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let finding = finding(report, "server.read-only.setting")?;
        ensure!(finding["evidence"]["source"] == source, "{finding}");
        first_fix(finding, words)
    }
}

fn first_fix(finding: &Value, words: &str) -> Result<()> {
    let fixes = finding["fixes"].as_array().context("no fixes")?;
    ensure!(fixes.len() <= 4, "{} fixes", fixes.len());
    let first = fixes.first().context("no fix")?.to_string();
    ensure!(first.contains(words), "{first}");
    Ok(())
}

/// The first fix of the verdict.
fn fixed_by(words: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| first_fix(&report["verdict"], words)
}

/// A case of a driver's URL with both servers in this order.
fn jdbc(lab: &Lab, servers: &[&Postgres], kind: &str) -> Case {
    let hosts: Vec<String> = servers.iter().map(|pg| pg.addr()).collect();
    let url = format!(
        "jdbc:postgresql://{}/appdb?targetServerType={kind}&user=app&password={}",
        hosts.join(","),
        lab.password()
    );
    // pgjdbc does not read PGPASSWORD; psql, which is asked too, does.
    Case::target(url)
        .password(lab.password())
        .secret(lab.password())
}

/// What the `server` stage says of a session in a sentence.
fn summary(report: &Value) -> Result<&str> {
    let stages = report["stages"].as_array().context("no stages")?;
    let server = stages.iter().find(|stage| stage["stage"] == "server");
    let server = server.context("no stage server")?;
    server["summary"].as_str().context("no summary")
}

/// Sessions that cannot write.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-read-only-setting-database",
        "ALTER DATABASE made the sessions of a primary read-only",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let sql = "alter database appdb set default_transaction_read_only = on";
            let pg = after(lab, sql)?;
            Ok(case(lab, pg.conn())
                .assert(set("database", "alter database"))
                .assert(|report| {
                    let facts = facts(report)?;
                    ensure!(facts["role"] == "primary", "{facts}");
                    ensure!(facts["system_identifier"].is_string(), "{facts}");
                    Ok(())
                })
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-role",
        "ALTER ROLE did it, and --expect-role primary is met",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let pg = after(lab, "alter role app set default_transaction_read_only = on")?;
            Ok(case(lab, pg.conn())
                .args(&["--expect-role", "primary"])
                .assert(set("user", "alter role"))
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-role-in-database",
        "ALTER ROLE … IN DATABASE did it",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let sql = "alter role app in database appdb set default_transaction_read_only = on";
            let pg = after(lab, sql)?;
            Ok(case(lab, pg.conn())
                .assert(set("database user", "in database"))
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-all-roles",
        "ALTER ROLE ALL did it, which holds for the superuser too",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let pg = after(lab, "alter role all set default_transaction_read_only = on")?;
            Ok(case(lab, pg.conn())
                .assert(set("global", "alter role all"))
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-system",
        "the server's configuration did it, as a provider's guard against a full disk does",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("default_transaction_read_only", "on")
                .start()?;
            Ok(case(lab, pg.conn())
                .assert(set("configuration file", "alter system reset"))
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-file",
        "a superuser is shown the file and the line",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("default_transaction_read_only", "on")
                .sql("begin read write; alter role app superuser; commit")
                .start()?;
            Ok(case(lab, pg.conn())
                .assert(|report| {
                    let finding = finding(report, "server.read-only.setting")?;
                    let evidence = &finding["evidence"];
                    let file = evidence["file"].as_str().context("no file")?;
                    ensure!(file.ends_with("postgresql.auto.conf"), "{file}");
                    ensure!(evidence["line"].is_string(), "{evidence}");
                    let summary = finding["summary"].as_str().context("no summary")?;
                    ensure!(summary.contains(file), "{summary}");
                    Ok(())
                })
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-options",
        "the target's own options did it",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let options = "-c default_transaction_read_only=on";
            Ok(case(lab, conn.set("options", options))
                .assert(set("client", "from options in TARGET")))
        },
    ),
    Scenario::new(
        "server-read-only-setting-pgoptions",
        "PGOPTIONS did it",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            Ok(case(lab, lab.postgres()?.conn())
                .env("PGOPTIONS", "-c default_transaction_read_only=on")
                .assert(set("client", "from options in PGOPTIONS")))
        },
    ),
    Scenario::new(
        "server-read-only-setting-options-wanted",
        "the target's own options keep it from what it wants",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let conn = conn.set("options", "-c default_transaction_read_only=on");
            Ok(case(lab, conn.set("target_session_attrs", "read-write"))
                .assert(fixed_by("from options in TARGET")))
        },
    ),
    Scenario::new(
        "server-read-only-setting-pooler",
        "a pooler's connect_query did it",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let target = format!(
                "host={} port={} dbname=appdb connect_query='set default_transaction_read_only = on'",
                pg.host(),
                pg.port()
            );
            let bouncer = lab.new_pgbouncer().database("appdb", target).start()?;
            Ok(case(lab, bouncer.conn())
                .assert(set("session", "connect_query"))
                .keep(bouncer))
        },
    ),
    Scenario::new(
        "server-read-only-setting-healthy",
        "the role's sessions are read-only, and the target's options say otherwise",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = after(lab, "alter role app set default_transaction_read_only = on")?;
            let options = "-c default_transaction_read_only=off";
            Ok(case(lab, pg.conn().set("options", options))
                .arg("--expect-writable")
                .keep(pg))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "server-read-only-setting-reads",
        "the same setting, and a target that only reads",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = after(lab, "alter role app set default_transaction_read_only = on")?;
            Ok(case(lab, pg.conn().set("target_session_attrs", "read-only")).keep(pg))
        },
    ),
    Scenario::new(
        "server-read-only-setting-wanted",
        "ALTER DATABASE did it, and target_session_attrs=read-write: no other member helps",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let sql = "alter database appdb set default_transaction_read_only = on";
            let pg = after(lab, sql)?;
            Ok(
                case(lab, pg.conn().set("target_session_attrs", "read-write"))
                    .assert(fixed_by("alter database"))
                    .assert(|report| {
                        let fixes = report["verdict"]["fixes"].to_string();
                        ensure!(!fixes.contains("every member"), "{fixes}");
                        Ok(())
                    })
                    .keep(pg),
            )
        },
    ),
    Scenario::new(
        "server-read-only-setting-second",
        "a standby, and the primary that a setting makes read-only",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let sql = "alter database appdb set default_transaction_read_only = on";
            let (one, two) = (standby(lab)?, after(lab, sql)?);
            Ok(both(lab, &one, &two, "read-write")
                .assert(fixed_by("alter database"))
                .keep((one, two)))
        },
    ),
    Scenario::new(
        "server-read-only-standby-first-fix",
        "a standby, and --expect-role primary: the way to the primary is the first fix",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres],
        |lab| {
            let pg = standby(lab)?;
            Ok(case(lab, pg.conn())
                .args(&["--expect-role", "primary"])
                .assert(fixed_by("read-write address"))
                .keep(pg))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "server-standby-unasked",
        "a standby, and nothing says which role is wanted: the settings that do are named",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = standby(lab)?;
            Ok(case(lab, pg.conn())
                .assert(|report| {
                    let summary = summary(report)?;
                    for setting in ["target_session_attrs=read-write", "--expect-role primary"] {
                        ensure!(summary.contains(setting), "{summary}");
                    }
                    Ok(())
                })
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-standby-asked",
        "a standby, and --expect-role standby: nothing is to be said",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = standby(lab)?;
            Ok(case(lab, pg.conn())
                .args(&["--expect-role", "standby"])
                .assert(|report| {
                    let summary = summary(report)?;
                    ensure!(!summary.contains("target_session_attrs"), "{summary}");
                    Ok(())
                })
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-identifier-denied",
        "pg_control_system() is taken away: everything else is known, and nothing is wrong",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = after(
                lab,
                "revoke execute on function pg_control_system() from public",
            )?;
            Ok(case(lab, pg.conn())
                .arg("--expect-writable")
                .assert(|report| {
                    let facts = facts(report)?;
                    ensure!(facts["system_identifier"].is_null(), "{facts}");
                    ensure!(facts["facts_error"].is_null(), "{facts}");
                    ensure!(facts["started_at"].is_string(), "{facts}");
                    Ok(())
                })
                .keep(pg))
        },
    )
    .oracle(NO_GUARDS),
    Scenario::new(
        "server-jdbc-primary",
        "pgjdbc's targetServerType=primary: a standby first, then the primary",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let (one, two) = (standby(lab)?, lab.new_postgres().start()?);
            Ok(jdbc(lab, &[&one, &two], "primary")
                .assert(answered(two.port()))
                .keep((one, two)))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-primary-missing",
        "pgjdbc's targetServerType=primary, and a standby alone",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let pg = standby(lab)?;
            Ok(jdbc(lab, &[&pg], "primary")
                .assert(|report| {
                    let summary = report["verdict"]["summary"].to_string();
                    ensure!(summary.contains("targetServerType=primary"), "{summary}");
                    Ok(())
                })
                .keep(pg))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-primary-setting",
        "pgjdbc takes a primary with read-only sessions for a secondary",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let pg = after(lab, "alter role app set default_transaction_read_only = on")?;
            Ok(jdbc(lab, &[&pg], "master")
                .assert(fixed_by("alter role"))
                .keep(pg))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-secondary",
        "pgjdbc's targetServerType=secondary, and a primary alone",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            Ok(jdbc(lab, &[&pg], "secondary").keep(pg))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-prefer-secondary",
        "pgjdbc's targetServerType=preferSecondary: a primary, then a standby",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let (one, two) = (lab.new_postgres().start()?, standby(lab)?);
            Ok(jdbc(lab, &[&one, &two], "preferSecondary")
                .assert(answered(two.port()))
                .keep((one, two)))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-prefer-primary",
        "pgjdbc's targetServerType=preferPrimary: a standby, then a primary",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let (one, two) = (standby(lab)?, lab.new_postgres().start()?);
            Ok(jdbc(lab, &[&one, &two], "preferPrimary")
                .assert(answered(two.port()))
                .keep((one, two)))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-prefer-primary-alone",
        "the same, and a standby alone",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = standby(lab)?;
            Ok(jdbc(lab, &[&pg], "preferPrimary").keep(pg))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "server-jdbc-unknown-kind",
        "a targetServerType that pgjdbc does not know",
        Expect::Fail("config.param.invalid"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            Ok(jdbc(lab, &[&pg], "leader").keep(pg))
        },
    )
    .oracle(DRIVER),
];
