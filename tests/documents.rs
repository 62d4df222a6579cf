//! The documents: what they tell a reader to type is understood, what they link to is there,
//! and the defaults that they name are the program's.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{CommandFactory, Parser};
use dbdoctor::cause;
use dbdoctor::cli::Cli;
use regex::Regex;

/// The pages that people read, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let root = common::root();
    let mut paths: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(|name| root.join(name))
        .into();
    let docs = fs::read_dir(root.join("docs")).unwrap();
    paths.extend(docs.map(|entry| entry.unwrap().path()));
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The calls of dbdoctor in a line of shell, each up to the shell's next mark.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("dbdoctor ") {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|before| !matches!(before, ' ' | '(' | '/')) {
            continue;
        }
        let mut quote = None;
        let end = line[at..].find(|letter| match (letter, quote) {
            ('\'' | '"', None) => {
                quote = Some(letter);
                false
            }
            (mark, Some(open)) if mark == open => {
                quote = None;
                false
            }
            (letter, None) => matches!(letter, '|' | ';' | '>' | '<' | ')' | '&'),
            _ => false,
        });
        let call = &line[at..end.map_or(line.len(), |end| at + end)];
        found.extend(shlex::split(call));
    }
    found
}

/// The lines of a page's consoles that a reader types, with what is continued joined.
fn typed(text: &str) -> Vec<String> {
    let joined = Regex::new(r"\\\n\s*").unwrap().replace_all(text, "");
    let lines = joined.lines().map(str::trim);
    let prompts = lines.clone().filter_map(|line| line.strip_prefix("$ "));
    let ci = lines.filter_map(|line| line.trim_start_matches("- ").strip_prefix("run: "));
    prompts.chain(ci).map(str::to_owned).collect()
}

#[test]
fn commands_of_the_documents_are_understood() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, text) in pages() {
        for line in typed(&text) {
            for words in calls(&line) {
                seen += 1;
                // The placeholders of the prose are words like any other.
                if let Err(error) = Cli::try_parse_from(&words) {
                    wrong.push(format!("{}: {line}: {error}", path.display()));
                }
            }
            let first = line.split(' ').next().unwrap_or_default();
            if first.starts_with("scripts/") && !common::root().join(first).is_file() {
                wrong.push(format!("{}: there is no {first}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 40, "only {seen} commands are found");
}

/// The commands under "Examples:" in the help of a command.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let (_, examples) = help.split_once("Examples:\n").unwrap_or_default();
    examples
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.trim().split("  ").next().unwrap().to_owned())
        .collect()
}

#[test]
fn examples_of_the_help_are_understood() {
    let root = Cli::command();
    for command in std::iter::once(&root).chain(root.get_subcommands()) {
        let examples = examples(command);
        assert!(
            !examples.is_empty(),
            "{} has no example",
            command.get_name()
        );
        for example in examples {
            let calls = calls(&example);
            assert!(!calls.is_empty(), "{example} calls nothing");
            for words in calls {
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{example}: {error}");
                }
            }
        }
    }
}

#[test]
fn examples_without_a_server_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("bin")).unwrap();
    fs::create_dir_all(at(".zfunc")).unwrap();
    fs::create_dir_all(at(".ssh")).unwrap();
    fs::create_dir_all(at(".config/fish/completions")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dbdoctor"), at("bin/dbdoctor")).unwrap();
    fs::write(at(".pg_service.conf"), "[orders]\nhost=db.example.com\n").unwrap();
    fs::write(
        at(".env"),
        "DATABASE_URL=postgres://app@db.example.com/orders\n",
    )
    .unwrap();
    for key in ["deploy_key", ".ssh/id_ed25519"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at(key))
            .status();
        assert!(made.unwrap().success());
    }
    // What the examples with a driver verify against.
    fs::create_dir_all(at(".postgresql")).unwrap();
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca",
        ])
        .args(["-keyout", "/dev/null", "-out"])
        .arg(at(".postgresql/root.crt"))
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    // An editor on Windows damaged it.
    let key = fs::read_to_string(at("deploy_key")).unwrap();
    fs::write(at("deploy_key"), key.replace('\n', "\r\n")).unwrap();
    for report in ["laptop.json", "ci.json"] {
        let words = ["config", "--json", "-h", "db.example.com", "-o", report];
        let made = Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
            .args(words)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
    }
    let elsewhere = ["/etc/", "--pid", "--ssh", "ssh ci", "kubectl", "man -l"];
    let mut ran = 0;
    for name in ["config", "key", "explain", "diff", "completions", "man"] {
        let root = Cli::command();
        for example in examples(root.find_subcommand(name).unwrap()) {
            if elsewhere.iter().any(|word| example.contains(word)) {
                continue;
            }
            let output = Command::new("bash")
                .args(["-c", &example])
                .env_clear()
                .env("HOME", folder.path())
                .env("PATH", format!("{}:/usr/bin:/bin", at("bin").display()))
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            ran += 1;
            let status = output.status.code();
            let error = String::from_utf8_lossy(&output.stderr);
            // A damaged key is a cause that is found.
            let expected = if example.contains("deploy_key") { 1 } else { 0 };
            assert!(
                status == Some(0) || status == Some(expected),
                "{example}: {status:?} {error}"
            );
        }
    }
    assert!(ran > 12, "only {ran} ran");
}

/// What jq makes of a report.
fn jq(words: &[String], report: &[u8]) -> (Option<i32>, String) {
    let mut child = Command::new("jq")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(report).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code(), text)
}

/// Each recipe is tried on the reports of real runs, and on what `config` and `explain` print.
#[test]
fn recipes_of_jq_work() {
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
        let command = command.args(words).env("PGHOST", "db.example.com");
        command.output().unwrap().stdout
    };
    let transcripts = common::root().join("tests/transcripts");
    let folders = fs::read_dir(transcripts)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let reports: Vec<Vec<u8>> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(reports.len() >= 3);
    let mut tried = 0;
    for line in typed(&fs::read_to_string(common::root().join("docs/json.md")).unwrap()) {
        let Some((command, recipe)) = line.split_once(" | jq ") else {
            continue;
        };
        tried += 1;
        let words = shlex::split(recipe).unwrap();
        let inputs = match command.split(' ').nth(1) {
            Some("explain") => vec![run(&["explain", "--json", "connection refused", "5432"])],
            Some("config") => vec![run(&["config", "--json", "-h", "db.example.org"])],
            _ => reports.clone(),
        };
        let mut said = false;
        for input in inputs {
            let (status, text) = jq(&words, &input);
            assert!(matches!(status, Some(0 | 1)), "{line}: {text}");
            said |= !matches!(text.trim(), "" | "null");
        }
        assert!(said, "{line}: nothing comes of it");
    }
    assert!(tried > 6, "only {tried} recipes are found");
}

/// Facts that the program reports, by the calls in its source.
#[test]
fn every_fact_is_explained() {
    let page = fs::read_to_string(common::root().join("docs/json.md")).unwrap();
    let call =
        Regex::new(r#"(?:\.fact\(|facts\.insert\(|Observation::Fact\()\s*"([a-z_]+)""#).unwrap();
    let mut folders = vec![common::root().join("src")];
    let (mut seen, mut wrong) = (0, BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for found in call.captures_iter(&text) {
                seen += 1;
                if !page.contains(&format!("`{}`", &found[1])) {
                    wrong.insert(found[1].to_owned());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "docs/json.md does not explain {wrong:?}");
    assert!(seen > 100, "only {seen} facts are found");
}

#[test]
fn numbers_of_the_readme_hold() {
    let readme = fs::read_to_string(common::root().join("README.md")).unwrap();
    assert!(readme.contains("Over 300 causes") && cause::all().count() > 300);
    let drivers = dbdoctor::client::Profile::all().count();
    assert!(
        readme.contains("seventeen drivers") && drivers == 17,
        "{drivers}"
    );
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let lines = text.lines();
    let headings = lines.filter_map(|line| line.strip_prefix('#'));
    let named = Regex::new(r#"<a id="([^"]+)">"#).unwrap();
    let named = named.captures_iter(text).map(|found| found[1].to_owned());
    headings
        .map(|heading| anchor(heading.trim_start_matches('#')))
        .chain(named)
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        for found in link.captures_iter(&text) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let to = match file {
                "" => path.clone(),
                file => path.parent().unwrap_or(Path::new("")).join(file),
            };
            let there = match heading {
                "" => to.exists(),
                heading => {
                    fs::read_to_string(&to).is_ok_and(|text| anchors(&text).contains(heading))
                }
            };
            if !there {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_of_the_catalogue() {
    let code = Regex::new(r"dbdoctor explain ([a-z]+(?:\.[a-z0-9-]+)+)").unwrap();
    let mut seen = 0;
    for (path, text) in pages() {
        for found in code.captures_iter(&text) {
            seen += 1;
            let code = &found[1];
            assert!(cause::find(code).is_some(), "{}: {code}", path.display());
        }
    }
    assert!(seen > 3, "only {seen} codes are found");
}

/// The defaults of a flag, over all commands: clap's own, and those that its help names.
fn defaults(flag: &str) -> BTreeSet<String> {
    let named = Regex::new(r"\[default: ([^\]]+)\]").unwrap();
    let root = Cli::command();
    let mut found = BTreeSet::new();
    for arg in root
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
    {
        if arg.get_long() == Some(flag) {
            let own = arg.get_default_values().iter();
            found.extend(own.map(|value| value.to_string_lossy().into_owned()));
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            found.extend(named.captures(&help).map(|it| it[1].to_owned()));
        }
    }
    found
}

#[test]
fn defaults_are_the_programs() {
    let claim = Regex::new(r"`--([a-z-]+)[^`]*`\s+\(default:?\s+`?([^`)]+)`?\)").unwrap();
    let mut seen = 0;
    for (path, text) in pages() {
        let text = text.replace('\n', " ");
        for found in claim.captures_iter(&text) {
            seen += 1;
            let known = defaults(&found[1]);
            assert!(
                known.contains(found[2].trim()),
                "{}: --{} has {known:?}, not {}",
                path.display(),
                &found[1],
                &found[2]
            );
        }
    }
    assert!(seen > 4, "only {seen} defaults are found");
}

#[test]
fn flags_of_the_documents_exist() {
    let root = Cli::command();
    let mut known: BTreeSet<String> = BTreeSet::from(["version".to_owned()]);
    for command in std::iter::once(&root).chain(root.get_subcommands()) {
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        known.extend(flags.map(str::to_owned));
    }
    let flag = Regex::new(r"`(--[a-z-]+)").unwrap();
    for (path, text) in pages() {
        let others = ["docs/causes.md", "docs/compare.md", "CONTRIBUTING.md"];
        if others.iter().any(|page| path.ends_with(page)) {
            continue; // They name the flags of other programs.
        }
        for found in flag.captures_iter(&text) {
            let name = found[1].trim_start_matches('-').trim_end_matches('-');
            let whole = known.contains(name) || known.iter().any(|it| it.starts_with(name));
            let other = ["preload", "noninteractive"];
            assert!(
                name.is_empty() || whole || other.contains(&name),
                "{}: {} is no flag",
                path.display(),
                &found[1]
            );
        }
    }
}
