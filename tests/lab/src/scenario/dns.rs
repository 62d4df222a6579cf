//! Names that do not lead anywhere.

use crate::{Case, Dnsmasq, Expect, Fault, Need, Oracle, Peer, Scenario};

/// Names.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "dns-healthy",
        about: "a name server knows the name",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        setup: |lab| {
            let (pg, ns) = (lab.postgres()?, lab.netns()?);
            let door = Peer::forward_on(&ns.host_ip(), pg.addr(), Fault::None)?;
            let record = format!("host-record=db.corp.test,{}", ns.host_ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            let conn = pg
                .conn()
                .set("host", "db.corp.test")
                .set("port", door.port());
            Ok(Case::check(conn)
                .password(lab.password())
                .keep(server)
                .keep(door)
                .netns(ns))
        },
    },
    Scenario {
        name: "dns-nxdomain",
        about: "the name server says that the name does not exist",
        expect: Expect::Fail("dns.nxdomain"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns, Need::Dnsmasq],
        setup: |lab| {
            let ns = lab.netns()?;
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            Ok(Case::target("host=db.corp.test user=app")
                .keep(server)
                .netns(ns))
        },
    },
    Scenario {
        name: "dns-no-resolver",
        about: "the only name server's port refuses",
        expect: Expect::Fail("dns.no-resolver"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns],
        setup: |lab| Ok(Case::target("host=db.corp.test user=app").netns(lab.netns()?)),
    },
    Scenario {
        name: "dns-server-failure",
        about: "the name server refuses to answer",
        expect: Expect::Fail("dns.server-failure"),
        oracle: Oracle::Psql,
        needs: &[Need::Netns, Need::Dnsmasq],
        setup: |lab| {
            let ns = lab.netns()?;
            let server = Dnsmasq::start_bare(lab, &ns, "127.0.0.1", &[])?;
            Ok(Case::target("host=db.corp.test user=app")
                .keep(server)
                .netns(ns))
        },
    },
    Scenario {
        name: "dns-timeout",
        about: "queries are dropped on their way",
        expect: Expect::Fail("dns.timeout"),
        oracle: Oracle::Psql,
        needs: &[Need::Nft],
        setup: |lab| {
            let ns = lab.netns()?;
            ns.resolv_conf("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
            // On the way in: what is dropped on the way out is told to the sender.
            ns.input("meta l4proto { tcp, udp } th dport 53 drop")?;
            Ok(Case::target("host=db.corp.test user=app").netns(ns))
        },
    },
    Scenario {
        name: "dns-hosts-override",
        about: "/etc/hosts and the name server give different addresses",
        expect: Expect::Warn("dns.hosts-override"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        setup: |lab| {
            let (pg, ns) = (lab.postgres()?, lab.netns()?);
            let door = Peer::forward_on(&ns.host_ip(), pg.addr(), Fault::None)?;
            ns.hosts(&format!(
                "127.0.0.1 localhost\n{} db.corp.test\n",
                ns.host_ip()
            ))?;
            let server = Dnsmasq::start(
                lab,
                &ns,
                "127.0.0.1",
                &["host-record=db.corp.test,192.0.2.7"],
            )?;
            let conn = pg
                .conn()
                .set("host", "db.corp.test")
                .set("port", door.port());
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    },
    Scenario {
        name: "dns-disagree",
        about: "two name servers give different addresses",
        expect: Expect::Warn("dns.disagree"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        setup: |lab| {
            let (pg, ns) = (lab.postgres()?, lab.netns()?);
            let door = Peer::forward_on(&ns.host_ip(), pg.addr(), Fault::None)?;
            let right = format!("host-record=db.corp.test,{}", ns.host_ip());
            let one = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&right])?;
            let two = Dnsmasq::start(
                lab,
                &ns,
                "127.0.0.2",
                &["host-record=db.corp.test,192.0.2.7"],
            )?;
            ns.resolv_conf("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")?;
            let conn = pg
                .conn()
                .set("host", "db.corp.test")
                .set("port", door.port());
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((one, two, door))
                .netns(ns))
        },
    },
];
