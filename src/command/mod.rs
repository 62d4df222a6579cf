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
mod look;
pub mod manual_text;
pub mod output;
mod output_file;
pub mod pid;
pub mod plugin;
pub mod sockets;
pub mod stress;
pub mod tap;
mod targets;
pub mod thresholds;
pub mod tunnel;
pub mod wait;

use crate::cli::RunArgs;
use crate::render::nagios::State;
use crate::report::Stage;

/// How the process ends (interface.md, Exit status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// No stage failed.
    Success,
    /// A cause was found.
    Cause,
    /// The command line is wrong, or the report cannot be written.
    Usage,
    /// A defect of dbdoctor.
    Defect,
    /// Ended by Ctrl-C, SIGTERM or SIGHUP; the report so far was printed.
    Interrupted,
    /// As a monitoring plug-in ends.
    Plugin(State),
}

impl Exit {
    /// The status of the process.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Cause => 1,
            Exit::Usage | Exit::Defect | Exit::Interrupted if plugin::is_asked() => {
                State::Unknown as u8
            }
            Exit::Usage => 2,
            Exit::Defect => 3,
            Exit::Interrupted => 130,
            Exit::Plugin(state) => state as u8,
        }
    }

    /// Whether what was checked works.
    pub fn passes(self) -> bool {
        matches!(
            self,
            Exit::Success | Exit::Plugin(State::Ok | State::Warning)
        )
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Says what is wrong with the command line. The caller must not put an
/// argument's value into `why`: it may be a secret.
pub fn usage(why: &str) -> Exit {
    let why = crate::invocation::as_typed(why);
    let why = crate::text::clean(&crate::redact::active::line(&why));
    crate::terminal::say(format_args!("dbdoctor: {why}"));
    plugin::tell(&why);
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
