//! Causes on this side: what `sockets` and the second opinion see, and what
//! `explain` finds in an error text that no probe can see from outside.

use super::{Cause, Severity, fix, run};

/// Several processes hold one database socket.
pub static SHARED_SOCKET: Cause = Cause {
    code: "client.shared-socket",
    severity: Severity::Fail,
    retryable: false,
    title: "One database connection is open in several processes",
    summary: "The connection {connection} is open in several processes: {processes}.",
    meaning: "A connection pool was created before the process forked, so parent and children, or \
              several children, hold the same socket. Their messages mix: answers reach the wrong \
              process, and with TLS the record counters diverge at once (`decryption failed or bad \
              record mac`, client.fork-tls). A socket that only one process holds is no sharing, \
              however many connections that process has; nor is one that workers inherited and \
              forgot: they work with connections of their own, and nothing is sent over it.",
    fixes: &[
        fix(
            "Create the engine or pool in the worker after the fork: in gunicorn's post_fork hook, \
             uWSGI's postfork, Celery's worker_process_init, Puma's on_worker_boot.",
        ),
        fix(
            "Where it must exist before the fork, discard it in the child without closing it: \
             SQLAlchemy's engine.dispose(close=False).",
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
    summary: "On the same target {passes} got through, and {fails} failed at {step}: {error}.",
    meaning: "The same target was tried through independent client stacks. Where one gets through, \
              the server, the network and the settings are fine, and the library that fails (its \
              version, its build, what it supports) is the suspect.",
    fixes: &[
        fix(
            "Look at the version of the library that the application uses, and at what it says it \
             supports: key formats, signature algorithms, TLS versions.",
        ),
        fix("Update it, or use the key, algorithm or setting that all stacks take."),
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
    meaning: "TLS numbers its records. When a process forks with an open connection (gunicorn \
              --preload, uWSGI without lazy-apps, Celery, multiprocessing), each process counts for \
              itself, and the first record that the other one sent or read no longer decrypts. The \
              same words can come from memory corruption or a broken proxy, which is rare; \
              `SSL SYSCALL error: EOF detected` alone is as often a server that closed the \
              connection (idle.closed, idle.terminated). `dbdoctor sockets` shows the sharing while \
              it lasts. A pool that tests its connections (pool_pre_ping) hides the symptom and \
              leaves the cause.",
    fixes: &[
        run(
            "Look whether processes share a database socket now:",
            "dbdoctor sockets",
        ),
        fix(
            "Create the engine or pool in each worker after the fork (gunicorn post_fork, uWSGI \
             postfork, Celery worker_process_init).",
        ),
        fix(
            "In a child that inherited one, discard it without closing: SQLAlchemy's \
             engine.dispose(close=False).",
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
    title: "The library that builds the SSH tunnel is at fault",
    summary: "The library that builds the SSH tunnel fails before it reaches any server.",
    meaning: "The error is raised inside the tunnel's own code, so neither the SSH server nor the \
              database had a say. `name 'stop_event' is not defined` comes from a class body that \
              names a variable of the function around it (`stop_event = stop_event`): that raises \
              NameError in every version of Python, not only in 3.13. `module 'paramiko' has no \
              attribute 'DSSKey'` comes from a tunnel library older than the paramiko that was \
              installed beside it, `'NoneType' object has no attribute 'open_channel'` from a \
              tunnel that uses an SSH session which it has closed. Resets now and then through a \
              home-made tunnel are told apart by trying the same way without it.",
    fixes: &[
        run(
            "Try the same way with independent SSH clients; if they get through, it is the library:",
            "dbdoctor check --second-opinion --ssh USER@HOST TARGET",
        ),
        fix(
            "Update the tunnel library, or pin the version of paramiko that it was made for \
             (sshtunnel 0.4 needs paramiko before 4).",
        ),
        fix("Or let OpenSSH hold the tunnel: ssh -N -L 127.0.0.1:PORT:DBHOST:5432 USER@HOST."),
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
    meaning: "JSch (before its fork by mwiede) and old versions of paramiko cannot read keys in \
              OpenSSH's own format (`BEGIN OPENSSH PRIVATE KEY`), or try one type of key after \
              another and report the last failure. The key may be good: `dbdoctor key` says \
              whether OpenSSH reads it. If it does not either, key.mangled or key.format is the \
              cause.",
    fixes: &[
        run("Ask whether the key itself is good:", "dbdoctor key PATH"),
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
    title: "The application uses settings that it read before they were changed",
    summary: "The application seems to use settings that it read before they were changed.",
    meaning: "An engine or a settings object is created once, when a module is imported or on first \
              use, and later changes to the environment do not reach it: the error names a host \
              (often `db`) or a database that the present settings do not. dbdoctor reads the \
              settings as they are now. Where `dbdoctor config` shows the right target and the \
              application's error another one, the application holds an older value.",
    fixes: &[
        run(
            "Compare the target in the error with the settings in force:",
            "dbdoctor config -v",
        ),
        fix(
            "Create engines where they are used, after the settings are complete; in tests, set the \
             environment before the first import, or hand the session in.",
        ),
    ],
    seen_as: &["could not translate host name \"db\" to address"],
};

/// No connection is left in the pool.
pub static POOL_EXHAUSTED: Cause = Cause {
    code: "client.pool-exhausted",
    severity: Severity::Fail,
    retryable: false,
    title: "The application's connection pool gave out no connection in time",
    summary: "The application's connection pool gave out no connection in time.",
    meaning: "Either all connections of the pool are in use (leaked, held by long transactions, or \
              simply too few), or the pool cannot open new ones and hides why: sqlx, psycopg_pool \
              and HikariCP report the same words when DNS, authentication or the network fails. \
              Look for the first error before this one, and check the way to the server first.",
    fixes: &[
        run(
            "Rule out that new connections fail:",
            "dbdoctor check TARGET",
        ),
        run(
            "And that they fail only now and then:",
            "dbdoctor stress --attempts 50 --concurrency 10 TARGET",
        ),
        fix(
            "Look for connections that are not given back: close sessions in a finally block or a \
             context manager; look at pg_stat_activity for `idle in transaction`.",
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

/// The client knows no SCRAM.
pub static SCRAM_UNSUPPORTED: Cause = Cause {
    code: "client.scram-unsupported",
    severity: Severity::Fail,
    retryable: false,
    title: "The client library is too old for SCRAM authentication",
    summary: "The client library does not know SCRAM-SHA-256, which the server asks for.",
    meaning: "PostgreSQL stores passwords for SCRAM-SHA-256 since version 14 unless told otherwise, \
              and clients know it since libpq 10, pgjdbc 42.2, node-postgres 7.9, Npgsql 3.2.7. The \
              password is not the matter: dbdoctor logs in with the same one. Where it does not, \
              auth.password.wrong is the cause.",
    fixes: &[
        run(
            "See which method the server asks for:",
            "dbdoctor auth -v TARGET",
        ),
        fix(
            "Update the driver; on Alpine and old distributions, the libpq that it is linked with.",
        ),
        fix(
            "As a last resort, give the role an MD5 password: set password_encryption = 'md5' in the \
             session that sets it.",
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
    meaning: "A PostgreSQL connection answers one query after the other. The driver found a second \
              one begun before the first had ended: a session or connection shared by concurrent \
              tasks, threads, or requests. The server and the network are fine. With several \
              processes it is client.shared-socket.",
    fixes: &[
        fix(
            "Give each task its own session or connection from the pool, for as long as it needs it.",
        ),
        fix(
            "Await each query before the next one on the same connection: no asyncio.gather or \
             Promise.all over one session.",
        ),
    ],
    seen_as: &[
        "cannot perform operation: another operation is in progress",
        "another command is already in progress",
        "conn busy",
    ],
};

/// Used after its end.
pub static LOOP_CLOSED: Cause = Cause {
    code: "client.loop-closed",
    severity: Severity::Fail,
    retryable: false,
    title: "A connection or pool is used after its event loop or pool was closed",
    summary: "A connection or pool is used after its event loop or pool was closed.",
    meaning: "An asynchronous connection belongs to the event loop that opened it. Test frameworks \
              and serverless runtimes make a new loop for each test or call, and an engine that \
              outlives it holds dead connections. `connection was closed in the middle of \
              operation` is also what asyncpg says when the server or a proxy drops the connection \
              during a query (idle.closed, idle.terminated).",
    fixes: &[
        fix(
            "Create and close the engine or pool inside the same event loop: one per test session \
             with a session-wide loop, or with NullPool.",
        ),
        fix("Dispose of the engine before the loop ends: await engine.dispose()."),
        run(
            "If it comes without a closed loop, look for drops:",
            "dbdoctor idle --for 6m TARGET",
        ),
    ],
    seen_as: &[
        "Event loop is closed",
        "connection was closed in the middle of operation",
    ],
};

/// A prepared statement is gone or in the way.
pub static PREPARED_STATEMENT: Cause = Cause {
    code: "client.prepared-statement",
    severity: Severity::Fail,
    retryable: false,
    title: "Prepared statements meet a pooler that changes connections",
    summary: "A prepared statement is missing or already there: a pooler changes the connection \
              between transactions.",
    meaning: "A pooler in transaction mode hands each transaction to whichever server connection is \
              free, and prepared statements live on one server connection. The driver then finds its \
              statement missing, or another client's under the same name. PgBouncer from 1.21 \
              handles those of the protocol (max_prepared_statements), never SQL PREPARE.",
    fixes: &[
        fix(
            "Turn the driver's cache off: asyncpg statement_cache_size=0, pgjdbc prepareThreshold=0, \
             psycopg prepare_threshold=None, Prisma ?pgbouncer=true, sqlx \
             statement_cache_capacity(0).",
        ),
        fix("Or set max_prepared_statements in PgBouncer 1.21 or later."),
        fix("Or connect to the pooler's session mode, or to the server itself."),
    ],
    seen_as: &[
        "prepared statement \"__asyncpg_stmt_1__\" already exists",
        "prepared statement \"S_1\" does not exist",
    ],
};

/// Windows' port forward in between.
pub static PORTPROXY: Cause = Cause {
    code: "client.portproxy",
    severity: Severity::Fail,
    retryable: false,
    title: "A port forward on Windows may have dropped the connection",
    summary: "A port forward on Windows (netsh portproxy, WSL) may have dropped the connection.",
    meaning: "`[WinError 64] The specified network name is no longer available` says that a \
              connection that stood was torn down, not by whom. `netsh interface portproxy` runs in \
              user space, accepts before it knows whether its target does, points at an address that \
              WSL changes with each start, and drops connections when a network adapter changes. \
              The same words come from asyncio's accept loop and from any reset, so the forward is \
              proven only by trying without it.",
    fixes: &[
        run(
            "See whether the connection is dropped, and after how long:",
            "dbdoctor idle --for 6m TARGET",
        ),
        run(
            "See where the forward points, and compare with `wsl hostname -I`:",
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
    title: "A failure on this side that dbdoctor does not recognise",
    summary: "Something on this side failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
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
