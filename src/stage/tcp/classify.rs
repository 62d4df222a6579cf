//! From what the kernel said about an address to a cause.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::cluster::InCluster;
use crate::cause::{self, Cause};
use crate::finding::Finding;
use crate::listeners;
use crate::report::ms;
use crate::wire::dial::{ConnectError, LONGEST_SOCKET_PATH, Why, seconds};
use crate::wire::local_end::Unbound;
use crate::wire::{self, Address};

/// The cause behind a miss.
pub fn classify(address: &Address, miss: &ConnectError, cluster: &InCluster) -> &'static Cause {
    use cause::tcp::*;
    let errno = match &miss.why {
        Why::Late => return &TIMEOUT,
        Why::PathTooLong(_) => return &SOCKET_PATH,
        Why::Unbound(_) => return &BIND,
        Why::Other(_) => return &UNCLASSIFIED,
        Why::Errno(errno) => *errno,
    };
    match address {
        Address::Unix(_) => match errno {
            libc::ECONNREFUSED => &REFUSED,
            libc::ENOENT | libc::ENOTDIR => &SOCKET_MISSING,
            libc::EACCES | libc::EPERM => &SOCKET_PERMISSION,
            libc::ENAMETOOLONG => &SOCKET_PATH,
            // Its backlog is full: nobody accepts.
            libc::EAGAIN => &TIMEOUT,
            _ => everywhere(errno),
        },
        Address::Tcp(to) => {
            // The errno of a prohibition is that of a missing route (or, for
            // ICMPv6, of a local refusal); only the message tells.
            if miss.icmp.is_some_and(|icmp| icmp.prohibited()) {
                return &REJECTED;
            }
            // A Service's address is no machine's, so that its node answers for the
            // pods that are not there.
            if miss.icmp.is_some() && cluster.service.is_some() {
                return &NO_ENDPOINTS;
            }
            match errno {
                // A machine without a listener sends a reset; ICMP's "port
                // unreachable" in answer to TCP is a packet filter's.
                libc::ECONNREFUSED if miss.icmp.is_some() => &REJECTED,
                libc::ECONNREFUSED if cluster.refused_too.is_some() => &REDIRECTED,
                libc::ECONNREFUSED if miss.accepted_ago.is_some() && is_unheard(*to) => {
                    &LISTENER_GONE
                }
                libc::ECONNREFUSED => &REFUSED,
                libc::ETIMEDOUT => &TIMEOUT,
                // EINVAL is what a route of type `blackhole` gives.
                libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::ENETDOWN
                | libc::EHOSTDOWN
                | libc::EAFNOSUPPORT
                | libc::EINVAL => &UNREACHABLE,
                // Without an IPv6 address of its own the machine has no source
                // to connect from: IPv6 is off, nothing ran out.
                libc::EADDRNOTAVAIL if to.is_ipv6() && !has_source(to) => &UNREACHABLE,
                // ENOPROTOOPT is ICMP's "protocol unreachable": no machine
                // lacks TCP, a firewall says it.
                libc::EPERM | libc::EACCES | libc::ENOPROTOOPT => &REJECTED,
                _ => everywhere(errno),
            }
        }
    }
}

/// Whether nothing listens at an address of this machine. Of another machine that
/// is not known: a packet filter that limits connections refuses too.
fn is_unheard(to: SocketAddr) -> bool {
    listeners::is_local(to.ip()) && listeners::listener(to).is_none()
}

fn everywhere(errno: i32) -> &'static Cause {
    match errno {
        libc::EADDRNOTAVAIL
        | libc::EMFILE
        | libc::ENFILE
        | libc::ENOBUFS
        | libc::ENOMEM
        | libc::EADDRINUSE => &cause::tcp::LOCAL,
        // A refusal has an errno of its own: this one was accepted first.
        libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE => &cause::protocol::RESET,
        _ => &cause::tcp::UNCLASSIFIED,
    }
}

/// Whether this machine has an IPv6 address that could reach the given one:
/// a loopback one for `::1`, any other for the rest.
fn has_source(to: &SocketAddr) -> bool {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return true;
    };
    interfaces
        .filter_map(|interface| interface.address)
        .filter_map(|address| address.as_sockaddr_in6().map(|v6| v6.ip()))
        .any(|ip| ip.is_loopback() == to.ip().is_loopback())
}

/// One address and what became of it, for a report.
pub fn described(address: &Address, miss: &ConnectError) -> Value {
    json!({
        "address": address.to_string(),
        "outcome": miss.outcome(),
        "ms": ms(miss.took),
        "errno": miss.errno_name(),
    })
}

/// The miss that decides the cause: the first in libpq's order that a local end
/// does not rule out by its family alone.
pub fn decisive<'m>(
    misses: &[(&'m Address, &'m ConnectError)],
) -> Option<(&'m Address, &'m ConnectError)> {
    let other = misses.iter().find(|(_, miss)| !miss.other_family());
    other.or(misses.first()).copied()
}

/// The finding for a host of which no address works. One address decides the
/// cause ([`decisive`]); the others are in the evidence.
pub fn dead(host: &str, port: u16, misses: &[(&Address, &ConnectError)]) -> Finding {
    dead_in(host, port, misses, &InCluster::default())
}

/// The same, with what the cluster has to do with the address that decides.
pub fn dead_in(
    host: &str,
    port: u16,
    misses: &[(&Address, &ConnectError)],
    cluster: &InCluster,
) -> Finding {
    let Some((address, miss)) = decisive(misses) else {
        return Finding::new(&cause::tcp::UNCLASSIFIED)
            .with("host", host.to_owned())
            .with("error", "no address was tried");
    };
    let row = classify(address, miss, cluster);
    let mut finding = Finding::new(row)
        .with("host", host.to_owned())
        .with("address", named(host, address, misses.len()))
        .with("error", miss.text())
        .with("errno", miss.errno_name())
        .with(
            "addresses",
            misses
                .iter()
                .map(|(address, miss)| described(address, miss))
                .collect::<Vec<_>>(),
        );
    match address {
        Address::Tcp(to) => {
            finding = finding
                .with("ip", to.ip().to_string())
                .with("port", port)
                .with("machine", machine(host, to))
                .word("loopback", to.ip().is_loopback().then_some("yes"))
                .with("ipv6", to.is_ipv6().then(|| to.ip().to_string()))
                .word(
                    "public_ipv6",
                    wire::is_public_ipv6(&to.ip()).then(|| to.ip().to_string()),
                );
            let local = listeners::is_local(to.ip());
            if row == &cause::tcp::LISTENER_GONE {
                finding = finding.with("ago", miss.accepted_ago.map(seconds));
            }
            // What is on the way matters only where there is one.
            if !local {
                finding = finding
                    .word("remote_host", machine(host, to))
                    .word("database_host", machine(host, to))
                    .word("remote_ip", to.ip().to_string());
            }
        }
        // There is no file in the abstract namespace.
        Address::Unix(path) if path.to_string_lossy().starts_with('@') => {
            finding = finding.fix(
                "Check whether a server listens there, and start it if not:",
                Some("ss -lxp | grep PGSQL".to_owned()),
            );
        }
        Address::Unix(path) => {
            finding = finding
                .with("machine", "this machine")
                .with("socket_path", path.display().to_string());
        }
    }
    if let Some(service) = &cluster.service {
        finding = finding
            .with("service", service.name.clone())
            .with("namespace", service.namespace.clone());
    }
    if let Some(nobody) = cluster.refused_too {
        finding = finding.with("refused_too", nobody.to_string());
    }
    if row == &cause::protocol::RESET {
        let who = named(host, address, misses.len());
        finding = finding.word("who", who.clone()).with("endpoint", who);
    }
    if let Some(icmp) = &miss.icmp {
        finding = finding
            .with("icmp", icmp.name())
            .with("rejected_by", icmp.from.map(|from| from.to_string()));
    }
    match (&miss.why, address) {
        (Why::PathTooLong(length), Address::Unix(path)) => finding
            .with("length", *length)
            .with("longest", LONGEST_SOCKET_PATH)
            .with("directory", path.parent().map(|d| d.display().to_string())),
        (Why::Errno(errno), Address::Tcp(_)) if row == &cause::tcp::LOCAL => {
            finding.with("resource", resource(*errno))
        }
        (Why::Unbound(unbound), Address::Tcp(to)) => not_from_there(finding, unbound, to),
        (Why::Errno(errno), Address::Unix(path)) => match row {
            row if row == &cause::tcp::LOCAL => finding.with("resource", resource(*errno)),
            row if row == &cause::tcp::TIMEOUT => finding.fix(
                "The process that listens there does not accept connections: it hangs, is stopped, or is overloaded. Find that process and check its state:",
                Some("ss -lxp | grep PGSQL".to_owned()),
            ),
            row if row == &cause::tcp::SOCKET_PERMISSION => {
                finding.with("denied_by", denied_by(path))
            }
            row if row == &cause::tcp::SOCKET_MISSING => {
                let found = sockets_near(path);
                match found.is_empty() {
                    true => finding,
                    false => finding.with("found", found),
                }
            }
            _ => finding,
        },
        _ => finding,
    }
}

/// What the SSH configuration says about the local end, and how ssh is called
/// without it: any address is as good as none.
fn not_from_there(finding: Finding, unbound: &Unbound, to: &SocketAddr) -> Finding {
    let any = match to {
        SocketAddr::V4(_) => "0.0.0.0",
        SocketAddr::V6(_) => "::",
    };
    finding
        .with("keyword", unbound.end.by.keyword())
        .with("value", unbound.end.value.clone())
        .with("file", unbound.end.file.clone())
        .with("line", unbound.end.line)
        .word("any_address", any)
}

/// The address with the name that led to it.
fn named(host: &str, address: &Address, count: usize) -> String {
    let address = address.to_string();
    match (address == host, count) {
        (true, _) => address,
        (false, 0 | 1) => format!("{host} ({address})"),
        (false, n) => format!("{host} ({address}, the first of {n} addresses that all fail)"),
    }
}

/// The machine behind an address, as people call it.
pub fn machine(host: &str, to: &SocketAddr) -> String {
    match to.ip().is_loopback() {
        true => "this machine".to_owned(),
        false => host
            .strip_suffix(&format!(":{}", to.port()))
            .unwrap_or(host)
            .to_owned(),
    }
}

fn resource(errno: i32) -> &'static str {
    match errno {
        libc::EADDRNOTAVAIL | libc::EADDRINUSE => "its free local ports",
        libc::EMFILE => "this process's file descriptors",
        libc::ENFILE => "the system's file descriptors",
        _ => "its memory for sockets",
    }
}

/// The first part of the path that this user may not pass.
fn denied_by(path: &Path) -> String {
    use nix::unistd::{AccessFlags, access};
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    above
        .into_iter()
        .filter(|directory| !directory.as_os_str().is_empty())
        .find(|directory| access(*directory, AccessFlags::X_OK).is_err())
        .map_or_else(
            || "the mode of the socket's file".to_owned(),
            |directory| format!("the directory {}", directory.display()),
        )
}

/// PostgreSQL's sockets in the places where they usually are.
fn sockets_near(path: &Path) -> Vec<String> {
    const MOST: usize = 8;
    let usual = ["/var/run/postgresql", "/tmp"].map(Path::new);
    let mut directories: Vec<&Path> = path.parent().into_iter().collect();
    for directory in usual {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
        .into_iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flat_map(|entries| entries.take(10_000).flatten())
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.strip_prefix(".s.PGSQL.")
                .is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        })
        .map(|entry| entry.path().display().to_string())
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kubernetes::Service;
    use crate::wire::tcp_info::Icmp;

    fn miss(errno: i32, icmp: Option<(bool, u8, u8)>) -> ConnectError {
        ConnectError {
            why: Why::Errno(errno),
            icmp: icmp.map(|(v6, kind, code)| Icmp {
                v6,
                kind,
                code,
                from: Some([10, 0, 0, 1].into()),
            }),
            took: Duration::from_millis(3),
            accepted_ago: None,
        }
    }

    fn tcp() -> Address {
        Address::Tcp("192.0.2.1:5432".parse().unwrap())
    }

    #[test]
    fn every_errno_has_its_cause() {
        let unix = Address::Unix("/run/x/.s.PGSQL.5432".into());
        for (address, errno, icmp, code) in [
            (tcp(), libc::ECONNREFUSED, None, "tcp.refused"),
            (
                tcp(),
                libc::ECONNREFUSED,
                Some((false, 3, 3)),
                "tcp.rejected",
            ),
            (tcp(), libc::EHOSTUNREACH, None, "tcp.unreachable"),
            (
                tcp(),
                libc::EHOSTUNREACH,
                Some((false, 3, 1)),
                "tcp.unreachable",
            ),
            (
                tcp(),
                libc::EHOSTUNREACH,
                Some((false, 3, 10)),
                "tcp.rejected",
            ),
            (
                tcp(),
                libc::EHOSTUNREACH,
                Some((false, 3, 13)),
                "tcp.rejected",
            ),
            (
                tcp(),
                libc::ENETUNREACH,
                Some((false, 3, 9)),
                "tcp.rejected",
            ),
            (tcp(), libc::EACCES, Some((true, 1, 1)), "tcp.rejected"),
            (tcp(), libc::ENOPROTOOPT, None, "tcp.rejected"),
            (tcp(), libc::EPERM, None, "tcp.rejected"),
            (tcp(), libc::EADDRNOTAVAIL, None, "tcp.local"),
            (tcp(), libc::EMFILE, None, "tcp.local"),
            (tcp(), libc::ETIMEDOUT, None, "tcp.timeout"),
            (tcp(), libc::EIO, None, "tcp.unclassified"),
            (unix.clone(), libc::ENOENT, None, "tcp.socket-missing"),
            (unix.clone(), libc::EAGAIN, None, "tcp.timeout"),
            (unix.clone(), libc::EACCES, None, "tcp.socket-permission"),
            (unix.clone(), libc::ECONNREFUSED, None, "tcp.refused"),
            (tcp(), libc::ECONNRESET, None, "protocol.reset"),
            (unix, libc::EMFILE, None, "tcp.local"),
        ] {
            let found = classify(&address, &miss(errno, icmp), &InCluster::default());
            assert_eq!(found.code, code, "{errno}");
        }
    }

    #[test]
    fn a_service_answers_by_rules() {
        let service = InCluster {
            service: Some(Service {
                name: "pg-rw".to_owned(),
                namespace: "db".to_owned(),
                domain: None,
            }),
            ..InCluster::default()
        };
        let mesh = InCluster {
            refused_too: Some([192, 0, 2, 1].into()),
            ..InCluster::default()
        };
        for (cluster, errno, icmp, code) in [
            (
                &service,
                libc::ECONNREFUSED,
                Some((false, 3, 3)),
                "tcp.no-endpoints",
            ),
            (
                &service,
                libc::EHOSTUNREACH,
                Some((false, 3, 1)),
                "tcp.no-endpoints",
            ),
            (
                &service,
                libc::ECONNREFUSED,
                Some((true, 1, 4)),
                "tcp.no-endpoints",
            ),
            // A rule that says so was made by a person, and not by kube-proxy.
            (
                &service,
                libc::EHOSTUNREACH,
                Some((false, 3, 13)),
                "tcp.rejected",
            ),
            // A pod is there, and nothing listens in it.
            (&service, libc::ECONNREFUSED, None, "tcp.refused"),
            (&mesh, libc::ECONNREFUSED, None, "tcp.redirected"),
            (&mesh, libc::ETIMEDOUT, None, "tcp.timeout"),
        ] {
            let finding = dead_in("pg-rw.db", 5432, &[(&tcp(), &miss(errno, icmp))], cluster);
            assert_eq!(finding.cause.code, code);
            assert_ne!(finding.summary(), format!("{}.", finding.cause.title));
        }
    }

    #[test]
    fn every_sentence_is_filled() {
        let to = tcp();
        let unix = Address::Unix("/nowhere/.s.PGSQL.5432".into());
        let late = ConnectError {
            why: Why::Late,
            icmp: None,
            took: Duration::from_secs(5),
            accepted_ago: None,
        };
        let long = ConnectError {
            why: Why::PathTooLong(120),
            icmp: None,
            took: Duration::ZERO,
            accepted_ago: None,
        };
        for (address, miss) in [
            (&to, miss(libc::ECONNREFUSED, None)),
            (&to, miss(libc::ENETUNREACH, None)),
            (&to, miss(libc::EHOSTUNREACH, Some((false, 3, 10)))),
            (&to, miss(libc::EPERM, None)),
            (&to, miss(libc::EMFILE, None)),
            (&to, miss(libc::EIO, None)),
            (&to, late),
            (&unix, miss(libc::ENOENT, None)),
            (&unix, miss(libc::EACCES, None)),
            (&unix, miss(libc::EMFILE, None)),
            (&unix, long),
        ] {
            let finding = dead("db.test:5432", 5432, &[(address, &miss)]);
            assert_ne!(
                finding.summary(),
                format!("{}.", finding.cause.title),
                "{}",
                finding.cause.code
            );
            assert!(!finding.fixes().is_empty());
        }
    }

    #[test]
    fn the_first_address_decides_and_all_are_listed() {
        let (a, b) = (tcp(), Address::Tcp("192.0.2.2:5432".parse().unwrap()));
        let (refused, unreachable) = (
            miss(libc::ECONNREFUSED, None),
            miss(libc::ENETUNREACH, None),
        );
        let finding = dead("db.test:5432", 5432, &[(&a, &refused), (&b, &unreachable)]);
        assert_eq!(finding.cause.code, "tcp.refused");
        assert_eq!(finding.evidence["addresses"].as_array().unwrap().len(), 2);
    }
}
