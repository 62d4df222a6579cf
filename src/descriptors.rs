//! File descriptors: dbdoctor needs a few more of them than a client does. It
//! raises a low soft limit while it runs; if the hard limit is as low, it says so
//! before it starts.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A limit of this many is high enough.
const ENOUGH: u64 = 256;

/// What the runtime takes, and one connection that is watched.
const LEAST: usize = 9;

/// The soft limit as it was found, where it was raised.
static FOUND: OnceLock<u64> = OnceLock::new();

/// Raises a low soft limit as far as the hard limit allows, and checks that
/// enough descriptors are free to start.
///
/// # Errors
/// The system's error when too few are free.
pub fn provide() -> io::Result<()> {
    raise(ENOUGH);
    // A pipe, since a minimal container may have no /dev/null to open.
    let (reader, _writer) = io::pipe()?;
    let spare: io::Result<Vec<OwnedFd>> = (2..LEAST)
        .map(|_| reader.try_clone().map(OwnedFd::from))
        .collect();
    spare.map(drop)
}

/// So many are enough for any number of connections that are forwarded.
const MANY: u64 = 65_536;

/// Raises the soft limit as far as the hard limit allows, for a command that holds as many
/// connections as others open.
pub fn provide_many() {
    raise(MANY);
}

fn raise(wanted: u64) {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted.min(hard)
        && setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).is_ok()
    {
        let _ = FOUND.set(soft);
    }
}

/// Restores the soft limit for the command that replaces dbdoctor.
pub fn restore() {
    if let Some(soft) = FOUND.get()
        && let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, *soft, hard);
    }
}

/// How many descriptors this process may have open.
pub fn limit() -> usize {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(ENOUGH, |(soft, _)| soft);
    usize::try_from(soft).unwrap_or(usize::MAX)
}
