//! The transcripts of the README: reports of real runs, from which it is rendered.
//!
//! `tests/transcripts/STAGE/SCENARIO.json` is held to what the scenario reports today; an empty
//! file there begins one, and `UPDATE=1` records it. Ports and paths are those of snapshots, all
//! else is as it was.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::snapshot::{is_comparable, relocated, settled, table};

/// Where the report of a scenario is, if the README shows it.
fn path(stage: &str, scenario: &str) -> PathBuf {
    super::root().join(format!("tests/transcripts/{stage}/{scenario}.json"))
}

/// Holds the committed report to the one of today, as a person sees both.
pub fn check(stage: &str, scenario: &str, report: &Value) -> Result<(), String> {
    let path = path(stage, scenario);
    if !is_comparable(report) || !path.exists() {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&relocated(report)).unwrap();
        return std::fs::write(&path, text + "\n").map_err(|error| error.to_string());
    }
    let text = std::fs::read(&path).unwrap_or_default();
    let committed = serde_json::from_slice(&text).unwrap_or_default();
    let same = match stage {
        // What it says is made of the times that it took.
        "idle" => outline(&committed) == outline(report),
        _ => table(&settled(&committed))? == table(&settled(report))?,
    };
    match same {
        true => Ok(()),
        false => Err(format!(
            "{} is not what the program reports today: record it with UPDATE=1, then \
             UPDATE=1 cargo test --test readme",
            path.display()
        )),
    }
}

/// How each stage of a report ended, and with which causes.
fn outline(report: &Value) -> Vec<Value> {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .map(|stage| {
            let findings = stage["findings"].as_array().into_iter().flatten();
            let causes: Vec<&Value> = findings.map(|finding| &finding["cause"]).collect();
            json!([stage["stage"], stage["status"], causes])
        })
        .collect()
}

/// What a person sees of a committed report, as STAGE/SCENARIO.
pub fn shown(name: &str) -> String {
    let (stage, scenario) = name.split_once('/').unwrap();
    let text = std::fs::read(path(stage, scenario)).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    table(&report).unwrap()
}
