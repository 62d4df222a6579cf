//! Ends that cannot be reached.

use crate::{Blackhole, Case, Conn, Expect, Need, Oracle, Scenario, free_port};

fn conn(port: u16) -> Conn {
    Conn::new()
        .set("host", "127.0.0.1")
        .set("port", port)
        .set("user", "app")
        .set("connect_timeout", 2)
}

/// Reachability.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "tcp-refused",
        about: "nothing listens",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::check(conn(free_port()))),
    },
    Scenario {
        name: "tcp-timeout",
        about: "no answer to SYN: the listener's queue is full",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| {
            let hole = Blackhole::new()?;
            Ok(Case::check(conn(hole.port())).keep(hole))
        },
    },
    Scenario {
        name: "tcp-dropped",
        about: "no answer to SYN: a firewall drops it on the way in",
        expect: Expect::Fail("tcp.timeout"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 drop")?;
            Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
        },
    },
    Scenario {
        name: "tcp-rejected",
        about: "a firewall on the other end prohibits it",
        expect: Expect::Fail("tcp.rejected"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.input("tcp dport 5432 reject with icmpx admin-prohibited")?;
            Ok(Case::check(conn(5432).set("host", ns.ip())).keep(ns))
        },
    },
    Scenario {
        name: "tcp-unreachable",
        about: "no route to the network",
        expect: Expect::Fail("tcp.unreachable"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| Ok(Case::check(conn(5432).set("host", "192.0.2.1")).netns(lab.netns()?)),
    },
    Scenario {
        name: "tcp-socket-missing",
        about: "no unix socket in the directory",
        expect: Expect::Fail("tcp.socket-missing"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |lab| {
            Ok(Case::check(
                conn(5432).set("host", lab.dir("empty")?.display()),
            ))
        },
    },
    Scenario {
        name: "tcp-ipv6-first",
        about: "localhost is ::1 first, and the server listens on 127.0.0.1 alone",
        expect: Expect::Warn("tcp.ipv6-first"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns],
        setup: |lab| {
            let (pg, ns) = (lab.new_postgres(), lab.netns()?);
            let pg = pg
                .netns(&ns)
                .conf("listen_addresses", "127.0.0.1")
                .start()?;
            let conn = pg.conn().set("host", "localhost");
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(pg)
                .netns(ns))
        },
    },
    Scenario {
        name: "tcp-ipv6-healthy",
        about: "an IPv6 literal in a URI",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().listen("::1").start()?;
            Ok(Case::target(pg.conn().url())
                .password(lab.password())
                .keep(pg))
        },
    },
];
