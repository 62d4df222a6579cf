//! Completions in the shell: what may come next on a command line.
//!
//! A script of a few lines registers dbdoctor with the shell (`dbdoctor completions SHELL`),
//! and calls dbdoctor itself at every TAB. So the flags are those of the installed version,
//! and values that no script can know are offered too: the hosts of the SSH configuration,
//! the services, the key files. Nothing is contacted, and no command that a configuration
//! names is run.

mod bash;
mod key_files;
mod line;
mod quoted;
mod target;
mod values;

use std::ffi::{OsStr, OsString};
use std::io;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, PathCompleter};
use clap_complete::env::{Elvish, Powershell, Shells};

use crate::cli::Cli;

/// The variable in which a script names its shell.
const VARIABLE: &str = "DBDOCTOR_COMPLETE";

const SHELLS: Shells<'static> = Shells(&[
    &bash::Bash,
    &Elvish,
    &quoted::Fish,
    &Powershell,
    &quoted::Zsh,
]);

/// The script that registers dbdoctor with this shell.
///
/// # Errors
/// Only what writing into memory can fail with, and a shell that is not known.
pub fn script(shell: &str) -> io::Result<Vec<u8>> {
    let adapter = SHELLS.completer(shell);
    let adapter = adapter.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let mut out = Vec::new();
    adapter.write_registration(VARIABLE, "dbdoctor", "dbdoctor", "dbdoctor", &mut out)?;
    Ok(out)
}

/// The answer to a script of a shell that asks what may come next; `None` in every other run.
pub fn answer() -> Option<Vec<u8>> {
    let shell = std::env::var(VARIABLE).ok()?;
    let adapter = SHELLS.completer(&shell)?;
    // The scripts call it so, and no other call begins with two dashes.
    let mut words = std::env::args_os().skip(1);
    words.next().filter(|first| first == "--")?;
    let words: Vec<OsString> = words.collect();
    let folder = std::env::current_dir().ok();
    let mut command = commands(&words);
    let mut out = Vec::new();
    // A shell has nothing to do with an error in the middle of a line: it offers nothing.
    let _ = adapter.write_complete(&mut command, words, folder.as_deref(), &mut out);
    Some(out)
}

/// The commands, each value with what completes it.
fn commands(words: &[OsString]) -> Command {
    let config = value_of("--ssh-config", words);
    Cli::command().mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        let config = config.clone();
        command.mut_args(move |arg| completed(&name, arg, config.as_deref()))
    })
}

/// An argument with what completes its value, beyond what its type says.
fn completed(command: &str, arg: Arg, ssh_config: Option<&OsStr>) -> Arg {
    match (command, arg.get_id().as_str()) {
        (_, "driver") => arg.add(ArgValueCandidates::new(values::drivers)),
        (_, "target" | "url" | "dbname") => arg.add(ArgValueCompleter::new(target::complete)),
        (_, "ssh") => {
            let config = ssh_config.map(OsStr::to_owned);
            let hosts = move |current: &OsStr| values::ssh_hosts(current, config.as_deref());
            arg.add(ArgValueCompleter::new(hosts))
        }
        ("key", "path") | (_, "ssh_key") => arg.add(ArgValueCompleter::new(key_files::complete)),
        ("explain", "what") => arg.add(ArgValueCandidates::new(values::codes)),
        ("man", "command") => arg.add(ArgValueCandidates::new(values::commands)),
        (_, "command") => arg.add(ArgValueCompleter::new(PathCompleter::any())),
        _ => arg,
    }
}

/// The value of a flag on the line as the shell split it; bash makes a word of `=` too.
fn value_of(flag: &str, words: &[OsString]) -> Option<OsString> {
    let mut words = words.iter().skip_while(|word| {
        let word = word.to_string_lossy();
        word != flag && !word.starts_with(&format!("{flag}="))
    });
    match words.next()?.to_string_lossy().split_once('=') {
        Some((_, value)) => Some(value.into()),
        None => words.find(|word| *word != "=").cloned(),
    }
}
