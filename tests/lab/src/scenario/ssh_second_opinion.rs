//! The second opinion of the installed ssh, which reads the user's own configuration.

use anyhow::{Result, ensure};

use super::client::opinion;
use crate::{Case, Dnsmasq, Expect, Lab, Need, Oracle, Scenario, SshRoute, Sshd};

const NEEDS: &[Need] = &[Need::Postgres, Need::Sshd];
const APART: &[Need] = &[Need::Postgres, Need::Sshd, Need::Netns, Need::Dnsmasq];

/// A configuration for this server, whose first line is `line`.
fn config(lab: &Lab, sshd: &Sshd, line: &str) -> Result<SshRoute> {
    let text = format!(
        "{line}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
        sshd.port(),
        lab.user()?,
        lab.client_key()?.display(),
        sshd.known_hosts().display(),
    );
    Ok(SshRoute::new("bastion").config(lab.file("config", text, 0o600)?))
}

/// How ssh fares.
fn told(case: Case, outcome: &'static str) -> Case {
    case.arg("--second-opinion").assert(move |report| {
        let found = opinion(report, "ssh");
        ensure!(found["outcome"] == outcome, "{found}");
        Ok(())
    })
}

/// What it makes of the configuration.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-second-opinion-alias",
        "an alias that only the user's configuration knows",
        Expect::Pass,
        NEEDS,
        |lab| {
            let sshd = lab.sshd()?;
            let line = format!("Host bastion\n  HostName {}", sshd.host());
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(told(case.ssh(config(lab, &sshd, &line)?), "passed"))
        },
    ),
    Scenario::new(
        "ssh-second-opinion-jump",
        "the user's configuration leads through a jump host to the alias",
        Expect::Pass,
        NEEDS,
        |lab| {
            let sshd = lab.sshd()?;
            let line = format!(
                "Host bastion\n  ProxyJump first\nHost bastion first\n  HostName {}",
                sshd.host()
            );
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(told(case.ssh(config(lab, &sshd, &line)?), "passed"))
        },
    ),
    Scenario::new(
        "ssh-second-opinion-background",
        "the user's configuration sends ssh to the background and forwards ports",
        Expect::Pass,
        NEEDS,
        |lab| {
            let sshd = lab.sshd()?;
            let line = format!(
                "ForkAfterAuthentication yes\nClearAllForwardings no\nExitOnForwardFailure yes\n\
                 LocalForward 127.0.0.1:{} 127.0.0.1:1\nHost bastion\n  HostName {}",
                sshd.port(),
                sshd.host()
            );
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(told(case.ssh(config(lab, &sshd, &line)?), "passed"))
        },
    )
    .oracle(Oracle::None(
        "ssh -W alone would listen on a port that is taken",
    )),
    Scenario::new(
        "ssh-second-opinion-narrowed",
        "the user's configuration forbids keys, which libssh2 would offer all the same",
        Expect::Fail("ssh.auth.method"),
        NEEDS,
        |lab| {
            let sshd = lab.sshd()?;
            let line = format!(
                "PubkeyAuthentication no\nHost bastion\n  HostName {}",
                sshd.host()
            );
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(config(lab, &sshd, &line)?);
            Ok(told(case, "failed").forbids("client.stack-differs"))
        },
    ),
    Scenario::new(
        "ssh-second-opinion-canonical",
        "a name that ssh completes by its configuration and dbdoctor does not",
        Expect::Fail("dns.nxdomain"),
        APART,
        |lab| {
            let ns = lab.netns()?;
            let pg = lab.new_postgres().netns(&ns).start()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let record = format!("host-record=bastion.corp.test,{}", sshd.host());
            let names = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            let line = "CanonicalizeHostname yes\nCanonicalDomains corp.test\nHost bastion*";
            let alias = format!("{line}\n  HostKeyAlias [{}]:{}", sshd.host(), sshd.port());
            let case = Case::check(pg.conn()).password(lab.password());
            let case = case.ssh(config(lab, &sshd, &alias)?).netns(ns);
            let case = case
                .warns("config.ssh.unsupported")
                .warns("client.stack-differs");
            Ok(told(case, "passed").keep((pg, sshd, names)))
        },
    )
    .oracle(Oracle::None(
        "dbdoctor says itself that it does not follow the setting",
    )),
];
