//! Who holds the slots of a server that has few left.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::Service;
use crate::{Case, Conn, Expect, Lab, Need, PostgresBuilder, Scenario, Tool, finding};

const CAUSE: &str = "server.connections.near-limit";

/// A server with so many slots, and another role.
fn server<'a>(lab: &'a Lab, slots: u16, reserved: u16) -> PostgresBuilder<'a> {
    let password = lab.password();
    lab.new_postgres()
        .conf("max_connections", slots)
        .conf("superuser_reserved_connections", reserved)
        .sql(&format!("create role other login password '{password}'"))
        .sql(&format!(
            "create role chief superuser login password '{password}'"
        ))
}

/// So many sessions of an application, which stay as they are after these statements.
fn hold(
    lab: &Lab,
    conn: Conn,
    application: &str,
    count: usize,
    statements: &str,
) -> Result<Vec<Service>> {
    // The session is idle while psql waits for a command that waits for psql's end.
    let wait = r"\! exec tail -f --pid=$PPID /dev/null";
    let script = format!("{statements}\n\\warn at rest\n{wait}\n");
    let script = lab.file("hold.sql", script, 0o600)?;
    let conn = conn
        .set("password", lab.password())
        .set("application_name", application);
    let tool = Tool::new("psql").args(["-XAtqw", "-v", "ON_ERROR_STOP=1", "-f"]);
    let tool = tool.arg(script.display()).arg("-d").arg(conn);
    let sessions = (0..count)
        .map(|_| tool.serve(lab.file("hold.log", "", 0o600)?, "TERM"))
        .collect::<Result<Vec<_>>>()?;
    for session in &sessions {
        session.wait_ready(|| session.log().contains("at rest"))?;
    }
    Ok(sessions)
}

fn case(lab: &Lab, conn: Conn) -> Case {
    Case::check(conn).password(lab.password())
}

/// Whether the first of the holders are these: role, application, state and sessions.
fn holders(report: &Value, expected: &[(&str, &str, Option<&str>, i64)]) -> Result<()> {
    let holders = &finding(report, CAUSE)?["evidence"]["holders"];
    for (n, (role, application, state, sessions)) in expected.iter().enumerate() {
        let holder = &holders[n];
        ensure!(
            holder["role"] == *role
                && holder["application"] == *application
                && holder["state"].as_str() == *state
                && holder["sessions"] == *sessions,
            "{n}: {holders:#}"
        );
    }
    Ok(())
}

/// The first fix has these words.
fn first_fix(report: &Value, words: &[&str]) -> Result<()> {
    let fix = &finding(report, CAUSE)?["fixes"][0];
    let text = fix["text"].as_str().context("no fix")?;
    for word in words {
        ensure!(text.contains(word), "no {word:?} in {text}");
    }
    Ok(())
}

/// What the first fix's command prints.
fn pasted(lab_password: &str, report: &Value) -> Result<String> {
    let command = finding(report, CAUSE)?["fixes"][0]["command"].as_str();
    let command = command.context("no command")?;
    let shell = Tool::new("sh").args(["-c", command]);
    shell.env("PGPASSWORD", lab_password).succeed()
}

/// Servers near a limit.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-slots-idle-pool",
        "a pool holds most of the slots and does nothing",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 12, 0).start()?;
            let pool = hold(lab, pg.conn(), "billing-api", 8, "")?;
            let batch = hold(lab, pg.conn(), "nightly", 2, "begin;")?;
            let case = case(lab, pg.conn()).assert(|report| {
                holders(
                    report,
                    &[
                        ("app", "billing-api", Some("idle"), 8),
                        ("app", "nightly", Some("idle in transaction"), 2),
                    ],
                )?;
                let evidence = &finding(report, CAUSE)?["evidence"];
                ensure!(evidence["idle_in_transaction"]["sessions"] == 2);
                ensure!(evidence.get("hidden_sessions").is_none(), "{evidence:#}");
                first_fix(report, &["billing-api", "8 idle sessions", "pool"])
            });
            Ok(case.keep((pool, batch, pg)))
        },
    ),
    Scenario::new(
        "server-slots-idle-in-transaction",
        "transactions that were left open hold most of the slots",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 10, 0).start()?;
            let open = hold(lab, pg.conn(), "import", 5, "begin;")?;
            let failed = "\\unset ON_ERROR_STOP\nbegin;\nselect 1/0;";
            let failed = hold(lab, pg.conn(), "import", 2, failed)?;
            let pool = hold(lab, pg.conn(), "web", 2, "")?;
            let password = lab.password().to_owned();
            let case = case(lab, pg.conn()).assert(move |report| {
                let evidence = &finding(report, CAUSE)?["evidence"];
                let stuck = &evidence["idle_in_transaction"];
                ensure!(stuck["sessions"] == 7, "{evidence:#}");
                ensure!(stuck["oldest_s"].is_number(), "{evidence:#}");
                let words = [
                    "idle_in_transaction_session_timeout",
                    "import",
                    "7 sessions",
                ];
                first_fix(report, &words)?;
                let listed = pasted(&password, report)?;
                let lines = listed.lines().filter(|line| line.contains("import"));
                let lines = lines.count();
                ensure!(lines == 7 && !listed.contains("web"), "{listed}");
                Ok(())
            });
            Ok(case.keep((open, failed, pool, pg)))
        },
    ),
    Scenario::new(
        "server-slots-active",
        "statements that run hold most of the slots",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 8, 0).start()?;
            let busy = pg.sessions(7)?;
            let password = lab.password().to_owned();
            let case = case(lab, pg.conn()).assert(move |report| {
                holders(report, &[("app", "psql", Some("active"), 7)])?;
                first_fix(report, &["running statements", "7 sessions are active"])?;
                let listed = pasted(&password, report)?;
                ensure!(listed.contains("PgSleep"), "{listed}");
                ensure!(
                    !report.to_string().contains("pg_sleep(3600)"),
                    "a statement"
                );
                Ok(())
            });
            Ok(case.keep((busy, pg)))
        },
    ),
    Scenario::new(
        "server-slots-hidden",
        "another role holds them, and what it does is hidden from this one",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 10, 0).start()?;
            let pool = hold(lab, pg.conn(), "billing-api", 8, "begin;")?;
            let own = hold(lab, pg.conn().set("user", "other"), "report", 1, "")?;
            let conn = pg.conn().set("user", "other");
            let case = case(lab, conn).assert(|report| {
                holders(
                    report,
                    &[
                        ("app", "billing-api", None, 8),
                        ("other", "report", Some("idle"), 1),
                    ],
                )?;
                let evidence = &finding(report, CAUSE)?["evidence"];
                ensure!(evidence["hidden_sessions"] == 8, "{evidence:#}");
                ensure!(
                    evidence["holders"][0]
                        .get("address")
                        .is_none_or(Value::is_null)
                );
                ensure!(
                    evidence.get("idle_in_transaction").is_none(),
                    "{evidence:#}"
                );
                first_fix(
                    report,
                    &["8 sessions belong to other roles", "pg_read_all_stats"],
                )
            });
            Ok(case.keep((pool, own, pg)))
        },
    ),
    Scenario::new(
        "server-slots-read-all-stats",
        "the same, seen by a member of pg_read_all_stats",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 10, 0).sql("grant pg_read_all_stats to other");
            let pg = pg.start()?;
            let pool = hold(lab, pg.conn(), "billing-api", 9, "begin;")?;
            let conn = pg.conn().set("user", "other");
            let case = case(lab, conn).assert(|report| {
                holders(
                    report,
                    &[("app", "billing-api", Some("idle in transaction"), 9)],
                )?;
                let evidence = &finding(report, CAUSE)?["evidence"];
                ensure!(evidence.get("hidden_sessions").is_none(), "{evidence:#}");
                ensure!(
                    evidence["holders"][0]["address"] == "127.0.0.1",
                    "{evidence:#}"
                );
                first_fix(
                    report,
                    &["idle_in_transaction_session_timeout", "9 sessions"],
                )
            });
            Ok(case.keep((pool, pg)))
        },
    ),
    Scenario::new(
        "server-slots-reserved",
        "ordinary roles are refused, and a superuser gets in by a reserved slot",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 12, 3).start()?;
            let pool = hold(lab, pg.conn(), "billing-api", 9, "")?;
            let conn = pg.conn().set("user", "chief");
            let case = case(lab, conn).assert(|report| {
                let found = finding(report, CAUSE)?;
                let evidence = &found["evidence"];
                ensure!(
                    evidence["used"] == 9 && evidence["limit"] == 9,
                    "{evidence:#}"
                );
                holders(report, &[("app", "billing-api", Some("idle"), 9)])
            });
            Ok(case.keep((pool, pg)))
        },
    ),
    Scenario::new(
        "server-slots-reserved-refused",
        "the same, seen by an ordinary role",
        Expect::Fail("server.connections.reserved"),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 12, 3).start()?;
            let pool = hold(lab, pg.conn(), "billing-api", 9, "")?;
            Ok(case(lab, pg.conn()).keep((pool, pg)))
        },
    ),
    Scenario::new(
        "server-slots-superuser-healthy",
        "a superuser, and half of the ordinary slots are free",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 12, 3).start()?;
            let pool = hold(lab, pg.conn(), "billing-api", 4, "begin;")?;
            let conn = pg.conn().set("user", "chief");
            Ok(case(lab, conn).forbids(CAUSE).keep((pool, pg)))
        },
    ),
    Scenario::new(
        "server-slots-role",
        "the role's last session, beside sessions of others that do not count",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 40, 0).sql("alter role app connection limit 4");
            let pg = pg.start()?;
            let own = hold(lab, pg.conn(), "worker", 3, "")?;
            let others = hold(lab, pg.conn().set("user", "other"), "web", 6, "")?;
            let case = case(lab, pg.conn()).assert(|report| {
                holders(report, &[("app", "worker", Some("idle"), 3)])?;
                let evidence = &finding(report, CAUSE)?["evidence"];
                ensure!(!evidence.to_string().contains("web"), "{evidence:#}");
                first_fix(report, &["worker", "3 idle sessions"])
            });
            Ok(case.keep((own, others, pg)))
        },
    ),
    Scenario::new(
        "server-slots-database",
        "the database's last session, beside sessions on another one",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 40, 0).sql("alter database appdb connection limit 4");
            let pg = pg.start()?;
            let here = hold(lab, pg.conn(), "worker", 3, "begin;")?;
            let elsewhere = hold(lab, pg.conn().set("dbname", "postgres"), "web", 6, "")?;
            let case = case(lab, pg.conn()).assert(|report| {
                holders(report, &[("app", "worker", Some("idle in transaction"), 3)])?;
                let evidence = &finding(report, CAUSE)?["evidence"];
                ensure!(!evidence.to_string().contains("web"), "{evidence:#}");
                Ok(())
            });
            Ok(case.keep((here, elsewhere, pg)))
        },
    ),
    Scenario::new(
        "server-slots-odd-names",
        "an application name made to be shown, and one that is empty",
        Expect::Warn(CAUSE),
        &[Need::Postgres],
        |lab| {
            let pg = server(lab, 12, 0).start()?;
            let odd = hold(lab, pg.conn(), "x\"; rm -rf ~ #$(id)`id`", 6, "")?;
            let unnamed = hold(lab, pg.conn(), "psql", 4, "set application_name = '';")?;
            let case = case(lab, pg.conn()).assert(|report| {
                let found = finding(report, CAUSE)?;
                let fixes = found["fixes"].as_array().context("no fixes")?;
                let commands = fixes.iter().filter_map(|fix| fix["command"].as_str());
                for command in commands {
                    ensure!(!command.contains("rm -rf"), "{command}");
                }
                let unnamed = &found["evidence"]["holders"][1];
                ensure!(unnamed["application"].is_null() && unnamed["sessions"] == 4);
                Ok(())
            });
            Ok(case.keep((odd, unnamed, pg)))
        },
    ),
    Scenario::new(
        "server-slots-pgbouncer",
        "PgBouncer's max_client_conn is reached; its console tells by whom",
        Expect::Fail("pooler.full"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let behind = lab.postgres()?.conn().without("user");
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", behind)
                .user("pgbouncer", lab.password())
                .set("admin_users", "pgbouncer")
                .set("max_client_conn", 2)
                .start()?;
            let pool = hold(lab, bouncer.conn(), "billing-api", 2, "select 1;")?;
            let password = lab.password().to_owned();
            let case = case(lab, bouncer.conn()).assert(move |report| {
                let command = report["verdict"]["fixes"][0]["command"].as_str();
                let shell = Tool::new("sh").args(["-c", command.context("no command")?]);
                let listed = shell.env("PGPASSWORD", &password).succeed()?;
                ensure!(listed.matches("billing-api").count() == 2, "{listed}");
                Ok(())
            });
            Ok(case.keep((pool, bouncer)))
        },
    ),
];
