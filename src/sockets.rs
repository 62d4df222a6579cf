//! Which processes of this machine hold connections to a database, and which
//! connections several processes hold at once: a pool that was created before
//! a fork. Everything comes from `/proc`; nothing is touched.
//!
//! A descriptor in another process's table is all that can be seen from
//! outside. Two things look like sharing and are none: a child that has been
//! forked and is about to become another program (its descriptors close then),
//! which a second look some time later tells apart; and a different program
//! that was started with the descriptor left open, which is kept apart as a
//! leak. A third is sharing that was fixed: workers that let go of what they
//! inherited and opened connections of their own, where the driver cannot
//! close the descriptor without ending the parent's session (psycopg under
//! SQLAlchemy's `engine.dispose(close=False)`). Then nothing is sent over the
//! connection any more, which the kernel tells.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::text;

#[cfg(target_os = "linux")]
mod diag;

/// A process that holds a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub ppid: i32,
    /// Its name, as the kernel has it.
    pub name: String,
    /// The program that it runs, as the kernel numbers files; unknown where
    /// that may not be seen.
    pub program: Option<(u64, u64)>,
    /// The framework that it belongs to, from its arguments (which are not
    /// kept: they may hold secrets).
    pub framework: Option<Framework>,
    /// When it was started, in clock ticks after boot: parents come first.
    pub started: u64,
}

/// Programs that fork workers, each with its own place for the cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Framework {
    Gunicorn,
    Uwsgi,
    Celery,
    Multiprocessing,
    Puma,
    Unicorn,
    PhpFpm,
    Apache,
}

impl Framework {
    /// Recognises one from a process's arguments.
    fn of(arguments: &[String]) -> Option<Self> {
        let named = |name: &str| {
            arguments.iter().take(6).any(|argument| {
                let last = argument.rsplit('/').next().unwrap_or(argument);
                last == name
                    || last.starts_with(&format!("{name}:"))
                    || last.starts_with(&format!("{name} "))
            })
        };
        let contains = |text: &str| arguments.iter().take(8).any(|a| a.contains(text));
        Some(match () {
            _ if named("gunicorn") => Self::Gunicorn,
            _ if named("uwsgi") => Self::Uwsgi,
            _ if named("celery") || contains("celeryd") => Self::Celery,
            _ if named("puma") => Self::Puma,
            _ if named("unicorn") => Self::Unicorn,
            _ if named("php-fpm") || contains("php-fpm:") => Self::PhpFpm,
            _ if named("apache2") || named("httpd") => Self::Apache,
            _ if contains("multiprocessing") => Self::Multiprocessing,
            _ => return None,
        })
    }

    /// What to do there.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Gunicorn => {
                "gunicorn: create the engine in the post_fork hook, or call engine.dispose(close=False) there, or start without --preload"
            }
            Self::Uwsgi => {
                "uWSGI: set lazy-apps = true, or create the pool in a function marked @postfork"
            }
            Self::Celery => {
                "Celery: create the engine on the worker_process_init signal, or call engine.dispose(close=False) there"
            }
            Self::Multiprocessing => {
                "multiprocessing: call engine.dispose(close=False) in the initializer of the pool, or use the spawn start method"
            }
            Self::Puma => {
                "Puma: with preload_app!, call ActiveRecord::Base.connection_pool.disconnect! in before_fork and connect in on_worker_boot"
            }
            Self::Unicorn => {
                "Unicorn: with preload_app, disconnect in before_fork and connect in after_fork"
            }
            Self::PhpFpm => {
                "PHP-FPM: open connections while a request is served, not in a preload script"
            }
            Self::Apache => {
                "Apache: open connections in the child's initialisation, not at start-up"
            }
        }
    }
}

/// A connection to a database, and who holds it.
#[derive(Clone, Debug)]
pub struct HeldConnection {
    /// This end.
    pub local: SocketAddr,
    /// The database's end.
    pub remote: SocketAddr,
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
            (Some(one), Some(other)) => one == other,
            // What cannot be told apart counts as the same.
            _ => true,
        };
        match others {
            [] => Held::Alone,
            others if !others.iter().any(same) => Held::Leaked,
            _ if self.replaced && self.used_together() == Some(false) => Held::Forgotten,
            _ => Held::Shared,
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
            "local": self.local.to_string(),
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
    /// The databases' ports.
    pub ports: BTreeSet<u16>,
    /// Only connections of these processes and their descendants.
    pub pids: BTreeSet<i32>,
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

#[cfg(target_os = "linux")]
mod sys {
    use std::os::linux::fs::MetadataExt;

    use procfs::net::{TcpNetEntry, TcpState};
    use procfs::process::{FDTarget, Process, all_processes};
    use procfs::{Current, Uptime};

    use super::*;

    /// A process and its parent, with the sockets it has open.
    struct Found {
        process: Process,
        ppid: i32,
        sockets: BTreeSet<u64>,
    }

    pub fn is_there(pid: i32) -> bool {
        Process::new(pid).is_ok()
    }

    pub fn owner(local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        let sockets = procfs::net::tcp().ok()?;
        sockets
            .iter()
            .find(|socket| (socket.local_address, socket.remote_address) == (local, remote))
            // One that was closed belongs to root, as far as the table tells.
            .filter(|socket| socket.state == TcpState::Established && socket.inode != 0)
            .map(|socket| socket.uid)
    }

    pub fn look(wanted: &SocketFilter) -> Option<SocketScan> {
        let mut seen = SocketScan::default();
        let mut found = Vec::new();
        // A namespace's table is the same for all processes in it.
        let mut tables: BTreeMap<u64, Vec<TcpNetEntry>> = BTreeMap::new();
        for process in all_processes().ok()?.flatten() {
            let Ok(stat) = process.stat() else { continue };
            let Ok(descriptors) = process.fd() else {
                // Without descriptors and without the right to see them look
                // alike; kernel threads have none.
                if process.exe().is_err() && !is_kernel_thread(stat.flags) {
                    seen.unseen += 1;
                }
                continue;
            };
            seen.processes += 1;
            let sockets = descriptors
                .flatten()
                .filter_map(|descriptor| match descriptor.target {
                    FDTarget::Socket(inode) => Some(inode),
                    _ => None,
                })
                .collect();
            let namespace = network_of(process.pid());
            if let Some(namespace) = namespace {
                tables.entry(namespace).or_insert_with(|| table(&process));
            }
            found.push(Found {
                process,
                ppid: stat.ppid,
                sockets,
            });
        }
        if tables.is_empty() {
            let own = Process::myself().ok()?;
            tables.insert(0, table(&own));
        }
        let family = family(&found, &wanted.pids);
        let mut entries: BTreeMap<u64, TcpNetEntry> = BTreeMap::new();
        for entry in tables.into_values().flatten() {
            if wanted.ports.contains(&entry.remote_address.port()) && entry.inode != 0 {
                entries.insert(entry.inode, entry);
            }
        }
        for (inode, entry) in entries {
            let owners: Vec<&Found> = found
                .iter()
                .filter(|one| one.sockets.contains(&inode))
                .collect();
            let mut holders: Vec<Holder> = owners.iter().filter_map(|one| holder(one)).collect();
            if holders.is_empty() {
                seen.unowned += 1;
                continue;
            }
            let meant = |holder: &Holder| family.is_empty() || family.contains(&holder.pid);
            if !holders.iter().any(meant) {
                continue;
            }
            holders.sort_by_key(|holder| (holder.started, holder.pid));
            seen.connections.push(HeldConnection {
                local: canonical(entry.local_address),
                remote: canonical(entry.remote_address),
                inode,
                together: None,
                unused: None,
                replaced: false,
                holders,
            });
        }
        since_when(&mut seen.connections);
        seen.connections.sort_by_key(|c| (c.remote, c.local));
        Some(seen)
    }

    /// Notes of what several processes hold since when they do, when it was
    /// last used, and whether they still need it.
    fn since_when(connections: &mut [HeldConnection]) {
        if connections.iter().all(|c| c.holders.len() < 2) {
            return;
        }
        let alone: BTreeSet<(i32, SocketAddr)> = connections
            .iter()
            .filter_map(|c| match c.holders.as_slice() {
                [only] => Some((only.pid, c.remote)),
                _ => None,
            })
            .collect();
        let last_sent = diag::last_sent();
        let ticks = procfs::ticks_per_second().max(1) as f64;
        let uptime = Uptime::current().ok().map(|now| now.uptime);
        for connection in connections {
            let [_, others @ ..] = connection.holders.as_slice() else {
                continue;
            };
            let age = others
                .first()
                .zip(uptime)
                .map(|(second, uptime)| uptime - second.started as f64 / ticks);
            connection.together =
                age.and_then(|age| Duration::try_from_secs_f64(age.max(0.0)).ok());
            connection.unused = last_sent.get(&connection.inode).copied();
            connection.replaced = others
                .iter()
                .any(|other| alone.contains(&(other.pid, connection.remote)));
        }
    }

    /// `PF_KTHREAD` of the kernel's `sched.h`.
    fn is_kernel_thread(flags: u32) -> bool {
        flags & 0x0020_0000 != 0
    }

    /// The network namespace that a process lives in.
    fn network_of(pid: i32) -> Option<u64> {
        let file = std::fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
        Some(file.st_ino())
    }

    /// The connections of a namespace that are, or were until the other end
    /// closed them.
    fn table(process: &Process) -> Vec<TcpNetEntry> {
        let v4 = process.tcp().unwrap_or_default();
        let v6 = process.tcp6().unwrap_or_default();
        let is_open = |entry: &TcpNetEntry| {
            matches!(entry.state, TcpState::Established | TcpState::CloseWait)
        };
        v4.into_iter().chain(v6).filter(is_open).collect()
    }

    fn canonical(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    /// The processes asked for, with all that descend from them.
    fn family(found: &[Found], pids: &BTreeSet<i32>) -> BTreeSet<i32> {
        let mut family = pids.clone();
        loop {
            let before = family.len();
            for one in found {
                if family.contains(&one.ppid) {
                    family.insert(one.process.pid());
                }
            }
            if family.len() == before {
                return family;
            }
        }
    }

    fn holder(found: &Found) -> Option<Holder> {
        let stat = found.process.stat().ok()?;
        let pid = found.process.pid();
        let program = std::fs::metadata(format!("/proc/{pid}/exe"))
            .ok()
            .map(|file| (file.st_dev(), file.st_ino()));
        let arguments = found.process.cmdline().unwrap_or_default();
        Some(Holder {
            pid,
            ppid: stat.ppid,
            name: stat.comm,
            program,
            framework: Framework::of(&arguments),
            started: stat.starttime,
        })
    }
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
            program: Some((1, program)),
            framework: None,
            started: 0,
        }
    }

    fn connection(inode: u64, holders: &[Holder]) -> HeldConnection {
        HeldConnection {
            local: SocketAddr::from(([127, 0, 0, 1], 40000)),
            remote: SocketAddr::from(([127, 0, 0, 1], 5432)),
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
        assert_eq!(held(true, None), Held::Shared);
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

    #[test]
    fn frameworks_are_recognised() {
        let of =
            |text: &str| Framework::of(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            of("/usr/bin/python3 /usr/bin/gunicorn --preload app"),
            Some(Framework::Gunicorn)
        );
        assert_eq!(of("gunicorn: worker [app]"), Some(Framework::Gunicorn));
        assert_eq!(of("uwsgi --ini app.ini"), Some(Framework::Uwsgi));
        assert_eq!(
            of("python3 -c from multiprocessing.spawn"),
            Some(Framework::Multiprocessing)
        );
        assert_eq!(of("php-fpm: pool www"), Some(Framework::PhpFpm));
        assert_eq!(of("node server.js"), None);
    }
}
