//! No core dump of this process, which would have passwords in it, and no
//! reading of its memory by other processes of the same user.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The soft limit on core files as it was found.
static FOUND: OnceLock<u64> = OnceLock::new();

/// Forbids them. Where the system refuses, the run goes on: it is a precaution.
pub fn forbid() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_CORE)
        && setrlimit(Resource::RLIMIT_CORE, 0, hard).is_ok()
    {
        let _ = FOUND.set(soft);
    }
    // A program that core files are piped to gets them whatever the limit is,
    // but not of a process that is not dumpable. This ends with the next exec.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Puts the limit back: what runs in our place is to find its own.
pub fn restore() {
    if let Some(soft) = FOUND.get()
        && let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE)
    {
        let _ = setrlimit(Resource::RLIMIT_CORE, *soft, hard);
    }
}
