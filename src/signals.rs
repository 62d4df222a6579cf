//! Signals as this process found them: which were ignored, and which were blocked.
//! nohup, and shells that run a command in the background, ignore some for it.
//!
//! Rust's runtime ignores SIGPIPE before `main`, and its `exec` gives SIGPIPE the default
//! action. A signal with a handler gets the default action in an `exec`, too. `--pid`
//! blocks some while it waits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{SigSet, Signal};

/// The signals whose action may be another one in this process than it was.
const CHANGED: [Signal; 5] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGPIPE,
    Signal::SIGTERM,
    Signal::SIGCHLD,
];

/// A bit for each one of them that was ignored.
static IGNORED: AtomicU32 = AtomicU32::new(0);

/// Those that were blocked.
static BLOCKED: OnceLock<SigSet> = OnceLock::new();

/// Runs [`note_ignored`] before the runtime changes an action.
#[allow(unsafe_code)]
#[used]
// SAFETY: the loader calls each function of this section once, with arguments that a
// function without parameters leaves alone.
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = note_ignored;

/// Runs before the standard library is ready, and therefore uses nothing of it that
/// allocates, locks or knows of threads.
extern "C" fn note_ignored() {
    for (bit, signal) in CHANGED.into_iter().enumerate() {
        if is_ignored_now(signal) {
            IGNORED.fetch_or(1 << bit, Ordering::Relaxed);
        }
    }
}

#[allow(unsafe_code)]
fn is_ignored_now(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call changes nothing, and it fills in the other one
    // where it succeeds.
    unsafe {
        libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Notes what is blocked. To be called before there is a second thread.
pub fn note_blocked() {
    if let Ok(blocked) = SigSet::thread_get_mask() {
        let _ = BLOCKED.set(blocked);
    }
}

/// Whether this process was started with the signal ignored.
pub fn was_ignored(signal: Signal) -> bool {
    let bit = CHANGED.iter().position(|it| *it == signal);
    bit.is_some_and(|bit| IGNORED.load(Ordering::Relaxed) & (1 << bit) != 0)
}

/// Ignores and blocks again what was ignored and blocked, for the command that replaces
/// this process.
pub fn restore() {
    for signal in CHANGED.into_iter().filter(|signal| was_ignored(*signal)) {
        ignore(signal);
    }
    if let Some(blocked) = BLOCKED.get() {
        let _ = blocked.thread_set_mask();
    }
}

#[allow(unsafe_code)]
fn ignore(signal: Signal) {
    use nix::sys::signal::{SigHandler, signal as set};
    // SAFETY: no handler is set that could run.
    let _ = unsafe { set(signal, SigHandler::SigIgn) };
}
