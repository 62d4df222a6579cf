//! A tap that is held open.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Postgres};
use serde_json::Value;

use crate::listening::Listening;

/// The longest that one is held.
const LONGEST: Duration = Duration::from_secs(240);

/// A tap before a server.
pub fn hold(lab: &Lab, server: &Postgres) -> Result<Listening> {
    let target = format!("postgresql://app@127.0.0.1:{}/appdb", server.port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    command
        .args(["tap", "--listen", "0", "--json", &target])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", lab.dir("home")?);
    Listening::start(&mut command, LONGEST)
}

/// Ends it as Ctrl-C does; its report.
pub fn end(tap: &mut Listening) -> Result<Value> {
    tap.interrupt()?;
    let (status, out) = tap.end()?;
    ensure!(status == Some(0), "{out}");
    serde_json::from_str(&out).context(out)
}

/// The facts of the tap's stage.
pub fn facts(report: &Value) -> &Value {
    let mut stages = report["stages"].as_array().into_iter().flatten();
    let tap = stages.rfind(|record| record["stage"] == "tap");
    tap.map_or(&Value::Null, |record| &record["facts"])
}
