//! A pooler whose queue holds up the first query, and not the login.

use anyhow::{Result, ensure};

use crate::{Case, Expect, Lab, Need, PgBouncer, Scenario, Tool};

/// How long the only server connection is taken.
const BUSY: &str = "select pg_sleep(5)";

/// A PgBouncer with one server connection.
fn one_connection(lab: &Lab, mode: &str) -> Result<PgBouncer> {
    let server = lab.postgres()?.conn().without("user");
    let bouncer = lab.new_pgbouncer().database("appdb", server);
    bouncer
        .set("default_pool_size", 1)
        .set("pool_mode", mode)
        .start()
}

/// Through it while another client runs this.
fn behind(lab: &Lab, mode: &str, query: &str) -> Result<Case> {
    let bouncer = one_connection(lab, mode)?;
    let other = bouncer.conn().set("password", lab.password());
    let tool = Tool::new("psql").args(["-XAtqw", "-d"]).arg(other);
    let tool = tool.args(["-c", "select 1", "-c", r"\warn at rest", "-c", query]);
    let other = tool.serve(lab.dir("other")?.join("log"), "TERM")?;
    other.wait_ready(|| other.log().contains("at rest"))?;
    let case = Case::check(bouncer.conn()).password(lab.password());
    Ok(case.keep((bouncer, other)))
}

/// The warning has the wait, and the command for PgBouncer's console comes first.
fn told(case: Case) -> Case {
    case.assert(|report| {
        let finding = &report["stages"]
            .as_array()
            .and_then(|stages| stages.iter().find(|stage| stage["stage"] == "server"))
            .map(|stage| stage["findings"][0].clone())
            .unwrap_or_default();
        let waited = finding["evidence"]["waited_ms"].as_f64();
        ensure!(
            waited.is_some_and(|ms| (1000.0..6000.0).contains(&ms)),
            "{finding}"
        );
        let first = finding["fixes"][0]["command"].as_str();
        ensure!(
            first.is_some_and(|command| command.contains("show pools")),
            "{finding}"
        );
        Ok(())
    })
}

const NEEDS: &[Need] = &[Need::Postgres, Need::PgBouncer];

/// Queues.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "pooler-queue-session",
        "the only server connection is taken for some seconds, in session mode",
        Expect::Warn("pooler.wait"),
        NEEDS,
        |lab| Ok(told(behind(lab, "session", BUSY)?)),
    ),
    Scenario::new(
        "pooler-queue-transaction",
        "the same in transaction mode",
        Expect::Warn("pooler.wait"),
        NEEDS,
        |lab| Ok(told(behind(lab, "transaction", BUSY)?)),
    ),
    Scenario::new(
        "pooler-queue-free",
        "the other client is done with it",
        Expect::Pass,
        NEEDS,
        |lab| Ok(behind(lab, "transaction", r"\! sleep 5")?.forbids("pooler.wait")),
    ),
];
