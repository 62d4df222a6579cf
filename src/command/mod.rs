//! The subcommands: those that run the pipeline, and the others.

pub mod check;
pub mod complete;
mod crash_loop;
pub mod diff;
pub mod explain;
pub mod generate;
pub mod guards;
pub mod idle;
pub mod interrupt;
pub mod key;
pub mod limits;
pub mod manual_text;
pub mod output;
mod output_file;
pub mod pid;
pub mod sockets;
pub mod stress;
pub mod tap;
pub mod tunnel;
pub mod wait;

use crate::cli::RunArgs;
use crate::report::Stage;

/// How the process ends (interface.md, Exit status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// No stage failed.
    Success = 0,
    /// A cause was found.
    Cause = 1,
    /// The command line is wrong, or the report cannot be written.
    Usage = 2,
    /// A defect of dbdoctor.
    Defect = 3,
    /// Ended by Ctrl-C, SIGTERM or SIGHUP; the report so far was printed.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Says what is wrong with the command line. The caller must not put an
/// argument's value into `why`: it may be a secret.
pub fn usage(why: &str) -> Exit {
    let why = crate::invocation::as_typed(why);
    eprintln!("dbdoctor: {}", crate::text::clean(&why));
    Exit::Usage
}

/// What can be said about the command line of a run before anything is done;
/// else the last stage of the run.
///
/// # Errors
/// How to end where it cannot be done.
pub fn last_stage(command: &str, until: Stage, run: &RunArgs) -> Result<Stage, Exit> {
    if run.target.names_two_targets() {
        return Err(usage(
            "the target is given twice: use only one of TARGET, --url and -d with a URI",
        ));
    }
    guards::last_stage(command, until, &run.target.guards).map_err(|why| usage(&why))
}

/// How many sessions the server still has room for, by what the `server`
/// stage learnt: of all its slots, the role's and the database's. The session
/// that asked is among those that count as free.
pub(crate) fn spare_slots(server: &crate::report::StageRecord) -> Option<u64> {
    let connections = server.facts.get("connections")?;
    let number = |value: &serde_json::Value| value.as_u64();
    let room = |of: &str| {
        let slots = connections.get(of)?;
        let limit = number(slots.get("limit")?)?;
        Some(limit.saturating_sub(number(slots.get("used")?)?))
    };
    let free = connections.get("free").and_then(number);
    let least = [free, room("role"), room("database")]
        .into_iter()
        .flatten()
        .min()?;
    Some(least + 1)
}
