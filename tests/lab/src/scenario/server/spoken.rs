//! What the server says, in its own words and in other languages.

use super::*;

/// Whether the finding names this setting.
fn names_option(name: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let text = report.to_string();
        let named = format!("\"parameter\":\"{name}\"");
        ensure!(text.contains(&named), "the setting {name} is not named");
        Ok(())
    }
}

/// The label of a backup whose end never comes: a standby that begins with it is not consistent.
fn backup_label(lab: &Lab) -> Result<String> {
    let control = Tool::new(
        crate::postgres::bin_dir()
            .context("no server")?
            .join("pg_controldata")
            .display()
            .to_string(),
    );
    let control = control.arg(lab.template()?.display()).succeed()?;
    let at = control
        .lines()
        .find_map(|line| line.strip_prefix("Latest checkpoint's REDO location:"))
        .context("no checkpoint")?
        .trim()
        .to_owned();
    let file = control
        .lines()
        .find_map(|line| line.strip_prefix("Latest checkpoint's REDO WAL file:"))
        .context("no file")?
        .trim()
        .to_owned();
    Ok(format!(
        "START WAL LOCATION: {at} (file {file})\nCHECKPOINT LOCATION: {at}\n\
         BACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-01-01 00:00:00 UTC\n\
         LABEL: lab\nSTART TIMELINE: 1\n"
    ))
}

/// A server in a language.
fn speaks<'a>(lab: &'a Lab, language: Option<&str>) -> PostgresBuilder<'a> {
    match language {
        Some(language) => lab.new_postgres().language(language),
        None => lab.new_postgres(),
    }
}

/// Faults whose error texts depend on the server's language: one list for each language.
macro_rules! spoken {
    ($suffix:literal, $language:expr) => {
        &[
            Scenario::new(
                concat!("server-starting", $suffix),
                "archive recovery waits for its first file",
                Expect::Fail("server.starting"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .file("recovery.signal", "")
                        .conf("restore_command", "sleep 1000")
                        .never_ready()
                        .start()?;
                    Ok(case(lab, pg.conn()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-stopping", $suffix),
                "a shutdown waits for a session to end",
                Expect::Fail("server.stopping"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language).start()?;
                    let busy = pg.session("select 1")?;
                    signal("TERM", pg.pid())?;
                    std::thread::sleep(Duration::from_millis(300));
                    Ok(case(lab, pg.conn()).keep(busy).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-recovering", $suffix),
                "a standby that is not consistent yet",
                Expect::Fail("server.recovering"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .file("standby.signal", "")
                        .file("backup_label", backup_label(lab)?)
                        .never_ready()
                        .start()?;
                    std::thread::sleep(Duration::from_secs(1));
                    Ok(case(lab, pg.conn()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-crashed", $suffix),
                "a session was killed, and the server starts itself anew",
                Expect::Fail("server.recovering"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language).start()?;
                    let busy = pg.session("select 1")?;
                    let pid = |what: &str| -> Result<u32> {
                        let sql = format!("select pid from pg_stat_activity where {what} limit 1");
                        Ok(pg.sql(&sql)?.trim().parse()?)
                    };
                    let (session, helper) = (
                        pid("usename = 'app'")?,
                        pid("backend_type = 'checkpointer'")?,
                    );
                    // It is killed only after five seconds, and the others wait for it.
                    signal("STOP", helper)?;
                    signal("KILL", session)?;
                    std::thread::sleep(Duration::from_millis(200));
                    Ok(case(lab, pg.conn()).keep(busy).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-no-hot-standby", $suffix),
                "a standby that takes no sessions",
                Expect::Fail("server.no-hot-standby"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .file("standby.signal", "")
                        .conf("hot_standby", "off")
                        .never_ready()
                        .start()?;
                    std::thread::sleep(Duration::from_secs(1));
                    Ok(case(lab, pg.conn()).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-connections-full", $suffix),
                "max_connections sessions are open",
                Expect::Fail("server.connections.full"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .conf("max_connections", 4)
                        .conf("superuser_reserved_connections", 0)
                        .start()?;
                    let busy = pg.sessions(4)?;
                    Ok(case(lab, pg.conn()).keep(busy).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-connections-reserved", $suffix),
                "only the superusers' slots are left",
                Expect::Fail("server.connections.reserved"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .conf("max_connections", 6)
                        .conf("superuser_reserved_connections", 3)
                        .start()?;
                    let busy = pg.sessions(3)?;
                    Ok(case(lab, pg.conn()).keep(busy).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-connections-role", $suffix),
                "the role's limit is reached",
                Expect::Fail("server.connections.role"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .sql("alter role app connection limit 1")
                        .start()?;
                    let busy = pg.sessions(1)?;
                    Ok(case(lab, pg.conn()).keep(busy).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-connections-database", $suffix),
                "the database's limit is reached",
                Expect::Fail("server.connections.database"),
                &[Need::Postgres],
                |lab| {
                    let pg = speaks(lab, $language)
                        .sql("alter database appdb connection limit 1")
                        .start()?;
                    let busy = pg.sessions(1)?;
                    Ok(case(lab, pg.conn()).keep(busy).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-unknown", $suffix),
                "a setting that does not exist",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("options", "-c statement_timeoutt=5s");
                    Ok(case(lab, conn)
                        .assert(names_option("statement_timeoutt"))
                        .keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-value", $suffix),
                "a setting with a bad value",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("options", "-c statement_timeout=soon");
                    Ok(case(lab, conn)
                        .assert(names_option("statement_timeout"))
                        .keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-denied", $suffix),
                "a setting for superusers",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("options", "-c log_statement=all");
                    Ok(case(lab, conn)
                        .assert(names_option("log_statement"))
                        .keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-restart", $suffix),
                "a setting that only a restart changes",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("options", "-c max_connections=500");
                    Ok(case(lab, conn).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-switch", $suffix),
                "a switch that is none",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("options", "search_path=app");
                    Ok(case(lab, conn).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-encoding", $suffix),
                "an encoding that does not exist",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("client_encoding", "utf9");
                    Ok(case(lab, conn).keep(pg))
                },
            ),
            Scenario::new(
                concat!("server-option-replication", $suffix),
                "replication is neither true nor false",
                Expect::Fail("server.option"),
                &[Need::Postgres],
                |lab| {
                    let pg = lab.postgres_in($language)?;
                    let conn = pg.conn().set("replication", "perhaps");
                    Ok(case(lab, conn).keep(pg))
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
