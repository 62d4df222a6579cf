//! The command lines of documents and examples are ones that dbdoctor takes.

use clap::{CommandFactory, Parser};
use dbdoctor::cli::Cli;
use regex::Regex;

use crate::kubernetes::{containers, is_ours, pod_spec};
use crate::{files, read, yaml};

/// The commands of dbdoctor in a text: in consoles and scripts, and in YAML.
fn commands(text: &str) -> Vec<Vec<String>> {
    // Comments have command lines too.
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("# "));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().flat_map(commands_of_line).collect()
}

fn commands_of_line(line: &str) -> Vec<Vec<String>> {
    // Quotes of the language around the command line.
    let line = line.trim().trim_start_matches("- ");
    let line = match line.strip_prefix("sh '") {
        Some(rest) => rest.trim_end_matches('\''),
        None => line,
    };
    // The whole is quoted for a shell; a substitution has a shell's words in it.
    let line = line.replace("$(", " ; ").replace(')', " ; ");
    let words = shlex::split(&line).unwrap_or_default();
    let known: Vec<String> = Cli::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_program =
            word.rsplit(['/', '=']).next() == Some("dbdoctor") || word.contains("/dbdoctor:");
        if is_program && words.get(at + 1).is_some_and(|next| known.contains(next)) {
            let rest = words[at + 1..].iter();
            let own = rest.take_while(|word| {
                !["|", "||", "&&", ";"].contains(&word.as_str()) && !word.contains('>')
            });
            found.push(
                own.map(|word| word.trim_end_matches(';').to_owned())
                    .collect(),
            );
        }
    }
    found
}

#[test]
fn command_lines_are_found() {
    for (line, command) in [
        ("$ dbdoctor check -h db", &["check", "-h", "db"][..]),
        ("  ExecStart=/usr/bin/dbdoctor check -w", &["check", "-w"]),
        (
            "- dbdoctor check -o a > b || { exit 1; }",
            &["check", "-o", "a"],
        ),
        ("sh 'dbdoctor tls > x'", &["tls"]),
        (
            "$ kubectl logs x | kubectl dbdoctor explain -",
            &["explain", "-"],
        ),
        ("$ podman run registry/dbdoctor:1 check", &["check"]),
        (
            "*/5 * * * * out=$(dbdoctor check -q 2>&1) || echo",
            &["check", "-q"],
        ),
    ] {
        assert_eq!(commands(line), [command], "{line}");
    }
    assert!(commands("kubectl logs job/dbdoctor").is_empty());
}

/// Whether this build has an output format.
pub fn has_format(name: &str) -> bool {
    let known = Cli::command();
    let check = known.find_subcommand("check").unwrap();
    let format = check
        .get_arguments()
        .find(|it| it.get_long() == Some("format"));
    let formats = format.unwrap().get_possible_values();
    formats.iter().any(|it| it.matches(name, false))
}

/// The formats and thresholds of the contract may be in no build yet: then a command line is
/// checked without them.
fn as_built(words: Vec<String>) -> Vec<String> {
    let known = Cli::command();
    let check = known.find_subcommand("check").unwrap();
    let has = |flag: &str| {
        let mut arguments = check.get_arguments();
        arguments.any(|it| it.get_long() == flag.strip_prefix("--"))
    };
    let mut built = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--warn-cert-days" | "--fail-cert-days" | "--warn-latency" if !has(&word) => {
                words.next();
            }
            "markdown" | "junit" | "github" | "nagios" | "prometheus" if !has_format(&word) => {
                built.push("json".to_owned());
            }
            _ => built.push(word),
        }
    }
    built
}

/// Every command line of a file has to be one that dbdoctor takes.
fn are_taken(name: &str, commands: Vec<Vec<String>>, least: usize) {
    assert!(commands.len() >= least, "{name} has only {commands:?}");
    for command in commands {
        let command = as_built(command);
        let words = std::iter::once("dbdoctor").chain(command.iter().map(String::as_str));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{name}: {}: {error}", command.join(" "));
        }
    }
}

#[test]
fn commands_of_documents_and_examples_are_understood() {
    for (document, least) in [("docs/ci.md", 12), ("docs/kubernetes.md", 4)] {
        let text = read(document);
        let consoles = text.split("```").skip(1).step_by(2).collect::<String>();
        are_taken(document, commands(&consoles), least);
    }
    for (example, least) in [
        ("examples/systemd/dbdoctor-metrics@.service", 1),
        ("examples/gitlab/dbdoctor.gitlab-ci.yml", 1),
        ("examples/kubernetes/debug-container.yaml", 1),
        ("Containerfile", 1),
        ("packaging/krew/dbdoctor.yaml", 2),
    ] {
        are_taken(example, commands(&read(example)), least);
    }
    for path in files("examples/kubernetes") {
        let object = yaml(&path);
        for (container, _) in containers(pod_spec(&object)) {
            if is_ours(container) {
                let args = container["args"].as_array().unwrap();
                let args = args.iter().map(|arg| arg.as_str().unwrap().to_owned());
                are_taken(&path.display().to_string(), vec![args.collect()], 1);
            }
        }
    }
    // The arguments that Icinga adds, and those of the action.
    let document = read("docs/ci.md");
    let flag = Regex::new(r#""(--[a-z-]+)" = "#).unwrap();
    for found in flag.captures_iter(&document) {
        let value = if found[1].contains("latency") {
            "1s"
        } else {
            "7"
        };
        let words = ["check", &found[1], value].map(str::to_owned).to_vec();
        are_taken("docs/ci.md", vec![words], 1);
    }
    let action_args = Regex::new(r"(?m)^\s+args: (--.*)$").unwrap();
    for text in [&document, &read("examples/github/database.yml")] {
        let found: Vec<_> = action_args.captures_iter(text).collect();
        assert!(!found.is_empty());
        for found in found {
            let mut words = vec!["check".to_owned()];
            words.extend(shlex::split(&found[1]).unwrap());
            are_taken("args of the action", vec![words], 1);
        }
    }
}
