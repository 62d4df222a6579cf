//! The files that others run or read: examples, manifests, the recipe of the image, and the
//! command lines of the documents. Each is held to its consumer's published rules.

#[path = "../common/mod.rs"]
mod common;

mod ci;
mod command_lines;
mod image;
mod kubernetes;
mod monitoring;
mod plugin;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn read(path: impl AsRef<Path>) -> String {
    let path = common::root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    serde_saphyr::from_str(&read(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder, as paths in the repository.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(common::root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| Path::new(folder).join(entry.unwrap().file_name()))
        .filter(|path| common::root().join(path).is_file())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

/// Holds a value to a schema, and says what does not fit.
fn fits(what: &str, value: &Value, schema: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{what}{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&read(format!("tests/data/schemas/{name}.json"))).unwrap()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let file = std::fs::metadata(common::root().join(path));
    file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 == 0o111)
}

#[test]
fn shellcheck_has_no_objection() {
    let folders = [
        "action",
        "packaging/container",
        "packaging/krew",
        "packaging/pre-commit",
    ];
    let mut scripts: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    scripts.retain(|path| is_program(path));
    scripts.push("scripts/krew".into());
    assert!(scripts.len() >= 6);
    let output = Command::new("shellcheck")
        .args(scripts)
        .current_dir(common::root())
        .output()
        .expect("shellcheck; scripts/packages.sh installs it");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
}
