//! `completions`, `man` and `schema`: generated from the one definition of the flags
//! and of what is written.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

use super::{complete, manual_text};
use crate::cli::{Cli, Written};
use crate::diff::Diff;
use crate::explain::Explanation;
use crate::render::json;
use crate::render::targets::TargetsJson;

/// The script that completes dbdoctor's command lines in a shell.
///
/// # Errors
/// Only what writing into memory can fail with.
pub fn completions(shell: Shell) -> io::Result<Vec<u8>> {
    complete::script(&shell.to_string())
}

/// The name of the file that a shell looks for.
pub fn completions_file(shell: Shell) -> String {
    use clap_complete::Generator;
    shell.file_name("dbdoctor")
}

/// The JSON Schema of what dbdoctor writes.
pub fn schema(of: Written) -> Vec<u8> {
    json::object(&match of {
        Written::Report => json::schema(),
        Written::Explain => json::schema_of::<Explanation>(),
        Written::Diff => json::schema_of::<Diff>(),
        Written::Targets => json::schema_of::<TargetsJson>(),
    })
}

/// The manual page of dbdoctor, or of one of its commands; `None` if there is
/// no such command.
///
/// # Errors
/// Only what writing into memory can fail with.
pub fn manual(command: Option<&str>) -> io::Result<Option<Vec<u8>>> {
    let mut root = Cli::command();
    root.build();
    let page = match command {
        None => root,
        Some(name) => match root.find_subcommand(name) {
            Some(sub) => sub.clone(),
            None => return Ok(None),
        },
    };
    page_of(page, command.is_none()).map(Some)
}

fn page_of(command: clap::Command, is_root: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut start = Roff::new();
    introduction(&mut start, &command);
    if is_root {
        commands(&mut start, &command);
    }
    start.to_writer(&mut out)?;
    clap_mangen::Man::new(command.clone()).render_options_section(&mut out)?;
    let mut end = Roff::new();
    if is_root {
        for (heading, text) in manual_text::TOPICS {
            section(&mut end, heading, text);
        }
    }
    examples(&mut end, &command, is_root);
    let takes = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    for (heading, table) in [
        ("ENVIRONMENT", manual_text::VARIABLES),
        ("FILES", manual_text::FILES),
    ] {
        // The main page is about all commands.
        let kept = table.iter().filter(|row| is_root || takes(row.needs));
        let kept: Vec<_> = kept.map(|row| (row.name, row.meaning)).collect();
        if !kept.is_empty() {
            end.control("SH", [heading]);
            rows(&mut end, &kept);
        }
    }
    section(
        &mut end,
        "SEE ALSO",
        &[manual_text::see_also(topic(&command))],
    );
    end.to_writer(&mut out)?;
    Ok(out)
}

/// How a command is called, with dbdoctor's name before its own.
fn called(command: &clap::Command) -> &str {
    command.get_bin_name().unwrap_or("dbdoctor")
}

/// The command's own name, which dbdoctor itself has not.
fn topic(command: &clap::Command) -> &str {
    let called = called(command);
    called.strip_prefix("dbdoctor").unwrap_or_default().trim()
}

/// What a page begins with: its title, its name, how it is called and what it is for.
fn introduction(page: &mut Roff, command: &clap::Command) {
    let title = called(command).replace(' ', "-");
    let version = concat!("dbdoctor ", env!("CARGO_PKG_VERSION"));
    let no_date = "\"\"";
    let heading = title.to_uppercase();
    page.control("TH", [&heading, "1", no_date, version, "dbdoctor manual"]);
    let about = command.get_about().map(ToString::to_string);
    let name = format!("{title} - {}", about.unwrap_or_default());
    section(page, "NAME", &[&name]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(called(command)), roman(synopsis(command))]);
    section(
        page,
        "DESCRIPTION",
        manual_text::description(topic(command)),
    );
}

/// The examples of the help, and the exit statuses: its own, or those of a run.
fn examples(page: &mut Roff, command: &clap::Command, is_root: bool) {
    let after = command.get_after_help().map(ToString::to_string);
    let after = after.unwrap_or_default();
    let (examples, own) = match after.split_once("\n\nExit status: ") {
        Some((examples, statuses)) => (examples, Some(statuses)),
        None => (after.as_str(), None),
    };
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in examples.lines().skip(1) {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    match own.filter(|_| !is_root) {
        Some(statuses) => section(page, "EXIT STATUS", &[&statuses.replace('\n', " ")]),
        None => {
            page.control("SH", ["EXIT STATUS"]);
            rows(page, manual_text::STATUSES);
        }
    }
}

/// A section of paragraphs.
fn section(page: &mut Roff, heading: &str, paragraphs: &[&str]) {
    page.control("SH", [heading]);
    for (at, paragraph) in paragraphs.iter().enumerate() {
        if at > 0 {
            page.control("PP", []);
        }
        page.text([roman(*paragraph)]);
    }
}

/// Terms, each with what it means.
fn rows(page: &mut Roff, rows: &[(&str, &str)]) {
    for (term, meaning) in rows {
        page.control("TP", []);
        page.text([bold(*term)]).text([roman(*meaning)]);
    }
}

/// The commands, by what they are for.
fn commands(page: &mut Roff, root: &clap::Command) {
    page.control("SH", ["COMMANDS"]);
    for (topic, names) in manual_text::COMMANDS {
        page.control("SS", [*topic]);
        for name in *names {
            let command = root.find_subcommand(name);
            let about = command.and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            page.control("TP", []);
            page.text([bold(format!("dbdoctor-{name}")), roman("(1)")]);
            page.text([roman(about)]);
        }
    }
}

/// The part of the usage line after the command's name.
fn synopsis(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let after = usage.split_once(called(command)).map(|(_, after)| after);
    after.unwrap_or_default().trim_end().to_owned()
}
