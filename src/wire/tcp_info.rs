//! What the kernel knows about a connection and tells on request: TCP_INFO,
//! and the ICMP message behind an error (`man 7 tcp`, `man 7 ip`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::Socket;

/// The kernel's view of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// Segments sent again since the connection was begun, SYNs included.
    pub retransmits: u32,
    /// Segments that were sent again although the first copy had arrived: the
    /// peer says so (DSACK, RFC 2883). A late acknowledgement, and no loss.
    pub spurious: u32,
    /// Whether the peer can say so (SACK was agreed upon).
    pub sack: bool,
    /// The path MTU as known so far, in bytes.
    pub path_mtu: u32,
    /// The largest segment that is sent to the peer, in bytes.
    pub mss: u32,
    /// The largest segment that the peer was told it may send, in bytes.
    pub advertised_mss: u32,
    /// The size of the segments received, in bytes, as estimated for ACKs.
    pub received_mss: u32,
    /// Segments sent and not yet acknowledged.
    pub unacked: u32,
    /// Time since the last data arrived.
    pub since_received: Duration,
    /// Bytes received in order.
    pub bytes_received: u64,
    /// Bytes of ours that the peer acknowledged.
    pub bytes_acked: u64,
    /// Segments received out of order: something before them is missing.
    pub out_of_order: u32,
}

/// An ICMP message that ended or disturbed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// Who sent it.
    pub from: Option<IpAddr>,
}

impl Icmp {
    /// Whether it says that an administrator forbids the connection (RFC 792
    /// and RFC 1812, 5.2.7.1: type 3, codes 9, 10, 13; RFC 4443, 3.1: type 1,
    /// codes 1, 5, 6).
    pub fn prohibited(&self) -> bool {
        match (self.v6, self.kind) {
            (false, 3) => matches!(self.code, 9 | 10 | 13),
            (true, 1) => matches!(self.code, 1 | 5 | 6),
            _ => false,
        }
    }

    /// Whether it says that nothing listens on the port.
    pub fn port_unreachable(&self) -> bool {
        matches!(
            (self.v6, self.kind, self.code),
            (false, 3, 3) | (true, 1, 4)
        )
    }

    /// The message as people know it.
    pub fn name(&self) -> String {
        let known = match (self.v6, self.kind, self.code) {
            (false, 3, 0) => "network unreachable",
            (false, 3, 1) => "host unreachable",
            (false, 3, 2) => "protocol unreachable",
            (false, 3, 3) | (true, 1, 4) => "port unreachable",
            (false, 3, 4) => "fragmentation needed",
            (false, 3, 6) => "network unknown",
            (false, 3, 7) => "host unknown",
            (false, 3, 9) => "network administratively prohibited",
            (false, 3, 10) => "host administratively prohibited",
            (false, 3, 13) | (true, 1, 1) => "communication administratively prohibited",
            (false, 11, 0) | (true, 3, 0) => "time to live exceeded",
            (true, 1, 0) => "no route to destination",
            (true, 1, 2) => "beyond scope of source address",
            (true, 1, 3) => "address unreachable",
            (true, 1, 5) => "source address failed policy",
            (true, 1, 6) => "reject route",
            _ => "",
        };
        let version = if self.v6 { "ICMPv6" } else { "ICMP" };
        match known {
            "" => format!("{version} type {} code {}", self.kind, self.code),
            known => format!("{version} {known}"),
        }
    }
}

/// What the kernel knows; `None` where it is no TCP socket or no such kernel.
pub fn tcp_info(socket: &Socket) -> Option<TcpInfo> {
    sys::tcp_info(socket)
}

/// Whether what was sent last is sent again and never acknowledged: it does
/// not arrive.
pub fn has_unacked_data(socket: &Socket) -> bool {
    tcp_info(socket).is_some_and(|info| info.unacked > 0 && info.retransmits > info.spurious)
}

/// Asks the kernel to keep the ICMP message behind a failed connect; call it
/// before connecting, and read it with [`icmp`].
pub fn keep_icmp(socket: &Socket, to: &SocketAddr) {
    sys::keep_icmp(socket, to);
}

/// The last ICMP message that was kept for this socket.
pub fn icmp(socket: &Socket) -> Option<Icmp> {
    sys::icmp(socket)
}

#[cfg(target_os = "linux")]
mod sys {
    use std::io::IoSliceMut;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::os::fd::{AsFd, AsRawFd};

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

    use super::*;

    /// `TCPI_OPT_SACK` of linux/tcp.h.
    const OPT_SACK: u8 = 2;

    /// How many queued messages are read at most.
    const QUEUED: usize = 16;

    #[allow(unsafe_code)]
    pub fn tcp_info(socket: &Socket) -> Option<TcpInfo> {
        // SAFETY: tcp_info is plain data for which all zeroes is valid.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `info`; an
        // older one writes fewer and leaves the rest zero.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &mut length,
            )
        };
        (result == 0).then(|| TcpInfo {
            rtt: Duration::from_micros(info.tcpi_rtt.into()),
            retransmits: info.tcpi_total_retrans,
            spurious: info.tcpi_dsack_dups,
            sack: info.tcpi_options & OPT_SACK != 0,
            path_mtu: info.tcpi_pmtu,
            mss: info.tcpi_snd_mss,
            advertised_mss: info.tcpi_advmss,
            received_mss: info.tcpi_rcv_mss,
            unacked: info.tcpi_unacked,
            since_received: Duration::from_millis(info.tcpi_last_data_recv.into()),
            bytes_received: info.tcpi_bytes_received,
            bytes_acked: info.tcpi_bytes_acked,
            out_of_order: info.tcpi_rcv_ooopack,
        })
    }

    pub fn keep_icmp(socket: &Socket, to: &SocketAddr) {
        // Without it the error is only less precise.
        let _ = match to {
            SocketAddr::V4(_) => setsockopt(&socket.as_fd(), sockopt::Ipv4RecvErr, &true),
            SocketAddr::V6(_) => setsockopt(&socket.as_fd(), sockopt::Ipv6RecvErr, &true),
        };
    }

    pub fn icmp(socket: &Socket) -> Option<Icmp> {
        let mut last = None;
        for _ in 0..QUEUED {
            let mut payload = [0u8; 512];
            let mut parts = [IoSliceMut::new(&mut payload)];
            let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let Ok(message) =
                recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
            else {
                break;
            };
            let Ok(controls) = message.cmsgs() else {
                break;
            };
            for control in controls {
                last = match control {
                    ControlMessageOwned::Ipv4RecvErr(error, from)
                        if error.ee_origin == libc::SO_EE_ORIGIN_ICMP =>
                    {
                        let from = from
                            .map(|from| Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)).into());
                        Some(Icmp {
                            v6: false,
                            kind: error.ee_type,
                            code: error.ee_code,
                            from,
                        })
                    }
                    ControlMessageOwned::Ipv6RecvErr(error, from)
                        if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 =>
                    {
                        let from = from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr).into());
                        Some(Icmp {
                            v6: true,
                            kind: error.ee_type,
                            code: error.ee_code,
                            from,
                        })
                    }
                    _ => last,
                };
            }
        }
        last
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use super::*;

    pub fn tcp_info(_: &Socket) -> Option<TcpInfo> {
        None
    }

    pub fn keep_icmp(_: &Socket, _: &SocketAddr) {}

    pub fn icmp(_: &Socket) -> Option<Icmp> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prohibitions_are_told_from_other_messages() {
        let icmp = |v6, kind, code| Icmp {
            v6,
            kind,
            code,
            from: None,
        };
        assert!(icmp(false, 3, 10).prohibited());
        assert!(icmp(false, 3, 13).prohibited());
        assert!(icmp(true, 1, 1).prohibited());
        assert!(!icmp(false, 3, 1).prohibited());
        assert!(!icmp(true, 1, 0).prohibited());
        assert!(icmp(false, 3, 3).port_unreachable());
        assert_eq!(icmp(false, 99, 1).name(), "ICMP type 99 code 1");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells_about_a_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = tcp_info(&Socket::from(stream)).unwrap();
        assert!(info.mss > 0 && info.path_mtu > 0 && info.retransmits == 0);
    }
}
