//! Causes of the `server` stage: the state and the limits of what answered.

use super::{Cause, Severity, fix, run};

/// 57P03, starting.
pub static STARTING: Cause = Cause {
    code: "server.starting",
    severity: Severity::Fail,
    retryable: true,
    title: "The server is starting up",
    summary: "The server at {endpoint} is starting up and takes no connections yet.",
    meaning: "PostgreSQL listens before it is ready (SQLSTATE 57P03). That passes within seconds as a rule; after a crash or a restore it replays its log first, which can take many minutes. A container's server may start twice: once for its initialisation scripts, then for good.",
    fixes: &[
        fix("Wait until it is ready: run dbdoctor with --wait 2m, or pg_isready in a loop."),
        fix("If it does not end, look at the server's log: it says how far the recovery is."),
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
    meaning: "Somebody stops or restarts the server. A smart shutdown, and a slow client or checkpoint, can hold it in this state for long.",
    fixes: &[
        fix("Wait until it is back: run dbdoctor with --wait 2m."),
        run(
            "If it hangs there, end the remaining sessions on the server.",
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
    summary: "The server at {endpoint} is recovering and takes no connections yet.",
    meaning: "After the crash of one of its processes the server restarts itself and replays its log, or a standby has not replayed enough yet to be consistent (SQLSTATE 57P03).",
    fixes: &[
        fix("Wait until it is ready: run dbdoctor with --wait 2m."),
        fix(
            "Look at the server's log: which process crashed and why (often the out-of-memory killer), or which log file the standby waits for.",
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
    title: "The server is a standby that takes no connections",
    summary: "The server at {endpoint} is a standby with hot_standby off: it takes no connections until it is promoted.",
    meaning: "This is a warm standby: it only replays the log of its primary. It will not take connections by waiting alone, but does after a failover.",
    fixes: &[
        fix("Connect to the primary, or to a standby that is meant for queries."),
        fix("Or set hot_standby = on there, and restart it."),
    ],
    seen_as: &[
        "the database system is not accepting connections",
        "Hot standby mode is disabled.",
    ],
};

/// What is taken where [`CONNECTIONS_FULL`] is not about replication.
pub const SLOTS: &str = "connection slots, the reserved ones too,";

/// 53300, all slots.
pub static CONNECTIONS_FULL: Cause = Cause {
    code: "server.connections.full",
    severity: Severity::Fail,
    retryable: true,
    title: "The server has no connection slot left",
    summary: "All {slots} of the server at {endpoint} are taken: {error}.",
    meaning: "As many sessions are open as max_connections (or max_wal_senders for replication) allows, the slots reserved for superusers included (SQLSTATE 53300). Most often a pool is too big, there are more application processes than planned, or sessions leak.",
    fixes: &[
        run(
            "See who holds them, from a session that is still open or once one is free.",
            "psql -U postgres -c \"select usename, application_name, client_addr, state, count(*), max(now() - state_change) from pg_stat_activity group by 1, 2, 3, 4 order by 5 desc\"",
        ),
        fix(
            "Make pools smaller so that their sum stays below max_connections, close idle sessions (idle_session_timeout), or put a pooler in front.",
        ),
        fix("Raising max_connections needs a restart and memory."),
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
    summary: "The server at {endpoint} has only reserved connection slots left, which role {user} may not use.",
    meaning: "All slots for ordinary roles are taken; those of superuser_reserved_connections (and, from 16 on, reserved_connections) are kept for administrators (SQLSTATE 53300). A superuser can still get in and look.",
    fixes: &[
        run(
            "As a superuser, see who holds them.",
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
    meaning: "The server has slots left; this role may not open more of them (SQLSTATE 53300). A limit of 0 keeps the role out altogether.",
    fixes: &[
        run(
            "See the limit, and who holds the sessions.",
            "echo \"select rolconnlimit from pg_roles where rolname = :'role'; select pid, application_name, client_addr, state, state_change from pg_stat_activity where usename = :'role'\" | psql -U postgres -v role={user}",
        ),
        run(
            "Or raise it, as a superuser.",
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
    meaning: "The server has slots left; this database may not have more of them (SQLSTATE 53300). Superusers are exempt.",
    fixes: &[
        run(
            "See the limit, and who holds the sessions.",
            "echo \"select datconnlimit from pg_database where datname = :'db'; select pid, usename, application_name, client_addr, state from pg_stat_activity where datname = :'db'\" | psql -U postgres -d postgres -v db={database}",
        ),
        run(
            "Or raise it, as its owner or a superuser.",
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
    meaning: "Over 90 % of the slots that this role could use are taken. A few connections more and new ones fail with SQLSTATE 53300.",
    fixes: &[
        run(
            "See who holds them.",
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
    title: "The server is not of the kind that target_session_attrs asks for",
    summary: "target_session_attrs={wanted} is not met: the session at {endpoint} is {actual}.",
    meaning: "The connection works; it was given up because the target asks for another kind of server: a primary where this is a standby, read-write where sessions are read-only (default_transaction_read_only, or recovery), or the reverse. After a failover that is how the old primary looks; with several hosts every one of them was of the wrong kind or failed.",
    fixes: &[
        fix(
            "Name every member of the cluster in the target (host=a,b,c), so that the right one can be found.",
        ),
        run(
            "See what the server is.",
            "psql -h {host} -p {port} -U {user} -d {database} -c 'select pg_is_in_recovery(), current_setting($$default_transaction_read_only$$)'",
        ),
        fix("Or drop target_session_attrs if any server will do."),
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

/// Logged in, and no answer.
pub static TIMEOUT: Cause = Cause {
    code: "server.timeout",
    severity: Severity::Fail,
    retryable: true,
    title: "The server accepted the login and does not answer",
    summary: "The server at {endpoint} accepted the login and did not answer within {waited}: {how}.",
    meaning: "The role was let in and the session does not get anywhere: the server is overloaded or frozen, waits for a lock on its catalogues, or a pooler in front of it waits for a free server connection. A path that loses only larger packets shows the same (`protocol.stall`).",
    fixes: &[
        fix(
            "On the server, look at its load and at sessions that wait: pg_stat_activity, wait_event.",
        ),
        fix("If a pooler is in front, look at its queue: SHOW POOLS, cl_waiting."),
        fix("If it is only slow, give it more time: --timeout."),
    ],
    seen_as: &["canceling statement due to statement timeout"],
};

/// A guard is not met.
pub static WRONG_IDENTITY: Cause = Cause {
    code: "server.wrong-identity",
    severity: Severity::Fail,
    retryable: false,
    title: "This is not the server that was expected",
    summary: "{guard} {rule}, and {found}.",
    meaning: "The connection works, and leads somewhere else than the guard allows: another cluster, a standby, a server that takes no writes, another version, database or host. The settings, a DNS name or a tunnel point to the wrong place, or a failover has happened.",
    fixes: &[
        fix(
            "Do not go on with this connection before it is clear where it leads: `dbdoctor config` shows which setting decided, the facts of stage server who answered.",
        ),
        fix("If the server is the right one, correct {guard}."),
    ],
    seen_as: &[],
};

/// A start-up option was refused.
pub static OPTION: Cause = Cause {
    code: "server.option",
    severity: Severity::Fail,
    retryable: false,
    title: "The server refuses a start-up option",
    summary: "The server refuses a setting that the session begins with: {error}.",
    meaning: "Settings sent with the connection (`options`, PGOPTIONS, PGTZ, PGDATESTYLE, client_encoding, replication) are applied after the login, and one that is unknown, has a bad value or may not be set by this role ends the connection. Drivers send such settings too, and a setting of the role or database itself (ALTER ROLE, ALTER DATABASE … SET) can be at fault in the same way.",
    fixes: &[
        fix(
            "Correct or remove the setting {parameter}; `dbdoctor config` shows where options come from.",
        ),
        run(
            "See which values the server takes.",
            "echo \"select name, setting, context, enumvals, min_val, max_val from pg_settings where lower(name) = lower(:'name')\" | psql -U postgres -v name={parameter}",
        ),
        fix(
            "Look at options, PGOPTIONS, PGTZ and PGDATESTYLE, and at what the driver sends at start-up.",
        ),
        run(
            "Where none of them sends it, it is set for the role or the database.",
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
    title: "The server's major version is out of support",
    summary: "PostgreSQL {version} has had no more fixes since {since}.",
    meaning: "The PostgreSQL project supports a major version for five years. After that known security holes stay open, and drivers drop support.",
    fixes: &[fix(
        "Plan the upgrade to a supported major version (pg_upgrade, logical replication, or the provider's own way).",
    )],
    seen_as: &[],
};

/// The clocks differ.
pub static CLOCK: Cause = Cause {
    code: "server.clock",
    severity: Severity::Warn,
    retryable: false,
    title: "The server's clock and ours differ",
    summary: "The server's clock is {difference} {direction} this machine's.",
    meaning: "Times written by this machine and by the server do not fit together; certificates and tokens seem expired or not yet valid on one side. Which of the two clocks is wrong cannot be told from here.",
    fixes: &[run(
        "Check time synchronisation on both machines.",
        "timedatectl status",
    )],
    seen_as: &[],
};

/// Out of something.
pub static RESOURCES: Cause = Cause {
    code: "server.resources",
    severity: Severity::Fail,
    retryable: false,
    title: "The server ran out of memory, disk, processes or files",
    summary: "The server at {endpoint} ran out of a resource: {error}.",
    meaning: "The server works and could not get what it needs for this session: memory, disk space, a process, or file descriptors (SQLSTATE class 53, or an error without a code before the session began). Its machine, container or quota is the limit.",
    fixes: &[
        run(
            "On the server, look at what is short.",
            "df -h; free -h; ulimit -a",
        ),
        fix(
            "Look at the server's log for the moment, and at the limits of its container or service (memory, pids, nofile).",
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
    title: "The server cannot load a library that every login needs",
    summary: "The server at {endpoint} is told to load a library at login and cannot: {error}.",
    meaning: "session_preload_libraries or local_preload_libraries names a library that is not installed on the server, does not fit its version, or may not be read. Each login then fails, also a superuser's where the setting holds for all. The setting stands in postgresql.conf, or was made with ALTER ROLE, ALTER DATABASE or ALTER SYSTEM, or the client sends it in `options`. It shows after an upgrade or a failover to a machine without the extension's package.",
    fixes: &[
        fix(
            "Install the extension's package for this major version on the server, on every standby too.",
        ),
        run(
            "Or find where it is set, from a database or role that is not concerned, and reset it there.",
            "psql -U postgres -d postgres -c \"select setdatabase::regclass, setrole::regrole, setconfig from pg_db_role_setting\" -c \"select name, setting, sourcefile, sourceline from pg_settings where name like '%preload_libraries'\"",
        ),
        fix(
            "If no role gets in any more, correct it in postgresql.conf or postgresql.auto.conf on the server, and reload.",
        ),
    ],
    seen_as: &[
        "could not access file",
        "could not load library",
        "incompatible library",
        "is not in library",
    ],
};

/// What its settings ask for cannot be done.
pub static CONFIG: Cause = Cause {
    code: "server.config",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's own configuration is wrong",
    summary: "The server at {endpoint} cannot do what its own configuration asks for: {error}.",
    meaning: "A file of the server's configuration asks for something that another setting does not allow: pg_hba.conf wants client certificates and ssl_ca_file names no authority to check them with, or a file could not be read (SQLSTATE F0000). No client can do anything about it.",
    fixes: &[
        run(
            "On the server, see which lines have errors, and whether the authority for client certificates is set.",
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
    meaning: "The database exists in the server's catalogue, and its files are missing, damaged, of another major version, or may not be read by the server: a disk or volume that is not mounted, a restore that was not complete, permissions changed by hand, or corruption. The client, the network and the role are fine.",
    fixes: &[
        fix(
            "Do not start repairs on the only copy: stop the server and copy its data directory first.",
        ),
        run(
            "On the server, see whether the volume is mounted and the files belong to its user.",
            "df -h; sudo ls -ld \"$(psql -U postgres -d postgres -Atc 'show data_directory')\"",
        ),
        fix(
            "Look at the server's and the kernel's log for input/output errors, and restore from a backup or fail over to a standby if files are lost.",
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
    title: "The connection was cut right after the login",
    summary: "{endpoint} let role {user} in and then cut the connection without a word: {error}.",
    meaning: "The login passed. A server that ends a session says why; this one did not, so its process was killed or crashed (out of memory, a faulty extension in session_preload_libraries), or a proxy, pooler or tunnel in between ended the connection. A server whose process crashed restarts itself and is recovering for a while.",
    fixes: &[
        fix(
            "Look at the server's log for this moment (`terminated by signal 9` is the out-of-memory killer or a kill -9, signal 11 a crash), and at the kernel's log.",
        ),
        fix(
            "If the server's log has nothing of the kind, look at the log of the proxy, pooler or load balancer in between, and connect without it.",
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
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
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
