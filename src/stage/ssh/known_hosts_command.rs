//! `KnownHostsCommand`: lines for known_hosts that a program prints, run as ssh
//! runs it (sshconnect.c, `load_hostkeys_command`; misc.c, `subprocess`).

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::base64;

use super::algorithms::key_type;
use super::classify::about;
use super::host_key::Shown;
use super::known_hosts::{KnownHostsLine, Source, fingerprint, lines_of};
use super::proxy_command::ending;
use crate::cause;
use crate::config::Hop;
use crate::config::known_hosts_command::KnownHostsCommand;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::process::{self, output};
use crate::stage::key::version;
use crate::system::System;
use crate::text;
use crate::wire::dial::seconds;

/// How long a run may take where no time is set. ssh waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);
/// No more is read of what it prints, in bytes.
const MOST_PRINTED: usize = 16 << 20;
/// No more is kept of what it says, in bytes.
const MOST_SAID: usize = 4096;

/// Why it is run.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// For the order of algorithms, before a key is shown.
    Order,
    /// For the name of the host.
    Hostname,
    /// For its address.
    Address,
}

impl Purpose {
    /// As `%I` says it.
    fn name(self) -> &'static str {
        match self {
            Purpose::Order => "ORDER",
            Purpose::Hostname => "HOSTNAME",
            Purpose::Address => "ADDRESS",
        }
    }
}

/// Who runs it.
#[derive(Clone, Debug)]
pub struct Runner {
    command: KnownHostsCommand,
    surroundings: Arc<System>,
    patience: Duration,
    deadline: Instant,
}

/// One run of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The lines for the name that was asked about.
    pub lines: Vec<KnownHostsLine>,
    end: End,
    /// The beginning of its standard error, fit to be shown.
    said: String,
}

#[derive(Clone, Debug)]
enum End {
    /// With status 0, after so many bytes.
    Success(usize),
    /// It was not run, and ssh goes on without it.
    NotRun(NotRun),
    /// ssh ends the session.
    Failure(Failure),
}

#[derive(Clone, Copy, Debug)]
enum NotRun {
    Unquoted,
    Relative,
    Absent,
}

#[derive(Clone, Debug)]
enum Failure {
    /// It cannot be executed: the error's number, where it has one.
    NotExecuted(String, Option<i32>),
    Ended(ExitStatus),
    /// It was ended at the limit, after this.
    Late(Duration),
}

impl Runner {
    /// For the command of a hop, with what every run of it has.
    pub fn new(hop: &Hop, ctx: &Ctx, deadline: Instant) -> Option<Self> {
        Some(Self {
            command: hop.known_hosts_command.clone()?,
            surroundings: Arc::clone(&ctx.surroundings),
            patience: match ctx.patient {
                true => PATIENCE,
                false => ctx.timeout,
            },
            deadline,
        })
    }

    /// When a run that begins now is ended.
    fn limit(&self) -> Instant {
        self.deadline.min(Instant::now() + self.patience)
    }

    /// Runs it for the order of algorithms. Blocks.
    pub fn order(&self, hop: &Hop, name: &str) -> Run {
        let plain = name == hop.host;
        let name = match plain || !Self::asks_about_bare_name() {
            true => name,
            false => &hop.host,
        };
        self.run(Purpose::Order, name, None)
    }

    /// Whether the ssh that is installed asks for the order about the name of the
    /// host alone, as versions before 9.6 do: without port, and whatever
    /// HostKeyAlias says (sshconnect2.c, `order_hostkeyalgs`).
    fn asks_about_bare_name() -> bool {
        const WHOLE_NAME_SINCE: (u32, u32) = (9, 6);
        version::installed().is_some_and(|version| version < WHOLE_NAME_SINCE)
    }

    /// Runs it for a name, and for the key that is shown under it. Blocks.
    pub fn run(&self, purpose: Purpose, name: &str, shown: Option<&Shown>) -> Run {
        let key = shown.map(KeyTokens::of).unwrap_or_default();
        let argv = self.command.argv(|token| match token {
            'H' => name.to_owned(),
            'I' => purpose.name().to_owned(),
            'f' => key.fingerprint.clone(),
            't' => key.key_type.clone(),
            'K' => key.key.clone(),
            _ => String::new(),
        });
        let began = Instant::now();
        let (program, arguments) = match runnable(&argv) {
            Ok(words) => words,
            Err(end) => return Run::without(end),
        };
        let mut command = process::users_own(OsStr::new(program), &self.surroundings.vars);
        command.args(arguments);
        match output::run(&mut command, (MOST_PRINTED, MOST_SAID), self.limit()) {
            Err(error) => Run::without(not_executed(&error)),
            Ok(output) => Run {
                lines: lines_of(&self.source(), &output.printed, name),
                said: text::clean_part(String::from_utf8_lossy(&output.said).trim()),
                end: match output.ended {
                    Some(status) if status.success() => End::Success(output.printed.len()),
                    Some(status) => End::Failure(Failure::Ended(status)),
                    None => End::Failure(Failure::Late(began.elapsed())),
                },
            },
        }
    }

    fn source(&self) -> Source {
        Source::Command {
            file: self.command.file.clone(),
            line: self.command.line,
        }
    }
}

/// What its arguments say about a key (`NONE` before one is shown).
struct KeyTokens {
    key_type: String,
    fingerprint: String,
    key: String,
}

impl Default for KeyTokens {
    fn default() -> Self {
        let none = || "NONE".to_owned();
        Self {
            key_type: none(),
            fingerprint: none(),
            key: none(),
        }
    }
}

impl KeyTokens {
    fn of(shown: &Shown) -> Self {
        let algorithm = shown.key.algorithm();
        let (key_type, key) = match &shown.certificate {
            Some(certificate) => (algorithm.to_certificate_type(), certificate.to_bytes()),
            None => (key_type(&algorithm), shown.key.to_bytes()),
        };
        Self {
            key_type,
            fingerprint: fingerprint(&shown.key),
            key: base64::encode_block(&key.unwrap_or_default()),
        }
    }
}

/// The program and its arguments, where ssh would start it.
fn runnable(argv: &[String]) -> Result<(&str, &[String]), End> {
    let (program, arguments) = argv.split_first().ok_or(End::NotRun(NotRun::Unquoted))?;
    let path = Path::new(program);
    if !path.is_absolute() {
        return Err(End::NotRun(NotRun::Relative));
    }
    if std::fs::metadata(path).is_err() {
        return Err(End::NotRun(NotRun::Absent));
    }
    // The system's library would give it to a shell; ssh does not (execv).
    match is_script_of_nobody(path) {
        true => Err(not_executed(&io::Error::from_raw_os_error(libc::ENOEXEC))),
        false => Ok((program, arguments)),
    }
}

/// Whether a file is text that does not name its interpreter.
fn is_script_of_nobody(path: &Path) -> bool {
    const ENOUGH: u64 = 64;
    let mut begin = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(ENOUGH).read_to_end(&mut begin));
    let text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    read.is_ok() && path.is_file() && !begin.starts_with(b"#!") && begin.iter().all(text)
}

fn not_executed(error: &io::Error) -> End {
    End::Failure(Failure::NotExecuted(
        error.to_string(),
        error.raw_os_error(),
    ))
}

impl Run {
    fn without(end: End) -> Self {
        Self {
            lines: Vec::new(),
            end,
            said: String::new(),
        }
    }

    /// Why ssh ends the session.
    pub fn failure(&self, hop: &Hop) -> Option<Finding> {
        let (End::Failure(failure), Some(command)) = (&self.end, &hop.known_hosts_command) else {
            return None;
        };
        let program = || shlex::try_quote(command.program()).ok();
        let finding = about(&cause::ssh::KNOWN_HOSTS_COMMAND, hop)
            .with("file", command.file.clone())
            .with("line", command.line)
            .with("program", command.program().to_owned())
            .word("login", format!("{}@{}", hop.user, hop.written.host));
        let finding = match failure {
            Failure::NotExecuted(error, errno) => {
                let finding = finding.with("ending", format!("it cannot be executed ({error})"));
                match errno {
                    Some(libc::EACCES) => finding.fix(
                        "Make the program executable:",
                        program().map(|program| format!("chmod +x {program}")),
                    ),
                    Some(libc::ENOEXEC) => finding.fix(
                        "Make #!/bin/sh the first line of the script: ssh runs it directly, without a shell.",
                        None,
                    ),
                    Some(libc::ENOENT) => finding.fix(
                        "Correct the first line of the script: the interpreter that it names does not exist here:",
                        program().map(|program| format!("head -n 1 {program}")),
                    ),
                    _ => finding,
                }
            }
            Failure::Ended(status) => {
                let finding = finding
                    .with("ending", ending(*status))
                    .with("status", status.code());
                match (status.code(), self.said.as_str()) {
                    // What grep and its like mean by it.
                    (Some(1), "") => finding.fix(
                        format!(
                            "Add the host to what {} reads, and make the command exit with status 0 if it finds no key: it reported no error, like grep when no line matches.",
                            command.program()
                        ),
                        None,
                    ),
                    _ => finding,
                }
            }
            Failure::Late(after) => finding
                .with("ending", format!("it did not exit within {}", seconds(*after)))
                .fix(
                    "Run the command by hand to see what it waits for: ssh waits for it forever. If it is only slow, use a higher --timeout.",
                    None,
                ),
        };
        Some(self.worded(finding))
    }

    /// A finding about a key that it did not print.
    pub fn explain_unknown(&self, finding: Finding, hop: &Hop, name: &str) -> Finding {
        let Some(command) = &hop.known_hosts_command else {
            return finding;
        };
        let place = format!(
            "KnownHostsCommand ({}, line {})",
            command.file, command.line
        );
        let program = command.program();
        let printed = match self.end {
            End::Success(bytes) => Some(bytes),
            _ => None,
        };
        let finding = finding
            .with(
                "known_hosts_command",
                format!("{}, line {}", command.file, command.line),
            )
            .with("known_hosts_command_printed", printed);
        let finding = match &self.end {
            End::NotRun(NotRun::Unquoted) => finding.fix(
                format!("Close the open quote in {place}: ssh does not run the command."),
                None,
            ),
            End::NotRun(NotRun::Relative) => finding.fix(
                format!("Use the full path of the program in {place}: ssh does not run a command without it. Show the path:"),
                shlex::try_quote(program).ok().map(|program| format!("command -v {program}")),
            ),
            End::NotRun(NotRun::Absent) => finding.fix(
                format!("Install {program}, or correct its path in {place}: it does not exist here, and ssh does not run the command."),
                None,
            ),
            End::Success(0) => finding.fix(
                format!("Add the host to what {program} reads: {place} prints nothing for {name}."),
                None,
            ),
            End::Success(_) | End::Failure(_) => finding.fix(
                format!("Make {place} print {name} before the key: it prints lines, but none for that name."),
                None,
            ),
        };
        self.worded(finding)
    }

    fn worded(&self, finding: Finding) -> Finding {
        match self.said.as_str() {
            "" => finding,
            said => finding.with("said", said.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        for (text, script) in [
            (&b"#!/bin/sh\necho"[..], false),
            (b"echo hello\n", true),
            (b"", true),
            (b"\x7fELF\x02", false),
            (b"MZ\x90\0", false),
        ] {
            let file = folder.path().join("program");
            std::fs::write(&file, text).unwrap();
            assert_eq!(is_script_of_nobody(&file), script, "{text:?}");
        }
        assert!(!is_script_of_nobody(folder.path()));
    }
}
