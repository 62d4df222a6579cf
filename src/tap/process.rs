//! Which process of this machine is at the other end of a connection to the tap.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name, as the kernel has it (its arguments are not read: they may hold secrets).
    pub name: String,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (pid {})", crate::text::clean(&self.name), self.pid)
    }
}

/// A connection whose process is wanted, and where the answer goes.
struct LookUp {
    client: SocketAddr,
    tap: SocketAddr,
    answer: Arc<OnceLock<Option<Process>>>,
}

/// Looks processes up one after the other, on a thread of its own: a client is not kept
/// waiting for it, and many at once are no more work than one after the other.
#[derive(Clone)]
pub struct Finder(mpsc::Sender<LookUp>);

/// So many connections may wait for their process. In a storm the rest stays without.
const WAITING: usize = 64;

impl Finder {
    /// A finder for connections to this address of the tap.
    pub fn start() -> Self {
        let (ask, mut asked) = mpsc::channel::<LookUp>(WAITING);
        tokio::task::spawn_blocking(move || {
            let mut known = Vec::new();
            while let Some(wanted) = asked.blocking_recv() {
                let found = sys::find(wanted.client, wanted.tap, &mut known);
                let _ = wanted.answer.set(found);
            }
        });
        Self(ask)
    }

    /// Looks a client's process up; the answer is there later, or never.
    pub fn find(
        &self,
        client: SocketAddr,
        tap: SocketAddr,
        answer: &Arc<OnceLock<Option<Process>>>,
    ) {
        let wanted = LookUp {
            client,
            tap,
            answer: Arc::clone(answer),
        };
        if let Err(error) = self.0.try_send(wanted) {
            let (mpsc::error::TrySendError::Full(wanted)
            | mpsc::error::TrySendError::Closed(wanted)) = error;
            let _ = wanted.answer.set(None);
        }
    }
}

#[cfg(target_os = "linux")]
mod sys {
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use procfs::process::{FDTarget, Process as Entry, all_processes};

    use super::Process;

    /// How long `/proc` is searched for a socket's owner.
    const SEARCH_LIMIT: Duration = Duration::from_millis(250);

    /// So many processes are remembered.
    const KNOWN: usize = 64;

    /// The process that holds the client's end; `known` are those that were found before, the
    /// latest first: a pool's connections are all of one.
    pub fn find(client: SocketAddr, tap: SocketAddr, known: &mut Vec<i32>) -> Option<Process> {
        let inode = inode(client, tap)?;
        let began = Instant::now();
        let before = known.iter().filter_map(|pid| Entry::new(*pid).ok());
        let mut all = all_processes().ok()?.flatten();
        let late = || began.elapsed() > SEARCH_LIMIT;
        let mut others = all.by_ref().take_while(|_| !late());
        let holder = before
            .collect::<Vec<_>>()
            .into_iter()
            .chain(others.by_ref())
            .find(|process| holds(process, inode))?;
        let pid = holder.pid();
        known.retain(|other| *other != pid);
        known.insert(0, pid);
        known.truncate(KNOWN);
        let name = holder.stat().ok()?.comm;
        Some(Process { pid, name })
    }

    fn holds(process: &Entry, inode: u64) -> bool {
        let Ok(descriptors) = process.fd() else {
            return false;
        };
        descriptors
            .flatten()
            .any(|descriptor| matches!(descriptor.target, FDTarget::Socket(it) if it == inode))
    }

    /// The client's socket, where it is one of this machine.
    fn inode(client: SocketAddr, tap: SocketAddr) -> Option<u64> {
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        let ends = (canonical(client), canonical(tap));
        let v4 = procfs::net::tcp().unwrap_or_default();
        let v6 = procfs::net::tcp6().unwrap_or_default();
        v4.into_iter()
            .chain(v6)
            .find(|entry| {
                (
                    canonical(entry.local_address),
                    canonical(entry.remote_address),
                ) == ends
            })
            .map(|entry| entry.inode)
            .filter(|inode| *inode != 0)
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::net::SocketAddr;

    use super::Process;

    pub fn find(_: SocketAddr, _: SocketAddr, _: &mut Vec<i32>) -> Option<Process> {
        None
    }
}
