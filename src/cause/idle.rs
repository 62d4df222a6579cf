//! Causes of the `idle` stage: who drops a connection that is left alone.

use super::{Cause, Severity, fix, run};

/// FIN: closed in order.
pub static CLOSED: Cause = Cause {
    code: "idle.closed",
    severity: Severity::Fail,
    retryable: false,
    title: "The connection is closed while it is idle",
    summary: "The connection was closed {after} of silence, {words}.",
    meaning: "Something on the way to the database ends idle connections in order (FIN). A server or a pooler would have said why; a proxy or load balancer with an idle timeout does not. Unlike idle.reset the end is orderly, unlike idle.black-hole the client learns of it at once, though most notice only when they next use the connection. `where` in the evidence is the part of the way.",
    fixes: &[
        fix(
            "Let the pool retire idle connections sooner: below {safe_seconds} s here; the report's advice has the setting of each driver.",
        ),
        fix("Raise the idle timeout of the proxy or load balancer in between{owner_hint?}."),
        fix(
            "Let the pool test a connection before it is used (pool_pre_ping or its like), so that no request meets a closed one.",
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
    title: "The connection is reset while it is idle",
    summary: "The connection was reset {after} of silence.",
    meaning: "Something on the way to the database forgot the connection and answers with a reset, at once or at the next packet: a port proxy, a NAT gateway, a load balancer. Unlike idle.black-hole the next query fails at once; unlike idle.closed the end is not orderly. `where` in the evidence is the part of the way.",
    fixes: &[
        fix("Let something pass more often than every {safe_seconds} s: {heartbeat}."),
        fix(
            "Let the pool retire idle connections sooner; the report's advice has the setting of each driver.",
        ),
        fix("Raise the idle timeout of what is in between{owner_hint?}."),
    ],
    seen_as: &[
        "Connection reset by peer",
        "ECONNRESET",
        "WinError 64",
        "WinError 10054",
        "Broken pipe",
    ],
};

/// Silence.
pub static BLACK_HOLE: Cause = Cause {
    code: "idle.black-hole",
    severity: Severity::Fail,
    retryable: false,
    title: "An idle connection is dropped in silence",
    summary: "The connection was dropped {after} of silence and still looked open: the next query got no answer, while a fresh connection works.",
    meaning: "Something on the way to the database forgot the connection and drops its packets: a stateful firewall, NAT gateway or load balancer. The application hangs in its next query until TCP gives up, often for 15 minutes. Unlike idle.reset and idle.closed nobody tells the client; nor does anybody tell the server, which keeps such sessions (left_behind in the evidence) until its own keepalives find them dead. `where` in the evidence is the part of the way.",
    fixes: &[
        run(
            "Send TCP keepalives well below the threshold and give up early on silence: add these to the connection string.",
            "psql {keepalive_settings}",
        ),
        fix(
            "Let the pool retire idle connections sooner; the report's advice has the setting of each driver.",
        ),
        fix("Raise the idle timeout of the firewall or load balancer in between{owner_hint?}."),
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
    summary: "The server ended the session {after} of silence, {words}.",
    meaning: "The server's own setting ended it: idle_session_timeout (SQLSTATE 57P05), idle_in_transaction_session_timeout (25P03) where a transaction was open, or transaction_timeout (25P04). Nothing in between is at fault, and TCP keepalives do not help against it; only a query does, and against transaction_timeout nothing but the end of the transaction.",
    fixes: &[
        run(
            "See where the setting comes from:",
            "psql -c \"select name, setting, unit, source from pg_settings where name like '%session_timeout' or name = 'transaction_timeout'\"",
        ),
        fix("Let the pool retire idle connections sooner: below {safe_seconds} s here."),
        fix(
            "Raise {setting} for this role (ALTER ROLE ... SET), or end transactions before the application waits for something else.",
        ),
    ],
    seen_as: &[
        "terminating connection due to idle-session timeout",
        "terminating connection due to idle-in-transaction timeout",
        "terminating connection due to transaction timeout",
    ],
};

/// 57P01 and its kin.
pub static TERMINATED: Cause = Cause {
    code: "idle.terminated",
    severity: Severity::Fail,
    retryable: false,
    title: "Somebody ended the session on the server",
    summary: "The session was ended on the server's side {after}, {words}.",
    meaning: "An administrator's command, a restart or a failover ended the session (SQLSTATE 57P01, 57P02, 57P03): not an idle timeout, which would have said 57P05 or 25P03. The silence before it is chance.",
    fixes: &[
        fix(
            "Look in the server's log for what happened at that moment: a restart, pg_terminate_backend, a failover, a job that ends old sessions.",
        ),
        fix("Let the application connect anew: pool_pre_ping or its like."),
    ],
    seen_as: &[
        "terminating connection due to administrator command",
        "terminating connection because of crash of another server process",
        "server conn crashed?",
    ],
};

/// The pooler's words.
pub static POOLER_TIMEOUT: Cause = Cause {
    code: "idle.pooler-timeout",
    severity: Severity::Fail,
    retryable: false,
    title: "The pooler ends idle connections",
    summary: "The pooler ended the connection {after} of silence, {words}.",
    meaning: "A pooler in between has an idle timeout of its own (PgBouncer: client_idle_timeout, idle_transaction_timeout). PostgreSQL names the source file in its errors and poolers do not; that is how they are told apart. The server is not involved, and TCP keepalives do not help against it; a query does. With PgBouncer's session pooling, client_idle_timeout ends only clients that hold no server, as those that have never asked anything (never_used in the evidence).",
    fixes: &[
        fix(
            "Raise client_idle_timeout (or idle_transaction_timeout) in the pooler's configuration, or set it to 0.",
        ),
        fix(
            "Let the application's own pool retire idle connections sooner: below {safe_seconds} s here.",
        ),
    ],
    seen_as: &[
        "client_idle_timeout",
        "idle transaction timeout",
        "server idle timeout",
    ],
};

/// The bastion's end.
pub static SSH_CLOSED: Cause = Cause {
    code: "idle.ssh-closed",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH server ends what is idle",
    summary: "The SSH server {hop} ended the tunnel {after} of silence: {words}.",
    meaning: "The bastion, or something before it, ends SSH sessions or forwards that are idle: ChannelTimeout (the session lives on, the forward is closed), ClientAliveInterval with ClientAliveCountMax against a client that does not answer, a firewall. The database has no part in it: a database that ends a connection leaves the SSH session and its half of the forward open.",
    fixes: &[
        fix(
            "Look at ChannelTimeout, UnusedConnectionTimeout, ClientAliveInterval and ClientAliveCountMax in the sshd_config of {hop}.",
        ),
        run(
            "Send SSH keepalives below the threshold, which helps where the session and not the forward is ended:",
            "ssh -o ServerAliveInterval={keepalive_seconds} -o ServerAliveCountMax=3 -N ssh://{hop}",
        ),
        fix("Let the pool retire idle connections sooner: below {safe_seconds} s here."),
    ],
    seen_as: &[
        "Timeout, server",
        "closed by remote host",
        "client_loop: send disconnect: Broken pipe",
    ],
};

/// What prevents it.
pub static KEEPALIVE: Cause = Cause {
    code: "idle.keepalive",
    severity: Severity::Warn,
    retryable: false,
    title: "What prevents the drop",
    summary: "{remedy}",
    meaning: "Beside the connections that were left alone, one had TCP keepalives and one sent a query now and then. Which of them outlived the drop tells what prevents it: keepalives are seen by what forwards packets, but not by a proxy that ends TCP itself or by a server's or pooler's own timeout; only a query is seen by all. Through an SSH tunnel, TCP keepalives reach no further than the first SSH server.",
    fixes: &[fix(
        "Use the settings for your driver: they are in the report's facts too, as advice.",
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
    meaning: "A connection was dropped in a way that no other cause describes, or a fresh connection got no answer either, so that the silence proves nothing. The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[
        fix("Run dbdoctor check again: it says whether the server answers at all now."),
        fix("Report it with the output of the same command and --format json."),
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
