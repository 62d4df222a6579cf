//! `--format nagios` where there is no report: a monitoring system reads standard
//! output and knows four statuses, for errors of the command line too.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};

use super::output;
use crate::render::nagios;

/// Whether a monitoring system started this process.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Notes whether the arguments ask for a plug-in's output, though they may be ones that
/// cannot be read otherwise.
pub fn note(args: &[OsString]) {
    let args = args.iter().take_while(|arg| *arg != "--");
    let args: Vec<_> = args.map(|arg| arg.to_string_lossy()).collect();
    let apart = args.windows(2).any(|two| two == ["--format", "nagios"]);
    let joined = args.iter().any(|arg| arg == "--format=nagios");
    ASKED.store(apart || joined, Ordering::Relaxed);
}

/// Whether a plug-in's output is asked for.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Prints why nothing could be checked, where a monitoring system is to know.
pub fn tell(why: &str) {
    if is_asked() {
        let _ = output::print_quietly(nagios::unknown(why).as_bytes());
    }
}
