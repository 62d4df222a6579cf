//! The corpus is replayed, and the lists of targets are one list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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

#[test]
fn the_corpus_holds() {
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
