//! Causes of the `tcp` stage.

use super::{Cause, Severity, fix, run};

/// Nothing listens.
pub static REFUSED: Cause = Cause {
    code: "tcp.refused",
    severity: Severity::Fail,
    retryable: true,
    title: "Connection refused: nothing is listening there",
    summary: "{address} refuses the connection: the machine is up, but nothing is listening there.",
    meaning: "The machine answered at once with a refusal (a TCP reset, ICMP port unreachable, or for a unix socket a file without a listener), so this is not a routing problem. The server is stopped or still starting, listens on another port or only on another address, or a firewall rule answers with a reset. A firewall that drops packets is `tcp.timeout`, one that answers \"prohibited\" is `tcp.rejected`; a proxy that accepts connections for a dead server is `protocol.closed`.",
    fixes: &[
        run(
            "On {machine?the server}, check what listens on port {port?5432}:",
            "ss -ltnp 'sport = :{port}'",
        ),
        run(
            "On this machine, check whether the server that owns {socket_path} is running:",
            "ls -l {socket_path}; pg_lsclusters || systemctl status postgresql",
        ),
        fix("Start the server if it is stopped, and read its log if it does not stay up."),
        fix(
            "If it listens only on another address, set listen_addresses in postgresql.conf and restart it; if on another port, use that port.",
        ),
        fix(
            "If the server runs in a container, publish its port (-p 5432:5432) and use the published port.",
        ),
    ],
    seen_as: &[
        "Connection refused",
        "ECONNREFUSED",
        "Is the server running on that host and accepting TCP/IP connections?",
        "Is the server running locally and accepting connections on that socket?",
        "connect: connection refused",
        "WinError 10061",
        "No connection could be made because the target machine actively refused it",
        "Connect call failed",
        "Connection refused (os error 111)",
    ],
};

/// No answer to SYN.
pub static TIMEOUT: Cause = Cause {
    code: "tcp.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The address does not answer",
    summary: "{address} does not answer: {error}.",
    meaning: "The connection request (SYN) was sent several times and nothing came back, not even a refusal. A firewall, a cloud security group or an allow-list without this machine's address drops it, or no machine has that address (a stopped instance, an outdated DNS record). A machine that is up without PostgreSQL would refuse (`tcp.refused`); a router without a route would report it (`tcp.unreachable`).",
    fixes: &[
        fix(
            "Allow this machine's address to reach port {port?5432} in the firewall, security group or IP allow-list in front of {remote_host?the server}.",
        ),
        fix(
            "If {remote_host?the server} is on a private network, connect from inside it, over its VPN, or through a bastion with --ssh.",
        ),
        run(
            "Check where packets stop:",
            "traceroute -T -p {port} {remote_ip}",
        ),
        fix(
            "Check that {remote_ip?the address} still belongs to the server: a stopped or replaced instance leaves its old address behind.",
        ),
    ],
    seen_as: &[
        "timeout expired",
        "connection timeout expired",
        "Connection timed out",
        "ETIMEDOUT",
        "timeout exceeded when trying to connect",
        "The connection attempt failed.",
        "i/o timeout",
        "Operation timed out",
        "WinError 10060",
        "P1001",
    ],
};

/// No route.
pub static UNREACHABLE: Cause = Cause {
    code: "tcp.unreachable",
    severity: Severity::Fail,
    retryable: true,
    title: "No route to the address",
    summary: "No route to {address}: {error}.",
    meaning: "This machine has no route to the address, or a router or the last network reports that it cannot deliver: a VPN that is down, the wrong network, a machine that is off, or an IPv6 address without IPv6 connectivity. No answer at all is `tcp.timeout`, a rule that forbids the connection is `tcp.rejected`.",
    fixes: &[
        run("Check which route packets take:", "ip route get {ip}"),
        fix(
            "If the address is on a private network, connect to its VPN, or go through a bastion with --ssh.",
        ),
        fix(
            "If this network has no IPv6, which {ipv6?an IPv6 address} needs, use a name with an IPv4 address (many providers offer one through their pooler), or get IPv6.",
        ),
        fix("If the address is on this network, check that the machine is up."),
    ],
    seen_as: &[
        "Network is unreachable",
        "No route to host",
        "ENETUNREACH",
        "EHOSTUNREACH",
        "{:error, :enetunreach}",
        "connect: network is unreachable",
        "connect: no route to host",
        "Network unreachable (os error 101)",
        "pool timed out while waiting for an open connection",
    ],
};

/// A firewall rule forbids it.
pub static REJECTED: Cause = Cause {
    code: "tcp.rejected",
    severity: Severity::Fail,
    retryable: false,
    title: "A firewall rejects the connection",
    summary: "A firewall rejects the connection to {address}: {error}.",
    meaning: "A router or firewall answered \"administratively prohibited\" (an ICMP message with that code, which programs show as 'No route to host' or 'Permission denied'), or this machine's own rules refuse to send the packet. Routing is fine; a rule forbids the connection. A rule that drops packets is `tcp.timeout`; one that answers with a reset looks like `tcp.refused`.",
    fixes: &[
        fix(
            "The message came from {rejected_by?a router or firewall}: add a rule there that allows this machine to reach port {port?5432}.",
        ),
        run(
            "Look for the rule on this machine:",
            "nft list ruleset; iptables -S; ip route get {ip}",
        ),
    ],
    seen_as: &[
        "No route to host",
        "Operation not permitted",
        "Permission denied (os error 13)",
        "EPERM",
        "Packet filtered",
        "Communication administratively prohibited",
    ],
};

/// Some addresses are dead.
pub static PARTIAL: Cause = Cause {
    code: "tcp.partial",
    severity: Severity::Warn,
    retryable: false,
    title: "Some of the host's addresses are unreachable",
    summary: "{host} has {count} addresses, and {dead} does not work ({error}); {working} does.",
    meaning: "libpq and most drivers go on to the next address, after a delay if the dead one does not answer. Clients that try only one address fail, at random if the order changes. The cause is an outdated DNS record, a cluster member that is down, or a firewall that covers only some of the addresses.",
    fixes: &[
        fix(
            "Bring the machine at {dead?the dead address} back, or remove its address from the name.",
        ),
        fix(
            "Until then, use {working?a working address} directly (hostaddr), or set connect_timeout=3 so that an address that does not answer costs little.",
        ),
    ],
    seen_as: &[],
};

/// `::1` refuses, `127.0.0.1` works.
pub static IPV6_FIRST: Cause = Cause {
    code: "tcp.ipv6-first",
    severity: Severity::Warn,
    retryable: false,
    title: "The name's IPv6 address comes first and refuses connections",
    summary: "{host} resolves first to {dead}, which refuses, and then to {working}, which works.",
    meaning: "The system puts an IPv6 address first, but the server listens only on IPv4. libpq goes on to the next address. Clients that try only the first (older Node.js, some pools and health checks) fail with ECONNREFUSED ::1:5432 although the server is running.",
    fixes: &[
        fix("Use the IPv4 address itself: {working_ip?127.0.0.1} instead of {name?localhost}."),
        fix("Or make the server listen on IPv6 too: set listen_addresses = '*', or add '::1'."),
    ],
    seen_as: &[
        "connect ECONNREFUSED ::1:5432",
        "AggregateError [ECONNREFUSED]",
        "dial tcp [::1]:5432: connect: connection refused",
        "connection to server at \"localhost\" (::1), port 5432 failed: Connection refused",
    ],
};

/// This machine ran out of ports, descriptors or memory.
pub static LOCAL: Cause = Cause {
    code: "tcp.local",
    severity: Severity::Fail,
    retryable: false,
    title: "This machine ran out of a resource needed to connect",
    summary: "This machine could not open a connection to {address}: {resource} ran out ({error}).",
    meaning: "The failure is on this machine, not at the server: no free local port for this address (EADDRNOTAVAIL), no free file descriptor (EMFILE, ENFILE), or no memory for a socket. Usually a client opens connections faster than it reuses them.",
    fixes: &[
        run("Count this machine's connections by state:", "ss -s"),
        fix(
            "Use a connection pool, and close connections after use; ports stay in use for a minute after a close (TIME_WAIT).",
        ),
        run(
            "Check the limits:",
            "ulimit -n; sysctl net.ipv4.ip_local_port_range fs.file-nr",
        ),
    ],
    seen_as: &[
        "Cannot assign requested address",
        "address not available (os error 99)",
        "Cannot assign requested address (os error 99)",
        "EADDRNOTAVAIL",
        "Too many open files",
        "EMFILE",
        "WinError 10048",
        "WinError 10055",
    ],
};

/// No such socket file.
pub static SOCKET_MISSING: Cause = Cause {
    code: "tcp.socket-missing",
    severity: Severity::Fail,
    retryable: true,
    title: "The unix socket does not exist",
    summary: "There is no unix socket {socket_path}.",
    meaning: "The server is not running, uses another port (it is the end of the socket's name) or another directory (unix_socket_directories; Debian and Red Hat use /var/run/postgresql, a server built from source /tmp), or runs in a container with its own file system. Without a host, libpq uses a unix socket. A socket file without a listener is `tcp.refused`.",
    fixes: &[
        fix("Use the existing socket: {found}."),
        run(
            "Look for the server's sockets on this machine:",
            "ss -lxp | grep PGSQL",
        ),
        fix("Start the server if it is stopped."),
        fix(
            "If the server is in a container or on another machine, set its host (-h localhost with the published port) instead of a socket.",
        ),
    ],
    seen_as: &[
        "connection to server on socket",
        "No such file or directory",
        "Is the server running locally and accepting connections on that socket?",
        "connect ENOENT /var/run/postgresql/.s.PGSQL.5432",
    ],
};

/// This user is not allowed to use the socket.
pub static SOCKET_PERMISSION: Cause = Cause {
    code: "tcp.socket-permission",
    severity: Severity::Fail,
    retryable: false,
    title: "This user is not allowed to use the unix socket",
    summary: "This user is not allowed to use the unix socket {socket_path}: {denied_by} denies it.",
    meaning: "Connecting to a unix socket requires write permission on its file and search (x) permission on every directory above it. The server sets the file's mode with unix_socket_permissions and its group with unix_socket_group.",
    fixes: &[
        run(
            "Check which part of the path denies access:",
            "namei -l {socket_path}",
        ),
        fix(
            "Run as a user in the socket's group, or set unix_socket_permissions and unix_socket_group in postgresql.conf and restart the server.",
        ),
        fix("Or connect over TCP: -h localhost."),
    ],
    seen_as: &[
        "connection to server on socket",
        "Permission denied",
        "connect EACCES",
    ],
};

/// The socket's path is too long.
pub static SOCKET_PATH: Cause = Cause {
    code: "tcp.socket-path",
    severity: Severity::Fail,
    retryable: false,
    title: "The unix socket's path is too long",
    summary: "The unix socket's path has {length} bytes, but at most {longest} fit: {socket_path}.",
    meaning: "The operating system allows 107 bytes for the path of a unix socket. libpq adds /.s.PGSQL.PORT to the directory.",
    fixes: &[
        run(
            "Use a shorter directory, for example a symbolic link to the long one:",
            "ln -s {directory} /tmp/pg",
        ),
        fix(
            "Or configure a shorter directory for the server's socket (unix_socket_directories), or connect over TCP.",
        ),
    ],
    seen_as: &["is too long (maximum 107 bytes)", "Unix-domain socket path"],
};

/// Packets were lost.
pub static RETRANSMITS: Cause = Cause {
    code: "tcp.retransmits",
    severity: Severity::Warn,
    retryable: false,
    title: "The connection works, but packets are lost",
    summary: "{address} is reachable, but {packets} got lost and had to be sent again.",
    meaning: "The kernel had to retransmit on this connection, and the other end did not report duplicates (as it would if a busy machine had only answered late). A lost connection request costs a second or more; a server whose queue of pending connections is full looks the same. On a healthy path the count is zero.",
    fixes: &[
        run(
            "Measure the loss along the path:",
            "mtr -T -P {port} -rwc 50 {ip}",
        ),
        fix(
            "If the server is overloaded, check its listen queue (ss -ltn, nstat TcpExtListenOverflows).",
        ),
    ],
    seen_as: &[],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "tcp.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The tcp stage failed in a way that dbdoctor does not recognise: {error}.",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &REFUSED,
    &TIMEOUT,
    &UNREACHABLE,
    &REJECTED,
    &PARTIAL,
    &IPV6_FIRST,
    &LOCAL,
    &SOCKET_MISSING,
    &SOCKET_PERMISSION,
    &SOCKET_PATH,
    &RETRANSMITS,
    &UNCLASSIFIED,
];
