//! The dependency tree is what `deny.toml` allows, checked without cargo-deny
//! and without the network; pre-releases are argued in docs/dependencies.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The list `key = [...]` of a section of deny.toml, without comments.
fn list(section: &str, key: &str) -> String {
    let text = read("deny.toml");
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n");
    let (_, rest) = text.split_once(&format!("[{section}]")).unwrap();
    let rest = rest.split("\n[").next().unwrap_or_default();
    let (_, rest) = rest.split_once(&format!("\n{key} = [")).unwrap();
    rest.split_once("\n]").unwrap().0.to_owned()
}

/// The packages that are built here.
fn packages() -> Vec<Value> {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression can be fulfilled; AND binds more tightly than OR.
fn fulfils(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    fn any(words: &mut Vec<String>, allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut result = all(words, allowed);
        while words.last().is_some_and(|word| word == "OR") {
            words.pop();
            result |= all(words, allowed);
        }
        result
    }
    fn all(words: &mut Vec<String>, allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut result = one(words, allowed);
        while words.last().is_some_and(|word| word == "AND") {
            words.pop();
            result &= one(words, allowed);
        }
        result
    }
    fn one(words: &mut Vec<String>, allowed: &dyn Fn(&str) -> bool) -> bool {
        let mut name = words.pop().expect("a licence");
        if name == "(" {
            let result = any(words, allowed);
            assert_eq!(words.pop().as_deref(), Some(")"));
            return result;
        }
        if words.last().is_some_and(|word| word == "WITH") {
            words.pop();
            name = format!("{name} WITH {}", words.pop().expect("an exception"));
        }
        allowed(&name)
    }
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words: Vec<String> = spaced.split_whitespace().rev().map(str::to_owned).collect();
    let result = any(&mut words, allowed);
    assert!(words.is_empty(), "{expression}");
    result
}

#[test]
fn expressions_are_read() {
    let allowed = |name: &str| matches!(name, "MIT" | "ISC");
    for (expression, is) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0/MIT", true),
        ("MIT AND ISC", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 AND MIT OR ISC", true),
        ("MIT WITH exception", false),
    ] {
        assert_eq!(fulfils(expression, &allowed), is, "{expression}");
    }
}

#[test]
fn licences_sources_and_crates_are_allowed() {
    let licences = list("licenses", "allow");
    let allowed = |name: &str| licences.contains(&format!("\"{name}\""));
    assert!(!allowed("GPL-3.0"));
    let banned = list("bans", "deny");
    assert!(banned.contains("{ crate = \"openssl-src\""));
    let packages = packages();
    assert!(packages.len() > 100);
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(fulfils(licence, &allowed), "{name}: {licence}");
        let is_ours = ["dbdoctor", "dbdoctor-fuzz", "dbdoctor-lab"].contains(&name);
        assert!(
            is_ours || package["source"] == REGISTRY,
            "{name}: {}",
            package["source"]
        );
        assert!(
            !banned.contains(&format!("{{ crate = \"{name}\"")),
            "{name}"
        );
    }
}

#[test]
fn pre_releases_are_argued() {
    let (lock, argued) = (read("Cargo.lock"), read("docs/dependencies.md"));
    let mut found = 0;
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let start = format!("\n{key} = \"");
            let (_, rest) = package.split_once(&start)?;
            rest.split('"').next()
        };
        let (name, version) = (value("name").unwrap(), value("version").unwrap());
        // Of semantic versions; what follows a plus is the build.
        if version.split('+').next().unwrap_or_default().contains('-') {
            found += 1;
            assert!(
                argued.contains(&format!("| `{name}` |")),
                "{name} {version}"
            );
        }
    }
    assert!(
        found > 0,
        "docs/dependencies.md argues pre-releases that are not there"
    );
}
