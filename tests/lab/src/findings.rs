//! Where in a report's JSON a finding stands.

use anyhow::{Context, Result};
use serde_json::Value;

/// The first finding of this cause, in whatever stage.
///
/// # Errors
/// There is none.
pub fn finding<'a>(report: &'a Value, cause: &str) -> Result<&'a Value> {
    let stages = report["stages"].as_array().into_iter().flatten();
    let mut all = stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten());
    all.find(|finding| finding["cause"] == cause)
        .with_context(|| format!("no finding {cause}"))
}

/// The finding that the verdict is taken from.
///
/// # Errors
/// The verdict has no cause.
pub fn verdicts_finding(report: &Value) -> Result<&Value> {
    let cause = report["verdict"]["cause"].as_str();
    finding(report, cause.context("the verdict has no cause")?)
}
