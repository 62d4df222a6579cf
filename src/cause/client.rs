//! Causes on the client: what `sockets` and the second opinion see, and what
//! `explain` finds in an error text that no probe can see from outside.

use super::{Cause, Severity, fix, run};

/// Several processes hold one database socket.
pub static SHARED_SOCKET: Cause = Cause {
    code: "client.shared-socket",
    severity: Severity::Fail,
    retryable: false,
    title: "One database connection is open in several processes",
    summary: "The connection {connection} is open in several processes: {processes}.",
    meaning: "A connection pool was created before the process forked, so parent and children, or several children, hold the same socket. Their messages mix: answers reach the wrong process, and with TLS the record counters diverge at once (`decryption failed or bad record mac`, `client.fork-tls`). A socket that only one process holds is not shared, however many connections that process has. Nor is one that workers inherited and do not use: they work with connections of their own, and nothing is sent over it.",
    fixes: &[
        fix(
            "Create the engine or pool in the worker after the fork: in gunicorn's post_fork hook, uWSGI's postfork, Celery's worker_process_init, Puma's on_worker_boot.",
        ),
        fix(
            "If it must exist before the fork, discard it in the child without closing it: SQLAlchemy's engine.dispose(close=False).",
        ),
        fix("Or start the workers without --preload."),
    ],
    seen_as: &[],
};

/// Independent client stacks disagree.
pub static STACK_DIFFERS: Cause = Cause {
    code: "client.stack-differs",
    severity: Severity::Warn,
    retryable: false,
    title: "Client libraries disagree on the same target",
    summary: "On the same target {passes} succeeded, and {fails} failed at {step}: {error}.",
    meaning: "dbdoctor tried the same target with independent client libraries. If one succeeds, the server, the network and the settings are fine, and the failing library is the suspect: its version, its build, or the features it supports.",
    fixes: &[
        fix(
            "Check the version of the library that the application uses, and which key formats, signature algorithms and TLS versions it supports.",
        ),
        fix("Update it, or use a key, algorithm or setting that all libraries support."),
    ],
    seen_as: &[],
};

/// A TLS connection used by two processes.
pub static FORK_TLS: Cause = Cause {
    code: "client.fork-tls",
    severity: Severity::Fail,
    retryable: false,
    title: "A TLS connection is used by several processes after a fork",
    summary: "A TLS connection seems to be used by several processes after a fork.",
    meaning: "TLS numbers its records. When a process forks with an open connection (gunicorn --preload, uWSGI without lazy-apps, Celery, multiprocessing), each process counts for itself, and the first record that the other one sent or read can no longer be decrypted. Memory corruption or a broken proxy produces the same messages, which is rare; `SSL SYSCALL error: EOF detected` alone is as often a server that closed the connection (`idle.closed`, `idle.terminated`). `dbdoctor sockets` shows the sharing while it lasts. A pool that tests its connections (pool_pre_ping) hides the symptom but does not remove the cause.",
    fixes: &[
        run(
            "Check whether processes share a database socket now:",
            "dbdoctor sockets",
        ),
        fix(
            "Create the engine or pool in each worker after the fork (gunicorn post_fork, uWSGI postfork, Celery worker_process_init).",
        ),
        fix(
            "In a child that inherited one, discard it without closing it: SQLAlchemy's engine.dispose(close=False).",
        ),
        fix("Or start the workers without --preload."),
    ],
    seen_as: &[
        "SSL error: decryption failed or bad record mac",
        "SSL SYSCALL error: EOF detected",
        "PQconsumeInput() SSL error",
        "lost synchronization with server",
        "consuming input failed: SSL error: decryption failed or bad record mac",
    ],
};

/// The tunnel's library is broken.
pub static TUNNEL_LIBRARY: Cause = Cause {
    code: "client.tunnel-library",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH tunnel library fails",
    summary: "The SSH tunnel library fails before it reaches any server.",
    meaning: "The error is raised inside the tunnel's own code, so neither the SSH server nor the database is involved. `name 'stop_event' is not defined` comes from a class body that uses a variable of the enclosing function (`stop_event = stop_event`): this raises NameError in every version of Python, not only in 3.13. `module 'paramiko' has no attribute 'DSSKey'` comes from a tunnel library older than the installed paramiko, `'NoneType' object has no attribute 'open_channel'` from a tunnel that uses an SSH session it has already closed. For occasional resets through a custom tunnel, try the same connection without it.",
    fixes: &[
        run(
            "Try the same connection with independent SSH clients; if they succeed, the library is at fault:",
            "dbdoctor check --second-opinion --ssh USER@HOST TARGET",
        ),
        fix(
            "Update the tunnel library, or pin the version of paramiko that it supports (sshtunnel 0.4 needs paramiko before 4).",
        ),
        fix("Or use OpenSSH for the tunnel: ssh -N -L 127.0.0.1:PORT:DBHOST:5432 USER@HOST."),
    ],
    seen_as: &[
        "name 'stop_event' is not defined",
        "module 'paramiko' has no attribute 'DSSKey'",
        "'NoneType' object has no attribute 'open_channel'",
    ],
};

/// The key is good and the library cannot read it.
pub static KEY_LIBRARY: Cause = Cause {
    code: "client.key-library",
    severity: Severity::Fail,
    retryable: false,
    title: "The SSH library cannot read a key that OpenSSH can",
    summary: "The SSH library cannot read the format of this private key.",
    meaning: "JSch (before its fork by mwiede) and old versions of paramiko cannot read keys in OpenSSH's own format (`BEGIN OPENSSH PRIVATE KEY`), or try one key type after another and report the last failure. The key may be valid: `dbdoctor key` says whether OpenSSH can read it. If OpenSSH cannot read it either, the cause is `key.mangled` or `key.format`.",
    fixes: &[
        run(
            "Check whether the key itself is valid:",
            "dbdoctor key PATH",
        ),
        fix("Update the library: com.github.mwiede:jsch, paramiko 2.7 or later."),
        run(
            "Or write a copy of the key in the older PEM format (RSA and ECDSA only):",
            "cp KEY KEY.pem && ssh-keygen -p -m PEM -f KEY.pem",
        ),
    ],
    seen_as: &[
        "invalid privatekey: [B@",
        "not a valid RSA private key file",
        "encountered RSA key, expected OPENSSH key",
        "q must be exactly 160, 224, or 256 bits long",
    ],
};

/// Settings read too early.
pub static CACHED_SETTINGS: Cause = Cause {
    code: "client.cached-settings",
    severity: Severity::Fail,
    retryable: false,
    title: "The application uses outdated settings",
    summary: "The application seems to use settings that it read before they were changed.",
    meaning: "An engine or a settings object is created once, when a module is imported or on first use, and does not see later changes to the environment: the error names a host (often `db`) or a database that is not in the current settings. dbdoctor reads the current settings. If `dbdoctor config` shows the right target and the application's error another one, the application uses an older value.",
    fixes: &[
        run(
            "Compare the target in the error with the current settings:",
            "dbdoctor config -v",
        ),
        fix(
            "Create engines where they are used, after the settings are complete. In tests, set the environment before the first import, or pass the session to the code under test.",
        ),
    ],
    seen_as: &["could not translate host name \"db\" to address"],
};

/// No connection is left in the pool.
pub static POOL_EXHAUSTED: Cause = Cause {
    code: "client.pool-exhausted",
    severity: Severity::Fail,
    retryable: false,
    title: "The application timed out waiting for a free connection from its pool",
    summary: "The application timed out waiting for a free connection from its pool.",
    meaning: "Either all connections of the pool are in use (leaked, held by long transactions, or simply too few), or the pool cannot open new ones and hides the reason: sqlx, psycopg_pool and HikariCP report the same message when DNS, authentication or the network fails. Look for an earlier error first, and check the connection to the server.",
    fixes: &[
        run(
            "Check that a new connection can be opened:",
            "dbdoctor check TARGET",
        ),
        run(
            "Check that new connections do not fail occasionally:",
            "dbdoctor stress --attempts 50 --concurrency 10 TARGET",
        ),
        fix(
            "Look for connections that are not returned to the pool: close sessions in a finally block or a context manager, and check pg_stat_activity for `idle in transaction`.",
        ),
        fix("Then make the pool larger, or the transactions shorter."),
    ],
    seen_as: &[
        "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00",
        "The connection pool has been exhausted, either raise 'Max Pool Size'",
        "Connection is not available, request timed out after",
        "couldn't get a connection after 30.00 sec",
        "pool timed out while waiting for an open connection",
        "Timed out fetching a new connection from the connection pool",
    ],
};

/// The client does not support SCRAM.
pub static SCRAM_UNSUPPORTED: Cause = Cause {
    code: "client.scram-unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The client library is too old for SCRAM authentication",
    summary: "The client library does not support SCRAM-SHA-256, which the server requires.",
    meaning: "PostgreSQL stores passwords for SCRAM-SHA-256 by default since version 14; clients support it since libpq 10, pgjdbc 42.2, node-postgres 7.9, Npgsql 3.2.7. The password is not the problem if dbdoctor logs in with it; if it does not, the cause is `auth.password.wrong`.",
    fixes: &[
        run(
            "Check which method the server asks for:",
            "dbdoctor auth -v TARGET",
        ),
        fix(
            "Update the driver; on Alpine and old distributions, update the libpq that it is linked with.",
        ),
        fix(
            "As a last resort, give the role an MD5 password: set password_encryption = 'md5' in the session that sets the password.",
        ),
    ],
    seen_as: &[
        "SCRAM authentication requires libpq version 10 or above",
        "The authentication type 10 is not supported.",
        "unknown authenticationOk message type",
    ],
};

/// One connection, two tasks.
pub static CONCURRENT_USE: Cause = Cause {
    code: "client.concurrent-use",
    severity: Severity::Fail,
    retryable: false,
    title: "One connection is used by several tasks at once",
    summary: "One connection is used by several tasks at once.",
    meaning: "A PostgreSQL connection runs one query at a time. The driver found a second query before the first had finished: concurrent tasks, threads or requests share a session or connection. The server and the network are fine. With several processes the cause is `client.shared-socket`.",
    fixes: &[
        fix(
            "Give each task its own session or connection from the pool, for as long as it needs it.",
        ),
        fix(
            "Await each query before the next one on the same connection: no asyncio.gather or Promise.all over one session.",
        ),
    ],
    seen_as: &[
        "cannot perform operation: another operation is in progress",
        "another command is already in progress",
        "conn busy",
    ],
};

/// Used after it was closed.
pub static LOOP_CLOSED: Cause = Cause {
    code: "client.loop-closed",
    severity: Severity::Fail,
    retryable: false,
    title: "A connection or pool is used after its event loop or pool was closed",
    summary: "A connection or pool is used after its event loop or pool was closed.",
    meaning: "An asynchronous connection belongs to the event loop that opened it. Test frameworks and serverless runtimes create a new loop for each test or call, and an engine that outlives its loop holds dead connections. asyncpg also reports `connection was closed in the middle of operation` when the server or a proxy drops the connection during a query (`idle.closed`, `idle.terminated`).",
    fixes: &[
        fix(
            "Create and close the engine or pool inside the same event loop: one per test session with a session-wide loop, or with NullPool.",
        ),
        fix("Dispose of the engine before the loop ends: await engine.dispose()."),
        run(
            "If no loop was closed, check for dropped connections:",
            "dbdoctor idle --for 6m TARGET",
        ),
    ],
    seen_as: &[
        "Event loop is closed",
        "connection was closed in the middle of operation",
    ],
};

/// A prepared statement is missing or already exists.
pub static PREPARED_STATEMENT: Cause = Cause {
    code: "client.prepared-statement",
    severity: Severity::Fail,
    retryable: false,
    title: "A transaction pooler breaks prepared statements",
    summary: "A prepared statement is missing or already exists: a pooler changes the server connection between transactions.",
    meaning: "A pooler in transaction mode runs each transaction on any free server connection, and a prepared statement exists on one server connection only. The driver then finds its statement missing, or another client's under the same name. PgBouncer 1.21 and later handles protocol-level prepared statements (max_prepared_statements), but not SQL PREPARE.",
    fixes: &[
        fix(
            "Disable the driver's statement cache: asyncpg statement_cache_size=0, pgjdbc prepareThreshold=0, psycopg prepare_threshold=None, Prisma ?pgbouncer=true, sqlx statement_cache_capacity(0).",
        ),
        fix("Or set max_prepared_statements in PgBouncer 1.21 or later."),
        fix("Or connect to the pooler in session mode, or to the server itself."),
    ],
    seen_as: &[
        "prepared statement \"__asyncpg_stmt_1__\" already exists",
        "prepared statement \"S_1\" does not exist",
    ],
};

/// A port forward on Windows.
pub static PORTPROXY: Cause = Cause {
    code: "client.portproxy",
    severity: Severity::Fail,
    retryable: false,
    title: "A port forward on Windows may have dropped the connection",
    summary: "A port forward on Windows (netsh portproxy, WSL) may have dropped the connection.",
    meaning: "`[WinError 64] The specified network name is no longer available` means that an established connection was closed, but not by what. `netsh interface portproxy` runs in user space, accepts connections before it knows whether its target does, points to an address that WSL changes with each start, and drops connections when a network adapter changes. asyncio's accept loop and any reset produce the same message, so only a test without the forward proves that the forward is the cause.",
    fixes: &[
        run(
            "Check whether the connection is dropped, and after how long:",
            "dbdoctor idle --for 6m TARGET",
        ),
        run(
            "Show where the forward points, and compare that with `wsl hostname -I`:",
            "netsh interface portproxy show all",
        ),
        fix("Connect to the WSL address or use WSL's localhost forwarding, without portproxy."),
    ],
    seen_as: &["[WinError 64] The specified network name is no longer available"],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "client.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A client-side failure that dbdoctor does not recognise",
    summary: "A client-side step failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &SHARED_SOCKET,
    &STACK_DIFFERS,
    &FORK_TLS,
    &TUNNEL_LIBRARY,
    &KEY_LIBRARY,
    &CACHED_SETTINGS,
    &POOL_EXHAUSTED,
    &SCRAM_UNSUPPORTED,
    &CONCURRENT_USE,
    &LOOP_CLOSED,
    &PREPARED_STATEMENT,
    &PORTPROXY,
    &UNCLASSIFIED,
];
