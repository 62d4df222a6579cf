//! Reports of earlier versions: they fit the present schema, and `diff` reads them.
//! `tests/data/reports/COMMIT/` holds what the program of that commit wrote.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// By commit, every file that its program wrote.
fn corpus() -> BTreeMap<String, Vec<PathBuf>> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let commits = entries(&common::root().join("tests/data/reports"));
    commits
        .iter()
        .map(|folder| (name(folder), entries(folder)))
        .collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn is_report(path: &Path) -> bool {
    !path.ends_with("explain.json")
}

/// How an object departs from the schema of that name.
fn errors(schema: &str, value: &Value) -> Vec<String> {
    let schema = read(&common::root().join(format!("schema/{schema}.schema.json")));
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// The exit status of `diff`, and what it prints.
fn diff(a: &Path, b: &Path) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
        .arg("diff")
        .args([a, b])
        .arg("--json")
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let diff = serde_json::from_slice(&output.stdout).unwrap_or(Value::from(said));
    (output.status.code(), diff)
}

#[test]
fn they_fit_the_present_schema() {
    let corpus = corpus();
    assert!(corpus.len() > 1, "{corpus:?}");
    for path in corpus.values().flatten() {
        let schema = match is_report(path) {
            true => "report",
            false => "explain",
        };
        let wrong = errors(schema, &read(path));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
}

#[test]
fn a_missing_key_of_the_first_release_is_no_report() {
    let path = &corpus()
        .into_values()
        .flatten()
        .find(|path| is_report(path));
    let whole = read(path.as_ref().unwrap());
    assert!(errors("report", &whole).is_empty());
    for key in whole.as_object().unwrap().keys() {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().shift_remove(key);
        assert!(!errors("report", &less).is_empty(), "{key}");
    }
}

/// The same scenario by two programs has the same verdict; a healthy one and a
/// failing one do not.
#[test]
fn diff_reads_them() {
    let corpus = corpus();
    let of = |commit: &str, name: &str| {
        let folder = common::root().join("tests/data/reports").join(commit);
        folder.join(name)
    };
    let commits: Vec<&String> = corpus.keys().collect();
    let (old, new) = (commits[0], commits[1]);
    for path in corpus[old].iter().filter(|path| is_report(path)) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (status, found) = diff(path, &of(new, name));
        assert_eq!(status, Some(0), "{name}: {found}");
        assert_eq!(found["same_verdict"], true, "{name}: {found}");
        assert!(errors("diff", &found).is_empty(), "{name}");
    }
    let (healthy, failing) = (
        of(old, "healthy-ssh.json"),
        of(new, "tls-cert-expired.json"),
    );
    let (status, found) = diff(&healthy, &failing);
    assert_eq!(status, Some(1), "{found}");
    assert_eq!(found["a"]["status"], "pass");
    assert_eq!(found["b"]["cause"], "tls.cert.expired");
    // What only newer versions write is no difference between two machines.
    let names = found["differences"].as_array().unwrap().iter();
    assert!(names.clone().count() > 0);
    assert!(names.into_iter().all(|one| one["name"] != "OpenSSL"));
}
