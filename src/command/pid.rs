//! `--pid`: dbdoctor once more, in the place of a running process. This one
//! stays where it was started: it passes on signals, writes the file of
//! `--output`, and runs the command after `--`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
#[cfg(target_os = "linux")]
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Exit, usage};
#[cfg(target_os = "linux")]
use super::{output, wait};
#[cfg(target_os = "linux")]
use crate::cli::Format;
use crate::cli::{ClientArgs, Command, OutputArgs, TargetArgs};
use crate::client::detect::{Detected, Process, detect};
use crate::config::frameworks;
use crate::config::request::{Request, Whose};
#[cfg(target_os = "linux")]
use crate::render::nagios::State;
use crate::report::{Report, Stage};
use crate::system::System;
use crate::vantage;

/// How long it may take to find the drivers.
const PATIENCE: Duration = Duration::from_secs(3);

/// Set for the one in the process's place: the file for the report, or nothing.
const INSIDE: &str = "DBDOCTOR_INSIDE";

/// Where the one in the process's place leaves the JSON report.
static REPORT: OnceLock<Option<Mutex<File>>> = OnceLock::new();

/// Whether this is the one in the process's place.
pub fn is_inside() -> bool {
    REPORT.get().is_some()
}

/// Where `--pid` is given: takes the process's place, or starts another one
/// that does and comes back when it has ended. To be called before a second
/// thread is started.
pub fn arrange(command: &Command) -> Option<Exit> {
    let (client, output, then) = command.client()?;
    let pid = client.pid?;
    match std::env::var_os(INSIDE) {
        None => Some(outside(output, then)),
        Some(report) => {
            #[cfg(target_os = "linux")]
            linux::get_signals();
            // Its name leads nowhere once the place is taken.
            let file = OpenOptions::new().write(true).open(report);
            let _ = REPORT.set(file.ok().map(Mutex::new));
            match vantage::take(pid) {
                Ok(()) => None,
                Err(refusal) => Some(usage(&told(&refusal, command, pid))),
            }
        }
    }
}

/// Leaves the report for the one outside, which writes it where it was asked for.
///
/// # Errors
/// Where it cannot be written.
pub fn leave(json: &[u8]) -> std::io::Result<()> {
    match REPORT.get().and_then(Option::as_ref) {
        Some(file) => file
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .write_all(json),
        None => Ok(()),
    }
}

/// The refusal in one line, with the command that would not be refused.
fn told(refusal: &vantage::Refusal, command: &Command, pid: i32) -> String {
    if !refusal.privileged {
        return refusal.to_string();
    }
    if nix::unistd::geteuid().is_root() {
        return format!(
            "{refusal}, though it is root: run it on the host of this container, or give the \
             container CAP_SYS_ADMIN and CAP_SYS_PTRACE"
        );
    }
    let program = std::env::current_exe().unwrap_or_else(|_| "dbdoctor".into());
    let program = program.to_string_lossy();
    let program = shlex::try_quote(&program).unwrap_or("dbdoctor".into());
    format!(
        "{refusal}; run: sudo {program} {} --pid {pid}",
        command.name()
    )
}

/// The one outside: waits for the one in the process's place.
#[cfg(target_os = "linux")]
fn outside(output: &OutputArgs, then: &[OsString]) -> Exit {
    if let Err(exit) = output::writable(output) {
        return exit;
    }
    let (status, json) = match linux::again() {
        Ok(ended) => ended,
        Err(error) => {
            crate::terminal::say(format_args!(
                "dbdoctor: cannot start once more for --pid: {error}"
            ));
            return Exit::Defect;
        }
    };
    let exit = match status.code() {
        Some(code) if output.format() == Format::Nagios => Exit::Plugin(State::of_code(code)),
        Some(0) => Exit::Success,
        Some(1) => Exit::Cause,
        Some(2) => Exit::Usage,
        Some(130) => Exit::Interrupted,
        _ => Exit::Defect,
    };
    if let Some(signal) = status.signal() {
        crate::terminal::say(format_args!(
            "dbdoctor: the run in the place of the process was ended by signal {signal}"
        ));
    }
    if !json.is_empty()
        && let Err(exit) = output::write_file(output, &json)
    {
        return exit;
    }
    match exit.passes() {
        true => wait::exec(then),
        false => exit,
    }
}

#[cfg(not(target_os = "linux"))]
fn outside(_: &OutputArgs, _: &[OsString]) -> Exit {
    usage("--pid works on Linux only")
}

/// Whether there is something to check from a process's place.
///
/// # Errors
/// How to end where the process's environment says nothing about a database:
/// the defaults would be a guess.
pub fn says_something(request: &Request, around: &System) -> Result<(), Exit> {
    match &around.process {
        Some(process) if frameworks::says_nothing(request, around) => Err(usage(&format!(
            "the environment of process {} ({}) says nothing about a database; give the target \
             too, or the file that the process reads: --env-file .env",
            process.pid, process.name
        ))),
        _ => Ok(()),
    }
}

/// The drivers of the process whose place this is.
pub async fn drivers(around: &Arc<System>) -> Vec<Detected> {
    let around = Arc::clone(around);
    let found = tokio::task::spawn_blocking(move || {
        let process = around.process.as_ref()?;
        Some(detect(&Process {
            traces: &process.traces,
            directory: &around.cwd,
            variable: &|name| around.var(name),
            root: Path::new("/"),
        }))
    });
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(Ok(Some(found))) => found,
        _ => Vec::new(),
    }
}

/// The target, with whose settings it is: the driver's that the process uses,
/// unless `--as` says otherwise; libpq's where there are several.
pub fn request(client: &ClientArgs, target: &TargetArgs, found: &[Detected]) -> Request {
    let request = client.request(target);
    let whose = match (client.driver, found) {
        (Some(_), _) | (None, []) => request.whose,
        (None, [one]) => Whose::As(one.driver, "the process of --pid"),
        (None, _) => Whose::Libpq,
    };
    Request { whose, ..request }
}

/// Says in the `client` stage whose place this is, and which drivers it uses.
pub fn tell(report: &mut Report, around: &System, drivers: &[Detected], begun: Instant) {
    let Some(process) = &around.process else {
        return;
    };
    let named: Vec<String> = drivers.iter().map(said).collect();
    let with = match named.as_slice() {
        [] => "no driver of PostgreSQL seen in it".to_owned(),
        named => named.join(", "),
    };
    let record = report.stage(Stage::Client);
    record.fact(
        "process",
        json!({
            "pid": process.pid,
            "name": process.name,
            "user": around.os_user,
            "apart": process.apart,
        }),
    );
    let drivers = drivers.iter().map(|found| {
        let Detected { driver, told_by } = found;
        json!({
            "driver": driver.name(),
            "version": driver.version_known.then(|| driver.version.to_string()),
            "libpq": driver.libpq.map(|version| version.to_string()),
            "told_by": told_by,
        })
    });
    record.fact("detected", drivers.collect::<Vec<_>>());
    if !record.has_run() {
        record.summary = format!("process {} ({}): {with}", process.pid, process.name);
        record.ran(begun, Duration::ZERO);
    }
}

/// A driver as people name it, without a version that it does not say.
fn said(found: &Detected) -> String {
    let driver = &found.driver;
    let mut said = driver.name();
    if driver.version_known {
        said = format!("{said} {}", driver.version);
    }
    match driver.libpq {
        Some(libpq) => format!("{said} with libpq {libpq}"),
        None => said,
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::process::{Child, ExitStatus};

    use nix::sys::signal::{SigSet, Signal, kill};
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    use nix::unistd::Pid;

    use super::INSIDE;
    use crate::process;
    use crate::temporary::Nameless;

    /// Starts this program once more and waits for its end; what it left for
    /// the file of `--output` comes back too.
    pub fn again() -> io::Result<(ExitStatus, Vec<u8>)> {
        let report = Nameless::new(b"")?;
        let path = report.path();
        let signals = signals();
        signals.thread_block()?;
        let arriving = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        let mut command = process::again(vec![OwnedFd::from(report)]);
        let mut child = command.env(INSIDE, &path).spawn()?;
        crate::initial_stack::hide_arguments();
        let status = wait(&mut child, &arriving)?;
        signals.thread_unblock()?;
        Ok((status, std::fs::read(&path)?))
    }

    /// Has the one inside get its signals: it inherited that they are held back.
    pub fn get_signals() {
        let _ = signals().thread_unblock();
    }

    /// What the one outside passes on, and what tells it of the other's end.
    fn signals() -> SigSet {
        [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGCHLD,
        ]
        .into_iter()
        .collect()
    }

    /// Waits for its end, and passes on what this one is sent meanwhile. What
    /// the terminal sends goes to both.
    fn wait(child: &mut Child, arriving: &SignalFd) -> io::Result<ExitStatus> {
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let Some(arrived) = arriving.read_signal()? else {
                continue;
            };
            let signal = i32::try_from(arrived.ssi_signo).map(Signal::try_from);
            let sent_by_a_process = arrived.ssi_code <= libc::SI_USER;
            match signal {
                Ok(Ok(signal)) if signal != Signal::SIGCHLD && sent_by_a_process => {
                    let _ = kill(Pid::from_raw(pid), signal);
                }
                _ => {}
            }
        }
    }
}
