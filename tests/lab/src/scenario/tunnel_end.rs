//! Tunnels that end: sshd is killed, or the network goes, at every step of the way. And how
//! many steps that way has.

use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};

use crate::{
    Behaviour, Case, Conn, Expect, FakeSshd, Fault, Lab, Need, Netns, Oracle, Peer, Scenario,
    SshRoute, Then, Tool,
};

/// Which word of the client belongs to which step, on a healthy way in.
const KEX: usize = 3;
const AUTH: usize = 5;
const OPEN: usize = 7;
const LOGIN: usize = 9;

fn to_database(lab: &Lab, route: SshRoute) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(route))
}

/// sshd and all its sessions are killed at this word of the client.
fn killed(lab: &Lab, turn: usize) -> Result<Case> {
    let sshd = lab.new_sshd().start()?;
    let peer = Peer::forward_acting(sshd.addr(), turn, sshd.killer())?;
    let case = to_database(lab, sshd.route_by(lab, &peer)?)?;
    Ok(case.keep((peer, sshd)))
}

/// The session alone is killed at this word of the client.
fn session_killed(lab: &Lab, turn: usize) -> Result<Case> {
    let sshd = lab.new_sshd().start()?;
    let peer = Peer::forward_acting(sshd.addr(), turn, sshd.session_killer())?;
    let case = to_database(lab, sshd.route_by(lab, &peer)?)?;
    Ok(case.keep((peer, sshd)))
}

/// Nothing passes any more from this word of the client on.
fn cut(lab: &Lab, turn: usize) -> Result<Case> {
    let sshd = lab.sshd()?;
    let peer = Peer::forward_acting(sshd.addr(), turn, || Then::Stall)?;
    let case = to_database(lab, sshd.route_by(lab, &peer)?)?.keep(peer);
    Ok(case
        .args(&["--timeout", "2s"])
        .patience(4)
        .assert(|report| {
            let took = report["run"]["duration_ms"].as_f64().unwrap_or(f64::MAX);
            ensure!(took < 10_000.0, "it took {took} ms");
            Ok(())
        }))
}

/// A server in a namespace that the network leaves once the database is spoken to.
fn unplugged(lab: &Lab, ns: Netns) -> Result<Case> {
    let sshd = lab.new_sshd().netns(&ns).start()?;
    let (host, port, ns) = (ns.host_ip(), sshd.port(), Arc::new(ns));
    let plug = ns.clone();
    let database = Peer::script_on(&host, move |mut stream| {
        stream.receive()?;
        let _ = plug.input(&format!("tcp dport {port} drop"));
        stream.ignore()
    })?;
    let conn = Conn::new()
        .set("host", &host)
        .set("port", database.port())
        .set("user", "app")
        .set("dbname", "appdb");
    let case = Case::check(conn)
        .args(&["--timeout", "2s"])
        .ssh(sshd.route());
    Ok(case.patience(6).keep((sshd, database, ns)))
}

/// Two ways to one server, for dbdoctor and for ssh, and a database that counts the words that
/// were said on each until it was connected to.
fn counted(lab: &Lab) -> Result<Case> {
    let sshd = lab.sshd()?;
    let delay = Fault::Delay(std::time::Duration::from_millis(20));
    let ours = Arc::new(Peer::forward(sshd.addr(), delay)?);
    let theirs = Arc::new(Peer::forward(sshd.addr(), delay)?);
    let counts = Arc::new(Mutex::new(Vec::new()));
    let database = {
        let (ours, theirs, counts) = (ours.clone(), theirs.clone(), counts.clone());
        Peer::script(move |stream| {
            let now = (ours.round_trips(), theirs.round_trips());
            counts.lock().unwrap_or_else(|e| e.into_inner()).push(now);
            stream.close()
        })?
    };
    let route = sshd.route_by(lab, &ours)?;
    let reference = sshd.route_by(lab, &theirs)?;
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", database.port())
        .set("user", "app");
    let known = reference.known_hosts.unwrap_or_default();
    let ssh = Tool::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o"])
        .arg(format!("UserKnownHostsFile={}", known.display()))
        .args([
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .arg("-i")
        .arg(lab.client_key()?.display())
        .args(["-W", &database.addr().to_string()])
        .args(["-p", &theirs.port().to_string()])
        .arg(format!("{}@127.0.0.1", lab.user()?));
    let case = Case::check(conn).command("tunnel").ssh(route).asks(ssh);
    Ok(case.keep((ours, theirs, database)).assert(move |_| {
        let counts = counts.lock().unwrap_or_else(|e| e.into_inner());
        let ours = counts.first().map_or(usize::MAX, |(ours, _)| *ours);
        let theirs = counts.last().map_or(0, |(_, theirs)| *theirs);
        ensure!(theirs > 4, "ssh said only {theirs} words");
        ensure!(ours <= theirs, "{ours} round trips, and ssh takes {theirs}");
        Ok(())
    }))
}

/// The end, step by step.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tunnel-round-trips",
        "connecting, authenticating and opening take no more round trips than ssh -W takes",
        Expect::Pass,
        &[Need::Sshd],
        counted,
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "tunnel-end-killed-kex",
        "sshd is killed in the key exchange",
        Expect::Fail("ssh.disconnected"),
        &[Need::Postgres, Need::Sshd],
        |lab| killed(lab, KEX),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-killed-auth",
        "sshd is killed during authentication",
        Expect::Fail("ssh.disconnected"),
        &[Need::Postgres, Need::Sshd],
        |lab| killed(lab, AUTH),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-killed-open",
        "sshd is killed as the forward is asked for",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| killed(lab, OPEN),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-killed-login",
        "sshd is killed during the login to the database",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| killed(lab, LOGIN),
    ),
    Scenario::new(
        "tunnel-end-session-auth",
        "the session's process is killed during authentication",
        Expect::Fail("ssh.disconnected"),
        &[Need::Postgres, Need::Sshd],
        |lab| session_killed(lab, AUTH),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-session-open",
        "the session's process is killed as the forward is asked for",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| session_killed(lab, OPEN),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-session-login",
        "the session's process is killed during the login to the database",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| session_killed(lab, LOGIN),
    ),
    Scenario::new(
        "tunnel-end-cut-kex",
        "the network goes in the key exchange",
        Expect::Fail("ssh.timeout"),
        &[Need::Postgres, Need::Sshd],
        |lab| cut(lab, KEX),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-cut-auth",
        "the network goes during authentication",
        Expect::Fail("ssh.timeout"),
        &[Need::Postgres, Need::Sshd],
        |lab| cut(lab, AUTH),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-cut-open",
        "the network goes as the forward is asked for",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| cut(lab, OPEN),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-cut-login",
        "the network goes during the login to the database",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| cut(lab, LOGIN),
    ),
    Scenario::new(
        "tunnel-end-unplugged",
        "a firewall drops the SSH connection once the database is spoken to",
        Expect::Fail("tunnel.lost"),
        &[Need::Sshd, Need::Nft],
        |lab| unplugged(lab, lab.netns()?),
    )
    .oracle(Oracle::None("psql would wait for ever")),
    Scenario::new(
        "tunnel-end-with-reason",
        "a server takes the key and ends the session with a reason as a forward is asked for",
        Expect::Fail("ssh.disconnected"),
        &[],
        |lab| {
            let words = "Session quota of this account is used up";
            Ok(ended(lab, words)?.assert(move |report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains(words), "{summary}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-end-without-reason",
        "the same with an empty reason",
        Expect::Fail("tunnel.lost"),
        &[],
        |lab| ended(lab, ""),
    )
    .oracle(Oracle::Ssh),
];

/// A server that ends the session with this reason once a forward is asked for.
fn ended(lab: &Lab, words: &'static str) -> Result<Case> {
    let sshd = FakeSshd::start(lab, Behaviour::Ends(words))?;
    let conn = Conn::new().set("host", "db.test").set("user", "app");
    Ok(Case::check(conn).ssh(sshd.route()).keep(sshd))
}
