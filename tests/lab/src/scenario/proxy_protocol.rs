//! The PROXY protocol on one side only: of the end that listens, and of the one
//! that connects to the server.

use std::io::Write;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::ssh::{case as ssh_case, to_port};
use crate::{Case, Conn, Expect, HaProxy, Lab, Need, Oracle, Peer, Scenario, verdicts_finding};

/// The first bytes of version 2 (proxy-protocol.txt, section 2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

const NEWER: Oracle = Oracle::None("psql 15 does not know sslnegotiation");

/// An HAProxy with these words on its `bind` and `server` lines.
fn haproxy(lab: &Lab, bind: &str, server: &str) -> Result<HaProxy> {
    HaProxy::start(
        lab,
        &format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
             listen database\n bind 127.0.0.1:{{port}} {bind}\n server one {server}\n"
        ),
    )
}

/// One that expects the header, in front of the shared server.
fn expecting(lab: &Lab) -> Result<HaProxy> {
    haproxy(lab, "accept-proxy", &lab.postgres()?.addr())
}

fn to(lab: &Lab, port: u16) -> Result<Conn> {
    let conn = lab.postgres()?.conn();
    Ok(conn.set("port", port).set("connect_timeout", 3))
}

fn case(lab: &Lab, proxy: HaProxy, parameters: &[(&str, &str)]) -> Result<Case> {
    let conn = parameters
        .iter()
        .fold(to(lab, proxy.port())?, |conn, (name, value)| {
            conn.set(name, value)
        });
    Ok(Case::check(conn).password(lab.password()).keep(proxy))
}

/// The end took a header of this version.
fn took(version: u8) -> impl Fn(&Value) -> Result<()> + Send + 'static {
    move |report| {
        let evidence = &verdicts_finding(report)?["evidence"];
        ensure!(evidence["proxy_protocol"] == version, "{evidence}");
        Ok(())
    }
}

/// The fix of this number names the header, or with `None` no fix does.
fn suspects(number: Option<usize>) -> impl Fn(&Value) -> Result<()> + Send + 'static {
    move |report| {
        let fixes = &report["verdict"]["fixes"];
        let all = fixes.as_array().into_iter().flatten();
        let found = all
            .enumerate()
            .find(|(_, fix)| fix["text"].to_string().contains("PROXY protocol"));
        ensure!(found.map(|(at, _)| at) == number, "{fixes}");
        Ok(())
    }
}

/// An end that takes version 2 alone, and says afterwards that it has no TLS. It
/// looks at so many bytes before it decides.
fn only_second(looks_at: usize) -> Result<Peer> {
    Peer::script(move |mut stream| {
        let mut all = Vec::new();
        while all.len() < looks_at {
            let piece = stream.receive()?;
            if piece.is_empty() {
                return Ok(());
            }
            all.extend(piece);
        }
        let signature = &SIGNATURE[..looks_at.min(SIGNATURE.len())];
        if !all.starts_with(signature) {
            return stream.reset();
        }
        while all.len() < 16 + 8 {
            all.extend(stream.receive()?);
        }
        stream.write_all(b"N")?;
        stream.ignore()
    })
}

/// What HAProxy, PgBouncer and scripts show of it.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "proxy-expected",
        "HAProxy expects a PROXY header from its clients, and no balancer sends it",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres, Need::HaProxy],
        |lab| Ok(case(lab, expecting(lab)?, &[])?.assert(took(1))),
    ),
    Scenario::new(
        "proxy-expected-plain",
        "the same, asked without TLS",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres, Need::HaProxy],
        |lab| case(lab, expecting(lab)?, &[("sslmode", "disable")]),
    ),
    Scenario::new(
        "proxy-expected-direct",
        "the same, asked for direct TLS",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let direct = [("sslmode", "require"), ("sslnegotiation", "direct")];
            case(lab, expecting(lab)?, &direct)
        },
    )
    .oracle(NEWER),
    Scenario::new(
        "proxy-expected-ending-tls",
        "HAProxy ends direct TLS behind a PROXY header",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let options = "alpn postgresql accept-proxy";
            let proxy = HaProxy::ending_tls(lab, options, &lab.postgres()?.addr())?;
            let direct = [("sslmode", "require"), ("sslnegotiation", "direct")];
            case(lab, proxy, &direct)
        },
    )
    .oracle(NEWER),
    Scenario::new(
        "proxy-expected-balancer",
        "a balancer that does not send the header leads to one that expects it",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let behind = expecting(lab)?;
            let front = haproxy(lab, "", &format!("127.0.0.1:{}", behind.port()))?;
            Ok(case(lab, front, &[])?.keep(behind))
        },
    ),
    Scenario::new(
        "proxy-expected-tunnel",
        "the end behind an SSH server expects the header",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres, Need::HaProxy, Need::Sshd],
        |lab| Ok(case(lab, expecting(lab)?, &[])?.ssh(lab.sshd()?.route())),
    ),
    Scenario::new(
        "proxy-expected-second",
        "an end takes version 2 alone, and resets at the first byte of anything else",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres],
        |lab| {
            let peer = only_second(1)?;
            let case = Case::check(to(lab, peer.port())?).keep(peer);
            Ok(case.assert(took(2)))
        },
    ),
    Scenario::new(
        "proxy-expected-mute",
        "an end takes version 2 alone, and waits for as many bytes as that has",
        Expect::Fail("protocol.proxy-expected"),
        &[Need::Postgres],
        |lab| {
            let peer = only_second(16)?;
            let case = Case::check(to(lab, peer.port())?).keep(peer);
            Ok(case.assert(took(2)))
        },
    ),
    Scenario::new(
        "proxy-healthy",
        "a balancer sends the header to one that expects it",
        Expect::Pass,
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let behind = expecting(lab)?;
            let to = format!("127.0.0.1:{} send-proxy-v2", behind.port());
            Ok(case(lab, haproxy(lab, "", &to)?, &[])?.keep(behind))
        },
    ),
    Scenario::new(
        "proxy-sent",
        "HAProxy sends PostgreSQL a PROXY header",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let server = format!("{} send-proxy", lab.postgres()?.addr());
            let case = case(lab, haproxy(lab, "", &server)?, &[])?;
            Ok(case.assert(suspects(Some(0))))
        },
    ),
    Scenario::new(
        "proxy-sent-second",
        "HAProxy sends PostgreSQL a PROXY header of version 2, and TLS is not asked for",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let server = format!("{} send-proxy-v2", lab.postgres()?.addr());
            let case = case(lab, haproxy(lab, "", &server)?, &[("sslmode", "disable")])?;
            Ok(case.assert(suspects(Some(0))))
        },
    ),
    Scenario::new(
        "proxy-sent-unknown",
        "something that is no known proxy closes before anything is sent",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres],
        |lab| {
            let peer = Peer::script(|stream| stream.close())?;
            let case = Case::check(to(lab, peer.port())?).keep(peer);
            Ok(case.assert(suspects(Some(1))))
        },
    ),
    Scenario::new(
        "proxy-not-suspected",
        "something closes on the first message, and not before",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres],
        |lab| {
            let peer = Peer::closing()?;
            let case = Case::check(to(lab, peer.port())?).keep(peer);
            Ok(case.assert(suspects(None)))
        },
    ),
    Scenario::new(
        "proxy-sent-aws",
        "a load balancer of AWS, which sends its header with the client's first message",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres],
        |lab| {
            let peer = Peer::closing()?;
            let name = "db-0123456789abcdef.elb.eu-central-1.amazonaws.com";
            let conn = to(lab, peer.port())?
                .set("host", name)
                .set("hostaddr", "127.0.0.1");
            Ok(Case::check(conn).keep(peer).assert(|report| {
                let fix = &report["verdict"]["fixes"][0]["text"];
                let fix = fix.as_str().unwrap_or_default();
                ensure!(fix.contains("proxy_protocol_v2.enabled=false"), "{fix}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "proxy-sent-pgbouncer",
        "HAProxy sends PgBouncer a PROXY header",
        Expect::Fail("protocol.proxy-sent"),
        &[Need::Postgres, Need::HaProxy, Need::PgBouncer],
        |lab| {
            let pooler = lab.new_pgbouncer().start()?;
            let server = format!("127.0.0.1:{} send-proxy", pooler.port());
            Ok(case(lab, haproxy(lab, "", &server)?, &[])?.keep(pooler))
        },
    ),
    Scenario::new(
        "proxy-sent-pgbouncer-plain",
        "HAProxy sends PgBouncer a PROXY header of version 2, and TLS is not asked for",
        Expect::Fail("protocol.proxy-sent"),
        &[Need::Postgres, Need::HaProxy, Need::PgBouncer],
        |lab| {
            let pooler = lab.new_pgbouncer().start()?;
            let server = format!("127.0.0.1:{} send-proxy-v2", pooler.port());
            let case = case(lab, haproxy(lab, "", &server)?, &[("sslmode", "disable")])?;
            Ok(case.keep(pooler))
        },
    ),
];

/// The same of SSH servers.
pub const SSH: &[Scenario] = &[
    Scenario::new(
        "ssh-proxy-expected",
        "HAProxy in front of sshd expects a PROXY header from its clients",
        Expect::Fail("ssh.proxy-expected"),
        &[Need::Sshd, Need::HaProxy],
        |lab| {
            let proxy = haproxy(lab, "accept-proxy", &lab.sshd()?.addr())?;
            let case = ssh_case(to_port(lab, proxy.port())?).keep(proxy);
            Ok(case.assert(took(1)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-proxy-healthy",
        "a balancer sends the header to one that expects it, in front of sshd",
        Expect::Pass,
        &[Need::Sshd, Need::HaProxy, Need::Postgres],
        |lab| {
            let behind = haproxy(lab, "accept-proxy", &lab.sshd()?.addr())?;
            let to = format!("127.0.0.1:{} send-proxy", behind.port());
            let front = haproxy(lab, "", &to)?;
            let route = lab.sshd()?.route_by_port(lab, front.port())?;
            let conn = lab.postgres()?.conn();
            let case = Case::check(conn).password(lab.password()).ssh(route);
            Ok(case.keep((front, behind)))
        },
    )
    .oracle(Oracle::Ssh),
];
