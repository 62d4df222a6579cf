//! Causes of the `protocol` stage.

use super::{Cause, Severity, fix, run};

/// Accepted, then closed.
pub static CLOSED: Cause = Cause {
    code: "protocol.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection is accepted and closed without a word",
    summary: "{who} accepted the connection and closed it without a word.",
    meaning: "Something accepts TCP connections there and hangs up as soon as it is spoken to. A \
        PostgreSQL server answers even when it refuses, so this is most often something in \
        between: a proxy, load balancer or port forward whose backend is down or refuses, a \
        TCP wrapper, or a server process that dies at once. The drivers call it a crash of the \
        server, which it rarely is. `protocol.reset` is the same with a reset in place of an \
        orderly end; `protocol.not-postgres` is used where the other end says anything at all.",
    fixes: &[
        fix(
            "Look at what listens there and where it forwards to: is its backend running, and can it reach it?",
        ),
        run(
            "See which process accepts on this port, on the machine that has it.",
            "sudo ss -ltnp 'sport = :{port}'",
        ),
        fix(
            "If it is the PostgreSQL server itself, read its log: a process that ends at once leaves a line there.",
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
    summary: "{who} accepted the connection and reset it when it was spoken to.",
    meaning: "Something accepts TCP connections there and breaks them off: a port forward \
        (`netsh portproxy`, `kubectl port-forward`, docker's proxy, an SSH tunnel that died) whose \
        other side refuses or is gone, or a firewall that lets a connection open and then cuts it. \
        Nothing of the PostgreSQL protocol was answered, so passwords and certificates have no \
        part in it. `protocol.closed` is the same with an orderly end.",
    fixes: &[
        fix(
            "Restart the forward or tunnel that listens there, and check that the place it forwards to still exists: its address may have changed.",
        ),
        run(
            "See which process accepts on this port, on the machine that has it.",
            "sudo ss -ltnp 'sport = :{port}'",
        ),
        fix(
            "Connect past the forward, from the machine it runs on, to see whether the server itself answers.",
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

/// Accepted, and nothing more.
pub static SILENT: Cause = Cause {
    code: "protocol.silent",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection is accepted and never answered",
    summary: "{who} accepted the connection and said nothing for {waited}.",
    meaning: "The TCP connection opens, and the first message is never answered. Either a forward \
        or load balancer took the connection and passes it on to a place that swallows it, or the \
        server is too busy, stopped or out of processes to accept (the kernel accepts for it), or \
        something else listens there that waits for other words. `tcp.timeout` is the case where \
        not even the connection opens; `protocol.stall` is the one where small messages pass.",
    fixes: &[
        fix(
            "If a proxy, tunnel or load balancer listens there, check that its backend is reachable from where it runs.",
        ),
        fix(
            "If it is the server itself, look at its load: a server that is stopped, swapping or out of connections in its accept queue does not answer.",
        ),
        run(
            "See which process accepts on this port, and how many connections wait to be accepted.",
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

/// Somebody else.
pub static NOT_POSTGRES: Cause = Cause {
    code: "protocol.not-postgres",
    severity: Severity::Fail,
    retryable: false,
    title: "Something other than PostgreSQL answers",
    summary: "{endpoint} is not a PostgreSQL server: {what} answers there.",
    meaning: "The first bytes are not PostgreSQL's. The host or the port is wrong, or a proxy of \
        another kind stands there: a web server or HTTP load balancer, an HTTPS port (TLS that \
        does not know the protocol name `postgresql`), an SSH server (use it with --ssh), another \
        kind of database.",
    fixes: &[
        fix(
            "Check host and port: PostgreSQL listens on 5432 unless it was told otherwise, PgBouncer on 6432.",
        ),
        run(
            "On the server's machine, see what listens where.",
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

/// Which larger message of [`STALL`] does not arrive, by whether ours are sent in vain.
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
    title: "Small messages pass and larger ones get stuck",
    summary: "Small messages reach {endpoint} and come back, and a larger one {direction} never arrives.",
    meaning: "The server answers what fits into a small packet, and the first larger message, of \
        its own or of ours, is lost again and again. That is the mark of a path MTU black hole: somewhere on the way \
        (a VPN, a tunnel, a cloud gateway, an overlay network) full-size packets do not fit, and \
        the ICMP message that would tell the sender is filtered. It also fits a proxy that \
        buffers and forwards only short pieces. `tls.timeout` is the case where a small question \
        is not answered either.",
    fixes: &[
        run(
            "Find the size that still passes: lower it until an answer comes (28 bytes of headers come on top).",
            "ping -M do -s 1372 -c 3 {host}",
        ),
        fix(
            "Lower the MTU on the VPN or tunnel interface, or clamp the TCP segment size on the gateway: iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        ),
        fix(
            "Let ICMP \"fragmentation needed\" (IPv6: \"packet too big\") pass through the firewalls on the way.",
        ),
    ],
    seen_as: &[
        "TLS handshake timeout",
        "Read timed out",
        "SSL handshake timed out",
        "ssl handshake timeout",
    ],
};

/// An absurd length.
pub static OVERSIZED: Cause = Cause {
    code: "protocol.oversized",
    severity: Severity::Fail,
    retryable: false,
    title: "A message with an impossible length",
    summary: "{endpoint} announces a message of {length} bytes, which no server sends there.",
    meaning: "The first byte is that of a PostgreSQL message, and the length behind it is absurd. \
        Either it is not PostgreSQL and its first letter is a coincidence, or something on the \
        way damages the bytes. libpq gives up on it as well.",
    fixes: &[
        fix("Check host and port: something else may listen there."),
        fix(
            "Connect without the proxy or tunnel in between, to see whether it damages the stream.",
        ),
    ],
    seen_as: &[
        "lost synchronization with server: got message type",
        "received invalid authentication request",
        "invalid message length",
        "message length out of range",
    ],
};

/// A message that is not the protocol's.
pub static MALFORMED: Cause = Cause {
    code: "protocol.malformed",
    severity: Severity::Fail,
    retryable: false,
    title: "An answer that violates the protocol",
    summary: "{endpoint} answers with a message that has no place there: {received}.",
    meaning: "It looks like PostgreSQL's protocol and is not: a message of a type or shape that no \
        server sends at this point. A proxy that is not finished, a server in replication or \
        recovery through a broken forward, or something else whose first byte happens to fit.",
    fixes: &[
        fix("Check host and port: something else may listen there."),
        fix(
            "Connect without the proxy or tunnel in between, to see whether it is the one that answers.",
        ),
    ],
    seen_as: &[
        "expected authentication request from server, but received",
        "received invalid response to SSL negotiation",
        "unexpected message from server",
        "unknown message type",
        "lost synchronization with server",
    ],
};

/// Bytes behind the answer to SSLRequest.
pub static INJECTED: Cause = Cause {
    code: "protocol.injected",
    severity: Severity::Fail,
    retryable: false,
    title: "Unencrypted bytes behind the answer to the request for TLS",
    summary: "{endpoint} {answered} and sent {count} more bytes in clear, as somebody does who wants to slip in answers.",
    meaning: "After its yes or no to TLS a server says nothing until the client goes on. Bytes that \
        come in clear before that were put there by somebody in between, to be taken for a part \
        of the encrypted session (CVE-2021-23222), or by a proxy that is badly broken. libpq \
        refuses such a connection.",
    fixes: &[
        fix(
            "Find out who stands between: compare what answers from another network, or on the server's own machine.",
        ),
        fix("Use sslmode=verify-full, so that nobody in between can pass for the server."),
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
    title: "An error in answer to the request for TLS",
    summary: "{endpoint} answered the request for TLS with an error: {message}.",
    meaning: "A server answers the request for TLS with yes or no. An error comes from a server \
        that cannot start a process for the connection, from one older than PostgreSQL 7, or from \
        a proxy or pooler that refuses before anything else. Nothing proves who sent the text; \
        libpq 17 and later do not even show it (CVE-2024-10977).",
    fixes: &[
        fix(
            "Read the log of the server or pooler that answers there: it says the same with more detail.",
        ),
        fix(
            "If it does not speak TLS at all, sslmode=disable asks without it: only on a network you trust.",
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
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
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
