//! What the kernel tells of this network namespace's sockets through netlink
//! (sock_diag(7)), and `/proc/net` does not: when something was last sent over
//! a TCP connection, and which unix socket a connection leads to.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::unix::nlas::UnixDiagName;
use netlink_packet_sock_diag::{SockDiagMessage, inet, unix};
use netlink_sys::{Socket, protocols::NETLINK_SOCK_DIAG};
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};

/// Where `tcpi_last_data_sent` stands in `struct tcp_info`: milliseconds ago.
const LAST_DATA_SENT: usize = 44;
/// No machine has more sockets than fit into so many answers.
const MOST_ANSWERS: usize = 4_096;

/// How long ago something was last sent, by the sockets' inodes. Empty where
/// the kernel does not tell.
pub fn last_sent() -> BTreeMap<u64, Duration> {
    let mut found = BTreeMap::new();
    for (family, socket_id) in [
        (AF_INET, inet::SocketId::new_v4()),
        (AF_INET6, inet::SocketId::new_v6()),
    ] {
        let request = inet::InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: inet::ExtensionFlags::INFO,
            states: inet::StateFlags::ESTABLISHED | inet::StateFlags::CLOSE_WAIT,
            socket_id,
        };
        let _ = each(SockDiagMessage::InetRequest(request), |answer| {
            if let SockDiagMessage::InetResponse(socket) = answer {
                let ago = socket.nlas.iter().find_map(|nla| match nla {
                    inet::nlas::Nla::TcpInfo(info) => u32_at(info, LAST_DATA_SENT),
                    _ => None,
                });
                if let Some(ago) = ago {
                    let ago = Duration::from_millis(ago.into());
                    found.insert(socket.header.inode.into(), ago);
                }
            }
        });
    }
    found
}

/// A connected end of a unix socket that has no name of its own: a client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixClient {
    /// The socket's number in the kernel.
    pub inode: u64,
    /// What the other end is bound to: a path, or `@` and a name in the
    /// abstract namespace.
    pub peer: String,
}

/// The clients of named unix sockets. Empty where the kernel does not tell.
pub fn unix_clients() -> Vec<UnixClient> {
    let mut names = BTreeMap::new();
    let mut peers = BTreeMap::new();
    let request = unix::UnixRequest {
        state_flags: unix::StateFlags::ESTABLISHED,
        inode: 0,
        show_flags: unix::ShowFlags::NAME | unix::ShowFlags::PEER,
        cookie: [0xff; 8],
    };
    let _ = each(SockDiagMessage::UnixRequest(request), |answer| {
        if let SockDiagMessage::UnixResponse(socket) = answer {
            for nla in &socket.nlas {
                match nla {
                    unix::nlas::Nla::Name(name) => {
                        names.insert(socket.header.inode, written(name));
                    }
                    unix::nlas::Nla::Peer(peer) => {
                        peers.insert(socket.header.inode, *peer);
                    }
                    _ => (),
                }
            }
        }
    });
    peers
        .iter()
        .filter(|(inode, _)| !names.contains_key(inode))
        .filter_map(|(inode, peer)| {
            Some(UnixClient {
                inode: (*inode).into(),
                peer: names.get(peer)?.clone(),
            })
        })
        .collect()
}

fn written(name: &UnixDiagName) -> String {
    match name {
        UnixDiagName::Pathname(path) => path.to_string_lossy().into_owned(),
        UnixDiagName::Abstract(bytes) => format!("@{}", String::from_utf8_lossy(bytes)),
    }
}

/// Sends a request for every socket of a kind, and hands on what is answered.
fn each(request: SockDiagMessage, mut tell: impl FnMut(SockDiagMessage)) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(500))?;
    socket.send(&bytes, 0)?;
    for _ in 0..MOST_ANSWERS {
        let mut answer = Vec::with_capacity(64 << 10);
        socket.recv(&mut answer, 0)?;
        if answer.is_empty() || !read(&answer, &mut tell) {
            break;
        }
    }
    Ok(())
}

/// Reads one datagram of messages; whether more may come. What cannot be read
/// is passed over: a kernel may tell more than is known here.
fn read(mut answer: &[u8], tell: &mut impl FnMut(SockDiagMessage)) -> bool {
    while let Some(length) = u32_at(answer, 0) {
        match NetlinkMessage::<SockDiagMessage>::deserialize(answer).map(|one| one.payload) {
            Ok(NetlinkPayload::InnerMessage(message)) => tell(message),
            Ok(NetlinkPayload::Done(_) | NetlinkPayload::Error(_)) => return false,
            Ok(_) | Err(_) => (),
        }
        // Messages begin at multiples of four.
        let next = (length.max(4) as usize).next_multiple_of(4);
        answer = answer.get(next..).unwrap_or_default();
    }
    true
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*four))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::linux::fs::MetadataExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn inode(socket: &impl AsRawFd) -> u64 {
        let file = format!("/proc/self/fd/{}", socket.as_raw_fd());
        std::fs::metadata(file).unwrap().st_ino()
    }

    #[test]
    fn a_connection_tells_when_it_was_used() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let inode = inode(&stream);
        stream.write_all(b"x").unwrap();
        let early = last_sent()[&inode];
        std::thread::sleep(Duration::from_millis(120));
        let later = last_sent()[&inode];
        assert!(
            later >= early + Duration::from_millis(100),
            "{early:?} {later:?}"
        );
        stream.write_all(b"x").unwrap();
        assert!(last_sent()[&inode] < later);
    }

    #[test]
    fn the_client_of_a_unix_socket_tells_where_it_leads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".s.PGSQL.5432");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let clients = unix_clients();
        let at = |inode| clients.iter().find(|one| one.inode == inode);
        assert_eq!(at(inode(&client)).unwrap().peer, path.to_string_lossy());
        assert_eq!(at(inode(&accepted)), None);
        assert_eq!(at(inode(&listener)), None);
    }

    #[test]
    fn nothing_is_read_from_nonsense() {
        for length in 0..200 {
            for byte in [0xff, 0, 20] {
                let mut found = 0;
                read(&vec![byte; length], &mut |_| found += 1);
                assert_eq!(found, 0, "{length} times {byte}");
            }
        }
    }
}
