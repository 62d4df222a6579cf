//! Of the tcp pages.

use super::{Excuse, FixRun, KUBECTL, Then};

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "tcp.local",
        "ss -s",
        "tcp-local-ports",
        Then::Prints("TCP:"),
    ),
    FixRun::new(
        "tcp.local",
        "ulimit",
        "tcp-local-ports",
        Then::Prints("net.ipv4.ip_local_port_range ="),
    ),
    FixRun::new(
        "tcp.refused",
        "ss -ltnp",
        "tcp-refused-elsewhere",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "tcp.refused",
        "ls -l",
        "tcp-socket-stale",
        Then::Prints("srwx"),
    ),
    FixRun::new(
        "tcp.refused",
        "sudo ss",
        "ssh-refused-other-port",
        Then::Prints("((\"sshd\""),
    ),
    FixRun::new(
        "tcp.rejected",
        "nft list ruleset",
        "tcp-rejected-here",
        Then::Prints("tcp dport 5432 reject with icmpx"),
    ),
    FixRun::new(
        "tcp.rejected",
        "nft list ruleset",
        "tcp-rejected-route",
        Then::Prints("RTNETLINK answers:"),
    ),
    FixRun::new(
        "tcp.socket-missing",
        "ss -lxp",
        "tcp-socket-other-port",
        Then::Prints("/.s.PGSQL."),
    ),
    FixRun::new(
        "tcp.socket-path",
        "ln -s",
        "tcp-socket-path-server",
        Then::PassesAt("/tmp/pg"),
    ),
    FixRun::new(
        "tcp.socket-permission",
        "namei",
        "tcp-socket-permission",
        Then::Prints("srwx------ root"),
    ),
    FixRun::new(
        "tcp.socket-permission",
        "namei",
        "tcp-socket-directory",
        Then::Prints("Permission denied"),
    ),
    FixRun::new(
        "tcp.timeout",
        "ss -ltn",
        "tcp-timeout",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "tcp.unreachable",
        "ip route get",
        "tcp-unreachable",
        Then::Prints("Network is unreachable"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    (
        "tcp.listener-gone",
        "ss -ltnp",
        "prints nothing where the listener is gone, and looks at the machine's own server",
    ),
    ("tcp.no-endpoints", "kubectl", KUBECTL),
    ("tcp.redirected", "kubectl", KUBECTL),
    (
        "tcp.retransmits",
        "mtr",
        "mtr is not among the programs that the tests install",
    ),
    (
        "tcp.timeout",
        "traceroute",
        "traceroute is not among the programs that the tests install",
    ),
];
