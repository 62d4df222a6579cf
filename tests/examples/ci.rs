//! What CI systems read: the action, workflows, pipelines, and the hook of pre-commit.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::{common, files, fits, is_program, read, schema, yaml};

#[test]
fn the_action_fits_its_schema_and_keeps_inputs_out_of_scripts() {
    let action = yaml("action.yml");
    fits("action.yml", &action, &schema("github-actions"));
    let mut used = BTreeSet::new();
    let expression = Regex::new(r"\$\{\{\s*([a-z_.-]+)\s*\}\}").unwrap();
    for step in action["runs"]["steps"].as_array().unwrap() {
        let run = step["run"].as_str().unwrap();
        assert!(!run.contains("${{"), "{run}");
        let script = run
            .trim_matches('"')
            .strip_prefix("$GITHUB_ACTION_PATH/")
            .unwrap();
        assert!(is_program(Path::new(script)), "{script}");
        for value in step["env"].as_object().unwrap().values() {
            let found = expression.captures(value.as_str().unwrap()).unwrap();
            used.insert(found[1].to_owned());
        }
    }
    for name in action["inputs"].as_object().unwrap().keys() {
        assert!(
            used.contains(&format!("inputs.{name}")),
            "{name} is not used"
        );
    }
    // The documents' table has every input and output.
    let document = read("docs/ci.md");
    for table in ["inputs", "outputs"] {
        for name in action[table].as_object().unwrap().keys() {
            assert!(
                document.contains(&format!("`{name}`")),
                "{name} is not in docs/ci.md"
            );
        }
    }
}

#[test]
fn workflows_and_pipelines_fit_their_schemas() {
    let action = yaml("action.yml");
    for path in files("examples/github") {
        let workflow = yaml(&path);
        fits(
            &path.display().to_string(),
            &workflow,
            &schema("github-workflows"),
        );
        for job in workflow["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().unwrap() {
                if step["uses"]
                    .as_str()
                    .is_some_and(|uses| uses.contains("/dbdoctor@"))
                {
                    for input in step["with"].as_object().unwrap().keys() {
                        assert!(action["inputs"][input].is_object(), "{input}");
                    }
                }
            }
        }
    }
    for path in files("examples/gitlab") {
        fits(
            &path.display().to_string(),
            &yaml(&path),
            &schema("gitlab-ci"),
        );
    }
}

#[test]
fn the_yaml_of_the_documents_can_be_read() {
    let mut blocks = 0;
    for path in ["docs/ci.md", "docs/kubernetes.md"] {
        for block in fenced(&read(path), "yaml") {
            blocks += 1;
            let _: Value =
                serde_saphyr::from_str(&block).unwrap_or_else(|error| panic!("{block}\n{error}"));
        }
    }
    assert!(blocks >= 5);
}

/// The blocks of a document with this language.
fn fenced(text: &str, language: &str) -> Vec<String> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_hook_of_pre_commit_names_what_there_is() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hook = &hooks[0];
    for key in ["id", "name", "entry", "language"] {
        assert!(hook[key].is_string(), "{key}");
    }
    assert!(is_program(Path::new(hook["entry"].as_str().unwrap())));
    let pattern = Regex::new(hook["files"].as_str().unwrap()).unwrap();
    for (file, matches) in [
        (".env", true),
        ("services/orders/.env.test", true),
        ("src/environment.rs", false),
        ("app.env.d/x", false),
    ] {
        assert_eq!(pattern.is_match(file), matches, "{file}");
    }
    assert!(read("docs/ci.md").contains(hook["id"].as_str().unwrap()));
}

#[test]
fn the_hook_of_pre_commit_reports_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = file(".env", "DATABASE_URL=postgres://app@db.test/orders\n");
    let bad = file(
        ".env.test",
        "DATABASE_URL=postgres://app:hidden@db.test:54x2/orders\n",
    );
    let programs = Path::new(env!("CARGO_BIN_EXE_dbdoctor")).parent().unwrap();
    let run = |files: &[&Path]| {
        let output = Command::new(common::root().join("packaging/pre-commit/dbdoctor-config"))
            .args(files)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("HOME", folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), told)
    };
    assert_eq!(run(&[&good]), (Some(0), String::new()));
    let (status, told) = run(&[&good, &bad, &good]);
    assert_eq!(status, Some(1));
    assert!(
        told.contains(".env.test: ") && !told.contains("/.env: "),
        "{told}"
    );
    assert!(told.contains("54x2") && !told.contains("hidden"), "{told}");
}
