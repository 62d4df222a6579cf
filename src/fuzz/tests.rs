//! The corpus is replayed, and the lists of targets are one list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LONGEST, TARGETS, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names() -> BTreeSet<String> {
    TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The inputs of a target, in order.
fn inputs(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("corpus").join(name)).unwrap();
    let mut inputs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

/// Set in the process that replays: the settings among the inputs have passwords, which are
/// hidden from then on in all that the process shows, other tests' texts too.
const REPLAY: &str = "DBDOCTOR_TEST_REPLAY";

#[test]
fn the_corpus_holds() {
    if std::env::var_os(REPLAY).is_none() {
        let tests = std::env::current_exe().unwrap();
        let replay = Command::new(tests)
            .args(["--exact", "fuzz::tests::the_corpus_holds", "--nocapture"])
            .env(REPLAY, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&replay.stdout);
        let last = said.lines().rev().take(3).collect::<Vec<_>>();
        let why = String::from_utf8_lossy(&replay.stderr);
        assert!(replay.status.success(), "{last:?}\n{why}");
        return;
    }
    for name in names() {
        let inputs = inputs(&name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            // The name of the input stands before the panic.
            println!("{}", input.display());
            run(&name, &data);
        }
    }
}

#[test]
fn each_target_is_everywhere() {
    let of_table: BTreeSet<String> = LONGEST.keys().cloned().collect();
    assert_eq!(of_table, names());
    let folders = fs::read_dir(folder().join("corpus")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), names());
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in names() {
        let path = format!("\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&path), "{name} is not in fuzz/Cargo.toml");
        assert!(folder().join(format!("fuzz_targets/{name}.rs")).is_file());
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

#[test]
fn the_corpus_is_small() {
    const MOST: u64 = 1 << 20;
    let sizes = names().into_iter().flat_map(|name| inputs(&name));
    let size: u64 = sizes.map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(size < MOST, "{size}");
}
