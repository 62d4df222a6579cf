//! What works, but slowly: the step that waited is told, with its time and the setting that
//! removes it. And what takes its time for good reasons, which is not told.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::dns::{NAME, Responder, quiet, reachable};
use crate::{
    Case, Conn, Dnsmasq, Expect, Fault, Lab, Need, Netns, Oracle, Peer, Postgres, PostgresBuilder,
    Scenario, SshRoute, Sshd, SshdBuilder, Tool,
};

/// How long each look-up in a namespace without an answer lasts.
const SILENCE: &str = "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n";

/// A namespace in which no question about a name is answered, for two seconds.
fn without_dns(lab: &Lab) -> Result<Netns> {
    let ns = lab.netns()?;
    ns.resolv_conf(SILENCE)?;
    ns.input("udp dport 53 drop")?;
    Ok(ns)
}

/// The finding of this cause, and where it stands among those of its stage.
fn finding<'a>(report: &'a Value, cause: &str) -> Result<(&'a Value, usize)> {
    let stages = report["stages"].as_array().context("no stages")?;
    let of = |stage: &'a Value| stage["findings"].as_array();
    stages
        .iter()
        .filter_map(of)
        .find_map(|findings| {
            let at = findings.iter().position(|f| f["cause"] == cause)?;
            Some((&findings[at], at))
        })
        .with_context(|| format!("no {cause}: {report}"))
}

/// A finding whose evidence has this value under a name, whose first fix has these words, and
/// which cost between one second and four.
fn told(case: Case, cause: &'static str, awaited: &'static str, fix: &'static str) -> Case {
    case.assert(move |report| {
        let (finding, _) = finding(report, cause)?;
        let evidence = &finding["evidence"];
        ensure!(evidence["awaited"] == awaited, "not {awaited}: {finding}");
        let ms = evidence["ms"].as_f64().unwrap_or_default();
        ensure!((1_000.0..5_000.0).contains(&ms), "{ms} ms: {finding}");
        let first = finding["fixes"][0]["text"].as_str().unwrap_or_default();
        ensure!(first.contains(fix), "the first fix has no {fix:?}: {first}");
        ensure!(finding["status"] == "warn", "{finding}");
        Ok(())
    })
}

/// Nothing is slow here.
fn brisk(case: Case) -> Case {
    ["dns.slow", "tcp.slow", "ssh.slow", "auth.slow"]
        .into_iter()
        .fold(case, Case::forbids)
}

/// Runs a fix's command as pasted, inside a namespace, and says how long it took.
fn paste(command: &str, netns: &str) -> Result<Duration> {
    let begun = Instant::now();
    let shell = Tool::new("sh").args(["-c", command]);
    shell.netns(Some(netns.to_owned())).succeed()?;
    Ok(begun.elapsed())
}

/// The command of the first fix that has one.
fn command(finding: &Value) -> Result<&str> {
    let fixes = finding["fixes"].as_array().context("no fixes")?;
    let mut commands = fixes.iter().filter_map(|fix| fix["command"].as_str());
    commands.next().context("no fix has a command")
}

/// The command of a look-up's fix, pasted, takes less than the look-up did.
fn helps(case: Case, netns: String) -> Case {
    case.assert(move |report| {
        let (finding, _) = finding(report, "dns.slow")?;
        let took = paste(command(finding)?, &netns)?;
        ensure!(took < Duration::from_secs(1), "{took:?}: {finding}");
        Ok(())
    })
}

/// The end of the first question of a message, and whether it is for IPv6 addresses.
fn question(message: &[u8]) -> Option<(&[u8], bool)> {
    let end = 12 + message.get(12..)?.iter().position(|b| *b == 0)? + 5;
    Some((
        message.get(..end)?,
        message.get(end - 4..end - 2)? == [0, 28],
    ))
}

/// A reply with this address to questions for IPv4 addresses, without any to others.
fn reply(message: &[u8], ip: [u8; 4]) -> Option<Vec<u8>> {
    let (question, ipv6) = question(message)?;
    let mut reply = question.to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(!ipv6), 0, 0, 0, 0]);
    if !ipv6 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(ip);
    }
    Some(reply)
}

/// The way through this server by the name `bastion.test` and a port, and the `ssh` that goes
/// it too.
fn to_bastion(lab: &Lab, sshd: &Sshd, port: u16) -> Result<(SshRoute, Tool)> {
    let key = fs::read_to_string(sshd.host_key().with_extension("pub"))?;
    let known = format!("[bastion.test]:{port} {key}");
    let known = lab.file("known_hosts", known, 0o644)?;
    let user = lab.user()?;
    let route = SshRoute::new(&format!("{user}@bastion.test:{port}"))
        .key(lab.client_key()?)
        .known_hosts(&known);
    let ssh = Tool::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-i"])
        .arg(lab.client_key()?.display())
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known.display()))
        .arg("-p")
        .arg(port)
        .arg(format!("{user}@bastion.test"))
        .arg("true");
    Ok((route, ssh))
}

fn octets(ip: &str) -> Result<[u8; 4]> {
    Ok(ip.parse::<std::net::Ipv4Addr>()?.octets())
}

/// A name server on this host that answers [`NAME`], and keeps silent where `silent` says so.
fn answers(ns: &Netns, silent: impl Fn(&[u8]) -> bool + Send + 'static) -> Result<Responder> {
    let ip = octets(&ns.host_ip())?;
    Responder::start(&ns.host_ip(), move |message| {
        let answer = (!silent(message)).then(|| reply(message, ip)).flatten();
        answer.into_iter().collect()
    })
}

fn has(message: &[u8], label: &str) -> bool {
    message
        .windows(label.len())
        .any(|window| window.eq_ignore_ascii_case(label.as_bytes()))
}

/// Names.
pub const DNS: &[Scenario] = &[
    Scenario::new(
        "dns-slow-search-domain",
        "ndots puts a search domain first whose name server does not answer",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let server = answers(&ns, |message| has(message, "slow"))?;
            ns.resolv_conf(&format!(
                "nameserver {}\nsearch slow.test\noptions ndots:5 timeout:2 attempts:1\n",
                ns.host_ip()
            ))?;
            let case = Case::check(conn).assert(|report| {
                let (finding, _) = finding(report, "dns.slow")?;
                let wait = &finding["evidence"]["waits"][0];
                let query = "db.corp.test.slow.test";
                ensure!(
                    wait["query"] == query && wait["answered"] == false,
                    "{finding}"
                );
                let fix = finding["fixes"][0]["text"].as_str().unwrap_or_default();
                ensure!(fix.contains("ndots:2"), "{fix}");
                Ok(())
            });
            Ok(helps(case, ns.name().to_owned())
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-short-name",
        "a short name, which its search domain does not answer before it is tried as it is",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let server = answers(&ns, |message| has(message, "slow"))?;
            ns.resolv_conf(&format!(
                "nameserver {}\nsearch slow.test\noptions timeout:2 attempts:1\n",
                ns.host_ip()
            ))?;
            let case = Case::check(conn.set("host", "db")).assert(|report| {
                let (finding, _) = finding(report, "dns.slow")?;
                let fix = finding["fixes"][0]["text"].as_str().unwrap_or_default();
                let query = "db.slow.test";
                ensure!(
                    fix.contains(query) && fix.contains("search domain"),
                    "{fix}"
                );
                Ok(())
            });
            Ok(case.password(lab.password()).keep((server, door)).netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-bastion",
        "the name of the SSH server waits for a search domain that does not answer",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Sshd, Need::Netns],
        |lab| {
            let (ns, sshd) = (lab.netns()?, lab.sshd()?);
            let door = Peer::forward_on(&ns.host_ip(), sshd.addr(), Fault::None)?;
            let server = answers(&ns, |message| has(message, "slow"))?;
            ns.resolv_conf(&format!(
                "nameserver {}\nsearch slow.test\noptions ndots:5 timeout:2 attempts:1\n",
                ns.host_ip()
            ))?;
            let (route, ssh) = to_bastion(lab, &sshd, door.port())?;
            let case = Case::check(lab.postgres()?.conn()).ssh(route).asks(ssh);
            let case = case.assert(|report| {
                let (finding, _) = finding(report, "dns.slow")?;
                let hop = finding["evidence"]["hop"].as_str().unwrap_or_default();
                ensure!(hop.contains("bastion.test"), "{finding}");
                let fixes = finding["fixes"].to_string();
                ensure!(fixes.contains("as in bastion.test.,"), "{fixes}");
                ensure!(!fixes.contains("sslmode"), "{fixes}");
                Ok(())
            });
            Ok(helps(case, ns.name().to_owned())
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    )
    .oracle(Oracle::Own),
    Scenario::new(
        "dns-slow-query-for-ipv6",
        "the query for IPv6 addresses gets no answer",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let server = answers(&ns, |message| {
                question(message).is_some_and(|(_, ipv6)| ipv6)
            })?;
            ns.resolv_conf(&format!(
                "nameserver {}\noptions timeout:1 attempts:1\n",
                ns.host_ip()
            ))?;
            let case = Case::check(conn).assert(|report| {
                let (finding, _) = finding(report, "dns.slow")?;
                let query = &finding["evidence"]["waits"][0]["query"];
                ensure!(query == "db.corp.test AAAA", "{finding}");
                let fix = finding["fixes"][0]["text"].as_str().unwrap_or_default();
                ensure!(fix.contains("no-aaaa"), "{fix}");
                Ok(())
            });
            Ok(helps(case, ns.name().to_owned())
                .password(lab.password())
                .keep((server, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-first-server",
        "the first name server is silent about a short name, the second answers",
        Expect::Warn("dns.slow"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let silent = answers(&ns, |_| true)?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            ns.resolv_conf(&format!(
                "nameserver {}\nnameserver 127.0.0.1\nsearch corp.test\noptions timeout:2\n",
                ns.host_ip()
            ))?;
            let dead = ns.host_ip();
            let case = Case::check(conn.set("host", "db")).assert(move |report| {
                let (finding, _) = finding(report, "dns.slow")?;
                let wait = &finding["evidence"]["waits"][0];
                ensure!(wait["server"] == dead.as_str(), "{finding}");
                let fix = finding["fixes"][0]["text"].as_str().unwrap_or_default();
                ensure!(fix.contains(&dead) && fix.contains("after one"), "{fix}");
                Ok(())
            });
            Ok(case
                .password(lab.password())
                .keep((server, silent, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-not-the-second",
        "the second name server is silent, and nobody waits for it",
        Expect::Pass,
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let silent = answers(&ns, |_| true)?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            ns.resolv_conf(&format!(
                "nameserver 127.0.0.1\nnameserver {}\n",
                ns.host_ip()
            ))?;
            Ok(quiet(brisk(Case::check(conn)))
                .password(lab.password())
                .keep((server, silent, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-behind-others",
        "a silent first name server, and two that disagree: what is wrong comes before what is slow",
        Expect::Warn("dns.disagree"),
        &[Need::Postgres, Need::Netns, Need::Dnsmasq],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let silent = answers(&ns, |_| true)?;
            let record = format!("host-record={NAME},{}", ns.host_ip());
            let one = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            let two = Dnsmasq::start(
                lab,
                &ns,
                "127.0.0.2",
                &["host-record=db.corp.test,192.0.2.7"],
            )?;
            ns.resolv_conf(&format!(
                "nameserver {}\nnameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:2\n",
                ns.host_ip()
            ))?;
            let case = Case::check(conn).assert(|report| {
                let (_, at) = finding(report, "dns.slow")?;
                ensure!(at > 0, "dns.slow comes first: {report}");
                Ok(())
            });
            Ok(case
                .password(lab.password())
                .warns("dns.slow")
                .keep((one, two, silent, door))
                .netns(ns))
        },
    ),
    Scenario::new(
        "dns-slow-and-wrong-password",
        "a look-up that waits, and then a wrong password",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let server = answers(&ns, |message| has(message, "slow"))?;
            ns.resolv_conf(&format!(
                "nameserver {}\nsearch slow.test\noptions ndots:5 timeout:2 attempts:1\n",
                ns.host_ip()
            ))?;
            Ok(Case::check(conn)
                .password("not-the-one-7f31")
                .warns("dns.slow")
                .keep((server, door))
                .netns(ns))
        },
    ),
];

/// A server in a namespace in which the kernel gives up on a connection after three seconds,
/// and the name of all these addresses of it, in this order.
fn named(lab: &Lab, addresses: &[&str]) -> Result<(Postgres, Netns, Conn)> {
    let ns = lab.netns()?;
    give_up_soon(&ns)?;
    let pg = lab.new_postgres().netns(&ns);
    let pg = pg.conf("listen_addresses", "*").start()?;
    let lines: Vec<String> = addresses
        .iter()
        .map(|address| format!("{address} {NAME}\n"))
        .collect();
    ns.hosts(&format!("127.0.0.1 localhost\n{}", lines.concat()))?;
    let conn = pg.conn().set("host", NAME);
    Ok((pg, ns, conn))
}

fn give_up_soon(ns: &Netns) -> Result<()> {
    // The second one came with Linux 6.5.
    let lines = "cd /proc/sys/net/ipv4 && echo 1 >tcp_syn_retries && \
                 if [ -e tcp_syn_linear_timeouts ]; then echo 0 >tcp_syn_linear_timeouts; fi";
    ns.run(&["sh", "-c", lines])?;
    Ok(())
}

/// The time that a finding names, in milliseconds, and these words of its summary.
fn costs(case: Case, ms: std::ops::Range<f64>, words: &'static str) -> Case {
    case.assert(move |report| {
        let (finding, _) = finding(report, "tcp.slow")?;
        let cost = finding["evidence"]["ms"].as_f64().unwrap_or_default();
        ensure!(ms.contains(&cost), "{cost} ms: {finding}");
        let summary = finding["summary"].as_str().unwrap_or_default();
        ensure!(summary.contains(words), "not {words:?}: {summary}");
        Ok(())
    })
}

/// Addresses.
pub const TCP: &[Scenario] = &[
    Scenario::new(
        "tcp-slow-first-address",
        "the first of two addresses is a black hole: the kernel's time is what libpq waits",
        Expect::Warn("tcp.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, &["127.0.0.1", "127.0.0.2"])?;
            ns.input(&format!("ip daddr 127.0.0.1 tcp dport {} drop", pg.port()))?;
            let case = Case::check(conn).args(&["--timeout", "1500ms"]);
            Ok(costs(case, 2_900.0..3_100.0, "libpq waits 3.0 s")
                .password(lab.password())
                .forbids("tcp.partial")
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-slow-connect-timeout",
        "the IPv6 address comes first and is a black hole: connect_timeout bounds the wait",
        Expect::Warn("tcp.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, &["::1", "127.0.0.1"])?;
            ns.input(&format!("ip6 daddr ::1 tcp dport {} drop", pg.port()))?;
            let case = Case::check(conn.set("connect_timeout", 2));
            Ok(costs(case, 1_900.0..2_100.0, "libpq waits 2.0 s")
                .password(lab.password())
                .forbids("tcp.partial")
                .keep(pg)
                .netns(ns))
        },
    ),
    Scenario::new(
        "tcp-slow-nobody-there",
        "no machine has the first address: three seconds until the network says so",
        Expect::Warn("tcp.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (ns, door, conn) = reachable(lab)?;
            let host = ns.host_ip();
            // Nearer to this end than the other, and so first (RFC 6724, rule 9).
            let nobody = format!("{}.3", host.rsplit_once('.').context("no address")?.0);
            ns.hosts(&format!("{nobody} {NAME}\n{} {NAME}\n", ns.host_ip()))?;
            Ok(
                costs(Case::check(conn), 1_000.0..4_500.0, "does not answer")
                    .password(lab.password())
                    .keep(door)
                    .netns(ns),
            )
        },
    ),
    Scenario::new(
        "tcp-slow-not-the-second",
        "the second of two addresses is a black hole, and nobody waits for it",
        Expect::Warn("tcp.partial"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, &["127.0.0.1", "127.0.0.2"])?;
            ns.input(&format!("ip daddr 127.0.0.2 tcp dport {} drop", pg.port()))?;
            let case = Case::check(conn).args(&["--timeout", "1500ms"]);
            Ok(brisk(case).password(lab.password()).keep(pg).netns(ns))
        },
    ),
    Scenario::new(
        "tcp-slow-first-host",
        "the first of two hosts is a black hole: its finding says what it costs",
        Expect::Warn("tcp.timeout"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns, conn) = named(lab, &["127.0.0.1"])?;
            ns.input(&format!("ip daddr 127.0.0.2 tcp dport {} drop", pg.port()))?;
            let conn = conn.set("host", "127.0.0.2,127.0.0.1");
            let case = Case::check(conn)
                .args(&["--timeout", "1500ms"])
                .assert(|report| {
                    let (finding, _) = finding(report, "tcp.timeout")?;
                    ensure!(finding["evidence"]["cost"] == "3.0 s", "{finding}");
                    let fixes = finding["fixes"].to_string();
                    ensure!(fixes.contains("connect_timeout=3"), "{fixes}");
                    Ok(())
                });
            Ok(brisk(case).password(lab.password()).keep(pg).netns(ns))
        },
    ),
    Scenario::new(
        "tcp-slow-bastion",
        "the first address of the SSH server's name is a black hole",
        Expect::Warn("tcp.slow"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            give_up_soon(&ns)?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let pg = lab.new_postgres().netns(&ns).start()?;
            ns.hosts(&format!(
                "127.0.0.9 bastion.test\n{} bastion.test\n",
                ns.ip()
            ))?;
            ns.input(&format!(
                "ip daddr 127.0.0.9 tcp dport {} drop",
                sshd.port()
            ))?;
            let (route, ssh) = to_bastion(lab, &sshd, sshd.port())?;
            let case = Case::check(pg.conn())
                .args(&["--timeout", "1500ms"])
                .ssh(route);
            let case = case.asks(ssh);
            Ok(costs(case, 2_900.0..3_100.0, "ssh waits 3.0 s")
                .password(lab.password())
                .keep((pg, sshd))
                .netns(ns))
        },
    )
    .oracle(Oracle::Own),
];

/// PAM modules for sshd: the password is root's, as [`SshdBuilder::account`] makes it.
fn pam<'a>(lab: &'a Lab, auth: &str, session: &str) -> Result<SshdBuilder<'a>> {
    let modules = format!(
        "{auth}auth required pam_unix.so\naccount required pam_permit.so\n\
         session required pam_permit.so\n{session}"
    );
    let sshd = lab
        .new_sshd()
        .config("UsePAM yes")
        .etc("pam.d/sshd", modules);
    sshd.account("right-canary", "19000:0:99999:7:::")
}

/// To the shared database through this server.
fn through(lab: &Lab, sshd: Sshd) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(sshd.route()).keep(sshd))
}

/// To a database in the server's own namespace.
fn inside(lab: &Lab, ns: Netns, sshd: Sshd) -> Result<Case> {
    let pg = lab.new_postgres().netns(&ns).start()?;
    let conn = pg.conn().set("host", ns.ip());
    let case = Case::check(conn).password(lab.password());
    Ok(case.ssh(sshd.route()).keep((pg, sshd, ns)))
}

/// The hop that is named is this one.
fn names(case: Case, hop: String) -> Case {
    case.assert(move |report| {
        let (finding, _) = finding(report, "ssh.slow")?;
        let named = finding["evidence"]["hop"].as_str().unwrap_or_default();
        ensure!(named == hop, "{named}, not {hop}: {finding}");
        Ok(())
    })
}

/// SSH servers.
pub const SSH: &[Scenario] = &[
    Scenario::new(
        "ssh-slow-usedns",
        "sshd looks the client's name up, and its name server does not answer",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let ns = without_dns(lab)?;
            let sshd = lab.new_sshd().config("UseDNS yes").netns(&ns).start()?;
            Ok(told(
                inside(lab, ns, sshd)?,
                "ssh.slow",
                "none",
                "UseDNS no",
            ))
        },
    ),
    Scenario::new(
        "ssh-slow-dns-unused",
        "the same silence, and UseDNS no",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let ns = without_dns(lab)?;
            let sshd = lab.new_sshd().config("UseDNS no").netns(&ns).start()?;
            Ok(brisk(inside(lab, ns, sshd)?))
        },
    ),
    Scenario::new(
        "ssh-slow-pam-auth",
        "a PAM module takes two seconds to check the password",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let wait = "auth required pam_exec.so quiet /bin/sleep 2\n";
            let sshd = pam(lab, wait, "")?
                .config("PasswordAuthentication yes")
                .start()?;
            let case = through(lab, sshd)?;
            let route = case.ssh.clone().context("no way")?.without_key();
            let case = case.ssh(route).ssh_password("right-canary");
            Ok(told(case, "ssh.slow", "password", "/etc/pam.d/sshd"))
        },
    ),
    Scenario::new(
        "ssh-slow-questions",
        "PAM asks for the password itself, and takes two seconds to check it",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let wait = "auth required pam_exec.so quiet /bin/sleep 2\n";
            let sshd = pam(lab, "", "")?;
            let modules = format!(
                "auth required pam_unix.so\n{wait}account required pam_permit.so\n\
                 session required pam_permit.so\n"
            );
            let sshd = sshd
                .etc("pam.d/sshd", modules)
                .config("KbdInteractiveAuthentication yes")
                .start()?;
            let case = through(lab, sshd)?;
            let route = case.ssh.clone().context("no way")?.without_key();
            let case = case.ssh(route).ssh_password("right-canary");
            Ok(told(
                case,
                "ssh.slow",
                "keyboard-interactive",
                "/etc/pam.d/sshd",
            ))
        },
    ),
    Scenario::new(
        "ssh-slow-proxy-command",
        "the ProxyCommand takes two seconds before it connects",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Python],
        |lab| {
            let config = "Host far\n  ProxyCommand sh -c 'sleep 2; exec <fwd> <host> <port>'\n";
            let case = super::ssh_proxy::through(lab, "far", config)?;
            Ok(told(case, "ssh.slow", "identification", "ProxyCommand"))
        },
    ),
    Scenario::new(
        "ssh-slow-pam-session",
        "a PAM session module takes two seconds, as a message of the day may",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let wait = "session required pam_exec.so quiet /bin/sleep 2\n";
            let sshd = pam(lab, "", wait)?.start()?;
            let case = through(lab, sshd)?;
            Ok(told(case, "ssh.slow", "direct-tcpip", "session modules"))
        },
    ),
    Scenario::new(
        "ssh-slow-keys-command",
        "AuthorizedKeysCommand takes its time, and sshd asks it twice",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let key = lab.client_key()?.with_extension("pub");
            let script = format!("sleep 1.3; cat {}\n", key.display());
            let script = lab.file("keys", script, 0o644)?;
            let sshd = lab
                .new_sshd()
                .config(&format!(
                    "AuthorizedKeysCommand /bin/sh {}",
                    script.display()
                ))
                .config("AuthorizedKeysCommandUser root")
                .config("AuthorizedKeysFile none")
                .start()?;
            Ok(told(
                through(lab, sshd)?.args(&["--timeout", "15s"]),
                "ssh.slow",
                "publickey",
                "AuthorizedKeysCommand",
            ))
        },
    ),
    Scenario::new(
        "ssh-slow-forward-name",
        "the SSH server waits for its name server before it reaches the database",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Netns, Need::Dnsmasq],
        |lab| {
            let ns = lab.netns()?;
            let silent = answers(&ns, |_| true)?;
            let record = format!("host-record={NAME},{}", ns.ip());
            let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[&record])?;
            ns.resolv_conf(&format!(
                "nameserver {}\nnameserver 127.0.0.1\noptions timeout:2\n",
                ns.host_ip()
            ))?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let (hop, netns) = (sshd.destination(), ns.name().to_owned());
            let pg = lab.new_postgres().netns(&ns).start()?;
            let conn = pg.conn().set("host", NAME);
            let case = Case::check(conn).password(lab.password()).ssh(sshd.route());
            let case = case
                .keep((silent, server, pg, sshd, ns))
                .assert(move |report| {
                    let (finding, _) = finding(report, "ssh.slow")?;
                    ensure!(
                        finding["evidence"]["target"]
                            .as_str()
                            .is_some_and(|t| t.starts_with(NAME)),
                        "{finding}"
                    );
                    // The look-up is as slow where the fix says to time it.
                    let took = paste(command(finding)?, &netns)?;
                    ensure!(took > Duration::from_secs(1), "{took:?}: {finding}");
                    Ok(())
                });
            Ok(names(
                told(case, "ssh.slow", "direct-tcpip", "reach the target"),
                hop,
            ))
        },
    ),
    Scenario::new(
        "ssh-slow-second-hop",
        "the second of two SSH servers looks the client's name up in vain",
        Expect::Warn("ssh.slow"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let ns = without_dns(lab)?;
            let (first, second) = (
                lab.sshd()?,
                lab.new_sshd().config("UseDNS yes").netns(&ns).start()?,
            );
            let mut known = fs::read_to_string(first.known_hosts())?;
            known += &fs::read_to_string(second.known_hosts())?;
            let route = first.route().then(&second.destination());
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            let hop = second.destination();
            let case = inside(lab, ns, second)?.ssh(route);
            Ok(names(told(case, "ssh.slow", "none", "UseDNS no"), hop))
        },
    ),
    Scenario::new(
        "ssh-slow-not-a-long-way",
        "a round trip of 300 ms through two forwards: nothing there waits",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward(sshd.addr(), Fault::Delay(Duration::from_millis(150)))?;
            let route = sshd.route_by(lab, &peer)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(brisk(
                case.args(&["--timeout", "10s"]).ssh(route).keep(peer),
            ))
        },
    ),
];

/// A server whose name servers are silent, which is reached over TCP.
fn far(lab: &Lab) -> Result<(Netns, PostgresBuilder<'_>)> {
    let ns = without_dns(lab)?;
    let pg = lab.new_postgres().netns(&ns);
    Ok((ns, pg))
}

/// The command of the look-up fix, run where the server is, takes as long as the login.
fn looks_up(case: Case, netns: String) -> Case {
    case.assert(move |report| {
        let (finding, _) = finding(report, "auth.slow")?;
        let begun = Instant::now();
        // It finds no name.
        let _ = paste(command(finding)?, &netns);
        ensure!(begun.elapsed() > Duration::from_secs(1), "{finding}");
        Ok(())
    })
}

/// Logins.
pub const AUTH: &[Scenario] = &[
    Scenario::new(
        "auth-slow-log-hostname",
        "log_hostname, and a name server that does not answer",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg.conf("log_hostname", "on").start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            let case = told(case, "auth.slow", "SSLRequest", "log_hostname = off");
            Ok(looks_up(case, ns.name().to_owned()).keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-log-hostname-plain",
        "the same without a request for TLS before the start-up message",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg.conf("log_hostname", "on").start()?;
            let conn = pg.conn().set("sslmode", "disable");
            let case = Case::check(conn).password(lab.password());
            Ok(told(case, "auth.slow", "StartupMessage", "log_hostname = off").keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-hba-name",
        "a host name in pg_hba.conf, and a name server that does not answer",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg
                .hba("host all all app.corp.test scram-sha-256")
                .hba("host all all all scram-sha-256")
                .start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            let case = told(case, "auth.slow", "StartupMessage", "pg_hba.conf");
            Ok(looks_up(case, ns.name().to_owned()).keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-hba-name-trust",
        "the same where no password is requested",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg
                .hba("host all all app.corp.test reject")
                .hba("host all all all trust")
                .start()?;
            let case = Case::check(pg.conn());
            Ok(told(case, "auth.slow", "StartupMessage", "pg_hba.conf").keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-pam",
        "PAM takes two seconds to check the password",
        Expect::Warn("auth.method.weak"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let dir = format!("/etc/netns/{}/pam.d", ns.name());
            fs::create_dir_all(&dir)?;
            fs::write(
                format!("{dir}/dbdoctor-lab"),
                "auth required pam_exec.so expose_authtok quiet /bin/sleep 2\n\
                 account required pam_permit.so\n",
            )?;
            let pg = lab
                .new_postgres()
                .netns(&ns)
                .hba("host all all all pam pamservice=dbdoctor-lab")
                .start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            Ok(told(case, "auth.slow", "password", "ldap, radius, pam").keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-locked-catalog",
        "the session waits for a lock that another one has on a system catalog",
        Expect::Warn("auth.slow"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            // Takes the lock, lets whoever waits for it wait for two seconds, and begins again.
            let holder = pg.superuser_session(
                "do $$ begin loop \
                   lock table pg_catalog.pg_db_role_setting in access exclusive mode; \
                   raise notice 'locked'; \
                   loop perform pg_sleep(0.02); \
                     exit when exists (select from pg_locks where not granted); \
                   end loop; \
                   perform pg_sleep(2); \
                   commit; \
                 end loop; end $$",
                "locked",
            )?;
            let case = Case::check(pg.conn()).password(lab.password());
            Ok(told(case, "auth.slow", "password", "system catalogs").keep((holder, pg)))
        },
    ),
    Scenario::new(
        "auth-slow-behind-pooler",
        "PgBouncer waits for its connection to a server that looks names up",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::PgBouncer, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg.conf("log_hostname", "on").start()?;
            let pooler = lab
                .new_pgbouncer()
                .database("appdb", format!("host={} port={}", ns.ip(), pg.port()))
                .start()?;
            let case = Case::check(pooler.conn()).password(lab.password());
            let case = case.assert(|report| {
                let (finding, _) = finding(report, "auth.slow")?;
                let fixes = finding["fixes"].to_string();
                ensure!(fixes.contains("SHOW POOLS"), "{fixes}");
                ensure!(!fixes.contains("log_hostname"), "{fixes}");
                Ok(())
            });
            Ok(case.keep((pooler, pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-ldap",
        "an LDAP server takes two seconds to check the password",
        Expect::Warn("auth.method.weak"),
        &[Need::Postgres],
        |lab| {
            let directory = Peer::script(|mut client| {
                client.receive()?;
                std::thread::sleep(Duration::from_secs(2));
                // BindResponse of the first message: success (RFC 4511, 4.2.2).
                let bound = [0x30, 12, 2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0];
                client.write_all(&bound)?;
                client.ignore()
            })?;
            let line = format!(
                "host all all all ldap ldapserver=127.0.0.1 ldapport={} \
                 ldapprefix=\"cn=\" ldapsuffix=\", dc=lab\"",
                directory.port()
            );
            let pg = lab.new_postgres().hba(&line).start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            Ok(told(case, "auth.slow", "password", "ldap, radius, pam").keep((directory, pg)))
        },
    ),
    Scenario::new(
        "auth-slow-ident",
        "an ident server on the client's machine takes two seconds",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            let listener = TcpListener::bind((ns.host_ip(), 113))?;
            std::thread::spawn(move || {
                for mut client in listener.incoming().flatten().take(2) {
                    let mut asked = [0; 64];
                    let read = client.read(&mut asked).unwrap_or_default();
                    let ports = String::from_utf8_lossy(&asked[..read]);
                    std::thread::sleep(Duration::from_secs(2));
                    // In one piece: PostgreSQL reads once.
                    let answer = format!("{} : USERID : UNIX : app\r\n", ports.trim());
                    let _ = client.write_all(answer.as_bytes());
                }
            });
            let pg = lab
                .new_postgres()
                .netns(&ns)
                .hba("host all all all ident")
                .start()?;
            let case = Case::check(pg.conn()).assert(|report| {
                let (finding, _) = finding(report, "auth.slow")?;
                let fixes = finding["fixes"].to_string();
                ensure!(fixes.contains("ident"), "{fixes}");
                Ok(())
            });
            Ok(case.keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-allow",
        "sslmode=allow waits for a login without TLS that is refused, and then for one with it",
        Expect::Warn("auth.slow"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg
                .tls(lab.issue(lab.cert())?)
                .conf("log_hostname", "on")
                .hba("hostssl all all all scram-sha-256")
                .start()?;
            let conn = pg.conn().set("sslmode", "allow");
            let case = Case::check(conn).password(lab.password()).assert(|report| {
                let all = report["stages"].to_string();
                ensure!(all.contains("Set sslmode=require"), "{all}");
                Ok(())
            });
            Ok(told(case, "auth.slow", "SSLRequest", "log_hostname = off").keep((pg, ns)))
        },
    ),
    Scenario::new(
        "auth-slow-not-our-own-work",
        "a password that is hashed for two seconds: the server waits, not the client",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            // As many rounds as this machine does in two seconds.
            let verifier =
                |rounds| super::auth::scram_verifier(lab.password(), b"saltsaltsaltsalt", rounds);
            let begun = Instant::now();
            verifier(500_000)?;
            let rounds = 500_000.0 * 2.0 / begun.elapsed().as_secs_f64();
            let verifier = verifier(rounds as usize)?;
            let sql = format!("alter role app password '{verifier}'");
            let pg = lab.new_postgres().sql(&sql).start()?;
            let case = Case::check(pg.conn())
                .password(lab.password())
                .assert(|report| {
                    let stages = report["stages"].as_array().context("no stages")?;
                    let auth = stages.iter().find(|stage| stage["stage"] == "auth");
                    let took = auth.and_then(|auth| auth["duration_ms"].as_f64());
                    ensure!(took > Some(1_000.0), "no time for hashing: {took:?}");
                    Ok(())
                });
            Ok(brisk(case.args(&["--timeout", "15s"])).keep(pg))
        },
    )
    .oracle(Oracle::None("libpq hashes many times slower")),
    Scenario::new(
        "auth-slow-and-wrong-server",
        "a login that waits, and then a server that is not the one",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (ns, pg) = far(lab)?;
            let pg = pg.conf("log_hostname", "on").start()?;
            let case = Case::check(pg.conn())
                .args(&["--expect-role", "standby"])
                .password(lab.password())
                .warns("auth.slow");
            Ok(case.keep((pg, ns)))
        },
    )
    .oracle(Oracle::None("psql has no such guard")),
    Scenario::new(
        "auth-slow-not-a-long-way",
        "a round trip of 300 ms: no answer is late",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let peer = Peer::forward(pg.addr(), Fault::Delay(Duration::from_millis(150)))?;
            let conn = pg.conn().set("port", peer.port());
            Ok(brisk(Case::check(conn)).password(lab.password()).keep(peer))
        },
    ),
];
