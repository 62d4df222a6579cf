//! The order of the rooms: a file of `src` imports only from rooms below its
//! own, so that the flow goes one way and each can be read without those above.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Every room, from the ground up. A stage is a room of its own; `main.rs` and
/// `lib.rs` stand above all.
const ROOMS: &[&str] = &[
    // Which dbdoctor this is.
    "version",
    // Which run it is about.
    "run_id",
    // What is safe to show, and what is found.
    "invocation",
    "visible",
    "cause",
    "secret",
    "text",
    "finding",
    "report",
    // The machine, and where on it the run looks from.
    "process",
    "vantage",
    "system",
    "host_kind",
    "kubernetes",
    "listeners",
    "sockets",
    "temporary",
    "core_dumps",
    "initial_stack",
    "descriptors",
    "signals",
    "threads",
    // The person in front of it.
    "progress",
    "terminal",
    // What programs print.
    "message",
    // What applications connect with.
    "client",
    // What is asked for.
    "config",
    "token",
    // What is known of who runs it.
    "provider",
    "place",
    "ctx",
    // What carries the bytes, and who answers.
    "wire",
    "peer",
    // The stages of a run.
    "stage",
    "stage/hop",
    "stage/config",
    "stage/key",
    "stage/dns",
    "stage/tcp",
    "stage/ssh",
    "stage/tunnel",
    "stage/protocol",
    "stage/tls",
    "stage/auth",
    "stage/server",
    "pipeline",
    // Connections of applications.
    "forward",
    // Experiments on what a run reached.
    "idle",
    "second_opinion",
    "application",
    // What else can be said, and how it is shown.
    "explain",
    "diff",
    "tap",
    "redact",
    "cli",
    "usage",
    "render",
    "command",
    // What its parsers must hold to.
    "fuzz",
];

#[test]
fn rooms_import_only_from_below() {
    let src = common::root().join("src");
    let mut wrong = BTreeSet::new();
    for path in files(&src) {
        let relative = path.strip_prefix(&src).unwrap();
        let Some(room) = room(relative) else { continue };
        let own = position(&room).unwrap_or_else(|| panic!("src/{room} is in no order"));
        for other in imports(&std::fs::read_to_string(&path).unwrap()) {
            let Some(at) = position(&other) else {
                panic!("{} imports {other}, which is no room", relative.display());
            };
            if at > own {
                wrong.insert(format!("{} imports {other}", relative.display()));
            }
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "these go up:\n{}", wrong.join("\n"));
}

#[test]
fn the_command_line_is_parsed_in_one_place() {
    let src = common::root().join("src");
    for path in files(&src) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let relative = path.strip_prefix(&src).unwrap().to_str().unwrap();
        let parses = ["cli.rs", "usage.rs", "main.rs", "command/generate.rs"].contains(&relative)
            || relative.starts_with("command/complete/");
        assert!(parses || !code.contains("clap"), "{relative} names clap");
    }
}

fn position(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

/// The room that a file is in.
fn room(path: &Path) -> Option<String> {
    let mut parts = path.iter().map(|part| part.to_str().unwrap());
    let first = parts.next()?.trim_end_matches(".rs");
    match (first, parts.next()) {
        ("main" | "lib", _) => None,
        ("stage", Some("mod.rs")) => Some("stage".to_owned()),
        ("stage", Some(stage)) => Some(format!("stage/{}", stage.trim_end_matches(".rs"))),
        _ => Some(first.to_owned()),
    }
}

/// The rooms that a file's code names; its tests may look anywhere.
fn imports(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\bcrate::(?:(stage)::)?(\w+|\{[^;]*?\})").unwrap();
    let first = Regex::new(r"[{,]\s*(\w+)").unwrap();
    let code = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut rooms = BTreeSet::new();
    for found in name.captures_iter(&code) {
        let names: Vec<&str> = match &found[2] {
            list if list.starts_with('{') => first
                .captures_iter(list)
                .map(|found| found.get(1).unwrap().as_str())
                .collect(),
            one => vec![one],
        };
        for name in names {
            let room = match found.get(1) {
                Some(_) if name.starts_with(char::is_lowercase) => format!("stage/{name}"),
                Some(_) => "stage".to_owned(),
                None => name.to_owned(),
            };
            rooms.insert(room);
        }
    }
    rooms
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all
}
