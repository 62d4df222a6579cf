//! What CI systems read: the action, workflows, pipelines, and the hook of pre-commit.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::command_lines::has_format;
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

/// The job of GitLab's example, with a release from this machine: it installs dbdoctor, keeps
/// its status, and leaves both reports.
#[test]
fn the_job_for_gitlab_installs_and_runs_dbdoctor() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let job = &yaml("examples/gitlab/dbdoctor.gitlab-ci.yml")["dbdoctor"];
    let version = job["variables"]["DBDOCTOR_VERSION"].as_str().unwrap();
    let name = format!("dbdoctor-{version}-x86_64-unknown-linux-gnu");
    let release = root.join(format!("v{version}"));
    std::fs::create_dir_all(release.join(&name)).unwrap();
    std::fs::create_dir(root.join("bin")).unwrap();
    let program = release.join(&name).join("dbdoctor");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dbdoctor"), program).unwrap();
    let pack = "tar -czf $1.tar.gz $1 && sha256sum $1.tar.gz > $1.tar.gz.sha256";
    let packed = Command::new("sh")
        .args(["-c", pack, "sh", &name])
        .current_dir(&release)
        .status();
    assert!(packed.unwrap().success());

    let steps = ["before_script", "script"].map(|part| job[part].as_array().unwrap().clone());
    let steps = steps.iter().flatten().map(|line| line.as_str().unwrap());
    let steps: Vec<String> = steps
        .filter(|line| !line.starts_with("apt-get "))
        .map(|line| line.replace("/usr/local/bin", "\"$HOME/bin\""))
        .map(|line| match has_format("junit") {
            true => line,
            false => line.replace("--format junit", "--format json"),
        })
        .collect();
    let output = Command::new("timeout")
        .args(["60", "sh", "-e", "-c", &steps.join("\n")])
        .current_dir(root)
        .env_clear()
        .env("HOME", root)
        .env("PATH", format!("{}/bin:/usr/bin:/bin", root.display()))
        .env("DBDOCTOR_VERSION", version)
        .env("DBDOCTOR_RELEASES", format!("file://{}", root.display()))
        .env("DATABASE_URL", "postgres://app@127.0.0.1:1/app")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(told.contains("tcp.refused"), "{told}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(root.join("dbdoctor.json")).unwrap()).unwrap();
    assert_eq!(report["verdict"]["cause"], "tcp.refused");
    for file in ["dbdoctor.json", "dbdoctor.xml"] {
        let named = job["artifacts"].to_string().contains(file);
        assert!(named && root.join(file).is_file(), "{file}");
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
