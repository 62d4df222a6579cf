//! `completions` and `man`: generated from the one definition of the flags.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

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
            Some(sub) => {
                let full = format!("dbdoctor-{}", sub.get_name());
                sub.clone().name(full.clone()).bin_name(full)
            }
            None => return Ok(None),
        },
    };
    let mut out = Vec::new();
    clap_mangen::Man::new(page).render(&mut out)?;
    Ok(Some(out))
}
