//! A server that only a command of the configuration reaches (`ProxyCommand`).

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, SshRoute, Sshd, Tool};

/// Carries standard input and output to HOST PORT, as nc does.
const FORWARDER: &str = r#"#!/usr/bin/env python3
import os, socket, sys, threading
server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := server.recv(65536):
    os.write(1, data)
"#;

/// A name that nobody can look up.
const NOWHERE: &str = "i-0abc1234def567890";

fn forwarder(lab: &Lab) -> Result<PathBuf> {
    lab.file("forwarder", FORWARDER, 0o755)
}

/// To the shared database through the shared server under that name, by this
/// configuration, in which `<fwd>`, `<host>` and `<port>` are replaced.
pub(super) fn through(lab: &Lab, name: &str, config: &str) -> Result<Case> {
    let sshd = lab.sshd()?;
    let case = to(lab, &sshd, name, config)?;
    Ok(case.keep(sshd))
}

fn to(lab: &Lab, sshd: &Sshd, name: &str, config: &str) -> Result<Case> {
    let common = format!(
        "Host *\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n  HostKeyAlias [{}]:{}\n",
        lab.user()?,
        lab.client_key()?.display(),
        sshd.known_hosts().display(),
        sshd.host(),
        sshd.port(),
    );
    let config = config
        .replace("<fwd>", &forwarder(lab)?.to_string_lossy())
        .replace("<host>", sshd.host())
        .replace("<port>", &sshd.port().to_string());
    let file = lab.file("config", config + &common, 0o600)?;
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case
        .ssh(SshRoute::new(name).config(file))
        .forbids("config.ssh.unsupported"))
}

/// The same by this command alone.
fn command(lab: &Lab, command: &str) -> Result<Case> {
    let case = through(
        lab,
        NOWHERE,
        &format!("Host {NOWHERE}\n  ProxyCommand {command}\n"),
    )?;
    Ok(case.assert(nothing_looked_up))
}

/// One that fails, within a short time.
fn failing(lab: &Lab, line: &str) -> Result<Case> {
    Ok(command(lab, line)?.args(&["--timeout", "2s"]).patience(4))
}

fn stage<'r>(report: &'r Value, name: &str) -> Result<&'r Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let found = stages.iter().find(|stage| stage["stage"] == name);
    found.with_context(|| format!("no stage {name}"))
}

/// Neither `dns` nor `tcp` ran, and both say why.
fn nothing_looked_up(report: &Value) -> Result<()> {
    for name in ["dns", "tcp"] {
        let stage = stage(report, name)?;
        ensure!(stage["status"] == "skip", "{stage}");
        let reason = stage["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("ProxyCommand"), "{stage}");
    }
    Ok(())
}

/// What the verdict's evidence and fixes hold.
fn says(case: Case, evidence: &'static str, fix: &'static str) -> Case {
    case.assert(move |report| {
        let finding = &stage(report, "ssh")?["findings"][0];
        let shown = finding["evidence"].to_string();
        ensure!(shown.contains(evidence), "no {evidence:?} in {shown}");
        let fixes = finding["fixes"].to_string();
        ensure!(fixes.contains(fix), "no {fix:?} in {fixes}");
        ensure!(fixes.contains("ssh -F "), "no ssh -F in {fixes}");
        Ok(())
    })
}

/// A program of this name with this text; the command begins with it.
fn program(lab: &Lab, name: &str, text: &str) -> Result<String> {
    let path = lab.dir("programs")?.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path.to_string_lossy().into_owned())
}

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];

macro_rules! scenario {
    ($name:literal, $about:literal, $expect:expr, $setup:expr) => {
        Scenario::new($name, $about, $expect, BOTH, $setup).oracle(Oracle::Ssh)
    };
}

/// The commands.
pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        "ssh-proxy-command",
        "a name that only a command can reach",
        Expect::Pass,
        |lab| command(lab, "sh -c \"<fwd> <host> <port>\"")
    ),
    scenario!(
        "ssh-proxy-command-tokens",
        "a command that is told host, port, user and name",
        Expect::Pass,
        |lab| {
            let line = "sh -c \"test %n = far -a x%% = x%% && exec <fwd> %h %p\"";
            let config =
                format!("Host far\n  HostName <host>\n  Port <port>\n  ProxyCommand {line}\n");
            through(lab, "far", &config)
        }
    ),
    scenario!(
        "ssh-proxy-command-jump",
        "the jump host is reached by a command",
        Expect::Pass,
        |lab| {
            let config = format!(
                "Host behind\n  HostName <host>\n  Port <port>\n  ProxyJump {NOWHERE}\n\
                 Host {NOWHERE}\n  ProxyCommand <fwd> <host> <port>\n"
            );
            Ok(through(lab, "behind", &config)?.assert(nothing_looked_up))
        }
    ),
    scenario!(
        "ssh-proxy-command-none",
        "none, and a command after it",
        Expect::Pass,
        |lab| through(
            lab,
            "near",
            "Host near\n  HostName <host>\n  Port <port>\n  ProxyCommand none\n  ProxyCommand false\n"
        )
    ),
    scenario!(
        "ssh-proxy-command-after-jump",
        "a jump host, and a command after it",
        Expect::Pass,
        |lab| through(
            lab,
            "near",
            "Host near\n  HostName <host>\n  Port <port>\n  ProxyJump jump\n  ProxyCommand false\n\
             Host jump\n  HostName <host>\n  Port <port>\n"
        )
    ),
    scenario!(
        "ssh-proxy-command-before-jump",
        "a command, and a jump host after it",
        Expect::Pass,
        |lab| through(
            lab,
            NOWHERE,
            "Host *\n  ProxyCommand <fwd> <host> <port>\n  ProxyJump nobody.invalid\n"
        )
    ),
    scenario!(
        "ssh-proxy-command-second-opinion",
        "other SSH clients go through the command too",
        Expect::Pass,
        |lab| {
            let case = command(lab, "sh -c \"<fwd> <host> <port>\"")?.arg("--second-opinion");
            Ok(case.assert(|report| {
                let rows = &stage(report, "client")?["facts"]["second_opinion"];
                let rows = rows.as_array().context("no second opinion")?;
                for stack in ["libssh2", "ssh"] {
                    let row = rows.iter().find(|row| row["stack"] == stack);
                    let row = row.with_context(|| format!("no row of {stack}"))?;
                    ensure!(row["outcome"] == "passed", "{row}");
                }
                Ok(())
            }))
        }
    ),
    scenario!(
        "ssh-proxy-command-forbidden",
        "a server that is not to be connected to, behind a command",
        Expect::Fail("server.wrong-identity"),
        |lab| {
            let mark = lab.dir("mark")?.join("ran");
            let line = format!(
                "sh -c \"touch {}; exec <fwd> <host> <port>\"",
                mark.display()
            );
            let case = through(
                lab,
                NOWHERE,
                &format!("Host {NOWHERE}\n  ProxyCommand {line}\n"),
            )?;
            let case = case.args(&["--not-host", "i-0abc*"]);
            // ssh knows no such guard.
            Ok(case.asks(Tool::new("false")).assert(move |_| {
                ensure!(!mark.exists(), "the command was run");
                Ok(())
            }))
        }
    ),
    scenario!(
        "ssh-proxy-command-noisy",
        "a command that talks on standard error",
        Expect::Pass,
        |lab| command(
            lab,
            "sh -c \"echo Starting session >&2; exec <fwd> <host> <port>\""
        )
    ),
    scenario!(
        "ssh-proxy-command-missing",
        "a command that is not installed",
        Expect::Fail("ssh.proxy-command.missing"),
        |lab| Ok(says(
            failing(lab, "corkscrew-absent proxy.test 8080 %h %p")?,
            "\"program\":\"corkscrew-absent\"",
            "full path"
        ))
    ),
    scenario!(
        "ssh-proxy-command-missing-inside",
        "a shell whose command is not installed",
        Expect::Fail("ssh.proxy-command.missing"),
        |lab| Ok(says(
            failing(
                lab,
                "env PATH=/nonexistent /bin/sh -c \"cloudflared access ssh --hostname %h\""
            )?,
            "\"program\":\"cloudflared\"",
            "Install cloudflared"
        ))
    ),
    scenario!(
        "ssh-proxy-command-not-executable",
        "a command that may not be executed",
        Expect::Fail("ssh.proxy-command.missing"),
        |lab| {
            let script = lab.file("script", "#!/bin/sh\n", 0o644)?;
            let line = format!("{} %h %p", script.display());
            Ok(says(failing(lab, &line)?, "\"status\":126", "full path"))
        }
    ),
    scenario!(
        "ssh-proxy-command-exit",
        "AWS does not know the instance",
        Expect::Fail("ssh.proxy-command.exit"),
        |lab| {
            let text = "echo 'An error occurred (TargetNotConnected) when calling the StartSession \
                        operation: i-0abc is not connected.' >&2; exit 254";
            let aws = program(lab, "aws", text)?;
            let line = format!("{aws} ssm start-session --target %h");
            Ok(says(failing(lab, &line)?, "status 254", "SSM agent"))
        }
    ),
    scenario!(
        "ssh-proxy-command-exit-inner",
        "an ssh -W whose server does not exist",
        Expect::Fail("ssh.proxy-command.exit"),
        |lab| Ok(says(
            failing(lab, "ssh -F none -o BatchMode=yes -W %h:%p nobody.invalid")?,
            "nobody.invalid",
            "cannot resolve"
        ))
    ),
    scenario!(
        "ssh-proxy-command-exit-later",
        "a command that ends during the key exchange",
        Expect::Fail("ssh.proxy-command.exit"),
        |lab| {
            let text = "echo SSH-2.0-OpenSSH_9.2; head -c 20 > /dev/null; echo the relay broke >&2; exit 7";
            let relay = program(lab, "relay", text)?;
            Ok(says(failing(lab, &relay)?, "the relay broke", "ssh -F "))
        }
    ),
    scenario!(
        "ssh-proxy-command-killed",
        "a command that a signal ends",
        Expect::Fail("ssh.proxy-command.exit"),
        |lab| Ok(says(
            failing(lab, "sh -c 'kill -TERM $$'")?,
            "SIGTERM",
            "ssh -F "
        ))
    ),
    scenario!(
        "ssh-proxy-command-silent",
        "a command that waits for a login in a browser",
        Expect::Fail("ssh.proxy-command.silent"),
        |lab| {
            let text = "echo Please open the following URL and log in >&2; exec sleep 60";
            let cloudflared = program(lab, "cloudflared", text)?;
            let line = format!("{cloudflared} access ssh --hostname %h");
            Ok(says(
                failing(lab, &line)?,
                "open the following URL",
                "cloudflared access login",
            ))
        }
    ),
    scenario!(
        "ssh-proxy-command-http",
        "a proxy that answers in HTTP",
        Expect::Fail("ssh.proxy-command.output"),
        |lab| {
            let text = "printf 'HTTP/1.1 403 Forbidden\\r\\nServer: squid\\r\\n\\r\\n'; exit 0";
            let proxy = program(lab, "proxy", text)?;
            Ok(says(
                failing(lab, &proxy)?,
                "a web server (HTTP)",
                "allow CONNECT",
            ))
        }
    ),
    scenario!(
        "ssh-proxy-command-fdpass",
        "ProxyUseFdpass with a command that passes nothing",
        Expect::Fail("config.ssh.unsupported"),
        |lab| {
            let config = format!(
                "Host {NOWHERE}\n  ProxyUseFdpass yes\n  ProxyCommand <fwd> <host> <port>\n"
            );
            let sshd = lab.sshd()?;
            let file = config
                .replace("<fwd>", &forwarder(lab)?.to_string_lossy())
                .replace("<host>", sshd.host())
                .replace("<port>", &sshd.port().to_string());
            let route = SshRoute::new(NOWHERE).config(lab.file("config", file, 0o600)?);
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .ssh(route)
                .patience(4)
                .keep(sshd))
        }
    ),
];
