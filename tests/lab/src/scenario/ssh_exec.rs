//! Blocks of a configuration that depend on a command (`Match exec`).

use anyhow::Result;

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, SshRoute};

/// To the shared database through the shared server by the name `bastion`,
/// with these lines before those that lead there.
fn first(lab: &Lab, lines: &str) -> Result<Case> {
    let sshd = lab.sshd()?;
    let config = format!(
        "{}\nHost *\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
        lines.replace("<key>", &format!("{}.pub", sshd.host_key().display())),
        sshd.host(),
        sshd.port(),
        lab.user()?,
        lab.client_key()?.display(),
        sshd.known_hosts().display(),
    );
    let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case
        .ssh(route)
        .args(&["--timeout", "2s"])
        .forbids("config.ssh.unsupported")
        .keep(sshd))
}

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];

macro_rules! scenario {
    ($name:literal, $about:literal, $expect:expr, $lines:expr) => {
        Scenario::new($name, $about, $expect, BOTH, |lab| first(lab, $lines)).oracle(Oracle::Ssh)
    };
}

/// The commands.
pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        "ssh-match-exec-fails",
        "a wrong port where a command succeeds, which fails",
        Expect::Pass,
        "Match exec \"test -e /nonexistent\"\n  Port 1"
    ),
    scenario!(
        "ssh-match-exec-holds",
        "a wrong port where a command succeeds, which does",
        Expect::Fail("tcp.refused"),
        "Match originalhost bastion exec \"test %n = bastion\"\n  HostName 127.0.0.1\n  Port 1"
    ),
    scenario!(
        "ssh-match-exec-revoked",
        "revoked host keys where a command succeeds",
        Expect::Fail("ssh.hostkey.revoked"),
        "Match exec true\n  RevokedHostKeys <key>"
    ),
    scenario!(
        "ssh-match-exec-not-revoked",
        "revoked host keys where a command succeeds, which fails",
        Expect::Pass,
        "Match exec false\n  RevokedHostKeys <key>"
    ),
    scenario!(
        "ssh-match-exec-negated",
        "a wrong port unless a command succeeds",
        Expect::Pass,
        "Match !exec true\n  Port 1"
    ),
    scenario!(
        "ssh-match-exec-signal",
        "a command that a signal ends",
        Expect::Fail("config.ssh.syntax"),
        "Match exec \"kill $$\"\n  Port 1"
    ),
];
