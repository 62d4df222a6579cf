//! SSH servers that let us in and do not lead on.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::Result;
use russh::ChannelOpenFailure;

use crate::{
    Behaviour, Case, Conn, Expect, FakeSshd, Fault, IdleEnd, Lab, Need, Oracle, Peer, Scenario,
    SshRoute, Sshd, free_port,
};

fn conn(host: &str, port: u16) -> Conn {
    Conn::new()
        .set("host", host)
        .set("port", port)
        .set("user", "app")
        .set("dbname", "appdb")
}

/// The lab's key, with these options in front of it in authorized_keys.
fn restricted(lab: &Lab, options: &str) -> Result<Sshd> {
    let key = fs::read_to_string(lab.client_key()?.with_extension("pub"))?;
    lab.new_sshd()
        .authorized_keys(format!("{options} {key}"))
        .start()
}

/// To the shared database through this server.
fn through(lab: &Lab, sshd: &Sshd) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(sshd.route()))
}

/// To the shared database through the shared server, reached by way of a spoilt forward.
pub(super) fn spoilt(lab: &Lab, fault: Fault) -> Result<Case> {
    let sshd = lab.sshd()?;
    let peer = Peer::forward(sshd.addr(), fault)?;
    let route = sshd.route_by(lab, &peer)?;
    Ok(through(lab, &sshd)?.ssh(route).keep(peer))
}

/// Through two servers, both known.
fn two_hops(lab: &Lab, first: &Sshd, second: &Sshd, second_at: &str) -> Result<SshRoute> {
    let mut known = fs::read_to_string(first.known_hosts())?;
    known += &fs::read_to_string(second.known_hosts())?;
    let route = first.route().then(second_at);
    Ok(route.known_hosts(lab.file("known_hosts", known, 0o644)?))
}

/// The forward.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "tunnel-password",
        "an SSH password in place of a key",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = lab.new_sshd().password("right-canary")?.start()?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(case
                .ssh(sshd.route().without_key())
                .ssh_password("right-canary")
                .keep(sshd))
        },
    ),
    Scenario::new(
        "tunnel-prohibited",
        "AllowTcpForwarding no",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.new_sshd().config("AllowTcpForwarding no").start()?;
            Ok(Case::check(lab.postgres()?.conn())
                .ssh(sshd.route())
                .keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-target-refused",
        "nothing listens on the database's port",
        Expect::Fail("tunnel.target.refused"),
        &[Need::Sshd],
        |lab| Ok(Case::check(conn("127.0.0.1", free_port())).ssh(lab.sshd()?.route())),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-target-unresolved",
        "the bastion cannot resolve the database's name",
        Expect::Fail("tunnel.target.unresolved"),
        &[Need::Sshd],
        |lab| Ok(Case::check(conn("nonexistent.invalid", 5432)).ssh(lab.sshd()?.route())),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-target-unresolved-silent",
        "the bastion's name server is silent, and sshd does nothing until it gives up",
        Expect::Fail("tunnel.target.unresolved"),
        &[Need::Sshd, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.input("udp dport 53 drop")?;
            ns.resolv_conf("nameserver 127.0.0.1\noptions timeout:10 attempts:3\n")?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let case = Case::check(conn("db.prod.test", 5432)).args(&["--timeout", "2s"]);
            Ok(case.patience(6).ssh(sshd.route()).keep((sshd, ns)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-target-failed",
        "the bastion has no route to the database, and does not say so",
        Expect::Fail("tunnel.target.failed"),
        &[Need::Sshd, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            Ok(Case::check(conn("192.0.2.1", 5432))
                .ssh(sshd.route())
                .keep((sshd, ns)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-target-unreachable",
        "the bastion is told that the database is unreachable",
        Expect::Fail("tunnel.target.unreachable"),
        &[Need::Sshd, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 reject with icmpx host-unreachable")?;
            Ok(Case::check(conn(&ns.ip(), 5432))
                .ssh(lab.sshd()?.route())
                .keep(ns))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-target-timeout",
        "the bastion gets no answer from the database",
        Expect::Fail("tunnel.target.timeout"),
        &[Need::Sshd, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 drop")?;
            let case = Case::check(conn(&ns.ip(), 5432)).args(&["--timeout", "2s"]);
            Ok(case.patience(4).ssh(lab.sshd()?.route()).keep(ns))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-prohibited-restrict",
        "restrict in front of the key",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = restricted(lab, "restrict")?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-prohibited-permitopen",
        "permitopen for another port in front of the key",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = restricted(lab, "permitopen=\"127.0.0.1:1\"")?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-permitopen",
        "PermitOpen lists this database",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let pg = lab.postgres()?;
            let line = format!("PermitOpen 127.0.0.1:{} localhost:1", pg.port());
            let sshd = lab.new_sshd().config(&line).start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    ),
    Scenario::new(
        "tunnel-limit",
        "a server short of resources for one more channel",
        Expect::Fail("tunnel.limit"),
        &[Need::Sshd],
        |lab| {
            let reason = ChannelOpenFailure::ResourceShortage;
            let sshd = FakeSshd::start(lab, Behaviour::Refuse(reason))?;
            Ok(Case::check(conn("127.0.0.1", 5432))
                .ssh(sshd.route())
                .keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-password-repeated",
        "a server ends the session and repeats the SSH password as the reason",
        Expect::Fail("ssh.disconnected"),
        &[],
        |lab| {
            let sshd = FakeSshd::start(lab, Behaviour::Repeat)?;
            let conn = Conn::new().set("host", "db.test").set("user", "app");
            let case = Case::check(conn).ssh_password("ssh-canary-Zwieback");
            Ok(case.ssh(sshd.route()).keep(sshd))
        },
    )
    .oracle(Oracle::None("ssh asks no password without a terminal")),
    Scenario::new(
        "tunnel-target-failed-bare",
        "a server that cannot connect and says no more than that",
        Expect::Fail("tunnel.target.failed"),
        &[Need::Sshd],
        |lab| {
            let sshd = FakeSshd::start(lab, Behaviour::Refuse(ChannelOpenFailure::ConnectFailed))?;
            Ok(Case::check(conn("127.0.0.1", 5432))
                .ssh(sshd.route())
                .keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-socket",
        "the database's socket directory on the bastion",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            let case = Case::check(conn).password(lab.password());
            Ok(case.ssh(lab.sshd()?.route()))
        },
    )
    .oracle(Oracle::None("ssh -W has no sockets at its far end")),
    Scenario::new(
        "tunnel-jump-refused",
        "the first hop is refused by the second",
        Expect::Fail("tunnel.target.refused"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let route = sshd.route().then(&format!("ops@127.0.0.1:{}", free_port()));
            Ok(through(lab, &sshd)?.ssh(route))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-jump-unresolved",
        "the first hop cannot resolve the second",
        Expect::Fail("tunnel.target.unresolved"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let route = sshd.route().then("ops@nonexistent.invalid:22");
            Ok(through(lab, &sshd)?.ssh(route))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-jump-prohibited",
        "the first hop forbids the forward to the second",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let first = lab.new_sshd().config("AllowTcpForwarding no").start()?;
            let second = lab.sshd()?;
            let route = two_hops(lab, &first, &second, &second.destination())?;
            Ok(through(lab, &first)?.ssh(route).keep(first))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-jump-silent",
        "the second hop accepts and is silent",
        Expect::Fail("ssh.silent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::silent()?;
            let route = sshd.route().then(&format!("ops@127.0.0.1:{}", peer.port()));
            let case = through(lab, &sshd)?.ssh(route).keep(peer);
            Ok(case.args(&["--timeout", "2s"]).patience(4))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-three-hops",
        "three hops, the database behind the last",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (first, second) = (lab.sshd()?, lab.new_sshd().start()?);
            let third = second.destination().replace("127.0.0.1", "localhost");
            let mut known = fs::read_to_string(first.known_hosts())?;
            known += &fs::read_to_string(second.known_hosts())?;
            known += &fs::read_to_string(second.known_hosts())?.replace("127.0.0.1", "localhost");
            let route = first.route().then(&second.destination()).then(&third);
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            Ok(through(lab, &first)?.ssh(route).keep(second))
        },
    ),
    Scenario::new(
        "tunnel-lost",
        "the SSH connection closes while the database is spoken to",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| spoilt(lab, Fault::CloseAfter(5000)),
    ),
    Scenario::new(
        "tunnel-lost-reset",
        "the SSH connection is reset while the database is spoken to",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| spoilt(lab, Fault::ResetAfter(5000)),
    ),
    Scenario::new(
        "tunnel-lost-silent",
        "the SSH connection passes nothing any more while the database is spoken to",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = spoilt(lab, Fault::StallAfter(5000))?;
            Ok(case.args(&["--timeout", "2s"]).patience(6))
        },
    ),
    Scenario::new(
        "tunnel-listen-taken",
        "--listen on a port that is taken",
        Expect::Fail("tunnel.listen"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let taken = TcpListener::bind("127.0.0.1:0")?;
            let address = taken.local_addr()?.to_string();
            let case = through(lab, &*lab.sshd()?)?.command("tunnel");
            Ok(case.args(&["--listen", &address]).keep(taken))
        },
    )
    .oracle(Oracle::None("ssh would go on without the forward")),
    Scenario::new(
        "tunnel-listen-lost",
        "a tunnel that others can use, and that dies while it is held open",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let fault = Fault::Idle(Duration::from_secs(1), IdleEnd::Close);
            let case = spoilt(lab, fault)?.command("tunnel");
            let case = case.args(&["--listen", "0.0.0.0:0"]);
            Ok(case.warns("tunnel.exposed"))
        },
    )
    .oracle(Oracle::None(
        "a tunnel that is held open has no end of its own",
    )),
    Scenario::new(
        "tunnel-private-network",
        "only the bastion resolves and reaches the database",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.hosts("127.0.0.1 localhost db.corp.test\n")?;
            let pg = lab.new_postgres().netns(&ns).start()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let case = Case::check(pg.conn().set("host", "db.corp.test")).password(lab.password());
            Ok(case.ssh(sshd.route()).keep((sshd, pg, ns)))
        },
    ),
];
