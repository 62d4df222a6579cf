//! `completions`, `man` and `schema`: generated from the one definition of the flags
//! and of what is written.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{Cli, Written};
use crate::diff::Diff;
use crate::explain::Explanation;
use crate::render::json;

/// The completions of a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dbdoctor", &mut out);
    out
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
    let called = command.get_bin_name().unwrap_or("dbdoctor").to_owned();
    let usage = synopsis(&command, &called);
    let examples = command.get_after_help().map(ToString::to_string);
    let title = called.replace(' ', "-");
    let man = clap_mangen::Man::new(command.name(title.clone()).after_help(""))
        .title(title.to_uppercase())
        .manual("dbdoctor");

    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    Roff::new()
        .control("SH", ["SYNOPSIS"])
        .text([bold(&called), roman(usage)])
        .to_writer(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if is_root {
        man.render_subcommands_section(&mut out)?;
    }
    let mut end = Roff::new();
    if let Some(examples) = examples {
        let examples = examples.split("\n\nExit status").next().unwrap_or_default();
        end.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.lines().skip(1) {
            end.text([roman(line)]);
        }
        end.control("fi", []);
    }
    end.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in STATUSES {
        end.control("TP", []);
        end.text([bold(*status)]).text([roman(*meaning)]);
    }
    if is_root {
        end.control("SH", ["ENVIRONMENT"]);
        for (name, meaning) in VARIABLES {
            end.control("TP", []);
            end.text([bold(*name)]).text([roman(*meaning)]);
        }
    } else {
        end.control("SH", ["SEE ALSO"]);
        end.text([bold("dbdoctor"), roman("(1)")]);
    }
    end.to_writer(&mut out)?;
    Ok(out)
}

/// The part of the usage line after the command's name.
fn synopsis(command: &clap::Command, called: &str) -> String {
    let usage = command.clone().render_usage().to_string();
    let after = usage.split_once(called).map(|(_, after)| after);
    after.unwrap_or_default().trim_end().to_owned()
}

const STATUSES: &[(&str, &str)] = &[
    (
        "0",
        "no stage failed; warnings are allowed unless --fail-on warn",
    ),
    ("1", "a cause was found"),
    ("2", "usage error, or the report could not be written"),
    ("3", "internal error in dbdoctor"),
    ("130", "interrupted; the partial report was printed"),
];

const VARIABLES: &[(&str, &str)] = &[
    ("DATABASE_URL", "the target, if the command line gives none"),
    ("PGHOST, PGPORT, PGUSER, ...", "as libpq reads them"),
    (
        "DBDOCTOR_SSH_PASSPHRASE",
        "the passphrase for SSH keys; if empty, no passphrase",
    ),
    ("DBDOCTOR_SSH_PASSWORD", "the password for SSH servers"),
    ("SSH_AUTH_SOCK", "the SSH agent"),
    ("NO_COLOR, CLICOLOR_FORCE", "never, always use colour"),
];
