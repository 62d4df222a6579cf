//! The commands in the fixes of the ssh, key and tunnel pages, each run on its fault.
//!
//! A [`FixRun`] takes a scenario, has dbdoctor find its cause, runs the command that the report
//! prints, as it stands, in a shell, and looks at what is so afterwards.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::case::{Case, Scenario};
use crate::certs::write_mode;
use crate::lab::Lab;
use crate::process::{PATH, Tool};
use crate::run::{command, surroundings};
use crate::scenario;

/// Of the locked keys in `scenario/key.rs`.
const PASSPHRASE: &str = "open sesame";

const LIMIT: Duration = Duration::from_secs(60);

/// A command of a fix, and what it does to its fault.
#[derive(Debug)]
pub struct FixRun {
    /// The cause whose page has it.
    pub cause: &'static str,
    /// How the command begins.
    pub command: &'static str,
    /// The scenario with the fault.
    pub scenario: &'static str,
    /// What is so afterwards.
    pub then: Then,
}

/// What a command does.
#[derive(Debug)]
pub enum Then {
    /// The fault is gone: dbdoctor passes.
    Passes,
    /// The fault is gone, and with it what hid this one.
    Fails(&'static str),
    /// The cause is no longer found, whatever the rest of the run.
    Gone,
    /// The cause is no longer found, and ssh-keygen finds this host in the file of known hosts.
    GoneAndKnown(&'static str),
    /// It only looks, and prints this, on either stream.
    Prints(&'static str),
    /// It only looks, and there is nothing to see.
    PrintsNothing,
    /// It writes a key that dbdoctor finds no fault with: the last word of the command, or the
    /// file that the evidence of this name says, with this behind it.
    WritesKey(Option<&'static str>, &'static str),
}

/// Runs the command on its fault.
///
/// # Errors
/// Why it is no fix.
pub fn run_fix(lab: &Lab, fix: &FixRun, bin: &Path) -> Result<()> {
    let scenario = scenario(fix)?;
    let case = (scenario.setup)(lab)?;
    let before = report(lab, &case, bin)?;
    let finding = find(&before, fix.cause).context("dbdoctor does not find the cause")?;
    let command = fixes(finding)
        .find(|command| command.starts_with(fix.command))
        .with_context(|| format!("no fix begins with {:?}: {finding:#}", fix.command))?;
    let printed = paste(lab, &case, command, bin)?;
    let describe = || format!("after {command}\n{printed}");
    match fix.then {
        Then::Prints(text) => ensure!(printed.contains(text), "no {text:?} {}", describe()),
        Then::PrintsNothing => ensure!(printed.trim().is_empty(), "it prints {}", describe()),
        Then::WritesKey(evidence, suffix) => {
            let path = match evidence {
                Some(name) => finding["evidence"][name].as_str(),
                None => command.split_whitespace().last(),
            };
            let path = format!("{}{suffix}", path.context("no such evidence")?);
            let case = Case::key(path);
            let verdict = report(lab, &case, bin).with_context(describe)?;
            ensure!(
                verdict["verdict"]["status"] != "fail",
                "{verdict:#} {}",
                describe()
            );
        }
        Then::Gone => gone(lab, &case, fix, bin).with_context(describe)?,
        Then::GoneAndKnown(host) => {
            gone(lab, &case, fix, bin).with_context(describe)?;
            let route = case.ssh.as_ref().context("no route")?;
            let file = route.known_hosts.as_ref().context("no known hosts")?;
            let find = Tool::new("ssh-keygen").args(["-F", host, "-f"]);
            find.arg(file.display()).succeed().with_context(describe)?;
        }
        Then::Passes | Then::Fails(_) => {
            let after = report(lab, &case, bin)?;
            let verdict = &after["verdict"];
            let cause = match (&fix.then, verdict["status"].as_str()) {
                (Then::Passes, Some("pass" | "warn")) => return Ok(()),
                (Then::Fails(cause), Some("fail")) if verdict["cause"] == *cause => return Ok(()),
                _ => verdict,
            };
            bail!("{cause:#} {}", describe());
        }
    }
    Ok(())
}

fn gone(lab: &Lab, case: &Case, fix: &FixRun, bin: &Path) -> Result<()> {
    let after = report(lab, case, bin)?;
    ensure!(find(&after, fix.cause).is_none(), "still there");
    Ok(())
}

/// A repair of known_hosts, or an addition to it, on the fault of this scenario, whose file has a
/// line of another host.
const fn known_hosts(command: &'static str, scenario: &'static str) -> FixRun {
    FixRun {
        cause: "ssh.hostkey.unknown",
        command,
        scenario,
        then: Then::GoneAndKnown("other.test"),
    }
}

/// The scenario that has the fault.
///
/// # Errors
/// There is none of that name.
pub fn scenario(fix: &FixRun) -> Result<&'static Scenario> {
    let mut all = scenario::all().into_iter();
    all.find(|scenario| scenario.name == fix.scenario)
        .with_context(|| format!("no scenario {}", fix.scenario))
}

fn report(lab: &Lab, case: &Case, bin: &Path) -> Result<Value> {
    let run = command(lab, case, bin)?.run(LIMIT)?;
    serde_json::from_str(&run.stdout).with_context(|| format!("no report: {run}"))
}

fn find<'a>(report: &'a Value, cause: &str) -> Option<&'a Value> {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .flat_map(|stage| stage["findings"].as_array().into_iter().flatten())
        .find(|finding| finding["cause"] == cause)
}

fn fixes(finding: &Value) -> impl Iterator<Item = &str> {
    let fixes = finding["fixes"].as_array().into_iter().flatten();
    fixes.filter_map(|fix| fix["command"].as_str())
}

/// Runs a command as a person would who pastes it: in a shell, where the case runs. What ssh's
/// programs ask is answered with the passphrase of the lab's keys.
fn paste(lab: &Lab, case: &Case, command: &str, bin: &Path) -> Result<String> {
    let dir = lab.dir("paste")?;
    let ask = format!("#!/bin/sh\necho '{PASSPHRASE}'\n");
    write_mode(&dir.join("askpass"), ask, 0o755)?;
    let folder = bin.parent().context("a program without a folder")?;
    let tool = Tool::new("bash")
        .args(["-c", command])
        .env("PATH", format!("{}:{PATH}", folder.display()))
        .env("SSH_ASKPASS", dir.join("askpass").display())
        .env("SSH_ASKPASS_REQUIRE", "force");
    let done = surroundings(lab, case, tool)?.run(LIMIT)?;
    Ok(format!("{}{}", done.stdout, done.stderr))
}

/// Every command that is run.
pub const FIXES: &[FixRun] = &[
    FixRun {
        cause: "config.ssh.home",
        command: "mkdir -p",
        scenario: "ssh-home-variable",
        then: Then::Passes,
    },
    FixRun {
        cause: "config.ssh.home",
        command: "mkdir -p",
        scenario: "ssh-home-both",
        then: Then::Passes,
    },
    FixRun {
        cause: "config.ssh.no-user",
        command: "echo",
        scenario: "ssh-home-no-user-writable",
        then: Then::Gone,
    },
    FixRun {
        cause: "key.format",
        command: "head -c 60",
        scenario: "key-format",
        then: Then::Prints("hello"),
    },
    FixRun {
        cause: "key.mangled",
        command: "dbdoctor key",
        scenario: "key-escaped-newlines",
        then: Then::WritesKey(None, ""),
    },
    FixRun {
        cause: "key.not-a-file",
        command: "ls -ld",
        scenario: "key-directory",
        then: Then::Prints("drwx"),
    },
    FixRun {
        cause: "key.missing",
        command: "ls -la",
        scenario: "key-missing",
        then: Then::Prints("No such file or directory"),
    },
    FixRun {
        cause: "key.pair-mismatch",
        command: "ssh-keygen -y",
        scenario: "key-pair-mismatch",
        then: Then::Gone,
    },
    FixRun {
        cause: "key.owner",
        command: "sudo chown",
        scenario: "key-owner",
        then: Then::Gone,
    },
    FixRun {
        cause: "key.passphrase.missing",
        command: "cp -p",
        scenario: "key-passphrase-missing",
        then: Then::WritesKey(Some("path"), ".open"),
    },
    FixRun {
        cause: "key.permissions",
        command: "chmod 600",
        scenario: "key-permissions",
        then: Then::Passes,
    },
    FixRun {
        cause: "key.ppk",
        command: "puttygen",
        scenario: "key-ppk",
        then: Then::WritesKey(Some("converted"), ""),
    },
    FixRun {
        cause: "key.public",
        command: "dbdoctor key",
        scenario: "who-key-public-beside",
        then: Then::WritesKey(Some("private"), ""),
    },
    FixRun {
        cause: "ssh.auth.agent-mute",
        command: "SSH_AUTH_SOCK=",
        scenario: "ssh-auth-agent-mute",
        then: Then::PrintsNothing,
    },
    FixRun {
        cause: "ssh.auth.agent",
        command: "SSH_AUTH_SOCK=",
        scenario: "ssh-auth-agent-empty",
        then: Then::Prints("The agent has no identities."),
    },
    FixRun {
        cause: "ssh.auth.too-many",
        command: "ssh-add -D",
        scenario: "ssh-auth-too-many",
        then: Then::Gone,
    },
    FixRun {
        cause: "ssh.auth.certificate",
        command: "ssh-keygen -L",
        scenario: "ssh-auth-certificate-expired",
        then: Then::Prints("Valid: "),
    },
    FixRun {
        cause: "ssh.hostkey.changed",
        command: "ssh-keygen -R",
        scenario: "ssh-hostkey-changed",
        then: Then::Fails("ssh.hostkey.unknown"),
    },
    FixRun {
        cause: "ssh.hostkey.unknown",
        command: "printf",
        scenario: "ssh-hostkey-unknown",
        then: Then::Gone,
    },
    known_hosts("cp ", "ssh-known-hosts-cut"),
    known_hosts("cp ", "ssh-known-hosts-cut-last"),
    known_hosts("cp ", "ssh-known-hosts-wrapped"),
    known_hosts("cp ", "ssh-known-hosts-wrapped-blank"),
    known_hosts("cp ", "ssh-known-hosts-escaped"),
    known_hosts("cp ", "ssh-known-hosts-escaped-behind"),
    known_hosts("cp ", "ssh-known-hosts-utf16"),
    known_hosts("cp ", "ssh-known-hosts-utf16-big"),
    known_hosts("cp ", "ssh-known-hosts-utf16-other"),
    known_hosts("cp ", "ssh-known-hosts-mark"),
    known_hosts("cp ", "ssh-known-hosts-quoted"),
    known_hosts("cp ", "ssh-known-hosts-nameless"),
    known_hosts("cp ", "ssh-known-hosts-port"),
    known_hosts("cp ", "ssh-known-hosts-base64"),
    known_hosts("cp ", "ssh-known-hosts-masked"),
    known_hosts("cp ", "ssh-known-hosts-masked-whole"),
    known_hosts("cp ", "ssh-known-hosts-glued"),
    known_hosts("printf", "ssh-known-hosts-no-end"),
    FixRun {
        cause: "ssh.hostkey.unknown",
        command: "cp ",
        scenario: "ssh-known-hosts-utf16-plain",
        then: Then::Gone,
    },
    FixRun {
        cause: "ssh.hostkey.unknown",
        command: "mkdir -p",
        scenario: "ssh-known-hosts-no-folder",
        then: Then::Gone,
    },
    FixRun {
        cause: "ssh.hostkey.unknown",
        command: "ssh-keyscan",
        scenario: "ssh-hostkey-unknown",
        then: Then::Prints("SHA256:"),
    },
    FixRun {
        cause: "ssh.known-hosts-command",
        command: "chmod +x",
        scenario: "ssh-known-hosts-command-not-executable",
        then: Then::Passes,
    },
    FixRun {
        cause: "ssh.known-hosts-command",
        command: "ssh -o BatchMode=yes",
        scenario: "ssh-known-hosts-command-exit",
        then: Then::Prints("token expired"),
    },
    FixRun {
        cause: "ssh.known-hosts-command",
        command: "ssh -o KnownHostsCommand=none",
        scenario: "ssh-known-hosts-command-exit",
        then: Then::PrintsNothing,
    },
    FixRun {
        cause: "ssh.hostkey.unknown",
        command: "command -v",
        scenario: "ssh-known-hosts-command-relative",
        then: Then::Prints("/cat"),
    },
    FixRun {
        cause: "ssh.hostkey.unknown",
        command: "printf",
        scenario: "ssh-known-hosts-command-silent",
        then: Then::Passes,
    },
    FixRun {
        cause: "ssh.hostkey.changed",
        command: "printf",
        scenario: "ssh-known-hosts-command-changed",
        then: Then::Passes,
    },
    FixRun {
        cause: "tcp.bind",
        command: "ip -brief",
        scenario: "ssh-bind-foreign",
        then: Then::Prints("127.0.0.1"),
    },
    FixRun {
        cause: "tcp.bind",
        command: "ssh -o BindAddress=",
        scenario: "ssh-bind-foreign",
        then: Then::PrintsNothing,
    },
    FixRun {
        cause: "ssh.malformed",
        command: "ssh ",
        scenario: "ssh-malformed",
        then: Then::Prints("debug1: "),
    },
    FixRun {
        cause: "ssh.proxy-command.missing",
        command: "ssh ",
        scenario: "ssh-proxy-command-missing",
        then: Then::Prints("not found"),
    },
    FixRun {
        cause: "ssh.proxy-command.exit",
        command: "ssh ",
        scenario: "ssh-proxy-command-exit",
        then: Then::Prints("TargetNotConnected"),
    },
    FixRun {
        cause: "ssh.silent",
        command: "timeout 30 ssh-keyscan",
        scenario: "ssh-silent",
        then: Then::PrintsNothing,
    },
    FixRun {
        cause: "ssh.slow",
        command: "getent passwd",
        scenario: "ssh-slow-usedns",
        then: Then::Prints("root:"),
    },
    FixRun {
        cause: "tunnel.prohibited",
        command: "ssh ",
        scenario: "who-root-image",
        then: Then::Prints("Please login as the user"),
    },
    FixRun {
        cause: "tunnel.target.refused",
        command: "ss -tlnp",
        scenario: "tunnel-target-refused",
        then: Then::Prints("LISTEN"),
    },
    FixRun {
        cause: "tunnel.target.unresolved",
        command: "getent ahosts",
        scenario: "tunnel-target-unresolved",
        then: Then::PrintsNothing,
    },
    FixRun {
        cause: "tunnel.listen",
        command: "ss -tlnp",
        scenario: "tunnel-listen-taken",
        then: Then::Prints("LISTEN"),
    },
];

/// On the server, whose files and services the lab's do not have.
const SERVER: &str = "for the server: the lab's sshd has its files elsewhere and no journal";

/// It creates a key where the user's own may be.
const NEW_KEY: &str = "writes a new key into the user's home, which then has to go to the server";

/// Commands that are not run, by cause and beginning, and why.
pub const NOT_RUN: &[(&str, &str, &str)] = &[
    ("key.library", "cp -p", "never a finding of a run"),
    (
        "key.passphrase.missing",
        "ssh-add",
        "asks a person, and the agent outlives the test",
    ),
    (
        "key.passphrase.wrong",
        "ssh-keygen -y",
        "asks a person for the right passphrase",
    ),
    ("key.type", "ssh-keygen -t", NEW_KEY),
    ("key.weak", "ssh-keygen -t", NEW_KEY),
    ("key.unreadable", "id;", "as root every file is readable"),
    (
        "key.unreadable",
        "sudo chown",
        "as root every file is readable",
    ),
    ("ssh.auth.algorithm", "ssh-keygen -t", NEW_KEY),
    (
        "ssh.auth.certificate",
        "date",
        "prints the time, which is right",
    ),
    ("ssh.auth.password", "journalctl", SERVER),
    ("ssh.auth.publickey", "journalctl", SERVER),
    ("ssh.closed", "sudo sshd -t", SERVER),
    ("ssh.closed", "sudo fail2ban-client", SERVER),
    ("ssh.disconnected", "chage", SERVER),
    ("ssh.disconnected", "sudo sshd -t", SERVER),
    (
        "ssh.hostkey.certificate",
        "date",
        "prints the time, which is right",
    ),
    ("ssh.not-ssh", "ss -tlnp", SERVER),
    (
        "ssh.slow",
        "getent ahosts",
        "for the server: the scenario ssh-slow-forward-name runs it where that is",
    ),
    (
        "ssh.timeout",
        "ping",
        "loopback fragments nothing, and raw sockets are not everybody's",
    ),
    (
        "ssh.proxy-command.missing",
        "command -v",
        "prints nothing where the program is missing, which the report says already",
    ),
    (
        "ssh.proxy-command.output",
        "ssh ",
        "the same command as for ssh.proxy-command.exit",
    ),
    (
        "ssh.proxy-command.silent",
        "ssh ",
        "stays open as long as the command is silent",
    ),
    (
        "ssh.unclassified",
        "ssh ",
        "no fault leads there; ssh.malformed runs it",
    ),
    (
        "ssh.unsupported",
        "ssh ",
        "stays open, and the database's name is the reader's to fill in",
    ),
    ("tunnel.prohibited", "sudo sshd -T", SERVER),
    ("tunnel.target.failed", "ls -l", SERVER),
    ("tunnel.target.failed", "nc", SERVER),
    ("tunnel.target.failed", "journalctl", SERVER),
    ("tunnel.target.refused", "sudo ss", SERVER),
    ("tunnel.target.timeout", "nc", SERVER),
    ("tunnel.target.unreachable", "getent", SERVER),
];
