//! Where a report goes: standard output, and the file of `--output`.

use std::io::{self, Write};
use std::path::Path;

use super::{Exit, interrupt, output_file, pid, usage};
use crate::cli::{FailOn, Format, OutputArgs};
use crate::finding::Status;
use crate::render;
use crate::render::options::{Style, width_of};
use crate::report::Report;
use crate::system::System;

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
    let shown = match output.format() {
        Format::Table => {
            let width = match to {
                To::Stdout => width_of(io::stdout()),
                To::Stderr => width_of(io::stderr()),
            };
            render::table::render(report, &Style::new(output, around, width)).into_bytes()
        }
        Format::Json => render::json::render(report),
    };
    if let Err(exit) = deliver(to, &shown, output, || render::json::render(report)) {
        return exit;
    }
    match report.verdict().status {
        _ if report.interrupted => Exit::Interrupted,
        Status::Fail => Exit::Cause,
        Status::Warn if output.fail_on == FailOn::Warn => Exit::Cause,
        _ => Exit::Success,
    }
}

/// Writes the JSON to the `--output` file first, then prints the report: the file
/// is complete even if the reader of the other one went away. From here on Ctrl-C
/// and SIGTERM end the process at once.
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
    let written = match &output.output {
        Some(_) if pid::is_inside() => pid::leave(&json()).map_err(|error| refuse(&error)),
        Some(path) => {
            let _limit = on_limit();
            output_file::write(path, &json()).map_err(|error| refuse(&error))
        }
        None => Ok(()),
    };
    let printed = match to {
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

/// Writes to standard output. A reader that went away has read enough.
pub fn print(bytes: &[u8]) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
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
