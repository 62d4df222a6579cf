//! SSH servers that let us in and do not lead on.

use crate::{Case, Conn, Expect, Need, Oracle, Scenario, free_port};

fn conn(host: &str, port: u16) -> Conn {
    Conn::new()
        .set("host", host)
        .set("port", port)
        .set("user", "app")
        .set("dbname", "appdb")
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
