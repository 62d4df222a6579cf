//! The README's commands: what it shows must exist.

mod common;

use clap::Parser;
use dbdoctor::cause;
use dbdoctor::cli::Cli;

/// The command lines of the README's consoles, with what is continued joined.
fn commands(readme: &str) -> Vec<String> {
    let joined = readme.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("$ "));
    let ci = joined
        .lines()
        .filter_map(|line| line.trim().strip_prefix("run: "));
    lines.chain(ci).map(str::to_owned).collect()
}

#[test]
fn commands_are_understood() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!(commands.len() > 10);
    let mut ours = 0;
    for command in commands {
        let words = shlex::split(&command).unwrap();
        if words[0] == "dbdoctor" {
            ours += 1;
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{command}: {error}");
            }
        } else if words[0].starts_with("scripts/") {
            assert!(common::root().join(&words[0]).is_file(), "{command}");
        }
    }
    assert!(ours > 5);
}

#[test]
fn commands_of_the_table_exist() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    use clap::CommandFactory;
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("| `{name}` |"))
                || readme.contains(&format!("dbdoctor {name}")),
            "{name} is not in the README"
        );
    }
}

#[test]
fn links_and_codes_lead_somewhere() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    for link in readme.split("](").skip(1) {
        let target = link.split(')').next().unwrap_or_default();
        if !target.contains("://") {
            assert!(common::root().join(target).exists(), "{target}");
        }
    }
    for line in readme.lines() {
        if let Some(code) = line.trim().strip_prefix("Details") {
            let code = code.trim().strip_prefix("dbdoctor explain ").unwrap();
            assert!(cause::find(code).is_some(), "{code}");
        }
    }
}
