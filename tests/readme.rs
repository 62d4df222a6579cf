//! The README: its transcripts are real runs, and it names every command. What it tells a
//! reader to type is held to the program by `tests/documents.rs`.

mod common;

use clap::CommandFactory;
use dbdoctor::cli::Cli;

/// The README with every transcript as the program prints it today: the command stays, what is
/// shown below it is rendered from the committed report of a real run.
fn rendered(readme: &str) -> String {
    const MARK: &str = "<!-- transcript: ";
    const FENCE: &str = "```console\n";
    let mut parts = readme.split(MARK);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->\n").unwrap();
        let block = rest.strip_prefix(FENCE).unwrap();
        let (block, after) = block.split_once("\n```\n").unwrap();
        let continued = block
            .lines()
            .take_while(|line| line.ends_with('\\'))
            .count();
        let command: Vec<&str> = block.lines().take(continued + 1).collect();
        let shown = common::transcript::shown(name);
        out.push_str(&format!(
            "{MARK}{name} -->\n{FENCE}{}\n{}\n```\n{after}",
            command.join("\n"),
            shown.trim_end()
        ));
    }
    out
}

#[test]
fn transcripts_are_what_the_program_prints() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    assert_eq!(readme.matches("<!-- transcript: ").count(), 3);
    common::compare("README.md", rendered(&readme).as_bytes());
}

#[test]
fn it_answers_in_sixty_lines_and_names_every_command() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    let (sells, _) = readme.split_once("<!-- transcript: ").unwrap();
    assert!(
        sells.lines().count() <= 14,
        "the first transcript comes late"
    );
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("`{name}`")) || readme.contains(&format!("dbdoctor {name}")),
            "{name} is not in the README"
        );
    }
}
