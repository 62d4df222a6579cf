//! What became of the command that should have reached the server
//! (`ProxyCommand`): missing, ended, silent, or not speaking SSH.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::classify::{about, is_ours};
use super::identification::who;
use crate::cause;
use crate::config::Hop;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::system::System;
use crate::text;
use crate::wire::command::CommandLog;

/// How long its end may come after the end of what it prints.
const AFTERWORD: Duration = Duration::from_millis(500);
/// The shell's own statuses (POSIX, "Exit Status for Commands").
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Programs, their words, and what to do.
const KNOWN: &str = include_str!("../../../knowledge/proxy-commands.tsv");

/// The user's shell cannot be started.
pub fn no_shell(hop: &Hop, error: &io::Error, surroundings: &System) -> Finding {
    let shell = surroundings.var("SHELL").unwrap_or_default();
    named(&cause::ssh::PROXY_COMMAND_MISSING, hop)
        .with("program", shell)
        .with("said", error.to_string())
        .fix(
            "Set SHELL to a shell that exists: ssh runs the command with it.",
            None,
        )
}

/// There was no identification. None where the far end spoke like an SSH
/// server, and is to be judged like any other.
pub async fn unheard(
    hop: &Hop,
    log: &CommandLog,
    over: bool,
    bytes: &[u8],
    ctx: &Ctx,
) -> Option<Finding> {
    if !bytes.is_empty() && (is_ours(bytes) || b"SSH-".starts_with(bytes)) {
        return None;
    }
    let ended = match over {
        true => log.ended(Instant::now() + AFTERWORD).await,
        false => None,
    };
    let failed = ended.is_some_and(|status| !status.success());
    let said = match bytes {
        [] => log.words(),
        // A program may complain on either stream.
        bytes if failed => join(&log.words(), &text::clean_first_bytes(bytes, 400)),
        _ => log.words(),
    };
    let finding = match ended {
        Some(status) if matches!(status.code(), Some(NOT_EXECUTABLE | NOT_FOUND)) => {
            let program = missing(&said).unwrap_or_else(|| first_word(hop));
            named(&cause::ssh::PROXY_COMMAND_MISSING, hop)
                .with("program", program.to_owned())
                .with("status", status.code())
        }
        _ if !bytes.is_empty() && (!failed || who(bytes) != who(b"")) => {
            named(&cause::ssh::PROXY_COMMAND_OUTPUT, hop)
                .with("what", who(bytes))
                .with("bytes", text::clean_first_bytes(bytes, 120))
        }
        Some(status) => ended_with(named(&cause::ssh::PROXY_COMMAND_EXIT, hop), status),
        None if over => named(&cause::ssh::PROXY_COMMAND_EXIT, hop).with("ending", "output closed"),
        None => named(&cause::ssh::PROXY_COMMAND_SILENT, hop)
            .with("timeout_s", ctx.timeout.as_secs_f64()),
    };
    Some(worded(finding, hop, &said))
}

/// A session that was lost with the command that carried it.
pub async fn explain(finding: Finding, hop: &Hop, log: &CommandLog) -> Finding {
    if !finding
        .cause
        .is_any(&[&cause::ssh::DISCONNECTED, &cause::ssh::CLOSED])
    {
        return finding;
    }
    match log.ended(Instant::now() + AFTERWORD).await {
        Some(status) if !status.success() => {
            let own = ended_with(named(&cause::ssh::PROXY_COMMAND_EXIT, hop), status);
            worded(own, hop, &log.words())
        }
        _ => finding,
    }
}

fn named(cause: &'static cause::Cause, hop: &Hop) -> Finding {
    // The port and the user are the command's business.
    let finding = about(cause, hop).without(&["port", "user"]);
    match &hop.proxy_command {
        Some(command) => finding
            .with("file", command.file.clone())
            .with("line", command.number),
        None => finding,
    }
}

fn ended_with(finding: Finding, status: ExitStatus) -> Finding {
    finding
        .with("ending", ending(status))
        .with("status", status.code())
}

/// How a program ended: `status 3`, `SIGTERM`.
pub fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => signal.as_str().to_owned(),
            Err(_) => format!("signal {signal}"),
        },
        (None, None) => "unknown status".to_owned(),
    }
}

/// Its words, and what they mean.
fn worded(finding: Finding, hop: &Hop, said: &str) -> Finding {
    let missing = finding.cause == &cause::ssh::PROXY_COMMAND_MISSING;
    let program = finding.evidence.get("program").and_then(|p| p.as_str());
    let programs = match program.filter(|_| missing) {
        Some(program) => words(program),
        None => words(line(hop)),
    };
    let fix = match missing {
        true => known().find(|row| row.is_about(&programs) && row.text == "-"),
        false => known().find(|row| row.is_about(&programs) && row.fits(said)),
    };
    let finding = match fix {
        Some(row) => finding.fix(row.fix, None),
        None => finding,
    };
    match said {
        "" => finding,
        said => finding.with("said", said.to_owned()),
    }
}

fn join(one: &str, other: &str) -> String {
    [one, other]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

fn line(hop: &Hop) -> &str {
    hop.proxy_command
        .as_ref()
        .map_or("", |command| command.line.as_str())
}

/// The program that a command begins with, behind the variables that it sets.
fn first_word(hop: &Hop) -> &str {
    let mut words = line(hop).split_whitespace();
    let word = words.find(|word| !word.contains('=') && *word != "env");
    word.map_or("", |word| word.trim_matches(['"', '\'']))
}

/// The names in a command that may be programs, without their directories.
fn words(line: &str) -> Vec<&str> {
    line.split(|c: char| c.is_whitespace() || "\"'`;|&()".contains(c))
        .filter_map(|word| word.rsplit('/').next())
        .filter(|word| !word.is_empty())
        .collect()
}

/// The program that a shell could not run, from its words: `sh: 1: x: not
/// found` (dash), `sh: line 1: x: command not found` (bash), `zsh:1: command
/// not found: x`, `fish: Unknown command: x`, `x: Permission denied`.
fn missing(said: &str) -> Option<&str> {
    let word =
        |text: &'_ str| -> Option<usize> { text.find(|c: char| c.is_whitespace() || c == ';') };
    for before in [
        "command not found: ",
        "Unknown command: ",
        "permission denied: ",
    ] {
        if let Some((_, rest)) = said.split_once(before) {
            return rest.get(..word(rest).unwrap_or(rest.len()));
        }
    }
    for behind in [
        ": command not found",
        ": not found",
        ": No such file or directory",
        ": cannot execute: No such file",
        ": Permission denied",
        ": cannot execute",
    ] {
        if let Some((rest, _)) = said.split_once(behind) {
            let at = rest
                .rfind(|c: char| c.is_whitespace())
                .map_or(0, |at| at + 1);
            return rest.get(at..).filter(|word| !word.is_empty());
        }
    }
    None
}

/// A row of the table.
struct KnownWords {
    programs: &'static str,
    text: &'static str,
    fix: &'static str,
}

impl KnownWords {
    fn is_about(&self, words: &[&str]) -> bool {
        self.programs
            .split(',')
            .any(|program| words.contains(&program))
    }

    fn fits(&self, said: &str) -> bool {
        self.text != "-" && said.to_lowercase().contains(&self.text.to_lowercase())
    }
}

fn known() -> impl Iterator<Item = KnownWords> {
    let rows = KNOWN.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut columns = row.split('\t');
        Some(KnownWords {
            programs: columns.next()?,
            text: columns.next()?,
            fix: columns.next()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_can_be_reached() {
        let rows = KNOWN
            .lines()
            .filter(|row| !row.is_empty() && !row.starts_with('#'));
        let mut before: Vec<Vec<&str>> = Vec::new();
        for row in rows {
            let columns: Vec<&str> = row.split('\t').collect();
            let [programs, text, fix, source] = columns.as_slice() else {
                panic!("{row}");
            };
            assert!(fix.ends_with(['.', ':']) && source.len() > 3, "{row}");
            let hidden = before.iter().any(|earlier| {
                earlier[0] == *programs
                    && earlier[1] != "-"
                    && text.to_lowercase().contains(&earlier[1].to_lowercase())
            });
            assert!(!hidden, "a row before it takes all: {row}");
            before.push(columns);
        }
        assert!(before.len() > 30);
    }

    #[test]
    fn shells_name_what_they_cannot_run() {
        for (said, program) in [
            ("/bin/sh: 1: exec: nowhere: not found", "nowhere"),
            ("bash: line 1: exec: nowhere: not found", "nowhere"),
            ("bash: line 1: nowhere: command not found", "nowhere"),
            ("zsh:1: command not found: nowhere", "nowhere"),
            ("fish: Unknown command: nowhere fish:", "nowhere"),
            ("/bin/sh: 1: exec: /opt/x: Permission denied", "/opt/x"),
            ("bash: line 1: /opt/x: No such file or directory", "/opt/x"),
        ] {
            assert_eq!(missing(said), Some(program), "{said}");
        }
        assert_eq!(missing("it went wrong"), None);
    }

    #[test]
    fn programs_are_found_in_what_a_command_says() {
        let line = "sh -c \"AWS_PROFILE=x /usr/local/bin/aws ssm start-session --target h\"";
        let found = |said: &str| {
            let row = known().find(|row| row.is_about(&words(line)) && row.fits(said));
            row.map(|row| row.fix)
        };
        let plugin = found("SessionManagerPlugin is not found. Please refer to").unwrap();
        assert!(plugin.contains("Session Manager plugin"));
        let target = found("An error occurred (TargetNotConnected) when calling the StartSession");
        assert!(target.unwrap().contains("SSM agent"));
        assert!(found("websocket: bad handshake").is_none());
    }
}
