//! Of the server pages.

use anyhow::{Context, Result};

use super::{Excuse, FixRun, Then};
use crate::case::Case;
use crate::lab::Lab;
use crate::process::Service;

/// One of the sessions that fill the server ends.
fn end_one(_: &Lab, case: &Case) -> Result<()> {
    let mut kept = case.guard.iter();
    let busy = kept.find_map(|thing| thing.downcast_ref::<Vec<Service>>());
    let one = busy.and_then(|busy| busy.first());
    let one = one.context("the case keeps no sessions")?;
    // psql cancels its query, and ends; the server would not learn of a client that is gone.
    one.signal("INT")?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    Ok(())
}

const fn server(
    cause: &'static str,
    command: &'static str,
    scenario: &'static str,
    then: Then,
) -> FixRun {
    FixRun::new(cause, command, scenario, then).on_server()
}

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "server.collation",
        "reindexdb -U postgres -d",
        "server-collation",
        Then::Passes,
    )
    .on_server(),
    server(
        "server.collation",
        "reindexdb -U postgres -e",
        "server-collation-unknown",
        Then::Prints("REINDEX DATABASE other;"),
    ),
    FixRun::new(
        "server.setting.invalid",
        "psql",
        "server-setting-invalid",
        Then::Prints("app | | default_text_search_config=gone"),
    ),
    server(
        "server.config",
        "psql",
        "server-config",
        Then::Prints("ssl_ca_file ------------- (1 row)"),
    ),
    FixRun::new(
        "server.connections.database",
        "echo \"select",
        "server-connections-database",
        Then::Prints("app | psql | 127.0.0.1 | active"),
    ),
    FixRun::new(
        "server.connections.database",
        "echo 'alter",
        "server-connections-database",
        Then::Passes,
    ),
    FixRun::new(
        "server.connections.full",
        "psql",
        "server-connections-full",
        Then::Prints("app | psql | 127.0.0.1 | active | 3"),
    )
    .after(end_one),
    FixRun::new(
        "server.connections.near-limit",
        "psql",
        "server-connections-near-limit",
        Then::Prints("| app | psql |"),
    ),
    FixRun::new(
        "server.connections.reserved",
        "psql",
        "server-connections-reserved",
        Then::Prints("app | psql | 127.0.0.1 | active | 3"),
    ),
    FixRun::new(
        "server.connections.role",
        "echo \"select",
        "server-connections-role",
        Then::Prints("psql | 127.0.0.1 | active"),
    ),
    FixRun::new(
        "server.connections.role",
        "echo 'alter",
        "server-connections-role",
        Then::Passes,
    ),
    server(
        "server.damaged",
        "df -h",
        "server-damaged",
        Then::Prints("drwx------"),
    ),
    server(
        "server.library",
        "psql",
        "server-library",
        Then::Prints("app | | session_preload_libraries=not_installed"),
    ),
    server(
        "server.option",
        "echo",
        "server-option-value",
        Then::Prints("statement_timeout | 0 | user"),
    ),
    server(
        "server.option",
        "psql",
        "server-option-of-role",
        Then::Prints("app | | statement_timeout=7s"),
    ),
    FixRun::new(
        "server.read-only",
        "psql",
        "server-read-only-particular",
        Then::Prints("t | off"),
    ),
    FixRun::new(
        "server.read-only.setting",
        "psql",
        "server-read-only-setting-role",
        Then::Prints("on | user"),
    ),
    FixRun::new(
        "server.read-only.setting",
        "echo 'alter database",
        "server-read-only-setting-database",
        Then::Passes,
    ),
    FixRun::new(
        "server.read-only.setting",
        "echo 'alter role :\"role\" reset",
        "server-read-only-setting-role",
        Then::Passes,
    ),
    FixRun::new(
        "server.read-only.setting",
        "echo 'alter role :\"role\" in database",
        "server-read-only-setting-role-in-database",
        Then::Passes,
    ),
    FixRun::new(
        "server.read-only.setting",
        "echo 'alter role all",
        "server-read-only-setting-all-roles",
        Then::Passes,
    ),
    FixRun::new(
        "server.read-only.setting",
        "psql -c 'alter",
        "server-read-only-setting-system",
        Then::Passes,
    ),
    FixRun::new(
        "server.read-only",
        "echo 'alter database",
        "server-read-only-setting-wanted",
        Then::Passes,
    ),
    FixRun::new(
        "server.resources",
        "df -h",
        "server-resources",
        Then::Prints("max user processes"),
    ),
    FixRun::new(
        "server.crashing",
        "free -m",
        "crash-loop-killed",
        Then::Prints("/dev/shm"),
    ),
    server(
        "server.stopping",
        "sudo kill",
        "server-stopping",
        Then::Fails("tcp.refused"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    (
        "server.clock",
        "timedatectl",
        "needs systemd, which the tests' machines may not have",
    ),
    (
        "server.locale",
        "sudo localedef",
        "it installs a locale on the machine, which has no fault from then on",
    ),
    (
        "server.login-trigger",
        "PGOPTIONS='-c event_triggers=off'",
        "event triggers on login came with 17, and the tests' server is older",
    ),
];
