//! Host keys that a command of the configuration prints (`KnownHostsCommand`).

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, SshRoute, Sshd, Tool};

/// To the shared database through the shared server, by this line of the
/// configuration and with these lines in known_hosts. In both, `<host>` is how
/// known_hosts calls the server and `<key>` its key; in the line, `<cmd>` is a
/// script of this text, which knows the same.
fn by(lab: &Lab, line: &str, script: &str, known: &str) -> Result<Case> {
    let sshd = lab.sshd()?;
    let case = to(lab, &sshd, line, script, known)?;
    Ok(case.keep(sshd))
}

fn to(lab: &Lab, sshd: &Sshd, line: &str, script: &str, known: &str) -> Result<Case> {
    with_mode(lab, sshd, (line, script, known), 0o755)
}

fn with_mode(
    lab: &Lab,
    sshd: &Sshd,
    (line, script, known): (&str, &str, &str),
    mode: u32,
) -> Result<Case> {
    let key = fs::read_to_string(sshd.host_key().with_extension("pub"))?;
    let other = fs::read_to_string(lab.ssh_key("ed25519", "")?.with_extension("pub"))?;
    let filled = |text: &str| {
        text.replace("<host>", &format!("[{}]:{}", sshd.host(), sshd.port()))
            .replace("<key>", key.trim())
            .replace("<other>", other.trim())
    };
    let known = lab.file("known_hosts", filled(known), 0o644)?;
    let script = lab.file("lookup", filled(script), mode)?;
    let config = format!(
        "{}\nHost *\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
        line.replace("<cmd>", &script.to_string_lossy()),
        sshd.host(),
        sshd.port(),
        lab.user()?,
        lab.client_key()?.display(),
        known.display(),
    );
    let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(route).forbids("config.ssh.unsupported"))
}

/// A script that prints the server's key for the name that it is told.
const PRINTS: &str = "#!/bin/sh\necho \"$1 <key>\"\n";
const RUN: &str = "KnownHostsCommand <cmd> %H";

fn finding(report: &Value) -> Result<&Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let ssh = stages.iter().find(|stage| stage["stage"] == "ssh");
    Ok(&ssh.context("no stage ssh")?["findings"][0])
}

/// What the evidence and the first fix hold.
fn says(case: Case, evidence: &'static str, fix: &'static str) -> Case {
    case.assert(move |report| {
        let finding = finding(report)?;
        let shown = finding["evidence"].to_string();
        ensure!(shown.contains(evidence), "no {evidence:?} in {shown}");
        let first = finding["fixes"][0].to_string();
        ensure!(first.contains(fix), "no {fix:?} in {first}");
        Ok(())
    })
}

/// Nothing of the command is said where it is not the reason.
fn names_no_command(case: Case) -> Case {
    case.assert(|report| {
        let shown = finding(report)?.to_string();
        ensure!(!shown.contains("KnownHostsCommand"), "{shown}");
        Ok(())
    })
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
        "ssh-known-hosts-command",
        "a host key that only KnownHostsCommand prints",
        Expect::Pass,
        |lab| by(lab, RUN, PRINTS, "")
    ),
    scenario!(
        "ssh-known-hosts-command-alias",
        "the command is asked about the alias",
        Expect::Pass,
        |lab| by(
            lab,
            "KnownHostsCommand <cmd> '%H'\nHostKeyAlias Fleet",
            "#!/bin/sh\necho \"fleet <key>\"\necho \"never ssh-ed25519 AAAA\"\n",
            ""
        )
    ),
    scenario!(
        "ssh-known-hosts-command-cat",
        "a program of the system prints a file, and words in quotes are one",
        Expect::Pass,
        |lab| {
            let file = lab.dir("fleet keys")?.join("known");
            let sshd = lab.sshd()?;
            let line = format!("KnownHostsCommand = /bin/cat \"{}\"", file.display());
            let key = fs::read_to_string(sshd.known_hosts())?;
            fs::write(&file, key)?;
            Ok(to(lab, &sshd, &line, "", "")?.keep(sshd))
        }
    ),
    scenario!(
        "ssh-known-hosts-command-tokens",
        "a command that is told the key, and everything about the connection",
        Expect::Pass,
        |lab| {
            let line = "KnownHostsCommand <cmd> %I %H %t %K %n %p %% ${HOME} %f";
            let script = "#!/bin/sh\nexec 2>&1\n\
                [ \"$5 $7 $8\" = \"bastion % $HOME\" ] || exit 1\n\
                [ \"$1 $3 $4 $9\" = 'ORDER NONE NONE NONE' ] && exit\n\
                case $9 in SHA256:*) ;; *) exit 1 ;; esac\n\
                [ \"$1\" = HOSTNAME ] && echo \"[127.0.0.1]:$6 $3 $4\"\n";
            by(lab, line, script, "")
        }
    ),
    scenario!(
        "ssh-known-hosts-command-certificate",
        "the command prints the authority that signed the host key",
        Expect::Pass,
        |lab| {
            let ca = lab.ssh_key("ed25519", "")?;
            let host_key = lab.ssh_key("ed25519", "")?;
            Tool::new("ssh-keygen")
                .args(["-q", "-h", "-I", "lab", "-n", "127.0.0.1", "-s"])
                .arg(ca.display())
                .arg(host_key.with_extension("pub").display())
                .succeed()?;
            let certificate = format!("{}-cert.pub", host_key.display());
            let sshd = lab.new_sshd().host_key(host_key);
            let sshd = sshd
                .config(&format!("HostCertificate {certificate}"))
                .start()?;
            let ca = fs::read_to_string(ca.with_extension("pub"))?;
            let script = format!("#!/bin/sh\necho '@cert-authority * {}'\n", ca.trim());
            Ok(to(lab, &sshd, RUN, &script, "")?.keep(sshd))
        }
    ),
    scenario!(
        "ssh-known-hosts-command-jump",
        "each server of a jump is known by the command alone",
        Expect::Pass,
        |lab| {
            let behind = lab.new_sshd().start()?;
            let keys = fs::read_to_string(behind.known_hosts())?;
            let script = format!("{PRINTS}cat <<.\n{keys}.\n");
            let line = format!(
                "{RUN}\nHost behind\n  ProxyJump bastion\n  Port {}",
                behind.port()
            );
            let case = by(lab, &line, &script, "")?;
            let config = case.ssh.clone().and_then(|route| route.config);
            let route = SshRoute::new("behind").config(config.context("no config")?);
            Ok(case.ssh(route).keep(behind))
        }
    ),
    scenario!(
        "ssh-known-hosts-command-none",
        "no command, and a key that is not known",
        Expect::Fail("ssh.hostkey.unknown"),
        |lab| Ok(names_no_command(by(
            lab,
            "KnownHostsCommand None\nKnownHostsCommand <cmd> %H",
            PRINTS,
            ""
        )?))
    ),
    scenario!(
        "ssh-known-hosts-command-beside-a-wrong-line",
        "known_hosts has another key, the command the right one",
        Expect::Pass,
        |lab| by(lab, RUN, PRINTS, "<host> <other>\n")
    ),
    scenario!(
        "ssh-known-hosts-command-wrong-beside-a-line",
        "the command prints another key, known_hosts has the right one",
        Expect::Pass,
        |lab| by(
            lab,
            RUN,
            "#!/bin/sh\necho \"$1 <other>\"\n",
            "<host> <key>\n"
        )
    ),
    scenario!(
        "ssh-known-hosts-command-silent",
        "a command that prints nothing, and a key that is not known",
        Expect::Fail("ssh.hostkey.unknown"),
        |lab| Ok(says(
            by(lab, RUN, "#!/bin/sh\necho not today >&2\n", "")?,
            "\"said\":\"not today\"",
            "prints nothing for [127.0.0.1]"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-silent-known",
        "a command that prints nothing, and a key that known_hosts has",
        Expect::Pass,
        |lab| by(lab, RUN, "#!/bin/sh\n", "<host> <key>\n")
    ),
    scenario!(
        "ssh-known-hosts-command-other-name",
        "a command that prints the key for the name without its port, whatever it is asked",
        Expect::Fail("ssh.hostkey.unknown"),
        |lab| Ok(says(
            by(lab, RUN, "#!/bin/sh\necho '127.0.0.1 <key>'\n", "")?,
            "\"known_hosts_command_printed\":",
            "print [127.0.0.1]"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-changed",
        "the command prints another key than the server has",
        Expect::Fail("ssh.hostkey.changed"),
        |lab| Ok(says(
            by(lab, RUN, "#!/bin/sh\necho \"$1 <other>\"\n", "")?,
            "\"lines\":[\"KnownHostsCommand (",
            "correct the key that KnownHostsCommand ("
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-revoked",
        "the command revokes the key that known_hosts has",
        Expect::Fail("ssh.hostkey.revoked"),
        |lab| Ok(says(
            by(
                lab,
                RUN,
                "#!/bin/sh\necho '@revoked * <key>'\n",
                "<host> <key>\n"
            )?,
            "\"line\":\"KnownHostsCommand (",
            "Create a new host key"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-exit",
        "a command that fails, though known_hosts has the key",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| Ok(says(
            by(
                lab,
                RUN,
                "#!/bin/sh\necho token expired >&2\nexit 3\n",
                "<host> <key>\n"
            )?,
            "\"said\":\"token expired\"",
            "Correct the error that the command reports"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-exit-accept-new",
        "a command that prints the key and fails, where every new key is accepted",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| by(
            lab,
            "StrictHostKeyChecking no\nKnownHostsCommand <cmd> %H",
            "#!/bin/sh\necho \"$1 <key>\"\nexit 2\n",
            ""
        )
    ),
    scenario!(
        "ssh-known-hosts-command-exit-later",
        "a command that fails once it is told the key",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| Ok(says(
            by(
                lab,
                "KnownHostsCommand <cmd> %I",
                "#!/bin/sh\n[ $1 = ORDER ] || kill -TERM $$\n",
                "<host> <key>\n"
            )?,
            "\"ending\":\"SIGTERM\"",
            "Correct the error that the command reports"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-grep",
        "grep, which ends with 1 where no line matches",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| Ok(says(
            by(
                lab,
                "KnownHostsCommand /bin/grep -F %H /etc/hosts",
                "",
                "<host> <key>\n"
            )?,
            "\"status\":1",
            "like grep"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-not-executable",
        "a script that may not be executed",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| {
            let sshd = lab.sshd()?;
            let case = with_mode(lab, &sshd, (RUN, PRINTS, ""), 0o644)?;
            Ok(says(case, "Permission denied", "chmod +x").keep(sshd))
        }
    ),
    scenario!(
        "ssh-known-hosts-command-no-interpreter",
        "a script that names no interpreter",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| Ok(says(
            by(lab, RUN, "echo \"$1 <key>\"\n", "")?,
            "Exec format error",
            "#!/bin/sh"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-relative",
        "a command without its full path, and a key that is not known",
        Expect::Fail("ssh.hostkey.unknown"),
        |lab| Ok(says(
            by(lab, "KnownHostsCommand cat /etc/hosts", "", "")?,
            "\"known_hosts_command\":",
            "command -v cat"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-relative-known",
        "a command without its full path, and a key that known_hosts has",
        Expect::Pass,
        |lab| by(
            lab,
            "KnownHostsCommand cat /etc/hosts",
            "",
            "<host> <key>\n"
        )
    ),
    scenario!(
        "ssh-known-hosts-command-missing",
        "a command that is not there, and a key that is not known",
        Expect::Fail("ssh.hostkey.unknown"),
        |lab| Ok(says(
            by(lab, "KnownHostsCommand /nonexistent/keys %H", "", "")?,
            "\"known_hosts_command\":",
            "it does not exist here"
        ))
    ),
    scenario!(
        "ssh-known-hosts-command-missing-known",
        "a command that is not there, and a key that known_hosts has",
        Expect::Pass,
        |lab| by(
            lab,
            "KnownHostsCommand /nonexistent/keys %H",
            "",
            "<host> <key>\n"
        )
    ),
    scenario!(
        "ssh-known-hosts-command-token",
        "a token that ssh does not know here",
        Expect::Fail("config.ssh.syntax"),
        |lab| by(lab, "KnownHostsCommand <cmd> %U", PRINTS, "<host> <key>\n")
    ),
    scenario!(
        "ssh-known-hosts-command-hangs",
        "a command that does not end",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| {
            let case = by(
                lab,
                RUN,
                "#!/bin/sh\necho waiting >&2\nsleep 600\n",
                "<host> <key>\n",
            )?;
            let case = case.args(&["--timeout", "1s"]).patience(4);
            Ok(says(case, "\"said\":\"waiting\"", "--timeout"))
        }
    ),
    scenario!(
        "ssh-known-hosts-command-hangs-later",
        "a command that does not end once it is told the key",
        Expect::Fail("ssh.known-hosts-command"),
        |lab| {
            let script = "#!/bin/sh\n[ $1 = ORDER ] || sleep 600\n";
            let case = by(lab, "KnownHostsCommand <cmd> %I", script, "<host> <key>\n")?;
            let case = case.args(&["--timeout", "1s"]).patience(4);
            Ok(says(case, "did not exit within", "--timeout"))
        }
    ),
    scenario!(
        "ssh-known-hosts-command-slow",
        "a command that takes its time, twice, which is not the server's",
        Expect::Pass,
        |lab| by(lab, RUN, "#!/bin/sh\nsleep 2.6\necho \"$1 <key>\"\n", "")
    ),
    Scenario::new(
        "ssh-known-hosts-command-address",
        "CheckHostIP, and the command prints another key for the address",
        Expect::Fail("ssh.hostkey.changed"),
        &[Need::Postgres, Need::Sshd, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let line = "CheckHostIP yes\nHostKeyAlias name\nKnownHostsCommand <cmd> %I";
            let script = "#!/bin/sh\n[ $1 != ADDRESS ] || echo '<host> <other>'\n";
            let case = to(lab, &sshd, line, script, "name <key>\n")?;
            Ok(case.keep((sshd, ns)))
        },
    )
    .oracle(Oracle::Ssh),
    scenario!(
        "ssh-known-hosts-command-second-opinion",
        "other SSH clients know what the command prints",
        Expect::Pass,
        |lab| {
            let case = by(lab, RUN, PRINTS, "")?.arg("--second-opinion");
            Ok(case.assert(|report| {
                let stages = report["stages"].as_array().context("no stages")?;
                let client = stages.iter().find(|stage| stage["stage"] == "client");
                let rows = &client.context("no stage client")?["facts"]["second_opinion"];
                for stack in ["libssh2", "ssh"] {
                    let mut rows = rows.as_array().context("no rows")?.iter();
                    let row = rows.find(|row| row["stack"] == stack);
                    let row = row.with_context(|| format!("no row of {stack}"))?;
                    ensure!(row["outcome"] == "passed", "{row}");
                }
                Ok(())
            }))
        }
    ),
];
