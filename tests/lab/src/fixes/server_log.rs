//! Of the pages of servers that do not start or crash, and of what replication clients are
//! refused. `explain` finds them in a text; `tests/server_log.rs` makes the faults and runs the
//! commands on them.

use super::{Excuse, FixRun, Then};

const TESTED: &str = "run on its fault by tests/server_log.rs: there is no target";
const PLACE: &str = "the reader replaces a word of it: there is no one value to run it with";

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "server.replication.senders",
        "psql",
        "server-wal-senders",
        Then::Prints("max_wal_senders ----------------- 0"),
    ),
    FixRun::new(
        "server.replication.slots",
        "psql",
        "replication-slots",
        Then::Prints("debezium | logical"),
    ),
    FixRun::new(
        "server.replication.wal-level",
        "psql",
        "replication-wal-level",
        Then::Prints("ALTER SYSTEM"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    ("server.crash.bus", "grep", TESTED),
    (
        "server.crash.ipc-removed",
        "grep",
        "needs systemd, which the tests' machines may not have",
    ),
    ("server.crash.killed", "journalctl", TESTED),
    ("server.disk-full", "df", TESTED),
    ("server.disk-full", "psql", TESTED),
    ("server.replication.publication", "psql", TESTED),
    (
        "server.replication.slot-active",
        "psql -U postgres -c 'select slot_name,",
        TESTED,
    ),
    (
        "server.replication.slot-active",
        "psql -U postgres -c 'select pg_terminate_backend(PID)'",
        PLACE,
    ),
    (
        "server.replication.slot-exists",
        "psql -U postgres -c 'select",
        TESTED,
    ),
    (
        "server.replication.slot-exists",
        "psql -U postgres -c \"select",
        PLACE,
    ),
    ("server.replication.slot-lost", "psql", TESTED),
    ("server.replication.slot-missing", "psql", TESTED),
    ("server.replication.slots", "echo", PLACE),
    ("server.replication.timeout", "psql", PLACE),
    ("server.shared-memory", "psql", TESTED),
    ("server.shared-memory", "df", TESTED),
    (
        "server.start.architecture",
        "docker",
        "needs Docker, which the tests' machines may not have",
    ),
    ("server.start.build", "pg_controldata", TESTED),
    ("server.start.config", "postgres", TESTED),
    ("server.start.data-directory", "df", TESTED),
    (
        "server.start.failed",
        "dbdoctor",
        "needs a log in a usual place of the machine, which is not the test's to write",
    ),
    ("server.start.hba", "psql", TESTED),
    ("server.start.ipc", "ipcs", TESTED),
    ("server.start.library", "grep", TESTED),
    ("server.start.listen", "grep", TESTED),
    ("server.start.locale", "locale", TESTED),
    ("server.start.lock", "ps", TESTED),
    ("server.start.memory", "grep -nE", TESTED),
    ("server.start.memory", "grep -E", TESTED),
    ("server.start.mode", "chmod", TESTED),
    ("server.start.not-empty", "ls", TESTED),
    ("server.start.owner", "id", TESTED),
    (
        "server.start.password",
        "docker",
        "needs Docker, which the tests' machines may not have",
    ),
    ("server.start.port", "ss", TESTED),
    ("server.start.read-only", "grep", TESTED),
    ("server.start.recovery-target", "grep", TESTED),
    ("server.start.recovery", "ls", TESTED),
    ("server.start.standby-settings", "psql", TESTED),
    ("server.start.tls", "ls", TESTED),
    ("server.start.version", "cat", TESTED),
    ("server.start.wal", "ls", TESTED),
];
