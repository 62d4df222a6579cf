//! Causes of the `protocol` stage.

use super::{Cause, Severity, fix, run};

/// Accepted, then closed.
pub static CLOSED: Cause = Cause {
    code: "protocol.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection is accepted and then closed without an answer",
    summary: "{who} accepted the connection and closed it without an answer.",
    meaning: "A process accepts TCP connections there and closes them on the first message. PostgreSQL answers even when it refuses a connection, so this is usually an intermediary: a proxy, load balancer or port forward whose backend is down or refuses, or a TCP wrapper. It can also be a server process that dies at once. Drivers call it a crash of the server, which it rarely is. `protocol.reset` is the same with a reset instead of an orderly close; `protocol.not-postgres` is used when the peer sends anything at all.",
    fixes: &[
        fix(
            "Check which program listens there and where it forwards to: is its backend running, and can it reach it?",
        ),
        run(
            "On the machine that has this port, show the process that listens on it:",
            "sudo ss -ltnp 'sport = :{port}'",
        ),
        fix(
            "If it is the PostgreSQL server itself, check its log: a server process that ends at once leaves a line there.",
        ),
    ],
    seen_as: &[
        "server closed the connection unexpectedly",
        "Connection terminated unexpectedly",
        "connection was closed in the middle of operation",
        "unexpected EOF",
        "SSL SYSCALL error: EOF detected",
        "An I/O error occurred while sending to the backend",
        "Attempted to read past the end of the stream",
        "expected to read 5 bytes, got 0 bytes at EOF",
        "Connection to destination port failed",
    ],
};

/// Accepted, then reset.
pub static RESET: Cause = Cause {
    code: "protocol.reset",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection is accepted and then reset",
    summary: "{who} accepted the connection and reset it on the first message.",
    meaning: "A process accepts TCP connections there and resets them: a port forward (`netsh portproxy`, `kubectl port-forward`, docker's proxy, an SSH tunnel that died) whose target refuses or is gone, or a firewall that lets a connection open and then resets it. There was no answer in the PostgreSQL protocol, so passwords and certificates are not involved. `protocol.closed` is the same with an orderly close.",
    fixes: &[
        fix(
            "Restart the forward or tunnel that listens there, and check that its target still exists: the address may have changed.",
        ),
        run(
            "On the machine that has this port, show the process that listens on it:",
            "sudo ss -ltnp 'sport = :{port}'",
        ),
        fix(
            "Connect without the forward, from the machine it runs on, to find out whether the server itself answers.",
        ),
    ],
    seen_as: &[
        "Connection reset by peer",
        "ECONNRESET",
        "[WinError 64] The specified network name is no longer available",
        "WinError 10054",
        "An existing connection was forcibly closed by the remote host",
        "lost connection to pod",
        "error forwarding port",
        "could not receive data from server",
    ],
};

/// Accepted, then silent.
pub static SILENT: Cause = Cause {
    code: "protocol.silent",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection is accepted and never answered",
    summary: "{who} accepted the connection and sent nothing for {waited}.",
    meaning: "The TCP connection opens, but the first message is never answered. Either a forward or load balancer accepted the connection and its target discards the data, or the server is too busy, stopped or out of processes (the kernel accepts connections for it), or another program listens there and waits for a different protocol. `tcp.timeout` is for connections that do not open at all; `protocol.stall` is for connections on which small messages pass.",
    fixes: &[
        fix(
            "If a proxy, tunnel or load balancer listens there, check that it can reach its backend from where it runs.",
        ),
        fix(
            "If it is the server itself, check its load: a server that is stopped, swapping or has a full accept queue does not answer.",
        ),
        run(
            "Show the process that listens on this port, and how many connections wait to be accepted:",
            "sudo ss -ltnp 'sport = :{port}'",
        ),
    ],
    seen_as: &[
        "timeout expired",
        "connection timeout expired",
        "Connection terminated due to connection timeout",
        "timeout exceeded when trying to connect",
        "The read operation timed out",
        "Read timed out",
    ],
};

/// The peer speaks another protocol.
pub static NOT_POSTGRES: Cause = Cause {
    code: "protocol.not-postgres",
    severity: Severity::Fail,
    retryable: false,
    title: "The service on this port is not PostgreSQL",
    summary: "{endpoint} is not a PostgreSQL server but {what}.",
    meaning: "The first bytes are not in the PostgreSQL protocol. The host or the port is wrong, or another kind of server listens there: a web server or HTTP load balancer, an HTTPS port (TLS that does not know the protocol name `postgresql`), an SSH server (use it with --ssh), another kind of database.",
    fixes: &[
        fix("Check host and port: PostgreSQL listens on 5432 by default, PgBouncer on 6432."),
        run(
            "On the server's machine, show which process listens on which port:",
            "sudo ss -ltnp",
        ),
    ],
    seen_as: &[
        "received invalid response to SSL negotiation",
        "received invalid response to GSSAPI negotiation",
        "expected authentication request from server, but received",
        "tlsv1 alert no application protocol",
        "pq: unexpected message",
        "There was an error establishing an SSL connection",
        "Received unexpected backend message",
        "Unrecognised server response",
    ],
};

/// The direction in which [`STALL`] loses larger messages.
pub fn direction(ours: bool) -> &'static str {
    match ours {
        true => "to the server",
        false => "from the server",
    }
}

/// Small messages pass, large ones do not.
pub static STALL: Cause = Cause {
    code: "protocol.stall",
    severity: Severity::Fail,
    retryable: false,
    title: "Small messages pass but larger ones are lost",
    summary: "Small messages reach {endpoint} and are answered, but a larger one {direction} never arrives.",
    meaning: "Messages that fit into a small packet pass; the first larger one, from the server or from this client, is lost again and again. This is typical of a path MTU black hole: somewhere on the path (a VPN, a tunnel, a cloud gateway, an overlay network) full-size packets do not fit, and the ICMP message that would tell the sender is filtered. A proxy that forwards only short messages looks the same. `tls.timeout` is for when a small request is not answered either.",
    fixes: &[
        run(
            "Find the largest size that passes: lower it until an answer comes (28 bytes of headers are added):",
            "ping -M do -s 1372 -c 3 {host}",
        ),
        fix(
            "Lower the MTU on the VPN or tunnel interface, or clamp the TCP segment size on the gateway: iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        ),
        fix(
            "Allow ICMP \"fragmentation needed\" (IPv6: \"packet too big\") through the firewalls on the path.",
        ),
    ],
    seen_as: &[
        "TLS handshake timeout",
        "Read timed out",
        "SSL handshake timed out",
        "ssl handshake timeout",
    ],
};

/// An impossible length.
pub static OVERSIZED: Cause = Cause {
    code: "protocol.oversized",
    severity: Severity::Fail,
    retryable: false,
    title: "A message has an impossible length",
    summary: "{endpoint} announced a message of {length} bytes, which is not valid at this point.",
    meaning: "The first byte is that of a PostgreSQL message, but the length after it is impossible. Either the peer is not PostgreSQL and its first byte is a coincidence, or a device on the path corrupts the data. libpq gives up on it too.",
    fixes: &[
        fix("Check host and port: another program may listen there."),
        fix("Connect without the proxy or tunnel, to find out whether it corrupts the data."),
    ],
    seen_as: &[
        "lost synchronization with server: got message type",
        "received invalid authentication request",
        "invalid message length",
        "message length out of range",
    ],
};

/// A message that is not valid in the protocol.
pub static MALFORMED: Cause = Cause {
    code: "protocol.malformed",
    severity: Severity::Fail,
    retryable: false,
    title: "An answer violates the PostgreSQL protocol",
    summary: "{endpoint} sent a message that is not valid at this point: {received}.",
    meaning: "The data resembles the PostgreSQL protocol but contains a message of a type or format that no server sends at this point. It comes from an incomplete proxy, a server in replication or recovery behind a broken forward, or another program whose first byte happens to match.",
    fixes: &[
        fix("Check host and port: another program may listen there."),
        fix("Connect without the proxy or tunnel, to find out whether it sent the message."),
    ],
    seen_as: &[
        "expected authentication request from server, but received",
        "received invalid response to SSL negotiation",
        "unexpected message from server",
        "unknown message type",
        "lost synchronization with server",
    ],
};

/// Unencrypted bytes after the answer to SSLRequest.
pub static INJECTED: Cause = Cause {
    code: "protocol.injected",
    severity: Severity::Fail,
    retryable: false,
    title: "Unencrypted bytes after the answer to the TLS request",
    summary: "{endpoint} {answered} and sent {count} more unencrypted bytes, as in a man-in-the-middle attack (CVE-2021-23222).",
    meaning: "After its yes or no to TLS a server sends nothing until the client continues. Unencrypted bytes before that were inserted by an attacker, to be taken for a part of the encrypted session (CVE-2021-23222), or by a badly broken proxy. libpq refuses such a connection.",
    fixes: &[
        fix(
            "Find out what is on the path between client and server: compare the answer from another network, or on the server's own machine.",
        ),
        fix("Set sslmode=verify-full, so that an attacker cannot impersonate the server."),
    ],
    seen_as: &[
        "received unencrypted data after SSL response",
        "received unencrypted data after SSL request",
        "received unencrypted data after GSSAPI encryption response",
    ],
};

/// An error in answer to SSLRequest.
pub static ERROR_RESPONSE: Cause = Cause {
    code: "protocol.error-response",
    severity: Severity::Fail,
    retryable: false,
    title: "The server answered the TLS request with an error",
    summary: "{endpoint} answered the request for TLS with an error: {message}.",
    meaning: "A server answers the request for TLS with yes or no. An error comes from a server that cannot start a process for the connection, from one older than PostgreSQL 7, or from a proxy or pooler that refuses the connection first. The sender of the text is not verified; libpq 17 and later do not even show it (CVE-2024-10977).",
    fixes: &[
        fix(
            "Check the log of the server or pooler that listens there: it contains the same error with more detail.",
        ),
        fix(
            "If it does not support TLS at all, set sslmode=disable to connect without it, on a trusted network only.",
        ),
    ],
    seen_as: &["server sent an error response during SSL exchange"],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "protocol.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The protocol stage failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &CLOSED,
    &RESET,
    &SILENT,
    &NOT_POSTGRES,
    &STALL,
    &OVERSIZED,
    &MALFORMED,
    &INJECTED,
    &ERROR_RESPONSE,
    &UNCLASSIFIED,
];
