//! The target's own keepalives, which decide what becomes of its connections: libpq's, and
//! `ServerAliveInterval` where SSH leads to the database. The reference clients stay idle for five
//! seconds between two queries.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::idle::{
    before_ssh, behind_firewall, facts, forget, forgetful, found, idle, lasted, told,
};
use crate::{
    Case, Conn, Expect, HaProxy, IdleEnd, Lab, Need, Oracle, Scenario, SshRoute, Sshd, Tool,
    free_port,
};

const BLACK_HOLE: Expect = Expect::Fail("idle.black-hole");

/// psql with five seconds between two queries, which gives up what is not answered.
fn psql(conn: &Conn) -> String {
    let conn = conn.clone().set("connect_timeout", 5);
    let conn = conn.to_string().replace('\'', "'\\''");
    format!("printf 'select 1;\\n\\\\! sleep 5\\nselect 2;\\n' | timeout 9 psql -XAtqw -d '{conn}'")
}

/// `dbdoctor idle` and psql with these settings.
fn both(lab: &Lab, conn: Conn, settings: &[(&str, &str)]) -> Case {
    let set = |conn: Conn, (name, value): &(&str, &str)| conn.set(name, value);
    let conn = settings.iter().fold(conn, set);
    let tool = Tool::new("sh").args(["-c", &psql(&conn)]);
    idle(lab, conn).asks(tool).patience(15)
}

/// The database behind a firewall that forgets after three seconds what is idle.
fn behind(lab: &Lab, verdict: &str, settings: &[(&str, &str)]) -> Result<Case> {
    let (pg, ns) = behind_firewall(lab, verdict, &[])?;
    Ok(both(lab, pg.conn(), settings).keep((pg, ns)))
}

/// What is said of the target's own keepalives: these, and whether they prevent the drop.
fn own(keepalives: &'static str, prevent: Value) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let configured = &facts(report)?["configured"];
        let named = configured["keepalives"].as_str().context("no keepalives")?;
        ensure!(named.starts_with(keepalives), "{configured}");
        ensure!(configured["prevents_drop"] == prevent, "{configured}");
        Ok(())
    }
}

/// It passes, and the finding tells the threshold and what carries the connections beyond it.
fn carried(case: Case, kind: &'static str, keepalives: &'static str) -> Case {
    case.assert(found(kind))
        .assert(own(keepalives, true.into()))
        .assert(|report| {
            ensure!(
                report["verdict"]["status"] == "pass",
                "{}",
                report["verdict"]
            );
            let stages = report["stages"].as_array().into_iter().flatten();
            let mut findings =
                stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten());
            let finding = findings.find(|finding| finding["cause"] == "idle.keepalive");
            let finding = finding.context("no word of the keepalives")?;
            ensure!(finding["status"] == "pass", "{finding}");
            ensure!(finding["evidence"]["dropped_ms"].is_number(), "{finding}");
            Ok(())
        })
}

/// The firewall of a namespace before the SSH server, and the configuration of ssh.
fn through(lab: &Lab, config: &str, settings: &[(&str, &str)]) -> Result<Case> {
    let ns = lab.netns()?;
    let sshd = lab.new_sshd().netns(&ns).start()?;
    let pg = lab.new_postgres().netns(&ns).conf("max_connections", 60);
    let pg = pg.start()?;
    forget(&ns, sshd.port(), "drop")?;
    let route = sshd.route().config(lab.file("ssh_config", config, 0o600)?);
    tunnelled(lab, pg.conn(), &sshd, route, settings).map(|case| case.keep((pg, sshd, ns)))
}

/// `dbdoctor idle` through this route, and psql through `ssh -L`.
fn tunnelled(
    lab: &Lab,
    conn: Conn,
    to: &Sshd,
    route: SshRoute,
    settings: &[(&str, &str)],
) -> Result<Case> {
    let port = free_port();
    let target = conn.clone().set("port", port).set("host", "127.0.0.1");
    let file = |path: &Option<std::path::PathBuf>, what: &str| -> Result<String> {
        Ok(path
            .as_ref()
            .context(what.to_owned())?
            .display()
            .to_string())
    };
    let database = format!(
        "{}:{}",
        conn.get("host").context("no host")?,
        conn.get("port").context("no port")?
    );
    let hop = route.hops.last().context("no hop")?;
    let jump = match route.hops.len() {
        1 => String::new(),
        _ => format!("-J ssh://{} ", route.hops[0]),
    };
    let script = format!(
        "ssh -F {config} -i {key} -o UserKnownHostsFile={known} -o BatchMode=yes {jump}-N \
         -L 127.0.0.1:{port}:{database} ssh://{hop} & tunnel=$!\nsleep 1\n{psql}\nstatus=$?\n\
         kill $tunnel\nexit $status",
        config = file(&route.config, "no configuration")?,
        key = file(&route.key, "no key")?,
        known = file(&route.known_hosts, "no known hosts")?,
        psql = psql(&target),
    );
    ensure!(!to.addr().is_empty(), "no SSH server");
    let set = |conn: Conn, (name, value): &(&str, &str)| conn.set(name, value);
    let case = idle(lab, settings.iter().fold(conn, set)).ssh(route);
    Ok(case
        .asks(Tool::new("sh").args(["-c", &script]))
        .patience(20))
}

/// What the target itself does about it.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "idle-own-keepalives",
        "a firewall forgets what is idle, and the target's keepalives come before that",
        Expect::Pass,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let settings = [("keepalives_idle", "1"), ("keepalives_interval", "1")];
            let case = behind(lab, "drop", &settings)?;
            Ok(carried(
                case,
                "silent",
                "keepalives_idle=1, keepalives_interval=1",
            ))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-keepalives-reset",
        "a firewall forgets and resets what is idle, and the target's keepalives come before that",
        Expect::Pass,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let settings = [("keepalives_idle", "2"), ("keepalives_interval", "1")];
            let case = behind(lab, "reject with tcp reset", &settings)?;
            Ok(carried(case, "reset", "keepalives_idle=2"))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-late",
        "the target's keepalives come later than the firewall forgets",
        BLACK_HOLE,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let settings = [("keepalives_idle", "4"), ("tcp_user_timeout", "1500")];
            let case = behind(lab, "drop", &settings)?;
            Ok(case
                .assert(found("silent"))
                .assert(own("keepalives_idle=4", false.into())))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-once",
        "the target's first keepalive comes before the firewall forgets, the second after that",
        BLACK_HOLE,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let settings = [("keepalives_idle", "1"), ("tcp_user_timeout", "1500")];
            let case = behind(lab, "drop", &settings)?;
            Ok(case
                .assert(found("silent"))
                .assert(own("keepalives_idle=1, the system's", false.into())))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-off",
        "keepalives=0, whatever else is set",
        BLACK_HOLE,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let settings = [("keepalives", "0"), ("keepalives_idle", "1")];
            let case = behind(lab, "drop", &settings)?;
            Ok(case
                .assert(found("silent"))
                .assert(own("none", false.into())))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-default",
        "the system's keepalives after two hours",
        BLACK_HOLE,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let case = behind(lab, "drop", &[])?;
            let system = "the system's tcp_keepalive_time=";
            Ok(case
                .assert(found("silent"))
                .assert(own(system, false.into())))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-proxy",
        "HAProxy closes what is idle, and keepalives end at it",
        Expect::Fail("idle.closed"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "timeout client 3s\n timeout server 3s")?;
            let conn = pg.conn().set("port", proxy.port());
            Ok(both(lab, conn, &[("keepalives_idle", "1")])
                .assert(told("closed"))
                .assert(own("keepalives_idle=1", false.into()))
                .keep(proxy))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-nobody-drops",
        "the target's keepalives, and nobody who drops anything",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            Ok(both(lab, conn, &[("keepalives_idle", "1")])
                .forbids("idle.keepalive")
                .assert(own("keepalives_idle=1", Value::Null))
                .assert(lasted(6_000.0)))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-ssh",
        "ServerAliveInterval comes before the firewall before the SSH server forgets",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let case = through(lab, "Host *\n  ServerAliveInterval 1\n", &[])?;
            Ok(carried(case, "silent", "ServerAliveInterval 1 for "))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-ssh-late",
        "ServerAliveInterval comes later than the firewall before the SSH server forgets",
        BLACK_HOLE,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let case = through(lab, "ServerAliveInterval 4\n", &[])?;
            Ok(case
                .assert(found("silent"))
                .assert(own("ServerAliveInterval 4 for ", false.into())))
        },
    )
    .oracle(Oracle::None(
        "ssh counts its interval from the login, psql's silence begins later",
    )),
    Scenario::new(
        "idle-own-ssh-libpq",
        "libpq's keepalives, which end at the near end of the tunnel",
        BLACK_HOLE,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let case = through(lab, "TCPKeepAlive no\n", &[("keepalives_idle", "1")])?;
            Ok(case
                .assert(found("silent"))
                .assert(own("none", false.into())))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-ssh-beyond",
        "ServerAliveInterval, and a firewall behind the SSH server",
        BLACK_HOLE,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(lab, "drop", &[("max_connections", "60")])?;
            let sshd = lab.sshd()?;
            let config = lab.file("ssh_config", "ServerAliveInterval 1\n", 0o600)?;
            let route = sshd.route().config(config);
            let case = tunnelled(lab, pg.conn(), &sshd, route, &[])?;
            Ok(case
                .assert(found("silent"))
                .assert(own("ServerAliveInterval 1 for ", false.into()))
                .keep((pg, ns)))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "idle-own-ssh-jump",
        "nothing passes any more between two SSH servers, and ServerAliveInterval of the second \
         comes before that",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let first = lab.new_sshd().start()?;
            let second = lab.sshd()?;
            let peer = forgetful(&second.addr(), IdleEnd::Silence)?;
            let far = before_ssh(&second, &peer, lab)?;
            let mut known = std::fs::read_to_string(first.known_hosts())?;
            let theirs = far.known_hosts.as_ref().context("no known hosts")?;
            known += &std::fs::read_to_string(theirs)?;
            let config = lab.file("ssh_config", "ServerAliveInterval 1\n", 0o600)?;
            let route = first.route().then(&far.hops[0]).config(config);
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            let case = tunnelled(lab, lab.postgres()?.conn(), &first, route, &[])?;
            Ok(carried(case, "silent", "ServerAliveInterval 1 for ").keep((peer, first)))
        },
    )
    .oracle(Oracle::None(
        "ssh gives options and a key file to no jump host",
    )),
];
