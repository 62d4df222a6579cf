//! What several tests share: committed files that a test compares, and
//! rewrites under `UPDATE=1`; the schema that every report must fit.

#![allow(dead_code)]

pub mod canary;
pub mod snapshot;
pub mod tables;
pub mod transcript;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Holds a committed file to what the program makes of it today. Under
/// `UPDATE=1` the file is rewritten instead.
pub fn compare(path: impl AsRef<Path>, now: &[u8]) {
    if let Some(difference) = difference(path, now) {
        panic!("{difference}");
    }
}

/// How a committed file differs from what the program makes of it today.
pub fn difference(path: impl AsRef<Path>, now: &[u8]) -> Option<String> {
    let path: PathBuf = root().join(path);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, now).unwrap();
        return None;
    }
    let committed = std::fs::read(&path).unwrap_or_default();
    if committed == now {
        return None;
    }
    let (old, new) = (
        String::from_utf8_lossy(&committed),
        String::from_utf8_lossy(now),
    );
    let only = |sign: char, of: &str, other: &str| -> String {
        let other: Vec<&str> = other.lines().collect();
        let lines = of.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect()
    };
    Some(format!(
        "{} is not what the program makes of it today; look at it with UPDATE=1 and git diff.\n{}{}",
        path.display(),
        only('-', &old, &new),
        only('+', &new, &old),
    ))
}

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = std::fs::read(root().join("schema/report.schema.json")).unwrap();
    let schema = serde_json::from_slice(&text).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

/// Holds a report to the committed JSON Schema, and each of its findings to
/// what a person needs: a sentence of its own and something to do.
pub fn valid(report: &Value) -> Result<(), String> {
    let mut wrong: Vec<String> = SCHEMA
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    let stages = report["stages"].as_array().into_iter().flatten();
    for finding in stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten()) {
        let cause = finding["cause"].as_str().unwrap_or_default();
        if finding["fixes"].as_array().is_none_or(Vec::is_empty) {
            wrong.push(format!("{cause} offers no fix for {}", finding["evidence"]));
        }
        let title = dbdoctor::cause::find(cause).map_or("", |row| row.title);
        if finding["summary"].as_str() == Some(&format!("{title}.")) {
            wrong.push(format!(
                "{cause}: its sentence lacks evidence, which has only {}",
                finding["evidence"]
            ));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the report does not fit its schema:\n{}",
            wrong.join("\n")
        ))
    }
}
