//! Where a run looks from: where it was started, or where a running process
//! stands (`--pid`), with that process's environment, files, network and user
//! in place of ours.
//!
//! Only a process of one thread can take another's place whole, and it does
//! not come back. So dbdoctor starts itself once more for it: see
//! [`crate::command::pid`].

#[cfg(target_os = "linux")]
mod environment;
#[cfg(target_os = "linux")]
mod found;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod rights;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The process in whose place this one is.
static TAKEN: OnceLock<Arc<Vantage>> = OnceLock::new();

/// The running process that is looked from.
#[derive(Debug)]
pub struct Vantage {
    /// Its id, as seen from where dbdoctor was started.
    pub pid: i32,
    /// Its name (`comm`), which it may have chosen itself.
    pub name: String,
    /// What it has apart from us: `network`, `files`, `user`.
    pub apart: Vec<&'static str>,
    /// What tells which driver it uses.
    pub traces: Traces,
}

/// What a process shows of the programs and libraries that it runs. Paths are
/// as the process itself would write them.
#[derive(Debug, Default)]
pub struct Traces {
    /// Its program, which may have been deleted or replaced meanwhile.
    pub program: Option<File>,
    /// The path of its program.
    pub program_path: PathBuf,
    /// Its arguments, the program's name first. They may hold secrets and are not
    /// shown.
    pub arguments: Vec<String>,
    /// The files that are mapped into its memory, each once.
    pub mapped: Vec<PathBuf>,
    /// The files that it has open.
    pub open: Vec<PathBuf>,
}

/// Why a process cannot be looked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In a sentence without its full stop.
    pub why: String,
    /// Whether another user may do it.
    pub privileged: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The process in whose place this one is, if any.
pub fn taken() -> Option<Arc<Vantage>> {
    TAKEN.get().cloned()
}

/// Takes the place of a process: from here on its environment, files, network
/// and user are ours. To be called before a second thread is started.
///
/// # Errors
/// Where that cannot be done, or would be done in part only. This process is
/// of no further use then.
#[cfg(target_os = "linux")]
pub fn take(pid: i32) -> Result<(), Refusal> {
    let vantage = linux::take(pid)?;
    let _ = TAKEN.set(Arc::new(vantage));
    Ok(())
}

/// Takes the place of a process, which only Linux allows.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn take(_: i32) -> Result<(), Refusal> {
    Err(Refusal {
        why: "--pid works on Linux only".to_owned(),
        privileged: false,
    })
}
