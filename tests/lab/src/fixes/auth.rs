//! Of the auth pages.

use super::{Excuse, FixRun, Then};

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "auth.cert",
        "openssl x509",
        "auth-cert",
        Then::Prints("subject=CN = mallory"),
    ),
    FixRun::new(
        "auth.database.closed",
        "echo",
        "auth-database-closed-quoted",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.database.closed",
        "dropdb",
        "auth-database-invalid",
        Then::Fails("auth.database.missing"),
    )
    .on_server(),
    FixRun::new(
        "auth.database.denied",
        "echo",
        "auth-database-denied",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.database.missing",
        "psql",
        "auth-database-missing-quoted",
        Then::Prints("appdb | app | UTF8"),
    ),
    FixRun::new(
        "auth.database.missing",
        "createdb",
        "auth-database-missing-quoted",
        Then::Passes,
    )
    .on_server(),
    FixRun::new("auth.gss", "psql", "auth-gss", Then::Prints("GSS")),
    FixRun::new(
        "auth.hba.no-entry",
        "printf",
        "auth-hba-no-entry",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.hba.no-entry",
        "printf",
        "auth-hba-no-entry-tls",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.hba.no-entry",
        "printf",
        "auth-hba-no-entry-replication",
        Then::Fails("auth.role.replication"),
    )
    .on_server(),
    FixRun::new(
        "auth.hba.no-entry",
        "printf",
        "auth-hba-no-entry-socket",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.hba.no-entry",
        "printf",
        "auth-hba-no-entry-quoted",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.hba.no-entry",
        "psql",
        "auth-hba-no-entry",
        Then::Prints("192.0.2.0 | 255.255.255.0 | scram-sha-256"),
    )
    .on_server(),
    FixRun::new(
        "auth.hba.reject",
        "psql",
        "auth-hba-reject",
        Then::Prints("{app} | all | reject"),
    )
    .on_server(),
    FixRun::new(
        "auth.password.missing",
        "chmod",
        "config-passfile-open",
        Then::Passes,
    ),
    FixRun::new(
        "auth.password.missing",
        "( umask 077",
        "auth-password-missing",
        Then::Passes,
    )
    .with_password("PASSWORD"),
    FixRun::new(
        "auth.password.missing",
        "( umask 077",
        "auth-password-missing-passfile",
        Then::Passes,
    )
    .with_password("PASSWORD"),
    FixRun::new(
        "auth.password.wrong",
        "psql",
        "auth-password-expired",
        Then::Prints("app | 2020-01-01"),
    )
    .on_server(),
    FixRun::new(
        "auth.peer",
        "sudo",
        "auth-peer-nobody",
        Then::Prints("nobody-1234kB"),
    )
    .typing("select current_user || '-' || current_setting('work_mem');\n"),
    FixRun::new(
        "auth.role.missing",
        "createuser",
        "auth-role-missing",
        Then::Passes,
    )
    .on_server()
    .typing("n3w\nn3w\n"),
    FixRun::new(
        "auth.role.nologin",
        "echo",
        "auth-role-nologin",
        Then::Passes,
    )
    .on_server(),
    FixRun::new(
        "auth.role.replication",
        "echo",
        "auth-role-replication-quoted",
        Then::Passes,
    )
    .on_server(),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    (
        "auth.password.token",
        "date",
        "prints the time, which is right",
    ),
    (
        "auth.slow",
        "getent",
        "for the server: the scenario auth-slow-hba-name has its fault",
    ),
    (
        "auth.gss",
        "klist",
        "needs a Kerberos realm, which the lab does not have",
    ),
];
