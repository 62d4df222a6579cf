//! Which process of this machine is at the other end of a connection to the tap.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::{listeners, text};

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
        write!(f, "{} (pid {})", text::clean(&self.name), self.pid)
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
                let found = listeners::client(wanted.client, wanted.tap, &mut known);
                let _ = wanted
                    .answer
                    .set(found.map(|(pid, name)| Process { pid, name }));
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
