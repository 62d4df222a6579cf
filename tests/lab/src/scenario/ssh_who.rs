//! Advice that knows who is at the other end: a bastion or a database, which
//! product, which user, which machine a name means.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use russh::ChannelOpenFailure;
use serde_json::Value;

use super::findings;
use super::ssh::case;
use crate::{
    Behaviour, Case, Conn, Dnsmasq, Expect, FakeSshd, Lab, Need, Oracle, Scenario, SshRoute, Tool,
    free_port,
};

/// What only a database is told.
const OF_DATABASES: &[&str] = &[
    "listen_addresses",
    "5432:5432",
    "or through a bastion",
    "go through a bastion",
    "postgresql.conf",
    "hostaddr",
    "pg_hba",
];

/// The fixes of the verdict's finding.
fn fixes(report: &Value) -> Vec<String> {
    let cause = &report["verdict"]["cause"];
    let finding = findings(report).rfind(|f| f["cause"] == *cause);
    let fixes = finding
        .and_then(|f| f["fixes"].as_array())
        .into_iter()
        .flatten();
    fixes
        .map(|fix| {
            format!(
                "{} {}",
                fix["text"].as_str().unwrap_or_default(),
                fix["command"]
            )
        })
        .collect()
}

/// The first fix has this, and none has any of those.
fn advises(case: Case, first: &'static str, never: &'static [&'static str]) -> Case {
    case.assert(move |report| {
        let fixes = fixes(report);
        let leads = fixes.first().is_some_and(|fix| fix.contains(first));
        ensure!(leads, "{first:?} is not first of {fixes:#?}");
        for words in never {
            let wrong = fixes.iter().find(|fix| fix.contains(words));
            ensure!(wrong.is_none(), "{words:?} is in {wrong:?}");
        }
        Ok(())
    })
}

/// Some fix has this.
fn mentions(case: Case, words: &'static str) -> Case {
    case.assert(move |report| {
        let fixes = fixes(report);
        ensure!(
            fixes.iter().any(|fix| fix.contains(words)),
            "no {words:?}: {fixes:#?}"
        );
        Ok(())
    })
}

fn target(host: &str, port: u16) -> Conn {
    let conn = Conn::new().set("host", host).set("port", port);
    conn.set("user", "app").set("dbname", "app")
}

/// A server that is of this make, as far as anybody can see, and lets nobody in.
fn stranger(lab: &Lab, software: &str, banner: Option<&'static str>) -> Result<Case> {
    let fake = FakeSshd::like(lab, Behaviour::Nobody, software, banner)?;
    Ok(case(fake.route()).keep(fake))
}

/// The same, which lets everybody in and forwards nothing.
fn closed_stranger(lab: &Lab, software: &str, reason: ChannelOpenFailure) -> Result<Case> {
    let fake = FakeSshd::like(lab, Behaviour::Refuse(reason), software, None)?;
    Ok(case(fake.route()).keep(fake))
}

/// A real Dropbear with these arguments and the lab's key.
fn dropbear(lab: &Lab, arguments: &[&str], known_key: bool) -> Result<Case> {
    let dir = lab.dir("dropbear")?;
    let home = dir.join("home");
    fs::create_dir_all(home.join(".ssh"))?;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755))?;
    let key = lab.client_key()?;
    let public = match known_key {
        true => fs::read_to_string(key.with_extension("pub"))?,
        false => String::new(),
    };
    fs::write(home.join(".ssh/authorized_keys"), public)?;
    let host_key = dir.join("host_key");
    let made = Tool::new("dropbearkey").args(["-t", "ed25519", "-f"]);
    let made = made.arg(host_key.display()).succeed()?;
    let public = made.lines().find(|line| line.starts_with("ssh-ed25519"));
    let port = free_port();
    let known = format!("[127.0.0.1]:{port} {}\n", public.unwrap_or_default());
    // It reads root's home from the user database: a copy, for its eyes only.
    let passwd = fs::read_to_string("/etc/passwd")?;
    let passwd = passwd.replacen(":/root:", &format!(":{}:", home.display()), 1);
    fs::write(dir.join("passwd"), passwd)?;
    let script = format!(
        "mount --bind {} /etc/passwd && exec \"$0\" \"$@\"",
        dir.join("passwd").display()
    );
    let server = Tool::new("unshare")
        .args(["--mount", "--propagation=private", "sh", "-c"])
        .arg(script)
        .args(["dropbear", "-F", "-E", "-r"])
        .arg(host_key.display())
        .args(["-p", &format!("127.0.0.1:{port}"), "-P"])
        .arg(dir.join("pid").display())
        .args(arguments)
        .serve(dir.join("log"), "TERM")?;
    server.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    let route = SshRoute::new(&format!("root@127.0.0.1:{port}")).key(key);
    let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
    Ok(case(route).keep(server))
}

/// Who is there.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "who-key-public-beside",
        "the public half is named, with the private one beside it",
        Expect::Fail("key.public"),
        &[Need::Sshd],
        |lab| {
            let key = lab.ssh_key("ed25519", "")?;
            Ok(Case::key(key.with_extension("pub")))
        },
    )
    .oracle(Oracle::SshKeygen),
    Scenario::new(
        "who-hop-refused",
        "nothing listens on the bastion's port, named by --ssh",
        Expect::Fail("tcp.refused"),
        &[Need::Sshd],
        |lab| {
            let route = SshRoute::new(&format!("ops@127.0.0.1:{}", free_port()));
            let route = route.key(lab.client_key()?);
            let case = advises(case(route), "", OF_DATABASES);
            Ok(mentions(
                mentions(case, "comes from --ssh"),
                "sudo ss -ltnp",
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-hop-refused-config",
        "the same port, set by the SSH configuration",
        Expect::Fail("tcp.refused"),
        &[Need::Sshd],
        |lab| {
            let text = format!("Host bastion\n HostName 127.0.0.1\n Port {}\n", free_port());
            let config = lab.file("config", text, 0o644)?;
            let route = SshRoute::new("ops@bastion").config(config);
            let case = advises(case(route), "", OF_DATABASES);
            Ok(mentions(case, "config line 3"))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-hop-unknown",
        "an alias that no Host block explains",
        Expect::Fail("dns.nxdomain"),
        &[Need::Sshd, Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let dns = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            let route = SshRoute::new("ops@jumpbox").key(lab.client_key()?);
            let case = advises(case(route), "HostName", OF_DATABASES);
            Ok(case.netns(ns).keep(dns))
        },
    )
    .oracle(Oracle::None("it would ask the machine's own name servers")),
    Scenario::new(
        "who-jump-refused",
        "the second of two SSH servers refuses",
        Expect::Fail("tunnel.target.refused"),
        &[Need::Sshd],
        |lab| {
            let route = lab.sshd()?.route();
            let route = route.then(&format!("ops@127.0.0.1:{}", free_port()));
            let case = advises(case(route), "itself here", OF_DATABASES);
            Ok(mentions(
                mentions(case, "comes from --ssh"),
                "next SSH server",
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-target-itself",
        "a database at 127.0.0.1, which is the bastion there",
        Expect::Fail("tunnel.target.refused"),
        &[Need::Sshd],
        |lab| {
            let case = Case::check(target("127.0.0.1", free_port())).ssh(lab.sshd()?.route());
            let case = advises(
                case,
                "127.0.0.1 is the SSH server itself here",
                &["listen_addresses"],
            );
            Ok(case)
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-target-container",
        "a compose service's name, which the bastion does not know",
        Expect::Fail("tunnel.target.unresolved"),
        &[Need::Sshd],
        |lab| {
            let cwd = lab.dir("project")?;
            fs::write(
                cwd.join("compose.yaml"),
                "services:\n  ledger:\n    image: postgres\n",
            )?;
            let case = Case::check(target("ledger", 5432)).ssh(lab.sshd()?.route());
            Ok(advises(case.cwd(cwd), "compose.yaml", &[]))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-target-docker-host",
        "host.docker.internal, through a bastion",
        Expect::Fail("tunnel.target.unresolved"),
        &[Need::Sshd],
        |lab| {
            let case = Case::check(target("host.docker.internal", 5432));
            Ok(advises(
                case.ssh(lab.sshd()?.route()),
                "a container's name",
                &[],
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-root-image",
        "root of a cloud image, whose key may only print a sentence",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Sshd, Need::Root],
        |lab| {
            let key = fs::read_to_string(lab.client_key()?.with_extension("pub"))?;
            let line = format!(
                "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo \
                 'Please login as the user \\\"ubuntu\\\" rather than the user \\\"root\\\".';\
                 echo;exit 142\" {key}"
            );
            let sshd = lab.new_sshd().authorized_keys(line).start()?;
            let case = case(sshd.route()).keep(sshd);
            Ok(advises(
                case,
                "Cloud images put no-port-forwarding",
                &["USER", "ADDRESS"],
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-children",
        "sshd listens, and its children cannot read their host key",
        Expect::Fail("ssh.closed"),
        &[Need::Sshd, Need::Root],
        |lab| {
            let sshd = lab.new_sshd().start()?;
            fs::set_permissions(sshd.host_key(), fs::Permissions::from_mode(0o644))?;
            let case = case(sshd.route()).keep(sshd);
            Ok(advises(case, "sudo sshd -t", &["fail2ban"]))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-dropbear-forward",
        "a real Dropbear that forwards nothing",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Dropbear, Need::Root],
        |lab| Ok(advises(dropbear(lab, &["-j"], true)?, "-j", &["sshd -T"])),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-dropbear-login",
        "a real Dropbear that does not know the key",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Dropbear, Need::Root],
        |lab| {
            let case = dropbear(lab, &["-s"], false)?;
            Ok(advises(
                case,
                "/etc/dropbear/authorized_keys",
                &["journalctl"],
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-windows",
        "OpenSSH for Windows, which reads an administrator's keys elsewhere",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Sshd],
        |lab| {
            let case = stranger(lab, "OpenSSH_for_Windows_9.5", None)?;
            Ok(advises(
                case,
                "administrators_authorized_keys",
                &["journalctl"],
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-git",
        "a git host in place of the bastion",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Sshd],
        |lab| {
            let case = stranger(lab, "GitLab-SSHD", None)?;
            Ok(advises(case, "is a git host (GitLab)", &["journalctl"]))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-banner",
        "a policy that denies, in the words before the login",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Sshd],
        |lab| {
            let words = "tailscale: tailnet policy does not permit you to SSH as user \"root\"\n";
            let case = stranger(lab, "Tailscale", Some(words))?;
            Ok(advises(
                case,
                "tailnet policy does not permit",
                &["journalctl"],
            ))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-banner-legal",
        "the usual legal notice, which is no reason",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Sshd],
        |lab| {
            let words = "Authorized use only. Activity may be monitored.\n";
            let case = stranger(lab, "OpenSSH_9.2p1 Debian-2", Some(words))?;
            Ok(advises(case, "", &["before the login"]))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-go-forward",
        "a server written in Go that knows no forwards",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Sshd],
        |lab| {
            let case = closed_stranger(lab, "Go", ChannelOpenFailure::UnknownChannelType)?;
            let case = advises(case, "does not know this kind of forward", &["sshd -T"]);
            Ok(mentions(case, "written in Go"))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "who-router-forward",
        "a router that forwards nothing as delivered",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Sshd],
        |lab| {
            let reason = ChannelOpenFailure::AdministrativelyProhibited;
            let case = closed_stranger(lab, "ROSSSH", reason)?;
            Ok(advises(case, "forwarding-enabled=local", &["sshd -T"]))
        },
    )
    .oracle(Oracle::Ssh),
];
