//! The units of systemd and the alerts of Prometheus.

use std::process::Command;

use regex::Regex;

use crate::{files, read, yaml};

#[test]
fn systemd_accepts_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for path in files("examples/systemd") {
        let text = read(&path).replace("/usr/bin/dbdoctor", env!("CARGO_BIN_EXE_dbdoctor"));
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        std::fs::write(folder.path().join(&name), &text).unwrap();
        let instance = folder.path().join(name.replace('@', "@orders"));
        std::fs::write(&instance, &text).unwrap();
        units.push(instance);
    }
    assert_eq!(units.len(), 2);
    let analyze = |args: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args(args)
            .args(&units)
            .output();
        let output = output.expect("systemd-analyze; scripts/packages.sh installs it");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.success(),
            told + &String::from_utf8_lossy(&output.stdout),
        )
    };
    let (accepted, told) = analyze(&["verify", "--man=no"]);
    let about_ours: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("dbdoctor"))
        .collect();
    assert!(accepted && about_ours.is_empty(), "{told}");
    units.retain(|unit| unit.extension().is_some_and(|kind| kind == "service"));
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .args(&units)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn the_alerts_use_the_metrics_of_the_documents() {
    let rules = yaml("examples/prometheus/dbdoctor.rules.yml");
    let document = read("docs/ci.md");
    let metric = Regex::new(r"\bdbdoctor_[a-z_]+").unwrap();
    let mut alerts = 0;
    for group in rules["groups"].as_array().unwrap() {
        assert!(group["name"].is_string());
        for rule in group["rules"].as_array().unwrap() {
            alerts += 1;
            assert!(rule["alert"].is_string() && rule["annotations"]["summary"].is_string());
            for found in metric.find_iter(rule["expr"].as_str().unwrap()) {
                let row = format!("| `{}` |", found.as_str());
                assert!(document.contains(&row), "{row} is not in docs/ci.md");
            }
        }
    }
    assert!(alerts >= 3);
}
