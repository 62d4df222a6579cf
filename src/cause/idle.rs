//! Causes of the `idle` stage: what drops an idle connection.

use super::{Cause, Severity, fix, run};

/// FIN: an orderly close.
pub static CLOSED: Cause = Cause {
    code: "idle.closed",
    severity: Severity::Fail,
    retryable: false,
    title: "An idle connection is closed",
    summary: "The connection was closed {after} of idle time, {words}.",
    meaning: "A device on the path to the database closes idle connections in an orderly way (FIN). A server or a pooler would have given a reason; a proxy or load balancer with an idle timeout does not. Unlike `idle.reset` the close is orderly; unlike `idle.black-hole` the client is told at once, though most clients notice only when they next use the connection. `where` in the evidence names the part of the path.",
    fixes: &[
        fix(
            "Set the idle timeout of the application's pool, in seconds, to {safe_seconds?a value below the threshold}; the report's advice has the setting for each driver.",
        ),
        fix("Raise the idle timeout of the proxy or load balancer{owner_hint?}."),
        fix(
            "Configure the pool to test a connection before use (pool_pre_ping or its equivalent), so that no request gets a closed one.",
        ),
    ],
    seen_as: &[
        "server closed the connection unexpectedly",
        "Connection terminated unexpectedly",
        "connection already closed",
        "SSL connection has been closed unexpectedly",
        "Attempted to read past the end of the stream.",
        "This connection has been closed.",
        "An I/O error occurred while sending to the backend.",
    ],
};

/// RST.
pub static RESET: Cause = Cause {
    code: "idle.reset",
    severity: Severity::Fail,
    retryable: false,
    title: "An idle connection is reset",
    summary: "The connection was reset {after} of idle time.",
    meaning: "A device on the path to the database forgot the connection and answers with a reset, at once or on the next packet: a port proxy, a NAT gateway, a load balancer. Unlike `idle.black-hole` the next query fails at once; unlike `idle.closed` the close is not orderly. `where` in the evidence names the part of the path.",
    fixes: &[
        fix(
            "Send {heartbeat?TCP keepalives or a query as a heartbeat} at an interval, in seconds, below {safe_seconds?the threshold}.",
        ),
        fix(
            "Configure the pool to retire idle connections sooner; the report's advice has the setting for each driver.",
        ),
        fix("Raise the idle timeout of the proxy, NAT gateway or load balancer{owner_hint?}."),
    ],
    seen_as: &[
        "Connection reset by peer",
        "ECONNRESET",
        "WinError 64",
        "WinError 10054",
        "Broken pipe",
    ],
};

/// Dropped without notice.
pub static BLACK_HOLE: Cause = Cause {
    code: "idle.black-hole",
    severity: Severity::Fail,
    retryable: false,
    title: "An idle connection is dropped without notice",
    summary: "The connection was dropped {after} of idle time and still looked open: the next query got no answer, while a new connection works.",
    meaning: "A device on the path to the database forgot the connection and drops its packets: a stateful firewall, NAT gateway or load balancer. The application hangs in its next query until TCP gives up, often for 15 minutes. Unlike with `idle.reset` and `idle.closed`, the client is not told. Neither is the server, which keeps such sessions (left_behind in the evidence) until its own keepalives fail. `where` in the evidence names the part of the path.",
    fixes: &[
        run(
            "Send TCP keepalives well below the threshold, and give up early when there is no answer, by adding these settings to the connection string:",
            "psql {keepalive_settings?'keepalives_idle=SECONDS keepalives_interval=SECONDS keepalives_count=3 tcp_user_timeout=MILLISECONDS'}",
        ),
        fix(
            "Configure the pool to retire idle connections sooner; the report's advice has the setting for each driver.",
        ),
        fix("Raise the idle timeout of the firewall or load balancer{owner_hint?}."),
    ],
    seen_as: &[
        "SSL SYSCALL error: Connection timed out",
        "could not receive data from server: Connection timed out",
        "Read timed out",
    ],
};

/// 57P05, 25P03.
pub static SERVER_TIMEOUT: Cause = Cause {
    code: "idle.server-timeout",
    severity: Severity::Fail,
    retryable: false,
    title: "The server ends idle sessions",
    summary: "The server ended the session {after} of idle time, {words}.",
    meaning: "The server's own setting ended it: idle_session_timeout (SQLSTATE 57P05), idle_in_transaction_session_timeout (25P03) if a transaction was open, or transaction_timeout (25P04). The network is not involved, and TCP keepalives do not help. A query helps, except against transaction_timeout, which only ends with the transaction.",
    fixes: &[
        run(
            "Check where the setting comes from:",
            "psql -c \"select name, setting, unit, source from pg_settings where name like '%session_timeout' or name = 'transaction_timeout'\"",
        ),
        fix(
            "Set the idle timeout of the application's pool, in seconds, to {safe_seconds?a value below the threshold}; the report's advice has the setting for each driver.",
        ),
        fix(
            "Raise {setting?the setting} for this role (ALTER ROLE ... SET), or end transactions before the application waits for something else.",
        ),
    ],
    seen_as: &[
        "terminating connection due to idle-session timeout",
        "terminating connection due to idle-in-transaction timeout",
        "terminating connection due to transaction timeout",
    ],
};

/// 57P01, 57P02, 57P03.
pub static TERMINATED: Cause = Cause {
    code: "idle.terminated",
    severity: Severity::Fail,
    retryable: false,
    title: "The session was terminated on the server",
    summary: "The session was terminated on the server {after}, {words}.",
    meaning: "An administrator's command, a restart or a failover ended the session (SQLSTATE 57P01, 57P02, 57P03). It was not an idle timeout, which is reported with 57P05 or 25P03; the idle time before it is a coincidence.",
    fixes: &[
        fix(
            "Check the server's log for this moment: a restart, pg_terminate_backend, a failover, a job that ends old sessions.",
        ),
        fix("Configure the application to reconnect: pool_pre_ping or its equivalent."),
    ],
    seen_as: &[
        "terminating connection due to administrator command",
        "terminating connection because of crash of another server process",
        "server conn crashed?",
    ],
};

/// The pooler says so.
pub static POOLER_TIMEOUT: Cause = Cause {
    code: "idle.pooler-timeout",
    severity: Severity::Fail,
    retryable: false,
    title: "The pooler closes idle connections",
    summary: "The pooler closed the connection {after} of idle time, {words}.",
    meaning: "A pooler on the path has an idle timeout of its own (PgBouncer: client_idle_timeout, idle_transaction_timeout). PostgreSQL names the source file in its errors and poolers do not, which is how dbdoctor tells them apart. The server is not involved. TCP keepalives do not help, but a query does. With PgBouncer's session pooling, client_idle_timeout ends only clients that hold no server connection, such as those that have not sent a query yet (never_used in the evidence).",
    fixes: &[
        fix(
            "Raise client_idle_timeout (or idle_transaction_timeout) in the pooler's configuration, or set it to 0.",
        ),
        fix(
            "Set the idle timeout of the application's own pool, in seconds, to {safe_seconds?a value below the threshold}; the report's advice has the setting for each driver.",
        ),
    ],
    seen_as: &[
        "client_idle_timeout",
        "idle transaction timeout",
        "server idle timeout",
    ],
};

/// The SSH server closes it.
pub static SSH_CLOSED: Cause = Cause {
    code: "idle.ssh-closed",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server closes idle sessions or forwards",
    summary: "The SSH server {hop} ended the tunnel {after} of idle time: {words}.",
    meaning: "The bastion, or a device before it, ends idle SSH sessions or forwards. Possible reasons are ChannelTimeout (it closes the forward and keeps the session), ClientAliveInterval with ClientAliveCountMax against a client that does not answer, and a firewall. The database is not involved: when a database ends a connection, the SSH session and its half of the forward stay open.",
    fixes: &[
        fix(
            "Check ChannelTimeout, UnusedConnectionTimeout, ClientAliveInterval and ClientAliveCountMax in the sshd_config of {hop|the SSH server}.",
        ),
        run(
            "Send SSH keepalives below the threshold (this helps if the session is ended, not if only the forward is):",
            "ssh -o ServerAliveInterval={keepalive_seconds?30} -o ServerAliveCountMax=3 -N ssh://{hop?USER@HOST}",
        ),
        fix(
            "Set the idle timeout of the application's pool, in seconds, to {safe_seconds?a value below the threshold}; the report's advice has the setting for each driver.",
        ),
    ],
    seen_as: &[
        "Timeout, server",
        "closed by remote host",
        "client_loop: send disconnect: Broken pipe",
    ],
};

/// What prevents the drop.
pub static KEEPALIVE: Cause = Cause {
    code: "idle.keepalive",
    severity: Severity::Warn,
    retryable: false,
    title: "What keeps an idle connection open",
    summary: "{remedy}",
    meaning: "In addition to the idle connections, dbdoctor tested one with TCP keepalives and one with a query at intervals. Those that outlive the drop show what prevents it. Devices that forward packets count keepalives as traffic; a proxy that terminates TCP, or a timeout of the server or the pooler, does not. A query counts everywhere. Through an SSH tunnel, TCP keepalives reach only the first SSH server.",
    // A finding has a fix for each driver in its place.
    fixes: &[fix(
        "{drivers?Use the settings for your driver, which the report lists.}",
    )],
    seen_as: &[],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "idle.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "The idle test ended in a way that dbdoctor does not recognise",
    summary: "The idle test ended in a way that dbdoctor does not recognise: {error}.",
    meaning: "A connection was dropped in a way that no other cause describes, or a new connection got no answer either, so that the idle time proves nothing. The evidence contains the raw error. Please report it.",
    fixes: &[
        fix("Run dbdoctor check again: it shows whether the server answers now."),
        fix("Report it with the output of the same command with --format json added."),
    ],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &CLOSED,
    &RESET,
    &BLACK_HOLE,
    &SERVER_TIMEOUT,
    &TERMINATED,
    &POOLER_TIMEOUT,
    &SSH_CLOSED,
    &KEEPALIVE,
    &UNCLASSIFIED,
];
