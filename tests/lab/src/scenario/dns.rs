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
            let conn = pg.conn().set("host", "db.corp.test").set("port", door.port());
            Ok(Case::check(conn).password(lab.password()).keep(server).keep(door).netns(ns))
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
            Ok(Case::target("host=db.corp.test user=app").keep(server).netns(ns))
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
];
