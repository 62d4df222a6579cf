//! The texts that people read are spelt right and use the usual phrases: pages,
//! documents and help.

mod common;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::CommandFactory;
use dbdoctor::cli::Cli;
use regex::Regex;
use unicase::UniCase;

/// What the dictionary takes for a misspelling, and is none here.
const KNOWN: &[&str] = &[];

/// Every text, with the name of where it stands.
fn texts() -> Vec<(String, String)> {
    let root = common::root();
    let mut files: Vec<PathBuf> = ["causes", "docs", "."]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .collect();
    files.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    let mut texts: Vec<(String, String)> = files
        .iter()
        .map(|path| (name(path), std::fs::read_to_string(path).unwrap()))
        .collect();
    let mut command = Cli::command();
    command.build();
    help(&command, "dbdoctor", &mut texts);
    texts
}

/// The help of a command and of those below it.
fn help(command: &clap::Command, called: &str, texts: &mut Vec<(String, String)>) {
    let text = command.clone().render_long_help().to_string();
    texts.push((format!("{called} --help"), text));
    for sub in command.get_subcommands() {
        help(sub, &format!("{called} {}", sub.get_name()), texts);
    }
}

/// The lines of prose: nothing fenced or quoted, no addresses.
fn prose(text: &str) -> Vec<(usize, String)> {
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"`[^`]*`|"[^"]*"|\bhttps?://\S+|\{[a-z_]+"#).unwrap());
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((at + 1, QUOTED.replace_all(line, " ").into_owned()));
        }
    }
    lines
}

/// Fails with every line that `wrong` objects to.
fn check(wrong: impl Fn(&str) -> Vec<String>) {
    let mut found = Vec::new();
    for (name, text) in texts() {
        for (line, prose) in prose(&text) {
            let all = wrong(&prose);
            found.extend(all.into_iter().map(|what| format!("{name}:{line}: {what}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn words_are_spelt_right() {
    let word = Regex::new(r"[A-Za-z]+").unwrap();
    let better = |word: &str| typos_dict::WORD.find(&UniCase::new(word));
    assert!(better("recieve").is_some(), "the dictionary is empty");
    check(|line| {
        let words = word.find_iter(line).map(|found| found.as_str());
        words
            .filter(|word| !KNOWN.contains(word))
            .filter_map(|word| Some(format!("{word}: {}", better(word)?.join(", "))))
            .collect()
    });
}

#[test]
fn phrases_are_the_usual_ones() {
    let list = std::fs::read_to_string(common::root().join("tests/data/phrases.txt")).unwrap();
    let list: Vec<(Regex, &str)> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap())
        .map(|(phrase, better)| (Regex::new(&format!("(?i){phrase}")).unwrap(), better))
        .collect();
    assert!(
        list.iter()
            .any(|(phrase, _)| phrase.is_match("Look whether it runs"))
    );
    check(|line| {
        list.iter()
            .filter_map(|(phrase, better)| {
                Some(format!("{:?}: {better}", phrase.find(line)?.as_str()))
            })
            .collect()
    });
}
