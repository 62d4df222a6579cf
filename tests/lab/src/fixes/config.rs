//! Of the config pages, but for some that are about ssh's home.

use anyhow::{Context, Result};

use super::{Excuse, FixRun, Then};
use crate::case::Case;
use crate::lab::Lab;

/// The file that the text of the fix speaks of.
fn write_secret(_: &Lab, case: &Case) -> Result<()> {
    let cwd = case.cwd.as_ref().context("no working directory")?;
    Ok(std::fs::write(cwd.join("SECRET-FILE"), "s3cret\n\n")?)
}

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "config.default.used",
        "dbdoctor check --env-file",
        "config-default-url",
        Then::Prints("All checks passed"),
    ),
    FixRun::new(
        "config.default.used",
        "dbdoctor check ",
        "config-default-variables",
        Then::Prints("All checks passed"),
    ),
    FixRun::new(
        "config.file.missing",
        "ls -l",
        "config-env-file-missing",
        Then::Prints("No such file or directory"),
    ),
    FixRun::new(
        "config.passfile.permissions",
        "chmod 600",
        "config-passfile-open-config",
        Then::Gone,
    ),
    FixRun::new(
        "config.ssh.permissions",
        "chmod go-w",
        "config-ssh-permissions",
        Then::Passes,
    ),
    FixRun::new(
        "config.ssh.permissions",
        "chown",
        "config-ssh-owner",
        Then::Passes,
    ),
    FixRun::new(
        "config.ssh.revoked-keys",
        "ls -l",
        "ssh-trust-revoked-missing",
        Then::Prints("'/nowhere/revoked': No such file"),
    ),
    FixRun::new(
        "config.ssh.syntax",
        "ssh -G",
        "config-ssh-syntax",
        Then::Prints("Bad configuration option"),
    ),
    FixRun::new(
        "config.ssh.undecided",
        "ssh ",
        "ssh-trust-canonical",
        Then::Prints("canonicaldomains corp.test lab.test"),
    ),
    FixRun::new(
        "config.ssh.unsupported",
        "ssh ",
        "ssh-trust-canonical-other",
        Then::Prints("Authenticated to 127.0.0.1"),
    ),
    FixRun::new(
        "config.ssh.unsupported",
        "ssh -N",
        "ssh-trust-canonical-other",
        Then::Forwards,
    ),
    FixRun::new(
        "config.url.unescaped",
        "python3",
        "config-url-at",
        Then::Prints("c4n4%40rypw%2F"),
    )
    .typing("c4n4@rypw/\n"),
    FixRun::new(
        "config.whitespace",
        "printf",
        "config-password-line-end",
        Then::PrintsOnly("s3cret"),
    )
    .after(write_secret),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    (
        "config.password.token",
        "date",
        "prints the time, which is right",
    ),
    (
        "config.url.scheme",
        "psql",
        "the scenarios config-form-pdo and others paste it",
    ),
];
