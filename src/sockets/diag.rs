//! When something was last sent over each TCP connection, as the kernel tells
//! through netlink (sock_diag(7)); `/proc/net/tcp` does not have it.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
    sockopt::ReceiveTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP` of `linux/netlink.h`.
const REQUEST_DUMP: u16 = 0x301;
/// `NLMSG_ERROR` and `NLMSG_DONE`: there is no more.
const LAST: [u16; 2] = [2, 3];
/// `INET_DIAG_INFO` of `linux/inet_diag.h`: the attribute with `tcp_info`.
const INFO: u16 = 2;
/// The length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// The length of `struct inet_diag_msg`, whose last field is the inode.
const MESSAGE: usize = 72;
/// Where `tcpi_last_data_sent` stands in `struct tcp_info`: milliseconds ago.
const LAST_DATA_SENT: usize = 44;
/// ESTABLISHED and CLOSE_WAIT, as a mask of `1 << state`.
const STATES: u32 = (1 << 1) | (1 << 8);
/// No machine has more connections than fit into so many answers.
const MOST_ANSWERS: usize = 4_096;

/// How long ago something was last sent, by the sockets' inodes; of this
/// network namespace alone. Empty where the kernel does not tell.
pub fn last_sent() -> BTreeMap<u64, Duration> {
    let mut found = BTreeMap::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let _ = ask(family as u8, &mut found);
    }
    found
}

fn ask(family: u8, found: &mut BTreeMap<u64, Duration>) -> nix::Result<()> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    setsockopt(&netlink, ReceiveTimeout, &TimeVal::milliseconds(500))?;
    send(netlink.as_raw_fd(), &request(family), MsgFlags::empty())?;
    answers(&netlink, found)
}

/// A header and a `struct inet_diag_req_v2` that asks for every connection.
fn request(family: u8) -> Vec<u8> {
    const LENGTH: u32 = 72;
    let mut bytes = Vec::with_capacity(LENGTH as usize);
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port
    bytes.extend([family, libc::IPPROTO_TCP as u8, 1 << (INFO - 1), 0]);
    bytes.extend(STATES.to_ne_bytes());
    bytes.resize(LENGTH as usize, 0); // no socket in particular
    bytes
}

fn answers(netlink: &OwnedFd, found: &mut BTreeMap<u64, Duration>) -> nix::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..MOST_ANSWERS {
        let length = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let Some(answer) = buffer.get(..length).filter(|answer| !answer.is_empty()) else {
            break;
        };
        if !read(answer, found) {
            break;
        }
    }
    Ok(())
}

/// Reads one datagram of messages; whether more may come.
fn read(mut answer: &[u8], found: &mut BTreeMap<u64, Duration>) -> bool {
    while let (Some(length), Some(kind)) = (u32_at(answer, 0), u16_at(answer, 4)) {
        if LAST.contains(&kind) {
            return false;
        }
        let length = length as usize;
        let Some(message) = answer.get(HEADER..length) else {
            return false;
        };
        if let Some((inode, ago)) = connection(message) {
            found.insert(inode, ago);
        }
        answer = answer.get(aligned(length)..).unwrap_or_default();
    }
    true
}

/// The inode and the time of one `struct inet_diag_msg` with its attributes.
fn connection(message: &[u8]) -> Option<(u64, Duration)> {
    let inode = u32_at(message, MESSAGE - 4)?;
    let mut attributes = message.get(MESSAGE..)?;
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        if u16_at(attributes, 2)? == INFO {
            let ago = u32_at(attributes.get(4..length)?, LAST_DATA_SENT)?;
            return Some((inode.into(), Duration::from_millis(ago.into())));
        }
        attributes = attributes.get(aligned(length.max(4))..)?;
    }
}

/// Messages and attributes begin at multiples of four.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*four))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*two))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::linux::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_connection_tells_when_it_was_used() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let file = format!("/proc/self/fd/{}", stream.as_raw_fd());
        let inode = std::fs::metadata(file).unwrap().st_ino();
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
    fn nothing_is_read_from_nonsense() {
        let mut found = BTreeMap::new();
        for length in 0..200 {
            read(&vec![0xff; length], &mut found);
            read(&vec![0; length], &mut found);
            read(&vec![20; length], &mut found);
        }
        assert!(found.is_empty());
    }
}
