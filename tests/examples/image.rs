//! The recipe of the container image.

use std::path::{Path, PathBuf};

use regex::Regex;

use crate::{common, is_program, read};

/// The image is built from what `.dockerignore` leaves, and Kubernetes can tell that its user is
/// not root.
#[test]
fn the_image_has_what_its_recipe_needs() {
    let recipe = read("Containerfile").replace("\\\n", " ");
    let lines = |instruction: &str| -> Vec<String> {
        let prefix = format!("{instruction} ");
        let lines = recipe.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines("FROM").last().map(String::as_str), Some("scratch"));
    let user = Regex::new(r"^[1-9]\d*:[1-9]\d*$").unwrap();
    assert!(lines("USER").iter().all(|name| user.is_match(name)) && !lines("USER").is_empty());
    let entry: Vec<String> = serde_json::from_str(&lines("ENTRYPOINT")[0]).unwrap();
    assert_eq!(entry, ["/usr/bin/dbdoctor"]);
    let run = &lines("RUN")[0];
    let script = run
        .split_whitespace()
        .find(|word| word.starts_with("packaging/"))
        .unwrap();
    assert!(is_program(Path::new(script)));

    let ignored = read(".dockerignore");
    let ignored: Vec<&str> = ignored
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let is_ignored = |path: &str| ignored.iter().any(|rule| Path::new(path).starts_with(rule));
    for needed in [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE-MIT",
        "build.rs",
        "causes",
        "knowledge",
        "src/main.rs",
        "tests/lab/Cargo.toml",
        "tests/faults.rs",
        script,
    ] {
        assert!(!is_ignored(needed), "{needed}");
    }
    assert!(is_ignored("target/debug") && is_ignored(".git/config"));
    // What the program embeds is part of its sources.
    let embedded = Regex::new(r#"include_(?:str|bytes)!\(\s*"([^"]+)"|(?:join|open|read\w*)\("((?:causes|knowledge|schema|man|docs|completions)[^"]*)"#).unwrap();
    for source in sources(&common::root().join("src"))
        .into_iter()
        .chain(sources(&common::root().join("build")))
    {
        let text = std::fs::read_to_string(&source).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for found in embedded.captures_iter(text) {
            let path = match (found.get(1), found.get(2)) {
                (Some(beside), _) => {
                    let path = source.parent().unwrap().join(beside.as_str());
                    let Ok(path) = path.canonicalize() else {
                        continue;
                    };
                    path.strip_prefix(common::root().canonicalize().unwrap())
                        .unwrap()
                        .display()
                        .to_string()
                }
                (_, Some(path)) => path.as_str().to_owned(),
                _ => continue,
            };
            assert!(!is_ignored(&path), "{path} of {}", source.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}
