//! Causes of the `tcp` stage.

use super::{Cause, Severity, fix, run};

/// Nothing listens.
pub static REFUSED: Cause = Cause {
    code: "tcp.refused",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection is refused: nothing listens there",
    summary: "{address} refuses the connection: the machine is up, and nothing listens there.",
    meaning: "The machine answered at once with a refusal (a TCP reset, ICMP port unreachable, or \
              for a unix socket a file without a listener). It is up and reachable, so this is \
              not a routing problem: the server is stopped or still starting, listens on another \
              port or only on another address, or a firewall rule answers with a reset in its \
              place. A firewall that stays silent is tcp.timeout, one that says so is \
              tcp.rejected; a proxy that accepts for a dead server is protocol.closed.",
    fixes: &[
        run(
            "On {machine}, see what listens on port {port}.",
            "ss -ltnp 'sport = :{port}'",
        ),
        run(
            "On this machine, see whether the server that owns {socket_path} runs.",
            "ls -l {socket_path}; pg_lsclusters || systemctl status postgresql",
        ),
        fix("Start the server if it is stopped, and read its log if it does not stay up."),
        fix(
            "If it listens on another address only, set listen_addresses in postgresql.conf and \
             restart it; if on another port, use that port.",
        ),
        fix(
            "If the server runs in a container, publish its port (-p 5432:5432) and use the \
             published one.",
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
    meaning: "Our request to connect (SYN) was sent again and again and nothing came back, not \
              even a refusal. Something on the way drops it without a word: a firewall, a cloud \
              security group, an allow-list without this machine's address, or nobody has that \
              address (a stopped instance, an old DNS record). A server that is up without \
              PostgreSQL would refuse (tcp.refused); a router without a way there would say so \
              (tcp.unreachable).",
    fixes: &[
        fix(
            "Allow this machine's address to reach port {port} in the firewall, security group \
             or IP allow-list in front of {remote_host}.",
        ),
        fix(
            "If {remote_host} is on a private network, connect from inside it, over its VPN, or through a \
             bastion with --ssh.",
        ),
        run(
            "See where packets stop.",
            "traceroute -T -p {port} {remote_ip}",
        ),
        fix(
            "Check that {remote_ip} still belongs to the server: a stopped or replaced instance leaves the old one behind.",
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

/// No way there.
pub static UNREACHABLE: Cause = Cause {
    code: "tcp.unreachable",
    severity: Severity::Fail,
    retryable: true,
    title: "There is no route to the address",
    summary: "There is no way from here to {address}: {error}.",
    meaning: "This machine has no route to the address, or a router or the last network says that \
              it cannot deliver: a VPN that is down, the wrong network, a machine that is off, an \
              IPv6 address where there is no IPv6. Silence would be tcp.timeout, a rule that \
              forbids it tcp.rejected.",
    fixes: &[
        run("See which way packets would take.", "ip route get {ip}"),
        fix(
            "If the address is on a private network, bring up its VPN, or go through a bastion with --ssh.",
        ),
        fix(
            "If this network has no IPv6, which {ipv6} needs, use a name with an IPv4 address \
             (many providers offer one through their pooler), or get IPv6.",
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

/// A rule forbids it.
pub static REJECTED: Cause = Cause {
    code: "tcp.rejected",
    severity: Severity::Fail,
    retryable: false,
    title: "A firewall rejects the connection",
    summary: "A firewall rejects the connection to {address}: {error}.",
    meaning: "Somebody said that the connection is administratively prohibited (an ICMP message \
              with that code, which programs show as 'No route to host' or 'Permission denied'), \
              or this machine's own rules refuse to send it. Routing is fine; a rule is in the way. A \
              rule that drops in silence is tcp.timeout, one that answers with a reset cannot be \
              told from tcp.refused.",
    fixes: &[
        fix(
            "The message came from {rejected_by}: add a rule there that lets this machine reach port {port}.",
        ),
        run(
            "Look for the rule on this machine.",
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
    title: "Some addresses of the name do not work",
    summary: "{host} has {count} addresses and {dead} does not work ({error}); {working} does.",
    meaning: "The name leads to several addresses and some are dead. libpq and most drivers go on \
              to the next one, after a delay where the dead one is silent; clients that try only \
              one address fail, at random where the order changes. It is an old DNS record, a \
              member of the cluster that is down, or a firewall that covers only some.",
    fixes: &[
        fix("Bring the machine behind {dead} back, or take its address out of the name."),
        fix(
            "Until then use {working} directly (hostaddr), or set connect_timeout=3 so that a \
             silent address costs little.",
        ),
    ],
    seen_as: &[],
};

/// `::1` refuses, `127.0.0.1` works.
pub static IPV6_FIRST: Cause = Cause {
    code: "tcp.ipv6-first",
    severity: Severity::Warn,
    retryable: false,
    title: "The name's IPv6 address comes first and refuses",
    summary: "{host} is first {dead}, which refuses, and then {working}, which works.",
    meaning: "The system puts an IPv6 address first, and the server listens only on IPv4. libpq \
              goes on to the next address; clients that try only the first (older Node.js, some \
              pools and health checks) fail with ECONNREFUSED ::1:5432 although the server runs.",
    fixes: &[
        fix("Use the IPv4 address itself: {working_ip} instead of {name}."),
        fix("Or let the server listen on IPv6 too: listen_addresses = '*', or add '::1'."),
    ],
    seen_as: &[
        "connect ECONNREFUSED ::1:5432",
        "AggregateError [ECONNREFUSED]",
        "dial tcp [::1]:5432: connect: connection refused",
        "connection to server at \"localhost\" (::1), port 5432 failed: Connection refused",
    ],
};

/// This machine ran out.
pub static LOCAL: Cause = Cause {
    code: "tcp.local",
    severity: Severity::Fail,
    retryable: false,
    title: "This machine ran out of something it needs to connect",
    summary: "This machine could not open a connection to {address}: {resource} ran out ({error}).",
    meaning: "The failure is here and not at the server: no free local port towards this address \
              (EADDRNOTAVAIL), no free file descriptor (EMFILE, ENFILE), or no memory for a \
              socket. A client that opens connections faster than it reuses them is the usual \
              reason.",
    fixes: &[
        run("Count this machine's connections by state.", "ss -s"),
        fix(
            "Use a connection pool, and close what is opened; ports stay taken for a minute after a close (TIME_WAIT).",
        ),
        run(
            "See the limits.",
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
    meaning: "The server is not running, uses another port (it is the end of the socket's name) or \
              another directory (unix_socket_directories; Debian and Red Hat use \
              /var/run/postgresql, a server built from source /tmp), or runs in a container whose \
              files are not these. Without a host libpq uses a unix socket. A file that is there \
              with nobody listening is tcp.refused.",
    fixes: &[
        fix("Use the socket that is there: {found}."),
        run(
            "Look for the server's sockets on this machine.",
            "ss -lxp | grep PGSQL",
        ),
        fix("Start the server if it is stopped."),
        fix(
            "If the server is in a container or on another machine, give its host (-h localhost with the published port) instead of a socket.",
        ),
    ],
    seen_as: &[
        "connection to server on socket",
        "No such file or directory",
        "Is the server running locally and accepting connections on that socket?",
        "connect ENOENT /var/run/postgresql/.s.PGSQL.5432",
    ],
};

/// The socket is shut for this user.
pub static SOCKET_PERMISSION: Cause = Cause {
    code: "tcp.socket-permission",
    severity: Severity::Fail,
    retryable: false,
    title: "This user may not use the unix socket",
    summary: "This user may not use the unix socket {socket_path}: {denied_by} denies it.",
    meaning: "Connecting to a unix socket takes write permission on its file and search (x) \
              permission on every directory above it. The server sets the file's mode with \
              unix_socket_permissions and its group with unix_socket_group.",
    fixes: &[
        run(
            "See which part of the path is shut.",
            "namei -l {socket_path}",
        ),
        fix(
            "Run as a user of the socket's group, or set unix_socket_permissions and unix_socket_group in postgresql.conf and restart.",
        ),
        fix("Or connect over TCP: -h localhost."),
    ],
    seen_as: &[
        "connection to server on socket",
        "Permission denied",
        "connect EACCES",
    ],
};

/// The path does not fit.
pub static SOCKET_PATH: Cause = Cause {
    code: "tcp.socket-path",
    severity: Severity::Fail,
    retryable: false,
    title: "The unix socket's path is too long",
    summary: "The unix socket's path has {length} bytes, and at most {longest} fit: {socket_path}.",
    meaning: "The operating system's structure for a unix socket's address has room for 107 bytes \
              of path. libpq adds /.s.PGSQL.PORT to the directory.",
    fixes: &[
        run(
            "Use a shorter directory, for example a symbolic link to the long one.",
            "ln -s {directory} /tmp/pg",
        ),
        fix(
            "Or let the server put its socket in a shorter place (unix_socket_directories), or connect over TCP.",
        ),
    ],
    seen_as: &["is too long (maximum 107 bytes)", "Unix-domain socket path"],
};

/// Packets were lost.
pub static RETRANSMITS: Cause = Cause {
    code: "tcp.retransmits",
    severity: Severity::Warn,
    retryable: false,
    title: "It connects, but packets are lost",
    summary: "{address} is reached, but {packets} got lost and had to be sent again.",
    meaning: "The kernel had to repeat packets on this connection, and the other end does not say \
              that it had them already (which a busy machine's late answers would lead to). A lost \
              request to connect costs a second and more; a server whose queue of pending \
              connections is full looks the same. On a healthy path the count is zero.",
    fixes: &[
        run(
            "Measure the loss on the way.",
            "mtr -T -P {port} -rwc 50 {ip}",
        ),
        fix(
            "If the server is overloaded, look at its listen queue (ss -ltn, nstat TcpExtListenOverflows).",
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
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
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
