//! Which process of this machine stands behind an address of this machine:
//! `localhost:15432` may be docker-proxy, ssh, kubectl, haproxy or postgres
//! itself, and that decides what an error means.
//!
//! Everything comes from `/proc`, is bounded in number and time, and is partial
//! without the right to look into other users' processes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};

use crate::text;

/// How long `/proc` is searched for a socket's owner.
const PATIENCE: Duration = Duration::from_millis(250);

/// So many processes that were found before are asked first.
const REMEMBERED: usize = 64;

/// A socket of this machine that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it is bound to; a wildcard for every address.
    pub address: SocketAddr,
    /// The process that owns it; unknown where it may not be seen.
    pub pid: Option<i32>,
    /// The process's name (its arguments are not read: they may hold secrets).
    pub name: Option<String>,
}

impl Listener {
    /// As it stands in facts and evidence.
    pub fn to_json(&self) -> Value {
        json!({
            "address": self.address.to_string(),
            "pid": self.pid,
            "name": self.name.as_deref().map(text::clean),
        })
    }

    /// As it stands in a sentence: `docker-proxy (pid 812)`.
    pub fn label(&self) -> String {
        match (&self.name, self.pid) {
            (Some(name), Some(pid)) => format!("{} (pid {pid})", text::clean(name)),
            (_, Some(pid)) => format!("pid {pid}"),
            _ => "a process that this user cannot see".to_owned(),
        }
    }
}

/// Whether an address is one of this machine's own.
pub fn is_local(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    if ip.is_loopback() || ip.is_unspecified() {
        return true;
    }
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return false;
    };
    interfaces
        .filter_map(|interface| interface.address)
        .any(|address| {
            address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip())) == Some(ip)
                || address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())) == Some(ip)
        })
}

/// The process that accepts connections to an address of this machine; `None`
/// where the address is another machine's or no socket listens there.
/// It reads files and may take some milliseconds.
pub fn listener(address: SocketAddr) -> Option<Listener> {
    if !is_local(address.ip()) {
        return None;
    }
    let sockets = sys::listening();
    let best = sockets
        .into_iter()
        .filter(|socket| socket.address.port() == address.port())
        .filter_map(|socket| Some((fit(socket.address.ip(), address.ip())?, socket)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, socket)| socket)?;
    sys::owners(vec![best]).pop()
}

/// What a listener of this machine has not accepted yet, and whom it serves meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptQueue {
    /// The connections that wait to be accepted.
    pub waiting: u32,
    /// The clients of the connections that the listening process itself holds open, as
    /// far as they are of this machine: `psql (pid 812)`.
    pub served: Vec<String>,
}

/// The accept queue of a listener; `None` where nothing waits in it, or its
/// process may not be seen. A server that serves each connection in a process of
/// its own serves nobody by this account. It reads files, as [`listener`] does.
pub fn accept_queue(listener: &Listener) -> Option<AcceptQueue> {
    sys::accept_queue(listener.address, listener.pid?).filter(|queue| queue.waiting > 0)
}

/// An address, as IPv4 where it is an IPv4 one in the form of IPv6.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// How well a bound address takes connections to another, 0 being exactly; as
/// the kernel ranks them.
fn fit(bound: IpAddr, asked: IpAddr) -> Option<u8> {
    let (bound, asked) = (bound.to_canonical(), asked.to_canonical());
    match (bound, asked) {
        (a, b) if a == b => Some(0),
        (IpAddr::V4(any), IpAddr::V4(_)) if any.is_unspecified() => Some(1),
        (IpAddr::V6(any), IpAddr::V6(_)) if any.is_unspecified() => Some(1),
        (IpAddr::V6(any), IpAddr::V4(_)) if any.is_unspecified() => Some(2),
        // `0.0.0.0` and `::` as destinations mean this machine.
        (_, asked) if asked.is_unspecified() && bound.is_loopback() => Some(3),
        _ => None,
    }
}

/// The processes of PostgreSQL and its poolers.
pub const DATABASE_SERVERS: &[&str] = &["postgres", "postmaster", "pgbouncer", "pgcat", "pgpool"];

/// The processes of SSH servers.
pub const SSH_SERVERS: &[&str] = &["sshd", "dropbear", "teleport", "tailscaled"];

/// What listens on this machine where somebody may have been meant who dialled
/// an address that refuses: the same port on other addresses, and the servers
/// of that kind, by their processes' names, on other ports.
pub fn alternatives(address: SocketAddr, servers: &[&str]) -> Vec<Listener> {
    const SHOWN: usize = 4;
    let owned = sys::owners(sys::listening());
    let same_port = owned.iter().filter(|l| l.address.port() == address.port());
    let of_kind = owned.iter().filter(|l| {
        l.address.port() != address.port()
            && l.name
                .as_deref()
                .is_some_and(|name| servers.contains(&name))
    });
    same_port.chain(of_kind).take(SHOWN).cloned().collect()
}

/// The process of this machine that holds the client's end of a connection: its number and
/// name. Asked first are those that were found before (`known`, the latest first): the
/// connections of a pool are all of one process.
pub fn client(
    client: SocketAddr,
    server: SocketAddr,
    known: &mut Vec<i32>,
) -> Option<(i32, String)> {
    let (pid, name) = sys::client(client, server, known)?;
    known.retain(|other| *other != pid);
    known.insert(0, pid);
    known.truncate(REMEMBERED);
    Some((pid, name))
}

/// The process at the other end of a connected unix socket.
pub fn peer(socket: &socket2::Socket) -> Option<(i32, Option<String>)> {
    sys::peer(socket)
}

#[cfg(target_os = "linux")]
mod sys {
    use std::time::Instant;

    use nix::sys::socket::{getsockopt, sockopt};
    use procfs::net::{TcpNetEntry, TcpState};
    use procfs::process::{FDTarget, Process, all_processes};

    use super::*;

    /// A listening socket and its inode.
    pub struct Socket {
        pub address: SocketAddr,
        inode: u64,
    }

    impl Socket {
        fn of(entry: &TcpNetEntry) -> Self {
            Self {
                address: entry.local_address,
                inode: entry.inode,
            }
        }
    }

    pub fn listening() -> Vec<Socket> {
        const MOST: usize = 4_096;
        entries()
            .filter(|entry| entry.state == TcpState::Listen)
            .map(|entry| Socket::of(&entry))
            .take(MOST)
            .collect()
    }

    /// Every TCP socket of the network namespace.
    fn entries() -> impl Iterator<Item = TcpNetEntry> {
        let v4 = procfs::net::tcp().unwrap_or_default();
        let v6 = procfs::net::tcp6().unwrap_or_default();
        v4.into_iter().chain(v6)
    }

    pub fn accept_queue(listening: SocketAddr, pid: i32) -> Option<AcceptQueue> {
        const SHOWN: usize = 4;
        let all: Vec<TcpNetEntry> = entries().collect();
        let socket = all
            .iter()
            .find(|entry| entry.state == TcpState::Listen && entry.local_address == listening)?;
        // A connection that waits to be accepted has no inode yet.
        let accepted: Vec<&TcpNetEntry> = all
            .iter()
            .filter(|entry| {
                entry.state == TcpState::Established
                    && entry.inode != 0
                    && entry.local_address.port() == listening.port()
                    && entry.remote_address.port() != 0
            })
            .collect();
        let named = |entries: &[&TcpNetEntry]| {
            owners(entries.iter().map(|entry| Socket::of(entry)).collect())
        };
        let own: Vec<SocketAddr> = accepted
            .iter()
            .zip(named(&accepted))
            .filter(|(_, owner)| owner.pid == Some(pid))
            .map(|(entry, _)| entry.remote_address)
            .take(SHOWN)
            .collect();
        let clients: Vec<&TcpNetEntry> = all
            .iter()
            .filter(|entry| own.contains(&entry.local_address) && entry.inode != 0)
            .collect();
        let mut served: Vec<String> = named(&clients).iter().map(Listener::label).collect();
        served.extend(own.iter().skip(served.len()).map(ToString::to_string));
        Some(AcceptQueue {
            waiting: socket.rx_queue,
            served,
        })
    }

    /// The processes that own the sockets, in the same order; of several the
    /// one with the lowest number, which is the parent as a rule.
    pub fn owners(sockets: Vec<Socket>) -> Vec<Listener> {
        let began = Instant::now();
        let mut pids: Vec<Option<i32>> = vec![None; sockets.len()];
        let processes = all_processes().into_iter().flatten().flatten();
        for process in processes {
            if began.elapsed() > PATIENCE {
                break;
            }
            let Ok(descriptors) = process.fd() else {
                continue;
            };
            for descriptor in descriptors.flatten() {
                let FDTarget::Socket(inode) = descriptor.target else {
                    continue;
                };
                let at = sockets.iter().position(|socket| socket.inode == inode);
                if let Some(owner) = at.and_then(|at| pids.get_mut(at)) {
                    let pid = process.pid();
                    *owner = Some(owner.map_or(pid, |known| known.min(pid)));
                }
            }
        }
        sockets
            .into_iter()
            .zip(pids)
            .map(|(socket, pid)| Listener {
                address: socket.address,
                pid,
                name: pid.and_then(name),
            })
            .collect()
    }

    fn name(pid: i32) -> Option<String> {
        let process = Process::new(pid).ok()?;
        Some(process.stat().ok()?.comm)
    }

    pub fn client(client: SocketAddr, server: SocketAddr, known: &[i32]) -> Option<(i32, String)> {
        let ends = [client, server].map(canonical);
        let inode = entries()
            .find(|entry| [entry.local_address, entry.remote_address].map(canonical) == ends)
            .map(|entry| entry.inode)
            .filter(|inode| *inode != 0)?;
        let holds = |process: &Process| {
            let Ok(descriptors) = process.fd() else {
                return false;
            };
            descriptors
                .flatten()
                .any(|it| matches!(it.target, FDTarget::Socket(held) if held == inode))
        };
        let began = Instant::now();
        let before = known.iter().filter_map(|pid| Process::new(*pid).ok());
        let all = all_processes().into_iter().flatten().flatten();
        let pid = before
            .chain(all.take_while(|_| began.elapsed() <= PATIENCE))
            .find(holds)?
            .pid();
        Some((pid, name(pid)?))
    }

    pub fn peer(socket: &socket2::Socket) -> Option<(i32, Option<String>)> {
        let credentials = getsockopt(socket, sockopt::PeerCredentials).ok()?;
        let pid = credentials.pid();
        (pid > 0).then(|| (pid, name(pid)))
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use super::*;

    /// A listening socket.
    pub struct Socket {
        pub address: SocketAddr,
    }

    pub fn listening() -> Vec<Socket> {
        Vec::new()
    }

    pub fn owners(_: Vec<Socket>) -> Vec<Listener> {
        Vec::new()
    }

    pub fn accept_queue(_: SocketAddr, _: i32) -> Option<AcceptQueue> {
        None
    }

    pub fn client(_: SocketAddr, _: SocketAddr, _: &[i32]) -> Option<(i32, String)> {
        None
    }

    pub fn peer(_: &socket2::Socket) -> Option<(i32, Option<String>)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_take_what_nobody_else_does() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(fit(ip("127.0.0.1"), ip("127.0.0.1")), Some(0));
        assert_eq!(fit(ip("0.0.0.0"), ip("127.0.0.1")), Some(1));
        assert_eq!(fit(ip("::"), ip("127.0.0.1")), Some(2));
        assert_eq!(fit(ip("::"), ip("::1")), Some(1));
        assert_eq!(fit(ip("::1"), ip("127.0.0.1")), None);
        assert_eq!(fit(ip("0.0.0.0"), ip("::1")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn our_own_listener_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let found = listener(address).unwrap();
        assert_eq!(found.pid, Some(std::process::id() as i32));
        assert!(found.name.is_some());
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], address.port()));
        assert_eq!(listener(elsewhere), None);
        assert_eq!(
            alternatives(elsewhere, DATABASE_SERVERS)[0].address,
            address
        );
        assert_eq!(listener(([192, 0, 2, 200], 1).into()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_unix_sockets_owner_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let (pid, _) = peer(&stream.into()).unwrap();
        assert_eq!(pid, std::process::id() as i32);
    }
}
