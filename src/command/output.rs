//! Where a report goes: standard output, and the file of `--output`.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use super::{Exit, interrupt, output_file, pid, usage};
use crate::cli::{FailOn, Format, OutputArgs};
use crate::finding::Status;
use crate::redact;
use crate::render::nagios::State;
use crate::render::options::{Style, width_of};
use crate::render::targets::{self, TargetsReport};
use crate::render::{self, told};
use crate::report::Report;
use crate::system::System;
use crate::wire::timeline;

/// Checks before the run that the `--output` file can be written, so that the
/// report of a long run is not lost.
///
/// # Errors
/// The usage error to end with.
pub fn writable(output: &OutputArgs) -> Result<(), Exit> {
    match &output.output {
        // The one outside has done so, and writes it.
        Some(_) if pid::is_inside() => Ok(()),
        Some(path) => output_file::check(path).map_err(|error| refuse(&error)),
        None => Ok(()),
    }
}

/// Whether a new file can be written there that the report will not overwrite.
///
/// # Errors
/// Why it cannot.
pub fn creatable(path: &Path, output: &OutputArgs) -> Result<(), String> {
    if (output.output.as_ref()).is_some_and(|report| output_file::is_one_place(report, path)) {
        return Err("--output and --repair name the same file".to_owned());
    }
    output_file::check_new(path).map_err(|error| not_created(&error))
}

/// Writes a new file that only its owner can read.
///
/// # Errors
/// Why it cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let _limit = on_limit();
    output_file::create(path, bytes).map_err(|error| not_created(&error))
}

fn not_created(error: &io::Error) -> String {
    format!("the file of --repair cannot be written: {error}")
}

fn refuse(error: &io::Error) -> Exit {
    usage(&format!("cannot write the --output file: {error}"))
}

/// Where the report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Standard output, as ever.
    Stdout,
    /// Standard error: standard output belongs to a command that comes next.
    Stderr,
}

/// Prints the report, writes it to the file of `--output`, and says how the
/// process ends.
pub fn conclude(report: &Report, output: &OutputArgs, around: &System) -> Exit {
    conclude_to(To::Stdout, report, output, around)
}

/// The same with a choice of where it is printed.
pub fn conclude_to(to: To, report: &Report, output: &OutputArgs, around: &System) -> Exit {
    let report = match timeline::since(report.started) {
        Some(wire) => Cow::Owned(Report {
            wire: Some(wire),
            ..report.clone()
        }),
        None => Cow::Borrowed(report),
    };
    let report = redact::active::report(&report);
    let report = report.as_ref();
    let width = match to {
        To::Stdout => width_of(io::stdout()),
        To::Stderr => width_of(io::stderr()),
    };
    let shown = render::report(report, output, &Style::new(output, around, width));
    if output.format() == Format::Github {
        summarise(|| render::markdown(report, output.quiet));
    }
    if let Err(exit) = deliver(to, &shown, output, || render::json::render(report)) {
        return exit;
    }
    if output.format() == Format::Nagios {
        let judged = told::judged(report.to_json(), output.fail_on);
        return Exit::Plugin(State::of(&judged));
    }
    ended(report.verdict().status, report.interrupted, output)
}

/// How the process ends after a verdict, where the form has no rule of its own.
fn ended(status: Status, interrupted: bool, output: &OutputArgs) -> Exit {
    match status {
        _ if interrupted => Exit::Interrupted,
        Status::Fail => Exit::Cause,
        Status::Warn if output.fail_on == FailOn::Warn => Exit::Cause,
        _ => Exit::Success,
    }
}

/// The same for the reports of many targets.
pub fn conclude_targets(report: TargetsReport, output: &OutputArgs, around: &System) -> Exit {
    let report = report.redacted();
    let style = Style::new(output, around, width_of(io::stdout()));
    let shown = targets::render(&report, output, &style);
    if output.format() == Format::Github {
        summarise(|| targets::markdown(&report, output.quiet));
    }
    if let Err(exit) = deliver(To::Stdout, &shown, output, || targets::json(&report)) {
        return exit;
    }
    if output.format() == Format::Nagios {
        return Exit::Plugin(report.state(output.fail_on));
    }
    let counts = report.counts();
    let status = match (counts.failed, counts.warned) {
        (1.., _) => Status::Fail,
        (0, 1..) => Status::Warn,
        (0, 0) => Status::Pass,
    };
    ended(status, report.interrupted, output)
}

/// Appends the report to the summary of a GitHub workflow's step, where there is one.
/// A report that is lacking there is no reason to fail the step.
fn summarise(markdown: impl FnOnce() -> String) {
    let path = match std::env::var_os("GITHUB_STEP_SUMMARY") {
        Some(path) if !path.is_empty() => path,
        _ => return,
    };
    let markdown = markdown();
    let _limit = on_limit();
    let appended = match pid::is_inside() {
        true => Err(io::Error::other("not with --pid")),
        false => output_file::append(Path::new(&path), markdown.as_bytes()),
    };
    if let Err(error) = appended {
        crate::terminal::say(format_args!(
            "dbdoctor: cannot write to the file of GITHUB_STEP_SUMMARY: {error}"
        ));
    }
}

/// Writes what the file of `--output` is to hold.
///
/// # Errors
/// How to end where it cannot be written.
pub fn write_file(output: &OutputArgs, bytes: &[u8]) -> Result<(), Exit> {
    let Some(path) = &output.output else {
        return Ok(());
    };
    let _limit = on_limit();
    let written = match output.format() {
        Format::Prometheus => output_file::write_collected(path, bytes),
        _ => output_file::write(path, bytes),
    };
    written.map_err(|error| refuse(&error))
}

/// Whether JSON is asked for, and not the table, of a command without a run.
///
/// # Errors
/// The usage error where it is another form.
pub fn is_json(command: &str, output: &OutputArgs) -> Result<bool, Exit> {
    match output.format() {
        Format::Table => Ok(false),
        Format::Json => Ok(true),
        _ => Err(usage(&format!(
            "{command} has no such --format: use table or json"
        ))),
    }
}

/// Writes the `--output` file first, then prints the report: the file is complete
/// even if the reader of the other one went away. It has the JSON, or the metrics,
/// which are then not printed. From here on Ctrl-C and SIGTERM end the process at once.
///
/// # Errors
/// How to end where one of them cannot be written.
pub fn deliver(
    to: To,
    shown: &[u8],
    output: &OutputArgs,
    json: impl FnOnce() -> Vec<u8>,
) -> Result<(), Exit> {
    interrupt::end_at_once();
    let metrics = output.format() == Format::Prometheus;
    let written = match &output.output {
        Some(_) => {
            let kept = if metrics { shown.to_vec() } else { json() };
            match pid::is_inside() {
                true => pid::leave(&kept).map_err(|error| refuse(&error)),
                false => interrupt::whole(|| write_file(output, &kept)),
            }
        }
        None => Ok(()),
    };
    let printed = match to {
        _ if metrics && output.output.is_some() => Exit::Success,
        To::Stdout => print(shown),
        To::Stderr => {
            // Who closed standard error does not want to know.
            let _ = io::stderr().write_all(shown);
            Exit::Success
        }
    };
    match printed {
        Exit::Success => written,
        failed => Err(failed),
    }
}

/// Writes to standard output.
///
/// # Errors
/// Why it cannot be written.
pub fn print_quietly(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Writes to standard output. A reader that went away has read enough.
pub fn print(bytes: &[u8]) -> Exit {
    match print_quietly(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            usage(&format!("cannot write to standard output: {error}"))
        }
        _ => Exit::Success,
    }
}

/// Has a file that exceeds the limit on its size (`ulimit -f`) be an error and
/// not the end of this process.
fn on_limit() -> Option<tokio::signal::unix::Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::runtime::Handle::try_current().ok()?;
    signal(SignalKind::from_raw(libc::SIGXFSZ)).ok()
}
