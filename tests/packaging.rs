//! What is released and how: the crate, the packages' metadata, the workflows.
//! Whether the packages work is tried by `scripts/package-check`.

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use common::root;
use regex::Regex;
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Every file of a folder of the repository, as a path from its top.
fn files(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let path = path.strip_prefix(root()).unwrap();
                    found.insert(path.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found
}

/// What cargo knows of the package.
fn package() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .find(|one| one["name"] == "dbdoctor")
        .unwrap()
        .clone()
}

#[test]
fn the_crate_has_what_its_build_and_its_users_need() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--offline", "--allow-dirty"])
        .args(["--package", "dbdoctor"])
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    for folder in [
        "src",
        "build",
        "causes",
        "knowledge",
        "man",
        "completions",
        "schema",
        "docs",
    ] {
        let missing: Vec<_> = files(folder).difference(&listed).cloned().collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    for file in [
        "build.rs",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
    ] {
        assert!(listed.contains(file), "{file}");
    }
    assert!(!listed.iter().any(|file| file.starts_with("tests/")));
    let package = package();
    for key in ["description", "license", "repository", "readme"] {
        assert!(package[key].is_string(), "{key}");
    }
    let keywords = package["keywords"].as_array().unwrap();
    assert!((1..=5).contains(&keywords.len()), "more are refused");
}

/// The sources of the packages' files, in either tool's form.
#[test]
fn packages_are_made_of_files_that_are_there() {
    let package = package();
    for (tool, least) in [("deb", 9), ("generate-rpm", 9)] {
        let assets = package["metadata"][tool]["assets"].as_array().unwrap();
        assert!(assets.len() >= least, "{tool}");
        for asset in assets {
            let source = asset["source"]
                .as_str()
                .or_else(|| asset[0].as_str())
                .unwrap();
            // The rest of target/ is made by scripts/package.
            let is_built =
                source == "target/release/dbdoctor" || source == "target/THIRD-PARTY-LICENSES.txt";
            let (folder, all) = match source.strip_suffix("*.1") {
                Some(folder) => (folder, true),
                None => (source, false),
            };
            assert!(is_built || root().join(folder).exists(), "{tool}: {source}");
            assert!(!all || files(folder).iter().all(|file| file.ends_with(".1")));
        }
    }
}

/// What `cargo binstall` and Homebrew download is what is made.
#[test]
fn archives_have_one_name() {
    let package = package();
    let url = package["metadata"]["binstall"]["pkg-url"].as_str().unwrap();
    assert!(
        url.ends_with("/v{ version }/dbdoctor-{ version }-{ target }.tar.gz"),
        "{url}"
    );
    assert!(read("scripts/package").contains("name=dbdoctor-$version-$triple\n"));

    let dist = tempfile::tempdir().unwrap();
    let targets = [
        "x86_64-unknown-linux-gnu",
        "aarch64-unknown-linux-gnu",
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
    ];
    let version = env!("CARGO_PKG_VERSION");
    for (n, target) in targets.iter().enumerate() {
        let name = format!("dbdoctor-{version}-{target}.tar.gz");
        let sum = format!("{}  {name}\n", n.to_string().repeat(64));
        std::fs::write(dist.path().join(format!("{name}.sha256")), sum).unwrap();
    }
    let script = root().join("scripts/homebrew");
    let made = |folder: &Path| Command::new(&script).arg(folder).output().unwrap();
    let output = made(dist.path());
    let formula = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{formula}");
    for (n, target) in targets.iter().enumerate() {
        let sum = format!("sha256 \"{}\"", n.to_string().repeat(64));
        let at = formula
            .find(&format!("-{version}-{target}.tar.gz\""))
            .unwrap();
        assert!(
            formula[at..].lines().nth(1).unwrap().contains(&sum),
            "{formula}"
        );
    }
    assert!(!formula.contains('@'), "{formula}");
    // Not one archive may be missing.
    let gone = format!("dbdoctor-{version}-{}.tar.gz.sha256", targets[0]);
    std::fs::remove_file(dist.path().join(gone)).unwrap();
    assert!(!made(dist.path()).status.success());
}

fn workflows() -> Vec<(String, Value)> {
    let workflows = files(".github/workflows");
    assert!(workflows.len() >= 2, "{workflows:?}");
    let parsed = |path: String| {
        let text = read(&path);
        (path, serde_saphyr::from_str(&text).unwrap())
    };
    workflows.into_iter().map(parsed).collect()
}

#[test]
fn workflows_run_what_is_there() {
    let named = Regex::new(r"(?:^|[ =])((?:\.ci|scripts)/[a-z-]+)").unwrap();
    let mut run = BTreeSet::new();
    for (path, workflow) in workflows() {
        for (job, steps) in workflow["jobs"].as_object().unwrap() {
            assert!(
                steps["timeout-minutes"].is_u64(),
                "{path}: {job} has no end"
            );
            assert!(steps["runs-on"].is_string(), "{path}: {job}");
            for step in steps["steps"].as_array().unwrap() {
                let command = step["run"].as_str().unwrap_or_default();
                assert!(
                    step["uses"].is_string() != step["run"].is_string(),
                    "{step}"
                );
                for found in named.captures_iter(command) {
                    run.insert(found[1].to_owned());
                }
            }
        }
    }
    assert!(run.contains("scripts/package-check"), "{run:?}");
    for script in run {
        let there = std::fs::metadata(root().join(&script));
        let mode = there
            .unwrap_or_else(|_| panic!("{script}"))
            .permissions()
            .mode();
        assert!(mode & 0o100 != 0, "{script} is not executable");
    }
}

/// A tag can be moved to other code; a commit cannot. What a workflow may do is
/// said in it.
#[test]
fn actions_are_named_by_commit() {
    let pinned = Regex::new(r"^[\w./-]+@[0-9a-f]{40}$").unwrap();
    for (path, workflow) in workflows() {
        assert_eq!(workflow["permissions"]["contents"], "read", "{path}");
        for job in workflow["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().unwrap() {
                let Some(action) = step["uses"].as_str() else {
                    continue;
                };
                assert!(pinned.is_match(action), "{path}: {action}");
            }
        }
    }
}

#[test]
fn documents_name_the_scripts_that_exist() {
    let script = Regex::new(r"scripts/[a-z-]+(?:\.sh)?").unwrap();
    for document in ["RELEASING.md", "CONTRIBUTING.md", "README.md"] {
        for found in script.find_iter(&read(document)) {
            let there = root().join(found.as_str()).exists();
            assert!(there, "{document} names {}", found.as_str());
        }
    }
}
