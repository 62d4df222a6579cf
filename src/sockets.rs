//! Which processes of this machine hold connections to a database, and which
//! connections several processes hold at once: a pool that was created before
//! a fork. Everything comes from `/proc`; nothing is touched.
//!
//! A descriptor in another process's table is all that can be seen from
//! outside. Two things look like sharing and are none: a child that has been
//! forked and is about to become another program (its descriptors close then),
//! which a second look some time later tells apart; and another program that
//! was started with the descriptor left open, which is a leak: the server does
//! not see the connection end before that program does. A third is sharing that was fixed: workers that let go of what they
//! inherited and opened connections of their own, where the driver cannot
//! close the descriptor without ending the parent's session (psycopg under
//! SQLAlchemy's `engine.dispose(close=False)`). Then nothing is sent over the
//! connection any more, which the kernel tells for TCP.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::text;

pub use framework::Framework;

#[cfg(target_os = "linux")]
mod diag;
mod framework;
#[cfg(target_os = "linux")]
#[path = "sockets/linux.rs"]
mod sys;

/// A process that holds a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub ppid: i32,
    /// Its name, as the kernel has it.
    pub name: String,
    /// The program that it runs; unknown where that may not be seen.
    pub program: Option<Program>,
    /// The framework that it belongs to, from its arguments (which are not
    /// kept: they may hold secrets).
    pub framework: Option<Framework>,
    /// When it was started, in clock ticks after boot: parents come first.
    pub started: u64,
}

/// What a process runs: a fork keeps all of it, starting a program does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file, as the kernel numbers them: device and inode.
    pub file: (u64, u64),
    /// Where its stack begins, which the kernel chooses anew for every program
    /// that is started; 0 where that may not be seen.
    pub stack: u64,
}

impl Program {
    /// Whether one may be a fork of the other.
    fn is_fork_of(self, other: Self) -> bool {
        let seen = self.stack != 0 && other.stack != 0;
        self.file == other.file && (!seen || self.stack == other.stack)
    }
}

/// The database's end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a unix socket; it begins with `@` in the abstract namespace.
    Unix(String),
}

impl fmt::Display for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => text::clean(path).fmt(out),
        }
    }
}

/// A connection to a database, and who holds it.
#[derive(Clone, Debug)]
pub struct HeldConnection {
    /// This end; a unix socket's has no address.
    pub local: Option<SocketAddr>,
    /// The database's end.
    pub remote: Remote,
    /// The socket's number in the kernel.
    pub inode: u64,
    /// Every process that has it open and may be seen, the oldest first.
    pub holders: Vec<Holder>,
    /// How long it has been held by more than one of them.
    pub together: Option<Duration>,
    /// How long nothing has been sent over it, where the kernel tells.
    pub unused: Option<Duration>,
    /// Whether one that inherited it has opened another one to the same end,
    /// which it would not have done with this one in its pool.
    pub replaced: bool,
}

/// How exactly the start of a process and the last use of a socket compare.
const SLACK: Duration = Duration::from_millis(50);

/// How a connection is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// By one process, or by none that may be seen.
    Alone,
    /// By several that run the same program: any of them may use it.
    Shared,
    /// The same, but those that inherited it have connections of their own, and
    /// whether they use this one cannot be told.
    Doubtful,
    /// Beside its owner only by other programs, which were started with it
    /// left open and know nothing of it.
    Leaked,
    /// By several, of which those that work do so with connections of their
    /// own; nothing has been sent over it since they were forked.
    Forgotten,
}

impl HeldConnection {
    /// How it is held.
    pub fn held(&self) -> Held {
        let [first, others @ ..] = self.holders.as_slice() else {
            return Held::Alone;
        };
        let same = |holder: &Holder| match (holder.program, first.program) {
            (Some(one), Some(other)) => one.is_fork_of(other),
            // What cannot be told apart counts as the same.
            _ => true,
        };
        match others {
            [] => Held::Alone,
            others if !others.iter().any(same) => Held::Leaked,
            _ if !self.replaced => Held::Shared,
            _ => match self.used_together() {
                Some(true) => Held::Shared,
                Some(false) => Held::Forgotten,
                None => Held::Doubtful,
            },
        }
    }

    /// Whether something was sent over it since more than one process has it,
    /// where that can be told.
    pub fn used_together(&self) -> Option<bool> {
        Some(self.unused? + SLACK < self.together?)
    }

    /// The contract's JSON.
    pub fn to_json(&self) -> Value {
        let processes: Vec<Value> = self
            .holders
            .iter()
            .map(|holder| {
                json!({
                    "pid": holder.pid,
                    "ppid": holder.ppid,
                    "name": text::clean(&holder.name),
                })
            })
            .collect();
        json!({
            "local": self.local.map(|local| local.to_string()),
            "remote": self.remote.to_string(),
            "inode": self.inode,
            "processes": processes,
            "shared": self.held() == Held::Shared,
        })
    }
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct SocketFilter {
    /// The databases' ports, which also stand in the names of unix sockets.
    pub ports: BTreeSet<u16>,
    /// Whether PostgreSQL's unix sockets count whatever their port.
    pub every_unix_socket: bool,
    /// Only connections of these processes and their descendants.
    pub pids: BTreeSet<i32>,
}

impl SocketFilter {
    /// Whether the path of a unix socket is one of PostgreSQL's that is meant.
    #[cfg(target_os = "linux")]
    fn is_postgres(&self, path: &str) -> bool {
        let name = path.rsplit(['/', '@']).next().unwrap_or_default();
        let port = name.strip_prefix(".s.PGSQL.").map(str::parse);
        match port {
            Some(Ok(port)) => self.every_unix_socket || self.ports.contains(&port),
            _ => false,
        }
    }
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct SocketScan {
    /// The connections, by their ends.
    pub connections: Vec<HeldConnection>,
    /// How many processes were looked into.
    pub processes: usize,
    /// How many could not be, for lack of permission.
    pub unseen: usize,
    /// Connections to such a port that no visible process holds.
    pub unowned: usize,
}

impl SocketScan {
    /// Keeps as holders only those of a later look too: a child that was about
    /// to become another program is gone from it.
    pub fn confirmed_by(mut self, later: &SocketScan) -> Self {
        for connection in &mut self.connections {
            let again = later
                .connections
                .iter()
                .find(|other| other.inode == connection.inode);
            if connection.holders.len() < 2 {
                continue;
            }
            if let Some(again) = again {
                connection.together = again.together;
                connection.unused = again.unused;
                connection.replaced = again.replaced;
            }
            connection.holders.retain(|holder| {
                again.is_some_and(|again| {
                    again
                        .holders
                        .iter()
                        .any(|other| other.pid == holder.pid && other.program == holder.program)
                })
            });
        }
        self
    }

    /// The connections held in one way, grouped by who holds them.
    pub fn groups(&self, held: Held) -> Vec<Vec<&HeldConnection>> {
        let mut groups: BTreeMap<Vec<i32>, Vec<&HeldConnection>> = BTreeMap::new();
        for connection in self.connections.iter().filter(|c| c.held() == held) {
            let pids = connection.holders.iter().map(|holder| holder.pid).collect();
            groups.entry(pids).or_default().push(connection);
        }
        groups.into_values().collect()
    }
}

/// `gunicorn 812 (parent), gunicorn 815, 816`.
pub fn people(holders: &[Holder]) -> String {
    let pids: BTreeSet<i32> = holders.iter().map(|holder| holder.pid).collect();
    let is_parent = |holder: &Holder| {
        !pids.contains(&holder.ppid) && holders.iter().any(|other| other.ppid == holder.pid)
    };
    let mut words = Vec::new();
    let mut last = "";
    for holder in holders {
        let number = match holder.name == last {
            true => holder.pid.to_string(),
            false => format!("{} {}", text::clean(&holder.name), holder.pid),
        };
        last = &holder.name;
        words.push(match is_parent(holder) {
            true => format!("{number} (parent)"),
            false => number,
        });
    }
    words.join(", ")
}

/// Looks once. It reads files and may take a while where there are thousands
/// of processes.
pub fn look(wanted: &SocketFilter) -> Option<SocketScan> {
    sys::look(wanted)
}

/// The user whose process holds the socket at `local` that is connected to
/// `remote` (IPv4, on this machine). None where the system does not tell, or
/// no process holds it any more.
pub fn owner(local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    sys::owner(local, remote)
}

/// Whether a process is there.
pub fn is_there(pid: i32) -> bool {
    sys::is_there(pid)
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use super::*;

    pub fn look(_: &SocketFilter) -> Option<SocketScan> {
        None
    }

    pub fn is_there(_: i32) -> bool {
        true
    }

    pub fn owner(_: SocketAddr, _: SocketAddr) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: i32, ppid: i32, program: u64) -> Holder {
        Holder {
            pid,
            ppid,
            name: "python3".to_owned(),
            program: Some(Program {
                file: (1, program),
                stack: 7,
            }),
            framework: None,
            started: 0,
        }
    }

    fn connection(inode: u64, holders: &[Holder]) -> HeldConnection {
        HeldConnection {
            local: Some(SocketAddr::from(([127, 0, 0, 1], 40000))),
            remote: Remote::Tcp(SocketAddr::from(([127, 0, 0, 1], 5432))),
            inode,
            holders: holders.to_vec(),
            together: None,
            unused: None,
            replaced: false,
        }
    }

    #[test]
    fn one_process_shares_nothing() {
        assert_eq!(connection(1, &[holder(1, 0, 7)]).held(), Held::Alone);
        assert_eq!(connection(1, &[]).held(), Held::Alone);
    }

    #[test]
    fn the_same_program_shares_and_another_only_leaks() {
        let (parent, child, other) = (holder(1, 0, 7), holder(2, 1, 7), holder(3, 1, 8));
        assert_eq!(
            connection(1, &[parent.clone(), child.clone()]).held(),
            Held::Shared
        );
        assert_eq!(
            connection(1, &[parent.clone(), other.clone()]).held(),
            Held::Leaked
        );
        assert_eq!(connection(1, &[parent, other, child]).held(), Held::Shared);
    }

    #[test]
    fn the_same_file_started_again_is_another_program() {
        let parent = holder(1, 0, 7);
        let started = |stack| Holder {
            program: Some(Program {
                file: (1, 7),
                stack,
            }),
            ..holder(2, 1, 7)
        };
        let held = |stack| connection(1, &[parent.clone(), started(stack)]).held();
        assert_eq!(held(7), Held::Shared);
        assert_eq!(held(8), Held::Leaked);
        assert_eq!(held(0), Held::Shared, "what cannot be seen decides nothing");
    }

    #[test]
    fn what_workers_have_replaced_and_nobody_uses_is_not_shared() {
        let (parent, child) = (holder(1, 0, 7), holder(2, 1, 7));
        let held = |replaced, unused: Option<u64>| {
            let mut one = connection(1, &[parent.clone(), child.clone()]);
            one.together = Some(Duration::from_secs(60));
            one.unused = unused.map(Duration::from_secs);
            one.replaced = replaced;
            one.held()
        };
        assert_eq!(held(true, Some(61)), Held::Forgotten);
        assert_eq!(held(true, Some(59)), Held::Shared);
        assert_eq!(held(true, None), Held::Doubtful);
        assert_eq!(held(false, None), Held::Shared);
        assert_eq!(held(false, Some(61)), Held::Shared);
    }

    #[test]
    fn a_child_on_its_way_to_another_program_is_not_accused() {
        let (parent, child) = (holder(1, 0, 7), holder(2, 1, 7));
        let first = SocketScan {
            connections: vec![connection(1, &[parent.clone(), child])],
            ..SocketScan::default()
        };
        let later = SocketScan {
            connections: vec![connection(1, &[parent])],
            ..SocketScan::default()
        };
        let seen = first.confirmed_by(&later);
        assert_eq!(seen.connections[0].held(), Held::Alone);
    }

    #[test]
    fn connections_of_the_same_processes_are_one_group() {
        let both = [holder(1, 0, 7), holder(2, 1, 7)];
        let seen = SocketScan {
            connections: vec![
                connection(1, &both),
                connection(2, &both),
                connection(3, &both[..1]),
            ],
            ..SocketScan::default()
        };
        assert_eq!(seen.groups(Held::Shared).len(), 1);
        assert_eq!(people(&both), "python3 1 (parent), 2");
    }
}
