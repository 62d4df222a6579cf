//! Idle connections through SSH servers: the hop, the SSH server's own timers, or the path behind
//! it drops them, and the setting that is named for it prevents that.

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::idle::{
    before_ssh, behind_firewall, facts, forget, forgetful, found, helps, idle, lasted, part, told,
};
use crate::process::Service;
use crate::{Case, Expect, IdleEnd, Lab, Need, Oracle, Scenario, SshRoute, Sshd, Tool, free_port};

const NOBODY: Oracle = Oracle::None("no other client leaves its connections alone");

/// Which keepalives prevent the drop: those in the SSH sessions, those of the database.
fn reach(ssh: bool, server: bool) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        let (found_ssh, found_server) = (
            &facts["ssh_keepalive_helps"],
            &facts["server_keepalive_helps"],
        );
        ensure!(
            *found_ssh == ssh && *found_server == server,
            "SSH keepalives {found_ssh}, the database's {found_server}"
        );
        Ok(())
    }
}

/// The drop is put down to the end of the way that stands here.
fn placed(place: String) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let cause = &report["verdict"]["cause"];
        let stages = report["stages"].as_array().into_iter().flatten();
        let mut findings =
            stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten());
        let finding = findings.find(|finding| finding["cause"] == *cause);
        let found = &finding.context("no finding")?["evidence"]["where"];
        ensure!(*found == place, "it is put {found}, not {place}");
        Ok(())
    }
}

/// The first fix names this setting.
fn first_fix(setting: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let fix = &report["verdict"]["fixes"][0];
        let text = fix.to_string();
        ensure!(text.contains(setting), "the first fix is {text}");
        Ok(())
    }
}

fn command(report: &Value) -> Result<&str> {
    let fix = &report["verdict"]["fixes"][0];
    fix["command"].as_str().with_context(|| format!("{fix}"))
}

/// Where and with what the lab pastes a fix.
struct Paste {
    dir: PathBuf,
    key: PathBuf,
    known_hosts: PathBuf,
    password: String,
}

impl Paste {
    fn new(lab: &Lab, route: &SshRoute) -> Result<Self> {
        Ok(Paste {
            dir: lab.dir("paste")?,
            key: route.key.clone().context("no key")?,
            known_hosts: route.known_hosts.clone().context("no known hosts")?,
            password: lab.password().to_owned(),
        })
    }

    /// The tunnel that the command opens, and the port of its near end.
    fn tunnel(&self, command: &str) -> Result<(Service, u16)> {
        let port = free_port();
        let words = command.strip_prefix("ssh ").context("no ssh command")?;
        let words = words.replace("127.0.0.1:15432:", &format!("127.0.0.1:{port}:"));
        let ssh = format!(
            "exec ssh -F none -o BatchMode=yes -o UserKnownHostsFile={} -i {} {words}",
            self.known_hosts.display(),
            self.key.display()
        );
        let tool = Tool::new("sh").args(["-c", &ssh]);
        let service = tool.serve(self.dir.join("log"), "TERM")?;
        service.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok((service, port))
    }

    /// A query before and after five seconds of idle time.
    fn psql(&self, words: &str, port: u16) -> Result<()> {
        let script = "select 1;\n\\! sleep 5\nselect 2;\n";
        let psql = Tool::new("sh").args(["-c", &format!("exec {words} -XAtq")]);
        let psql = psql
            .stdin(script)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", port)
            .env("PGUSER", "app")
            .env("PGDATABASE", "appdb")
            .env("PGPASSWORD", &self.password);
        let done = psql.run(Duration::from_secs(9))?;
        let said = format!("{}{}", done.stdout, done.stderr);
        ensure!(done.stdout == "1\n2\n", "psql said {said}");
        Ok(())
    }
}

/// Through the firewall of a namespace, which forgets after three seconds what is idle.
fn sshd_behind_firewall(
    lab: &Lab,
    verdict: &str,
    config: &[&str],
) -> Result<(Case, impl Sized + Send + use<>)> {
    let ns = lab.netns()?;
    let mut sshd = lab.new_sshd().netns(&ns);
    for line in config {
        sshd = sshd.config(line);
    }
    let sshd = sshd.start()?;
    let pg = lab
        .new_postgres()
        .netns(&ns)
        .conf("max_connections", 60)
        .start()?;
    forget(&ns, sshd.port(), verdict)?;
    let case = idle(lab, pg.conn()).ssh(sshd.route());
    Ok((case, (sshd, pg, ns)))
}

/// Idle through the SSH servers.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "idle-ssh-keepalive",
        "a forward before the SSH server passes nothing any more, and SSH keepalives help",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = forgetful(&sshd.addr(), IdleEnd::Silence)?;
            let route = before_ssh(&sshd, &peer, lab)?;
            let paste = Paste::new(lab, &route)?;
            let place = format!("between this machine and {}", route.hops[0]);
            let case = idle(lab, lab.postgres()?.conn()).ssh(route);
            Ok(case
                .assert(found("silent"))
                .assert(placed(place))
                .assert(reach(true, false))
                .assert(first_fix("ServerAliveInterval"))
                .assert(move |report| {
                    let (_tunnel, port) = paste.tunnel(command(report)?)?;
                    paste.psql("psql", port)
                })
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-keepalive-closed",
        "a forward before the SSH server closes what is idle, and SSH keepalives help",
        Expect::Fail("idle.ssh-closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = forgetful(&sshd.addr(), IdleEnd::Close)?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(before_ssh(&sshd, &peer, lab)?);
            Ok(case
                .assert(told("ssh"))
                .assert(part("the SSH session"))
                .assert(reach(true, false))
                .assert(first_fix("ServerAliveInterval"))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-firewall",
        "a firewall before the SSH server forgets what is idle",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let (case, kept) = sshd_behind_firewall(lab, "drop", &[])?;
            Ok(case
                .assert(found("silent"))
                .assert(part("the SSH session"))
                .assert(helps(true, true))
                .assert(reach(true, false))
                .assert(first_fix("ServerAliveInterval"))
                .keep(kept))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-client-alive-healthy",
        "ClientAliveInterval keeps open what a firewall before the SSH server would forget",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let (case, kept) = sshd_behind_firewall(lab, "drop", &["ClientAliveInterval 1"])?;
            Ok(case.assert(lasted(6_000.0)).keep(kept))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-channel-timeout-fix",
        "ChannelTimeout: no keepalives help, and it is named",
        Expect::Fail("idle.ssh-closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("ChannelTimeout direct-tcpip=3s")
                .start()?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(sshd.route());
            Ok(case
                .assert(told("ssh"))
                .assert(reach(false, false))
                .assert(first_fix("ChannelTimeout"))
                .keep(sshd))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-jump-channel-timeout",
        "the first of two SSH servers closes the forward to the second, in which keepalives \
                to the second count",
        Expect::Fail("idle.ssh-closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let first = lab
                .new_sshd()
                .config("ChannelTimeout direct-tcpip=3s")
                .start()?;
            let second = lab.sshd()?;
            let place = format!("at {}", first.destination());
            let case = idle(lab, lab.postgres()?.conn()).ssh(both(lab, &first, &second)?);
            Ok(case
                .assert(told("ssh"))
                .assert(part("the forward in the SSH session"))
                .assert(placed(place))
                .assert(reach(true, false))
                .assert(first_fix("ServerAliveInterval"))
                .keep(first))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-jump-silent",
        "nothing passes any more between two SSH servers, and the first closes unused sessions",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let first = lab
                .new_sshd()
                .config("UnusedConnectionTimeout 2s")
                .start()?;
            let second = lab.sshd()?;
            let peer = forgetful(&second.addr(), IdleEnd::Silence)?;
            let far = before_ssh(&second, &peer, lab)?;
            let mut known = std::fs::read_to_string(first.known_hosts())?;
            let theirs = far.known_hosts.as_ref().context("no known hosts")?;
            known += &std::fs::read_to_string(theirs)?;
            let place = format!("between {} and {}", first.destination(), far.hops[0]);
            let route = first.route().then(&far.hops[0]);
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            let case = idle(lab, lab.postgres()?.conn()).ssh(route);
            Ok(case
                .assert(found("silent"))
                .assert(placed(place))
                .assert(reach(true, false))
                .assert(first_fix("-J"))
                .keep((peer, first)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-unused",
        "the SSH server closes sessions without a channel: UnusedConnectionTimeout",
        Expect::Warn("idle.ssh-unused"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("UnusedConnectionTimeout 2s")
                .start()?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(sshd.route());
            Ok(case.assert(lasted(6_000.0)).keep(sshd))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-keepalive",
        "a firewall behind the SSH server forgets, and keepalives of the database help",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(lab, "drop", &[("max_connections", "60")])?;
            let route = lab.sshd()?.route();
            let paste = Paste::new(lab, &route)?;
            let ssh = format!(
                "ssh -N -L 127.0.0.1:15432:{} ssh://{}",
                pg.addr(),
                route.hops[0]
            );
            let case = idle(lab, pg.conn()).ssh(route);
            Ok(case
                .assert(found("silent"))
                .assert(part("from the bastion to the database"))
                .assert(reach(false, true))
                .assert(first_fix("tcp_keepalives_idle"))
                .assert(move |report| {
                    let (_tunnel, port) = paste.tunnel(&ssh)?;
                    paste.psql(command(report)?, port)
                })
                .keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-firewall-reset",
        "a firewall behind the SSH server forgets and resets",
        Expect::Fail("idle.closed"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let reset = "reject with tcp reset";
            let (pg, ns) = behind_firewall(lab, reset, &[("max_connections", "60")])?;
            let case = idle(lab, pg.conn()).ssh(lab.sshd()?.route());
            Ok(case
                .assert(found("closed"))
                .assert(part("from the bastion to the database"))
                .assert(reach(false, true))
                .assert(first_fix("tcp_keepalives_idle"))
                .keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-server-keepalives-healthy",
        "tcp_keepalives_idle keeps open what a firewall behind the SSH server would forget",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let conf = [
                ("tcp_keepalives_idle", "1"),
                ("tcp_keepalives_interval", "1"),
            ];
            let (pg, ns) = behind_firewall(lab, "drop", &conf)?;
            let case = idle(lab, pg.conn()).ssh(lab.sshd()?.route());
            Ok(case.assert(lasted(6_000.0)).keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-pooler",
        "PgBouncer's client_idle_timeout behind an SSH server",
        Expect::Fail("idle.pooler-timeout"),
        &[Need::Postgres, Need::Sshd, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("pool_mode", "transaction")
                .set("client_idle_timeout", 3)
                .start()?;
            let route = lab.sshd()?.route();
            let place = format!("beyond {}, at the database or a pooler", route.hops[0]);
            let case = idle(lab, bouncer.conn()).ssh(route);
            Ok(case
                .assert(told("pooler"))
                .assert(helps(false, true))
                .assert(placed(place))
                .assert(first_fix("client_idle_timeout"))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
];

/// Through one SSH server to another.
fn both(lab: &Lab, first: &Sshd, second: &Sshd) -> Result<SshRoute> {
    let mut known = std::fs::read_to_string(first.known_hosts())?;
    known += &std::fs::read_to_string(second.known_hosts())?;
    let route = first.route().then(&second.destination());
    Ok(route.known_hosts(lab.file("known_hosts", known, 0o644)?))
}
