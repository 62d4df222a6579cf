//! Of the ssh, key and tunnel pages, and of the ssh ones of config.

use super::{Excuse, FixRun, Then};

/// A repair of known_hosts, or an addition to it, on the fault of this scenario, whose file has a
/// line of another host.
const fn known_hosts(command: &'static str, scenario: &'static str) -> FixRun {
    FixRun::new(
        "ssh.hostkey.unknown",
        command,
        scenario,
        Then::GoneAndKnown("other.test"),
    )
}

/// Every command that is run.
pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "config.ssh.home",
        "mkdir -p",
        "ssh-home-variable",
        Then::Passes,
    ),
    FixRun::new("config.ssh.home", "mkdir -p", "ssh-home-both", Then::Passes),
    FixRun::new(
        "config.ssh.no-user",
        "echo",
        "ssh-home-no-user-writable",
        Then::Gone,
    ),
    FixRun::new(
        "key.format",
        "head -c 60",
        "key-format",
        Then::Prints("hello"),
    ),
    FixRun::new(
        "key.mangled",
        "dbdoctor key",
        "key-escaped-newlines",
        Then::WritesKey(None, ""),
    ),
    FixRun::new(
        "key.not-a-file",
        "ls -ld",
        "key-directory",
        Then::Prints("drwx"),
    ),
    FixRun::new(
        "key.missing",
        "ls -la",
        "key-missing",
        Then::Prints("No such file or directory"),
    ),
    FixRun::new(
        "key.pair-mismatch",
        "ssh-keygen -y",
        "key-pair-mismatch",
        Then::Gone,
    ),
    FixRun::new("key.owner", "sudo chown", "key-owner", Then::Gone),
    FixRun::new(
        "key.passphrase.missing",
        "cp -p",
        "key-passphrase-missing",
        Then::WritesKey(Some("path"), ".open"),
    ),
    FixRun::new(
        "key.permissions",
        "chmod 600",
        "key-permissions",
        Then::Passes,
    ),
    FixRun::new(
        "key.ppk",
        "puttygen",
        "key-ppk",
        Then::WritesKey(Some("converted"), ""),
    ),
    FixRun::new(
        "key.public",
        "dbdoctor key",
        "who-key-public-beside",
        Then::Prints("✓ key"),
    ),
    FixRun::new(
        "ssh.auth.agent-mute",
        "SSH_AUTH_SOCK=",
        "ssh-auth-agent-mute",
        Then::FindsNothing,
    ),
    FixRun::new(
        "ssh.auth.agent",
        "SSH_AUTH_SOCK=",
        "ssh-auth-agent-empty",
        Then::Prints("The agent has no identities."),
    ),
    FixRun::new(
        "ssh.auth.too-many",
        "ssh-add -D",
        "ssh-auth-too-many",
        Then::Gone,
    ),
    FixRun::new(
        "ssh.auth.certificate",
        "ssh-keygen -L",
        "ssh-auth-certificate-expired",
        Then::Prints("Valid: "),
    ),
    FixRun::new(
        "ssh.hostkey.changed",
        "ssh-keygen -R",
        "ssh-hostkey-changed",
        Then::Fails("ssh.hostkey.unknown"),
    ),
    FixRun::new(
        "ssh.hostkey.unknown",
        "printf",
        "ssh-hostkey-unknown",
        Then::Gone,
    ),
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
    FixRun::new(
        "ssh.hostkey.unknown",
        "cp ",
        "ssh-known-hosts-utf16-plain",
        Then::Gone,
    ),
    FixRun::new(
        "ssh.hostkey.unknown",
        "mkdir -p",
        "ssh-known-hosts-no-folder",
        Then::Gone,
    ),
    FixRun::new(
        "ssh.hostkey.unknown",
        "ssh-keyscan",
        "ssh-hostkey-unknown",
        Then::Prints("SHA256:"),
    ),
    FixRun::new(
        "ssh.malformed",
        "ssh ",
        "ssh-malformed",
        Then::Prints("debug1: "),
    ),
    FixRun::new(
        "ssh.proxy-command.missing",
        "ssh ",
        "ssh-proxy-command-missing",
        Then::Prints("not found"),
    ),
    FixRun::new(
        "ssh.proxy-command.exit",
        "ssh ",
        "ssh-proxy-command-exit",
        Then::Prints("TargetNotConnected"),
    ),
    FixRun::new(
        "ssh.silent",
        "timeout 30 ssh-keyscan",
        "ssh-silent",
        Then::FindsNothing,
    ),
    FixRun::new(
        "ssh.unsupported",
        "ssh -N",
        "ssh-unsupported-database",
        Then::Forwards,
    ),
    FixRun::new(
        "tunnel.prohibited",
        "ssh ",
        "who-root-image",
        Then::Prints("Please login as the user"),
    ),
    FixRun::new(
        "tunnel.target.refused",
        "ss -tlnp",
        "tunnel-target-refused",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "tunnel.target.unresolved",
        "getent ahosts",
        "tunnel-target-unresolved",
        Then::FindsNothing,
    ),
    FixRun::new(
        "tunnel.listen",
        "ss -tlnp",
        "tunnel-listen-taken",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "ssh.known-hosts-command",
        "chmod +x",
        "ssh-known-hosts-command-not-executable",
        Then::Passes,
    ),
    FixRun::new(
        "ssh.known-hosts-command",
        "ssh -o BatchMode=yes",
        "ssh-known-hosts-command-exit",
        Then::Prints("token expired"),
    ),
    FixRun::new(
        "ssh.known-hosts-command",
        "ssh -o KnownHostsCommand=none",
        "ssh-known-hosts-command-exit",
        Then::Prints("uid=0"),
    ),
    FixRun::new(
        "ssh.hostkey.unknown",
        "command -v",
        "ssh-known-hosts-command-relative",
        Then::Prints("/cat"),
    ),
    FixRun::new(
        "ssh.hostkey.unknown",
        "printf",
        "ssh-known-hosts-command-silent",
        Then::Passes,
    ),
    FixRun::new(
        "ssh.hostkey.changed",
        "printf",
        "ssh-known-hosts-command-changed",
        Then::Passes,
    ),
    FixRun::new(
        "tcp.bind",
        "ip -brief",
        "ssh-bind-foreign",
        Then::Prints("127.0.0.1"),
    ),
    FixRun::new(
        "tcp.bind",
        "ssh -o BindAddress=",
        "ssh-bind-foreign",
        Then::Prints("uid=0"),
    ),
    FixRun::new(
        "ssh.slow",
        "getent passwd",
        "ssh-slow-usedns",
        Then::Prints("root:"),
    ),
];

/// On the server, whose files and services the lab's do not have.
const SERVER: &str = "for the server: the lab's sshd has its files elsewhere and no journal";

/// It creates a key where the user's own may be.
const NEW_KEY: &str = "writes a new key into the user's home, which then has to go to the server";

/// Commands that are not run, by cause and beginning, and why.
pub(super) const NOT_RUN: &[Excuse] = &[
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
    (
        "ssh.slow",
        "getent ahosts",
        "for the server: the scenario ssh-slow-forward-name runs it where that is",
    ),
    ("ssh.not-ssh", "ss -tlnp", SERVER),
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
    ("tunnel.prohibited", "sudo sshd -T", SERVER),
    ("tunnel.target.failed", "ls -l", SERVER),
    ("tunnel.target.failed", "nc", SERVER),
    ("tunnel.target.failed", "journalctl", SERVER),
    ("tunnel.target.refused", "sudo ss", SERVER),
    ("tunnel.target.timeout", "nc", SERVER),
    ("tunnel.target.unreachable", "getent", SERVER),
];
