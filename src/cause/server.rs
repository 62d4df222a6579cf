//! Causes of the `server` stage: the server's state and its limits.

use super::{Cause, Severity, fix, run};

/// 57P03, starting.
pub static STARTING: Cause = Cause {
    code: "server.starting",
    severity: Severity::Fail,
    retryable: true,
    title: "The server is starting up",
    summary: "The server at {endpoint} is starting up and does not accept connections yet.",
    meaning: "PostgreSQL listens before it is ready (SQLSTATE 57P03). Usually it is ready within seconds; after a crash or a restore it first replays its log, which can take many minutes. The server in a container may start twice: once for its initialisation scripts, then for normal operation.",
    fixes: &[
        fix("Wait until it is ready: run dbdoctor with --wait 2m, or pg_isready in a loop."),
        fix("If it takes too long, check the server's log: it shows how far the recovery is."),
    ],
    seen_as: &["the database system is starting up"],
};

/// 57P03, stopping.
pub static STOPPING: Cause = Cause {
    code: "server.stopping",
    severity: Severity::Fail,
    retryable: true,
    title: "The server is shutting down",
    summary: "The server at {endpoint} is shutting down.",
    meaning: "An administrator or a service manager is stopping or restarting the server. A smart shutdown, a slow client or a checkpoint can keep it in this state for a long time.",
    fixes: &[
        fix("Wait until it is back: run dbdoctor with --wait 2m."),
        run(
            "If it does not finish, end the remaining sessions on the server:",
            "pg_ctl stop -m fast",
        ),
    ],
    seen_as: &[
        "the database system is shutting down",
        "terminating connection due to administrator command",
    ],
};

/// 57P03, recovering.
pub static RECOVERING: Cause = Cause {
    code: "server.recovering",
    severity: Severity::Fail,
    retryable: true,
    title: "The server is recovering",
    summary: "The server at {endpoint} is recovering and does not accept connections yet.",
    meaning: "One of its processes crashed and the server is restarting and replaying its log, or a standby has not yet replayed enough to be consistent (SQLSTATE 57P03).",
    fixes: &[
        fix("Wait until it is ready: run dbdoctor with --wait 2m."),
        fix(
            "Check the server's log: which process crashed and why (often the out-of-memory killer), or which log file the standby waits for.",
        ),
    ],
    seen_as: &[
        "the database system is in recovery mode",
        "terminating connection because of crash of another server process",
        "the database system is not yet accepting connections",
        "Consistent recovery state has not been yet reached.",
    ],
};

/// 57P03, hot standby is off.
pub static NO_HOT_STANDBY: Cause = Cause {
    code: "server.no-hot-standby",
    severity: Severity::Fail,
    retryable: true,
    title: "The server is a standby that does not accept connections",
    summary: "The server at {endpoint} is a standby with hot_standby off: it does not accept connections until it is promoted.",
    meaning: "This is a warm standby: it only replays the log of its primary. Waiting does not help by itself; it accepts connections after a failover.",
    fixes: &[
        fix("Connect to the primary, or to a standby that accepts queries."),
        fix("Or set hot_standby = on there, and restart it."),
    ],
    seen_as: &[
        "the database system is not accepting connections",
        "Hot standby mode is disabled.",
    ],
};

/// The `slots` of [`CONNECTIONS_FULL`] unless it is about replication.
pub const SLOTS: &str = "connection slots, including the reserved ones,";

/// 53300, all slots.
pub static CONNECTIONS_FULL: Cause = Cause {
    code: "server.connections.full",
    severity: Severity::Fail,
    retryable: true,
    title: "The server has no free connection slots",
    summary: "All {slots} of the server at {endpoint} are taken: {error}.",
    meaning: "Too many clients: as many sessions are open as max_connections (or max_wal_senders for replication) allows, including the slots reserved for superusers (SQLSTATE 53300). Usually a pool is too big, there are more application processes than planned, or sessions leak.",
    fixes: &[
        run(
            "Check who holds them, from a session that is still open or once a slot is free:",
            "psql -U postgres -c \"select usename, application_name, client_addr, state, count(*), max(now() - state_change) from pg_stat_activity group by 1, 2, 3, 4 order by 5 desc\"",
        ),
        fix(
            "Make pools smaller so that their sum stays below max_connections, close idle sessions (idle_session_timeout), or put a pooler in front.",
        ),
        fix("Or raise max_connections, which needs a restart and more memory."),
    ],
    seen_as: &[
        "sorry, too many clients already",
        "number of requested standby connections exceeds max_wal_senders",
        "53300",
    ],
};

/// 53300, only reserved slots.
pub static CONNECTIONS_RESERVED: Cause = Cause {
    code: "server.connections.reserved",
    severity: Severity::Fail,
    retryable: true,
    title: "Only connection slots reserved for superusers are left",
    summary: "The server at {endpoint} has only reserved connection slots left, which role {user} is not allowed to use.",
    meaning: "All slots for ordinary roles are taken; those of superuser_reserved_connections (and, since version 16, reserved_connections) are kept for administrators (SQLSTATE 53300). A superuser can still log in.",
    fixes: &[
        run(
            "As a superuser, check who holds them:",
            "psql -U postgres -c \"select usename, application_name, client_addr, state, count(*), max(now() - state_change) from pg_stat_activity group by 1, 2, 3, 4 order by 5 desc\"",
        ),
        fix(
            "Make pools smaller so that their sum stays below max_connections, close idle sessions (idle_session_timeout), or put a pooler in front.",
        ),
    ],
    seen_as: &["remaining connection slots are reserved", "rds_reserved"],
};

/// 53300, the role's limit.
pub static CONNECTIONS_ROLE: Cause = Cause {
    code: "server.connections.role",
    severity: Severity::Fail,
    retryable: true,
    title: "The role's own connection limit is reached",
    summary: "Role {user} has as many sessions open as its CONNECTION LIMIT allows.",
    meaning: "The server has free slots, but this role is not allowed to open more sessions (SQLSTATE 53300). A limit of 0 locks the role out completely.",
    fixes: &[
        run(
            "Check the limit, and who holds the sessions:",
            "echo \"select rolconnlimit from pg_roles where rolname = :'role'; select pid, application_name, client_addr, state, state_change from pg_stat_activity where usename = :'role'\" | psql -U postgres -v role={user}",
        ),
        run(
            "Or raise the limit, as a superuser:",
            "echo 'alter role :\"role\" connection limit -1' | psql -U postgres -v role={user}",
        ),
    ],
    seen_as: &["too many connections for role"],
};

/// 53300, the database's limit.
pub static CONNECTIONS_DATABASE: Cause = Cause {
    code: "server.connections.database",
    severity: Severity::Fail,
    retryable: true,
    title: "The database's own connection limit is reached",
    summary: "Database {database} has as many sessions open as its CONNECTION LIMIT allows.",
    meaning: "The server has free slots, but this database is not allowed to have more sessions (SQLSTATE 53300). Superusers are exempt.",
    fixes: &[
        run(
            "Check the limit, and who holds the sessions:",
            "echo \"select datconnlimit from pg_database where datname = :'db'; select pid, usename, application_name, client_addr, state from pg_stat_activity where datname = :'db'\" | psql -U postgres -d postgres -v db={database}",
        ),
        run(
            "Or raise the limit, as the database's owner or a superuser:",
            "echo 'alter database :\"db\" connection limit -1' | psql -U postgres -d postgres -v db={database}",
        ),
    ],
    seen_as: &["too many connections for database"],
};

/// Over 90 % of the slots are taken.
pub static CONNECTIONS_NEAR_LIMIT: Cause = Cause {
    code: "server.connections.near-limit",
    severity: Severity::Warn,
    retryable: false,
    title: "Connection slots are running out",
    summary: "{used} of {limit} connection slots {of} are taken.",
    meaning: "Over 90 % of the slots that this role can use are taken. After a few more connections, new ones fail with SQLSTATE 53300.",
    fixes: &[
        run(
            "Check who holds them:",
            "psql -U postgres -c \"select usename, application_name, client_addr, state, count(*) from pg_stat_activity group by 1, 2, 3, 4 order by 5 desc\"",
        ),
        fix(
            "Make pools smaller, close idle sessions (idle_session_timeout), or put a pooler in front.",
        ),
    ],
    seen_as: &[],
};

/// `target_session_attrs` is not met.
pub static READ_ONLY: Cause = Cause {
    code: "server.read-only",
    severity: Severity::Fail,
    retryable: false,
    title: "The server does not match target_session_attrs",
    summary: "target_session_attrs={wanted} is not met: the session at {endpoint} is {actual}.",
    meaning: "The connection works, but the client gave it up because the target requires another kind of server: a primary and this is a standby, read-write and sessions here are read-only (default_transaction_read_only, or recovery), or the reverse. After a failover the old primary looks like this. With several hosts, each of them was of the wrong kind or failed.",
    fixes: &[
        fix(
            "List every member of the cluster in the target (host=a,b,c), so that the client can find the right one.",
        ),
        run(
            "Check the server's state:",
            "psql -h {host} -p {port} -U {user} -d {database} -c 'select pg_is_in_recovery(), current_setting($$default_transaction_read_only$$)'",
        ),
        fix("Or remove target_session_attrs if any server will do."),
    ],
    seen_as: &[
        "session is read-only",
        "session is not read-only",
        "server is in hot standby mode",
        "server is not in hot standby mode",
        "cannot execute",
        "in a read-only transaction",
        "cluster is read-only",
    ],
};

/// The login succeeds and no query is answered.
pub static TIMEOUT: Cause = Cause {
    code: "server.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The server accepted the login but does not answer",
    summary: "The server at {endpoint} accepted the login but did not answer within {waited}: {how}.",
    meaning: "The login succeeded but the session makes no progress: the server is overloaded or frozen, it is waiting for a lock on its catalogues, or a pooler in front of it is waiting for a free server connection. A network path that loses only larger packets looks the same (`protocol.stall`).",
    fixes: &[
        fix(
            "On the server, check the load and the waiting sessions: pg_stat_activity, wait_event.",
        ),
        fix("If a pooler is in front, check its queue: SHOW POOLS, cl_waiting."),
        fix("If it is only slow, raise --timeout."),
    ],
    seen_as: &["canceling statement due to statement timeout"],
};

/// An `--expect-…` guard fails.
pub static WRONG_IDENTITY: Cause = Cause {
    code: "server.wrong-identity",
    severity: Severity::Fail,
    retryable: false,
    title: "This is not the expected server",
    summary: "{guard} {rule}, but {found}.",
    meaning: "The connection works but leads to a server that the guard does not allow: another cluster, a standby, a server that accepts no writes, another version, database or host. The settings, a DNS name or a tunnel point to the wrong place, or a failover has happened.",
    fixes: &[
        fix(
            "Do not use this connection until it is clear where it leads: `dbdoctor config` shows which setting decided, and `dbdoctor check -v` shows which server answered.",
        ),
        fix("If the server is the right one, correct {guard|the guard}."),
    ],
    seen_as: &[],
};

/// A start-up option was refused.
pub static OPTION: Cause = Cause {
    code: "server.option",
    severity: Severity::Fail,
    retryable: false,
    title: "The server rejects a start-up option",
    summary: "The server rejects a setting of the session: {error}.",
    meaning: "Settings sent with the connection (`options`, PGOPTIONS, PGTZ, PGDATESTYLE, client_encoding, replication) are applied after the login. One that is unknown, has an invalid value or is not allowed for this role ends the connection. Drivers send such settings too, and a setting of the role or database itself (ALTER ROLE, ALTER DATABASE … SET) fails in the same way.",
    fixes: &[
        fix(
            "Correct or remove the setting {parameter}; `dbdoctor config` shows where options come from.",
        ),
        run(
            "Check which values the server accepts:",
            "echo \"select name, setting, context, enumvals, min_val, max_val from pg_settings where lower(name) = lower(:'name')\" | psql -U postgres -v name={parameter}",
        ),
        fix(
            "Check options, PGOPTIONS, PGTZ and PGDATESTYLE, and the settings that the driver sends at start-up.",
        ),
        run(
            "If none of them contains it, it is set for the role or the database:",
            "psql -U postgres -d postgres -c 'table pg_db_role_setting'",
        ),
    ],
    seen_as: &[
        "unrecognized configuration parameter",
        "invalid value for parameter",
        "invalid command-line argument for server process",
        "permission denied to set parameter",
    ],
};

/// The major version is out of support.
pub static OLD: Cause = Cause {
    code: "server.old",
    severity: Severity::Warn,
    retryable: false,
    title: "The server's major version is no longer supported",
    summary: "PostgreSQL {version} has received no fixes since {since}.",
    meaning: "The PostgreSQL project supports a major version for five years. After that, known security holes stay open, and drivers drop support.",
    fixes: &[fix(
        "Plan the upgrade to a supported major version (pg_upgrade, logical replication, or the provider's own method).",
    )],
    seen_as: &[],
};

/// The clocks differ.
pub static CLOCK: Cause = Cause {
    code: "server.clock",
    severity: Severity::Warn,
    retryable: false,
    title: "The server's clock differs from this machine's",
    summary: "The server's clock is {difference} {direction} this machine's.",
    meaning: "Timestamps written by this machine and by the server do not match; certificates and tokens look expired or not yet valid on one side. dbdoctor cannot tell which of the two clocks is wrong.",
    fixes: &[run(
        "Check time synchronisation on both machines:",
        "timedatectl status",
    )],
    seen_as: &[],
};

/// The server is out of a resource.
pub static RESOURCES: Cause = Cause {
    code: "server.resources",
    severity: Severity::Fail,
    retryable: false,
    title: "The server ran out of memory, disk, processes or files",
    summary: "The server at {endpoint} ran out of a resource: {error}.",
    meaning: "The server works but could not get a resource for this session: memory, disk space, a process, or file descriptors (SQLSTATE class 53, or an error without a code before the session started). The limit is that of its machine, container or quota.",
    fixes: &[
        run(
            "On the server, check which resource is short:",
            "df -h; free -h; ulimit -a",
        ),
        fix(
            "Check the server's log for this moment, and the limits of its container or service (memory, pids, nofile).",
        ),
    ],
    seen_as: &[
        "out of memory",
        "No space left on device",
        "could not fork new process for connection",
        "out of file descriptors",
        "out of shared memory",
        "too many open files",
    ],
};

/// A library that every login loads cannot be loaded.
pub static LIBRARY: Cause = Cause {
    code: "server.library",
    severity: Severity::Fail,
    retryable: false,
    title: "The server cannot load a library that it is configured to preload",
    summary: "The server at {endpoint} cannot load a library that it is configured to preload: {error}.",
    meaning: "session_preload_libraries or local_preload_libraries names a library that is not installed on the server, does not match its version, or cannot be read. Every login then fails, including a superuser's if the setting applies to all. The setting is in postgresql.conf, was made with ALTER ROLE, ALTER DATABASE or ALTER SYSTEM, or is sent by the client in `options`. Typically this happens after an upgrade, or after a failover to a machine without the extension's package.",
    fixes: &[
        fix(
            "Install the extension's package for this major version on the server and on every standby.",
        ),
        run(
            "Or find where it is set, from a database or role that is not affected, and reset it there:",
            "psql -U postgres -d postgres -c \"select setdatabase::regclass, setrole::regrole, setconfig from pg_db_role_setting\" -c \"select name, setting, sourcefile, sourceline from pg_settings where name like '%preload_libraries'\"",
        ),
        fix(
            "If no role can log in any more, correct it in postgresql.conf or postgresql.auto.conf on the server, and reload.",
        ),
    ],
    seen_as: &[
        "could not access file",
        "could not load library",
        "incompatible library",
        "is not in library",
    ],
};

/// The server's configuration contradicts itself.
pub static CONFIG: Cause = Cause {
    code: "server.config",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's own configuration is wrong",
    summary: "The server at {endpoint} cannot do what its own configuration requires: {error}.",
    meaning: "One setting of the server requires what another does not provide: pg_hba.conf asks for client certificates and ssl_ca_file names no authority to check them with, or a file could not be read (SQLSTATE F0000). It cannot be fixed on the client.",
    fixes: &[
        run(
            "On the server, check which lines have errors, and whether the authority for client certificates is set:",
            "psql -U postgres -d postgres -c 'select * from pg_hba_file_rules where error is not null' -c 'select * from pg_file_settings where error is not null' -c 'show ssl_ca_file'",
        ),
        fix("Correct it there, and reload the server."),
    ],
    seen_as: &[
        "client certificates can only be checked if a root certificate store is available",
        "could not load pg_hba.conf",
    ],
};

/// Its own files are missing, unreadable or damaged.
pub static DAMAGED: Cause = Cause {
    code: "server.damaged",
    severity: Severity::Fail,
    retryable: false,
    title: "The server cannot read its own files",
    summary: "The server at {endpoint} cannot read the files of database {database}: {error}.",
    meaning: "The database exists in the server's catalogue, but its files are missing, damaged, of another major version, or unreadable for the server: a disk or volume is not mounted, a restore was incomplete, permissions were changed by hand, or the files are corrupt. The client, the network and the role are fine.",
    fixes: &[
        fix(
            "Do not start repairs on the only copy: stop the server and copy its data directory first.",
        ),
        run(
            "On the server, check that the volume is mounted and that the files belong to the server's user:",
            "df -h; sudo ls -ld \"$(psql -U postgres -d postgres -Atc 'show data_directory')\"",
        ),
        fix(
            "Check the server's and the kernel's logs for input/output errors. If files are lost, restore from a backup or fail over to a standby.",
        ),
    ],
    seen_as: &[
        "is not a valid data directory",
        "The database subdirectory",
        "could not read block",
        "invalid page in block",
        "relation mapping file",
        "database files are incompatible with server",
    ],
};

/// The connection ends after the login.
pub static CLOSED: Cause = Cause {
    code: "server.closed",
    severity: Severity::Fail,
    retryable: true,
    title: "The connection was closed right after the login",
    summary: "{endpoint} accepted the login of role {user} and then ended the connection without an error message ({error}).",
    meaning: "The login succeeded. PostgreSQL sends an error before it ends a session. This one ended without, so its process was killed or crashed (out of memory, a faulty extension in session_preload_libraries), or a proxy, pooler or tunnel closed the connection. After a crash the server restarts and is recovering for a while.",
    fixes: &[
        fix(
            "Check the server's log for this moment (`terminated by signal 9` is the out-of-memory killer or a kill -9, signal 11 a crash), and the kernel's log.",
        ),
        fix(
            "If the server's log shows nothing of the kind, check the log of the proxy, pooler or load balancer on the path, and connect without it.",
        ),
    ],
    seen_as: &[],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "server.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The server stage failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &STARTING,
    &STOPPING,
    &RECOVERING,
    &NO_HOT_STANDBY,
    &CONNECTIONS_FULL,
    &CONNECTIONS_RESERVED,
    &CONNECTIONS_ROLE,
    &CONNECTIONS_DATABASE,
    &CONNECTIONS_NEAR_LIMIT,
    &READ_ONLY,
    &TIMEOUT,
    &WRONG_IDENTITY,
    &OPTION,
    &OLD,
    &CLOCK,
    &RESOURCES,
    &CONFIG,
    &LIBRARY,
    &DAMAGED,
    &CLOSED,
    &UNCLASSIFIED,
];
