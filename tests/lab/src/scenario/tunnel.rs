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
fn spoilt(lab: &Lab, fault: Fault) -> Result<Case> {
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
    Scenario {
        name: "tunnel-password",
        about: "an SSH password in place of a key",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = lab.new_sshd().password("right-canary")?.start()?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(case
                .ssh(sshd.route().without_key())
                .ssh_password("right-canary")
                .keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-prohibited",
        about: "AllowTcpForwarding no",
        expect: Expect::Fail("tunnel.prohibited"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.new_sshd().config("AllowTcpForwarding no").start()?;
            Ok(Case::check(lab.postgres()?.conn())
                .ssh(sshd.route())
                .keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-target-refused",
        about: "nothing listens on the database's port",
        expect: Expect::Fail("tunnel.target.refused"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| Ok(Case::check(conn("127.0.0.1", free_port())).ssh(lab.sshd()?.route())),
    },
    Scenario {
        name: "tunnel-target-unresolved",
        about: "the bastion cannot resolve the database's name",
        expect: Expect::Fail("tunnel.target.unresolved"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| Ok(Case::check(conn("nonexistent.invalid", 5432)).ssh(lab.sshd()?.route())),
    },
    Scenario {
        name: "tunnel-target-unresolved-silent",
        about: "the bastion's name server is silent, and sshd does nothing until it gives up",
        expect: Expect::Fail("tunnel.target.unresolved"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("udp dport 53 drop")?;
            ns.resolv_conf("nameserver 127.0.0.1\noptions timeout:10 attempts:3\n")?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let case = Case::check(conn("db.prod.test", 5432)).args(&["--timeout", "2s"]);
            Ok(case.patience(6).ssh(sshd.route()).keep((sshd, ns)))
        },
    },
    Scenario {
        name: "tunnel-target-failed",
        about: "the bastion has no route to the database, and does not say so",
        expect: Expect::Fail("tunnel.target.failed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Netns],
        setup: |lab| {
            let ns = lab.netns()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            Ok(Case::check(conn("192.0.2.1", 5432))
                .ssh(sshd.route())
                .keep((sshd, ns)))
        },
    },
    Scenario {
        name: "tunnel-target-unreachable",
        about: "the bastion is told that the database is unreachable",
        expect: Expect::Fail("tunnel.target.unreachable"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 reject with icmpx host-unreachable")?;
            Ok(Case::check(conn(&ns.ip(), 5432))
                .ssh(lab.sshd()?.route())
                .keep(ns))
        },
    },
    Scenario {
        name: "tunnel-target-timeout",
        about: "the bastion gets no answer from the database",
        expect: Expect::Fail("tunnel.target.timeout"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 drop")?;
            let case = Case::check(conn(&ns.ip(), 5432)).args(&["--timeout", "2s"]);
            Ok(case.patience(4).ssh(lab.sshd()?.route()).keep(ns))
        },
    },
    Scenario {
        name: "tunnel-prohibited-restrict",
        about: "restrict in front of the key",
        expect: Expect::Fail("tunnel.prohibited"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = restricted(lab, "restrict")?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-prohibited-permitopen",
        about: "permitopen for another port in front of the key",
        expect: Expect::Fail("tunnel.prohibited"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = restricted(lab, "permitopen=\"127.0.0.1:1\"")?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-permitopen",
        about: "PermitOpen lists this database",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let pg = lab.postgres()?;
            let line = format!("PermitOpen 127.0.0.1:{} localhost:1", pg.port());
            let sshd = lab.new_sshd().config(&line).start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-limit",
        about: "a server short of resources for one more channel",
        expect: Expect::Fail("tunnel.limit"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let reason = ChannelOpenFailure::ResourceShortage;
            let sshd = FakeSshd::start(lab, Behaviour::Refuse(reason))?;
            Ok(Case::check(conn("127.0.0.1", 5432))
                .ssh(sshd.route())
                .keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-password-repeated",
        about: "a server ends the session and repeats the SSH password as the reason",
        expect: Expect::Fail("tunnel.lost"),
        oracle: Oracle::None("ssh asks no password without a terminal"),
        needs: &[],
        setup: |lab| {
            let sshd = FakeSshd::start(lab, Behaviour::Repeat)?;
            let conn = Conn::new().set("host", "db.test").set("user", "app");
            let case = Case::check(conn).ssh_password("ssh-canary-Zwieback");
            Ok(case.ssh(sshd.route()).keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-target-failed-bare",
        about: "a server that cannot connect and says no more than that",
        expect: Expect::Fail("tunnel.target.failed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = FakeSshd::start(lab, Behaviour::Refuse(ChannelOpenFailure::ConnectFailed))?;
            Ok(Case::check(conn("127.0.0.1", 5432))
                .ssh(sshd.route())
                .keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-socket",
        about: "the database's socket directory on the bastion",
        expect: Expect::Pass,
        oracle: Oracle::None("ssh -W has no sockets at its far end"),
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            let case = Case::check(conn).password(lab.password());
            Ok(case.ssh(lab.sshd()?.route()))
        },
    },
    Scenario {
        name: "tunnel-jump-refused",
        about: "the first hop is refused by the second",
        expect: Expect::Fail("tunnel.target.refused"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let route = sshd.route().then(&format!("ops@127.0.0.1:{}", free_port()));
            Ok(through(lab, &sshd)?.ssh(route))
        },
    },
    Scenario {
        name: "tunnel-jump-unresolved",
        about: "the first hop cannot resolve the second",
        expect: Expect::Fail("tunnel.target.unresolved"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let route = sshd.route().then("ops@nonexistent.invalid:22");
            Ok(through(lab, &sshd)?.ssh(route))
        },
    },
    Scenario {
        name: "tunnel-jump-prohibited",
        about: "the first hop forbids the forward to the second",
        expect: Expect::Fail("tunnel.prohibited"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let first = lab.new_sshd().config("AllowTcpForwarding no").start()?;
            let second = lab.sshd()?;
            let route = two_hops(lab, &first, &second, &second.destination())?;
            Ok(through(lab, &first)?.ssh(route).keep(first))
        },
    },
    Scenario {
        name: "tunnel-jump-silent",
        about: "the second hop accepts and is silent",
        expect: Expect::Fail("ssh.silent"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::silent()?;
            let route = sshd.route().then(&format!("ops@127.0.0.1:{}", peer.port()));
            let case = through(lab, &sshd)?.ssh(route).keep(peer);
            Ok(case.args(&["--timeout", "2s"]).patience(4))
        },
    },
    Scenario {
        name: "tunnel-three-hops",
        about: "three hops, the database behind the last",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (first, second) = (lab.sshd()?, lab.new_sshd().start()?);
            let third = second.destination().replace("127.0.0.1", "localhost");
            let mut known = fs::read_to_string(first.known_hosts())?;
            known += &fs::read_to_string(second.known_hosts())?;
            known += &fs::read_to_string(second.known_hosts())?.replace("127.0.0.1", "localhost");
            let route = first.route().then(&second.destination()).then(&third);
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            Ok(through(lab, &first)?.ssh(route).keep(second))
        },
    },
    Scenario {
        name: "tunnel-lost",
        about: "the SSH connection closes while the database is spoken to",
        expect: Expect::Fail("tunnel.lost"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| spoilt(lab, Fault::CloseAfter(5000)),
    },
    Scenario {
        name: "tunnel-lost-reset",
        about: "the SSH connection is reset while the database is spoken to",
        expect: Expect::Fail("tunnel.lost"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| spoilt(lab, Fault::ResetAfter(5000)),
    },
    Scenario {
        name: "tunnel-lost-silent",
        about: "the SSH connection passes nothing any more while the database is spoken to",
        expect: Expect::Fail("tunnel.lost"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let case = spoilt(lab, Fault::StallAfter(5000))?;
            Ok(case.args(&["--timeout", "2s"]).patience(6))
        },
    },
    Scenario {
        name: "tunnel-listen-taken",
        about: "--listen on a port that is taken",
        expect: Expect::Fail("tunnel.listen"),
        oracle: Oracle::None("ssh would go on without the forward"),
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let taken = TcpListener::bind("127.0.0.1:0")?;
            let address = taken.local_addr()?.to_string();
            let case = through(lab, &*lab.sshd()?)?.command("tunnel");
            Ok(case.args(&["--listen", &address]).keep(taken))
        },
    },
    Scenario {
        name: "tunnel-listen-lost",
        about: "a tunnel that others can use, and that dies while it is held open",
        expect: Expect::Fail("tunnel.lost"),
        oracle: Oracle::None("a tunnel that is held open has no end of its own"),
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let fault = Fault::Idle(Duration::from_secs(1), IdleEnd::Close);
            let case = spoilt(lab, fault)?.command("tunnel");
            let case = case.args(&["--listen", "0.0.0.0:0"]);
            Ok(case.warns("tunnel.exposed"))
        },
    },
    Scenario {
        name: "tunnel-private-network",
        about: "only the bastion resolves and reaches the database",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd, Need::Netns],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.hosts("127.0.0.1 localhost db.corp.test\n")?;
            let pg = lab.new_postgres().netns(&ns).start()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let case = Case::check(pg.conn().set("host", "db.corp.test")).password(lab.password());
            Ok(case.ssh(sshd.route()).keep((sshd, pg, ns)))
        },
    },
];
