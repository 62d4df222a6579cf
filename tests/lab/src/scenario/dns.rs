//! Names that do not lead anywhere, and names that do by unusual ways.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{Case, Conn, Dnsmasq, Expect, Fault, Lab, Need, Netns, Oracle, Peer, Scenario};

/// The name that most scenarios look up.
pub(super) const NAME: &str = "db.corp.test";

/// A namespace from which a PostgreSQL server is reached at [`Netns::host_ip`], and how.
pub(super) fn reachable(lab: &Lab) -> Result<(Netns, Peer, Conn)> {
    let (pg, ns) = (lab.postgres()?, lab.netns()?);
    let door = Peer::forward_on(&ns.host_ip(), pg.addr(), Fault::None)?;
    let conn = pg.conn().set("host", NAME).set("port", door.port());
    Ok((ns, door, conn))
}

/// A case in which [`NAME`] leads to a server, with a dnsmasq that has these lines. `{ip}` in
/// them is the server's address.
fn resolves(lab: &Lab, resolv: &str, lines: &[&str]) -> Result<Case> {
    resolves_as(lab, NAME, resolv, lines)
}

/// The same for another name.
fn resolves_as(lab: &Lab, name: &str, resolv: &str, lines: &[&str]) -> Result<Case> {
    let (ns, door, conn) = reachable(lab)?;
    let lines: Vec<String> = lines
        .iter()
        .map(|l| l.replace("{ip}", &ns.host_ip()))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &lines)?;
    ns.resolv_conf(resolv)?;
    Ok(quiet(Case::check(conn.set("host", name)))
        .password(lab.password())
        .keep((server, door))
        .netns(ns))
}

/// A case in which a name is looked up at a dnsmasq that knows nothing.
fn unknown(lab: &Lab, name: &str) -> Result<Case> {
    let ns = lab.netns()?;
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
    let conn = Conn::new().set("host", name).set("user", "app");
    Ok(Case::check(conn).keep(server).netns(ns))
}

/// A case with name servers that behave in this way, at the host's end of the cable.
fn answered(lab: &Lab, says: Says) -> Result<Case> {
    let ns = lab.netns()?;
    let server = Responder::start(&ns.host_ip(), says.replies())?;
    ns.resolv_conf(&format!(
        "nameserver {}\noptions timeout:1 attempts:1\n",
        ns.host_ip()
    ))?;
    let conn = Conn::new().set("host", NAME).set("user", "app");
    Ok(Case::check(conn).keep(server).netns(ns))
}

/// Nothing about names is odd here.
pub(super) fn quiet(case: Case) -> Case {
    [
        "dns.hosts-override",
        "dns.system-only",
        "dns.server-only",
        "dns.disagree",
        "dns.slow",
        "tcp.partial",
        "tcp.ipv6-first",
        "tcp.retransmits",
    ]
    .into_iter()
    .fold(case, Case::forbids)
}

/// What a [`Responder`] does with a question.
#[derive(Clone, Copy)]
enum Says {
    /// Nothing.
    Nothing,
    /// This response code, without records.
    Code(u8),
    /// This address, after a while.
    Slowly(Ipv4Addr, Duration),
    /// This address, and nothing to questions for IPv6 addresses.
    OnlyIpv4(Ipv4Addr),
    /// This machine's IPv6 address, and nothing to questions for IPv4 addresses.
    OnlyIpv6,
    /// Bytes that are no message.
    Garbage,
}

/// A name server that misbehaves, on port 53 of an address of this host.
pub(super) struct Responder(Arc<AtomicBool>);

impl Responder {
    /// Sends what `says` makes of each question.
    pub(super) fn start(
        ip: &str,
        says: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Result<Self> {
        let socket = UdpSocket::bind((ip, 53))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((read, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                for reply in says(&buffer[..read]) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Ok(Responder(stop))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Says {
    /// As a [`Responder`] takes it.
    fn replies(self) -> impl Fn(&[u8]) -> Vec<Vec<u8>> + Send {
        move |question| self.reply(question).into_iter().collect()
    }

    fn reply(self, question: &[u8]) -> Option<Vec<u8>> {
        // The name ends in a zero; the type and the class follow.
        let end = 12 + question.get(12..)?.iter().position(|b| *b == 0)? + 5;
        let ipv6 = question.get(end - 4..end - 2)? == [0, 28];
        let (code, address) = match self {
            Says::Nothing => return None,
            Says::Garbage => return Some([&question[..2], b"garbage"].concat()),
            Says::Code(code) => (code, None),
            Says::OnlyIpv4(_) if ipv6 => return None,
            Says::OnlyIpv4(ip) => (0, Some(ip)),
            Says::OnlyIpv6 if !ipv6 => return None,
            Says::OnlyIpv6 => return Some(loopback6(question.get(..end)?)),
            Says::Slowly(ip, pause) => {
                if !ipv6 {
                    thread::sleep(pause);
                }
                (0, (!ipv6).then_some(ip))
            }
        };
        let mut reply = question.get(..end)?.to_vec();
        let answers = u8::from(address.is_some());
        reply[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
        if let Some(ip) = address {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend(ip.octets());
        }
        Some(reply)
    }
}

/// A reply to this question: `::1`.
fn loopback6(question: &[u8]) -> Vec<u8> {
    let mut reply = question.to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    reply.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16]);
    reply.extend(std::net::Ipv6Addr::LOCALHOST.octets());
    reply
}

/// Names.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "dns-healthy",
        "a name server knows the name",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
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
    ),
    Scenario::new(
        "dns-nxdomain",
        "the name server says that the name does not exist",
        Expect::Fail("dns.nxdomain"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            Ok(Case::target("host=db.corp.test user=app")
                .keep(server)
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-no-resolver",
        "the only name server's port refuses",
        Expect::Fail("dns.no-resolver"),
        &[Need::Netns],
        |lab| Ok(Case::target("host=db.corp.test user=app").netns(lab.netns()?)),
    ),
    Scenario::new(
        "dns-server-failure",
        "the name server refuses to answer",
        Expect::Fail("dns.server-failure"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let server = Dnsmasq::start_bare(lab, &ns, "127.0.0.1", &[])?;
            Ok(Case::target("host=db.corp.test user=app")
                .keep(server)
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-timeout",
        "queries are dropped on their way",
        Expect::Fail("dns.timeout"),
        &[Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            ns.resolv_conf("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
            // On the way in: what is dropped on the way out is told to the sender.
            ns.input("meta l4proto { tcp, udp } th dport 53 drop")?;
            Ok(Case::target("host=db.corp.test user=app").netns(ns))
        },
    ),
    Scenario::new(
        "dns-hosts-override",
        "/etc/hosts and the name server give different addresses",
        Expect::Warn("dns.hosts-override"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
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
    ),
    Scenario::new(
        "dns-disagree",
        "two name servers give different addresses",
        Expect::Warn("dns.disagree"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
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
    ),
    Scenario::new(
        "dns-container-name",
        "the name of a compose service, outside of its network",
        Expect::Fail("dns.container-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "db"),
    ),
    Scenario::new(
        "dns-container-compose",
        "a name that only the compose file here knows",
        Expect::Fail("dns.container-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let dir = lab.dir("project")?;
            std::fs::write(
                dir.join("compose.yaml"),
                "services:\n  ledger:\n    image: postgres:15\n    ports: [5432]\n",
            )?;
            Ok(unknown(lab, "ledger")?.cwd(dir).assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("docker compose port ledger"), "{fixes}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-container-cluster",
        "a service's name in a Kubernetes cluster",
        Expect::Fail("dns.container-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "pg.prod.svc.cluster.local"),
    ),
    Scenario::new(
        "dns-container-provider",
        "a provider's internal name",
        Expect::Fail("dns.container-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "postgres.railway.internal"),
    ),
    Scenario::new(
        "dns-container-host",
        "Docker's name for the machine that runs the container",
        Expect::Fail("dns.container-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "host.docker.internal"),
    ),
    Scenario::new(
        "dns-nxdomain-single",
        "a single label that is no container's name",
        Expect::Fail("dns.nxdomain"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| Ok(unknown(lab, "dbserver01")?.forbids("dns.container-name")),
    ),
    Scenario::new(
        "dns-nxdomain-localhost",
        "a name below localhost, which the C library does not know",
        Expect::Fail("dns.nxdomain"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "db.localhost"),
    ),
    Scenario::new(
        "dns-nxdomain-second-dead",
        "the second name server is silent, the first knows that there is no such name",
        Expect::Fail("dns.nxdomain"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let silent = Responder::start(&ns.host_ip(), Says::Nothing.replies())?;
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            ns.resolv_conf(&format!(
                "nameserver 127.0.0.1\nnameserver {}\n",
                ns.host_ip()
            ))?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn).keep((server, silent)).netns(ns))
        },
    ),
    Scenario::new(
        "dns-no-address",
        "the name has a text record alone",
        Expect::Fail("dns.no-address"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let server = Dnsmasq::start_bare(
                lab,
                &ns,
                "127.0.0.1",
                &["local=/corp.test/", "txt-record=db.corp.test,hello"],
            )?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn).keep(server).netns(ns))
        },
    ),
    Scenario::new(
        "dns-no-address-empty",
        "an answer without records",
        Expect::Fail("dns.no-address"),
        &[Need::Netns],
        |lab| answered(lab, Says::Code(0)),
    ),
    Scenario::new(
        "dns-servfail",
        "the name server says SERVFAIL",
        Expect::Fail("dns.server-failure"),
        &[Need::Netns],
        |lab| answered(lab, Says::Code(2)),
    ),
    Scenario::new(
        "dns-formerr",
        "the name server does not understand the question",
        Expect::Fail("dns.server-failure"),
        &[Need::Netns],
        |lab| answered(lab, Says::Code(1)),
    ),
    Scenario::new(
        "dns-servfail-and-silent",
        "one name server fails, the other is silent",
        Expect::Fail("dns.server-failure"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let silent = Responder::start(&ns.host_ip(), Says::Nothing.replies())?;
            let failing = Responder::start(&ns.host_ip6(), Says::Code(2).replies())?;
            ns.resolv_conf(&format!(
                "nameserver {}\nnameserver {}\noptions timeout:1 attempts:1\n",
                ns.host_ip(),
                ns.host_ip6()
            ))?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn).keep((silent, failing)).netns(ns))
        },
    ),
    Scenario::new(
        "dns-garbage",
        "the name server answers with bytes that are no message",
        Expect::Fail("dns.server-failure"),
        &[Need::Netns],
        |lab| answered(lab, Says::Garbage),
    ),
    Scenario::new(
        "dns-silent",
        "the name server never answers, and the system would wait long",
        Expect::Fail("dns.timeout"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let silent = Responder::start(&ns.host_ip(), Says::Nothing.replies())?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            let case = Case::check(conn).keep(silent).netns(ns);
            Ok(case.arg("--timeout").arg("1s").assert(|report| {
                let took = report["run"]["duration_ms"].as_f64().unwrap_or(f64::MAX);
                ensure!(took < 3_000.0, "it took {took} ms");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-no-nameserver",
        "resolv.conf names no name server",
        Expect::Fail("dns.no-resolver"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.resolv_conf("# nothing\n")?;
            Ok(Case::target("host=db.corp.test user=app").netns(ns))
        },
    ),
    Scenario::new(
        "dns-no-route",
        "there is no route to the name server",
        Expect::Fail("dns.no-resolver"),
        &[Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.resolv_conf("nameserver 192.0.2.53\n")?;
            Ok(Case::target("host=db.corp.test user=app").netns(ns))
        },
    ),
    Scenario::new(
        "dns-system-only",
        "a name that only /etc/hosts knows",
        Expect::Warn("dns.system-only"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            ns.hosts(&format!("127.0.0.1 localhost\n{} {NAME}\n", ns.host_ip()))?;
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("dns.hosts-override")
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-hosts-agree",
        "/etc/hosts says what the name server says",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            ns.hosts(&format!(
                "127.0.0.1 localhost\n{} DB.corp.test\n",
                ns.host_ip()
            ))?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-hosts-without-servers",
        "a name in /etc/hosts where no name server works",
        Expect::Pass,
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            ns.hosts(&format!("127.0.0.1 localhost\n{} {NAME}\n", ns.host_ip()))?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep(door)
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-localhost",
        "localhost, which the name server does not know",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (pg, ns) = (lab.new_postgres(), lab.netns()?);
            let pg = pg
                .netns(&ns)
                .conf("listen_addresses", "localhost")
                .start()?;
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            let conn = pg.conn().set("host", "localhost");
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep((pg, server))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-cname",
        "a chain of aliases",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let lines = [
                "cname=db.corp.test,real.corp.test",
                "host-record=real.corp.test,{ip}",
            ];
            let case = resolves(lab, "nameserver 127.0.0.1\n", &lines)?;
            Ok(case.assert(|report| {
                let facts = &report["stages"][2]["facts"]["lookups"][0]["name_servers"][0];
                ensure!(facts["cnames"][0] == "real.corp.test", "{facts}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-search",
        "a short name and a search domain",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            resolves_as(
                lab,
                "db",
                "nameserver 127.0.0.1\nsearch other.test corp.test\n",
                &["host-record=db.corp.test,{ip}"],
            )
        },
    ),
    Scenario::new(
        "dns-ndots",
        "a name with dots that is found behind a search domain",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            resolves_as(
                lab,
                "db.corp",
                "nameserver 127.0.0.1\nsearch test\noptions ndots:5\n",
                &["host-record=db.corp.test,{ip}"],
            )
        },
    ),
    Scenario::new(
        "dns-trailing-dot",
        "a full name with its dot",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            resolves_as(
                lab,
                "db.corp.test.",
                "nameserver 127.0.0.1\n",
                &["host-record=db.corp.test,{ip}"],
            )
        },
    ),
    Scenario::new(
        "dns-underscore",
        "an underscore, which DNS allows",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            resolves_as(
                lab,
                "my_db.corp.test",
                "nameserver 127.0.0.1\n",
                &["host-record=my_db.corp.test,{ip}"],
            )
        },
    ),
    Scenario::new(
        "dns-first-shut",
        "nobody listens at the first name server, the second answers",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            resolves(
                lab,
                "nameserver 127.0.0.9\nnameserver 127.0.0.1\n",
                &["host-record=db.corp.test,{ip}"],
            )
        },
    ),
    Scenario::new(
        "dns-second-silent",
        "the second name server is silent",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let silent = Responder::start(&ns.host_ip(), Says::Nothing.replies())?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            ns.resolv_conf(&format!(
                "nameserver 127.0.0.1\nnameserver {}\n",
                ns.host_ip()
            ))?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep((server, silent, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-overlap",
        "two name servers with different parts of a set of addresses",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let one = format!("host-record={NAME},{}", ns.host_ip());
            let two = format!("address=/{NAME}/{}", ns.host_ip());
            let more = format!("address=/{NAME}/192.0.2.7");
            let first = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&one])?;
            let second = Dnsmasq::start(lab, &ns, "127.0.0.2", &[&two, &more])?;
            ns.resolv_conf("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")?;
            Ok(quiet(Case::check(conn))
                .password(lab.password())
                .keep((first, second, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-disagree-absent",
        "the second name server says that the name does not exist",
        Expect::Warn("dns.disagree"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let first = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            let second = Dnsmasq::start(lab, &ns, "127.0.0.2", &[])?;
            ns.resolv_conf("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")?;
            Ok(Case::check(conn)
                .password(lab.password())
                .forbids("dns.server-only")
                .keep((first, second, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-server-only",
        "nsswitch.conf does not use DNS",
        Expect::Fail("dns.server-only"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            ns.etc_file("nsswitch.conf", "passwd: files\nhosts: files\n")?;
            let server = Dnsmasq::start(
                lab,
                &ns,
                "127.0.0.1",
                &["host-record=db.corp.test,192.0.2.7"],
            )?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn).keep(server).netns(ns))
        },
    ),
    Scenario::new(
        "dns-server-only-second",
        "the first name server denies what the second knows",
        Expect::Fail("dns.server-only"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let first = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
            let second = Dnsmasq::start(
                lab,
                &ns,
                "127.0.0.2",
                &["host-record=db.corp.test,192.0.2.7"],
            )?;
            ns.resolv_conf("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(Case::check(conn)
                .warns("dns.disagree")
                .keep((first, second))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow",
        "the name server takes more than a second",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let says = Says::Slowly(ns.host_ip().parse()?, Duration::from_millis(1_200));
            let server = Responder::start(&ns.host_ip(), says.replies())?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-dead-first",
        "the first name server is silent, the second answers",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let silent = Responder::start(&ns.host_ip(), Says::Nothing.replies())?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            ns.resolv_conf(&format!(
                "nameserver {}\nnameserver 127.0.0.1\n",
                ns.host_ip()
            ))?;
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((server, silent, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-aaaa-dropped",
        "questions for IPv6 addresses get no answer",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let server = Responder::start(
                &ns.host_ip(),
                Says::OnlyIpv4(ns.host_ip().parse()?).replies(),
            )?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            Ok(Case::check(conn)
                .password(lab.password())
                .patience(40)
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-timeout-a-dropped",
        "questions for IPv4 addresses get no answer, those for IPv6 do",
        Expect::Fail("dns.timeout"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let server = Responder::start(&ns.host_ip(), Says::OnlyIpv6.replies())?;
            ns.resolv_conf(&format!("nameserver {}\n", ns.host_ip()))?;
            Ok(Case::check(conn)
                .password(lab.password())
                .patience(40)
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-invalid-address",
        "an IPv4 address with a number too large",
        Expect::Fail("dns.invalid-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "10.0.0.256"),
    ),
    Scenario::new(
        "dns-invalid-dots",
        "two dots in a row",
        Expect::Fail("dns.invalid-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "db..corp.test"),
    ),
    Scenario::new(
        "dns-invalid-length",
        "a label of 64 characters",
        Expect::Fail("dns.invalid-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, &format!("{}.test", "x".repeat(64))),
    ),
    Scenario::new(
        "dns-invalid-letters",
        "letters that are not ASCII",
        Expect::Fail("dns.invalid-name"),
        &[Need::Netns, Need::Dnsmasq],
        |lab| unknown(lab, "b\u{fc}ro.test"),
    ),
    Scenario::new(
        "dns-second-host",
        "the first host does not exist, the second works",
        Expect::Warn("dns.nxdomain"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let case = resolves_as(
                lab,
                "gone.corp.test,db.corp.test",
                "nameserver 127.0.0.1\n",
                &["host-record=db.corp.test,{ip}"],
            )?;
            Ok(case)
        },
    ),
    Scenario::new(
        "dns-truncated",
        "an answer too large for a datagram",
        Expect::Pass,
        &[Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let lines: Vec<String> = (1..100)
                .map(|n| format!("address=/{NAME}/10.200.250.{n}"))
                .collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &lines)?;
            let conn = Conn::new().set("host", NAME).set("user", "app");
            Ok(quiet(Case::check(conn))
                .command("dns")
                .keep(server)
                .netns(ns))
        },
    )
    .oracle(Oracle::None("psql would try to connect")),
];
