//! What `/proc` and the kernel tell of the connections of this machine's processes.

use std::os::linux::fs::MetadataExt;

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process, all_processes};
use procfs::{Current, Uptime};

use super::*;
use crate::listeners::canonical;

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
    let mut ends: BTreeMap<u64, (Option<SocketAddr>, Remote)> = BTreeMap::new();
    for entry in tables.into_values().flatten() {
        if wanted.ports.contains(&entry.remote_address.port()) && entry.inode != 0 {
            let local = canonical(entry.local_address);
            let remote = canonical(entry.remote_address);
            ends.insert(entry.inode, (Some(local), Remote::Tcp(remote)));
        }
    }
    for client in diag::unix_clients() {
        if wanted.is_postgres(&client.peer) {
            ends.insert(client.inode, (None, Remote::Unix(client.peer)));
        }
    }
    let family = family(&found, &wanted.pids);
    for (inode, (local, remote)) in ends {
        let owners = found.iter().filter(|one| one.sockets.contains(&inode));
        let mut holders: Vec<Holder> = owners.filter_map(holder).collect();
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
            local,
            remote,
            inode,
            together: None,
            unused: None,
            replaced: false,
            holders,
        });
    }
    since_when(&mut seen.connections);
    seen.connections
        .sort_by(|a, b| (&a.remote, a.local).cmp(&(&b.remote, b.local)));
    Some(seen)
}

/// Notes of what several processes hold since when they do, when it was
/// last used, and whether they still need it.
fn since_when(connections: &mut [HeldConnection]) {
    if connections.iter().all(|c| c.holders.len() < 2) {
        return;
    }
    let alone: BTreeSet<(i32, Remote)> = connections
        .iter()
        .filter_map(|c| match c.holders.as_slice() {
            [only] => Some((only.pid, c.remote.clone())),
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
        connection.together = age.and_then(|age| Duration::try_from_secs_f64(age.max(0.0)).ok());
        connection.unused = last_sent.get(&connection.inode).copied();
        connection.replaced = others
            .iter()
            .any(|other| alone.contains(&(other.pid, connection.remote.clone())));
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
    let is_open =
        |entry: &TcpNetEntry| matches!(entry.state, TcpState::Established | TcpState::CloseWait);
    v4.into_iter().chain(v6).filter(is_open).collect()
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
        .map(|file| Program {
            file: (file.st_dev(), file.st_ino()),
            stack: stat.startstack,
        });
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
