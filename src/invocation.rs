//! How dbdoctor was called: by its own name, or by kubectl as a plug-in. kubectl runs
//! `kubectl-dbdoctor` for `kubectl dbdoctor`, and where only the plug-in is installed there
//! is no command `dbdoctor` to paste.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

/// The file name that kubectl looks for.
const PLUGIN: &str = "kubectl-dbdoctor";

/// What a user types in place of `dbdoctor`, if anything.
static TYPED: LazyLock<Option<&str>> =
    LazyLock::new(|| std::env::args_os().next().as_deref().and_then(typed));

fn typed(program: &OsStr) -> Option<&'static str> {
    let name = Path::new(program).file_stem()?;
    (name == PLUGIN).then_some("kubectl dbdoctor")
}

/// The command that a user types to run dbdoctor again.
pub fn name() -> &'static str {
    TYPED.unwrap_or("dbdoctor")
}

/// A text with its dbdoctor commands as the user has to type them.
pub fn as_typed(text: &str) -> Cow<'_, str> {
    match *TYPED {
        Some(name) => Cow::Owned(with_name(text, name)),
        None => Cow::Borrowed(text),
    }
}

/// The text with `name` for the program in each command. In a sentence about dbdoctor the
/// program keeps its name.
fn with_name(text: &str, name: &str) -> String {
    const PROGRAM: &str = "dbdoctor";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, after) = (&rest[..at], &rest[at + PROGRAM.len()..]);
        let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || "-_/.@".contains(c));
        // A page's line may end between the two words.
        let is_command = after.starts_with(char::is_whitespace)
            && COMMANDS.iter().any(|command| {
                let arguments = after.trim_start().strip_prefix(command);
                arguments.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
            });
        out.push_str(before);
        out.push_str(if is_word && is_command { name } else { PROGRAM });
        rest = after;
    }
    out + rest
}

/// The subcommands, which tell a command line from a sentence.
const COMMANDS: &[&str] = &[
    "auth",
    "check",
    "completions",
    "config",
    "diff",
    "dns",
    "explain",
    "idle",
    "key",
    "man",
    "schema",
    "sockets",
    "stress",
    "tap",
    "tcp",
    "tls",
    "tunnel",
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_plugin_is_known_by_its_file_name() {
        for plugin in [
            "kubectl-dbdoctor",
            "/home/ops/.krew/bin/kubectl-dbdoctor",
            "kubectl-dbdoctor.exe",
        ] {
            assert_eq!(typed(plugin.as_ref()), Some("kubectl dbdoctor"));
        }
        for own in [
            "dbdoctor",
            "./dbdoctor-1.2",
            "kubectl",
            "kubectl-dbdoctor/x",
            "",
        ] {
            assert_eq!(typed(own.as_ref()), None, "{own}");
        }
    }

    #[test]
    fn commands_are_renamed_and_sentences_are_not() {
        for (text, renamed) in [
            ("dbdoctor explain dns.nxdomain", "K explain dns.nxdomain"),
            ("run `dbdoctor config`, then", "run `K config`, then"),
            (
                "docker logs x | dbdoctor explain -",
                "docker logs x | K explain -",
            ),
            ("sudo dbdoctor check --pid 1", "sudo K check --pid 1"),
            ("dbdoctor\ncheck", "K\ncheck"),
            ("dbdoctor checks the name", "dbdoctor checks the name"),
            (
                "earlier runs of dbdoctor left",
                "earlier runs of dbdoctor left",
            ),
            (
                "/etc/completion.d/dbdoctor check",
                "/etc/completion.d/dbdoctor check",
            ),
            ("dbdoctor: no such file", "dbdoctor: no such file"),
        ] {
            assert_eq!(with_name(text, "K"), renamed);
        }
    }

    #[test]
    fn every_subcommand_is_known() {
        for command in crate::cli::Cli::command().get_subcommands() {
            assert!(
                COMMANDS.contains(&command.get_name()),
                "{}",
                command.get_name()
            );
        }
    }
}
