//! Which pooler answers, and in which mode it is.

use anyhow::{Result, ensure};

use crate::{Case, Expect, Lab, Need, Pgpool, Scenario};

/// A case whose facts of `server` name this pooler, by this sign.
fn told(case: Case, name: Option<&'static str>, sign: Option<&'static str>) -> Case {
    case.assert(move |report| {
        let stages = report["stages"].as_array();
        let server = stages.and_then(|all| all.iter().find(|s| s["stage"] == "server"));
        let facts = server
            .map(|server| server["facts"].clone())
            .unwrap_or_default();
        ensure!(
            facts["pooler"] == sign.is_some()
                && facts["pooler_name"].as_str() == name
                && facts["pooler_seen_by"].as_str() == sign
                && facts["pooler_mode"].is_null(),
            "it says of the pooler: {facts}"
        );
        Ok(())
    })
}

/// Through a PgBouncer in this mode.
fn bounced(lab: &Lab, mode: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
        .set("pool_mode", mode)
        .start()?;
    let case = Case::check(bouncer.conn()).password(lab.password());
    let sign = "the session's process ID differs from the server's";
    Ok(told(case, Some("PgBouncer"), Some(sign)).keep(bouncer))
}

/// Poolers that are told.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "pooler-told-none",
        "no pooler",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(told(case, None, None))
        },
    ),
    Scenario::new(
        "pooler-told-transaction",
        "PgBouncer in transaction mode",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| bounced(lab, "transaction"),
    ),
    Scenario::new(
        "pooler-told-session",
        "PgBouncer in session mode",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| bounced(lab, "session"),
    ),
    // It passes on the server's own key and parameters.
    Scenario::new(
        "pooler-told-pgpool",
        "Pgpool-II, which shows nothing of itself",
        Expect::Pass,
        &[Need::Postgres, Need::Pgpool],
        |lab| {
            let entry = format!("app:TEXT{}", lab.password());
            let hba = "host all all 127.0.0.1/32 scram-sha-256";
            let pool = Pgpool::start(lab, lab.postgres()?.port(), hba, &entry)?;
            let case = Case::check(pool.conn()).password(lab.password());
            Ok(told(case, None, None).keep(pool))
        },
    ),
];
