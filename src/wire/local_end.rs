//! Binds a socket to where its connection is to come from, as ssh does
//! (sshconnect.c, `ssh_create_socket`).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use socket2::Socket;

use super::dial::Why;
use crate::config::local_end::{BoundBy, LocalEnd};

/// A local end that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbound {
    /// What the configuration sets.
    pub end: LocalEnd,
    /// Why it cannot be used.
    pub fault: BindFault,
}

/// Why a local end cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindFault {
    /// The name stands for no address: the resolver's words.
    Unresolved(String),
    /// It has no address of the family of the server's.
    Family,
    /// No interface has this name.
    NoInterface,
    /// The interface is down.
    Down,
    /// The kernel's error number for the address.
    Refused(IpAddr, i32),
    /// A loopback address, which reaches this machine alone.
    Loopback(IpAddr),
    /// The server answers to other addresses of this machine.
    Unanswered,
}

impl Unbound {
    /// As the reason of a failed dial.
    pub fn of(end: &LocalEnd, fault: BindFault) -> Why {
        Why::Unbound(Box::new(Self {
            end: end.clone(),
            fault,
        }))
    }
}

/// As it stands behind "cannot be used:".
impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = &self.end.value;
        match &self.fault {
            BindFault::Unresolved(words) => write!(f, "{value}: {words}"),
            BindFault::Family => write!(f, "it has no address of the server's address family"),
            BindFault::NoInterface => write!(f, "this machine has no interface of that name"),
            BindFault::Down => write!(f, "the interface is down"),
            BindFault::Refused(ip, libc::EADDRNOTAVAIL) => {
                write!(f, "{ip} is not an address of this machine")
            }
            BindFault::Refused(ip, errno) => {
                write!(f, "{ip}: {}", io::Error::from_raw_os_error(*errno))
            }
            BindFault::Loopback(ip) => {
                write!(
                    f,
                    "{ip} is a loopback address, which reaches only this machine"
                )
            }
            BindFault::Unanswered => write!(
                f,
                "the server accepts connections from other addresses of this machine"
            ),
        }
    }
}

/// Binds the socket, which is to be connected to this address. May look a name
/// up, and block.
///
/// # Errors
/// Where the address cannot be used; a resource that ran out is no fault of it.
pub fn bind(socket: &Socket, end: &LocalEnd, to: SocketAddr) -> Result<SocketAddr, Why> {
    let unbound = |fault| Unbound::of(end, fault);
    let from = match end.by {
        BoundBy::Address => of_host(&end.value, to),
        BoundBy::Interface => of_interface(&end.value, to),
    };
    let from = from.map_err(unbound)?;
    socket.bind(&from.into()).map_err(|error| {
        match error.raw_os_error() {
            // Other than an address, these may be free again.
            Some(errno @ (libc::EADDRINUSE | libc::ENOBUFS | libc::ENOMEM)) => Why::Errno(errno),
            Some(errno) => unbound(BindFault::Refused(from.ip(), errno)),
            None => Why::Other(error.to_string()),
        }
    })?;
    Ok(from)
}

fn of_host(host: &str, to: SocketAddr) -> Result<SocketAddr, BindFault> {
    let found: Vec<SocketAddr> = (host, 0)
        .to_socket_addrs()
        .map_err(|error| BindFault::Unresolved(resolver_words(&error)))?
        .collect();
    let mut found = found.into_iter();
    found
        .find(|from| from.is_ipv4() == to.is_ipv4())
        .ok_or(BindFault::Family)
}

/// getaddrinfo's own words.
fn resolver_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("failed to lookup address information: ") {
        Some(words) => words.to_owned(),
        None => text,
    }
}

/// The interface's first address of the family; a loopback or link-local one
/// only where it has no other (`check_ifaddrs`).
fn of_interface(name: &str, to: SocketAddr) -> Result<SocketAddr, BindFault> {
    let all: Vec<InterfaceAddress> = getifaddrs()
        .map_err(|errno| BindFault::Unresolved(errno.desc().to_owned()))?
        .filter(|address| address.interface_name == name)
        .collect();
    let up = |address: &&InterfaceAddress| address.flags.contains(InterfaceFlags::IFF_UP);
    if all.is_empty() {
        return Err(BindFault::NoInterface);
    }
    if !all.iter().any(|address| up(&address)) {
        return Err(BindFault::Down);
    }
    let addresses: Vec<SocketAddr> = all
        .iter()
        .filter(up)
        .filter_map(|address| socket_address(address.address.as_ref()?))
        .filter(|from| from.is_ipv4() == to.is_ipv4())
        .collect();
    let near = |from: &&SocketAddr| match from.ip() {
        IpAddr::V4(ip) => ip == std::net::Ipv4Addr::LOCALHOST,
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    };
    let far = addresses.iter().find(|from| !near(from));
    far.or(addresses.first()).copied().ok_or(BindFault::Family)
}

fn socket_address(address: &nix::sys::socket::SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), 0));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(v6.ip(), 0, 0, v6.scope_id()).into())
}
